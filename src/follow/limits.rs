//! When a stream, or `stat`, has brought enough: `--count`, `--timeout` and `--idle` (contract sections 8 and 18).

use std::time::{Duration, Instant};

use crate::cli::LimitOptions;
use crate::exit::{Exit, Failure, Outcome};

/// The limits of one run, and how far it has come.
#[derive(Debug)]
pub struct Limits {
    count: Option<u64>,
    timeout: Option<Duration>,
    idle: Option<Duration>,
    /// What is counted.
    what: &'static str,
    begun: Instant,
    last: Instant,
    seen: u64,
}

impl Limits {
    /// The limits of the options; time begins now. `what` is what is counted.
    pub fn begin(options: &LimitOptions, what: &'static str) -> Self {
        let LimitOptions { count, timeout, idle } = *options;
        let now = Instant::now();
        Self { count, timeout, idle, what, begun: now, last: now, seen: 0 }
    }

    pub fn none() -> Self {
        Self::begin(&LimitOptions { count: None, timeout: None, idle: None }, "messages")
    }

    /// Counts one more; whether that was the last that is wanted.
    pub fn count(&mut self) -> bool {
        self.seen += 1;
        if self.idle.is_some() {
            self.last = Instant::now();
        }
        self.count == Some(self.seen)
    }

    /// How many more are wanted; none: any number.
    pub fn left(&self) -> Option<u64> {
        self.count.map(|count| count.saturating_sub(self.seen))
    }

    /// Time in which messages waited, and were not read, is not idle.
    pub fn stay(&mut self) {
        self.last = Instant::now();
    }

    /// When the time is over.
    pub fn deadline(&self) -> Option<Instant> {
        let timeout = self.timeout_ends();
        let idle = self.idle.and_then(|idle| self.last.checked_add(idle));
        match (timeout, idle) {
            (Some(timeout), Some(idle)) => Some(timeout.min(idle)),
            (timeout, idle) => timeout.or(idle),
        }
    }

    /// When `--timeout` passes. A limit beyond the clock's end is none.
    pub fn timeout_ends(&self) -> Option<Instant> {
        self.timeout.and_then(|timeout| self.begun.checked_add(timeout))
    }

    /// This time, or when the time is over if that is earlier.
    pub fn no_later_than(&self, time: Instant) -> Instant {
        self.deadline().map_or(time, |deadline| deadline.min(time))
    }

    pub fn is_over(&self) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= Instant::now())
    }

    /// The end of a run whose time is over: well, unless a count was asked for and not reached.
    pub fn end(&self) -> Outcome<Exit> {
        let Some(count) = self.count else { return Ok(Exit::Done) };
        let is_timeout = self.timeout.is_some_and(|timeout| self.begun.elapsed() >= timeout);
        let (name, limit) = if is_timeout { ("--timeout", self.timeout) } else { ("--idle", self.idle) };
        let seconds = limit.unwrap_or_default().as_secs_f64();
        Err(Failure::expired(format!("{name}: {seconds} s have passed with {} of {count} {}", self.seen, self.what)))
    }
}
