//! `stat --latency`: the round trip alone, as one line that is written over, as history, or as a distribution.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::nodes::Nodes;
use super::round_trips::{RoundTrips, in_ms};
use super::table::{json_of, time_in_seconds};
use super::{INTERVAL, interval, limits_of, spectrum};
use crate::cli::StatArgs;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::follow::Limits;
use crate::net::Endpoint;
use crate::render::{Format, Renderer, Stdout, Style};

/// Where `--history` has no interval: redis-cli's.
const HISTORY_INTERVAL: Duration = Duration::from_secs(15);
/// A line is written over no more often.
const REDRAW: Duration = Duration::from_millis(100);
/// To the left edge, and nothing on the line.
const CLEAR: &str = "\x1b[0G\x1b[2K";
/// The legend comes again with so many lines.
const SCREENFUL: u64 = 20;

/// Measures until a limit is reached or a signal comes. In a cluster it is the node that was named.
pub fn run(context: &Context, args: &StatArgs) -> Outcome<Exit> {
    let style = &context.config.style;
    let is_live = context.may_redraw() && style.format == Format::Human && !args.dist;
    let is_plain = !args.history && !args.dist;
    let mut limits = limits_of(args);
    if is_plain && !is_live && style.format != Format::Json {
        limits.count = limits.count.or(Some(1));
    }
    let mut limits = Limits::begin(&limits, "lines");
    let endpoint = Endpoint { cluster: None, ..context.endpoint_telling(None)? };
    let mut nodes = Nodes::open(&endpoint, args.retries.limit())?;
    let mut lines = Lines { renderer: context.renderer()?, style, args, count: 0 };
    let interval = interval(args, if args.history { HISTORY_INTERVAL } else { INTERVAL });
    loop {
        let begun = Instant::now();
        let end = limits.no_later_than(begun + interval);
        // A line is owed where a server was only away.
        while Instant::now() < end || nodes.trips().count == 0 && !limits.is_over() {
            let (now, step) = (Instant::now(), Instant::now() + REDRAW);
            let until = if end <= now {
                step
            } else if is_live {
                end.min(step)
            } else {
                end
            };
            let attended = nodes.attend(limits.no_later_than(until), |_| false);
            if is_live {
                lines.redraw(&nodes.trips(), attended.is_err())?;
            }
            attended?;
        }
        let is_over = limits.is_over();
        let is_last = nodes.trips().count > 0 && limits.count() || is_over;
        if !is_live || args.history || is_last {
            lines.end(&nodes.trips(), begun.elapsed(), is_live)?;
        }
        if is_last {
            return if is_over { limits.end() } else { Ok(Exit::Done) };
        }
        if !is_plain || !is_live {
            nodes.forget_trips();
        }
    }
}

/// Where lines are written.
struct Lines<'a> {
    renderer: Renderer<Stdout>,
    style: &'a Style,
    args: &'a StatArgs,
    count: u64,
}

impl Lines<'_> {
    /// Writes the line over that stands there; the next one begins below where it is the last.
    fn redraw(&mut self, trips: &RoundTrips, is_last: bool) -> Outcome<()> {
        let end = if is_last { "\n" } else { "" };
        self.write(&format!("{CLEAR}{}{end}", self.describe(trips)))
    }

    /// Writes the line about an interval that has ended.
    fn end(&mut self, trips: &RoundTrips, took: Duration, is_live: bool) -> Outcome<()> {
        let mut text = if is_live { CLEAR.to_owned() } else { String::new() };
        match (self.style.format, self.args.dist) {
            (Format::Json, true) => text.push_str(&dist_in_json(trips)),
            (Format::Json, false) => {
                let _ = writeln!(text, "{{\"time\":{},\"round_trip\":{}}}", time_in_seconds(), json_of(trips));
            }
            (_, true) => {
                if self.count.is_multiple_of(SCREENFUL) {
                    text.push_str(&spectrum::legend(self.style.colors));
                }
                text.push_str(&spectrum::line(trips, self.style.colors));
            }
            (_, false) => {
                text.push_str(&self.describe(trips));
                // Behind the cells nothing would be CSV.
                if self.args.history && self.style.format != Format::Csv {
                    let _ = write!(text, " -- {:.2} seconds range", took.as_secs_f64());
                    if self.style.is_terminal {
                        let _ = write!(text, " {}", spectrum::bar(trips.mean(), self.style.colors));
                    }
                }
                text.push('\n');
            }
        }
        self.count += 1;
        self.write(&text)
    }

    /// redis-cli's words; its numbers in raw are whole milliseconds but for the average.
    fn describe(&self, trips: &RoundTrips) -> String {
        let RoundTrips { min, max, count, .. } = trips;
        if self.style.format == Format::Human {
            let (min, max, mean) = (in_ms(*min), in_ms(*max), in_ms(trips.mean()));
            return format!("min: {min}, max: {max}, avg: {mean} ({count} samples)");
        }
        let mark = if self.style.format == Format::Csv { "," } else { " " };
        let (min, max) = (min.as_millis(), max.as_millis());
        format!("{min}{mark}{max}{mark}{:.2}{mark}{count}", trips.mean().as_secs_f64() * 1000.0)
    }

    fn write(&mut self, text: &str) -> Outcome<()> {
        self.renderer.write_now(text).map_err(Failure::output)
    }
}

/// The classes that have any.
fn dist_in_json(trips: &RoundTrips) -> String {
    let class = |(most, count): &(Option<Duration>, u64)| {
        let most = most.map_or("null".to_owned(), in_ms);
        format!("{{\"ms\":{most},\"count\":{count}}}")
    };
    let classes: Vec<String> = spectrum::classes(trips).iter().filter(|(_, count)| *count > 0).map(class).collect();
    let (time, samples) = (time_in_seconds(), trips.count);
    format!("{{\"time\":{time},\"samples\":{samples},\"classes\":[{}]}}\n", classes.join(","))
}
