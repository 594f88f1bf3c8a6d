//! A line of text with redis-cli's quoting (contract section 3).

use std::ops::Range;

use crate::command::request::Request;
use crate::word;

/// Why a line cannot be parsed, and the byte of the line where the caret goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong and what to do about it. Nothing of the line is in it.
    pub reason: &'static str,
    /// More of it, which may repeat a part of the line.
    pub detail: Option<String>,
    /// Offset into the line in bytes.
    pub at: usize,
}

impl Malformed {
    /// A reason with its place.
    pub fn new(reason: &'static str, at: usize) -> Self {
        Self { reason, detail: None, at }
    }

    /// The same with what may repeat a part of the line.
    pub fn with(reason: &'static str, detail: String, at: usize) -> Self {
        Self { reason, detail: Some(detail), at }
    }
}

/// The reason of an open quote: the REPL continues such a line.
pub const OPEN_QUOTE: &str = "a quote is not closed";

const SPACE_EXPECTED: &str = "a closing quote must be followed by a space or the end of the line";

/// Splits a line into `request`'s arguments.
pub fn parse(line: &[u8], request: &mut Request) -> Result<(), Malformed> {
    let mut at = 0;
    loop {
        at = pass_spaces(line, at);
        if at == line.len() {
            return Ok(());
        }
        at = parse_arg(line, at, request)?;
    }
}

/// Puts the words of a line that has nothing special into `request`: how many bytes the line takes, its end included.
/// None for any other, which is for the careful way: one with quotes, blanks other than single spaces, or without its
/// end, and what may be empty, a comment or JSON. Such a line is looked at once, by eight bytes at a time.
pub fn parse_plain(bytes: &[u8], request: &mut Request) -> Option<usize> {
    // Longer lines are asked for memory first.
    const LONGEST: usize = 4096;
    let bytes = &bytes[..bytes.len().min(LONGEST)];
    if !bytes.first()?.is_ascii_alphanumeric() {
        return None;
    }
    request.clear();
    let mut start = 0;
    // What is left at the end of all that was read is for the careful way.
    let (words, _) = bytes.as_chunks();
    for (index, eight) in words.iter().enumerate() {
        let mut found = word::below(u64::from_le_bytes(*eight), b'\'' + 1);
        while found != 0 {
            let at = 8 * index + word::first(found);
            found &= found - 1;
            let byte = bytes[at];
            // An empty word stands between two blanks.
            if (byte == b' ' || byte == b'\n') && start < at {
                push_word(bytes, start, at, request);
                start = at + 1;
                if byte == b'\n' {
                    return Some(start);
                }
            } else if matches!(byte, b'\t'..=b'\r' | b' ' | b'"' | b'\'') {
                return None;
            }
        }
    }
    None
}

/// Adds a word, which is short as a rule.
#[inline]
fn push_word(bytes: &[u8], start: usize, end: usize, request: &mut Request) {
    match bytes[start..].first_chunk() {
        Some(beginning) if end - start <= beginning.len() => request.push_short(beginning, end - start),
        _ => request.push(&bytes[start..end]),
    }
}

/// Where each argument of a line stands, quotes included. What is left from an open or bad quote on is the last one,
/// and the complaint comes with it.
pub fn spans(line: &[u8]) -> (Vec<Range<usize>>, Option<Malformed>) {
    let (mut spans, mut at) = (Vec::new(), 0);
    let mut request = Request::default();
    loop {
        at = pass_spaces(line, at);
        if at == line.len() {
            return (spans, None);
        }
        request.clear();
        match parse_arg(line, at, &mut request) {
            Ok(end) => spans.push(at..end),
            Err(malformed) => {
                spans.push(at..line.len());
                return (spans, Some(malformed));
            }
        }
        at = spans.last().map_or(line.len(), |span| span.end);
    }
}

/// The place of the next word, or the end.
#[inline]
fn pass_spaces(line: &[u8], at: usize) -> usize {
    let mut at = at;
    while line.get(at).is_some_and(|byte| is_space(*byte)) {
        at += 1;
    }
    at
}

/// Parses the argument that begins at `at`; gives the place after it.
fn parse_arg(line: &[u8], at: usize, request: &mut Request) -> Result<usize, Malformed> {
    let mut end = at;
    while line.get(end).is_some_and(|byte| !ENDS_PLAIN[usize::from(*byte)]) {
        end += 1;
    }
    let word = &line[at..end];
    let end = match line.get(end) {
        Some(b'"') => {
            request.extend(word);
            parse_double_quoted(line, end, request)?
        }
        Some(b'\'') => {
            request.extend(word);
            parse_single_quoted(line, end, request)?
        }
        _ => {
            request.push(word);
            return Ok(end);
        }
    };
    request.end_arg();
    Ok(end)
}

/// Whether a byte ends the plain part of a word: a quote, or fewer blanks than may stand between words. A table, for
/// every byte of a pipeline is looked up.
const ENDS_PLAIN: [bool; 256] = {
    let mut ends = [false; 256];
    let mut ending: &[u8] = b" \t\n\r\"'";
    while let [byte, rest @ ..] = ending {
        ends[*byte as usize] = true;
        ending = rest;
    }
    ends
};

fn parse_double_quoted(line: &[u8], open: usize, request: &mut Request) -> Result<usize, Malformed> {
    let mut at = open + 1;
    loop {
        let plain = line[at..].iter().take_while(|byte| !matches!(byte, b'"' | b'\\')).count();
        request.extend(&line[at..at + plain]);
        at += plain;
        match line[at..] {
            [b'"', ..] => return after_quote(line, at + 1),
            [b'\\', b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                request.extend(&[hex(high) << 4 | hex(low)]);
                at += 4;
            }
            [b'\\', escaped, ..] => {
                request.extend(&[match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => other,
                }]);
                at += 2;
            }
            _ => return Err(Malformed::new(OPEN_QUOTE, open)),
        }
    }
}

fn parse_single_quoted(line: &[u8], open: usize, request: &mut Request) -> Result<usize, Malformed> {
    let mut at = open + 1;
    loop {
        let plain = line[at..].iter().take_while(|byte| !matches!(byte, b'\'' | b'\\')).count();
        request.extend(&line[at..at + plain]);
        at += plain;
        match line[at..] {
            [b'\'', ..] => return after_quote(line, at + 1),
            [b'\\', b'\'', ..] => {
                request.extend(b"'");
                at += 2;
            }
            [b'\\', ..] => {
                request.extend(b"\\");
                at += 1;
            }
            _ => return Err(Malformed::new(OPEN_QUOTE, open)),
        }
    }
}

fn after_quote(line: &[u8], at: usize) -> Result<usize, Malformed> {
    match line.get(at) {
        Some(byte) if !is_space(*byte) => Err(Malformed::new(SPACE_EXPECTED, at)),
        _ => Ok(at),
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// The value of a hexadecimal digit.
fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the careful way makes of the first line.
    fn carefully(bytes: &[u8]) -> Option<(Request, usize)> {
        let end = memchr::memchr(b'\n', bytes)?;
        let line = &bytes[..end];
        let mut request = Request::default();
        parse(line.strip_suffix(b"\r").unwrap_or(line), &mut request).ok()?;
        Some((request, end + 1))
    }

    #[test]
    fn a_plain_line_is_what_the_careful_way_makes_of_it() {
        let pieces: [&[u8]; 14] = [
            b"SET",
            b"k:1",
            b" ",
            b"  ",
            b"\n",
            b"\r\n",
            b"\t",
            b"\"a b\"",
            b"'",
            b"\x0b",
            b"#",
            b"[",
            b"\xff\xc3\xa9",
            b"",
        ];
        let mut plain = 0;
        for number in 0..pieces.len().pow(4) {
            let chosen = (0..4).map(|at| pieces[number / pieces.len().pow(at) % pieces.len()]);
            let bytes = [chosen.collect::<Vec<_>>().concat(), b"\n".to_vec()].concat();
            let mut request = Request::new(["left"]);
            if let Some(taken) = parse_plain(&bytes, &mut request) {
                plain += 1;
                let text = bytes.escape_ascii();
                assert_eq!(carefully(&bytes), Some((request, taken)), "{text}");
            }
        }
        assert!(plain > 100, "{plain}");
    }

    #[test]
    fn what_is_special_or_not_wholly_there_is_for_the_careful_way() {
        let long = format!("SET k {}\n", "x".repeat(5000));
        for line in
            ["", "PING", "#x\n", "[\"PING\"]\n", " PING\n", "PING \n", "SET  k v\n", "PING\r\n", "\n", long.as_str()]
        {
            assert_eq!(parse_plain(line.as_bytes(), &mut Request::default()), None, "{line:?}");
        }
    }
}
