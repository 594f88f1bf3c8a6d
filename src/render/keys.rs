//! Keys, what is told of them, and what is in them (contract section 16).

use std::borrow::Cow;
use std::io::{self, Write};

use super::json::{bytes, is_number, is_plain, string_or_base64};
use super::{Format, Style, csv, human, raw};
use crate::color::Part;
use crate::command::request::{Request, shown_arg};

/// A value beside a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// The server does not tell it, or there is none.
    Null,
    /// A count, or seconds, or bytes.
    Number(i64),
    Word(&'a [u8]),
}

/// A key, or a field or member, by itself.
pub fn key(out: &mut impl Write, style: &Style, key: &[u8]) -> io::Result<()> {
    match style.format {
        Format::Raw => return raw::text(out, style, key),
        Format::Json => bytes(out, style, key)?,
        Format::Csv => csv::quoted(out, key)?,
        Format::Human if style.quotes_keys => human::quoted(out, key)?,
        Format::Human => out.write_all(shown_arg(key).as_bytes())?,
    }
    out.write_all(b"\n")
}

/// What is written between the columns of a line: in raw a tab, but where a delimiter was given.
fn column_delimiter(style: &Style) -> &[u8] {
    match style.format {
        Format::Csv => b",",
        _ if style.element_delimiter == b"\n" => b"\t",
        _ => &style.element_delimiter,
    }
}

/// What is told of a key, for a program.
fn cell(out: &mut impl Write, style: &Style, cell: Cell<'_>) -> io::Result<()> {
    match (cell, style.format) {
        (Cell::Number(number), _) => out.write_all(itoa::Buffer::new().format(number).as_bytes()),
        (Cell::Null, Format::Json) => out.write_all(b"null"),
        (Cell::Null, Format::Csv) => out.write_all(b"NULL"),
        (Cell::Null, _) => out.write_all(b"-"),
        (Cell::Word(word), Format::Json) => string_or_base64(out, style, word),
        (Cell::Word(word), Format::Csv) => csv::quoted(out, word),
        (Cell::Word(word), _) => out.write_all(word),
    }
}

/// A key with what is told of it: each by its name.
pub fn row(out: &mut impl Write, style: &Style, key: &[u8], cells: &[(&str, Cell<'_>)]) -> io::Result<()> {
    match style.format {
        Format::Json => {
            out.write_all(b"{\"key\":")?;
            bytes(out, style, key)?;
            for (name, told) in cells {
                write!(out, ",\"{name}\":")?;
                cell(out, style, *told)?;
            }
            out.write_all(b"}\n")
        }
        Format::Raw | Format::Csv => {
            for (_, told) in cells {
                cell(out, style, *told)?;
                out.write_all(column_delimiter(style))?;
            }
            self::key(out, style, key)
        }
        Format::Human => {
            for (name, cell) in cells {
                let width = width_of(name);
                match cell {
                    Cell::Null => write!(out, "{}  ", style.colors.paint(Part::Hint, &aligned("-", name, width)))?,
                    Cell::Number(number) => write!(out, "{number:>width$}  ")?,
                    Cell::Word(word) => write!(out, "{:width$}  ", shown_arg(word))?,
                }
            }
            writeln!(out, "{}", shown_arg(key))
        }
    }
}

/// The names of the columns, for a person.
pub fn head(out: &mut impl Write, style: &Style, names: &[&str]) -> io::Result<()> {
    if style.format != Format::Human {
        return Ok(());
    }
    let mut line = String::new();
    for name in names {
        line.push_str(&aligned(name, name, width_of(name)));
        line.push_str("  ");
    }
    line.push_str("key");
    writeln!(out, "{}", style.colors.paint(Part::Hint, &line))
}

/// What is known of the width of a column before its values are: lines are written as they come.
fn width_of(name: &str) -> usize {
    match name {
        "type" => 6,
        "encoding" => 10,
        "ttl" | "length" | "memory" => 9,
        _ => 7,
    }
}

/// Words stand at the left, numbers at the right.
fn aligned(text: &str, name: &str, width: usize) -> String {
    if matches!(name, "type" | "encoding") { format!("{text:width$}") } else { format!("{text:>width$}") }
}

/// A field with its value, or a member with its score, which is a number.
pub fn pair(out: &mut impl Write, style: &Style, names: (&str, &str), left: &[u8], right: &[u8]) -> io::Result<()> {
    match style.format {
        Format::Json => {
            write!(out, "{{\"{}\":", names.0)?;
            bytes(out, style, left)?;
            write!(out, ",\"{}\":", names.1)?;
            if names.1 == "score" && is_number(right) {
                out.write_all(right)?;
            } else {
                bytes(out, style, right)?;
            }
            out.write_all(b"}\n")
        }
        Format::Raw | Format::Csv => {
            cell(out, style, Cell::Word(left))?;
            out.write_all(column_delimiter(style))?;
            key(out, style, right)
        }
        Format::Human => writeln!(out, "{}  {}", shown_arg(left), shown_arg(right)),
    }
}

/// A command as a line of JSON that `pipe` reads, whatever the format; the argument at `in_base64` is always so.
pub fn command(out: &mut impl Write, request: &Request, in_base64: Option<usize>) -> io::Result<()> {
    for (index, arg) in request.args().enumerate() {
        out.write_all(if index == 0 { b"[" } else { b"," })?;
        if in_base64 == Some(index) {
            super::json::base64(out, arg)?;
        } else if is_plain(arg) {
            out.write_all(b"\"")?;
            out.write_all(arg)?;
            out.write_all(b"\"")?;
        } else if let Ok(text) = std::str::from_utf8(arg) {
            super::json::string(out, text)?;
        } else {
            super::json::base64(out, arg)?;
        }
    }
    out.write_all(b"]\n")
}

/// A key and how large it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ranked {
    /// Bytes, elements or uses; none where the server does not tell.
    pub size: Option<i64>,
    pub key: Vec<u8>,
    pub key_type: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct TypeSum {
    pub keys: u64,
    /// The sum of the sizes that are known; none where none is.
    pub size: Option<i64>,
    /// The largest of them, with the type.
    pub largest: Ranked,
}

/// The largest keys, and a summary.
#[derive(Debug)]
pub struct Ranking {
    /// What is large: `memory`, `length` or `freq`.
    pub measure: &'static str,
    /// The largest ones, largest first.
    pub top: Vec<Ranked>,
    /// By type, the one with most keys first.
    pub types: Vec<TypeSum>,
}

/// Writes a ranking: one object in JSON, else tables.
pub fn ranking(out: &mut impl Write, style: &Style, ranking: &Ranking) -> io::Result<()> {
    match style.format {
        Format::Json => ranking_as_json(out, style, ranking),
        _ => ranking_as_tables(out, style, ranking),
    }
}

fn ranking_as_json(out: &mut impl Write, style: &Style, ranking: &Ranking) -> io::Result<()> {
    let measure = ranking.measure;
    write!(out, "{{\"keys\":{},\"by\":\"{measure}\",\"top\":[", ranking.types.iter().map(|sum| sum.keys).sum::<u64>())?;
    for (index, entry) in ranking.top.iter().enumerate() {
        out.write_all(if index > 0 { b"," } else { b"" })?;
        ranked(out, style, measure, entry, true)?;
    }
    out.write_all(b"],\"types\":{")?;
    for (index, sum) in ranking.types.iter().enumerate() {
        out.write_all(if index > 0 { b"," } else { b"" })?;
        super::json::string(out, &String::from_utf8_lossy(&sum.largest.key_type))?;
        write!(out, ":{{\"keys\":{},\"{measure}\":{},\"largest\":", sum.keys, size_or(sum.size, "null"))?;
        match sum.size {
            Some(_) => ranked(out, style, measure, &sum.largest, false)?,
            None => out.write_all(b"null")?,
        }
        out.write_all(b"}")?;
    }
    out.write_all(b"}}\n")
}

fn ranked(out: &mut impl Write, style: &Style, measure: &str, ranked: &Ranked, with_type: bool) -> io::Result<()> {
    out.write_all(b"{\"key\":")?;
    bytes(out, style, &ranked.key)?;
    if with_type {
        out.write_all(b",\"type\":")?;
        string_or_base64(out, style, &ranked.key_type)?;
    }
    write!(out, ",\"{measure}\":{}}}", size_or(ranked.size, "null"))
}

fn size_or(size: Option<i64>, none: &str) -> Cow<'_, str> {
    size.map_or(Cow::Borrowed(none), |size| Cow::Owned(size.to_string()))
}

fn ranking_as_tables(out: &mut impl Write, style: &Style, ranking: &Ranking) -> io::Result<()> {
    let measure = ranking.measure;
    let head = |text: String| style.colors.paint(Part::Hint, &text).into_owned();
    writeln!(out, "{}", head(format!("{measure:>12}  {:8}  key", "type")))?;
    for Ranked { size, key, key_type } in &ranking.top {
        writeln!(out, "{:>12}  {:8}  {}", size_or(*size, "-"), shown_arg(key_type), shown_arg(key))?;
    }
    writeln!(out, "\n{}", head(format!("{:8}  {:>10}  {measure:>14}  {:>12}  largest", "type", "keys", "mean")))?;
    for TypeSum { keys, size, largest } in &ranking.types {
        let mean = size_or(size.map(|size| size / i64::try_from(*keys).unwrap_or(i64::MAX).max(1)), "-");
        let name = shown_arg(&largest.key_type);
        write!(out, "{name:8}  {keys:>10}  {:>14}  {mean:>12}  ", size_or(*size, "-"))?;
        match largest.size {
            Some(size) => writeln!(out, "{} ({size})", shown_arg(&largest.key))?,
            None => writeln!(out, "-")?,
        }
    }
    Ok(())
}
