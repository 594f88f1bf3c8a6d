//! Replies that are lists of records, a row each: SLOWLOG GET, CLIENT LIST, sorted sets with their scores, entries of
//! streams (contract section 10). Human format at the prompt only; a reply of another shape is left as it is.

use std::fmt::Write as _;
use std::time::Duration;

use super::readable::{cut, duration, time};
use crate::command::request::{Request, quote, shown_arg};
use crate::reply::{Frame, Kind};
use crate::text;

/// Rows with the widest cell of each column; the last one takes what is left.
struct Table {
    head: Option<Vec<String>>,
    rows: Vec<Vec<String>>,
}

/// A reply as rows, within so many columns; none if it is no such reply.
pub fn table(request: &Request, frame: Frame<'_>, columns: usize) -> Option<String> {
    let has = |word: &str| (1..request.len()).any(|at| request.is(at, word));
    if request.is(0, "SLOWLOG") && request.is(1, "GET") {
        return slow_log(frame).map(|table| table.text(columns));
    }
    if request.is(0, "CLIENT") && request.is(1, "LIST") {
        return clients(frame).map(|table| table.text(columns));
    }
    if has("WITHSCORES") {
        return scores(frame);
    }
    if ["XRANGE", "XREVRANGE"].iter().any(|name| request.is(0, name)) {
        return entries(frame);
    }
    None
}

impl Table {
    fn text(&self, columns: usize) -> String {
        let all = || self.head.iter().chain(&self.rows);
        let count = all().map(Vec::len).max().unwrap_or(0);
        let width = |at: usize| all().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..count).map(width).collect();
        let mut text = String::new();
        for row in all() {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            let line = cells.collect::<Vec<_>>().join("  ");
            text.push_str(&cut(line.trim_end(), columns));
            text.push('\n');
        }
        text
    }
}

fn string(frame: Frame<'_>) -> Option<&[u8]> {
    let head = frame.head();
    matches!(head.kind, Kind::Bulk | Kind::Simple | Kind::Integer | Kind::Double | Kind::Verbatim).then_some(head.text)
}

fn plain(bytes: &[u8]) -> String {
    text::line(&String::from_utf8_lossy(bytes)).into_owned()
}

/// SLOWLOG GET: id, time, duration, client, command.
fn slow_log(frame: Frame<'_>) -> Option<Table> {
    let row = |entry: Frame<'_>| {
        let parts: Vec<Frame<'_>> = entry.children().collect();
        let [id, at, took, command, rest @ ..] = parts.as_slice() else { return None };
        let number = |frame: Frame<'_>| std::str::from_utf8(string(frame)?).ok()?.parse::<u64>().ok();
        let took = Duration::from_micros(number(*took)?);
        let took = if took < Duration::from_secs(1) {
            format!("{:.2} ms", took.as_secs_f64() * 1000.0)
        } else {
            duration(took)
        };
        let words: Option<Vec<String>> = command.children().map(|word| string(word).map(shown_arg)).collect();
        let client = rest.first().and_then(|client| string(*client)).map(plain).unwrap_or_default();
        let at = time(i64::try_from(number(*at)?).ok()?, 0)?;
        Some(vec![number(*id)?.to_string(), at, took, client, words?.join(" ")])
    };
    let rows: Vec<Vec<String>> = frame.children().map(row).collect::<Option<_>>()?;
    let head = ["id", "at", "took", "client", "command"].map(str::to_owned).to_vec();
    (frame.kind() == Kind::Array && !rows.is_empty()).then_some(Table { head: Some(head), rows })
}

/// CLIENT LIST: what tells one client from another.
fn clients(frame: Frame<'_>) -> Option<Table> {
    const COLUMNS: [&str; 8] = ["id", "addr", "user", "name", "db", "age", "idle", "cmd"];
    let text = String::from_utf8_lossy(string(frame)?).into_owned();
    let row = |line: &str| {
        let field = |name: &&str| {
            let value = line.split(' ').find_map(|pair| pair.strip_prefix(*name)?.strip_prefix('='))?;
            let value = match (*name, value.parse()) {
                ("age" | "idle", Ok(seconds @ 0..60)) => format!("{seconds} s"),
                ("age" | "idle", Ok(seconds)) => duration(Duration::from_secs(seconds)),
                _ => text::line(value).into_owned(),
            };
            Some(value)
        };
        COLUMNS
            .iter()
            .map(|name| field(name).or_else(|| (*name == "user").then(String::new)))
            .collect::<Option<Vec<_>>>()
    };
    let rows: Vec<Vec<String>> = text.lines().map(row).collect::<Option<_>>()?;
    let head = COLUMNS.map(str::to_owned).to_vec();
    (!rows.is_empty()).then_some(Table { head: Some(head), rows })
}

/// Members with their scores, numbered: pairs (RESP3), or one behind the other (RESP2).
fn scores(frame: Frame<'_>) -> Option<String> {
    let children: Vec<Frame<'_>> = frame.children().collect();
    let flat: Vec<Frame<'_>> = if children.iter().all(|child| child.kind() == Kind::Array) {
        children.iter().flat_map(|child| child.children()).collect()
    } else {
        children
    };
    let flat: Vec<&[u8]> = flat.into_iter().map(string).collect::<Option<_>>()?;
    let pairs: Vec<(&[u8], &[u8])> = flat.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    if frame.kind() != Kind::Array || pairs.is_empty() {
        return None;
    }
    let members: Vec<String> = pairs.iter().map(|(member, _)| quoted(member)).collect();
    let width = members.iter().map(|member| member.chars().count()).max().unwrap_or(0).min(40);
    let digits = members.len().to_string().len();
    let line =
        |(at, member): (usize, &String)| format!("{:>digits$}) {member:width$}  {}\n", at + 1, plain(pairs[at].1));
    Some(members.iter().enumerate().map(line).collect())
}

/// Entries of a stream, numbered: the id, and a line for each field.
fn entries(frame: Frame<'_>) -> Option<String> {
    let digits = frame.children().count().to_string().len();
    let mut shown = String::new();
    for (at, entry) in (1..).zip(frame.children()) {
        let mut parts = entry.children();
        let (id, fields) = (string(parts.next()?)?, parts.next()?);
        let _ = writeln!(shown, "{at:>digits$}) {}", plain(id));
        let words: Vec<&[u8]> = fields.children().map(string).collect::<Option<_>>()?;
        let width = words.iter().step_by(2).map(|name| shown_arg(name).chars().count()).max().unwrap_or(0).min(30);
        for pair in words.chunks_exact(2) {
            let _ = writeln!(shown, "{:digits$}  {:width$}  {}", "", shown_arg(pair[0]), quoted(pair[1]));
        }
    }
    (frame.kind() == Kind::Array && !shown.is_empty()).then_some(shown)
}

fn quoted(bytes: &[u8]) -> String {
    let mut text = String::new();
    quote(bytes, &mut text);
    text
}
