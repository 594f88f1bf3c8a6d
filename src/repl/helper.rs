//! Joins the line editor to completion, hints, colours, and the parser that says whether a line is complete.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::history::SearchDirection;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Result};

use super::complete::{Known, complete, list};
use super::highlight::highlight;
use super::hints::hint;
use super::keys::Pressed;
use super::readable::cut;
use super::recall::LONGEST_SHOWN;
use super::screen::{self, columns};
use super::suggestions::Lookup;
use super::tokens::{after_count, numbered, open_quote};
use crate::color::Colors;
use crate::signal;
use crate::text::{is_unprintable, width};

/// What rustyline asks about the line.
pub struct LineHelper {
    /// Who knows the server's words.
    pub lookup: Lookup,
    /// Whether there are colours.
    pub colors: Colors,
    /// The prompt, without escape sequences.
    pub prompt: String,
    /// Whether there are no hints.
    pub hides_hints: bool,
    /// Words that stand for the beginning of a line, and views in the background.
    pub known: Known,
    /// Whether a question is being answered, and no command typed.
    pub is_asking: bool,
    /// What keys left behind.
    pub pressed: Arc<Pressed>,
    /// How wide the terminal was when the line was drawn.
    pub drawn_at: Cell<usize>,
    /// Whether the line is drawn next for a list to be written below it.
    pub is_listing: Cell<bool>,
}

/// What stands behind the cursor.
#[derive(Debug)]
pub struct Shown {
    text: String,
    /// What Right and End insert: the rest of a line of the history. Syntax is never inserted.
    rest: Option<String>,
}

impl Hint for Shown {
    fn display(&self) -> &str {
        &self.text
    }

    fn completion(&self) -> Option<&str> {
        self.rest.as_deref()
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
        let rows = screen::size().map_or(24, |(rows, _)| rows);
        let pairs = list::pairs(&offer, &line[offer.start..pos], columns(), rows);
        if let [first, _, ..] = pairs.as_slice()
            && pos == line.len()
        {
            self.make_room_for_list(first.replacement.len() > pos - offer.start);
        }
        Ok((offer.start, pairs))
    }
}

impl Hinter for LineHelper {
    type Hint = Shown;

    fn hint(&self, line: &str, pos: usize, context: &Context<'_>) -> Option<Shown> {
        self.lookup.heed(&line[..pos]);
        self.keep_rows_above(line, pos);
        if self.pressed.is_at_newest.swap(false, Relaxed) {
            return self.shown("  (nothing is newer; Ctrl-R searches back)", line, None);
        }
        if self.is_listing.take() || self.is_asking || self.hides_hints || pos < line.len() || line.contains('\n') {
            return None;
        }
        let typed = || newest(line, context).and_then(|rest| self.shown(&one_row(&rest), line, Some(rest)));
        let syntax = || hint(line, &self.lookup.table()).and_then(|text| self.shown(&text, line, None));
        // While the command's name is typed a whole line says more than the syntax.
        if is_name(line) { typed().or_else(syntax) } else { syntax().or_else(typed) }
    }
}

impl LineHelper {
    /// Before a list of candidates is written, and the line drawn again below it: what stands behind the cursor would stay
    /// above the list. The editor draws the line once more above it where something `is_inserted`.
    fn make_room_for_list(&self, is_inserted: bool) {
        self.is_listing.set(is_inserted);
        let _ = screen::print("\x1b[K");
    }

    /// Before the line is drawn again on a terminal of another width. The editor clears as many rows above the cursor as
    /// the line had before. Most terminals have broken the line anew by then, and if it has fewer rows now, the others are
    /// of what was printed above it. So the cursor goes down by as many first; a terminal that breaks no lines anew keeps
    /// a row of the old line then, which is the lesser evil. Where fewer rows are cleared than the line has now, they stay
    /// for the same reason.
    fn keep_rows_above(&self, line: &str, pos: usize) {
        let columns = columns();
        let before = self.drawn_at.replace(columns);
        if before == columns {
            return;
        }
        let typed = format!("{}{}", self.prompt, visible(&line[..pos]));
        let line = format!("{}{}", self.prompt, visible(line));
        let row_of = |text: &str, columns| place_behind(text, 0, columns).0;
        let (cursor, end) = (row_of(&typed, before), row_of(&line, before));
        let gone = cursor.saturating_sub(row_of(&typed, columns));
        let below = end - cursor;
        let mut moves = "\n".repeat(gone + below);
        if below > 0 {
            let _ = write!(moves, "\x1b[{below}A");
        }
        let _ = screen::print(moves);
    }

    /// This text behind the line, as far as there is room for it.
    fn shown(&self, text: &str, line: &str, rest: Option<String>) -> Option<Shown> {
        let columns = columns();
        let (_, begin) = place_behind(&self.prompt, 0, columns);
        let (_, used) = place_behind(&visible(line), begin, columns);
        Some(Shown { text: fit(text, used, columns)?, rest })
    }
}

/// Whether a line is nothing yet but the beginning of a command's name.
fn is_name(line: &str) -> bool {
    !after_count(line).trim_start().contains(char::is_whitespace)
}

/// How the newest line of the history goes on that begins so.
fn newest(line: &str, context: &Context<'_>) -> Option<String> {
    if line.trim().is_empty() || line.len() > LONGEST_SHOWN {
        return None;
    }
    let found = context.history().starts_with(line, usize::MAX - 1, SearchDirection::Reverse).ok()??;
    found.entry.get(line.len()..).map(str::to_owned)
}

/// A text as it can stand in one row.
fn one_row(text: &str) -> String {
    match text.split_once('\n') {
        Some((first, _)) => format!("{}...", visible(first).replace('\t', " ")),
        None => visible(text).replace('\t', " "),
    }
}

impl Highlighter for LineHelper {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        let line = visible(line);
        // A pasted text is several commands: the first one's colours would not fit the others.
        if self.is_asking || !self.colors.0 || line.contains('\n') && numbered(&line).len() > 1 {
            return line;
        }
        Cow::Owned(highlight(&line, &self.lookup.table(), &self.known.aliases, self.colors))
    }

    /// The editor calls every search one that goes back.
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, is_own: bool) -> Cow<'b, str> {
        if is_own || !self.pressed.is_forward.load(Relaxed) {
            return Cow::Borrowed(prompt);
        }
        Cow::Owned(prompt.replacen("reverse-i-search", "forward-i-search", 1))
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        self.colors.paint_hint(hint)
    }

    fn highlight_char(&self, line: &str, _: usize, kind: CmdKind) -> bool {
        kind != CmdKind::MoveCursor && (self.colors.0 || matches!(visible(line), Cow::Owned(_)))
    }
}

impl Validator for LineHelper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> Result<ValidationResult> {
        let is_open = |(_, last): &(usize, String)| open_quote(None, last).is_some();
        if !self.is_asking && numbered(context.input()).last().is_some_and(is_open) {
            return Ok(ValidationResult::Incomplete);
        }
        // What came while the line was typed is not meant for it. Once the terminal is not raw any more, Ctrl-C is.
        signal::forget_ctrl_c();
        Ok(ValidationResult::Valid(None))
    }
}

/// A line as the editor may draw it. What was pasted, or stands in a history file, may hold what would drive the
/// terminal; it is left out here, since the editor counts no column for it.
fn visible(line: &str) -> Cow<'_, str> {
    let is_hidden = |c: char| is_unprintable(c) && !matches!(c, '\n' | '\t');
    if line.contains(is_hidden) { Cow::Owned(line.replace(is_hidden, "")) } else { Cow::Borrowed(line) }
}

/// In which row and column the cursor stands behind a text that begins in this column: wide characters take two, and one
/// that does not fit the row begins the next.
fn place_behind(text: &str, from: usize, columns: usize) -> (usize, usize) {
    const TAB: usize = 8;
    let (mut row, mut column) = (0, from);
    for c in text.chars() {
        let taken = match c {
            '\n' => {
                (row, column) = (row + 1, 0);
                continue;
            }
            '\t' => TAB - column % TAB,
            c => width(c.encode_utf8(&mut [0; 4])),
        };
        column += taken;
        if column > columns {
            (row, column) = (row + 1, taken);
        }
    }
    if column >= columns { (row + 1, 0) } else { (row, column) }
}

/// The hint, cut to what is left of the row: it must not push the line about. None where hardly any row is left.
fn fit(text: &str, used: usize, columns: usize) -> Option<String> {
    const LEAST: usize = 6;
    let left = columns.saturating_sub(used + 1);
    (width(text) <= left || left >= LEAST).then(|| cut(text, left))
}

#[cfg(test)]
mod tests {
    use super::{fit, place_behind};

    #[test]
    fn a_hint_stays_in_its_row() {
        assert_eq!(fit(" key value", 10, 40).as_deref(), Some(" key value"));
        assert_eq!(fit(" key value [NX | XX]", 30, 40).as_deref(), Some(" key v..."));
        assert_eq!(fit(" key value", 36, 40), None);
        assert_eq!(fit(" key", 2, 40).as_deref(), Some(" key"));
        assert_eq!(fit("世界世界世界", 30, 40).as_deref(), Some("世界世..."));
        assert_eq!(fit("世界世界世界", 29, 40).as_deref(), Some("世界世..."));
    }

    #[test]
    fn wide_characters_take_two_columns_and_are_not_cut_at_the_end_of_a_row() {
        assert_eq!(place_behind("GET 世界", 17, 40).1, 25);
        assert_eq!(place_behind("世界世界世界", 29, 40).1, 2);
        assert_eq!(place_behind("abc", 37, 40).1, 0);
        assert_eq!(place_behind("abcd", 37, 40).1, 1);
        assert_eq!(place_behind("a\tb", 0, 40).1, 9);
        assert_eq!(place_behind("a\nbc", 30, 40).1, 2);
    }
}
