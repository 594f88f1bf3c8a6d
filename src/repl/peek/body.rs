//! What is in a key as lines that fit the screen.

use super::look::{BYTES, Layout};
use super::{Content, Known, SHOWN, cut, padded};
use crate::color::{Colors, Part};
use crate::command::request::shown_arg;
use crate::repl::readable::{duration, pretty};
use crate::repl::screen;
use crate::repl::tables::{folded, quoted};
use crate::reply::{Frame, Kind};
use crate::text::{self, width};
use std::iter;
use std::time::Duration;

/// How far the lines stand to the right.
const INDENT: usize = 2;
/// The lines of a text.
const TEXT: usize = 8;
/// The same of JSON.
const JSON: usize = 20;

/// The room that there is on the screen.
#[derive(Clone, Copy)]
pub struct Room {
    /// Rows below the line that was typed and above the next prompt.
    rows: usize,
    columns: usize,
}

impl Room {
    pub fn of_screen() -> Self {
        let (rows, columns) = screen::size().unwrap_or((24, 80));
        Self { rows: rows.saturating_sub(2), columns }
    }

    /// What is left below this line, which is folded where it is too long.
    pub fn below(self, line: &str) -> Self {
        let taken = width(line).div_ceil(self.columns).max(1);
        Self { rows: self.rows.saturating_sub(taken), ..self }
    }

    /// How many elements of a line each fit: one line tells what the key is, one that there are more.
    pub fn elements(self) -> usize {
        self.rows.saturating_sub(3)
    }

    fn lines(self) -> usize {
        self.rows.saturating_sub(1).max(1)
    }
}

impl Known {
    /// The first of what is in it, a line each.
    pub fn body(&self, room: Room, is_pretty: bool, colors: Colors) -> Vec<String> {
        if self.kind == "none" {
            return Vec::new();
        }
        let columns = room.columns.saturating_sub(INDENT);
        let note = |text: &str| vec![colors.paint(Part::Hint, &cut(text, columns)).into_owned()];
        let (layout, content) = match &self.content {
            Content::First(layout, content) => (*layout, content.frame()),
            Content::Unknown => return Vec::new(),
            Content::TooLarge => return note("(too large to be shown)"),
            Content::Refused(error) => return note(&format!("(not shown: {})", text::line(error))),
        };
        if let Layout::Text | Layout::Json = layout {
            return self.text(content.head().text, layout == Layout::Json || is_pretty, room, colors);
        }
        let mut lines = match layout {
            Layout::Pairs => pairs(content, columns),
            Layout::Scan { in_pairs } => match content.children().nth(1) {
                Some(found) if in_pairs => pairs(found, columns),
                Some(found) => elements(found).collect(),
                None => Vec::new(),
            },
            Layout::Entries => content.children().map(entry).collect(),
            Layout::List | Layout::Text | Layout::Json => elements(content).collect(),
        };
        let most = if self.length.is_some() { SHOWN } else { 2 * SHOWN }.min(room.lines());
        let is_cut = lines.len() > most;
        lines.truncate(most);
        // The fields of a hash may expire.
        let ttls = self.field_ttls.iter().copied().chain(iter::repeat(None));
        let line = |(line, ttl): (&String, _)| with_ttl(line, ttl, columns, colors);
        let mut body: Vec<String> = lines.iter().zip(ttls).map(line).collect();
        match self.length {
            Some(([_, many], count)) if count > body.len() as u64 => {
                body.extend(note(&format!("... of {count} {many}")));
            }
            None if is_cut => body.extend(note("...")),
            _ => {}
        }
        body
    }

    /// A string in quotes on a few lines; of a HyperLogLog what it counts, and JSON indented where that is wanted.
    fn text(&self, bytes: &[u8], is_pretty: bool, room: Room, colors: Colors) -> Vec<String> {
        let columns = room.columns.saturating_sub(INDENT);
        if let Some(counted) = hyper_log_log(bytes) {
            return vec![cut(&counted, columns)];
        }
        let pretty = is_pretty.then(|| pretty(bytes)).flatten();
        let (mut lines, most) = if let Some(pretty) = pretty {
            (pretty.lines().map(|line| cut(&text::line(line), columns)).collect(), JSON)
        } else {
            (folded(&quoted(bytes), columns, TEXT + 1), TEXT)
        };
        let most = most.min(room.lines());
        let is_cut = lines.len() > most;
        lines.truncate(most);
        let length = self.length.map(|(_, bytes)| bytes).filter(|length| is_cut || *length > BYTES);
        let note = match length {
            Some(length) => Some(format!("... of {length} bytes")),
            None => is_cut.then(|| "...".to_owned()),
        };
        lines.extend(note.map(|note| colors.paint(Part::Hint, &note).into_owned()));
        lines
    }
}

/// A line that fits, of a field with when it expires, in milliseconds, if it does.
fn with_ttl(line: &str, ttl: Option<u64>, columns: usize, colors: Colors) -> String {
    let Some(ttl) = ttl else { return cut(line, columns) };
    let note = format!("(expires in {})", duration(Duration::from_millis(ttl)));
    let line = cut(line, columns.saturating_sub(width(&note) + INDENT));
    format!("{line}  {}", colors.paint(Part::Hint, &note))
}

/// What a HyperLogLog counts, if the string is one. The number is the one that was reckoned last, in the eight bytes
/// behind the mark and the encoding; the highest bit says that it is out of date. To ask PFCOUNT might write it.
fn hyper_log_log(bytes: &[u8]) -> Option<String> {
    const STALE: u64 = 1 << 63;
    let rest = bytes.strip_prefix(b"HYLL")?;
    let [0 | 1, 0, 0, 0, number @ ..] = rest else { return None };
    let number = u64::from_le_bytes(*number.first_chunk()?);
    Some(if number & STALE == 0 {
        format!("(a HyperLogLog of about {number})")
    } else {
        "(a HyperLogLog: PFCOUNT tells of how many)".to_owned()
    })
}

/// Elements as they would be typed.
fn elements(frame: Frame<'_>) -> impl Iterator<Item = String> {
    frame.children().map(shown)
}

/// One element; what is in an aggregate stands on its line.
fn shown(frame: Frame<'_>) -> String {
    if frame.kind().is_aggregate() {
        return elements(frame).collect::<Vec<_>>().join(" ");
    }
    let head = frame.head();
    match head.kind {
        Kind::Nil => "(nil)".to_owned(),
        // A word of the server's.
        Kind::Simple => text::printable_bytes(head.text, text::Escape::Line).into_owned(),
        _ => shown_arg(head.text),
    }
}

/// Two columns, of pairs that are arrays, a map, or one element behind the other.
fn pairs(frame: Frame<'_>, columns: usize) -> Vec<String> {
    let children: Vec<Frame<'_>> = frame.children().collect();
    let is_nested = frame.kind() != Kind::Map && children.iter().all(|child| child.kind().is_aggregate());
    let pairs: Vec<(String, String)> = if is_nested {
        let pair = |child: &Frame<'_>| {
            let mut elements = elements(*child);
            Some((elements.next()?, elements.next()?))
        };
        children.iter().filter_map(pair).collect()
    } else {
        children.chunks_exact(2).map(|pair| (shown(pair[0]), shown(pair[1]))).collect()
    };
    let shown = pairs.iter().take(SHOWN);
    let names = shown.map(|(name, _)| width(name)).max().unwrap_or(0).min(30).min(columns / 2);
    pairs.into_iter().map(|(name, value)| format!("{}  {value}", padded(&name, names))).collect()
}

/// An entry of a stream: its id, and its fields.
fn entry(frame: Frame<'_>) -> String {
    let mut parts = frame.children();
    let (id, fields) = (parts.next().map(shown).unwrap_or_default(), parts.next());
    let fields: Vec<String> = fields.map(|fields| elements(fields).collect()).unwrap_or_default();
    let fields: Vec<String> = fields.chunks_exact(2).map(|pair| format!("{}={}", pair[0], pair[1])).collect();
    format!("{id}  {}", fields.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hyper_log_log_tells_its_number_where_it_is_up_to_date() {
        let with = |number: u64| [&b"HYLL\x01\0\0\0"[..], &number.to_le_bytes(), b"\x80"].concat();
        assert_eq!(hyper_log_log(&with(10)).as_deref(), Some("(a HyperLogLog of about 10)"));
        assert!(hyper_log_log(&with(1 << 63)).is_some_and(|text| text.contains("PFCOUNT")));
        for other in [&b"HYLL"[..], b"HYLLO, world, and more", b"HYLL\x01\0\0\0short"] {
            assert_eq!(hyper_log_log(other), None);
        }
    }

    #[test]
    fn what_is_below_a_long_line_has_less_room() {
        let room = Room { rows: 10, columns: 40 };
        assert_eq!(room.below(&"x".repeat(41)).rows, 8);
        assert_eq!((room.below("").lines(), room.elements()), (8, 7));
    }
}
