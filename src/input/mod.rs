//! Commands from files and stdin, in text, JSON lines or RESP (contract section 3), or rows of a table, with FILE:LINE for every complaint.

mod bad;
mod begin;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod json;
mod plain;
mod resp;
mod room;
mod rows;
mod source;
mod template;
mod text;

use crate::command::request::Request;

pub use self::bad::{BadInput, describe_bad};
pub use rows::RowForm;
pub use source::{Next, Source};
pub use template::{Bound, Template};
pub use text::{Malformed, OPEN_QUOTE, Quotes, spans};

fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// Parses a line of text or JSON (contract section 3); an empty line or a comment leaves the request empty.
pub fn parse(line: &[u8], request: &mut Request) -> Result<(), Malformed> {
    parse_quoted(line, request, Quotes::Strict)
}

fn parse_quoted(line: &[u8], request: &mut Request, quotes: Quotes) -> Result<(), Malformed> {
    match line.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None | Some(b'#') => Ok(()),
        Some(b'[') => json::parse(line, request),
        Some(_) => text::parse(line, request, quotes),
    }
}

/// Parses a line of text, whatever it begins with.
pub fn parse_line(line: &[u8], request: &mut Request) -> Result<(), Malformed> {
    text::parse(line, request, Quotes::Strict)
}

/// An argument without its quotes, if it is quoted as in a line of input; any other stays as it is.
pub fn unquote(arg: &[u8]) -> Result<Vec<u8>, Malformed> {
    if !matches!(arg.first(), Some(b'"' | b'\'')) {
        return Ok(arg.to_vec());
    }
    let mut request = Request::default();
    match parse_line(arg, &mut request) {
        Ok(()) if request.len() == 1 => Ok(request.arg(0).to_vec()),
        Ok(()) => Err(Malformed::new("more than one argument", 0)),
        Err(malformed) => Err(malformed),
    }
}
