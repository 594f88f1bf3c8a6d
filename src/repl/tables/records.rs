//! Lists of records whose columns are told by a list: of maps by their names, of arrays by their places.

use std::time::Duration;

use super::layout::table;
use super::parts::{elements, number, pairs, plain, shown, string, took, under};
use super::{Lines, Place};
use crate::command::request::{Request, shown_arg};
use crate::repl::readable::{duration, size, time};
use crate::reply::Frame;
use crate::text;

/// The commands (`*` is any argument), how many of their columns at the end may be left out where there is no room, and
/// the columns: the head, the name or the place of the value in a record, and what that is, where it is no text of its own.
const RECORDS: [(&str, usize, &str); 16] = [
    ("SLOWLOG GET", 1, SLOW),
    ("COMMANDLOG GET * SLOW", 1, SLOW),
    ("COMMANDLOG GET * *", 1, "id=0, at=1:time, size=2:bytes, client=4, command=3:command, name=5"),
    ("LATENCY LATEST", 2, "event=0, at=1:time, latest ms=2, max ms=3, sum ms=4, count=5"),
    ("LATENCY HISTORY", 0, "at=0:time, ms=1"),
    (
        "ACL LOG",
        1,
        "count=count, reason=reason, context=context, object=object, user=username, age=age-seconds:seconds, \
         client=client-info:client",
    ),
    (
        "CLUSTER LINKS",
        0,
        "direction=direction, since=create-time:time in ms, events=events, buffer=send-buffer-allocated:bytes, \
         used=send-buffer-used:bytes, node=node",
    ),
    ("MODULE LIST", 0, "name=name, version=ver, path=path, arguments=args:command"),
    ("SENTINEL MASTERS", 0, WATCHED),
    ("SENTINEL PRIMARIES", 0, WATCHED),
    ("SENTINEL REPLICAS", 0, REPLICAS),
    ("SENTINEL SLAVES", 0, REPLICAS),
    ("SENTINEL SENTINELS", 0, "address=ip:host, flags=flags, heard=last-hello-message:ms, run id=runid"),
    (
        "XINFO GROUPS",
        1,
        "group=name, consumers=consumers, pending=pending, last delivered=last-delivered-id, lag=lag, read=entries-read",
    ),
    ("XINFO CONSUMERS", 0, "consumer=name, pending=pending, idle=idle:ms, inactive=inactive:ms"),
    // With a range; without one it is a summary.
    ("XPENDING * * * * *", 0, "id=0, consumer=1, idle=2:ms, deliveries=3"),
];

const SLOW: &str = "id=0, at=1:time, took=2:us, client=4, command=3:command, name=5";
const WATCHED: &str = "name=name, address=ip:host, flags=flags, replicas=num-slaves, sentinels=num-other-sentinels, \
                       quorum=quorum";
const REPLICAS: &str = "address=ip:host, flags=flags, link=master-link-status, offset=slave-repl-offset, \
                        priority=slave-priority";

/// A column: its head, where its value is, and what that is.
type Column = (&'static str, &'static str, &'static str);

fn columns_of(text: &'static str) -> Vec<Column> {
    let column = |text: &'static str| {
        let (head, value) = text.split_once('=')?;
        let (at, kind) = value.split_once(':').unwrap_or((value, "text"));
        Some((head, at, kind))
    };
    text.split(", ").filter_map(column).collect()
}

/// Whether the reply to a command is a list of records.
pub fn are_answer_to(request: &Request) -> bool {
    RECORDS.iter().any(|(command, ..)| request.begins_with(command))
}

/// The reply as a table.
pub fn show<'a>(request: &Request, frame: Frame<'a>, place: Place) -> Option<Lines<'a>> {
    let (_, optional, columns) = RECORDS.iter().find(|(command, ..)| request.begins_with(command))?;
    let columns = columns_of(columns);
    let rows: Vec<Vec<String>> = elements(frame)?.map(|record| row(record, &columns)).collect::<Option<_>>()?;
    let head: Vec<&'static str> = columns.iter().map(|(head, ..)| *head).collect();
    table(&head, &rows, *optional, place)
}

/// A record; none if it is another one. What an older server does not tell is empty.
fn row(record: Frame<'_>, columns: &[Column]) -> Option<Vec<String>> {
    let parts: Vec<Frame<'_>> = record.children().collect();
    let names = pairs(record).unwrap_or_default();
    let value = |at: &str| at.parse::<usize>().map_or_else(|_| under(&names, at), |place| parts.get(place).copied());
    // What all records of the command have.
    let (_, first, _) = columns.first().filter(|_| parts.len() > 1)?;
    value(first)?;
    let cell = |(_, at, kind): &Column| {
        let Some(value) = value(at) else { return Some(String::new()) };
        let shown = cell(value, kind)?;
        Some(match under(&names, "port").and_then(string) {
            Some(port) if *kind == "host" => format!("{shown}:{}", plain(port)),
            _ => shown,
        })
    };
    columns.iter().map(cell).collect()
}

/// A value as it is shown; none if it is of another kind.
fn cell(part: Frame<'_>, kind: &str) -> Option<String> {
    if part.is_nil() {
        return shown(part);
    }
    let seconds = |seconds: f64| {
        let seconds = Duration::try_from_secs_f64(seconds).ok()?;
        Some(if seconds.as_secs() < 60 { format!("{} s", seconds.as_secs()) } else { duration(seconds) })
    };
    match kind {
        "text" | "host" => shown(part),
        "command" => {
            let words: Option<Vec<String>> = part.children().map(|word| string(word).map(shown_arg)).collect();
            words.map(|words| words.join(" "))
        }
        "time" => time(i64::try_from(number(part)?).ok()?, 0),
        "time in ms" => time(i64::try_from(number(part)? / 1000).ok()?, 0),
        // ACL LOG's has digits behind a point.
        "seconds" => seconds(text::number(string(part)?)?),
        "ms" => match text::number(string(part)?) {
            Some(millis @ 0..1000) => Some(format!("{millis} ms")),
            Some(millis) => seconds(Duration::from_millis(millis).as_secs_f64()),
            // A consumer that never read has -1.
            None => Some("-".to_owned()),
        },
        "us" => number(part).map(took),
        "bytes" => number(part).map(size),
        // What `addr` says in the description of a client.
        "client" => {
            let description = String::from_utf8_lossy(string(part)?).into_owned();
            let address = description.split(' ').find_map(|pair| pair.strip_prefix("addr="));
            Some(plain(address.unwrap_or_default().as_bytes()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_a_value_of_a_kind_that_can_be_shown() {
        for (command, _, text) in RECORDS {
            let columns = columns_of(text);
            assert_eq!(columns.len(), text.split(", ").count(), "{command}");
            for (head, _, kind) in columns {
                assert!(cell(Frame::new(b":1\r\n", false), kind).is_some(), "{command}: {head}");
            }
        }
    }
}
