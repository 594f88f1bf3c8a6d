//! The colours of a line being typed (the command, strings, numbers, an unknown command, an open quote), of one that is
//! JSON with the place where it is wrong, and of a line of JSON that came.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::local;
use super::tokens::{Word, Words, after_count, begins_with, holds_secret};
use crate::cli::prompt;
use crate::color::{Colors, Part};
use crate::command::request::Request;
use crate::command::table::Table;
use crate::config::expand;
use crate::input::parse;

/// The line with its colours; a line that may hold a password has none, nor has one for a shell.
pub fn highlight(line: &str, table: &Table, aliases: &[(String, String)], colors: Colors) -> String {
    match line.trim_start().chars().next() {
        _ if holds_secret(expand(aliases, line).as_deref().unwrap_or(line)) => return line.to_owned(),
        Some('!') => return line.to_owned(),
        Some('#') => return colors.paint(Part::Hint, line).into_owned(),
        Some('[') => return highlight_json_command(line, colors),
        _ => {}
    }
    let words = Words::of(line);
    // A number before the command says how often it is to be run.
    let name_at = usize::from(after_count(line).len() < line.len());
    let mut painted = String::with_capacity(line.len() * 2);
    let mut done = 0;
    for (index, word) in words.list.iter().enumerate() {
        let is_last = index + 1 == words.list.len();
        let text = &line[word.span.clone()];
        let part = match words.trouble {
            Some(_) if is_last => Some(Part::Error),
            _ if index == name_at && aliases.iter().any(|(alias, _)| alias == text) => Some(Part::Command),
            _ if index == name_at => command_part(word, table, is_last && !words.ends_in_space),
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

/// A command in JSON with the colours of JSON. From where it is wrong on it is an error; one that only ends too early may
/// still go on.
fn highlight_json_command(line: &str, colors: Colors) -> String {
    let Err(malformed) = parse(line.as_bytes(), &mut Request::default()) else {
        return paint_json(line, line.len(), colors);
    };
    let is_unfinished = serde_json::from_str::<IgnoredAny>(line).is_err_and(|error| error.is_eof());
    paint_json(line, if is_unfinished { line.len() } else { malformed.at }, colors)
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
    let begins = |known: &str| begins_with(known.as_bytes(), name);
    let may_become = is_being_typed
        && (table.names().any(begins)
            || prompt::names().any(begins)
            || local::WORDS.iter().any(|(known, _)| begins(known)));
    match () {
        () if may_become => None,
        () if name.iter().all(u8::is_ascii_digit) => Some(Part::Number),
        () => Some(Part::Error),
    }
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
    if colors.0 { Cow::Owned(paint_json(line, line.len(), colors)) } else { Cow::Borrowed(line) }
}

/// JSON with its colours; all from the token on that holds the place where it is wrong is an error.
fn paint_json(line: &str, wrong_at: usize, colors: Colors) -> String {
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
        if line.len() - rest.len() + length > wrong_at {
            painted.push_str(&colors.paint(Part::Error, rest));
            break;
        }
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
    painted
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
        assert_eq!(painted("SET k 12 \"a b\""), "^[1;38;5;32mSET^ k ^[35m12^ ^[38;5;28m\"a b\"^");
        assert_eq!(painted("  help SET"), "  ^[1;38;5;32mhelp^ SET");
    }

    #[test]
    fn what_is_wrong_is_red_but_not_while_it_may_become_right() {
        assert_eq!(painted("NOSUCH x"), "^[38;5;167mNOSUCH^ x");
        assert_eq!(painted("SE"), "SE");
        assert_eq!(painted("SE x"), "^[38;5;167mSE^ x");
        assert_eq!(painted("SET k \"a b"), "^[1;38;5;32mSET^ k ^[38;5;167m\"a b^");
    }

    #[test]
    fn a_number_before_a_command_a_shell_line_and_a_note_are_no_unknown_commands() {
        assert_eq!(painted("5 INCR x"), "^[35m5^ ^[1;38;5;32mINCR^ x");
        assert_eq!(painted("5"), "^[35m5^");
        assert_eq!(painted("5 NOSUCH x"), "^[35m5^ ^[38;5;167mNOSUCH^ x");
        assert_eq!(painted("!ls 5"), "!ls 5");
        assert_eq!(painted("# a 5"), "^[38;5;244m# a 5^");
    }

    #[test]
    fn a_command_in_json_has_its_colours_and_shows_where_it_is_wrong() {
        assert_eq!(painted("[\"SET\",\"k\",12]"), "[^[38;5;28m\"SET\"^,^[38;5;28m\"k\"^,^[35m12^]");
        assert_eq!(
            painted("[\"SET\",{\"base64\":\"AA==\"}]"),
            "[^[38;5;28m\"SET\"^,{^[38;5;30m\"base64\"^:^[38;5;28m\"AA==\"^}]"
        );
        assert_eq!(painted("[\"SET\",\"k"), "[^[38;5;28m\"SET\"^,^[38;5;28m\"k^");
        assert_eq!(painted("[\"SET\","), "[^[38;5;28m\"SET\"^,");
        assert_eq!(painted("[\"SET\" 1]"), "[^[38;5;28m\"SET\"^ ^[38;5;167m1]^");
        assert_eq!(painted("[\"SET\",null]"), "[^[38;5;28m\"SET\"^,^[38;5;167mnull]^");
        assert_eq!(painted("[\"ü\",{\"b\":1}]"), "[^[38;5;28m\"ü\"^,{^[38;5;167m\"b\":1}]^");
        assert_eq!(painted("[\"AUTH\",\"pw\"]"), "[\"AUTH\",\"pw\"]");
    }

    #[test]
    fn secrets_have_no_colour() {
        assert_eq!(painted("AUTH 123"), "AUTH 123");
        assert_eq!(painted("AUTH"), "^[1;38;5;32mAUTH^");
    }

    #[test]
    fn json_has_colours_and_nothing_else_changes() {
        let line = "{\"a\":null,\"b\\\"\":[-1.5e+3,\"x\"]}\n";
        let mut plain = highlight_json(line, Colors(true)).into_owned();
        assert!(plain.starts_with("{\x1b[38;5;30m\"a\"\x1b[0m:\x1b[38;5;244mnull\x1b[0m,"), "{plain:?}");
        assert!(plain.contains("[\x1b[35m-1.5e+3\x1b[0m,\x1b[38;5;28m\"x\"\x1b[0m]"), "{plain:?}");
        for code in ["38;5;30", "38;5;244", "35", "38;5;28", "0"] {
            plain = plain.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(plain, line);
        assert_eq!(highlight_json(line, Colors(false)), line);
    }
}
