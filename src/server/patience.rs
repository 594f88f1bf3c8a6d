//! How long a cluster is waited for: a failover, a slot on its way, a node that is not up yet (contract section 11).

use std::time::{Duration, Instant};

use super::error::Lost;
use super::poll::wait_for_any;
use super::target::Target;
use crate::request::Request;

/// A failover takes the cluster's node timeout, 15 s unless configured, and a moment: four times the limit on
/// connecting, 5 s unless given, covers it. No limit on connecting is none on an answer that never comes, not on this.
const LIMITS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// A command that is sent around more often than this is in a cluster that does not know itself yet.
const QUICK_HOPS: u32 = 4;

/// The patience left with one command, or with one node.
#[derive(Debug)]
pub struct Patience {
    /// When it ends, once it has begun.
    deadline: Option<Instant>,
    limit: Duration,
    pause: Duration,
    hops: u32,
}

impl Patience {
    /// All of it: it begins to run with the first pause.
    pub fn new(target: &Target) -> Self {
        Self { deadline: None, limit: target.search_limit() * LIMITS, pause: FIRST_PAUSE, hops: 0 }
    }

    /// When to try again: longer each time; none when it has run out.
    pub fn next_try(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let deadline = *self.deadline.get_or_insert(now + self.limit);
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        (now < deadline).then(|| now + pause)
    }

    /// Sleeps until the next try; false when patience has run out.
    pub fn pause(&mut self) -> Result<bool, Lost> {
        let Some(until) = self.next_try() else { return Ok(false) };
        wait_for_any([], None, Some(until))?;
        Ok(true)
    }

    /// When to follow a MOVED or ASK: at once, unless there were many; none when patience has run out.
    pub fn next_hop(&mut self) -> Option<Instant> {
        self.hops += 1;
        if self.hops <= QUICK_HOPS { Some(Instant::now()) } else { self.next_try() }
    }

    /// Sleeps until a MOVED or ASK is to be followed; false when patience has run out.
    pub fn follow(&mut self) -> Result<bool, Lost> {
        match self.next_hop() {
            Some(until) if self.hops > QUICK_HOPS => wait_for_any([], None, Some(until)).map(|_| true),
            hop => Ok(hop.is_some()),
        }
    }
}

/// What makes a node take the next command for a slot that is still being moved to it.
pub fn asking() -> Request {
    Request::new(["ASKING"])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends by panicking")]
mod tests {
    use super::super::target::Address;
    use super::*;

    fn with_limit(connect_timeout: Duration) -> Patience {
        Patience::new(&Target { connect_timeout, ..Target::at(Address::Tcp("h".to_owned(), 1)) })
    }

    #[test]
    fn no_limit_on_connecting_is_no_patience_without_end() {
        assert_eq!(with_limit(Duration::from_millis(500)).limit, Duration::from_secs(2));
        assert_eq!(with_limit(Duration::from_mins(1)).limit, Duration::from_mins(4));
        assert_eq!(with_limit(Target::NO_LIMIT).limit, Duration::from_secs(20));
    }

    #[test]
    fn patience_that_has_run_out_allows_no_try_and_no_hop() {
        let mut patience = with_limit(Duration::from_mins(10));
        assert!(patience.next_try().is_some());
        patience.deadline = Some(Instant::now());
        assert_eq!(patience.next_try(), None);
        assert_eq!((0..9).map(|_| patience.next_hop()).find(Option::is_none), Some(None));
    }

    /// Asserts that the next try is told to be after so many milliseconds.
    fn assert_pause(next: impl FnOnce() -> Option<Instant>, milliseconds: u64) {
        let (before, pause) = (Instant::now(), Duration::from_millis(milliseconds));
        let next = next().unwrap();
        assert!(before + pause <= next && next <= Instant::now() + pause, "{milliseconds}: {:?}", next - before);
    }

    #[test]
    fn the_pauses_double_to_a_quarter_of_a_second() {
        let mut patience = with_limit(Duration::from_mins(10));
        for pause in [5, 10, 20, 40, 80, 160, 250, 250, 250] {
            assert_pause(|| patience.next_try(), pause);
        }
    }

    #[test]
    fn four_redirections_are_followed_at_once_and_the_others_after_pauses() {
        let mut patience = with_limit(Duration::from_mins(10));
        for pause in [0, 0, 0, 0, 5, 10, 20] {
            assert_pause(|| patience.next_hop(), pause);
        }
    }
}
