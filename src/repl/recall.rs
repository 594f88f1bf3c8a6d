//! Lines that were typed before, as the editor asks for them: Ctrl-R finds them in any case, Up and Down those that
//! begin as the line does. Files are `history`'s business.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustyline::history::{History, SearchDirection, SearchResult};
use rustyline::{Cmd, ConditionalEventHandler, Event, EventContext, RepeatCount, Result};

use super::history::KEPT;

/// The lines, and where somebody is who walks through them.
#[derive(Debug, Default)]
struct Inner {
    /// The oldest first.
    lines: VecDeque<String>,
    /// What was typed before the walk: the lines that begin so are walked through.
    typed: String,
    /// The line that was given last.
    given: Option<String>,
}

/// The lines, shared by the editor and by the keys that walk through them.
#[derive(Debug, Default)]
pub struct Recall(Arc<Mutex<Inner>>);

impl Recall {
    /// What is asked at Up and Down, before the editor walks.
    pub fn walker(&self) -> Box<dyn ConditionalEventHandler> {
        Box::new(Walker(Arc::clone(&self.0)))
    }

    /// Begins a new line.
    pub fn begin_line(&self) {
        let mut inner = lock(&self.0);
        (inner.typed, inner.given) = (String::new(), None);
    }

    /// The last lines with their numbers, the oldest first.
    pub fn last(&self, count: usize) -> Vec<(usize, String)> {
        let lines = &lock(&self.0).lines;
        let from = lines.len().saturating_sub(count);
        lines.iter().enumerate().skip(from).map(|(at, line)| (at + 1, line.clone())).collect()
    }
}

/// Searches from a place on.
fn find(
    inner: &Inner,
    start: usize,
    dir: SearchDirection,
    test: impl Fn(&str) -> Option<usize>,
) -> Option<SearchResult<'static>> {
    let found = |at: usize| {
        let entry = inner.lines.get(at)?;
        Some(SearchResult { pos: test(entry)?, entry: Cow::Owned(entry.clone()), idx: at })
    };
    match dir {
        SearchDirection::Forward => (start..inner.lines.len()).find_map(found),
        SearchDirection::Reverse => (0..inner.lines.len().min(start.saturating_add(1))).rev().find_map(found),
    }
}

impl History for Recall {
    /// The next line that begins as what was typed; behind the newest stands what was typed itself.
    fn get(&self, index: usize, dir: SearchDirection) -> Result<Option<SearchResult<'_>>> {
        let mut inner = lock(&self.0);
        let is_other = |entry: &str| inner.given.as_ref().map_or(inner.typed != entry, |given| given != entry);
        let mut found =
            find(&inner, index, dir, |entry| (entry.starts_with(&inner.typed) && is_other(entry)).then_some(0));
        if found.is_none() && dir == SearchDirection::Forward {
            found = Some(SearchResult { entry: Cow::Owned(inner.typed.clone()), idx: inner.lines.len(), pos: 0 });
        }
        if let Some(found) = &found {
            inner.given = Some(found.entry.clone().into_owned());
        }
        Ok(found)
    }

    fn add(&mut self, line: &str) -> Result<bool> {
        self.add_owned(line.to_owned())
    }

    /// Not what begins with a blank, and nothing twice running.
    fn add_owned(&mut self, line: String) -> Result<bool> {
        let lines = &mut lock(&self.0).lines;
        if line.is_empty() || line.starts_with(char::is_whitespace) || lines.back() == Some(&line) {
            return Ok(false);
        }
        if lines.len() >= KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
        Ok(true)
    }

    fn len(&self) -> usize {
        lock(&self.0).lines.len()
    }

    fn is_empty(&self) -> bool {
        lock(&self.0).lines.is_empty()
    }

    fn set_max_len(&mut self, _: usize) -> Result<()> {
        Ok(())
    }

    fn ignore_dups(&mut self, _: bool) -> Result<()> {
        Ok(())
    }

    fn ignore_space(&mut self, _: bool) {}

    fn save(&mut self, _: &Path) -> Result<()> {
        Ok(())
    }

    fn append(&mut self, _: &Path) -> Result<()> {
        Ok(())
    }

    fn load(&mut self, _: &Path) -> Result<()> {
        Ok(())
    }

    fn clear(&mut self) -> Result<()> {
        lock(&self.0).lines.clear();
        Ok(())
    }

    fn search(&self, term: &str, start: usize, dir: SearchDirection) -> Result<Option<SearchResult<'_>>> {
        Ok(find(&lock(&self.0), start, dir, |entry| find_in_any_case(entry, term)))
    }

    fn starts_with(&self, term: &str, start: usize, dir: SearchDirection) -> Result<Option<SearchResult<'_>>> {
        Ok(find(&lock(&self.0), start, dir, |entry| entry.starts_with(term).then_some(term.len())))
    }
}

/// Where a text holds another, whatever is capital.
fn find_in_any_case(text: &str, term: &str) -> Option<usize> {
    let lower = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<String>();
    let term = lower(term);
    // A letter's other case may have another length, so each place is tried by itself.
    text.char_indices().map(|(at, _)| at).find(|at| lower(&text[*at..]).starts_with(&term))
}

/// Up, Down, Ctrl-P or Ctrl-N: a walk begins where the line is none that a walk gave. The editor does the rest.
struct Walker(Arc<Mutex<Inner>>);

impl ConditionalEventHandler for Walker {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        let mut inner = lock(&self.0);
        if inner.given.as_deref() != Some(context.line()) {
            (inner.typed, inner.given) = (context.line().to_owned(), None);
        }
        None
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_search_finds_any_case_in_both_directions() {
        let mut recall = Recall::default();
        for line in ["SET a 1", "get A", "SET a 1", " SET secret x", "İstanbul get"] {
            recall.add(line).unwrap();
        }
        assert_eq!(recall.len(), 4);
        let found = |term: &str, start: usize, dir| recall.search(term, start, dir).unwrap().map(|f| (f.idx, f.pos));
        assert_eq!(found("GET", 3, SearchDirection::Reverse), Some((3, 10)));
        assert_eq!(found("GET", 2, SearchDirection::Reverse), Some((1, 0)));
        assert_eq!(found("set", 0, SearchDirection::Forward), Some((0, 0)));
        assert_eq!(found("set", 1, SearchDirection::Forward), Some((2, 0)));
        assert_eq!(found("nosuch", 3, SearchDirection::Reverse), None);
    }
}
