//! One command as its bytes, and where it came from. Knows how to be packed and shown; nothing of replies.

pub mod secrets;

use std::fmt::Write as _;

use crate::command::restrictions::holds_secret;
use crate::text::{self, Escape, escape_char, is_unprintable};

/// A command: its arguments as bytes, the name first, in one reusable buffer.
///
/// They are kept as they are sent, so that to pack a command is one copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Each argument as a RESP bulk string, one behind the other, and then the bytes of one that is being built.
    packed: Vec<u8>,
    /// Where the bytes of each argument begin and end in `packed`.
    args: Vec<(usize, usize)>,
    /// The line of the input where the command begins, counted from 1; 0 where there is no input.
    pub line: u64,
}

impl Request {
    /// A command of these arguments.
    pub fn new<A: AsRef<[u8]>>(args: impl IntoIterator<Item = A>) -> Self {
        let mut request = Self::default();
        for arg in args {
            request.push(arg.as_ref());
        }
        request
    }

    /// Forgets the arguments and keeps the memory.
    pub fn clear(&mut self) {
        self.packed.clear();
        self.args.clear();
    }

    /// Adds a whole argument.
    #[inline]
    pub fn push(&mut self, arg: &[u8]) {
        push_bulk(&mut self.packed, arg);
        let end = self.packed.len() - 2;
        self.args.push((end - arg.len(), end));
    }

    /// The packed arguments, and where the bytes of each begin and end there: for who adds to both.
    pub fn parts(&mut self) -> (&mut Vec<u8>, &mut Vec<(usize, usize)>) {
        (&mut self.packed, &mut self.args)
    }

    /// Adds bytes to the argument being built; [`Self::end_arg`] ends it.
    pub fn extend(&mut self, part: &[u8]) {
        self.packed.extend_from_slice(part);
    }

    /// Ends the argument being built, which may be empty.
    pub fn end_arg(&mut self) {
        // Only now is its length known, which stands before it.
        let (begin, end) = (self.args.last().map_or(0, |(_, end)| end + 2), self.packed.len());
        push_header(&mut self.packed, b'$', end - begin);
        let header = self.packed.len() - end;
        self.packed[begin..].rotate_right(header);
        self.args.push((begin + header, end + header));
        self.packed.extend_from_slice(b"\r\n");
    }

    /// How many arguments there are, the name included.
    pub fn len(&self) -> usize {
        self.args.len()
    }

    /// Whether there is not even a name.
    pub fn is_empty(&self) -> bool {
        self.args.is_empty()
    }

    /// The argument at `index`, the name at 0; empty where there is none.
    #[inline]
    pub fn arg(&self, index: usize) -> &[u8] {
        self.args.get(index).map_or(&[], |(start, end)| &self.packed[*start..*end])
    }

    /// The arguments, the name first.
    pub fn args(&self) -> impl Iterator<Item = &[u8]> {
        self.args.iter().map(|(start, end)| &self.packed[*start..*end])
    }

    /// Whether the argument at `index` is this word, in any case.
    pub fn is(&self, index: usize, word: &str) -> bool {
        self.arg(index).eq_ignore_ascii_case(word.as_bytes())
    }

    /// Whether it begins with these words, in any case; `*` stands for any argument.
    pub fn begins_with(&self, words: &str) -> bool {
        let is_there = |(at, word)| if word == "*" { at < self.len() } else { self.is(at, word) };
        words.split(' ').enumerate().all(is_there)
    }

    /// How many bytes [`Self::pack`] appends, and a few more.
    pub fn packed_size(&self) -> usize {
        self.packed.len() + HEADER
    }

    /// Appends the command as a RESP array of bulk strings.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every command; the call costs as much as what it does")]
    pub fn pack(&self, out: &mut Vec<u8>) {
        out.reserve(self.packed_size());
        push_array_header(out, self.len());
        out.extend_from_slice(&self.packed);
    }

    /// The command that [`Self::pack`] wrote at the start of `packed`; empty if `packed` holds no whole command.
    pub fn unpack(packed: &[u8]) -> Self {
        let mut request = Self::default();
        let mut rest = packed;
        let Some(count) = take_length(&mut rest, b'*') else { return request };
        for _ in 0..count {
            let Some(length) = take_length(&mut rest, b'$') else { break };
            let Some(arg) = rest.get(..length) else { break };
            request.push(arg);
            rest = rest.get(length + 2..).unwrap_or_default();
        }
        request
    }

    /// The command for a message to a person, at most `limit` characters of it, then `...` if it was cut.
    /// A command that may hold a password shows only its name.
    pub fn shown(&self, limit: usize) -> String {
        if holds_secret(self) {
            return secrets::without_arguments(self.arg(0));
        }
        let mut shown = String::new();
        for (index, arg) in self.args().enumerate() {
            if index > 0 {
                shown.push(' ');
            }
            // Four bytes at most make a character: more of an argument cannot be seen.
            show_arg(&arg[..arg.len().min(limit * 4 + 4)], &mut shown);
            if shown.chars().count() > limit {
                return shown.chars().take(limit).chain("...".chars()).collect();
            }
        }
        shown
    }
}

/// The longest header that [`push_header`] writes.
const HEADER: usize = 24;

/// Appends an argument as a bulk string.
#[inline]
pub fn push_bulk(out: &mut Vec<u8>, arg: &[u8]) {
    push_header(out, b'$', arg.len());
    out.extend_from_slice(arg);
    out.extend_from_slice(b"\r\n");
}

/// Appends what stands before this many arguments.
#[inline]
pub fn push_array_header(out: &mut Vec<u8>, args: usize) {
    push_header(out, b'*', args);
}

/// Appends `MARK length CRLF`.
#[inline(always)]
#[expect(clippy::inline_always, reason = "called for every argument, with a mark that is known")]
fn push_header(out: &mut Vec<u8>, mark: u8, length: usize) {
    // The names and values of most commands are short.
    match u8::try_from(length) {
        Ok(length @ 0..10) => out.extend_from_slice(&[mark, b'0' + length, b'\r', b'\n']),
        Ok(length @ 10..100) => {
            out.extend_from_slice(&[mark, b'0' + length / 10, b'0' + length % 10, b'\r', b'\n']);
        }
        _ => push_long_header(out, mark, length),
    }
}

fn push_long_header(out: &mut Vec<u8>, mark: u8, length: usize) {
    out.push(mark);
    out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Reads `MARK digits CRLF` from the front of `rest`.
fn take_length(rest: &mut &[u8], mark: u8) -> Option<usize> {
    let line_end = memchr::memchr(b'\n', rest)?;
    let digits = rest.get(1..line_end.checked_sub(1)?)?;
    if rest[0] != mark {
        return None;
    }
    let length = text::number(digits)?;
    *rest = &rest[line_end + 1..];
    Some(length)
}

/// One argument as it would be typed.
pub fn shown_arg(arg: &[u8]) -> String {
    let mut shown = String::new();
    show_arg(arg, &mut shown);
    shown
}

/// Shows one argument: as it is if that is plain, else quoted as redis-cli quotes.
fn show_arg(arg: &[u8], out: &mut String) {
    let plain = !arg.is_empty()
        && !matches!(arg[0], b'#' | b'[' | b'*')
        && std::str::from_utf8(arg).is_ok_and(|text| {
            !text.chars().any(|c| c.is_whitespace() || is_unprintable(c) || matches!(c, '"' | '\'' | '\\'))
        });
    if plain {
        out.push_str(&String::from_utf8_lossy(arg));
    } else {
        quote(arg, out);
    }
}

/// Quotes bytes as redis-cli does, except that printable UTF-8 is kept as it is (contract section 2, human).
pub fn quote(bytes: &[u8], out: &mut String) {
    out.push('"');
    quote_part(bytes, out);
    out.push('"');
}

/// The same for a part of what stands in quotes.
pub fn quote_part(bytes: &[u8], out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                c if is_unprintable(c) => escape_char(c, Escape::Line, out),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}
