//! Raw output: bytes as they are, one element a line, as redis-cli writes into a pipe (contract section 2).

use std::io::{self, Write};

use redis::Value;

use super::Style;
use crate::server::error_text;

/// Writes a reply and the delimiter after it; a report (INFO and its kind) brings its own line end, as with redis-cli.
pub fn reply(out: &mut impl Write, style: &Style, value: &Value, is_report: bool) -> io::Result<()> {
    match value {
        Value::BulkString(_) | Value::VerbatimString { .. } if is_report => return element(out, style, value),
        Value::ServerError(error) if style.one_line_errors => out.write_all(error_text(error).as_bytes())?,
        value => element(out, style, value)?,
    }
    out.write_all(&style.reply_delimiter)
}

fn element(out: &mut impl Write, style: &Style, value: &Value) -> io::Result<()> {
    match value {
        Value::Nil => Ok(()),
        Value::Int(number) => out.write_all(itoa::Buffer::new().format(*number).as_bytes()),
        Value::BulkString(bytes) | Value::BigNumber(bytes) => out.write_all(bytes),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => out.write_all(text.as_bytes()),
        Value::Okay => out.write_all(b"OK"),
        Value::Boolean(true) => out.write_all(b"(true)"),
        Value::Boolean(false) => out.write_all(b"(false)"),
        Value::Array(items) | Value::Set(items) | Value::Push { data: items, .. } => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.write_all(&style.element_delimiter)?;
                }
                element(out, style, item)?;
            }
            Ok(())
        }
        Value::Map(pairs) => {
            for (index, (key, value)) in pairs.iter().enumerate() {
                if index > 0 {
                    out.write_all(&style.element_delimiter)?;
                }
                element(out, style, key)?;
                out.write_all(b" ")?;
                element(out, style, value)?;
            }
            Ok(())
        }
        Value::Attribute { data, .. } => element(out, style, data),
        Value::ServerError(error) => {
            out.write_all(error_text(error).as_bytes())?;
            out.write_all(b"\n")
        }
        // The crate's enum may grow.
        other => write!(out, "{other:?}"),
    }
}
