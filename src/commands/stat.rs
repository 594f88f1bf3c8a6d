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
use crate::cli::StatArgs;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};

/// More lines than this nobody reads.
const SHORTEST: Duration = Duration::from_millis(10);
/// Where no interval is given.
const INTERVAL: Duration = Duration::from_secs(1);

/// Writes lines until a limit is reached or a signal comes.
pub fn run(context: &Context, args: &StatArgs) -> Outcome<Exit> {
    if args.latency {
        return latency::run(context, args);
    }
    let mut limits = Limits::begin(args);
    let endpoint = context.endpoint_telling(None)?;
    let mut nodes = Nodes::open(&endpoint, retries(args))?;
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

fn retries(args: &StatArgs) -> Option<u32> {
    if args.no_reconnect { Some(0) } else { args.max_retries }
}

/// `--count` and `--timeout`.
struct Limits {
    count: Option<u64>,
    timeout: Option<Duration>,
    begun: Instant,
    seen: u64,
}

impl Limits {
    fn begin(args: &StatArgs) -> Self {
        Self { count: args.count, timeout: args.timeout, begun: Instant::now(), seen: 0 }
    }

    /// Counts a line; whether that was the last that is wanted.
    fn count(&mut self) -> bool {
        self.seen += 1;
        self.count == Some(self.seen)
    }

    /// This time, or that of `--timeout` if it is earlier.
    fn no_later_than(&self, time: Instant) -> Instant {
        self.timeout.and_then(|timeout| self.begun.checked_add(timeout)).map_or(time, |end| end.min(time))
    }

    fn is_over(&self) -> bool {
        self.timeout.is_some_and(|timeout| self.begun.elapsed() >= timeout)
    }

    /// The end of a run whose time is over: well, unless a count was asked for and not reached.
    fn end(&self) -> Outcome<Exit> {
        let Some(count) = self.count else { return Ok(Exit::Done) };
        let seconds = self.timeout.unwrap_or_default().as_secs_f64();
        Err(Failure::expired(format!("--timeout: {seconds} s have passed with {} of {count} lines", self.seen)))
    }
}
