//! Raw output: bytes as they are, one element a line, as redis-cli writes into a pipe (contract section 2).

use std::io::{self, Write};

use super::Style;
use crate::reply::{Element, Frame, Kind, error_words};

/// Writes a reply and the delimiter after it; a report (INFO and its kind) brings its own line end, as with redis-cli.
pub fn reply(out: &mut impl Write, style: &Style, frame: Frame<'_>, is_report: bool) -> io::Result<()> {
    let head = frame.head();
    match head.kind {
        Kind::Bulk | Kind::Verbatim if is_report => return out.write_all(head.text),
        Kind::Error if style.one_line_errors || is_report => out.write_all(error_words(head.text).as_bytes())?,
        _ => value(out, style, frame)?,
    }
    out.write_all(&style.reply_delimiter)
}

/// Writes a text as a reply of its own.
#[inline]
pub fn text(out: &mut impl Write, style: &Style, text: &[u8]) -> io::Result<()> {
    out.write_all(text)?;
    out.write_all(&style.reply_delimiter)
}

/// An aggregate that is open: its elements still to come, and whether they are keys and values in turn.
struct Level {
    left: u64,
    is_map: bool,
}

fn value(out: &mut impl Write, style: &Style, frame: Frame<'_>) -> io::Result<()> {
    let mut stack: Vec<Level> = Vec::new();
    for element in frame.walk() {
        if element.kind.is_aggregate() && element.count > 0 {
            stack.push(Level { left: element.count, is_map: element.kind == Kind::Map });
            continue;
        }
        scalar(out, element)?;
        while let Some(level) = stack.last_mut() {
            level.left -= 1;
            if level.left > 0 {
                // A map's value stands behind its key.
                let is_key = level.is_map && level.left % 2 == 1;
                out.write_all(if is_key { b" " } else { &style.element_delimiter })?;
                break;
            }
            stack.pop();
        }
    }
    Ok(())
}

fn scalar(out: &mut impl Write, element: Element<'_>) -> io::Result<()> {
    match element.kind {
        Kind::Boolean if element.text == b"t" => out.write_all(b"(true)"),
        Kind::Boolean => out.write_all(b"(false)"),
        Kind::Error => {
            out.write_all(error_words(element.text).as_bytes())?;
            out.write_all(b"\n")
        }
        _ => out.write_all(element.text),
    }
}
