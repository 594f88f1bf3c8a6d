//! Answers to what rcli itself has asked, as the redis crate reads them.

use redis::{ServerError, Value};

use super::error::error_words;
use super::frame::Frame;

/// The reply as a value of the redis crate. What its parser refuses, of all that a framer passes, is told in words.
pub fn value_of(frame: Frame<'_>) -> Result<Value, String> {
    if frame.is_error() {
        // Its parser takes errors in UTF-8 only, and this form holds line ends too.
        let words = error_words(frame.head().text);
        return parse(format!("!{}\r\n{words}\r\n", words.len()).as_bytes());
    }
    parse(frame.bytes())
}

fn parse(bytes: &[u8]) -> Result<Value, String> {
    // Its own words are about its grammar.
    redis::parse_redis_value(bytes).map_err(|_| "more than 100 levels, or text that is not UTF-8".to_owned())
}

/// A field of a map, which is a flat array in RESP2.
pub fn field_of<'v>(fields: &'v Value, name: &str) -> Option<&'v Value> {
    fields.as_map_iter()?.find(|(key, _)| text_of(key) == Some(name)).map(|(_, value)| value)
}

/// The text of a string reply.
pub fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text),
        Value::Okay => Some("OK"),
        _ => None,
    }
}

/// The same to stand within a message: without a full stop at the end.
pub fn error_reason(error: &ServerError) -> String {
    let mut text = error_text(error);
    text.truncate(text.trim_end_matches(['.', ' ']).len());
    text
}

/// The server's own words: `CODE message`.
pub(super) fn error_text(error: &ServerError) -> String {
    match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    }
}
