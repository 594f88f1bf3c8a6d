//! The colours of a line being typed: the command, strings, numbers, an unknown command, an open quote.

use super::local;
use super::style::{Ink, Paint};
use super::words::{Word, Words, holds_secret};
use crate::table::Table;

/// The line with its colours; a line that may hold a password has none.
pub fn highlight(line: &str, table: &Table, paint: Paint) -> String {
    if holds_secret(line) {
        return line.to_owned();
    }
    let words = Words::of(line);
    let mut painted = String::with_capacity(line.len() * 2);
    let mut done = 0;
    for (index, word) in words.list.iter().enumerate() {
        let is_last = index + 1 == words.list.len();
        let text = &line[word.span.clone()];
        let ink = match words.trouble {
            Some(_) if is_last => Some(Ink::Error),
            _ if index == 0 => command_ink(word, table, is_last && !words.ends_in_space),
            _ => value_ink(text, word),
        };
        painted.push_str(&line[done..word.span.start]);
        match ink {
            Some(ink) => painted.push_str(&paint.text(ink, text)),
            None => painted.push_str(text),
        }
        done = word.span.end;
    }
    painted.push_str(&line[done..]);
    painted
}

/// A command that exists, or not. While the name is being typed it may still become one.
fn command_ink(word: &Word, table: &Table, is_being_typed: bool) -> Option<Ink> {
    let name = word.text.as_slice();
    let is_local = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    if table.find(&[name]).is_some() || local::WORDS.iter().any(|(known, _)| is_local(known)) || name == b"?" {
        return Some(Ink::Command);
    }
    let begins = |known: &str| known.as_bytes().get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let may_become =
        is_being_typed && (table.names().any(begins) || local::WORDS.iter().any(|(known, _)| begins(known)));
    // A JSON line is no command name.
    if may_become || matches!(name.first(), Some(b'[' | b'#')) { None } else { Some(Ink::Error) }
}

fn value_ink(text: &str, word: &Word) -> Option<Ink> {
    if text.starts_with(['"', '\'']) {
        Some(Ink::Text)
    } else if std::str::from_utf8(&word.text).is_ok_and(|text| text.parse::<f64>().is_ok()) {
        Some(Ink::Number)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn painted(line: &str) -> String {
        highlight(line, Table::builtin(), Paint(true)).replace('\x1b', "^").replace("^[0m", "^")
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
}
