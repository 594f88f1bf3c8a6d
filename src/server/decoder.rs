//! RESP2 and RESP3 into redis values, resumable at any byte. Reads nothing itself: the session feeds it.
//!
//! The redis crate's parser keeps neither the text of a double, nor a verbatim string or an error text that is not
//! UTF-8, and spends more time on a `+OK` than all the rest of a pipeline does. More than 100 levels of nesting are
//! refused here as there. Nothing is reserved for what has not arrived.

use redis::{PushKind, Value, VerbatimFormat};

use crate::request::error_words;

/// The format of a verbatim string that stands for a double with the server's own text; formats that servers send
/// have three letters.
pub const EXACT_DOUBLE: &str = "";

const MAX_DEPTH: usize = 100;
/// A line this long without an end is no RESP.
const MAX_LINE: usize = 64 * 1024 * 1024;
/// What is reserved for a long string before its bytes are there.
const FIRST_PIECE: usize = 64 * 1024;

/// What an aggregate becomes once its elements are there.
#[derive(Clone, Copy, Debug)]
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
    pub fn decode(&mut self, bytes: &[u8]) -> Result<Decoded, String> {
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
    fn close(&mut self, mut value: Value) -> Result<Option<Value>, String> {
        loop {
            let Some(aggregate) = self.open.last_mut() else { return Ok(Some(value)) };
            aggregate.items.push(value);
            aggregate.left -= 1;
            if aggregate.left > 0 {
                return Ok(None);
            }
            let Some(Aggregate { kind, items, .. }) = self.open.pop() else { return Ok(None) };
            value = build(kind, items)?;
        }
    }

    fn element(&mut self, bytes: &[u8], at: &mut usize) -> Result<Element, String> {
        let waiting = &bytes[*at..];
        let Some(end) = memchr::memchr(b'\n', &waiting[self.searched.min(waiting.len())..]) else {
            self.searched = waiting.len();
            if waiting.len() > MAX_LINE {
                return Err("a line does not end".to_owned());
            }
            return if waiting.first().is_none_or(|mark| MARKS.contains(mark)) {
                Ok(Element::Incomplete)
            } else {
                Err(unknown_mark(waiting[0]))
            };
        };
        let end = self.searched + end;
        self.searched = 0;
        let Some(line) = waiting.get(1..end.saturating_sub(1)).filter(|_| waiting[end - 1] == b'\r') else {
            let shown = waiting[..end.min(40)].escape_ascii();
            return Err(format!("'{shown}' is no line of RESP"));
        };
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} levels of nesting"));
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

    fn begin_aggregate(&mut self, mark: u8, length: usize, available: usize) -> Result<Element, String> {
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
        // An element has three bytes at least.
        let likely = usize::try_from(left).unwrap_or(usize::MAX).min(available / 3 + 1);
        self.open.push(Aggregate { kind, left, items: Vec::with_capacity(likely) });
        Ok(Element::Opened)
    }

    fn begin_body(&mut self, mark: u8, length: usize, bytes: &[u8], at: &mut usize) -> Result<Element, String> {
        let text = match mark {
            b'$' => Text::Bulk,
            b'=' => Text::Verbatim,
            _ => Text::Error,
        };
        let waiting = &bytes[*at..];
        if let Some(ending) = length.checked_add(2).and_then(|end| waiting.get(length..end)) {
            check_ending(ending)?;
            let value = string(text, waiting[..length].to_vec())?;
            *at += length + 2;
            return Ok(Element::Complete(value));
        }
        self.body = Some(Body { text, bytes: Vec::with_capacity(length.min(FIRST_PIECE)), length });
        self.continue_body(bytes, at)
    }

    fn continue_body(&mut self, bytes: &[u8], at: &mut usize) -> Result<Element, String> {
        let Some(body) = &mut self.body else { return Ok(Element::Incomplete) };
        let waiting = &bytes[*at..];
        let piece = waiting.len().min(body.length - body.bytes.len());
        if body.bytes.capacity() - body.bytes.len() < piece {
            // Twice as much as has come, but never more than was declared.
            let capacity = (body.bytes.capacity() * 2).max(body.bytes.len() + piece).min(body.length);
            body.bytes.reserve_exact(capacity - body.bytes.len());
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

fn unknown_mark(mark: u8) -> String {
    format!("'{}' begins no reply", mark.escape_ascii())
}

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

fn scalar(mark: u8, line: &[u8]) -> Result<Value, String> {
    let bad = |what: &str| format!("'{}' is no {what}", line[..line.len().min(40)].escape_ascii());
    let text = std::str::from_utf8(line);
    match mark {
        b'+' if line == b"OK" => Ok(Value::Okay),
        b'+' => Ok(text.map_or_else(|_| Value::BulkString(line.to_vec()), |text| Value::SimpleString(text.to_owned()))),
        b':' => text.ok().and_then(|text| text.parse().ok()).map(Value::Int).ok_or_else(|| bad("integer")),
        b'_' if line.is_empty() => Ok(Value::Nil),
        b'#' if line == b"t" => Ok(Value::Boolean(true)),
        b'#' if line == b"f" => Ok(Value::Boolean(false)),
        b'#' => Err(bad("boolean")),
        b',' => text.ok().and_then(double).ok_or_else(|| bad("double")),
        b'(' => Ok(Value::BigNumber(line.to_vec())),
        b'-' => error(line),
        other => Err(unknown_mark(other)),
    }
}

/// A double as the text it is: a number would not give the server's own digits back.
fn double(text: &str) -> Option<Value> {
    let _: f64 = text.parse().ok()?;
    Some(Value::VerbatimString { format: VerbatimFormat::Unknown(EXACT_DOUBLE.to_owned()), text: text.to_owned() })
}

fn error(text: &[u8]) -> Result<Value, String> {
    let text = error_words(text);
    let text = text.as_bytes();
    // The crate makes its errors only from RESP; this form holds line ends too.
    let resp = [b"!", text.len().to_string().as_bytes(), b"\r\n", text, b"\r\n"].concat();
    redis::parse_redis_value(&resp).map_err(|error| error.to_string())
}

fn string(text: Text, bytes: Vec<u8>) -> Result<Value, String> {
    match text {
        Text::Bulk => Ok(Value::BulkString(bytes)),
        Text::Error => error(&bytes),
        Text::Verbatim => match std::str::from_utf8(&bytes).ok().and_then(|text| text.split_once(':')) {
            Some(("txt", text)) => Ok(Value::VerbatimString { format: VerbatimFormat::Text, text: text.to_owned() }),
            Some(("mkd", text)) => {
                Ok(Value::VerbatimString { format: VerbatimFormat::Markdown, text: text.to_owned() })
            }
            Some((format, text)) if format.len() == 3 => {
                Ok(Value::VerbatimString { format: VerbatimFormat::Unknown(format.to_owned()), text: text.to_owned() })
            }
            // Not UTF-8: the bytes are kept, the format is not.
            _ if bytes.get(3) == Some(&b':') => Ok(Value::BulkString(bytes[4..].to_vec())),
            _ => Err("a verbatim string has no format".to_owned()),
        },
    }
}

fn build(kind: Kind, mut items: Vec<Value>) -> Result<Value, String> {
    match kind {
        Kind::Array => Ok(Value::Array(items)),
        Kind::Set => Ok(Value::Set(items)),
        Kind::Map => {
            let mut items = items.into_iter();
            let mut pairs = Vec::with_capacity(items.len() / 2);
            while let (Some(key), Some(value)) = (items.next(), items.next()) {
                pairs.push((key, value));
            }
            Ok(Value::Map(pairs))
        }
        Kind::Attribute => items.pop().ok_or_else(|| "an attribute without a value".to_owned()),
        Kind::Push => {
            let mut items = items.into_iter();
            let kind = match items.next() {
                Some(Value::BulkString(name)) => String::from_utf8_lossy(&name).into_owned(),
                Some(Value::SimpleString(name)) => name,
                _ => return Err("a push without a kind".to_owned()),
            };
            Ok(Value::Push { kind: push_kind(kind), data: items.collect() })
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
