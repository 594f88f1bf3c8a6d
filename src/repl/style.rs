//! The colours of what is typed and of the prompt. Replies have theirs in `render`.

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// The address in the prompt.
    Place,
    /// The open block in the prompt.
    Block,
    /// A command that exists.
    Command,
    /// A quoted string.
    Text,
    /// A number.
    Number,
    /// What is wrong: an unknown command, an open quote, no connection.
    Error,
    /// What is not there yet: hints, and notes beside a reply.
    Faint,
}

/// Whether to colour at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint(pub bool);

impl Paint {
    /// The text in its colour.
    pub fn text(self, ink: Ink, text: &str) -> String {
        if !self.0 || text.is_empty() {
            return text.to_owned();
        }
        let code = match ink {
            Ink::Place => "36",
            Ink::Block => "1;33",
            Ink::Command => "1;34",
            Ink::Text => "32",
            Ink::Number => "35",
            Ink::Error => "31",
            Ink::Faint => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// A line of JSON with its colours: keys, strings, numbers and the rest.
    pub fn json(self, line: &str) -> String {
        if !self.0 {
            return line.to_owned();
        }
        let mut painted = String::with_capacity(line.len() * 2);
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '"' => string_length(rest),
                c if c.is_ascii_alphanumeric() || c == '-' => rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '+' | '.'))
                    .unwrap_or(rest.len()),
                c => c.len_utf8(),
            };
            let (token, after) = rest.split_at(length);
            match first {
                '"' if after.starts_with(':') => painted.push_str(&self.text(Ink::Place, token)),
                '"' => painted.push_str(&self.text(Ink::Text, token)),
                c if c.is_ascii_digit() || c == '-' => painted.push_str(&self.text(Ink::Number, token)),
                c if c.is_ascii_alphabetic() => painted.push_str(&self.text(Ink::Faint, token)),
                _ => painted.push_str(token),
            }
            rest = after;
        }
        painted
    }
}

/// How long the string is that the text begins with, quotes included.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::Paint;

    #[test]
    fn json_has_colours_and_nothing_else_changes() {
        let line = "{\"a\":null,\"b\\\"\":[-1.5e+3,\"x\"]}\n";
        let painted = Paint(true).json(line);
        assert!(painted.starts_with("{\x1b[36m\"a\"\x1b[0m:\x1b[2mnull\x1b[0m,"), "{painted:?}");
        assert!(painted.contains("[\x1b[35m-1.5e+3\x1b[0m,\x1b[32m\"x\"\x1b[0m]"), "{painted:?}");
        let mut plain = painted;
        for code in ["36", "2", "35", "32", "0"] {
            plain = plain.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(plain, line);
        assert_eq!(Paint(false).json(line), line);
    }
}
