//! Human output: redis-cli's typed text, made safe for a terminal (contract section 2).

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, Write};

use super::Style;
use crate::color::Part;
use crate::command::request::{Request, quote_part};
use crate::command::restrictions::is_report;
use crate::reply::{Element, Frame, Kind, error_words};
use crate::text::{Escape, Escaping, pieces, printable};

/// Writes a reply and a newline. A report (INFO and its kind) is written as the text it is: an empty one is nothing.
pub fn reply(out: &mut impl Write, style: &Style, frame: Frame<'_>, is_report: bool) -> io::Result<()> {
    let head = frame.head();
    if is_report && matches!(head.kind, Kind::Bulk | Kind::Simple | Kind::Verbatim) {
        safe(out, Escape::Lines, head.text)?;
        let is_whole = head.text.is_empty() || head.text.ends_with(b"\n");
        return if is_whole { Ok(()) } else { out.write_all(b"\n") };
    }
    value(out, style, frame, 0)
}

/// Writes the commands of a block, numbered, each with its reply below it.
pub fn block(out: &mut impl Write, style: &Style, block: &[Request], reply: Frame<'_>) -> io::Result<()> {
    const SHOWN: usize = 100;
    if block.is_empty() {
        return out.write_all(b"(empty array)\n");
    }
    let width = itoa::Buffer::new().format(block.len()).len();
    for ((index, request), frame) in (1..).zip(block).zip(reply.children()) {
        let command = request.shown(SHOWN);
        let command = style.colors.paint(Part::Hint, &command);
        writeln!(out, "{index:>width$}) {command}")?;
        if is_report(request) {
            self::reply(out, style, frame, true)?;
        } else {
            let indent = width + 2;
            write!(out, "{:indent$}", "")?;
            value(out, style, frame, indent)?;
        }
    }
    Ok(())
}

/// Writes lines of text.
pub fn text(out: &mut impl Write, text: &str) -> io::Result<()> {
    safe(out, Escape::Lines, text.as_bytes())?;
    out.write_all(b"\n")
}

/// Writes text piece by piece, as it may be shown.
fn safe(out: &mut impl Write, how: Escape, text: &[u8]) -> io::Result<()> {
    let mut safe = Escaping::new(out, how);
    safe.write_all(text)?;
    safe.finish()
}

/// Writes a string in quotes, piece by piece: a large one is not held a second time.
pub(super) fn quoted(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let mut text = String::from("\"");
    for piece in pieces(bytes) {
        quote_part(piece, &mut text);
        out.write_all(text.as_bytes())?;
        text.clear();
    }
    text.push('"');
    out.write_all(text.as_bytes())
}

/// An aggregate that is open.
struct Level {
    count: u64,
    left: u64,
    is_map: bool,
    mark: char,
    /// The digits of its largest number.
    width: usize,
}

impl Level {
    fn of(element: &Element<'_>) -> Self {
        let is_map = element.kind == Kind::Map;
        let mark = match element.kind {
            Kind::Map => '#',
            Kind::Set => '~',
            _ => ')',
        };
        let numbers = if is_map { element.count / 2 } else { element.count };
        let width = itoa::Buffer::new().format(numbers).len();
        Self { count: element.count, left: element.count, is_map, mark, width }
    }

    /// How far its elements stand to the right of its numbers.
    fn indent(&self) -> usize {
        self.width + 2
    }

    fn is_at_value(&self) -> bool {
        self.is_map && self.left % 2 == 1
    }

    /// The number of the element, or the pair, that comes next.
    fn number(&self) -> u64 {
        let before = self.count - self.left;
        1 + if self.is_map { before / 2 } else { before }
    }
}

/// Writes a value and a newline; its lines after the first stand `indent` to the right.
fn value(out: &mut impl Write, style: &Style, frame: Frame<'_>, indent: usize) -> io::Result<()> {
    let mut tall = None;
    let mut stack: Vec<Level> = Vec::new();
    let mut indent = indent;
    for element in frame.walk() {
        if let Some(level) = stack.last() {
            let width = level.width;
            if level.is_at_value() {
                out.write_all(b" => ")?;
                // redis-cli begins a value of several lines on a line of its own.
                if tall.get_or_insert_with(|| tall_values(frame)).pop_front() == Some(true) {
                    write!(out, "\n{:indent$}", "")?;
                }
            } else {
                if level.left < level.count {
                    write!(out, "\n{:1$}", "", indent - level.indent())?;
                }
                write!(out, "{:>width$}{} ", level.number(), level.mark)?;
            }
        }
        if element.kind.is_aggregate() && element.count > 0 {
            let level = Level::of(&element);
            indent += level.indent();
            stack.push(level);
            continue;
        }
        scalar(out, style, element)?;
        while let Some(level) = stack.last_mut() {
            level.left -= 1;
            if level.left > 0 {
                break;
            }
            indent -= level.indent();
            stack.pop();
        }
    }
    out.write_all(b"\n")
}

/// Which values of the frame's maps take several lines, in the order in which they begin: one pass for all of them.
fn tall_values(frame: Frame<'_>) -> VecDeque<bool> {
    struct Open {
        left: u64,
        is_map: bool,
        /// The place among the values of the one that is open; none for what is no map's value.
        value: Option<usize>,
        lines: u64,
    }
    let mut values = VecDeque::new();
    let mut stack: Vec<Open> = Vec::new();
    for element in frame.walk() {
        let value = stack.last().is_some_and(|open| open.is_map && open.left % 2 == 1).then(|| {
            values.push_back(false);
            values.len() - 1
        });
        if element.kind.is_aggregate() && element.count > 0 {
            stack.push(Open { left: element.count, is_map: element.kind == Kind::Map, value, lines: 0 });
            continue;
        }
        let mut lines = 1 + if has_lines(&element) { count_lines(element.text) } else { 0 };
        if let Some(value) = value {
            values[value] = lines > 1;
        }
        while let Some(open) = stack.last_mut() {
            // A map's value that begins on a line of its own takes one more; its key stands on the line before.
            open.lines += if open.is_map && open.left % 2 == 1 { lines - u64::from(lines == 1) } else { lines };
            open.left -= 1;
            if open.left > 0 {
                break;
            }
            lines = open.lines;
            if let Some(value) = open.value {
                values[value] = lines > 1;
            }
            stack.pop();
        }
    }
    values
}

/// Whether it is shown as text that keeps its line ends.
fn has_lines(element: &Element<'_>) -> bool {
    element.kind == Kind::Error || is_text(element)
}

/// Whether it is text from the server. What is no UTF-8 is shown as the bytes it is.
fn is_text(element: &Element<'_>) -> bool {
    matches!(element.kind, Kind::Simple | Kind::Verbatim) && std::str::from_utf8(element.text).is_ok()
}

fn count_lines(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}

fn scalar(out: &mut impl Write, style: &Style, element: Element<'_>) -> io::Result<()> {
    let text = element.text;
    let number = |kind: &str| (Part::Number, Cow::from(format!("({kind}) {}", String::from_utf8_lossy(text))));
    let (part, shown) = match element.kind {
        _ if is_text(&element) => return safe(out, Escape::Lines, text),
        Kind::Bulk | Kind::Simple | Kind::Verbatim => return quoted(out, text),
        Kind::BigNumber => return safe(out, Escape::Line, text),
        Kind::Nil => (Part::Hint, "(nil)".into()),
        Kind::Integer => number("integer"),
        Kind::Double => number("double"),
        Kind::Boolean => (Part::Number, if text == b"t" { "(true)" } else { "(false)" }.into()),
        Kind::Error => (Part::Error, format!("(error) {}", printable(&error_words(text), Escape::Lines)).into()),
        // Redis itself sends no empty push.
        Kind::Array | Kind::Push => return out.write_all(b"(empty array)"),
        Kind::Set => return out.write_all(b"(empty set)"),
        Kind::Map => return out.write_all(b"(empty hash)"),
    };
    out.write_all(style.colors.paint(part, &shown).as_bytes())
}
