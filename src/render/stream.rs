//! What streams give, in the three formats: redis-py's dictionaries as JSON Lines, payloads only, or redis-cli's frames
//! (contract sections 8 and 9).

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

use redis::Value;
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::json::{Bytes, line};
use super::{Format, Style, human};
use crate::message::{Data, Message};
use crate::monitor_line::MonitorLine;
use crate::record::Event;

/// A message or confirmation. Raw output is payload only: a confirmation has none and leaves no trace.
pub fn message(
    out: &mut impl Write,
    style: &Style,
    message: &Message,
    time: Option<Duration>,
    node: Option<&str>,
) -> io::Result<()> {
    match style.format {
        Format::Json => {
            let bytes = |bytes| Bytes { bytes, base64: style.base64 };
            line(
                out,
                &Dictionary {
                    kind: message.kind.name(),
                    pattern: message.pattern.as_deref().map(bytes),
                    channel: bytes(&message.channel),
                    data: match &message.data {
                        Data::Count(count) => JsonData::Count(*count),
                        Data::Payload(payload) => nested(payload, style).unwrap_or(JsonData::Bytes(bytes(payload))),
                    },
                    node,
                    time: time.map(Micros),
                },
            )
        }
        Format::Raw => match &message.data {
            Data::Count(_) => Ok(()),
            Data::Payload(payload) => {
                out.write_all(payload)?;
                out.write_all(&style.reply_delimiter)
            }
        },
        Format::Human => human::reply(out, style, &frame(message), false),
    }
}

/// A monitored command. Raw and human are the server's own line.
pub fn monitored(
    out: &mut impl Write,
    style: &Style,
    text: &str,
    monitored: &MonitorLine<'_>,
    node: Option<&str>,
) -> io::Result<()> {
    #[derive(serde::Serialize)]
    struct Monitored<'a> {
        time: &'a RawValue,
        db: u64,
        client_address: &'a str,
        client_port: &'a str,
        client_type: &'a str,
        command: &'a str,
        args: Args<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        node: Option<&'a str>,
    }
    match style.format {
        Format::Json => line(
            out,
            &Monitored {
                time: serde_json::from_str(monitored.time)?,
                db: monitored.db,
                client_address: monitored.address,
                client_port: monitored.port,
                client_type: monitored.client.name(),
                command: &monitored.command(),
                args: Args { line: monitored, base64: style.base64 },
                node,
            },
        ),
        Format::Raw => {
            out.write_all(text.as_bytes())?;
            out.write_all(&style.reply_delimiter)
        }
        Format::Human => human::reply(out, style, &Value::SimpleString(text.to_owned()), false),
    }
}

/// What happened to the connection. Raw output has no place for it.
pub fn event(
    out: &mut impl Write,
    style: &Style,
    event: &Event,
    time: Option<Duration>,
    server: &str,
) -> io::Result<()> {
    #[derive(serde::Serialize)]
    struct Line<'a> {
        r#type: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        gap: Option<f64>,
        server: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        time: Option<Micros>,
    }
    let (r#type, reason, gap) = match event {
        Event::Disconnected { reason } => ("disconnected", Some(reason.as_str()), None),
        Event::Reconnected { gap } => ("reconnected", None, Some(seconds(*gap))),
    };
    match style.format {
        Format::Json => line(out, &Line { r#type, reason, gap, server, time: time.map(Micros) }),
        Format::Human => {
            let told = reason.map_or_else(|| format!("after {} s", gap.unwrap_or_default()), str::to_owned);
            human::reply(out, style, &Value::SimpleString(format!("({type}) {server}: {told}")), false)
        }
        Format::Raw => Ok(()),
    }
}

/// Seconds with the milliseconds kept.
fn seconds(duration: Duration) -> f64 {
    // A gap is far below 2^52 ms.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a gap fit")]
    let millis = duration.as_millis() as f64;
    millis / 1000.0
}

/// The dictionary of a message, its keys in the contract's order.
#[derive(serde::Serialize)]
struct Dictionary<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    pattern: Option<Bytes<'a>>,
    channel: Bytes<'a>,
    data: JsonData<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Micros>,
}

#[derive(serde::Serialize)]
#[serde(untagged)]
enum JsonData<'a> {
    Count(i64),
    Bytes(Bytes<'a>),
    Nested(&'a RawValue),
    NestedLines(Box<RawValue>),
}

/// The payload as JSON, every digit kept, if that is asked for and it is JSON.
fn nested<'a>(payload: &'a [u8], style: &Style) -> Option<JsonData<'a>> {
    if !style.nest_json {
        return None;
    }
    let raw: &RawValue = serde_json::from_slice(payload).ok()?;
    match one_line(raw.get()) {
        Cow::Borrowed(_) => Some(JsonData::Nested(raw)),
        Cow::Owned(text) => RawValue::from_string(text).ok().map(JsonData::NestedLines),
    }
}

/// JSON on one line: in valid JSON line ends stand between tokens only, where nothing needs them.
fn one_line(json: &str) -> Cow<'_, str> {
    if memchr::memchr2(b'\n', b'\r', json.as_bytes()).is_none() {
        return Cow::Borrowed(json);
    }
    Cow::Owned(json.replace(['\n', '\r'], ""))
}

/// Seconds since 1970 as a number with six decimals.
#[derive(Clone, Copy)]
struct Micros(Duration);

impl Serialize for Micros {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = format!("{}.{:06}", self.0.as_secs(), self.0.subsec_micros());
        RawValue::from_string(text).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

struct Args<'a> {
    line: &'a MonitorLine<'a>,
    base64: bool,
}

impl Serialize for Args<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq as _;
        let args = self.line.args();
        let mut sequence = serializer.serialize_seq(Some(args.len()))?;
        for arg in args {
            sequence.serialize_element(&Bytes { bytes: &arg, base64: self.base64 })?;
        }
        sequence.end()
    }
}

/// The frame as the server sent it.
fn frame(message: &Message) -> Value {
    let bulk = |bytes: &[u8]| Value::BulkString(bytes.to_vec());
    let mut items = vec![bulk(message.kind.name().as_bytes())];
    items.extend(message.pattern.as_deref().map(bulk));
    items.push(bulk(&message.channel));
    items.push(match &message.data {
        Data::Count(count) => Value::Int(*count),
        Data::Payload(payload) => bulk(payload),
    });
    Value::Array(items)
}
