//! JSON Lines: exactly one line a record, valid JSON whatever the server sends (contract section 2).
//!
//! Strings that are not UTF-8 are `{"base64":"…"}`, errors `{"error":{"code","message"}}`, and maps with keys that
//! cannot be names are arrays of `[key, value]`.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::{self, Write};

use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;
use redis::{PushKind, ServerError, Value};
use serde::ser::{Error as _, Serialize, SerializeMap as _, SerializeSeq as _, Serializer};
use serde_json::value::RawValue;

use super::{Style, is_exact_double};
use crate::request::Request;
use crate::server::error_text;

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
    message: Cow<'a, str>,
}

impl<'a> ErrorBody<'a> {
    /// A first word that is no code of the server's is where the message begins (`Index already exists`).
    fn of(error: &'a ServerError) -> Self {
        let is_code = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        if error.code().bytes().all(is_code) && !error.code().is_empty() {
            Self { code: error.code(), message: error.details().unwrap_or_default().into() }
        } else {
            Self { code: "", message: error_text(error).into() }
        }
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
            Value::VerbatimString { format, text } if is_exact_double(format) => number(text, serializer),
            Value::SimpleString(text) | Value::VerbatimString { text, .. } => serializer.serialize_str(text),
            Value::Okay => serializer.serialize_str("OK"),
            Value::Boolean(value) => serializer.serialize_bool(*value),
            Value::BigNumber(digits) => number(&String::from_utf8_lossy(digits), serializer),
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
        if !self.have_names(pairs).map_err(S::Error::custom)? {
            return sequence(pairs.iter().map(|(key, value)| [self.of(key), self.of(value)]), serializer);
        }
        let mut map = serializer.serialize_map(Some(pairs.len()))?;
        for (key, value) in pairs {
            map.serialize_entry(&name(key, self.base64).unwrap_or_default(), &self.of(value))?;
        }
        map.end()
    }

    /// Whether each key can be a name, and no two are the same: most readers of JSON keep the last of those only.
    fn have_names(&self, pairs: &[(Value, Value)]) -> Result<bool, String> {
        // Among so few, looking is faster than hashing.
        const FEW: usize = 8;
        let mut keys = pairs.iter().map(|(key, _)| name(key, self.base64));
        if pairs.len() > FEW {
            let mut names = HashSet::new();
            let no_room = |_| format!("memory has no room for the names of a map of {} pairs", pairs.len());
            names.try_reserve(pairs.len()).map_err(no_room)?;
            return Ok(keys.all(|name| name.is_some_and(|name| names.insert(name))));
        }
        let mut names: [Cow<'_, str>; FEW] = Default::default();
        Ok(keys.enumerate().all(|(at, name)| {
            let is_new = name.as_ref().is_some_and(|name| !names[..at].contains(name));
            names[at] = name.unwrap_or_default();
            is_new
        }))
    }
}

/// A map's key as an object's name.
fn name(key: &Value, base64: bool) -> Option<Cow<'_, str>> {
    match key {
        Value::BulkString(bytes) if !base64 => std::str::from_utf8(bytes).ok().map(Into::into),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.into()),
        Value::Okay => Some("OK".into()),
        Value::Int(number) => Some(number.to_string().into()),
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

/// A number with every digit that the server wrote; a string if that is no JSON number (`inf`, `nan`, `.5`).
fn number<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let begins = |byte: &u8| *byte == b'-' || byte.is_ascii_digit();
    match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) if text.as_bytes().first().is_some_and(begins) && raw.get() == text => raw.serialize(serializer),
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
