//! A line of text with redis-cli's quoting (contract section 3).

use std::ops::Range;

use crate::command::request::Request;
use crate::text;

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
}

/// The reason of an open quote: the REPL continues such a line.
pub const OPEN_QUOTE: &str = "a quote is not closed";

const SPACE_EXPECTED: &str = "a closing quote must be followed by a space or the end of the line";

/// What may stand behind a closing quote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quotes {
    /// A space or the end of the line, as with redis-cli.
    #[default]
    Strict,
    /// More of the word, as with valkey-cli.
    Joined,
}

/// Splits a line into `request`'s arguments.
pub fn parse(line: &[u8], request: &mut Request, quotes: Quotes) -> Result<(), Malformed> {
    let mut at = 0;
    loop {
        at = pass_spaces(line, at);
        if at == line.len() {
            return Ok(());
        }
        at = parse_arg(line, at, request, quotes)?;
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
        match parse_arg(line, at, &mut request, Quotes::Strict) {
            Ok(end) => {
                spans.push(at..end);
                at = end;
            }
            Err(malformed) => {
                spans.push(at..line.len());
                return (spans, Some(malformed));
            }
        }
    }
}

/// The place of the next word, or the end.
#[inline]
fn pass_spaces(line: &[u8], at: usize) -> usize {
    at + line[at..].iter().take_while(|byte| is_space(**byte)).count()
}

/// Parses the argument that begins at `at`; gives the place after it.
fn parse_arg(line: &[u8], at: usize, request: &mut Request, quotes: Quotes) -> Result<usize, Malformed> {
    let (mut at, mut end) = (at, pass_plain(line, at));
    if !matches!(line.get(end), Some(b'"' | b'\'')) {
        request.push(&line[at..end]);
        return Ok(end);
    }
    loop {
        request.extend(&line[at..end]);
        at = match line.get(end) {
            Some(b'"' | b'\'') => parse_quoted(line, end, request)?,
            _ => break,
        };
        match line.get(at) {
            Some(byte) if is_space(*byte) => break,
            Some(_) if quotes == Quotes::Strict => return Err(Malformed::new(SPACE_EXPECTED, at)),
            Some(_) => end = pass_plain(line, at),
            None => break,
        }
    }
    request.end_arg();
    Ok(at.max(end))
}

/// The end of the plain part of a word.
#[inline]
fn pass_plain(line: &[u8], at: usize) -> usize {
    at + line[at..].iter().take_while(|byte| !ENDS_PLAIN[usize::from(**byte)]).count()
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

/// What stands between the quote there and the one that closes it; gives the place after that.
fn parse_quoted(line: &[u8], open: usize, request: &mut Request) -> Result<usize, Malformed> {
    let quote = line[open];
    let mut at = open + 1;
    loop {
        let plain = memchr::memchr2(quote, b'\\', &line[at..]).unwrap_or(line.len() - at);
        request.extend(&line[at..at + plain]);
        at += plain;
        let (byte, taken) = match &line[at..] {
            [byte, ..] if *byte == quote => return Ok(at + 1),
            // Between single quotes only they are escaped.
            [b'\\', b'\'', ..] if quote == b'\'' => (b'\'', 1),
            [b'\\', ..] if quote == b'\'' => (b'\\', 0),
            [b'\\', escaped @ ..] if let Some(found) = text::unescape(escaped) => found,
            _ => return Err(Malformed::new(OPEN_QUOTE, open)),
        };
        request.extend(&[byte]);
        at += 1 + taken;
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}
