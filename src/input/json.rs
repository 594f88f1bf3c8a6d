//! A line that is a JSON array of strings, numbers and `{"base64":"…"}` objects (contract section 3).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
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

/// A `serde_json` error in words, without its own line and column: FILE:LINE and the caret say those.
fn describe(error: &serde_json::Error, offset: usize) -> Malformed {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or(&text);
    Malformed::with("bad JSON", reason.to_owned(), offset + error.column().saturating_sub(1))
}
