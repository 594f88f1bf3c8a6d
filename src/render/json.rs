//! JSON Lines: exactly one line a record, valid JSON whatever the server sends (contract section 2).
//!
//! A reply is one walk over its frame with a stack of the aggregates that are open, so no depth of nesting is too much
//! and nothing is built. Strings that are not UTF-8 are `{"base64":"…"}`, errors `{"error":{"code","message"}}`, and maps
//! with keys that cannot be names, or with one there twice, are arrays of `[key, value]`.

use std::collections::HashSet;
use std::io::{self, Write};

use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;

use super::Style;
use crate::reply::{Element, Frame, Kind, Walk, error_words, split_code};
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
#[derive(Clone, Copy)]
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
    fn is_at_key(self) -> bool {
        self.form != Form::Array && self.left.is_multiple_of(2)
    }

    fn open(self) -> &'static [u8] {
        match self.form {
            Form::Object => b"{",
            Form::Pairs if self.left > 0 => b"[[",
            Form::Pairs | Form::Array => b"[",
        }
    }

    fn close(self) -> &'static [u8] {
        if self.form == Form::Object { b"}" } else { b"]" }
    }
}

/// Writes a value.
fn value(out: &mut impl Write, style: &Style, frame: Frame<'_>) -> io::Result<()> {
    let mut walk = frame.walk();
    let Some(head) = walk.next() else { return Ok(()) };
    if !head.kind.is_aggregate() {
        return scalar(out, style, head);
    }
    let mut forms = Forms { frame, base64: style.base64, passed: 0, all: Vec::new() };
    let mut level = Level { left: head.count, form: forms.next(head.kind, head.count, &walk)? };
    // Those around it: most replies have none.
    let mut outer: Vec<Level> = Vec::new();
    out.write_all(level.open())?;
    loop {
        while level.left == 0 {
            out.write_all(level.close())?;
            let Some(around) = outer.pop() else { return Ok(()) };
            level = around;
            end(out, &mut level)?;
        }
        let Some(element) = walk.next() else { return Ok(()) };
        if element.kind.is_aggregate() {
            outer.push(level);
            level = Level { left: element.count, form: forms.next(element.kind, element.count, &walk)? };
            out.write_all(level.open())?;
            continue;
        }
        if level.form == Form::Object && level.is_at_key() {
            string_or_base64(out, name_of(&element, false).unwrap_or_default())?;
        } else {
            scalar(out, style, element)?;
        }
        end(out, &mut level)?;
    }
}

/// Counts an element that is written, and writes what stands behind it.
#[inline]
fn end(out: &mut impl Write, level: &mut Level) -> io::Result<()> {
    let was_key = level.is_at_key();
    level.left -= 1;
    match (level.form, level.left) {
        (Form::Object, _) if was_key => out.write_all(b":"),
        (Form::Pairs, 0) => out.write_all(b"]"),
        (Form::Pairs, _) if !was_key => out.write_all(b"],["),
        (_, 0) => Ok(()),
        _ => out.write_all(b","),
    }
}

/// Which maps can be objects: those whose keys can be names and are there once.
struct Forms<'a> {
    frame: Frame<'a>,
    base64: bool,
    /// How many maps began.
    passed: usize,
    /// The forms of all of them, in the order in which they begin, once that was found out.
    all: Vec<Form>,
}

impl<'a> Forms<'a> {
    /// The form of an aggregate that begins where `walk` is.
    fn next(&mut self, kind: Kind, count: u64, walk: &Walk<'a>) -> io::Result<Form> {
        if kind != Kind::Map {
            return Ok(Form::Array);
        }
        self.passed += 1;
        if self.all.is_empty() {
            if let Some(form) = form_of_small(count, walk.clone(), self.base64) {
                return Ok(form);
            }
            self.all = forms_of_all(self.frame, self.base64)?;
        }
        Ok(self.all.get(self.passed - 1).copied().unwrap_or(Form::Pairs))
    }
}

/// The form of a map that has few pairs and no aggregate in it; none for others.
fn form_of_small(count: u64, mut walk: Walk<'_>, base64: bool) -> Option<Form> {
    const FEW: usize = 8;
    let mut names: [&[u8]; FEW] = [&[]; FEW];
    let pairs = usize::try_from(count / 2).ok().filter(|pairs| *pairs <= FEW)?;
    let mut form = Form::Object;
    for at in 0..pairs {
        let (key, value) = (walk.next()?, walk.next()?);
        if key.kind.is_aggregate() || value.kind.is_aggregate() {
            return None;
        }
        match name_of(&key, base64) {
            Some(name) if !names[..at].contains(&name) => names[at] = name,
            _ => form = Form::Pairs,
        }
    }
    Some(form)
}

/// Which of the frame's maps can be objects, in the order in which they begin: one pass for all of them.
fn forms_of_all(frame: Frame<'_>, base64: bool) -> io::Result<Vec<Form>> {
    struct Open<'a> {
        left: u64,
        /// The map's place among the forms; none for what is no map.
        map: Option<usize>,
        names: HashSet<&'a [u8]>,
    }
    let mut forms = Vec::new();
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
                forms.push(Form::Object);
            }
            if element.count > 0 {
                let mut names = HashSet::new();
                if map.is_some() {
                    reserve_names(&mut names, element.count / 2)?;
                }
                stack.push(Open { left: element.count, map, names });
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
    Ok(forms)
}

/// Room for the names of a map: where there is none the process would end without a word.
fn reserve_names(names: &mut HashSet<&[u8]>, pairs: u64) -> io::Result<()> {
    let room = usize::try_from(pairs).ok().and_then(|pairs| names.try_reserve(pairs).ok());
    room.ok_or_else(|| io::Error::other(format!("memory has no room for the names of a map of {pairs} pairs")))
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
    if is_plain(bytes) {
        out.write_all(b"\"")?;
        out.write_all(bytes)?;
        return out.write_all(b"\"");
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => string(out, text),
        Err(_) => base64(out, bytes),
    }
}

/// Whether bytes are ASCII with nothing to escape, as most strings are. Eight bytes are looked at at a time.
fn is_plain(bytes: &[u8]) -> bool {
    const WORD: usize = size_of::<u64>();
    if bytes.len() < WORD {
        return is_plain_short(bytes);
    }
    let (words, rest) = bytes.as_chunks::<WORD>();
    // The last word may look at some bytes for the second time.
    let last = bytes.last_chunk::<WORD>().filter(|_| !rest.is_empty());
    words.iter().chain(last).all(|word| is_plain_word(u64::from_le_bytes(*word)))
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
        _ => bytes.iter().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')),
    }
}

/// The same of eight bytes at once, by the high bit of each.
fn is_plain_word(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let is_control = word.wrapping_sub(ONES * 0x20) & !word;
    // DEL is the one below 0x80 that this carries into the high bit.
    let is_beyond = word | word.wrapping_add(ONES);
    let is_special = has_zero(word ^ (ONES * 0x22)) | has_zero(word ^ (ONES * 0x5c));
    (is_control | is_beyond | is_special) & HIGH == 0
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
    // The framer has seen that it is an integer.
    if let [b'1'..=b'9' | b'-', ..] | [b'0'] = text
        && !text.starts_with(b"-0")
    {
        return out.write_all(text);
    }
    // `-0`, `+1` or `007`, which no server sends.
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

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn plain_bytes_are_told_wherever_one_that_is_not_stands() {
        for length in 0..40 {
            let plain: Vec<u8> = (0..length).map(|at| b"aZ~ !#[]0"[at % 9]).collect();
            assert!(is_plain(&plain), "{length}");
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    let mut bytes = plain.clone();
                    bytes[at] = byte;
                    let expected = matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
                    assert_eq!(is_plain(&bytes), expected, "{byte:#x} at {at} of {length}");
                }
            }
        }
    }
}
