//! Lines that were typed before, as the editor asks for them: Ctrl-R finds them in any case, Up and Down those that
//! begin as the line does, and the newest of these is shown behind the cursor. Files are `history`'s business, keys
//! `keys`'.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustyline::Result;
use rustyline::history::{History, SearchDirection, SearchResult};

use super::history::KEPT;
use super::lock;
use super::tokens::holds_secret;

/// The longest line that is shown behind the cursor, or looked for there, in bytes: more than a screen holds.
pub const LONGEST_SHOWN: usize = 8192;

/// The lines, and where somebody is who walks through them.
#[derive(Debug, Default)]
struct Inner {
    /// The oldest first.
    lines: VecDeque<String>,
    /// What was typed before the walk: the lines that begin so are walked through.
    typed: String,
    /// The line that was given last, and where it stands.
    given: Option<(usize, String)>,
    /// The newest line that went on behind the text that was asked for last. What goes on behind a longer text is no
    /// newer than that, so that a line is looked for once while it is typed, not once a key.
    newest: Option<(String, Option<usize>)>,
    /// From where on a search goes forward that the editor begins at the newest line, and backward.
    forward: Option<usize>,
}

impl Inner {
    /// Where the newest line stands that begins with this text and goes on. One that may hold a password is none.
    fn newest(&mut self, typed: &str) -> Option<usize> {
        let last = self.lines.len().checked_sub(1)?;
        let from = match &self.newest {
            Some((before, at)) if typed.starts_with(before) => (*at)?,
            _ => last,
        };
        let goes_on = |at: &usize| {
            let line = &self.lines[*at];
            line.len() > typed.len() && line.starts_with(typed) && line.len() <= LONGEST_SHOWN && !holds_secret(line)
        };
        let found = (0..=from.min(last)).rev().find(goes_on);
        self.newest = Some((typed.to_owned(), found));
        found
    }
}

/// The lines, shared by the editor and by the keys that walk through them.
#[derive(Clone, Debug, Default)]
pub struct Recall(Arc<Mutex<Inner>>);

impl Recall {
    /// A walk begins where this line is none that a walk gave: the lines that begin so are walked through.
    pub fn walk_from(&self, line: &str) {
        let mut inner = lock(&self.0);
        if inner.given.as_ref().is_none_or(|(_, given)| given != line) {
            (inner.typed, inner.given) = (line.to_owned(), None);
        }
    }

    /// Has the search that begins now go forward, from behind the line that a walk gave; whether any line is newer.
    pub fn search_forward(&self, line: &str) -> bool {
        let mut inner = lock(&self.0);
        let behind = inner.given.as_ref().filter(|(_, given)| given == line).map(|(at, _)| at + 1);
        inner.forward = behind.filter(|at| *at < inner.lines.len());
        inner.forward.is_some()
    }

    /// Has the search that begins now, or goes on, go backward.
    pub fn search_backward(&self) {
        lock(&self.0).forward = None;
    }

    /// Begins a new line.
    pub fn begin_line(&self) {
        let mut inner = lock(&self.0);
        (inner.typed, inner.given, inner.forward) = (String::new(), None, None);
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
        let is_other = |entry: &str| inner.given.as_ref().map_or(inner.typed != entry, |(_, given)| given != entry);
        let mut found =
            find(&inner, index, dir, |entry| (entry.starts_with(&inner.typed) && is_other(entry)).then_some(0));
        if found.is_none() && dir == SearchDirection::Forward {
            found = Some(SearchResult { entry: Cow::Owned(inner.typed.clone()), idx: inner.lines.len(), pos: 0 });
        }
        if let Some(found) = &found {
            inner.given = Some((found.idx, found.entry.clone().into_owned()));
        }
        Ok(found)
    }

    fn add(&mut self, line: &str) -> Result<bool> {
        self.add_owned(line.to_owned())
    }

    /// Not what begins with a blank, and nothing twice running.
    fn add_owned(&mut self, line: String) -> Result<bool> {
        let inner = &mut *lock(&self.0);
        let lines = &mut inner.lines;
        if line.is_empty() || line.starts_with(char::is_whitespace) || lines.back() == Some(&line) {
            return Ok(false);
        }
        if lines.len() >= KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
        inner.newest = None;
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
        *lock(&self.0) = Inner::default();
        Ok(())
    }

    fn search(&self, term: &str, start: usize, dir: SearchDirection) -> Result<Option<SearchResult<'_>>> {
        let inner = &mut *lock(&self.0);
        let (start, dir) = match inner.forward {
            Some(at) if dir == SearchDirection::Reverse => (at, SearchDirection::Forward),
            _ => (start, dir),
        };
        let found = find(inner, start, dir, |entry| find_in_any_case(entry, term));
        if let (Some(at), Some(found)) = (&mut inner.forward, &found) {
            *at = found.idx;
        }
        Ok(found)
    }

    /// From the newest line on backward this is what is shown behind the cursor.
    fn starts_with(&self, term: &str, start: usize, dir: SearchDirection) -> Result<Option<SearchResult<'_>>> {
        let inner = &mut *lock(&self.0);
        if dir == SearchDirection::Reverse && start + 1 >= inner.lines.len() {
            let found = inner.newest(term);
            return Ok(found.map(|at| SearchResult {
                entry: Cow::Owned(inner.lines[at].clone()),
                idx: at,
                pos: term.len(),
            }));
        }
        Ok(find(inner, start, dir, |entry| entry.starts_with(term).then_some(term.len())))
    }
}

/// Where a text holds another, whatever is capital.
fn find_in_any_case(text: &str, term: &str) -> Option<usize> {
    if text.is_ascii() && term.is_ascii() && !term.is_empty() {
        return text.as_bytes().windows(term.len()).position(|part| part.eq_ignore_ascii_case(term.as_bytes()));
    }
    let term: Vec<char> = term.chars().flat_map(char::to_lowercase).collect();
    // A letter's other case may have another length, so each place is tried by itself.
    text.char_indices().map(|(at, _)| at).find(|at| {
        let mut letters = text[*at..].chars().flat_map(char::to_lowercase);
        term.iter().all(|letter| letters.next() == Some(*letter))
    })
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

    fn newest(recall: &Recall, typed: &str) -> Option<String> {
        let found = recall.starts_with(typed, recall.len(), SearchDirection::Reverse).unwrap();
        found.map(|found| found.entry.into_owned())
    }

    #[test]
    fn the_newest_line_that_goes_on_is_found_whatever_was_asked_before() {
        let mut recall = Recall::default();
        assert_eq!(newest(&recall, "G"), None);
        for line in ["GET a", "GET apple", "GET b", "SET x 1", "auth secret", "GET"] {
            recall.add(line).unwrap();
        }
        for (typed, line) in [
            ("G", Some("GET")),
            ("GE", Some("GET")),
            ("GET", Some("GET b")),
            ("GET a", Some("GET apple")),
            ("GET ap", Some("GET apple")),
            ("GET apple", None),
            ("GET apples", None),
            ("GET", Some("GET b")),
            ("S", Some("SET x 1")),
            ("get", None),
            ("auth", None),
            ("GET x", None),
        ] {
            assert_eq!(newest(&recall, typed).as_deref(), line, "{typed}");
        }
        recall.add("GET xyz").unwrap();
        assert_eq!(newest(&recall, "GET x").as_deref(), Some("GET xyz"));
        recall.add(&format!("GET {}", "x".repeat(LONGEST_SHOWN))).unwrap();
        assert_eq!(newest(&recall, "GET x").as_deref(), Some("GET xyz"));
    }

    #[test]
    fn a_search_goes_forward_from_where_a_walk_is() {
        let mut recall = Recall::default();
        for line in ["GET a", "GET b", "GET c", "SET d"] {
            recall.add(line).unwrap();
        }
        let search = |term: &str| recall.search(term, 3, SearchDirection::Reverse).unwrap().map(|found| found.idx);
        assert!(!recall.search_forward("GET b"));
        recall.walk_from("");
        let walked = recall.get(1, SearchDirection::Reverse).unwrap().unwrap().entry.into_owned();
        assert!(recall.search_forward(&walked));
        assert_eq!((search("get"), search("set")), (Some(2), Some(3)));
        recall.search_backward();
        assert_eq!(search("get"), Some(2));
    }

    #[test]
    fn a_search_through_a_long_line_ends() {
        let mut recall = Recall::default();
        recall.add(&format!("SET ü {}", "x".repeat(3 << 20))).unwrap();
        assert!(recall.search("xy", 0, SearchDirection::Reverse).unwrap().is_none());
    }
}
