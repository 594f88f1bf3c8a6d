//! Values without elements as JSON, and strings as names and values.

use std::io::{self, Write};

use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;

use super::super::Style;
use super::super::repr::repr;
use crate::reply::{Element, Kind, error_words, split_code};
use crate::text;
use crate::word::{escaped_in_json, first};

/// A map's key as an object's name; none where it cannot be one.
pub(super) fn name_of<'a>(key: &Element<'a>, style: &Style) -> Option<&'a [u8]> {
    match key.kind {
        Kind::Bulk if style.base64 => None,
        // No digits are asked of a big number.
        Kind::Simple | Kind::Bulk | Kind::Verbatim | Kind::BigNumber => {
            (is_plain(key.text) || style.quoted || style.keeps_bytes || std::str::from_utf8(key.text).is_ok())
                .then_some(key.text)
        }
        Kind::Integer | Kind::Double => Some(key.text),
        Kind::Boolean => Some(boolean(key.text)),
        Kind::Nil | Kind::Error | Kind::Array | Kind::Set | Kind::Map | Kind::Push => None,
    }
}

fn boolean(text: &[u8]) -> &'static [u8] {
    if text == b"t" { b"true" } else { b"false" }
}

#[inline]
pub(super) fn scalar(out: &mut impl Write, style: &Style, element: Element<'_>) -> io::Result<()> {
    match element.kind {
        Kind::Bulk => bytes(out, style, element.text),
        Kind::Simple | Kind::Verbatim => string_or_base64(out, style, element.text),
        Kind::Integer => integer(out, element.text),
        Kind::Double | Kind::BigNumber => number(out, style, element.text),
        Kind::Boolean => out.write_all(boolean(element.text)),
        Kind::Error => {
            out.write_all(b"{\"error\":")?;
            error_body(out, element.text)?;
            out.write_all(b"}")
        }
        Kind::Nil | Kind::Array | Kind::Set | Kind::Map | Kind::Push => out.write_all(b"null"),
    }
}

/// A map's key that is known to be an object's name.
pub(super) fn name(out: &mut impl Write, style: &Style, key: &Element<'_>) -> io::Result<()> {
    string_or_base64(out, style, if key.kind == Kind::Boolean { boolean(key.text) } else { key.text })
}

/// A string, or `{"base64":"…"}` where it is not UTF-8 or every string is to be so.
#[inline]
pub fn bytes(out: &mut impl Write, style: &Style, bytes: &[u8]) -> io::Result<()> {
    if style.base64 { base64(out, bytes) } else { string_or_base64(out, style, bytes) }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "called for every element; the call costs as much as what it does")]
pub fn string_or_base64(out: &mut impl Write, style: &Style, bytes: &[u8]) -> io::Result<()> {
    if is_plain(bytes) {
        out.write_all(b"\"")?;
        out.write_all(bytes)?;
        return out.write_all(b"\"");
    }
    escaped_or_base64(out, style, bytes)
}

#[cold]
fn escaped_or_base64(out: &mut impl Write, style: &Style, bytes: &[u8]) -> io::Result<()> {
    if style.quoted {
        out.write_all(b"\"")?;
        repr::<true>(out, bytes)?;
        return out.write_all(b"\"");
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => string(out, text),
        Err(_) if style.keeps_bytes => kept(out, bytes),
        Err(_) => base64(out, bytes),
    }
}

/// A string of redis-cli's, which no reader of JSON need take: what is not UTF-8 as it is.
fn kept(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(b"\"")?;
    for chunk in bytes.utf8_chunks() {
        let text = serde_json::to_vec(chunk.valid())?;
        out.write_all(text.get(1..text.len() - 1).unwrap_or_default())?;
        out.write_all(chunk.invalid())?;
    }
    out.write_all(b"\"")
}

/// Whether bytes are ASCII with nothing to escape, as most strings are. Eight bytes are looked at at a time.
#[inline]
pub fn is_plain(bytes: &[u8]) -> bool {
    const WORD: usize = size_of::<u64>();
    if bytes.len() < WORD {
        return is_plain_short(bytes);
    }
    let (words, rest) = bytes.as_chunks::<WORD>();
    let is_plain = |word: &[u8; WORD]| is_plain_word(u64::from_le_bytes(*word));
    // The last word may look at some bytes for the second time.
    words.iter().all(is_plain) && (rest.is_empty() || bytes.last_chunk().is_some_and(is_plain))
}

/// The same of fewer bytes than a word has. The middle ones may be looked at twice.
#[inline]
fn is_plain_short(bytes: &[u8]) -> bool {
    const HALF: usize = size_of::<u32>();
    match (bytes.first_chunk::<HALF>(), bytes.last_chunk::<HALF>()) {
        (Some(first), Some(last)) => {
            let halves = [u32::from_le_bytes(*first), u32::from_le_bytes(*last)].map(u64::from);
            is_plain_word(halves[0] | halves[1] << 32)
        }
        _ => bytes.iter().all(|byte| matches!(byte, b' '..=0x7f) && !matches!(byte, b'"' | b'\\')),
    }
}

/// The same of eight bytes at once.
#[inline]
fn is_plain_word(word: u64) -> bool {
    escaped_in_json(word) == 0
}

/// How many bytes stand before the first that is not ASCII or is to be escaped.
#[inline]
pub fn count_plain(bytes: &[u8; 16]) -> usize {
    let (halves, _) = bytes.as_chunks();
    let [low, high] = [0, 1].map(|half| halves.get(half).map_or(0, |half| escaped_in_json(u64::from_le_bytes(*half))));
    // Of nothing that is found the first is the ninth.
    if low != 0 { first(low) } else { 8 + first(high) }
}

/// Text as a JSON string.
pub fn string(out: &mut impl Write, text: &str) -> io::Result<()> {
    Ok(serde_json::to_writer(out, text)?)
}

/// `{"base64":"…"}`.
pub fn base64(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    write!(out, "{{\"base64\":\"{}\"}}", Base64Display::new(bytes, &BASE64_STANDARD))
}

/// An integer with its own digits, where they are a JSON number's.
pub(super) fn integer(out: &mut impl Write, text: &[u8]) -> io::Result<()> {
    // The framer has seen that it is an integer.
    if let [b'1'..=b'9' | b'-', ..] | [b'0'] = text
        && !text.starts_with(b"-0")
    {
        return out.write_all(text);
    }
    // `-0`, `+1` or `007`, which no server sends.
    let number: i64 = text::number(text).unwrap_or_default();
    out.write_all(itoa::Buffer::new().format(number).as_bytes())
}

/// A number with the digits that the server wrote; a string if those are no JSON number.
fn number(out: &mut impl Write, style: &Style, text: &[u8]) -> io::Result<()> {
    if is_number(text) { out.write_all(text) } else { string_or_base64(out, style, text) }
}

/// Whether this is a number in JSON: `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`.
pub fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(text);
    if whole == 0 || whole > 1 && text[0] == b'0' {
        return false;
    }
    let mut rest = &text[whole..];
    if let [b'.', fraction @ ..] = rest {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = exponent.strip_prefix(b"+").or(exponent.strip_prefix(b"-")).unwrap_or(exponent);
        let count = digits(exponent);
        return count > 0 && count == exponent.len();
    }
    rest.is_empty()
}

pub(super) fn error_body(out: &mut impl Write, text: &[u8]) -> io::Result<()> {
    let words = error_words(text);
    let (code, message) = split_code(&words);
    out.write_all(b"{\"code\":")?;
    string(out, code)?;
    out.write_all(b",\"message\":")?;
    string(out, message)?;
    out.write_all(b"}")
}

#[cfg(test)]
mod tests {
    use super::{count_plain, is_plain};

    #[test]
    fn plain_bytes_are_told_wherever_one_that_is_not_stands() {
        for length in 0..40 {
            let plain: Vec<u8> = (0..length).map(|at| b"aZ~ !#[]0"[at % 9]).collect();
            assert!(is_plain(&plain), "{length}");
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    let mut bytes = plain.clone();
                    bytes[at] = byte;
                    let expected = matches!(byte, b' '..=0x7f) && byte != b'"' && byte != b'\\';
                    assert_eq!(is_plain(&bytes), expected, "{byte:#x} at {at} of {length}");
                    if let Ok(bytes) = bytes.try_into() {
                        assert_eq!(count_plain(&bytes), if expected { 16 } else { at }, "{byte:#x} at {at}");
                    }
                }
            }
        }
    }
}
