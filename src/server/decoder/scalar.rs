//! Values without elements: from the line that they are, or from the bytes that were declared.

use redis::{Value, VerbatimFormat};

use super::fault::{Declared, Fault};
use super::{EXACT_DOUBLE, Text};
use crate::memory::{copy, has_room};
use crate::text::{Escape, printable_bytes};

/// The fault of a byte that no value begins with.
pub fn unknown_mark(mark: u8) -> String {
    format!("'{}' begins no reply", mark.escape_ascii())
}

/// A copy, where memory has room for it.
pub fn copied(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    copy(bytes).map_err(Declared::Bytes(bytes.len()).no_room())
}

/// What stands on one line.
pub fn scalar(mark: u8, line: &[u8]) -> Result<Value, Fault> {
    let bad = |what: &str| -> Fault { format!("'{}' is no {what}", line[..line.len().min(40)].escape_ascii()).into() };
    match mark {
        b'+' if line == b"OK" => Ok(Value::Okay),
        b'+' => Ok(String::from_utf8(copied(line)?)
            .map_or_else(|error| Value::BulkString(error.into_bytes()), Value::SimpleString)),
        b':' => {
            let number = std::str::from_utf8(line).ok().and_then(|text| text.parse().ok());
            number.map(Value::Int).ok_or_else(|| bad("integer"))
        }
        b'_' if line.is_empty() => Ok(Value::Nil),
        b'#' if line == b"t" => Ok(Value::Boolean(true)),
        b'#' if line == b"f" => Ok(Value::Boolean(false)),
        b'#' => Err(bad("boolean")),
        b',' => match String::from_utf8(copied(line)?) {
            // Kept as the text it is: a number would not give the server's own digits back.
            Ok(text) if text.parse::<f64>().is_ok() => {
                Ok(Value::VerbatimString { format: VerbatimFormat::Unknown(EXACT_DOUBLE.to_owned()), text })
            }
            _ => Err(bad("double")),
        },
        b'(' => Ok(Value::BigNumber(copied(line)?)),
        b'-' => error(line),
        other => Err(unknown_mark(other).into()),
    }
}

fn error(text: &[u8]) -> Result<Value, Fault> {
    // The words, their RESP, what the crate makes of it, and as often again where it is said on stderr; more only
    // where bytes have to be escaped.
    let size = text.len().saturating_mul(if std::str::from_utf8(text).is_ok() { 8 } else { 32 });
    if !has_room(size) {
        return Err(Fault::NoRoom(Declared::Bytes(text.len())));
    }
    let text = printable_bytes(text, Escape::Undecodable);
    let text = text.as_bytes();
    // The crate makes its errors only from RESP; this form holds line ends too.
    let resp = [b"!", text.len().to_string().as_bytes(), b"\r\n", text, b"\r\n"].concat();
    redis::parse_redis_value(&resp).map_err(|error| error.to_string().into())
}

/// What was declared with its length.
pub fn string(text: Text, bytes: Vec<u8>) -> Result<Value, Fault> {
    match text {
        Text::Bulk => Ok(Value::BulkString(bytes)),
        Text::Error => error(&bytes),
        Text::Verbatim if bytes.get(3) != Some(&b':') => Err("a verbatim string has no format".to_owned().into()),
        Text::Verbatim => {
            // The format is taken off where the string is: a copy would need as much memory again.
            let (mut format, mut text) = ([0; 3], bytes);
            format.copy_from_slice(&text[..3]);
            text.drain(..4);
            match (std::str::from_utf8(&format), String::from_utf8(text)) {
                (Ok(format), Ok(text)) => Ok(Value::VerbatimString { format: verbatim_format(format), text }),
                // Not UTF-8: the bytes are kept, the format is not.
                (_, Ok(text)) => Ok(Value::BulkString(text.into_bytes())),
                (_, Err(error)) => Ok(Value::BulkString(error.into_bytes())),
            }
        }
    }
}

fn verbatim_format(name: &str) -> VerbatimFormat {
    match name {
        "txt" => VerbatimFormat::Text,
        "mkd" => VerbatimFormat::Markdown,
        other => VerbatimFormat::Unknown(other.to_owned()),
    }
}
