//! RESP2 and RESP3 into redis values, resumable at any byte. Reads nothing itself: the session feeds it.
//!
//! The redis crate's parser keeps neither the text of a double, nor a verbatim string or an error text that is not
//! UTF-8, and spends more time on a `+OK` than all the rest of a pipeline does. More than 100 levels of nesting are
//! refused here as there. What is declared is to have room in memory at once, but nothing is kept for what has not
//! arrived.

mod fault;
mod scalar;

use redis::{PushKind, Value};

use self::fault::{Declared, Fault};
use self::scalar::{copied, scalar, string, unknown_mark};
use crate::memory::has_room;

/// The format of a verbatim string that stands for a double with the server's own text; formats that servers send
/// have three letters.
pub const EXACT_DOUBLE: &str = "";

const MAX_DEPTH: usize = 100;
/// A line this long without an end is no RESP.
const MAX_LINE: usize = 64 * 1024 * 1024;
/// What is reserved for a long string before its bytes are there.
const FIRST_PIECE: usize = 64 * 1024;

/// What an aggregate becomes once its elements are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Array,
    Set,
    Map,
    Push,
    /// Attributes, then the value they belong to: only that is kept.
    Attribute,
}

/// An aggregate whose elements are still coming.
#[derive(Debug)]
struct Aggregate {
    kind: Kind,
    /// How many elements, or pairs, were declared.
    length: usize,
    left: u64,
    items: Vec<Value>,
}

/// What a string of a declared length becomes.
#[derive(Clone, Copy, Debug)]
enum Text {
    Bulk,
    Verbatim,
    Error,
}

/// A long string whose bytes are still coming; its CRLF counts as two of those that are left.
#[derive(Debug)]
struct Body {
    text: Text,
    bytes: Vec<u8>,
    length: usize,
}

/// The state between two pieces of input.
#[derive(Debug, Default)]
pub struct Decoder {
    open: Vec<Aggregate>,
    body: Option<Body>,
    /// How many bytes of an unended line were searched for its end.
    searched: usize,
}

/// What [`Decoder::decode`] made of a piece: how many bytes it used up, and a value if one is complete.
pub type Decoded = (usize, Option<Value>);

enum Element {
    Complete(Value),
    /// An aggregate was opened, or the element is still coming.
    Opened,
    Incomplete,
}

impl Decoder {
    /// Decodes up to the end of one top-level value. Bytes that were not used are to be given again, with more.
    /// After an error, which says why, nothing more can be decoded.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<Decoded, String> {
        self.advance(bytes).map_err(|fault| match fault {
            Fault::Rubbish(why) => why,
            Fault::NoRoom(part) => self.describe_no_room(part),
        })
    }

    /// Says what memory has no room for: the whole reply, and the part where that showed. What came of it is let go
    /// first, so that there is room for the words.
    fn describe_no_room(&mut self, part: Declared) -> String {
        let whole = self.open.first().map(|outermost| Declared::Aggregate(outermost.kind, outermost.length));
        self.open.clear();
        self.body = None;
        match whole.filter(|whole| *whole != part) {
            Some(whole) => format!("memory has no room for {part} in {whole}"),
            None => format!("memory has no room for {part}"),
        }
    }

    fn advance(&mut self, bytes: &[u8]) -> Result<Decoded, Fault> {
        // Most replies of a bulk load.
        if self.open.is_empty() && self.body.is_none() && bytes.starts_with(b"+OK\r\n") {
            self.searched = 0;
            return Ok((5, Some(Value::Okay)));
        }
        let mut at = 0;
        loop {
            let element =
                if self.body.is_some() { self.continue_body(bytes, &mut at)? } else { self.element(bytes, &mut at)? };
            match element {
                Element::Complete(value) if self.open.is_empty() => return Ok((at, Some(value))),
                Element::Complete(value) => {
                    if let Some(value) = self.close(value)? {
                        return Ok((at, Some(value)));
                    }
                }
                Element::Opened => {}
                Element::Incomplete => return Ok((at, None)),
            }
        }
    }

    /// Puts a value where it belongs: into the innermost open aggregate, which may complete it, and so on.
    fn close(&mut self, mut value: Value) -> Result<Option<Value>, Fault> {
        loop {
            let Some(aggregate) = self.open.last_mut() else { return Ok(Some(value)) };
            if aggregate.items.len() == aggregate.items.capacity() {
                let declared = Declared::Aggregate(aggregate.kind, aggregate.length);
                aggregate.items.try_reserve(1).map_err(declared.no_room())?;
            }
            aggregate.items.push(value);
            aggregate.left -= 1;
            if aggregate.left > 0 {
                return Ok(None);
            }
            let Some(Aggregate { kind, items, .. }) = self.open.pop() else { return Ok(None) };
            value = build(kind, items)?;
        }
    }

    fn element(&mut self, bytes: &[u8], at: &mut usize) -> Result<Element, Fault> {
        let waiting = &bytes[*at..];
        let Some(end) = memchr::memchr(b'\n', &waiting[self.searched.min(waiting.len())..]) else {
            self.searched = waiting.len();
            if waiting.len() > MAX_LINE {
                return Err("a line does not end".to_owned().into());
            }
            return if waiting.first().is_none_or(|mark| MARKS.contains(mark)) {
                Ok(Element::Incomplete)
            } else {
                Err(unknown_mark(waiting[0]).into())
            };
        };
        let end = self.searched + end;
        self.searched = 0;
        let Some(line) = waiting.get(1..end.saturating_sub(1)).filter(|_| waiting[end - 1] == b'\r') else {
            let shown = waiting[..end.min(40)].escape_ascii();
            return Err(format!("'{shown}' is no line of RESP").into());
        };
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} levels of nesting").into());
        }
        *at += end + 1;
        let mark = waiting[0];
        match mark {
            b'$' | b'=' | b'!' => match length(line, mark)? {
                None => Ok(Element::Complete(Value::Nil)),
                Some(length) => self.begin_body(mark, length, bytes, at),
            },
            b'*' | b'~' | b'%' | b'|' | b'>' => match length(line, mark)? {
                None => Ok(Element::Complete(Value::Nil)),
                Some(length) => self.begin_aggregate(mark, length, bytes.len() - *at),
            },
            mark => scalar(mark, line).map(Element::Complete),
        }
    }

    fn begin_aggregate(&mut self, mark: u8, length: usize, available: usize) -> Result<Element, Fault> {
        let count = length as u64;
        let (kind, left) = match mark {
            b'*' => (Kind::Array, Some(count)),
            b'~' => (Kind::Set, Some(count)),
            b'>' => (Kind::Push, Some(count)),
            b'%' => (Kind::Map, count.checked_mul(2)),
            _ => (Kind::Attribute, count.checked_mul(2).and_then(|count| count.checked_add(1))),
        };
        let left = left.ok_or_else(|| format!("a length of {length} is impossible"))?;
        if left == 0 {
            return build(kind, Vec::new()).map(Element::Complete);
        }
        let declared = Declared::Aggregate(kind, length);
        let count = usize::try_from(left).unwrap_or(usize::MAX);
        // An element has three bytes at least.
        let likely = count.min(available / 3 + 1);
        if likely < count && !has_room(count.saturating_mul(size_of::<Value>())) {
            return Err(Fault::NoRoom(declared));
        }
        let mut items = Vec::new();
        items.try_reserve_exact(likely).map_err(declared.no_room())?;
        self.open.push(Aggregate { kind, length, left, items });
        Ok(Element::Opened)
    }

    fn begin_body(&mut self, mark: u8, length: usize, bytes: &[u8], at: &mut usize) -> Result<Element, Fault> {
        let text = match mark {
            b'$' => Text::Bulk,
            b'=' => Text::Verbatim,
            _ => Text::Error,
        };
        let waiting = &bytes[*at..];
        if let Some(ending) = length.checked_add(2).and_then(|end| waiting.get(length..end)) {
            check_ending(ending)?;
            let value = string(text, copied(&waiting[..length])?)?;
            *at += length + 2;
            return Ok(Element::Complete(value));
        }
        let declared = Declared::Bytes(length);
        if length > FIRST_PIECE && !has_room(length) {
            return Err(Fault::NoRoom(declared));
        }
        let mut piece = Vec::new();
        piece.try_reserve_exact(length.min(FIRST_PIECE)).map_err(declared.no_room())?;
        self.body = Some(Body { text, bytes: piece, length });
        self.continue_body(bytes, at)
    }

    fn continue_body(&mut self, bytes: &[u8], at: &mut usize) -> Result<Element, Fault> {
        let Some(body) = &mut self.body else { return Ok(Element::Incomplete) };
        let waiting = &bytes[*at..];
        let piece = waiting.len().min(body.length - body.bytes.len());
        if body.bytes.capacity() - body.bytes.len() < piece {
            // Twice as much as has come, but never more than was declared.
            let capacity = (body.bytes.capacity() * 2).max(body.bytes.len() + piece).min(body.length);
            let declared = Declared::Bytes(body.length);
            body.bytes.try_reserve_exact(capacity - body.bytes.len()).map_err(declared.no_room())?;
        }
        body.bytes.extend_from_slice(&waiting[..piece]);
        *at += piece;
        let Some(ending) = waiting.get(piece..piece + 2).filter(|_| body.bytes.len() == body.length) else {
            return Ok(Element::Incomplete);
        };
        check_ending(ending)?;
        *at += 2;
        match self.body.take() {
            Some(body) => string(body.text, body.bytes).map(Element::Complete),
            None => Ok(Element::Incomplete),
        }
    }
}

const MARKS: &[u8] = b"+-:$*_#,(!=%~|>";

fn check_ending(ending: &[u8]) -> Result<(), String> {
    if ending == b"\r\n" { Ok(()) } else { Err("a string is longer than was declared".to_owned()) }
}

/// A declared length; -1 is RESP2's nil.
fn length(line: &[u8], mark: u8) -> Result<Option<usize>, String> {
    match line {
        b"-1" if matches!(mark, b'$' | b'*') => Ok(None),
        [b'0'..=b'9', ..] if line.len() < 20 => {
            let mut length = 0_usize;
            for digit in line {
                if !digit.is_ascii_digit() {
                    return Err(no_length(line));
                }
                length = length.saturating_mul(10).saturating_add(usize::from(digit - b'0'));
            }
            Ok(Some(length))
        }
        _ => Err(no_length(line)),
    }
}

fn no_length(line: &[u8]) -> String {
    format!("'{}' is no length", line[..line.len().min(40)].escape_ascii())
}

fn build(kind: Kind, mut items: Vec<Value>) -> Result<Value, Fault> {
    match kind {
        Kind::Array => Ok(Value::Array(items)),
        Kind::Set => Ok(Value::Set(items)),
        Kind::Map => {
            let count = items.len() / 2;
            let mut pairs = Vec::new();
            pairs.try_reserve_exact(count).map_err(Declared::Aggregate(kind, count).no_room())?;
            let mut items = items.into_iter();
            while let (Some(key), Some(value)) = (items.next(), items.next()) {
                pairs.push((key, value));
            }
            Ok(Value::Map(pairs))
        }
        Kind::Attribute => items.pop().ok_or_else(|| "an attribute without a value".to_owned().into()),
        Kind::Push => {
            if items.is_empty() {
                return Err("a push without a kind".to_owned().into());
            }
            let kind = match items.remove(0) {
                Value::BulkString(name) => String::from_utf8_lossy(&name).into_owned(),
                Value::SimpleString(name) => name,
                _ => return Err("a push without a kind".to_owned().into()),
            };
            Ok(Value::Push { kind: push_kind(kind), data: items })
        }
    }
}

fn push_kind(name: String) -> PushKind {
    match name.as_str() {
        "invalidate" => PushKind::Invalidate,
        "message" => PushKind::Message,
        "pmessage" => PushKind::PMessage,
        "smessage" => PushKind::SMessage,
        "subscribe" => PushKind::Subscribe,
        "psubscribe" => PushKind::PSubscribe,
        "ssubscribe" => PushKind::SSubscribe,
        "unsubscribe" => PushKind::Unsubscribe,
        "punsubscribe" => PushKind::PUnsubscribe,
        "sunsubscribe" => PushKind::SUnsubscribe,
        _ => PushKind::Other(name),
    }
}

#[cfg(test)]
mod tests;
