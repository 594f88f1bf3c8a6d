//! Human output: redis-cli's typed text, made safe for a terminal (contract section 2).

use std::borrow::Cow;
use std::io::{self, Write};

use colored::{ColoredString, Colorize as _};
use redis::Value;

use super::{Style, is_exact_double};
use crate::record::is_report;
use crate::request::{Request, quote};
use crate::server::error_text;
use crate::text::{self, Escape, printable, printable_bytes};

/// Writes a reply and a newline. A report (INFO and its kind) is written as the text it is.
pub fn reply(out: &mut impl Write, style: &Style, value: &Value, is_report: bool) -> io::Result<()> {
    if is_report && let Some(text) = report_text(value) {
        return report(out, &text);
    }
    element(out, style, value, &mut String::new())
}

/// Writes the commands of a block, numbered, each with its reply below it.
pub fn block(out: &mut impl Write, style: &Style, block: &[Request], values: &[Value]) -> io::Result<()> {
    const SHOWN: usize = 100;
    if block.is_empty() {
        return out.write_all(b"(empty array)\n");
    }
    let width = digits(block.len());
    for (index, (request, value)) in block.iter().zip(values).enumerate() {
        let command = request.shown(SHOWN);
        let command = if style.color { command.dimmed().to_string() } else { command };
        writeln!(out, "{:>width$}) {command}", index + 1)?;
        let mut indent = " ".repeat(width + 2);
        if is_report(request) {
            reply(out, style, value, true)?;
        } else {
            out.write_all(indent.as_bytes())?;
            element(out, style, value, &mut indent)?;
        }
    }
    Ok(())
}

fn report_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::BulkString(bytes) => Some(printable_bytes(bytes, Escape::Lines)),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(printable(text, Escape::Lines)),
        Value::Attribute { data, .. } => report_text(data),
        _ => None,
    }
}

fn report(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    if text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") }
}

fn element(out: &mut impl Write, style: &Style, value: &Value, indent: &mut String) -> io::Result<()> {
    match value {
        Value::Array(items) | Value::Push { data: items, .. } if items.is_empty() => {
            // Redis itself sends no empty push.
            out.write_all(b"(empty array)\n")
        }
        Value::Set(items) if items.is_empty() => out.write_all(b"(empty set)\n"),
        Value::Map(pairs) if pairs.is_empty() => out.write_all(b"(empty hash)\n"),
        Value::Array(items) | Value::Push { data: items, .. } => list(out, style, items, ')', indent),
        Value::Set(items) => list(out, style, items, '~', indent),
        Value::Map(pairs) => map(out, style, pairs, indent),
        Value::Attribute { data, .. } => element(out, style, data, indent),
        scalar => {
            out.write_all(scalar_text(scalar, style).as_bytes())?;
            out.write_all(b"\n")
        }
    }
}

fn list(out: &mut impl Write, style: &Style, items: &[Value], mark: char, indent: &mut String) -> io::Result<()> {
    let width = digits(items.len());
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.write_all(indent.as_bytes())?;
        }
        write!(out, "{:>width$}{mark} ", index + 1)?;
        indented(indent, width + 2, |indent| element(out, style, item, indent))?;
    }
    Ok(())
}

fn map(out: &mut impl Write, style: &Style, pairs: &[(Value, Value)], indent: &mut String) -> io::Result<()> {
    let width = digits(pairs.len());
    for (index, (key, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out.write_all(indent.as_bytes())?;
        }
        write!(out, "{:>width$}# ", index + 1)?;
        indented(indent, width + 2, |indent| {
            let mut shown = Vec::new();
            element(&mut shown, style, key, indent)?;
            shown.pop();
            out.write_all(&shown)?;
            out.write_all(b" => ")?;
            shown.clear();
            element(&mut shown, style, value, indent)?;
            // redis-cli begins a value of several lines on a line of its own.
            if memchr::memchr(b'\n', &shown).is_some_and(|end| end + 1 < shown.len()) {
                out.write_all(b"\n")?;
                out.write_all(indent.as_bytes())?;
            }
            out.write_all(&shown)
        })?;
    }
    Ok(())
}

/// Runs `write` with `indent` deeper by `width` spaces.
fn indented(indent: &mut String, width: usize, write: impl FnOnce(&mut String) -> io::Result<()>) -> io::Result<()> {
    let before = indent.len();
    indent.extend(std::iter::repeat_n(' ', width));
    let result = write(indent);
    indent.truncate(before);
    result
}

fn digits(count: usize) -> usize {
    itoa::Buffer::new().format(count).len()
}

fn scalar_text(value: &Value, style: &Style) -> String {
    let paint = |text: String, paint: fn(&str) -> ColoredString| {
        if style.color { paint(&text).to_string() } else { text }
    };
    match value {
        Value::Nil => paint("(nil)".to_owned(), |text| text.dimmed()),
        Value::Int(number) => paint(format!("(integer) {number}"), |text| text.cyan()),
        Value::VerbatimString { format, text } if is_exact_double(format) => {
            paint(format!("(double) {text}"), |text| text.cyan())
        }
        Value::Boolean(true) => paint("(true)".to_owned(), |text| text.cyan()),
        Value::Boolean(false) => paint("(false)".to_owned(), |text| text.cyan()),
        Value::ServerError(error) => {
            paint(format!("(error) {}", printable(&error_text(error), Escape::Lines)), |text| text.red())
        }
        Value::BulkString(bytes) => {
            let mut text = String::with_capacity(bytes.len() + 2);
            quote(bytes, &mut text);
            text
        }
        Value::Okay => "OK".to_owned(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => printable(text, Escape::Lines).into_owned(),
        Value::BigNumber(digits) => printable_bytes(digits, Escape::Line).into_owned(),
        other => text::line(&format!("{other:?}")).into_owned(),
    }
}
