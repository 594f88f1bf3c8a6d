//! Human output: redis-cli's typed text, made safe for a terminal (contract section 2).

use std::io::{self, Write};

use colored::{ColoredString, Colorize as _};
use redis::Value;

use super::{Style, is_exact_double};
use crate::record::is_report;
use crate::request::{Request, quote_part};
use crate::server::error_text;
use crate::text::{self, Escape, Escaping, pieces, printable};

/// Writes a reply and a newline. A report (INFO and its kind) is written as the text it is.
pub fn reply(out: &mut impl Write, style: &Style, value: &Value, is_report: bool) -> io::Result<()> {
    if is_report && let Some(text) = report_text(value) {
        safe(out, Escape::Lines, text)?;
        return if text.ends_with(b"\n") { Ok(()) } else { out.write_all(b"\n") };
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

fn report_text(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.as_bytes()),
        Value::Attribute { data, .. } => report_text(data),
        _ => None,
    }
}

/// Writes text piece by piece, as it may be shown.
fn safe(out: &mut impl Write, how: Escape, text: &[u8]) -> io::Result<()> {
    let mut safe = Escaping::new(out, how);
    safe.write_all(text)?;
    safe.finish()
}

/// Writes a string in quotes, piece by piece: a large one is not held a second time.
fn quoted(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let mut text = String::from("\"");
    for piece in pieces(bytes) {
        quote_part(piece, &mut text);
        out.write_all(text.as_bytes())?;
        text.clear();
    }
    text.push('"');
    out.write_all(text.as_bytes())
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
        value => {
            scalar(out, style, value)?;
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
            inline(out, style, key, indent)?;
            out.write_all(b" => ")?;
            // redis-cli begins a value of several lines on a line of its own.
            if is_tall(value) {
                out.write_all(b"\n")?;
                out.write_all(indent.as_bytes())?;
            }
            element(out, style, value, indent)
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

/// Writes a key: what stands before it and behind it is on the same line.
fn inline(out: &mut impl Write, style: &Style, key: &Value, indent: &mut String) -> io::Result<()> {
    match key {
        Value::Array(_) | Value::Set(_) | Value::Map(_) | Value::Push { .. } => {
            let mut shown = Vec::new();
            element(&mut shown, style, key, indent)?;
            shown.pop();
            out.write_all(&shown)
        }
        Value::Attribute { data, .. } => inline(out, style, data, indent),
        key => scalar(out, style, key),
    }
}

/// Whether a value takes more than one line.
fn is_tall(value: &Value) -> bool {
    match value {
        Value::Array(items) | Value::Set(items) | Value::Push { data: items, .. } => match items.as_slice() {
            [] => false,
            [item] => is_tall(item),
            _ => true,
        },
        Value::Map(pairs) => match pairs.as_slice() {
            [] => false,
            [(key, value)] => is_tall(key) || is_tall(value),
            _ => true,
        },
        Value::Attribute { data, .. } => is_tall(data),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.contains('\n'),
        Value::ServerError(error) => error_text(error).contains('\n'),
        _ => false,
    }
}

fn scalar(out: &mut impl Write, style: &Style, value: &Value) -> io::Result<()> {
    let paint = |text: String, paint: fn(&str) -> ColoredString| {
        if style.color { paint(&text).to_string() } else { text }
    };
    let text = match value {
        Value::BulkString(bytes) => return quoted(out, bytes),
        Value::VerbatimString { format, text } if is_exact_double(format) => {
            paint(format!("(double) {text}"), |text| text.cyan())
        }
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => {
            return safe(out, Escape::Lines, text.as_bytes());
        }
        Value::BigNumber(digits) => return safe(out, Escape::Line, digits),
        Value::Okay => return out.write_all(b"OK"),
        Value::Nil => paint("(nil)".to_owned(), |text| text.dimmed()),
        Value::Int(number) => paint(format!("(integer) {number}"), |text| text.cyan()),
        Value::Boolean(true) => paint("(true)".to_owned(), |text| text.cyan()),
        Value::Boolean(false) => paint("(false)".to_owned(), |text| text.cyan()),
        Value::ServerError(error) => {
            paint(format!("(error) {}", printable(&error_text(error), Escape::Lines)), |text| text.red())
        }
        other => text::line(&format!("{other:?}")).into_owned(),
    };
    out.write_all(text.as_bytes())
}
