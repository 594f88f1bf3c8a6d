//! The arguments of a line of MONITOR, as the server quotes them: where each stands, and the bytes that it had.

use std::borrow::Cow;

use crate::text;
use crate::word::{escaped_in_json, first, same};

/// Where the arguments of a line begin and end, between their quotes: memory that is used again for the next line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ArgPlaces(Vec<(usize, usize)>);

impl ArgPlaces {
    /// Finds the arguments of `CLIENT] "arg" "arg"` where all of it is ASCII with nothing escaped, and no quote stands in
    /// the client: so all the quotes are the arguments' own. The client; none where anything else comes. All is looked at
    /// once, by eight bytes at a time.
    #[inline]
    pub(super) fn find_plain<'a>(&mut self, text: &'a [u8]) -> Option<&'a [u8]> {
        self.0.clear();
        let open = plain_end(text, 0);
        let client = text[..open].strip_suffix(b"] ")?;
        if text.get(open) != Some(&b'"') {
            return None;
        }
        let mut begin = open + 1;
        loop {
            let end = plain_end(text, begin);
            self.0.push((begin, end));
            match text.get(end..)? {
                [b'"', b' ', b'"', ..] => begin = end + 3,
                [b'"'] => return Some(client),
                _ => return None,
            }
        }
    }

    /// Finds those of `"arg" "arg"`; false if the text is anything else.
    pub(super) fn find(&mut self, text: &[u8]) -> bool {
        self.0.clear();
        let mut begin = 1;
        while text.get(begin - 1) == Some(&b'"')
            && let Some(length) = find_quote(&text[begin..])
        {
            let end = begin + length;
            self.0.push((begin, end));
            match &text[end + 1..] {
                [] => return true,
                [b' ', ..] => begin = end + 3,
                _ => return false,
            }
        }
        false
    }

    /// The arguments in the text that they were found in.
    #[inline]
    pub(super) fn of<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().map(move |(begin, end)| &text[*begin..*end])
    }

    /// All of them with their quotes, in the text that they were found in, and where the blanks between them stand there.
    #[inline]
    pub(super) fn all<'a>(&'a self, text: &'a [u8]) -> (&'a [u8], impl Iterator<Item = usize>) {
        let (first, others) = self.0.split_first().map_or((1, &self.0[..]), |((begin, _), others)| (*begin, others));
        (text.get(first - 1..).unwrap_or_default(), others.iter().map(move |(begin, _)| begin - 1 - first))
    }
}

/// Where the first byte from this place on stands that is not ASCII or has to be escaped in JSON; the length if none does.
#[inline]
fn plain_end(text: &[u8], from: usize) -> usize {
    const WORD: usize = size_of::<u64>();
    let mut at = from;
    while let Some(word) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let found = escaped_in_json(u64::from_le_bytes(*word));
        if found != 0 {
            return at + first(found);
        }
        at += WORD;
    }
    // What is left stands at the end of the last eight bytes. Behind it come zeros, which are found.
    let passed = at + WORD - text.len();
    let left = match text.last_chunk() {
        _ if passed == WORD => return text.len(),
        Some(last) => u64::from_le_bytes(*last) >> (8 * passed),
        None => (0..).step_by(8).zip(&text[at..]).map(|(shift, byte)| u64::from(*byte) << shift).sum(),
    };
    at + first(escaped_in_json(left))
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
    while let [b'\\', escaped @ ..] = rest
        && let Some((byte, taken)) = text::unescape(escaped)
    {
        out.push(byte);
        rest = &escaped[taken..];
        let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        out.extend_from_slice(&rest[..plain]);
        rest = &rest[plain..];
    }
    Cow::Owned(out)
}
