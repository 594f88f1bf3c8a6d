//! Entries of streams, as XREAD and its kind give them: read where they lie, one after the other (contract section 15).

use std::fmt;
use std::ops::Range;

use redis::{RedisWrite, ToRedisArgs};

use super::frame::{Frame, Kind, Walk};

/// The id of an entry: milliseconds, and a number among those of the same one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// Milliseconds since 1970, as a rule.
    pub ms: u64,
    pub seq: u64,
}

impl EntryId {
    /// What stands before every entry.
    pub const ZERO: Self = Self { ms: 0, seq: 0 };

    /// Reads `MS-SEQ`, or `MS` with this number.
    pub fn parse_with(text: &[u8], seq: u64) -> Option<Self> {
        match memchr::memchr(b'-', text) {
            None => Some(Self { ms: number(text)?, seq }),
            Some(_) => Self::parse(text),
        }
    }

    /// Reads `MS-SEQ`.
    #[inline]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let end = text.iter().position(|byte| *byte == b'-')?;
        Some(Self { ms: number(&text[..end])?, seq: number(&text[end + 1..])? })
    }
}

#[inline]
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = u64::from(byte.wrapping_sub(b'0'));
        if digit > 9 { None } else { number.checked_mul(10)?.checked_add(digit) }
    })
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl ToRedisArgs for EntryId {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        out.write_arg_fmt(self);
    }
}

/// How often an entry was delivered to a consumer of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deliveries {
    /// It is read without a group.
    Ungrouped,
    /// The server did not tell.
    Unknown,
    /// So often, this time included.
    Times(u64),
}

/// An entry among those that are read: the place of its stream, and its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The place of its stream among those that are read.
    pub stream: usize,
    pub id: EntryId,
}

#[derive(Debug)]
pub struct Entry<'a> {
    pub ticket: Ticket,
    /// The stream's name.
    pub stream: &'a [u8],
    /// The id as the server wrote it.
    pub id: &'a [u8],
    /// An array of names and values in turn; none where the entry was deleted meanwhile.
    pub fields: Option<Frame<'a>>,
    /// How often it was delivered.
    pub deliveries: Deliveries,
}

/// Where the parts of an entry lie in a reply.
#[derive(Clone, Debug)]
pub struct Found {
    /// The name of its stream; empty in a list of entries.
    pub stream: Range<usize>,
    pub id: Range<usize>,
    /// Its fields; none where it was deleted meanwhile.
    pub fields: Option<Range<usize>>,
}

/// A reply is not what XREAD and its kind give.
#[derive(Debug)]
pub struct BadForm;

/// How far a reply with entries was read.
#[derive(Clone, Debug)]
pub struct Place {
    /// The bytes that were read.
    at: usize,
    /// The streams that are still to come.
    streams: u64,
    /// Whether each of them is an array of its name and its entries, as in RESP2.
    is_wrapped: bool,
    /// The entries of this stream that are still to come.
    entries: u64,
    name: Range<usize>,
}

impl Place {
    /// The beginning of a reply to XREAD or XREADGROUP.
    pub fn of_streams(frame: Frame<'_>) -> Result<Self, BadForm> {
        let (streams, is_wrapped) = match frame.head().kind {
            Kind::Array => (frame.head().count, true),
            Kind::Map => (frame.head().count / 2, false),
            Kind::Nil => (0, false),
            _ => return Err(BadForm),
        };
        Ok(Self { at: begin(frame), streams, is_wrapped, entries: 0, name: 0..0 })
    }

    /// The beginning of a list of entries, as XCLAIM gives.
    pub fn of_entries(frame: Frame<'_>) -> Result<Self, BadForm> {
        if frame.kind() != Kind::Array {
            return Err(BadForm);
        }
        Ok(Self { at: begin(frame), streams: 0, is_wrapped: false, entries: frame.head().count, name: 0..0 })
    }

    /// The next entry of the reply; none at its end.
    pub fn next(&mut self, frame: Frame<'_>) -> Result<Option<Found>, BadForm> {
        let end = frame.bytes().len();
        let mut walk = frame.walk_behind(self.at);
        loop {
            while self.entries == 0 {
                if self.streams == 0 {
                    return Ok(None);
                }
                self.begin_stream(&mut walk, end)?;
            }
            self.entries -= 1;
            let head = walk.next().ok_or(BadForm)?;
            if head.kind == Kind::Nil {
                // What an old server says of a deleted one that was claimed.
                self.at = end - walk.left();
                continue;
            }
            if (head.kind, head.count) != (Kind::Array, 2) {
                return Err(BadForm);
            }
            let id = string(&mut walk, end)?;
            let begin = end - walk.left();
            let fields = walk.next_frame(false).ok_or(BadForm)?.head();
            self.at = end - walk.left();
            let fields = match fields.kind {
                Kind::Array if fields.count.is_multiple_of(2) => Some(begin..self.at),
                Kind::Nil => None,
                _ => return Err(BadForm),
            };
            return Ok(Some(Found { stream: self.name.clone(), id, fields }));
        }
    }

    fn begin_stream(&mut self, walk: &mut Walk<'_>, end: usize) -> Result<(), BadForm> {
        self.streams -= 1;
        if self.is_wrapped && walk.next().is_none_or(|pair| (pair.kind, pair.count) != (Kind::Array, 2)) {
            return Err(BadForm);
        }
        self.name = string(walk, end)?;
        self.entries = match walk.next() {
            Some(entries) if entries.kind == Kind::Array => entries.count,
            Some(entries) if entries.kind == Kind::Nil => 0,
            _ => return Err(BadForm),
        };
        self.at = end - walk.left();
        Ok(())
    }
}

/// Where the elements of a reply begin.
fn begin(frame: Frame<'_>) -> usize {
    let mut walk = frame.walk();
    walk.next();
    frame.bytes().len() - walk.left()
}

/// Where the string that comes next lies.
#[inline]
fn string(walk: &mut Walk<'_>, end: usize) -> Result<Range<usize>, BadForm> {
    match walk.next() {
        Some(element) if element.kind == Kind::Bulk => {
            let end = end - walk.left() - b"\r\n".len();
            Ok(end - element.text.len()..end)
        }
        _ => Err(BadForm),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends by panicking")]
mod tests {
    use super::super::Framer;
    use super::*;

    fn read(reply: &[u8], is_list: bool) -> Result<Vec<String>, BadForm> {
        let length = Framer::default().find_end(reply).unwrap().unwrap().length;
        assert_eq!(length, reply.len());
        let frame = Frame::new(reply, false);
        let mut place = if is_list { Place::of_entries(frame)? } else { Place::of_streams(frame)? };
        let mut told = Vec::new();
        while let Some(found) = place.next(frame)? {
            let text = |range: Range<usize>| String::from_utf8(reply[range].to_vec()).unwrap();
            let fields = found.fields.map(|fields| text(fields).replace("\r\n", " "));
            told.push(format!("{} {} {fields:?}", text(found.stream), text(found.id)));
        }
        Ok(told)
    }

    #[test]
    fn entries_are_found_in_both_versions_of_resp() {
        let resp2 =
            b"*2\r\n*2\r\n$1\r\na\r\n*2\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n*2\r\n$3\r\n1-1\r\n*-1\r\n\
              *2\r\n$1\r\nb\r\n*1\r\n*2\r\n$3\r\n2-0\r\n*0\r\n";
        let resp3 = b"%2\r\n$1\r\na\r\n*2\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n*2\r\n$3\r\n1-1\r\n_\r\n\
              $1\r\nb\r\n*1\r\n*2\r\n$3\r\n2-0\r\n*0\r\n";
        for reply in [&resp2[..], &resp3[..]] {
            let expected = ["a 1-0 Some(\"*2 $1 f $1 v \")", "a 1-1 None", "b 2-0 Some(\"*0 \")"];
            assert_eq!(read(reply, false).unwrap(), expected);
        }
        for nothing in ["*-1\r\n", "_\r\n", "*0\r\n", "%1\r\n$1\r\na\r\n*0\r\n"] {
            assert!(read(nothing.as_bytes(), false).unwrap().is_empty(), "{nothing}");
        }
    }

    #[test]
    fn a_list_of_entries_may_have_holes() {
        let list = b"*3\r\n*-1\r\n*2\r\n$3\r\n1-0\r\n*0\r\n_\r\n";
        assert_eq!(read(list, true).unwrap(), [" 1-0 Some(\"*0 \")"]);
    }

    #[test]
    fn other_replies_are_refused_wherever_they_are_wrong() {
        for reply in [
            "+OK\r\n",
            "*1\r\n+OK\r\n",
            "*1\r\n*1\r\n$1\r\na\r\n",
            "%1\r\n:1\r\n*0\r\n",
            "%1\r\n$1\r\na\r\n:1\r\n",
            "%1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n",
            "%1\r\n$1\r\na\r\n*1\r\n*2\r\n:1\r\n*0\r\n",
            "%1\r\n$1\r\na\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*1\r\n$1\r\nx\r\n",
            "%1\r\n$1\r\na\r\n*1\r\n*2\r\n$3\r\n1-0\r\n:1\r\n",
        ] {
            assert!(read(reply.as_bytes(), false).is_err(), "{reply}");
        }
    }

    #[test]
    fn ids_are_read_and_ordered() {
        let id = |ms, seq| Some(EntryId { ms, seq });
        assert_eq!(EntryId::parse(b"1700000000000-12"), id(1_700_000_000_000, 12));
        assert_eq!(EntryId::parse_with(b"5", 7), id(5, 7));
        assert_eq!(EntryId::parse_with(b"5-1", 7), id(5, 1));
        assert_eq!(EntryId::parse(b"18446744073709551615-18446744073709551615"), id(u64::MAX, u64::MAX));
        for text in ["", "-", "1-", "-1", "1", "1-2-3", "a-1", "18446744073709551616-0", "+1-0"] {
            assert_eq!(EntryId::parse(text.as_bytes()), None, "{text}");
        }
        assert!(id(9, 9) < id(10, 0) && id(10, 0) < id(10, 1));
        assert_eq!(EntryId { ms: 3, seq: 4 }.to_string(), "3-4");
    }
}
