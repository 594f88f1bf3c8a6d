//! JSON Lines: exactly one line a record, valid JSON whatever the server sends (contract section 2).
//!
//! A reply is one walk over its frame with a stack of the aggregates that are open, so no depth of nesting is too much
//! and nothing is built. Strings that are not UTF-8 are `{"base64":"…"}`, errors `{"error":{"code","message"}}`, and maps
//! with keys that cannot be names, or with one there twice, are arrays of `[key, value]`.

mod report;
mod scalar;
mod short;

use std::collections::HashSet;
use std::io::{self, Write};

use self::report::reported;
use self::scalar::{error_body, integer, name, name_of, scalar};
use self::short::{object, strings};
use super::{Reports, Style};
use crate::command::request::Request;
use crate::memory;
use crate::reply::{Element, Frame, Kind, Walk};

pub(super) use self::scalar::{base64, bytes, is_number, is_plain, string, string_or_base64};

/// Writes a reply as one line.
#[inline]
pub fn reply(out: &mut impl Write, style: &Style, frame: Frame<'_>) -> io::Result<()> {
    // Most replies of a bulk load.
    if frame.is_ok() { out.write_all(b"\"OK\"\n") } else { other_reply(out, style, frame) }
}

#[inline(never)]
fn other_reply(out: &mut impl Write, style: &Style, frame: Frame<'_>) -> io::Result<()> {
    // Most of the others are one value that is written as it came.
    match frame.bytes() {
        [b':', digits @ .., b'\r', b'\n'] => integer(out, digits)?,
        [b'$', ..]
            if !style.base64
                && let Some((text, _)) = frame.walk().string()
                && is_plain(text) =>
        {
            out.write_all(b"\"")?;
            out.write_all(text)?;
            return out.write_all(b"\"\n");
        }
        _ => value(out, style, frame)?,
    }
    out.write_all(b"\n")
}

/// Writes a reply in which reports may stand.
pub fn reports(out: &mut impl Write, style: &Style, frame: Frame<'_>, reports: Reports<'_>) -> io::Result<()> {
    reported(out, style, frame, reports)?;
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
    reports: Reports<'_>,
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
        reported(out, style, frame, reports)?;
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

fn value(out: &mut impl Write, style: &Style, frame: Frame<'_>) -> io::Result<()> {
    let mut walk = frame.walk();
    let Some(head) = walk.next() else { return Ok(()) };
    if !head.kind.is_aggregate() {
        return scalar(out, style, head);
    }
    if write_short_object(out, style, &mut walk, head)? {
        return Ok(());
    }
    let mut forms = Forms { frame, style, passed: 0, all: Vec::new() };
    let mut level = Level { left: head.count, form: forms.next(head, &walk)? };
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
        if !style.base64 {
            strings(out, &mut walk, &mut level)?;
        }
        if level.left == 0 {
            continue;
        }
        let Some(element) = walk.next() else { return Ok(()) };
        if write_short_object(out, style, &mut walk, element)? {
            forms.passed += 1;
            end(out, &mut level)?;
            continue;
        }
        if element.kind.is_aggregate() {
            outer.push(level);
            level = Level { left: element.count, form: forms.next(element, &walk)? };
            out.write_all(level.open())?;
            continue;
        }
        if level.form == Form::Object && level.is_at_key() {
            name(out, style, &element)?;
        } else {
            scalar(out, style, element)?;
        }
        end(out, &mut level)?;
    }
}

/// Writes an aggregate that begins where `walk` is, if that is a map of few short strings.
#[inline]
fn write_short_object(
    out: &mut impl Write,
    style: &Style,
    walk: &mut Walk<'_>,
    aggregate: Element<'_>,
) -> io::Result<bool> {
    Ok(aggregate.kind == Kind::Map && !style.base64 && object(out, walk, aggregate.count)?)
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
    style: &'a Style,
    /// How many maps began.
    passed: usize,
    /// The forms of all of them, in the order in which they begin, once that was found out.
    all: Vec<Form>,
}

impl<'a> Forms<'a> {
    /// The form of an aggregate that begins where `walk` is.
    #[inline]
    fn next(&mut self, aggregate: Element<'_>, walk: &Walk<'a>) -> io::Result<Form> {
        if aggregate.kind == Kind::Map { self.next_map(aggregate.count, walk) } else { Ok(Form::Array) }
    }

    fn next_map(&mut self, count: u64, walk: &Walk<'a>) -> io::Result<Form> {
        self.passed += 1;
        if self.all.is_empty() {
            if let Some(form) = form_of_small(count, walk.clone(), self.style) {
                return Ok(form);
            }
            self.all = forms_of_all(self.frame, self.style)?;
        }
        Ok(self.all.get(self.passed - 1).copied().unwrap_or(Form::Pairs))
    }
}

/// The form of a map that has few pairs and no aggregate in it; none for others.
fn form_of_small(count: u64, mut walk: Walk<'_>, style: &Style) -> Option<Form> {
    const FEW: usize = 8;
    let mut names: [&[u8]; FEW] = [&[]; FEW];
    let pairs = usize::try_from(count / 2).ok().filter(|pairs| *pairs <= FEW)?;
    let mut form = Form::Object;
    for at in 0..pairs {
        let (key, value) = (walk.next()?, walk.next()?);
        if key.kind.is_aggregate() || value.kind.is_aggregate() {
            return None;
        }
        match name_of(&key, style) {
            Some(name) if !names[..at].contains(&name) => names[at] = name,
            _ => form = Form::Pairs,
        }
    }
    Some(form)
}

/// Which of the frame's maps can be objects, in the order in which they begin: one pass for all of them.
fn forms_of_all(frame: Frame<'_>, style: &Style) -> io::Result<Vec<Form>> {
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
            && !name_of(&element, style).is_some_and(|name| names.insert(name))
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

/// Room for the names of a map: where there is none the words say of what.
fn reserve_names(names: &mut HashSet<&[u8]>, pairs: u64) -> io::Result<()> {
    let room = usize::try_from(pairs).ok().and_then(|pairs| memory::ask(|| names.try_reserve(pairs)).ok());
    room.ok_or_else(|| io::Error::other(format!("memory has no room for the names of a map of {pairs} pairs")))
}
