//! `rcli stat`: a line every interval about a server, or about each primary of a cluster and their sum; and the round
//! trip alone (contract section 18). Asking is done by [`nodes`], what a line looks like is told by [`table`].

mod info;
mod latency;
mod nodes;
mod round_trips;
mod spectrum;
mod table;

use std::time::{Duration, Instant};

use self::nodes::Nodes;
use self::table::Table;
use crate::cli::{LimitOptions, StatArgs};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::follow::Limits;

/// More lines than this nobody reads.
const SHORTEST: Duration = Duration::from_millis(10);
/// Where no interval is given.
const INTERVAL: Duration = Duration::from_secs(1);

/// Writes lines until a limit is reached or a signal comes.
pub fn run(context: &Context, args: &StatArgs) -> Outcome<Exit> {
    if args.latency {
        return latency::run(context, args);
    }
    let mut limits = Limits::begin(&limits_of(args), "lines");
    let endpoint = context.endpoint_telling(None)?;
    let mut nodes = Nodes::open(&endpoint, args.retries.limit())?;
    let mut table = Table::new(context, nodes.is_cluster())?;
    let interval = interval(args, INTERVAL);
    let mut next = Instant::now();
    loop {
        nodes.ask_info();
        // A node that does not answer holds nobody up for longer than a line takes.
        let until = limits.no_later_than(Instant::now() + interval);
        nodes.attend(until, Nodes::have_info)?;
        if table.write(&mut nodes)? && limits.count() {
            return Ok(Exit::Done);
        }
        next = (next + interval).max(Instant::now());
        nodes.attend(limits.no_later_than(next), |_| false)?;
        if limits.is_over() {
            return limits.end();
        }
        nodes.follow_cluster()?;
    }
}

fn interval(args: &StatArgs, default: Duration) -> Duration {
    args.interval.filter(|interval| !interval.is_zero()).unwrap_or(default).max(SHORTEST)
}

/// `--count` and `--timeout`.
fn limits_of(args: &StatArgs) -> LimitOptions {
    LimitOptions { count: args.count, timeout: args.timeout, idle: None }
}
