//! Where a reply ends: finds the last byte of one RESP2 or RESP3 reply and builds nothing, resumable at any byte.
//!
//! What passes here is well-formed: a [`super::Frame`] over these bytes is read without checks. There is no limit on
//! the depth of nesting, for nothing is kept a level: one counter says how many elements are still to come.

use super::declared::{Declared, describe};
use super::header::{header, pass_usual};
use super::message::{BEGINNING, begins_as_usual};
use crate::memory::has_room;
use crate::{text, word};

/// So many bytes without the end of a line are no RESP.
const MAX_LINE: usize = 64 * 1024 * 1024;

/// A string of more bytes, or an aggregate of more elements, is to have room in memory before it comes.
const LARGE: usize = 64 * 1024;
/// The shortest element: `_` and CRLF.
const SHORTEST: u64 = 3;

/// How far one reply was looked at. The bytes are the caller's: each call gets all of them, from the reply's first.
#[derive(Debug)]
pub struct Framer {
    /// Where the next element begins.
    at: usize,
    /// The elements still to come, the reply itself at first.
    left: u64,
    /// Where the string that is passed over ends, its CRLF included; 0 where there is none.
    body_end: usize,
    /// How many bytes of an unended line, from `at` on, were searched for its end.
    searched: usize,
    /// Whether the string that is passed over is to begin with its format.
    is_verbatim: bool,
    /// What was declared last that is large.
    large: Option<Declared>,
    /// How many bytes the errors have that stand in it, one more for each.
    errors: usize,
}

impl Default for Framer {
    fn default() -> Self {
        Self { at: 0, left: 1, body_end: 0, searched: 0, is_verbatim: false, large: None, errors: 0 }
    }
}

impl Framer {
    /// Looks on in `bytes`, which begin where the reply does. Its length, once it is whole; the framer is then ready
    /// for the next one. The error says in words what is wrong with them, or that memory has no room for them.
    #[inline]
    pub fn find_end(&mut self, bytes: &[u8]) -> Result<Option<Found>, String> {
        if self.at == 0
            && let Some(length) = self.find_end_at_once(bytes)
        {
            self.searched = 0;
            return Ok(Some(Found { length, errors: 0 }));
        }
        self.look_on(bytes)
    }

    /// The length of a reply that is told at once, as most are; none of others, of which the beginning may be passed.
    #[inline]
    fn find_end_at_once(&mut self, bytes: &[u8]) -> Option<usize> {
        match bytes.first()? {
            // Most replies of a bulk load, and every line of MONITOR.
            b'+' if bytes.starts_with(b"+OK\r\n") => Some(5),
            b'+' => {
                let end = self.searched + word::find(b'\n', bytes.get(self.searched..)?)?;
                bytes[..end].ends_with(b"\r").then_some(end + 1)
            }
            b'$' | b':' => pass_usual(bytes).map(|behind| bytes.len() - behind.len()),
            // Most of what a subscription hears: its channel and its payload are still to come.
            _ if begins_as_usual(bytes) => {
                (self.at, self.left, self.searched) = (BEGINNING, 2, 0);
                None
            }
            _ => None,
        }
    }

    fn look_on(&mut self, bytes: &[u8]) -> Result<Option<Found>, String> {
        while self.left > 0 {
            let has_more = if self.body_end > 0 {
                self.end_body(bytes)?
            } else {
                self.pass_usual(bytes) || self.begin_small(bytes) || self.element(bytes)?
            };
            if !has_more {
                return Ok(None);
            }
        }
        let found = Found { length: self.at, errors: self.errors };
        *self = Self::default();
        Ok(Some(found))
    }

    /// Passes over what most elements are: short strings that are wholly there, and integers. False where there is none.
    #[inline]
    fn pass_usual(&mut self, bytes: &[u8]) -> bool {
        let Some(mut rest) = bytes.get(self.at..) else { return false };
        let mut left = self.left;
        while left > 0
            && let Some(behind) = pass_usual(rest)
        {
            rest = behind;
            left -= 1;
        }
        if left == self.left {
            return false;
        }
        (self.at, self.left, self.searched) = (bytes.len() - rest.len(), left, 0);
        true
    }

    /// Begins an aggregate of few elements, as messages are; false where something else comes.
    #[inline]
    fn begin_small(&mut self, bytes: &[u8]) -> bool {
        const FEW: usize = 99;
        let (count, used) = match header(bytes.get(self.at..).unwrap_or_default()) {
            Some((b'*' | b'>' | b'~', count @ 0..=FEW, used)) => (count, used),
            Some((b'%', count @ 0..=FEW, used)) => (2 * count, used),
            _ => return false,
        };
        let Some(left) = (self.left - 1).checked_add(count as u64) else { return false };
        self.at += used;
        self.searched = 0;
        self.left = left;
        true
    }

    /// Passes over the end of a string; false where it is not there yet.
    fn end_body(&mut self, bytes: &[u8]) -> Result<bool, String> {
        let Some(ending) = bytes.get(self.body_end - 2..self.body_end) else { return Ok(false) };
        if ending != b"\r\n" {
            return Err("a string is longer than was declared".to_owned());
        }
        if std::mem::take(&mut self.is_verbatim) && bytes.get(self.at + 3) != Some(&b':') {
            return Err(no_format());
        }
        self.at = self.body_end;
        self.body_end = 0;
        self.left -= 1;
        Ok(true)
    }

    /// How many bytes the reply has at least, as far as it has told.
    pub fn least(&self) -> usize {
        let (at, left) = if self.body_end > 0 { (self.body_end, self.left - 1) } else { (self.at, self.left) };
        usize::try_from(left.saturating_mul(SHORTEST)).unwrap_or(usize::MAX).saturating_add(at)
    }

    /// What memory has no room for, in words: the large part that was declared last and the whole reply, or a line.
    pub fn describe_no_room(&self, bytes: &[u8]) -> String {
        if self.searched > LARGE {
            return format!("memory has no room for a line of more than {} bytes", self.searched);
        }
        describe(bytes, self.large)
    }

    /// Passes over the line of one element; false where its end is not there yet.
    fn element(&mut self, bytes: &[u8]) -> Result<bool, String> {
        let waiting = bytes.get(self.at..).unwrap_or_default();
        if let Some((mark, length, used)) = header(waiting) {
            self.searched = 0;
            self.at += used;
            return self.begin(mark, length, bytes).map(|()| true);
        }
        let Some(end) = word::find(b'\n', waiting.get(self.searched..).unwrap_or_default()) else {
            self.searched = waiting.len();
            return check_unended(waiting).map(|()| false);
        };
        let end = self.searched + end;
        self.searched = 0;
        let [mark, line @ .., b'\r'] = &waiting[..end] else {
            let shown = waiting[..end.min(40)].escape_ascii();
            return Err(format!("'{shown}' is no line of RESP"));
        };
        self.at += end + 1;
        match mark {
            b'+' | b'(' => {}
            b'-' => self.errors += 1 + line.len(),
            b':' => check_integer(line)?,
            b'$' | b'=' | b'!' | b'*' | b'~' | b'>' | b'%' | b'|' => {
                match read_length(line, *mark)? {
                    Some(length) => self.begin(*mark, length, bytes)?,
                    None => self.left -= 1,
                }
                return Ok(true);
            }
            b'_' if line.is_empty() => {}
            b'#' if matches!(line, b"t" | b"f") => {}
            b',' if text::number::<f64>(line).is_some() => {}
            b',' => return Err(no(line, "double")),
            b'_' => return Err(no(line, "nil")),
            b'#' => return Err(no(line, "boolean")),
            other => return Err(unknown_mark(*other)),
        }
        self.left -= 1;
        Ok(true)
    }

    /// Begins a string or an aggregate of this length.
    #[inline]
    fn begin(&mut self, mark: u8, length: usize, bytes: &[u8]) -> Result<(), String> {
        let count = length as u64;
        let more = match mark {
            b'$' | b'=' | b'!' => {
                if mark == b'=' {
                    if length < 4 {
                        return Err(no_format());
                    }
                    self.is_verbatim = true;
                }
                if mark == b'!' {
                    self.errors = self.errors.saturating_add(length).saturating_add(1);
                }
                self.body_end = length.checked_add(self.at + 2).ok_or_else(|| impossible(length))?;
                return if length > LARGE { self.check_room(mark, length, bytes) } else { Ok(()) };
            }
            b'%' => count.checked_mul(2),
            // Its pairs, then the element that it belongs to.
            b'|' => count.checked_mul(2).and_then(|count| count.checked_add(1)),
            _ => Some(count),
        };
        let left = more.and_then(|more| (self.left - 1).checked_add(more));
        self.left = left.ok_or_else(|| impossible(length))?;
        if length > LARGE { self.check_room(mark, length, bytes) } else { Ok(()) }
    }

    /// Whether there is room for all that is now known to come. What was not declared yet is the buffer's to ask for.
    #[cold]
    fn check_room(&mut self, mark: u8, length: usize, bytes: &[u8]) -> Result<(), String> {
        self.large = Some(Declared { mark, length });
        if has_room(self.least().saturating_sub(bytes.len())) {
            return Ok(());
        }
        Err(self.describe_no_room(bytes))
    }
}

/// A whole reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// How many bytes it has.
    pub length: usize,
    /// How many bytes the errors have that stand in it, at any depth, one more for each; 0 where there is none.
    pub errors: usize,
}

impl Found {
    pub fn has_error(&self) -> bool {
        self.errors > 0
    }

    /// Whether there is room to tell of its errors: their words, escaped, in a message and in what is written of it.
    pub fn can_be_told(&self) -> bool {
        const COPIES: usize = 8;
        self.errors <= LARGE || has_room(self.errors.saturating_mul(COPIES))
    }
}

const MARKS: &[u8] = b"+-:$*_#,(!=%~|>";

/// What has no line end yet must look like a reply all the same.
fn check_unended(waiting: &[u8]) -> Result<(), String> {
    match waiting.first() {
        Some(mark) if !MARKS.contains(mark) => Err(unknown_mark(*mark)),
        _ if waiting.len() >= MAX_LINE => Err("a line does not end".to_owned()),
        _ => Ok(()),
    }
}

/// A declared length; -1 is RESP2's nil.
pub(super) fn read_length(line: &[u8], mark: u8) -> Result<Option<usize>, String> {
    if line == b"-1" && matches!(mark, b'$' | b'*') {
        return Ok(None);
    }
    if !(1..20).contains(&line.len()) || !line.iter().all(u8::is_ascii_digit) {
        return Err(no(line, "length"));
    }
    // One that is no number here is larger than memory.
    Ok(Some(text::number(line).unwrap_or(usize::MAX)))
}

fn check_integer(line: &[u8]) -> Result<(), String> {
    let digits = line.strip_prefix(b"-").unwrap_or(line);
    // Fewer digits than the largest has need no parsing.
    let is_small = (1..=18).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    if is_small || text::number::<i64>(line).is_some() { Ok(()) } else { Err(no(line, "integer")) }
}

fn no(line: &[u8], what: &str) -> String {
    format!("'{}' is no {what}", line[..line.len().min(40)].escape_ascii())
}

fn no_format() -> String {
    "a verbatim string has no format".to_owned()
}

fn impossible(length: usize) -> String {
    format!("a length of {length} is impossible")
}

fn unknown_mark(mark: u8) -> String {
    format!("'{}' begins no reply", mark.escape_ascii())
}
