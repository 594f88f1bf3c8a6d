//! What a server says of itself in names and values: MEMORY STATS, ROLE, LATENCY HISTOGRAM.

use super::layout::{self, table};
use super::parts::{number, pairs, plain, shown, string, took, under};
use super::{Lines, Place};
use crate::command::request::Request;
use crate::repl::readable::size;
use crate::reply::{Frame, Kind};
use crate::text;

/// MEMORY STATS: what is a number of bytes is also shown in a unit that fits.
pub fn memory<'a>(_: &Request, frame: Frame<'a>, place: Place) -> Option<Lines<'a>> {
    let mut rows = Vec::new();
    let mut add = |name: String, value: Frame<'_>| {
        let shown = match value.kind() {
            Kind::Integer => shown(value)?,
            _ => rounded(&shown(value)?),
        };
        let is_bytes = value.kind() == Kind::Integer && !name.ends_with("count");
        let note = number(value).filter(|bytes| is_bytes && *bytes >= 1024).map(size);
        rows.push((name, shown, note));
        Some(())
    };
    for (name, value) in pairs(frame)? {
        let name = plain(name);
        if value.kind().is_aggregate() {
            for (part, value) in pairs(value)? {
                add(format!("{name} {}", plain(part)), value)?;
            }
        } else {
            add(name, value)?;
        }
    }
    layout::pairs(rows, place)
}

/// A number without the digits that nobody reads.
fn rounded(number: &str) -> String {
    number.parse::<f64>().map_or_else(|_| number.to_owned(), |number| format!("{number:.2}"))
}

/// ROLE: a master with its replicas, a replica with its master, or a sentinel with what it watches.
pub fn role<'a>(_: &Request, frame: Frame<'a>, place: Place) -> Option<Lines<'a>> {
    let parts: Vec<Frame<'_>> = frame.children().collect();
    let row = |name: &str, value: String| (name.to_owned(), value, None);
    let mut rows = vec![row("role", plain(string(*parts.first()?)?))];
    match (string(parts[0])?, &parts[1..]) {
        (b"master", [offset, replicas]) => {
            rows.push(row("offset", shown(*offset)?));
            for replica in replicas.children() {
                let told: Vec<String> = replica.children().map(shown).collect::<Option<_>>()?;
                let [host, port, offset] = told.as_slice() else { return None };
                rows.push(row("replica", format!("{host}:{port} at offset {offset}")));
            }
        }
        (b"slave", [host, port, state, offset]) => {
            rows.push(row("master", format!("{}:{}", shown(*host)?, shown(*port)?)));
            rows.push(row("state", shown(*state)?));
            rows.push(row("offset", shown(*offset)?));
        }
        (b"sentinel", [names]) => {
            for name in names.children() {
                rows.push(row("watches", shown(name)?));
            }
        }
        _ => return None,
    }
    layout::pairs(rows, place)
}

/// LATENCY HISTOGRAM: how long half, nearly all and all of a command's calls took at most.
pub fn histogram<'a>(_: &Request, frame: Frame<'a>, place: Place) -> Option<Lines<'a>> {
    let mut rows = Vec::new();
    for (command, told) in pairs(frame)? {
        let told = pairs(told)?;
        let calls = number(under(&told, "calls")?)?;
        let bucket = |(micros, count): (&[u8], Frame<'_>)| Some((text::number(micros)?, number(count)?));
        // Each counts the calls that took no longer.
        let buckets: Vec<(u64, u64)> =
            pairs(under(&told, "histogram_usec")?)?.into_iter().map(bucket).collect::<Option<_>>()?;
        let within = |hundredths: u64| {
            let wanted = calls.saturating_mul(hundredths).div_ceil(100);
            buckets.iter().find(|(_, count)| *count >= wanted).map(|(micros, _)| took(*micros)).unwrap_or_default()
        };
        rows.push(vec![plain(command), calls.to_string(), within(50), within(99), within(100)]);
    }
    let head = ["command", "calls", "50% within", "99% within", "all within"];
    table(&head, &rows, 0, place)
}
