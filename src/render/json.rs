//! JSON Lines: exactly one line a record, valid JSON whatever the server sends (contract section 2).
//!
//! A reply is one walk over its frame with a stack of the aggregates that are open, so no depth of nesting is too much
//! and nothing is built. Strings that are not UTF-8 are `{"base64":"…"}`, errors `{"error":{"code","message"}}`, and maps
//! with keys that cannot be names, or with one there twice, are arrays of `[key, value]`.

use std::collections::{HashSet, VecDeque};
use std::io::{self, Write};

use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;

use super::Style;
use crate::reply::{Element, Frame, Kind, error_words, split_code};
use crate::request::Request;

/// Writes a reply as one line.
pub fn reply(out: &mut impl Write, style: &Style, frame: Frame<'_>) -> io::Result<()> {
    // Most replies of a pipeline.
    if frame.is_ok() {
        return out.write_all(b"\"OK\"\n");
    }
    value(out, style, frame)?;
    out.write_all(b"\n")
}

/// Writes an out-of-band push as `{"push":[…]}`.
pub fn push(out: &mut impl Write, style: &Style, frame: Frame<'_>) -> io::Result<()> {
    out.write_all(b"{\"push\":")?;
    value(out, style, frame)?;
    out.write_all(b"}\n")
}

/// Writes a reply with its command (`pipe --envelope`): an error stands in place of the reply.
pub fn envelope(
    out: &mut impl Write,
    style: &Style,
    index: u64,
    request: &Request,
    frame: Frame<'_>,
) -> io::Result<()> {
    let mut number = itoa::Buffer::new();
    out.write_all(b"{\"index\":")?;
    out.write_all(number.format(index).as_bytes())?;
    out.write_all(b",\"line\":")?;
    out.write_all(number.format(request.line).as_bytes())?;
    out.write_all(b",\"command\":[")?;
    for (place, arg) in request.args().enumerate() {
        if place > 0 {
            out.write_all(b",")?;
        }
        bytes(out, style, arg)?;
    }
    if frame.is_error() {
        out.write_all(b"],\"error\":")?;
        error_body(out, frame.head().text)?;
    } else {
        out.write_all(b"],\"reply\":")?;
        value(out, style, frame)?;
    }
    out.write_all(b"}\n")
}

/// An aggregate that is open.
struct Level {
    /// Its elements still to come.
    left: u64,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Array,
    /// A map whose keys are names.
    Object,
    /// A map that cannot be an object.
    Pairs,
}

impl Level {
    fn is_at_key(&self) -> bool {
        self.form != Form::Array && self.left.is_multiple_of(2)
    }

    fn open(&self) -> &'static [u8] {
        if self.form == Form::Object { b"{" } else { b"[" }
    }

    fn close(&self) -> &'static [u8] {
        if self.form == Form::Object { b"}" } else { b"]" }
    }
}

/// Writes a value.
fn value(out: &mut impl Write, style: &Style, frame: Frame<'_>) -> io::Result<()> {
    let mut stack: Vec<Level> = Vec::new();
    let mut forms = None;
    for element in frame.walk() {
        if element.kind.is_aggregate() {
            let form = match element.kind {
                Kind::Map => {
                    let forms = forms.get_or_insert_with(|| forms_of_maps(frame, style.base64));
                    forms.pop_front().unwrap_or(Form::Pairs)
                }
                _ => Form::Array,
            };
            let level = Level { left: element.count, form };
            out.write_all(level.open())?;
            if level.left > 0 {
                begin(out, &level)?;
                stack.push(level);
                continue;
            }
            out.write_all(level.close())?;
        } else if stack.last().is_some_and(|level| level.form == Form::Object && level.is_at_key()) {
            string_or_base64(out, name_of(&element, false).unwrap_or_default())?;
        } else {
            scalar(out, style, element)?;
        }
        while let Some(level) = stack.last_mut() {
            end(out, level)?;
            if level.left > 0 {
                break;
            }
            out.write_all(level.close())?;
            stack.pop();
        }
    }
    Ok(())
}

/// What stands before the first element of an aggregate.
fn begin(out: &mut impl Write, level: &Level) -> io::Result<()> {
    if level.form == Form::Pairs { out.write_all(b"[") } else { Ok(()) }
}

/// Counts an element that is written, and writes what stands behind it.
fn end(out: &mut impl Write, level: &mut Level) -> io::Result<()> {
    let was_key = level.is_at_key();
    level.left -= 1;
    out.write_all(match (level.form, was_key, level.left) {
        (Form::Object, true, _) => b":",
        (Form::Pairs, true, _) => b",",
        (Form::Pairs, false, 0) => b"]",
        (Form::Pairs, false, _) => b"],[",
        (_, _, 0) => b"",
        _ => b",",
    })
}

/// Which of the frame's maps can be objects, in the order in which they begin: one pass for all of them.
fn forms_of_maps(frame: Frame<'_>, base64: bool) -> VecDeque<Form> {
    struct Open<'a> {
        left: u64,
        /// The map's place among the forms; none for what is no map.
        map: Option<usize>,
        names: HashSet<&'a [u8]>,
    }
    let mut forms = VecDeque::new();
    let mut stack: Vec<Open<'_>> = Vec::new();
    for element in frame.walk() {
        if let Some(Open { left, map: Some(map), names }) = stack.last_mut()
            && left.is_multiple_of(2)
            && !name_of(&element, base64).is_some_and(|name| names.insert(name))
        {
            forms[*map] = Form::Pairs;
        }
        if element.kind.is_aggregate() {
            let map = (element.kind == Kind::Map).then_some(forms.len());
            if map.is_some() {
                forms.push_back(Form::Object);
            }
            if element.count > 0 {
                stack.push(Open { left: element.count, map, names: HashSet::new() });
                continue;
            }
        }
        while let Some(open) = stack.last_mut() {
            open.left -= 1;
            if open.left > 0 {
                break;
            }
            stack.pop();
        }
    }
    forms
}

/// A map's key as an object's name; none where it cannot be one.
fn name_of<'a>(key: &Element<'a>, base64: bool) -> Option<&'a [u8]> {
    match key.kind {
        Kind::Bulk if base64 => None,
        Kind::Simple | Kind::Bulk | Kind::Verbatim => std::str::from_utf8(key.text).is_ok().then_some(key.text),
        Kind::Integer | Kind::Double | Kind::BigNumber => Some(key.text),
        Kind::Boolean => Some(boolean(key.text)),
        Kind::Nil | Kind::Error | Kind::Array | Kind::Set | Kind::Map | Kind::Push => None,
    }
}

fn boolean(text: &[u8]) -> &'static [u8] {
    if text == b"t" { b"true" } else { b"false" }
}

fn scalar(out: &mut impl Write, style: &Style, element: Element<'_>) -> io::Result<()> {
    match element.kind {
        Kind::Bulk => bytes(out, style, element.text),
        Kind::Simple | Kind::Verbatim => string_or_base64(out, element.text),
        Kind::Integer => integer(out, element.text),
        Kind::Double | Kind::BigNumber => number(out, element.text),
        Kind::Boolean => out.write_all(boolean(element.text)),
        Kind::Error => {
            out.write_all(b"{\"error\":")?;
            error_body(out, element.text)?;
            out.write_all(b"}")
        }
        Kind::Nil | Kind::Array | Kind::Set | Kind::Map | Kind::Push => out.write_all(b"null"),
    }
}

/// A string, or `{"base64":"…"}` where it is not UTF-8 or every string is to be so.
pub(super) fn bytes(out: &mut impl Write, style: &Style, bytes: &[u8]) -> io::Result<()> {
    if style.base64 {
        return base64(out, bytes);
    }
    string_or_base64(out, bytes)
}

fn string_or_base64(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    // Most strings are ASCII with nothing to escape.
    if bytes.iter().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')) {
        out.write_all(b"\"")?;
        out.write_all(bytes)?;
        return out.write_all(b"\"");
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => string(out, text),
        Err(_) => base64(out, bytes),
    }
}

/// Text as a JSON string.
pub(super) fn string(out: &mut impl Write, text: &str) -> io::Result<()> {
    Ok(serde_json::to_writer(out, text)?)
}

fn base64(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    write!(out, "{{\"base64\":\"{}\"}}", Base64Display::new(bytes, &BASE64_STANDARD))
}

/// An integer with its own digits, where they are a JSON number's.
fn integer(out: &mut impl Write, text: &[u8]) -> io::Result<()> {
    if is_number(text) {
        return out.write_all(text);
    }
    // `+1` or `007`, which no server sends.
    let number: i64 = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or_default();
    out.write_all(itoa::Buffer::new().format(number).as_bytes())
}

/// A number with the digits that the server wrote; a string if those are no JSON number.
fn number(out: &mut impl Write, text: &[u8]) -> io::Result<()> {
    if is_number(text) { out.write_all(text) } else { string_or_base64(out, text) }
}

/// Whether this is a number in JSON: `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`.
fn is_number(text: &[u8]) -> bool {
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

fn error_body(out: &mut impl Write, text: &[u8]) -> io::Result<()> {
    let words = error_words(text);
    let (code, message) = split_code(&words);
    out.write_all(b"{\"code\":")?;
    string(out, code)?;
    out.write_all(b",\"message\":")?;
    string(out, message)?;
    out.write_all(b"}")
}
