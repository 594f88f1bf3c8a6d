//! `--as TEMPLATE`: a command line in which `{}` stands for the key (contract section 16).

use crate::command::request::Request;
use crate::exit::{Failure, Outcome};
use crate::input::{describe_bad, parse_line};

/// A command with places for the key.
#[derive(Debug)]
pub struct Template {
    words: Vec<Vec<Part>>,
    /// The command of the key that was filled in last.
    filled: Request,
}

/// A piece of a word.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    Key,
}

impl Template {
    /// Reads a template, in the quoting of lines of input.
    pub fn parse(line: &[u8]) -> Outcome<Self> {
        let mut request = Request::default();
        parse_line(line, &mut request).map_err(|malformed| {
            let (reason, pointer) = describe_bad(request.arg(0), line, &malformed);
            Failure::usage(format!("--as: {reason}")).pointing(pointer)
        })?;
        let words = request.args().map(parts).collect::<Outcome<Vec<_>>>()?;
        if !words.iter().flatten().any(|part| *part == Part::Key) {
            return Err(Failure::usage("--as: there is no {} in it, which stands for the key"));
        }
        Ok(Self { words, filled: Request::default() })
    }

    /// The command for a key.
    pub fn fill(&mut self, key: &[u8]) -> &Request {
        self.filled.clear();
        for word in &self.words {
            for part in word {
                self.filled.extend(match part {
                    Part::Text(text) => text,
                    Part::Key => key,
                });
            }
            self.filled.end_arg();
        }
        &self.filled
    }
}

/// The pieces of a word: `{}` is the key, `{{` and `}}` are braces.
fn parts(word: &[u8]) -> Outcome<Vec<Part>> {
    let mut parts = Vec::new();
    let mut text = Vec::new();
    let mut rest = word;
    while let Some((first, behind)) = rest.split_first() {
        rest = match (first, behind) {
            (b'{', [b'}', behind @ ..]) => {
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                parts.push(Part::Key);
                behind
            }
            (b'{', [b'{', behind @ ..]) | (b'}', [b'}', behind @ ..]) => {
                text.push(*first);
                behind
            }
            (b'{' | b'}', _) => {
                return Err(Failure::usage("--as: {} stands for the key; a brace is written {{ or }}"));
            }
            _ => {
                text.push(*first);
                behind
            }
        };
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    Ok(parts)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests {
    use super::*;

    #[test]
    fn the_key_stands_wherever_braces_are_and_is_never_split() {
        for (template, filled) in [
            ("UNLINK {}", &[&b"UNLINK"[..], b"a b"][..]),
            ("RENAME {} \"old {}\"", &[b"RENAME", b"a b", b"old a b"]),
            ("RENAME {} {{{}}}:{}", &[b"RENAME", b"a b", b"{a b}:a b"]),
            ("SET x:{}:y ''", &[b"SET", b"x:a b:y", b""]),
        ] {
            let mut template = Template::parse(template.as_bytes()).unwrap();
            assert_eq!(template.fill(b"a b").args().collect::<Vec<_>>(), filled);
            assert_eq!(template.fill(b"").arg(0), filled[0]);
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (template, reason) in [
            ("UNLINK", "there is no {} in it"),
            ("", "there is no {} in it"),
            ("UNLINK {key}", "a brace is written {{ or }}"),
            ("UNLINK {}}", "a brace is written {{ or }}"),
            ("UNLINK \"{}", "--as: "),
        ] {
            let message = Template::parse(template.as_bytes()).unwrap_err().into_message();
            assert!(message.contains(reason), "{template}: {message}");
        }
    }
}
