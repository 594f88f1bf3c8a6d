//! Lists of records whose columns are told by a list: of maps by their names, of arrays by their places.

use std::time::Duration;

use super::layout::Table;
use super::parts::{number, pairs, plain, shown, string, took, under};
use super::{Lines, Place};
use crate::command::request::{Request, shown_arg};
use crate::repl::readable::{duration, size, time};
use crate::reply::{Frame, Kind};

/// Where in a record the value of a column is.
enum At {
    /// Under this name.
    Name(&'static str),
    /// In this place.
    Place(usize),
}

/// What a value is.
#[derive(Clone, Copy)]
enum As {
    Text,
    /// The elements of a command.
    Command,
    /// A point in time, in seconds or milliseconds.
    Time,
    TimeInMilliseconds,
    /// A duration.
    Seconds,
    Milliseconds,
    Microseconds,
    Bytes,
    /// What `addr` says in the description of a client.
    Client,
    /// A host, whose port stands under `port`.
    Host,
}

/// A column: its head, where its value is, and what that is.
type Column = (&'static str, At, As);

/// The columns of a command's reply; so many at the end may be left out.
struct Records {
    command: &'static str,
    columns: &'static [Column],
    optional: usize,
}

const SLOW: [Column; 6] = [
    ("id", At::Place(0), As::Text),
    ("at", At::Place(1), As::Time),
    ("took", At::Place(2), As::Microseconds),
    ("client", At::Place(4), As::Text),
    ("command", At::Place(3), As::Command),
    ("name", At::Place(5), As::Text),
];

const LARGE: [Column; 6] = [
    ("id", At::Place(0), As::Text),
    ("at", At::Place(1), As::Time),
    ("size", At::Place(2), As::Bytes),
    ("client", At::Place(4), As::Text),
    ("command", At::Place(3), As::Command),
    ("name", At::Place(5), As::Text),
];

const WATCHED: [Column; 6] = [
    ("name", At::Name("name"), As::Text),
    ("address", At::Name("ip"), As::Host),
    ("flags", At::Name("flags"), As::Text),
    ("replicas", At::Name("num-slaves"), As::Text),
    ("sentinels", At::Name("num-other-sentinels"), As::Text),
    ("quorum", At::Name("quorum"), As::Text),
];

const REPLICAS: [Column; 5] = [
    ("address", At::Name("ip"), As::Host),
    ("flags", At::Name("flags"), As::Text),
    ("link", At::Name("master-link-status"), As::Text),
    ("offset", At::Name("slave-repl-offset"), As::Text),
    ("priority", At::Name("slave-priority"), As::Text),
];

const RECORDS: [Records; 16] = [
    Records { command: "SLOWLOG GET", columns: &SLOW, optional: 1 },
    Records { command: "COMMANDLOG GET * SLOW", columns: &SLOW, optional: 1 },
    Records { command: "COMMANDLOG GET * *", columns: &LARGE, optional: 1 },
    Records {
        command: "LATENCY LATEST",
        columns: &[
            ("event", At::Place(0), As::Text),
            ("at", At::Place(1), As::Time),
            ("latest ms", At::Place(2), As::Text),
            ("max ms", At::Place(3), As::Text),
            ("sum ms", At::Place(4), As::Text),
            ("count", At::Place(5), As::Text),
        ],
        optional: 2,
    },
    Records {
        command: "LATENCY HISTORY",
        columns: &[("at", At::Place(0), As::Time), ("ms", At::Place(1), As::Text)],
        optional: 0,
    },
    Records {
        command: "ACL LOG",
        columns: &[
            ("count", At::Name("count"), As::Text),
            ("reason", At::Name("reason"), As::Text),
            ("context", At::Name("context"), As::Text),
            ("object", At::Name("object"), As::Text),
            ("user", At::Name("username"), As::Text),
            ("age", At::Name("age-seconds"), As::Seconds),
            ("client", At::Name("client-info"), As::Client),
        ],
        optional: 1,
    },
    Records {
        command: "CLUSTER LINKS",
        columns: &[
            ("direction", At::Name("direction"), As::Text),
            ("since", At::Name("create-time"), As::TimeInMilliseconds),
            ("events", At::Name("events"), As::Text),
            ("buffer", At::Name("send-buffer-allocated"), As::Bytes),
            ("used", At::Name("send-buffer-used"), As::Bytes),
            ("node", At::Name("node"), As::Text),
        ],
        optional: 0,
    },
    Records {
        command: "MODULE LIST",
        columns: &[
            ("name", At::Name("name"), As::Text),
            ("version", At::Name("ver"), As::Text),
            ("path", At::Name("path"), As::Text),
            ("arguments", At::Name("args"), As::Command),
        ],
        optional: 0,
    },
    Records { command: "SENTINEL MASTERS", columns: &WATCHED, optional: 0 },
    Records { command: "SENTINEL PRIMARIES", columns: &WATCHED, optional: 0 },
    Records { command: "SENTINEL REPLICAS", columns: &REPLICAS, optional: 0 },
    Records { command: "SENTINEL SLAVES", columns: &REPLICAS, optional: 0 },
    Records {
        command: "SENTINEL SENTINELS",
        columns: &[
            ("address", At::Name("ip"), As::Host),
            ("flags", At::Name("flags"), As::Text),
            ("heard", At::Name("last-hello-message"), As::Milliseconds),
            ("run id", At::Name("runid"), As::Text),
        ],
        optional: 0,
    },
    Records {
        command: "XINFO GROUPS",
        columns: &[
            ("group", At::Name("name"), As::Text),
            ("consumers", At::Name("consumers"), As::Text),
            ("pending", At::Name("pending"), As::Text),
            ("last delivered", At::Name("last-delivered-id"), As::Text),
            ("lag", At::Name("lag"), As::Text),
            ("read", At::Name("entries-read"), As::Text),
        ],
        optional: 1,
    },
    Records {
        command: "XINFO CONSUMERS",
        columns: &[
            ("consumer", At::Name("name"), As::Text),
            ("pending", At::Name("pending"), As::Text),
            ("idle", At::Name("idle"), As::Milliseconds),
            ("inactive", At::Name("inactive"), As::Milliseconds),
        ],
        optional: 0,
    },
    // With a range; without one it is a summary.
    Records { command: "XPENDING * * * * *", columns: &PENDING, optional: 0 },
];

const PENDING: [Column; 4] = [
    ("id", At::Place(0), As::Text),
    ("consumer", At::Place(1), As::Text),
    ("idle", At::Place(2), As::Milliseconds),
    ("deliveries", At::Place(3), As::Text),
];

/// The reply as a table.
pub fn show<'a>(request: &Request, frame: Frame<'a>, place: Place) -> Option<Lines<'a>> {
    let is_it = |command: &str| {
        let is_word = |(at, word)| if word == "*" { at < request.len() } else { request.is(at, word) };
        command.split(' ').enumerate().all(is_word)
    };
    let records = RECORDS.iter().find(|records| is_it(records.command))?;
    if frame.kind() != Kind::Array {
        return None;
    }
    let rows: Vec<Vec<String>> = frame.children().map(|record| row(record, records.columns)).collect::<Option<_>>()?;
    let head: Vec<&'static str> = records.columns.iter().map(|(head, ..)| *head).collect();
    Table::new(&head, &rows, records.optional).map(|table| table.lines(place))
}

/// A record; none if it is another one. What an older server does not tell is empty.
fn row(record: Frame<'_>, columns: &[Column]) -> Option<Vec<String>> {
    if let [(_, At::Place(_), _), ..] = columns {
        let parts: Vec<Frame<'_>> = record.children().collect();
        let cell = |(_, at, kind): &Column| match at {
            At::Place(place) => parts.get(*place).map_or_else(|| Some(String::new()), |part| cell(*part, *kind)),
            At::Name(_) => None,
        };
        return if parts.len() < 2 { None } else { columns.iter().map(cell).collect() };
    }
    let parts = pairs(record)?;
    let cell = |(_, at, kind): &Column| {
        let At::Name(name) = at else { return None };
        let Some(value) = under(&parts, name) else { return Some(String::new()) };
        let shown = cell(value, *kind)?;
        Some(match (kind, under(&parts, "port").and_then(string)) {
            (As::Host, Some(port)) => format!("{shown}:{}", plain(port)),
            _ => shown,
        })
    };
    under(
        &parts,
        match columns.first()?.1 {
            At::Name(name) => name,
            At::Place(_) => return None,
        },
    )?;
    columns.iter().map(cell).collect()
}

fn cell(part: Frame<'_>, kind: As) -> Option<String> {
    if part.is_nil() {
        return shown(part);
    }
    let seconds = |seconds: f64| {
        let seconds = Duration::try_from_secs_f64(seconds).ok()?;
        Some(if seconds.as_secs() < 60 { format!("{} s", seconds.as_secs()) } else { duration(seconds) })
    };
    match kind {
        As::Text | As::Host => shown(part),
        As::Command => {
            let words: Option<Vec<String>> = part.children().map(|word| string(word).map(shown_arg)).collect();
            words.map(|words| words.join(" "))
        }
        As::Time => time(i64::try_from(number(part)?).ok()?, 0),
        As::TimeInMilliseconds => time(i64::try_from(number(part)? / 1000).ok()?, 0),
        // ACL LOG's has digits behind a point.
        As::Seconds => seconds(std::str::from_utf8(string(part)?).ok()?.parse().ok()?),
        As::Milliseconds => match std::str::from_utf8(string(part)?).ok()?.parse::<u64>() {
            Ok(millis @ 0..1000) => Some(format!("{millis} ms")),
            Ok(millis) => seconds(Duration::from_millis(millis).as_secs_f64()),
            // A consumer that never read has -1.
            Err(_) => Some("-".to_owned()),
        },
        As::Microseconds => number(part).map(took),
        As::Bytes => number(part).map(size),
        As::Client => {
            let description = String::from_utf8_lossy(string(part)?).into_owned();
            let address = description.split(' ').find_map(|pair| pair.strip_prefix("addr="));
            Some(plain(address.unwrap_or_default().as_bytes()))
        }
    }
}
