//! A line of text with redis-cli's quoting (contract section 3).

use std::ops::Range;

use crate::command::request::Request;

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
