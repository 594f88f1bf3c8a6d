//! Text from outside made safe to show: what came from a server, a file, an argument or the environment must not move
//! the cursor, change the screen or reorder what stands beside it (contract section 2). One function decides what is
//! escaped and how; everything that reaches a terminal goes through it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::str::FromStr;

/// How control characters are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// Only what is not UTF-8: what is not to be shown yet.
    Undecodable,
    /// One line: every one is escaped as redis-cli does, `\n`, `\x1b`.
    Line,
    /// Lines of text: LF, TAB and CR LF stay, the others are escaped as redis-cli does.
    Lines,
    /// Lines of JSON: LF and TAB, which can only stand between its tokens, stay; the others are `\u00XX`.
    Json,
}

/// The text, with what could drive a terminal escaped.
pub fn printable(text: &str, how: Escape) -> Cow<'_, str> {
    if how == Escape::Undecodable || is_plain(text.as_bytes()) || !text.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    escape(text.as_bytes(), how, &mut safe);
    Cow::Owned(safe)
}

/// The same of bytes; what is not UTF-8 becomes `\xNN`.
pub fn printable_bytes(bytes: &[u8], how: Escape) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return printable(text, how);
    }
    let mut safe = String::with_capacity(bytes.len() + 16);
    escape(bytes, how, &mut safe);
    Cow::Owned(safe)
}

/// One line of text, with what could drive a terminal escaped.
pub fn line(text: &str) -> Cow<'_, str> {
    printable(text, Escape::Line)
}

/// Appends bytes as text, with what could drive a terminal escaped; what is not UTF-8 becomes `\xNN`.
pub fn escape(bytes: &[u8], how: Escape, out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        let text = chunk.valid();
        if how == Escape::Undecodable || is_plain(text.as_bytes()) {
            out.push_str(text);
        } else {
            let mut chars = text.chars().peekable();
            while let Some(c) = chars.next() {
                let is_layout = matches!(c, '\n' | '\t') || c == '\r' && chars.peek() == Some(&'\n');
                if is_unprintable(c) && !(is_layout && how != Escape::Line) {
                    escape_char(c, how, out);
                } else {
                    out.push(c);
                }
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

/// A writer that escapes what is written through it, piece by piece: what is large is not held a second time.
pub struct Escaping<'w, W: Write> {
    out: &'w mut W,
    how: Escape,
    /// What is not escaped yet.
    held: Vec<u8>,
    text: String,
}

impl<'w, W: Write> Escaping<'w, W> {
    /// [`Self::finish`] writes the rest.
    pub fn new(out: &'w mut W, how: Escape) -> Self {
        Self { out, how, held: Vec::new(), text: String::new() }
    }

    /// Nothing comes any more.
    pub fn finish(mut self) -> io::Result<()> {
        self.pass(self.held.len())
    }

    fn pass(&mut self, count: usize) -> io::Result<()> {
        self.text.clear();
        escape(&self.held[..count], self.how, &mut self.text);
        self.held.drain(..count);
        self.out.write_all(self.text.as_bytes())
    }
}

impl<W: Write> Write for Escaping<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = &bytes[..bytes.len().min(PIECE)];
        self.held.extend_from_slice(piece);
        if self.held.len() >= PIECE {
            self.pass(whole(&self.held, self.held.len()))?;
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// As much as is made into text at a time.
const PIECE: usize = 32 * 1024;

/// How many columns of a terminal a text takes.
pub fn width(text: &str) -> usize {
    if is_plain(text.as_bytes()) { text.len() } else { unicode_width::UnicodeWidthStr::width(text) }
}

/// A number of things, in words: `1 command`, `2 commands`.
pub fn counted(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// The number that bytes are in decimal digits; none where they are none, or it does not fit.
pub fn number<N: FromStr>(bytes: &[u8]) -> Option<N> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// The bytes in pieces that can be shown one by one.
pub fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let end = if rest.len() > PIECE { whole(rest, PIECE) } else { rest.len() };
        let (piece, after) = rest.split_at(end);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// The largest part of the first `count` bytes that cuts neither a character nor, perhaps, a CR LF.
fn whole(bytes: &[u8], count: usize) -> usize {
    let is_cut = |at: usize| match bytes.get(at) {
        Some(b'\n') => bytes[at - 1] == b'\r',
        Some(byte) => byte & 0xc0 == 0x80,
        None => true,
    };
    // A character has four bytes at most.
    (count.saturating_sub(4).max(1)..=count).rev().find(|at| !is_cut(*at)).unwrap_or(count)
}

/// Whether a character could move the cursor, change the screen, or reorder the text around it: C0, DEL, C1, the
/// separators of lines and paragraphs, the mark of byte order, and all bidirectional controls.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Appends the escape sequence that stands for a character.
pub fn escape_char(c: char, how: Escape, out: &mut String) {
    let short = match c {
        _ if how == Escape::Json => None,
        '\n' => Some("\\n"),
        '\r' => Some("\\r"),
        '\t' => Some("\\t"),
        '\x07' => Some("\\a"),
        '\x08' => Some("\\b"),
        _ => None,
    };
    match short {
        Some(short) => out.push_str(short),
        // All of them are below U+10000, where one such sequence is enough.
        None if how == Escape::Json => {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        }
        None => {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
}

/// The byte that stands behind a backslash as servers and redis-cli write it (`n`, `x0a`, or itself), and how many bytes
/// that takes; none where nothing stands there.
#[inline]
pub fn unescape(escaped: &[u8]) -> Option<(u8, usize)> {
    Some(match escaped {
        [b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            (hex(*high) << 4 | hex(*low), 3)
        }
        [b'n', ..] => (b'\n', 1),
        [b'r', ..] => (b'\r', 1),
        [b't', ..] => (b'\t', 1),
        [b'a', ..] => (0x07, 1),
        [b'b', ..] => (0x08, 1),
        [other, ..] => (*other, 1),
        [] => return None,
    })
}

/// The value of a hexadecimal digit.
fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// Whether the bytes are printable ASCII, which most text is: that is quick to find out.
fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// An I/O error in words, without Rust's `(os error N)`.
pub fn describe_io(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends by panicking")]
mod tests {
    use super::*;

    fn escaped(bytes: &[u8], how: Escape) -> String {
        let mut out = String::new();
        escape(bytes, how, &mut out);
        out
    }

    #[test]
    fn whatever_could_drive_a_terminal_is_escaped() {
        let hostile = "a\x1b]0;x\x07\u{9b}2J\x7f\u{202e}\u{61c}z";
        assert_eq!(line(hostile), "a\\x1b]0;x\\a\\xc2\\x9b2J\\x7f\\xe2\\x80\\xae\\xd8\\x9cz");
        assert_eq!(
            printable(hostile, Escape::Json),
            "a\\u001b]0;x\\u0007\\u009b2J\\u007f\\u202e\\u061cz",
            "JSON stays JSON"
        );
        assert_eq!(escaped(b"a\xff\x9bz", Escape::Lines), "a\\xff\\x9bz");
        let decoded = printable_bytes(b"a\xff\x1b\xc3\xa9", Escape::Undecodable);
        assert_eq!(decoded, "a\\xff\x1b\u{e9}", "controls are left to whoever shows it");
    }

    #[test]
    fn what_is_written_in_pieces_is_escaped_as_a_whole() {
        let text = "aé€😀\x1b\r\n\r\u{9b}\t".as_bytes();
        let bytes = [text, b"\xff\xf0\x9f\x98\xe2\x82\r\r\x80\x80\x80\x80\x80"].concat().repeat(3000);
        for how in [Escape::Line, Escape::Lines, Escape::Json] {
            let whole = escaped(&bytes, how);
            let joined: String = pieces(&bytes).map(|piece| escaped(piece, how)).collect();
            assert!(pieces(&bytes).count() > 2 && joined == whole, "{how:?} in pieces");
            for size in [1, 7, 40_000, bytes.len()] {
                let mut out = Vec::new();
                let mut escaping = Escaping::new(&mut out, how);
                for chunk in bytes.chunks(size) {
                    escaping.write_all(chunk).unwrap();
                }
                escaping.finish().unwrap();
                assert!(out == whole.as_bytes(), "{how:?} written {size} bytes at a time");
            }
        }
    }

    #[test]
    fn lines_keep_their_ends_and_tabs() {
        assert_eq!(printable("a\tb\r\nc\rd\n", Escape::Lines), "a\tb\r\nc\\rd\n");
        assert_eq!(line("a\tb\r\n"), "a\\tb\\r\\n");
    }

    #[test]
    fn what_can_be_shown_stays_as_it_is() {
        for text in ["", "plain", "Größe 5 €, 日本語, e\u{301}", "a\\x1b"] {
            assert!(matches!(line(text), Cow::Borrowed(same) if same == text));
        }
        assert_eq!(printable("a\nb\n", Escape::Json), "a\nb\n");
    }
}
