//! The arguments of a line of MONITOR, as the server quotes them: where each stands, and the bytes that it had.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::word::{first, same};

/// Quoted arguments in their line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Quoted<'a> {
    text: &'a [u8],
    /// Where each begins and ends, between its quotes. Those of most commands need no memory of their own.
    places: SmallVec<[(usize, usize); 8]>,
}

impl<'a> Quoted<'a> {
    /// Takes `"arg" "arg"` apart; none if the text is anything else. `find_end` finds the quote that closes an argument.
    #[inline]
    pub(super) fn split(text: &'a [u8], find_end: impl Fn(&[u8]) -> Option<usize>) -> Option<Self> {
        let mut places = SmallVec::new();
        let mut start = 1;
        text.strip_prefix(b"\"")?;
        loop {
            let end = start + find_end(text.get(start..)?)?;
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

/// Where the first quote stands.
#[inline]
pub(super) fn find_plain_quote(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks();
    for (at, word) in words.iter().enumerate() {
        let found = same(u64::from_le_bytes(*word), b'"');
        if found != 0 {
            return Some(8 * at + first(found));
        }
    }
    let found = rest.iter().position(|byte| *byte == b'"')?;
    Some(bytes.len() - rest.len() + found)
}

/// Where the argument's closing quote stands: the first that no backslash escapes.
pub(super) fn find_quote(bytes: &[u8]) -> Option<usize> {
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
pub(super) fn find_special(bytes: &[u8]) -> Option<usize> {
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
