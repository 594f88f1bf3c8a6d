//! Entries of streams with a line for each field, and members of sorted sets with their scores: long lists, of which no
//! line is made before it is written.

use super::layout::{self, padded};
use super::parts::{pairs, plain, quoted, shown, string};
use super::{Lines, Place};
use crate::command::request::{Request, shown_arg};
use crate::reply::{Frame, Kind};
use crate::text::width;

/// The widths of a column are those of its first cells: a long list is not walked over before it is shown.
const MEASURED: usize = 1000;

/// Members with their scores, numbered: pairs (RESP3), or one behind the other (RESP2).
pub fn scores<'a>(_: &Request, frame: Frame<'a>, _: Place) -> Option<Lines<'a>> {
    let count = frame.head().count;
    if frame.kind() != Kind::Array || count == 0 {
        return None;
    }
    let is_nested = frame.children().all(|child| child.kind() == Kind::Array && child.head().count == 2);
    if !is_nested && (count % 2 == 1 || frame.children().any(|child| string(child).is_none())) {
        return None;
    }
    let scalars = move || frame.walk().filter(|element| !element.kind.is_aggregate()).map(|element| element.text);
    let width_of = scalars().step_by(2).take(MEASURED).map(|member| width(&quoted(member))).max().unwrap_or(0).min(40);
    let digits = (if is_nested { count } else { count / 2 }).to_string().len();
    let mut scalars = scalars();
    let pair = move |at: u64| {
        let (member, score) = (scalars.next()?, scalars.next()?);
        Some(format!("{at:>digits$}) {}  {}", padded(&quoted(member), width_of), plain(score)))
    };
    Some(Box::new((1..).map_while(pair)))
}

/// Entries of a stream, numbered: the id, and a line for each field. Ids alone (JUSTID) are left as they are.
pub fn entries<'a>(_: &Request, frame: Frame<'a>, _: Place) -> Option<Lines<'a>> {
    are_entries(frame).then(|| listed(frame, 0))
}

/// Whether it is a list of entries, which are ids with fields, or with nothing where they were deleted.
fn are_entries(frame: Frame<'_>) -> bool {
    let is_entry = |entry: Frame<'_>| {
        let mut parts = entry.children();
        let (id, fields) = (parts.next().and_then(string), parts.next());
        id.is_some() && fields.is_some_and(|fields| fields.is_nil() || fields.kind() == Kind::Array)
    };
    frame.kind() == Kind::Array && frame.head().count > 0 && frame.children().all(is_entry)
}

/// Entries that stand so far to the right.
fn listed<'a>(entries: Frame<'a>, indent: usize) -> Lines<'a> {
    let digits = entries.head().count.to_string().len();
    let lines = move |(at, entry): (u64, Frame<'a>)| {
        let mut parts = entry.children();
        let id = parts.next().and_then(string).map(plain).unwrap_or_default();
        let fields: Vec<&[u8]> = parts.next().into_iter().flat_map(Frame::children).filter_map(string).collect();
        let names = fields.iter().step_by(2).map(|name| width(&shown_arg(name))).max().unwrap_or(0).min(30);
        let mut lines = vec![format!("{:indent$}{at:>digits$}) {id}", "")];
        if entry.children().nth(1).is_some_and(Frame::is_nil) {
            lines[0].push_str("  (deleted)");
        }
        for pair in fields.chunks_exact(2) {
            lines.push(format!(
                "{:1$}{2}  {3}",
                "",
                indent + digits + 2,
                padded(&shown_arg(pair[0]), names),
                quoted(pair[1])
            ));
        }
        lines
    };
    Box::new((1..).zip(entries.children()).flat_map(lines))
}

/// XREAD and XREADGROUP: the name of each stream, and its entries.
pub fn read<'a>(_: &Request, frame: Frame<'a>, _: Place) -> Option<Lines<'a>> {
    let streams: Vec<(&[u8], Frame<'_>)> = match frame.kind() {
        Kind::Map => pairs(frame)?,
        Kind::Array => {
            let stream = |stream: Frame<'a>| {
                let mut parts = stream.children();
                Some((parts.next().and_then(string)?, parts.next()?))
            };
            frame.children().map(stream).collect::<Option<_>>()?
        }
        _ => return None,
    };
    let is_known =
        |entries: Frame<'_>| entries.kind() == Kind::Array && entries.head().count == 0 || are_entries(entries);
    if streams.is_empty() || !streams.iter().all(|(_, entries)| is_known(*entries)) {
        return None;
    }
    let lines = |(name, entries): (&'a [u8], Frame<'a>)| {
        let head =
            if entries.head().count == 0 { format!("{}  (no entries)", shown_arg(name)) } else { shown_arg(name) };
        std::iter::once(head).chain(listed(entries, 2))
    };
    Some(Box::new(streams.into_iter().flat_map(lines)))
}

/// XAUTOCLAIM: where it goes on, what was claimed, and what was deleted.
pub fn claimed<'a>(_: &Request, frame: Frame<'a>, _: Place) -> Option<Lines<'a>> {
    let mut parts = frame.children();
    let (next, entries) = (parts.next().and_then(string)?, parts.next()?);
    if !are_entries(entries) {
        return None;
    }
    let deleted: Vec<String> =
        parts.next().into_iter().flat_map(Frame::children).filter_map(string).map(plain).collect();
    let mut behind = vec![format!("next     {}", plain(next))];
    if !deleted.is_empty() {
        behind.push(format!("deleted  {}", deleted.join(" ")));
    }
    Some(Box::new(listed(entries, 0).chain(behind)))
}

/// XINFO STREAM: names and values, an entry on one line. FULL is left as it is.
pub fn info<'a>(_: &Request, frame: Frame<'a>, place: Place) -> Option<Lines<'a>> {
    let entry = |entry: Frame<'_>| {
        let mut parts = entry.children();
        let id = parts.next().and_then(string).map(plain)?;
        let fields: Vec<&[u8]> = parts.next()?.children().map(string).collect::<Option<_>>()?;
        let field = |pair: &[&[u8]]| format!("{}={}", shown_arg(pair[0]), shown_arg(pair[1]));
        Some([id].into_iter().chain(fields.chunks_exact(2).map(field)).collect::<Vec<_>>().join(" "))
    };
    let row = |(name, value): (&[u8], Frame<'_>)| {
        let shown = if value.kind().is_aggregate() { entry(value)? } else { shown(value)? };
        Some((plain(name), shown, None))
    };
    let rows: Option<Vec<_>> = pairs(frame)?.into_iter().map(row).collect();
    layout::pairs(rows?, place)
}
