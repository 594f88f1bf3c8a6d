//! A line that is a JSON array of strings, numbers and `{"base64":"…"}` objects (contract section 3).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::text::Malformed;
use crate::command::request::Request;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bytes {
    base64: String,
}

/// Puts the elements of the array in `line` into `request`; a number keeps every digit it was written with.
pub fn parse(line: &[u8], request: &mut Request) -> Result<(), Malformed> {
    let elements: Vec<&RawValue> = serde_json::from_slice(line).map_err(|error| describe(&error, 0))?;
    if elements.is_empty() {
        return Err(Malformed::new("an empty JSON array is no command", 0));
    }
    for element in elements {
        let text = element.get();
        let at = text.as_ptr() as usize - line.as_ptr() as usize;
        match text.as_bytes().first() {
            Some(b'"') => {
                let arg: String = serde_json::from_str(text).map_err(|error| describe(&error, at))?;
                request.push(arg.as_bytes());
            }
            Some(b'-' | b'0'..=b'9') => request.push(text.as_bytes()),
            Some(b'{') => {
                let arg: Bytes = serde_json::from_str(text).map_err(|error| describe(&error, at))?;
                let reason =
                    "bad base64: A-Z a-z 0-9 + / in groups of four are expected, the last one filled up with =";
                let bytes = BASE64_STANDARD.decode(&arg.base64).map_err(|_| Malformed::new(reason, at))?;
                request.push(&bytes);
            }
            _ => {
                let reason = "only a string, a number or {\"base64\":\"…\"} can be an argument";
                return Err(Malformed::new(reason, at));
            }
        }
    }
    Ok(())
}

/// An error of the JSON parser in words of our own; FILE:LINE and the caret say where.
fn describe(error: &serde_json::Error, offset: usize) -> Malformed {
    let text = error.to_string();
    let reason = match error.classify() {
        _ if text.starts_with("unknown field") || text.starts_with("missing field") => {
            "the only object that can be an argument is {\"base64\":\"…\"}"
        }
        _ if text.starts_with("duplicate field") => "base64 is there twice",
        _ if text.starts_with("invalid type") => "the value of base64 is a string",
        Category::Eof => "the line ends before the array does",
        _ if text.starts_with("trailing characters") => "something follows the array",
        _ if text.starts_with("trailing comma") => "nothing follows a comma",
        _ if text.starts_with("control character") => "a control character in a string is written as \\n or \\u00XX",
        _ if text.starts_with("invalid escape") => "no such escape",
        _ if text.starts_with("lone leading surrogate") || text.starts_with("unexpected end of hex escape") => {
            "half of a surrogate pair is no character"
        }
        _ if text.starts_with("invalid unicode") => "a string is UTF-8: other bytes are written {\"base64\":\"…\"}",
        _ if text.starts_with("invalid number") => "no such number",
        _ if text.starts_with("expected `,`") => "a comma or the end of the array is expected",
        _ => "a string, a number or {\"base64\":\"…\"} is expected",
    };
    let at = offset + error.column().saturating_sub(1);
    Malformed { reason: "bad JSON", detail: Some(reason.to_owned()), at }
}
