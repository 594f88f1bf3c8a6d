//! The arguments of a line of MONITOR, as the server quotes them: where each stands, and the bytes that it had.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::word::{HIGH, ONES, all_same, first, same};

/// Quoted arguments in their line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Quoted<'a> {
    text: &'a [u8],
    /// Where each begins and ends, between its quotes. Those of most commands need no memory of their own.
    places: SmallVec<[(usize, usize); 8]>,
}

impl<'a> Quoted<'a> {
    /// Takes `CLIENT] "arg" "arg"` apart where all of it is printable ASCII with nothing escaped, and no quote stands in
    /// the client: so all the quotes are the arguments' own. The client and the arguments; none where anything else
    /// comes. All is looked at once, by eight bytes at a time.
    #[inline]
    pub(super) fn split_plain(text: &'a [u8]) -> Option<(&'a [u8], Self)> {
        let mut args = Plain { text, client: &[], places: SmallVec::new(), open: None, closed: None };
        let mut beyond = 0;
        let (words, rest) = text.as_chunks();
        for (index, word) in words.iter().enumerate() {
            let word = u64::from_le_bytes(*word);
            beyond |= beyond_plain(word);
            args.note_quotes(8 * index, word)?;
        }
        // The last bytes are looked at with blanks behind them.
        let mut last = [b' '; 8];
        last[..rest.len()].copy_from_slice(rest);
        let word = u64::from_le_bytes(last);
        beyond |= beyond_plain(word);
        args.note_quotes(text.len() - rest.len(), word)?;
        let Plain { client, places, open, closed, .. } = args;
        let is_whole = beyond & HIGH == 0 && open.is_none() && closed.is_some_and(|end| end + 1 == text.len());
        is_whole.then_some((client, Self { text, places }))
    }

    /// Takes `"arg" "arg"` apart; none if the text is anything else.
    pub(super) fn split(text: &'a [u8]) -> Option<Self> {
        let mut places = SmallVec::new();
        let mut start = 1;
        text.strip_prefix(b"\"")?;
        loop {
            let end = start + find_quote(text.get(start..)?)?;
            places.push((start, end));
            match text.get(end + 1..end + 3) {
                Some(b" \"") => start = end + 3,
                None if end + 1 == text.len() => return Some(Self { text, places }),
                _ => return None,
            }
        }
    }

    /// What stands between the quotes of each.
    #[inline]
    pub(super) fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        let text = self.text;
        self.places.iter().map(move |(start, end)| &text[*start..*end])
    }
}

/// `CLIENT] "arg" "arg"` while its quotes are found.
struct Plain<'a> {
    text: &'a [u8],
    client: &'a [u8],
    places: SmallVec<[(usize, usize); 8]>,
    /// Where the argument begins that is not closed yet.
    open: Option<usize>,
    /// Where the last one was closed.
    closed: Option<usize>,
}

impl Plain<'_> {
    /// Takes note of the quotes in the eight bytes behind so many; none where one stands in no place of a quote.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every eight bytes")]
    fn note_quotes(&mut self, passed: usize, word: u64) -> Option<()> {
        let mut quotes = all_same(word, b'"');
        while quotes != 0 {
            let at = passed + first(quotes);
            quotes &= quotes - 1;
            if let Some(begin) = self.open.take() {
                self.places.push((begin, at));
                self.closed = Some(at);
                continue;
            }
            match self.closed {
                Some(end) if end + 2 == at && self.text[end + 1] == b' ' => {}
                Some(_) => return None,
                None => self.client = self.text[..at].strip_suffix(b"] ")?,
            }
            self.open = Some(at + 1);
        }
        Some(())
    }
}

/// Whether eight bytes are all printable ASCII and no backslash: then the high bit of none of these is set.
#[inline]
fn beyond_plain(word: u64) -> u64 {
    // What is below a blank, DEL, a backslash, and what is no ASCII. Other bits are set above one of them only.
    word.wrapping_sub(ONES * 0x20) | word.wrapping_add(ONES) | (word ^ (ONES * 0x5c)).wrapping_sub(ONES) | word
}

/// Where the argument's closing quote stands: the first that no backslash escapes.
fn find_quote(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += find_special(bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// Where the first quote or backslash stands.
fn find_special(bytes: &[u8]) -> Option<usize> {
    // Most arguments are too short for a search by many bytes at once to be worth its beginning.
    const SHORT: usize = 4;
    let found_in = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        let found = same(word, b'"') | same(word, b'\\');
        (found != 0).then(|| first(found))
    };
    let (words, _) = bytes.as_chunks();
    for (at, word) in words.iter().take(SHORT).enumerate() {
        if let Some(found) = found_in(word) {
            return Some(at * 8 + found);
        }
    }
    match bytes.last_chunk() {
        // Its first bytes are looked at for the second time.
        Some(last) if words.len() <= SHORT => found_in(last).map(|found| bytes.len() - 8 + found),
        Some(_) => memchr::memchr2(b'"', b'\\', &bytes[8 * SHORT..]).map(|found| 8 * SHORT + found),
        None => bytes.iter().position(|byte| matches!(byte, b'"' | b'\\')),
    }
}

/// The bytes that the server escaped.
pub(super) fn unescape(bytes: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', bytes) else { return Cow::Borrowed(bytes) };
    let mut out = Vec::with_capacity(bytes.len());
    out.extend_from_slice(&bytes[..first]);
    let mut rest = &bytes[first..];
    while let [b'\\', escaped, after @ ..] = rest {
        rest = after;
        match (escaped, after) {
            (b'n', _) => out.push(b'\n'),
            (b'r', _) => out.push(b'\r'),
            (b't', _) => out.push(b'\t'),
            (b'a', _) => out.push(0x07),
            (b'b', _) => out.push(0x08),
            (b'x', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            (other, _) => out.push(*other),
        }
        let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        out.extend_from_slice(&rest[..plain]);
        rest = &rest[plain..];
    }
    Cow::Owned(out)
}

/// The value of a hexadecimal digit.
fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}
