//! One command in RESP, an array of bulk strings: what `redis-cli --pipe` takes (contract section 3).

use crate::request::Request;

/// The most arguments the server itself takes (1024 * 1024).
const MAX_ARGS: usize = 1 << 20;

/// Fills `request` from the front of `bytes`: how many bytes the command takes, or `None` while it is incomplete.
/// An empty array, which the server ignores, leaves the request empty. The error says what is wrong.
pub fn parse(bytes: &[u8], request: &mut Request) -> Result<Option<usize>, String> {
    let mut at = 0;
    let Some(count) = header(bytes, &mut at, b'*')? else { return Ok(None) };
    if count > MAX_ARGS {
        return Err(format!("a RESP command of {count} arguments: a server takes 1048576 at most"));
    }
    for _ in 0..count {
        let Some(length) = header(bytes, &mut at, b'$')? else { return Ok(None) };
        let Some(end) = at.checked_add(length).filter(|end| *end + 2 <= bytes.len()) else { return Ok(None) };
        if &bytes[end..end + 2] != b"\r\n" {
            return Err("a RESP bulk string is not followed by CRLF: its length is wrong".to_owned());
        }
        request.push(&bytes[at..end]);
        at = end + 2;
    }
    Ok(Some(at))
}

/// Reads `MARK length CRLF`; `*-1` counts as none.
fn header(bytes: &[u8], at: &mut usize, mark: u8) -> Result<Option<usize>, String> {
    const LONGEST: usize = 32;
    let rest = &bytes[*at..];
    let Some(&first) = rest.first() else { return Ok(None) };
    if first != mark {
        let found = first.escape_ascii();
        return Err(format!("bad RESP: '{}' expected, '{found}' found", char::from(mark)));
    }
    let Some(end) = memchr::memchr(b'\n', &rest[..rest.len().min(LONGEST)]) else {
        return if rest.len() < LONGEST { Ok(None) } else { Err("bad RESP: a length is too long".to_owned()) };
    };
    let digits = rest[1..end].strip_suffix(b"\r").unwrap_or(&rest[1..end]);
    *at += end + 1;
    match std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<i64>().ok()) {
        Some(-1) if mark == b'*' => Ok(Some(0)),
        Some(length) if length >= 0 => Ok(usize::try_from(length).ok()),
        _ => Err(format!("bad RESP: the length '{}' is no number", digits.escape_ascii())),
    }
}
