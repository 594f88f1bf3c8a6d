//! JSON Lines: exactly one line a record, valid JSON whatever the server sends (contract section 2).
//!
//! Strings that are not UTF-8 are `{"base64":"…"}`, errors `{"error":{"code","message"}}`, and maps with keys that
//! cannot be names are arrays of `[key, value]`.

use std::collections::HashSet;
use std::io::{self, Write};

use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;
use redis::{PushKind, ServerError, Value};
use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use super::{Style, is_exact_double};
use crate::number::double_text;
use crate::request::Request;

/// Writes a reply as one line.
pub fn reply(out: &mut impl Write, style: &Style, value: &Value) -> io::Result<()> {
    // Most replies of a pipeline.
    if matches!(value, Value::Okay) {
        return out.write_all(b"\"OK\"\n");
    }
    line(out, &Json { value, base64: style.base64 })
}

/// Writes an out-of-band push as `{"push":[…]}`.
pub fn push(out: &mut impl Write, style: &Style, value: &Value) -> io::Result<()> {
    #[derive(serde::Serialize)]
    struct Push<'a> {
        push: Json<'a>,
    }
    line(out, &Push { push: Json { value, base64: style.base64 } })
}

/// Writes a reply with its command (`pipe --envelope`): an error stands in place of the reply.
pub fn envelope(out: &mut impl Write, style: &Style, index: u64, request: &Request, value: &Value) -> io::Result<()> {
    #[derive(serde::Serialize)]
    struct Envelope<'a> {
        index: u64,
        line: u64,
        command: Vec<Bytes<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reply: Option<Json<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<ErrorBody<'a>>,
    }
    let base64 = style.base64;
    let error = if let Value::ServerError(error) = value { Some(ErrorBody::of(error)) } else { None };
    line(
        out,
        &Envelope {
            index,
            line: request.line,
            command: request.args().map(|bytes| Bytes { bytes, base64 }).collect(),
            reply: error.is_none().then_some(Json { value, base64 }),
            error,
        },
    )
}

fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// Bytes as a JSON string, or as `{"base64":"…"}`.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a> {
    pub bytes: &'a [u8],
    pub base64: bool,
}

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(self.bytes) {
            Ok(text) if !self.base64 => serializer.serialize_str(text),
            _ => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("base64", &DisplayBase64(self.bytes))?;
                map.end()
            }
        }
    }
}

/// Base64 text, written piece by piece: a large string is not copied.
struct DisplayBase64<'a>(&'a [u8]);

impl Serialize for DisplayBase64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &BASE64_STANDARD))
    }
}

#[derive(serde::Serialize)]
struct ErrorBody<'a> {
    code: &'a str,
    message: &'a str,
}

impl<'a> ErrorBody<'a> {
    fn of(error: &'a ServerError) -> Self {
        Self { code: error.code(), message: error.details().unwrap_or_default() }
    }
}

/// A value as the contract's table says.
struct Json<'a> {
    value: &'a Value,
    base64: bool,
}

impl<'a> Json<'a> {
    fn of(&self, value: &'a Value) -> Self {
        Self { value, base64: self.base64 }
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Nil => serializer.serialize_unit(),
            Value::Int(number) => serializer.serialize_i64(*number),
            Value::BulkString(bytes) => Bytes { bytes, base64: self.base64 }.serialize(serializer),
            Value::VerbatimString { format, text } if is_exact_double(format) => raw_number(text, serializer),
            Value::SimpleString(text) | Value::VerbatimString { text, .. } => serializer.serialize_str(text),
            Value::Okay => serializer.serialize_str("OK"),
            Value::Boolean(value) => serializer.serialize_bool(*value),
            Value::Double(number) => double(*number, serializer),
            Value::BigNumber(digits) => raw_number(&String::from_utf8_lossy(digits), serializer),
            Value::Array(items) | Value::Set(items) => sequence(items.iter().map(|item| self.of(item)), serializer),
            Value::Map(pairs) => self.map(pairs, serializer),
            Value::Attribute { data, .. } => self.of(data).serialize(serializer),
            Value::Push { kind, data } => {
                let mut sequence = serializer.serialize_seq(Some(data.len() + 1))?;
                sequence.serialize_element(push_name(kind))?;
                for item in data {
                    sequence.serialize_element(&self.of(item))?;
                }
                sequence.end()
            }
            Value::ServerError(error) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("error", &ErrorBody::of(error))?;
                map.end()
            }
            // The crate's enum may grow.
            other => serializer.collect_str(&format_args!("{other:?}")),
        }
    }
}

impl Json<'_> {
    fn map<S: Serializer>(&self, pairs: &[(Value, Value)], serializer: S) -> Result<S::Ok, S::Error> {
        let Some(names) = self.names(pairs) else {
            return sequence(pairs.iter().map(|(key, value)| [self.of(key), self.of(value)]), serializer);
        };
        let mut map = serializer.serialize_map(Some(pairs.len()))?;
        for (name, (_, value)) in names.iter().zip(pairs) {
            map.serialize_entry(name.as_ref(), &self.of(value))?;
        }
        map.end()
    }

    /// The keys as names; none if one cannot be a name, or if two would be the same.
    fn names<'a>(&self, pairs: &'a [(Value, Value)]) -> Option<Vec<std::borrow::Cow<'a, str>>> {
        let names = pairs.iter().map(|(key, _)| name(key, self.base64)).collect::<Option<Vec<_>>>()?;
        // Strings alone are distinct already; `1` and `"1"` would meet.
        let is_mixed = pairs.iter().any(|(key, _)| !matches!(key, Value::BulkString(_)));
        if is_mixed && names.iter().collect::<HashSet<_>>().len() < names.len() {
            return None;
        }
        Some(names)
    }
}

/// A map's key as an object's name.
fn name(key: &Value, base64: bool) -> Option<std::borrow::Cow<'_, str>> {
    match key {
        Value::BulkString(bytes) if !base64 => std::str::from_utf8(bytes).ok().map(Into::into),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.into()),
        Value::Okay => Some("OK".into()),
        Value::Int(number) => Some(number.to_string().into()),
        Value::Double(number) => Some(double_text(*number).into()),
        Value::BigNumber(digits) => std::str::from_utf8(digits).ok().map(Into::into),
        Value::Boolean(value) => Some(value.to_string().into()),
        Value::Attribute { data, .. } => name(data, base64),
        _ => None,
    }
}

fn sequence<S: Serializer>(
    items: impl ExactSizeIterator<Item = impl Serialize>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut sequence = serializer.serialize_seq(Some(items.len()))?;
    for item in items {
        sequence.serialize_element(&item)?;
    }
    sequence.end()
}

/// A number; JSON has no infinities and no NaN, so those are strings.
fn double<S: Serializer>(number: f64, serializer: S) -> Result<S::Ok, S::Error> {
    if number.is_nan() {
        serializer.serialize_str("nan")
    } else if number.is_infinite() {
        serializer.serialize_str(if number > 0.0 { "inf" } else { "-inf" })
    } else {
        serializer.serialize_f64(number)
    }
}

/// A number with every digit that the server wrote; a string if that is no JSON number.
fn raw_number<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    match serde_json::value::RawValue::from_string(text.to_owned()) {
        Ok(raw) if is_number => raw.serialize(serializer),
        _ => serializer.serialize_str(text),
    }
}

fn push_name(kind: &PushKind) -> &str {
    match kind {
        PushKind::Disconnection => "disconnection",
        PushKind::Other(name) => name,
        PushKind::Invalidate => "invalidate",
        PushKind::Message => "message",
        PushKind::PMessage => "pmessage",
        PushKind::SMessage => "smessage",
        PushKind::Unsubscribe => "unsubscribe",
        PushKind::PUnsubscribe => "punsubscribe",
        PushKind::SUnsubscribe => "sunsubscribe",
        PushKind::Subscribe => "subscribe",
        PushKind::PSubscribe => "psubscribe",
        PushKind::SSubscribe => "ssubscribe",
        other => {
            let _ = other;
            "other"
        }
    }
}
