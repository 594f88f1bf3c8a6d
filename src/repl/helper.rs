//! Joins the line editor to completion, hints, colours, and the parser that says whether a line is complete.

use std::borrow::Cow;
use std::io;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Result};

use super::complete::{Known, complete, list};
use super::highlight::highlight;
use super::hints::hint;
use super::suggestions::Lookup;
use super::tokens::{commands, open_quote};
use crate::color::{Colors, Part};
use crate::text::is_unprintable;

/// What rustyline asks about the line.
pub struct LineHelper {
    /// Who knows the server's words.
    pub lookup: Lookup,
    /// Whether there are colours.
    pub colors: Colors,
    /// How many columns the prompt takes.
    pub prompt_width: usize,
    /// Whether there are no hints.
    pub hides_hints: bool,
    /// Words that stand for the beginning of a line, and views in the background.
    pub known: Known,
    /// Whether a question is being answered, and no command typed.
    pub is_asking: bool,
}

/// The rest of the syntax: shown, never inserted.
#[derive(Debug)]
pub struct SyntaxHint(String);

impl Hint for SyntaxHint {
    fn display(&self) -> &str {
        &self.0
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Helper for LineHelper {}

impl Completer for LineHelper {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> Result<(usize, Vec<Pair>)> {
        if self.is_asking || line[..pos].trim().is_empty() {
            return Ok((pos, Vec::new()));
        }
        self.lookup.heed(&line[..pos]);
        let ask = |question| self.lookup.ask(question);
        let offer = complete(&line[..pos], &self.lookup.table(), &self.known, &ask);
        let pairs = list::pairs(&offer, &line[offer.start..pos], columns(), rows());
        Ok((offer.start, pairs))
    }
}

impl Hinter for LineHelper {
    type Hint = SyntaxHint;

    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<SyntaxHint> {
        self.lookup.heed(&line[..pos]);
        if self.is_asking || self.hides_hints || pos < line.len() || line.contains('\n') {
            return None;
        }
        let text = hint(line, &self.lookup.table())?;
        fit(&text, self.prompt_width + line.chars().count(), columns()).map(SyntaxHint)
    }
}

impl Highlighter for LineHelper {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        let line = visible(line);
        // A pasted text is several commands: the first one's colours would not fit the others.
        if self.is_asking || !self.colors.0 || line.contains('\n') && commands(&line).len() > 1 {
            return line;
        }
        Cow::Owned(highlight(&line, &self.lookup.table(), &self.known.aliases, self.colors))
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        self.colors.paint(Part::Hint, hint)
    }

    fn highlight_char(&self, line: &str, _: usize, kind: CmdKind) -> bool {
        kind != CmdKind::MoveCursor && (self.colors.0 || matches!(visible(line), Cow::Owned(_)))
    }
}

impl Validator for LineHelper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> Result<ValidationResult> {
        let is_open =
            !self.is_asking && commands(context.input()).last().is_some_and(|last| open_quote(None, last).is_some());
        Ok(if is_open { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

/// A line as the editor may draw it. What was pasted, or stands in a history file, may hold what would drive the
/// terminal; it is left out here, since the editor counts no column for it.
fn visible(line: &str) -> Cow<'_, str> {
    let is_hidden = |c: char| is_unprintable(c) && !matches!(c, '\n' | '\t');
    if line.contains(is_hidden) { Cow::Owned(line.replace(is_hidden, "")) } else { Cow::Borrowed(line) }
}

/// How wide the terminal is.
pub fn columns() -> usize {
    rustix::termios::tcgetwinsize(io::stdout()).map_or(80, |size| match size.ws_col {
        0 => 80,
        columns => columns.into(),
    })
}

/// How high the terminal is.
fn rows() -> usize {
    rustix::termios::tcgetwinsize(io::stdout()).map_or(24, |size| match size.ws_row {
        0 => 24,
        rows => rows.into(),
    })
}

/// The hint, cut to what is left of the row: it must not push the line about. None where hardly any row is left.
fn fit(text: &str, used: usize, columns: usize) -> Option<String> {
    const LEAST: usize = 6;
    let left = columns.saturating_sub(used % columns.max(1) + 1);
    if text.chars().count() <= left {
        return Some(text.to_owned());
    }
    (left >= LEAST).then(|| text.chars().take(left - 3).chain("...".chars()).collect())
}

#[cfg(test)]
mod tests {
    use super::fit;

    #[test]
    fn a_hint_stays_in_its_row() {
        assert_eq!(fit(" key value", 10, 40).as_deref(), Some(" key value"));
        assert_eq!(fit(" key value [NX | XX]", 30, 40).as_deref(), Some(" key v..."));
        assert_eq!(fit(" key value", 36, 40), None);
        assert_eq!(fit(" key", 82, 40).as_deref(), Some(" key"));
    }
}
