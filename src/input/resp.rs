//! One command in RESP, an array of bulk strings: what `redis-cli --pipe` takes (contract section 3).

use super::room;
use crate::command::request::Request;

/// The most arguments that a server takes; old ones take fewer.
const MAX_ARGS: usize = i32::MAX as usize;

/// How far a command that is not wholly there was looked through: what comes in pieces is not read again and again.
#[derive(Debug, Default)]
pub struct Scan {
    /// Where its next argument begins.
    at: usize,
    /// How many arguments are still to come; none before the first header.
    left: Option<usize>,
    /// How many arguments were passed.
    passed: usize,
    /// How many bytes it takes at least, as far as that was declared.
    pub declared: usize,
}

/// What the front of the bytes holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A command of so many bytes.
    Command(usize),
    /// A part of one.
    Part,
    /// One of so many bytes that memory has no room for.
    TooLarge(usize),
}

/// Above this many bytes a command is looked through before any of it is taken.
const LARGE: usize = 1 << 20;

impl Scan {
    /// Goes on to the end of the command, which it gives, or as far as there are bytes.
    fn walk(&mut self, bytes: &[u8], mut take: impl FnMut(&[u8])) -> Result<Option<usize>, String> {
        let mut left = match self.left {
            Some(left) => left,
            None => match header(bytes, &mut self.at, b'*')? {
                Some(count) if count > MAX_ARGS => {
                    return Err(format!("a RESP command of {count} arguments: a server takes {MAX_ARGS} at most"));
                }
                Some(count) => count,
                None => return Ok(None),
            },
        };
        while left > 0 {
            self.left = Some(left);
            let mut start = self.at;
            let Some(length) = header(bytes, &mut start, b'$')? else { return Ok(None) };
            let end = start.saturating_add(length);
            let ending = bytes.get(end..end.saturating_add(2));
            if ending.is_none() && bytes.get(end) != Some(&b'\n') {
                self.declared = end.saturating_add(2);
                return Ok(None);
            }
            if ending != Some(b"\r\n") {
                return Err(bad_ending(&bytes[start..], length));
            }
            take(&bytes[start..end]);
            self.at = end + 2;
            self.passed += 1;
            left -= 1;
        }
        Ok(Some(self.at))
    }
}

/// Fills `request` from the front of `bytes`; while the command is incomplete `scan` says how far it was seen. An empty
/// array, which the server ignores, leaves the request empty. The error says what is wrong, and the request holds the
/// arguments before it.
pub fn parse(bytes: &[u8], scan: &mut Scan, request: &mut Request) -> Result<Found, String> {
    if scan.left.is_some() || bytes.len() > LARGE {
        if matches!(scan.walk(bytes, |_| ()), Ok(None)) {
            return Ok(Found::Part);
        }
        if !room::is_there_for(scan.at, scan.passed, 4) {
            return Ok(Found::TooLarge(scan.at));
        }
    }
    *scan = Scan::default();
    let Some(taken) = scan.walk(bytes, |arg| request.push(arg))? else { return Ok(Found::Part) };
    *scan = Scan::default();
    Ok(Found::Command(taken))
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
    let line = &rest[1..rest.len().min(LONGEST)];
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if let Some(reason) = literal_line_end(&line[digits..]) {
        return Err(reason);
    }
    let Some(end) = memchr::memchr(b'\n', line) else {
        return if rest.len() < LONGEST { Ok(None) } else { Err("bad RESP: a length is too long".to_owned()) };
    };
    let number = line[..end].strip_suffix(b"\r").unwrap_or(&line[..end]);
    *at += end + 2;
    match std::str::from_utf8(number).ok().and_then(|number| number.parse::<i64>().ok()) {
        Some(-1) if mark == b'*' => Ok(Some(0)),
        Some(length) if length >= 0 => Ok(usize::try_from(length).ok()),
        Some(length) => Err(format!("bad RESP: the length '{length}' is below 0: no part of a command is nil")),
        _ => Err(format!("bad RESP: the length '{}' is no number", number.escape_ascii())),
    }
}

/// What to say of a bulk string of this length that does not end as one does.
fn bad_ending(found: &[u8], length: usize) -> String {
    let (text, behind) = found.split_at(length);
    if let (Some(b'\n'), false) = (behind.first(), text.ends_with(b"\r")) {
        return "bad RESP: lines end with LF alone: RESP wants CRLF, and `rcli pipe` takes commands as text too"
            .to_owned();
    }
    let otherwise = || "a RESP bulk string is not followed by CRLF: its length is wrong".to_owned();
    literal_line_end(behind).unwrap_or_else(otherwise)
}

/// What to say of a line end that is spelled out, as `echo` leaves it.
fn literal_line_end(found: &[u8]) -> Option<String> {
    let spelled = if found.starts_with(br"\r") {
        r"\r\n"
    } else if found.starts_with(br"\n") {
        r"\n"
    } else {
        return None;
    };
    Some(format!(
        "bad RESP: a literal {spelled} stands where a line end belongs: printf makes a line end of it, echo does not"
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_command_cut_anywhere_is_the_same_command() {
        let bytes = b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$12\r\n*1\r\n$4\r\nPING\r\nrest";
        let whole = Request::new(["SET", "", "*1\r\n$4\r\nPING"]);
        for first in 0..bytes.len() {
            for second in first..bytes.len() {
                let (mut scan, mut request) = (Scan::default(), Request::default());
                let mut found = Found::Part;
                for end in [first, second, bytes.len()] {
                    if found == Found::Part {
                        request.clear();
                        found = parse(&bytes[..end], &mut scan, &mut request).unwrap();
                    }
                }
                let expected = Found::Command(bytes.len() - 4);
                assert_eq!((found, &request), (expected, &whole), "cut at {first} and {second}");
                assert_eq!(scan.at, 0, "the next command begins afresh");
            }
        }
    }

    #[test]
    fn what_comes_in_pieces_is_looked_at_once() {
        let bytes = [&b"*1000\r\n"[..], &b"$1\r\nx\r\n".repeat(999)].concat();
        let (mut scan, mut request) = (Scan::default(), Request::default());
        let mut before = 0;
        for end in (100..bytes.len()).step_by(100) {
            request.clear();
            assert_eq!(parse(&bytes[..end], &mut scan, &mut request), Ok(Found::Part));
            assert!(scan.at > before && scan.at + 100 > before, "it goes on where it was");
            before = scan.at;
            assert!(request.len() < 100, "arguments are not taken again and again");
        }
    }

    #[test]
    fn what_is_wrong_is_told_in_its_own_words() {
        let complaint = |bytes: &[u8]| parse(bytes, &mut Scan::default(), &mut Request::default()).unwrap_err();
        for unix in [&b"*1\n$4\nPING\n"[..], b"*2\r\n$4\r\nECHO\n$1\r\nx\r\n"] {
            assert!(complaint(unix).contains("LF alone"), "{}", complaint(unix));
        }
        for wrong in [&b"*1\r\n$5\r\nPING\r\n"[..], b"*1\r\n$3\r\nPING\r\n", b"*1\r\n$4\r\nPINGS\r\n"] {
            assert!(complaint(wrong).contains("its length is wrong"), "{}", complaint(wrong));
        }
        assert!(complaint(b"*2\r\n$3\r\nGET\r\n$-1\r\n").contains("'-1' is below 0"));
        assert!(complaint(b"*x\r\n").contains("'x' is no number"));
    }

    #[test]
    fn a_bad_command_leaves_the_arguments_before_it() {
        let bytes = b"*3\r\n$4\r\nAUTH\r\n$1\r\nx\r\nrubbish\r\n";
        for cut in 0..bytes.len() - 10 {
            let (mut scan, mut request) = (Scan::default(), Request::default());
            assert_eq!(parse(&bytes[..cut], &mut scan, &mut request), Ok(Found::Part));
            request.clear();
            assert!(parse(bytes, &mut scan, &mut request).is_err());
            assert_eq!(request.arg(0), b"AUTH", "cut at {cut}");
        }
    }
}
