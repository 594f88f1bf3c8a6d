//! Entries of streams: an object a line, values only, all of it flat in a line of CSV, or the fields as redis-cli shows a
//! map (contract section 15).

use std::collections::HashSet;
use std::io::{self, Write};
use std::time::Duration;

use super::json::{bytes, is_plain, string, string_or_base64};
use super::stream::{end, nested};
use super::{Format, Style, csv, human};
use crate::memory;
use crate::reply::{Deliveries, Element, Entry, Event, Frame};

/// An entry. Raw output is its values: one that was deleted has none and leaves no trace.
pub fn entry(out: &mut impl Write, style: &Style, entry: &Entry<'_>, time: Option<Duration>) -> io::Result<()> {
    match style.format {
        Format::Json => object(out, style, entry, time),
        Format::Raw => values(out, style, entry),
        Format::Csv => row(out, entry),
        Format::Human => lines(out, entry),
    }
}

/// Names and values in turn.
fn pairs(fields: Frame<'_>) -> impl Iterator<Item = (Element<'_>, Element<'_>)> {
    let mut walk = fields.walk();
    let count = walk.next().map_or(0, |head| head.count / 2);
    (0..count).map_while(move |_| Some((walk.next()?, walk.next()?)))
}

fn object(out: &mut impl Write, style: &Style, entry: &Entry<'_>, time: Option<Duration>) -> io::Result<()> {
    out.write_all(b"{\"stream\":")?;
    bytes(out, style, entry.stream)?;
    out.write_all(b",\"id\":")?;
    string_or_base64(out, style, entry.id)?;
    out.write_all(b",\"fields\":")?;
    match entry.fields {
        Some(fields) if are_names(fields, style)? => pairs_of(out, style, fields, [b"{", b":", b",", b"}", b"{}"])?,
        Some(fields) => pairs_of(out, style, fields, [b"[[", b",", b"],[", b"]]", b"[]"])?,
        None => out.write_all(b"null")?,
    }
    match entry.deliveries {
        Deliveries::Ungrouped => {}
        Deliveries::Unknown => out.write_all(b",\"deliveries\":null")?,
        Deliveries::Times(times) => {
            out.write_all(b",\"deliveries\":")?;
            out.write_all(itoa::Buffer::new().format(times).as_bytes())?;
        }
    }
    end(out, (time, None))
}

/// The fields with these signs: before, between name and value, between pairs, behind, and for none at all.
fn pairs_of(out: &mut impl Write, style: &Style, fields: Frame<'_>, signs: [&[u8]; 5]) -> io::Result<()> {
    let [mut before, between, next, behind, none] = signs;
    if fields.head().count == 0 {
        return out.write_all(none);
    }
    for (name, value) in pairs(fields) {
        out.write_all(before)?;
        bytes(out, style, name.text)?;
        out.write_all(between)?;
        match nested(value.text, style) {
            Some(json) => out.write_all(json.as_bytes())?,
            None => bytes(out, style, value.text)?,
        }
        before = next;
    }
    out.write_all(behind)
}

/// Whether the fields can be an object: all names are UTF-8, and each is there once.
fn are_names(fields: Frame<'_>, style: &Style) -> io::Result<bool> {
    const FEW: usize = 8;
    let count = usize::try_from(fields.head().count / 2).unwrap_or(usize::MAX);
    let is_name = |name: &[u8]| !style.base64 && (is_plain(name) || std::str::from_utf8(name).is_ok());
    if count <= FEW {
        let mut names: [&[u8]; FEW] = [&[]; FEW];
        for (at, (name, _)) in pairs(fields).take(FEW).enumerate() {
            if !is_name(name.text) || names[..at].contains(&name.text) {
                return Ok(false);
            }
            names[at] = name.text;
        }
        return Ok(true);
    }
    let mut names = HashSet::new();
    if memory::ask(|| names.try_reserve(count)).is_err() {
        return Err(io::Error::other(format!("memory has no room for the names of {count} fields")));
    }
    Ok(pairs(fields).all(|(name, _)| is_name(name.text) && names.insert(name.text)))
}

fn values(out: &mut impl Write, style: &Style, entry: &Entry<'_>) -> io::Result<()> {
    let Some(fields) = entry.fields.filter(|fields| fields.head().count > 0) else { return Ok(()) };
    for (at, (_, value)) in pairs(fields).enumerate() {
        if at > 0 {
            out.write_all(&style.element_delimiter)?;
        }
        out.write_all(value.text)?;
    }
    out.write_all(&style.reply_delimiter)
}

/// The stream, the id, and names and values in turn; NULL for those of one that was deleted.
fn row(out: &mut impl Write, entry: &Entry<'_>) -> io::Result<()> {
    csv::quoted(out, entry.stream)?;
    out.write_all(b",")?;
    csv::quoted(out, entry.id)?;
    let Some(fields) = entry.fields else { return out.write_all(b",NULL\n") };
    for (name, value) in pairs(fields) {
        for part in [name.text, value.text] {
            out.write_all(b",")?;
            csv::quoted(out, part)?;
        }
    }
    out.write_all(b"\n")
}

/// A line with the stream and the id, and one a field.
fn lines(out: &mut impl Write, entry: &Entry<'_>) -> io::Result<()> {
    let name = |bytes| String::from_utf8_lossy(bytes);
    let told = match entry.deliveries {
        Deliveries::Times(times) if times > 1 => format!(" (delivery {times})"),
        _ => String::new(),
    };
    human::text(out, &format!("{} {}{told}", name(entry.stream), name(entry.id)))?;
    let Some(fields) = entry.fields else { return out.write_all(b"(nil)\n") };
    let width = itoa::Buffer::new().format(fields.head().count / 2).len();
    for (number, (name, value)) in (1..).zip(pairs(fields)) {
        write!(out, "{number:>width$}# ")?;
        human::quoted(out, name.text)?;
        out.write_all(b" => ")?;
        human::quoted(out, value.text)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// What happened to a stream or its group. Raw output has no place for it.
pub fn event(
    out: &mut impl Write,
    style: &Style,
    event: &Event,
    time: Option<Duration>,
    server: &str,
) -> io::Result<()> {
    let (stream, facts) = match event {
        Event::Gap { stream, reason, after, before, lost } => {
            let before = before.map(|before| format!(",\"before\":\"{before}\"")).unwrap_or_default();
            let lost = lost.map(|lost| format!(",\"lost\":{lost}")).unwrap_or_default();
            (stream, format!(",\"reason\":\"{}\",\"after\":\"{after}\"{before}{lost}", reason.name()))
        }
        Event::GroupMade { stream, after, .. } => (stream, format!(",\"after\":\"{after}\"")),
        _ => return Ok(()),
    };
    let r#type = event.name();
    match style.format {
        Format::Json => {
            write!(out, "{{\"type\":\"{type}\",\"stream\":")?;
            bytes(out, style, stream)?;
            out.write_all(facts.as_bytes())?;
            if let Event::GroupMade { group, .. } = event {
                out.write_all(b",\"group\":")?;
                bytes(out, style, group)?;
            }
            out.write_all(b",\"server\":")?;
            string(out, server)?;
            end(out, (time, None))
        }
        Format::Human => human::text(out, &format!("({type}) {server}: {}", String::from_utf8_lossy(stream))),
        Format::Raw | Format::Csv => Ok(()),
    }
}
