//! CSV output, byte for byte redis-cli's `--csv` (contract section 2): one line a reply, strings quoted, numbers bare,
//! and everything that has elements flat.

use std::io::{self, Write};

use super::repr::repr;
use crate::reply::{Element, Frame, Kind};

/// Writes a reply as one line; a report (INFO and its kind) as the text it is, as redis-cli does.
pub fn reply(out: &mut impl Write, frame: Frame<'_>, is_report: bool) -> io::Result<()> {
    let head = frame.head();
    if is_report && matches!(head.kind, Kind::Bulk | Kind::Verbatim) {
        return out.write_all(head.text);
    }
    let mut is_first = true;
    // One without elements is an empty field.
    for element in frame.walk().filter(|element| !element.kind.is_aggregate() || element.count == 0) {
        if !std::mem::take(&mut is_first) {
            out.write_all(b",")?;
        }
        scalar(out, &element)?;
    }
    out.write_all(b"\n")
}

/// Writes a text as a line of its own.
pub fn text(out: &mut impl Write, text: &[u8]) -> io::Result<()> {
    quoted(out, text)?;
    out.write_all(b"\n")
}

fn scalar(out: &mut impl Write, element: &Element<'_>) -> io::Result<()> {
    match element.kind {
        Kind::Integer => out.write_all(element.text),
        // Whatever a server may call a number.
        Kind::Double | Kind::BigNumber if element.text.iter().copied().all(may_be_number) => {
            out.write_all(element.text)
        }
        kind if kind.is_aggregate() => Ok(()),
        Kind::Nil => out.write_all(b"NULL"),
        Kind::Boolean if element.text == b"t" => out.write_all(b"true"),
        Kind::Boolean => out.write_all(b"false"),
        Kind::Error => {
            out.write_all(b"ERROR,")?;
            quoted(out, element.text)
        }
        _ => quoted(out, element.text),
    }
}

pub fn quoted(out: &mut impl Write, text: &[u8]) -> io::Result<()> {
    out.write_all(b"\"")?;
    repr::<false>(out, text)?;
    out.write_all(b"\"")
}

fn may_be_number(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}
