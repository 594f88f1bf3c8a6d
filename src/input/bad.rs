//! What is said of input that cannot be understood: the reason, and the line with a caret under the place.

use super::text::Malformed;
use crate::command::request::secrets;
use crate::exit::Failure;
use crate::text::{Escape, escape, width};

/// One line, or one RESP command, that cannot be understood.
#[derive(Debug)]
pub struct BadInput {
    /// `FILE:LINE: reason`, and perhaps the line with a caret under the place.
    failure: Failure,
    /// Whether the next line can be looked at all the same: not so in RESP, where the place of the next command is unknown.
    pub recoverable: bool,
}

impl From<BadInput> for Failure {
    fn from(bad: BadInput) -> Self {
        bad.failure
    }
}

/// Nothing can be read behind it.
impl From<Failure> for BadInput {
    fn from(failure: Failure) -> Self {
        Self { failure, recoverable: false }
    }
}

impl BadInput {
    /// Nothing of it can be pointed at.
    pub fn new(message: String, recoverable: bool) -> Self {
        Self { failure: Failure::usage(message), recoverable }
    }

    /// A line that cannot be parsed; `place` is `FILE:LINE`.
    pub(super) fn at(place: &str, line: &[u8], malformed: &Malformed) -> Self {
        let (reason, pointer) = describe_bad(line, line, malformed);
        Self { failure: Failure::usage(format!("{place}: {reason}")).pointing(pointer), recoverable: true }
    }
}

/// Why input in this encoding is not read.
pub(super) fn refuse_encoding(encoding: &str) -> String {
    format!("the input is in {encoding}: convert it first, as iconv -f {encoding} -t UTF-8 does")
}

/// What is wrong with a line, or with an argument of the command that begins with `name`, and the line with a caret
/// under the place. Where a password may stand there, nothing is shown but the command's name.
pub fn describe_bad(name: &[u8], line: &[u8], malformed: &Malformed) -> (String, Option<String>) {
    let Malformed { reason, detail, at } = malformed;
    match (secrets::shown_bad(name), detail) {
        (Some(shown), _) => (format!("{reason}: {shown}"), None),
        (None, Some(detail)) => (format!("{reason}: {detail}"), Some(point_at(line, *at))),
        (None, None) => ((*reason).to_owned(), Some(point_at(line, *at))),
    }
}

/// The line, cut to a window around the byte `at`, and a caret under it.
fn point_at(line: &[u8], at: usize) -> String {
    const WINDOW: usize = 60;
    let at = at.min(line.len());
    let from = at.saturating_sub(WINDOW);
    let to = line.len().min(at + WINDOW / 3);
    let (mut before, mut after) = (String::new(), String::new());
    if from > 0 {
        before.push_str("...");
    }
    escape(&line[from..at], Escape::Line, &mut before);
    escape(&line[at..to], Escape::Line, &mut after);
    if to < line.len() {
        after.push_str("...");
    }
    format!("  {before}{after}\n  {}^", " ".repeat(width(&before)))
}
