//! The lines of `stat`: a table for people, whose header comes again with every screenful, or JSON.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use super::info::Info;
use super::nodes::{Nodes, Seen};
use super::round_trips::{RoundTrips, in_ms};
use crate::color::Part;
use crate::context::Context;
use crate::exit::{Failure, Outcome};
use crate::render::{Format, Renderer, Stdout, Style};

/// The columns: what they are called and how wide they are.
const COLUMNS: [(&str, usize); 10] = [
    ("keys", 10),
    ("memory", 9),
    ("clients", 7),
    ("blocked", 7),
    ("requests", 18),
    ("req/s", 9),
    ("connections", 11),
    ("min", 8),
    ("mean", 8),
    ("p99", 8),
];
/// What stands over so many of them, also where little of them is shown.
const GROUPS: [(&str, &str, usize); 3] = [("data", "data", 2), ("load", "load", 5), ("round trip, ms", "trip, ms", 3)];
/// What is left out where the screen has no room for all, the first of them first.
const LEFT_OUT: [&str; 6] = ["min", "mean", "connections", "blocked", "clients", "requests"];
/// So many lines are a screenful where there is no screen: redis-cli's.
const SCREENFUL: usize = 20;
/// What the line about all nodes is called.
const SUM: &str = "sum";

/// Where lines are written.
pub struct Table {
    renderer: Renderer<Stdout>,
    style: Style,
    names_nodes: bool,
    /// The lines since the last header.
    lines: usize,
    /// The requests at the line before, by node.
    requests: Vec<(String, u64)>,
}

impl Table {
    /// Over standard output, in the format that was asked for.
    pub fn new(context: &Context, names_nodes: bool) -> Outcome<Self> {
        Ok(Self {
            renderer: context.renderer()?,
            style: context.config.style.clone(),
            names_nodes,
            lines: 0,
            requests: Vec::new(),
        })
    }

    /// Writes a line for each node that has answered, and in a cluster their sum; false if none has.
    pub fn write(&mut self, nodes: &mut Nodes) -> Outcome<bool> {
        let mut seen = nodes.take_seen();
        if seen.is_empty() {
            return Ok(false);
        }
        if self.names_nodes {
            seen.push(sum(&seen));
        }
        let text = if self.style.format == Format::Json { self.json(&seen) } else { self.rows(&seen) };
        self.requests = seen.into_iter().map(|seen| (seen.name, seen.info.requests)).collect();
        self.renderer.write_now(&text).map_err(Failure::output)?;
        Ok(true)
    }

    fn json(&self, seen: &[Seen]) -> String {
        let time = time_in_seconds();
        let mut text = String::new();
        for Seen { name, info, rate, trips } in seen {
            let Info { keys, memory, clients, blocked, requests, connections } = info;
            let node = if self.names_nodes { format!("\"node\":{},", serde_json::json!(name)) } else { String::new() };
            let rate = rate.map_or("null".to_owned(), |rate| format!("{rate:.1}"));
            let trips = json_of(trips);
            let _ = writeln!(
                text,
                "{{\"time\":{time},{node}\"keys\":{keys},\"memory\":{memory},\"clients\":{clients},\
                 \"blocked\":{blocked},\"requests\":{requests},\"rate\":{rate},\"connections\":{connections},\
                 \"round_trip\":{trips}}}"
            );
        }
        text
    }

    fn rows(&mut self, seen: &[Seen]) -> String {
        // For the names of nodes, and a blank.
        let margin = if self.names_nodes { seen.iter().map(|seen| seen.name.len() + 1).max().unwrap_or(0) } else { 0 };
        let shown = self.shown(margin);
        let mut text = String::new();
        if self.lines == 0 || self.lines + seen.len() > self.screenful() {
            self.lines = 0;
            text.push_str(&self.header(margin, &shown));
        }
        self.lines += seen.len();
        for seen in seen {
            if self.names_nodes {
                let _ = write!(text, "{:margin$}", seen.name);
            }
            text.push_str(&self.row(seen, &shown));
        }
        text
    }

    /// How many lines fit under the header.
    fn screenful(&self) -> usize {
        self.screen().map(|(rows, _)| rows).filter(|rows| *rows > 3).map_or(SCREENFUL, |rows| rows - 3)
    }

    /// Rows and columns of the screen, if there is one.
    fn screen(&self) -> Option<(usize, usize)> {
        let size = if self.style.is_terminal {
            rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?
        } else {
            return None;
        };
        Some((size.ws_row.into(), size.ws_col.into()))
    }

    /// Which columns have room beside the margin.
    fn shown(&self, margin: usize) -> Vec<bool> {
        let room = self.screen().map(|(_, columns)| columns).filter(|columns| *columns > 0).unwrap_or(usize::MAX);
        let mut shown = vec![true; COLUMNS.len()];
        for title in LEFT_OUT {
            let widths = only(&COLUMNS, &shown).map(|(_, width)| width + 1);
            if margin + widths.sum::<usize>() - 1 <= room {
                break;
            }
            for ((column, _), shown) in COLUMNS.iter().zip(&mut shown) {
                *shown &= *column != title;
            }
        }
        shown
    }

    fn header(&self, margin: usize, shown: &[bool]) -> String {
        let mut columns = COLUMNS.iter().zip(shown);
        let mut groups = Vec::new();
        for (title, short, count) in GROUPS {
            let widths = columns.by_ref().take(count).filter(|(_, shown)| **shown).map(|((_, width), _)| width + 1);
            let width = widths.sum::<usize>().saturating_sub(1);
            let title = if title.len() + 2 <= width { title } else { short };
            let title = if title.len() + 2 <= width { format!(" {title} ") } else { title.to_owned() };
            groups.push(format!("{title:-^width$}"));
        }
        let titles: Vec<String> = only(&COLUMNS, shown).map(|(title, width)| format!("{title:width$}")).collect();
        let line = |words: &[String]| {
            let line = format!("{:margin$}{}", "", words.join(" "));
            format!("{}\n", self.style.colors.paint(Part::Hint, line.trim_end()))
        };
        line(&groups) + &line(&titles)
    }

    fn row(&self, seen: &Seen, shown: &[bool]) -> String {
        let Seen { name, info, rate, trips } = seen;
        let before = self.requests.iter().find(|(known, _)| known == name);
        let more = before.map_or(0, |(_, before)| info.requests.saturating_sub(*before));
        let cells = [
            info.keys.to_string(),
            human_bytes(info.memory),
            info.clients.to_string(),
            info.blocked.to_string(),
            format!("{} (+{more})", info.requests),
            rate.map_or("-".to_owned(), |rate| format!("{rate:.0}")),
            info.connections.to_string(),
            in_ms(trips.min),
            in_ms(trips.mean()),
            in_ms(trips.p99()),
        ];
        let cells = cells.iter().zip(COLUMNS).map(|(cell, (_, width))| format!("{cell:width$}")).collect::<Vec<_>>();
        format!("{}\n", only(&cells, shown).cloned().collect::<Vec<_>>().join(" ").trim_end())
    }
}

fn only<'c, C>(columns: &'c [C], shown: &'c [bool]) -> impl Iterator<Item = &'c C> {
    columns.iter().zip(shown).filter(|(_, shown)| **shown).map(|(column, _)| column)
}

/// All of them together.
fn sum(seen: &[Seen]) -> Seen {
    let (mut info, mut trips) = (Info::default(), RoundTrips::default());
    for node in seen {
        info.add(&node.info);
        trips.add(&node.trips);
    }
    let rates: Option<Vec<f64>> = seen.iter().map(|node| node.rate).collect();
    Seen { name: SUM.to_owned(), info, rate: rates.map(|rates| rates.iter().sum()), trips }
}

/// Round trips as an object, in milliseconds.
pub fn json_of(trips: &RoundTrips) -> String {
    let RoundTrips { count, min, max, .. } = trips;
    let (min, mean, p99, max) = (in_ms(*min), in_ms(trips.mean()), in_ms(trips.p99()), in_ms(*max));
    format!("{{\"min\":{min},\"mean\":{mean},\"p99\":{p99},\"max\":{max},\"samples\":{count}}}")
}

/// Seconds since 1970.
pub fn time_in_seconds() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:06}", now.as_secs(), now.subsec_micros())
}

/// As redis-cli writes an amount of memory.
#[expect(clippy::cast_precision_loss, reason = "three digits of it are shown")]
fn human_bytes(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")];
    let unit = UNITS.iter().find(|(unit, _)| bytes >= *unit);
    unit.map_or(format!("{bytes}B"), |(unit, letter)| format!("{:.2}{letter}", bytes as f64 / *unit as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_written_as_redis_cli_does() {
        for (bytes, text) in [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (1 << 30, "1.00G"), (1_572_864, "1.50M")] {
            assert_eq!(human_bytes(bytes), text);
        }
    }
}
