//! The colours of a line being typed (the command, strings, numbers, an unknown command, an open quote), and of a line
//! of JSON.

use std::borrow::Cow;

use super::local;
use super::tokens::{Word, Words, holds_secret};
use crate::cli::prompt;
use crate::color::{Colors, Part};
use crate::command::table::Table;

/// The line with its colours; a line that may hold a password has none.
pub fn highlight(line: &str, table: &Table, aliases: &[(String, String)], colors: Colors) -> String {
    if holds_secret(line) {
        return line.to_owned();
    }
    let words = Words::of(line);
    let mut painted = String::with_capacity(line.len() * 2);
    let mut done = 0;
    for (index, word) in words.list.iter().enumerate() {
        let is_last = index + 1 == words.list.len();
        let text = &line[word.span.clone()];
        let part = match words.trouble {
            Some(_) if is_last => Some(Part::Error),
            _ if index == 0 && aliases.iter().any(|(alias, _)| alias == text) => Some(Part::Command),
            _ if index == 0 => command_part(word, table, is_last && !words.ends_in_space),
            _ => value_part(text, word),
        };
        painted.push_str(&line[done..word.span.start]);
        match part {
            Some(part) => painted.push_str(&colors.paint(part, text)),
            None => painted.push_str(text),
        }
        done = word.span.end;
    }
    painted.push_str(&line[done..]);
    painted
}

/// A command that exists, or not. While the name is being typed it may still become one.
fn command_part(word: &Word, table: &Table, is_being_typed: bool) -> Option<Part> {
    let name = word.text.as_slice();
    let is_local = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    if table.find(&[name]).is_some()
        || prompt::is_verb(name)
        || local::WORDS.iter().any(|(known, _)| is_local(known))
        || name == b"?"
    {
        return Some(Part::Command);
    }
    let begins = |known: &str| known.as_bytes().get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let may_become = is_being_typed
        && (table.names().any(begins)
            || prompt::names().any(begins)
            || local::WORDS.iter().any(|(known, _)| begins(known)));
    // A JSON line is no command name.
    if may_become || matches!(name.first(), Some(b'[' | b'#')) { None } else { Some(Part::Error) }
}

fn value_part(text: &str, word: &Word) -> Option<Part> {
    if text.starts_with(['"', '\'']) {
        Some(Part::String)
    } else if std::str::from_utf8(&word.text).is_ok_and(|text| text.parse::<f64>().is_ok()) {
        Some(Part::Number)
    } else {
        None
    }
}

/// A line of JSON with its colours: keys, strings, numbers and the rest.
pub fn highlight_json(line: &str, colors: Colors) -> Cow<'_, str> {
    if !colors.0 {
        return Cow::Borrowed(line);
    }
    let mut painted = String::with_capacity(line.len() * 2);
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            c if c.is_ascii_alphanumeric() || c == '-' => {
                rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '+' | '.')).unwrap_or(rest.len())
            }
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        let part = match first {
            '"' if after.starts_with(':') => Some(Part::Key),
            '"' => Some(Part::String),
            c if c.is_ascii_digit() || c == '-' => Some(Part::Number),
            c if c.is_ascii_alphabetic() => Some(Part::Hint),
            _ => None,
        };
        match part {
            Some(part) => painted.push_str(&colors.paint(part, token)),
            None => painted.push_str(token),
        }
        rest = after;
    }
    Cow::Owned(painted)
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
    use super::*;

    fn painted(line: &str) -> String {
        highlight(line, Table::builtin(), &[], Colors(true)).replace('\x1b', "^").replace("^[0m", "^")
    }

    #[test]
    fn commands_strings_and_numbers_have_colours() {
        assert_eq!(painted("SET k 12 \"a b\""), "^[1;34mSET^ k ^[35m12^ ^[32m\"a b\"^");
        assert_eq!(painted("  help SET"), "  ^[1;34mhelp^ SET");
    }

    #[test]
    fn what_is_wrong_is_red_but_not_while_it_may_become_right() {
        assert_eq!(painted("NOSUCH x"), "^[31mNOSUCH^ x");
        assert_eq!(painted("SE"), "SE");
        assert_eq!(painted("SE x"), "^[31mSE^ x");
        assert_eq!(painted("SET k \"a b"), "^[1;34mSET^ k ^[31m\"a b^");
    }

    #[test]
    fn secrets_have_no_colour() {
        assert_eq!(painted("AUTH 123"), "AUTH 123");
        assert_eq!(painted("AUTH"), "^[1;34mAUTH^");
    }

    #[test]
    fn json_has_colours_and_nothing_else_changes() {
        let line = "{\"a\":null,\"b\\\"\":[-1.5e+3,\"x\"]}\n";
        let mut plain = highlight_json(line, Colors(true)).into_owned();
        assert!(plain.starts_with("{\x1b[36m\"a\"\x1b[0m:\x1b[2mnull\x1b[0m,"), "{plain:?}");
        assert!(plain.contains("[\x1b[35m-1.5e+3\x1b[0m,\x1b[32m\"x\"\x1b[0m]"), "{plain:?}");
        for code in ["36", "2", "35", "32", "0"] {
            plain = plain.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(plain, line);
        assert_eq!(highlight_json(line, Colors(false)), line);
    }
}
