//! How long a cluster is waited for: a failover, a slot on its way, a node that is not up yet (contract section 11).

use std::time::{Duration, Instant};

use super::poll::wait_for_any;
use super::session::Lost;
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
mod tests {
    use super::super::target::Address;
    use super::*;

    #[test]
    fn no_limit_on_connecting_is_no_patience_without_end() {
        let target = |connect_timeout| Target { connect_timeout, ..Target::at(Address::Tcp("h".to_owned(), 1)) };
        let limit = |connect_timeout| Patience::new(&target(connect_timeout)).limit;
        assert_eq!(limit(Duration::from_millis(500)), Duration::from_secs(2));
        assert_eq!(limit(Duration::from_mins(1)), Duration::from_mins(4));
        assert_eq!(limit(Target::NO_LIMIT), Duration::from_secs(20));
    }
}
