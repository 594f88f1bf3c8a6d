//! Trying again: the one back-off, and what limits the tries of a command that a cluster sends around, of a
//! transaction, or of opening a session where nobody is yet (contract section 1, `--wait`). Which searches of a stream count as retries is told in `stream/retries.rs`.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::{Duration, Instant};

use super::endpoint::Endpoint;
use super::error::{Lost, Unopened};
use super::poll::{sleep_until, wait_for_any};

/// Pauses that are doubled.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// The first pause, and the longest.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The pause after so many others.
    pub fn after(self, tries: u32) -> Duration {
        self.first.saturating_mul(2_u32.saturating_pow(tries)).min(self.longest)
    }
}

const PAUSES_OF_OPENING: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(250));

/// Opens what is ready, as often as `--wait` lets one try; what is not ready is given all the same when that is over.
pub(super) fn open_patiently<T>(
    endpoint: &Endpoint,
    mut open: impl FnMut() -> Result<T, Unopened>,
    mut is_ready: impl FnMut(&mut T) -> Result<bool, Unopened>,
) -> Result<T, Unopened> {
    if endpoint.wait.is_zero() {
        return open();
    }
    let deadline = Instant::now() + endpoint.wait;
    let mut tries = 0;
    loop {
        let opened = open().and_then(|mut opened| Ok((is_ready(&mut opened)?, opened)));
        let pause = PAUSES_OF_OPENING.after(tries).min(deadline.saturating_duration_since(Instant::now()));
        match opened {
            Ok((is_ready, opened)) if is_ready || pause.is_zero() => return Ok(opened),
            Err(why) if pause.is_zero() || !why.may_pass() => return Err(why),
            _ => sleep_until(Instant::now() + pause)?,
        }
        tries += 1;
    }
}

/// A failover takes the cluster's node timeout, 15 s unless configured, and a moment: four times the limit on
/// connecting, 5 s unless given, covers it. No limit on connecting is none on an answer that never comes, not on this.
const LIMITS: u32 = 4;
const PAUSES: Backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(250));
/// A command that is sent around more often than this is in a cluster whose nodes do not agree yet on who owns the slot.
const QUICK_HOPS: u32 = 4;

/// The tries left for one command, or for one slot: for a failover, a slot on its way, a node that is not up yet
/// (contract section 11).
#[derive(Debug)]
pub struct Retry {
    /// When it ends, once it has begun.
    deadline: Option<Instant>,
    limit: Duration,
    tries: u32,
    hops: u32,
}

impl Retry {
    /// All of them: their time begins with the first pause.
    pub fn new(endpoint: &Endpoint) -> Self {
        Self { deadline: None, limit: endpoint.search_limit() * LIMITS, tries: 0, hops: 0 }
    }

    /// When to try again: longer each time; none when time has run out.
    pub fn next_try(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let deadline = *self.deadline.get_or_insert(now + self.limit);
        let pause = PAUSES.after(self.tries);
        self.tries = self.tries.saturating_add(1);
        (now < deadline).then(|| now + pause)
    }

    /// Sleeps until the next try; false when time has run out.
    pub fn pause(&mut self) -> Result<bool, Lost> {
        let Some(until) = self.next_try() else { return Ok(false) };
        wait_for_any([], None, Some(until))?;
        Ok(true)
    }

    /// When to follow a MOVED or ASK: at once, unless there were many; none when time has run out.
    pub fn next_hop(&mut self) -> Option<Instant> {
        self.hops += 1;
        if self.hops <= QUICK_HOPS { Some(Instant::now()) } else { self.next_try() }
    }

    /// Sleeps until a MOVED or ASK is to be followed; false when time has run out.
    pub fn follow(&mut self) -> Result<bool, Lost> {
        match self.next_hop() {
            Some(until) if self.hops > QUICK_HOPS => wait_for_any([], None, Some(until)).map(|_| true),
            hop => Ok(hop.is_some()),
        }
    }
}

/// No pause between the tries of a transaction is doubled beyond this.
const LONGEST_RANDOM: Duration = Duration::from_secs(20);

/// The pauses between the tries of a transaction, spread by chance, so that those who collided once do not collide again.
#[derive(Debug)]
pub struct RandomBackoff {
    first: Duration,
    tries: u32,
}

impl RandomBackoff {
    /// Pauses of which the first is about this long; 0 is none at all.
    pub fn new(first: Duration) -> Self {
        Self { first, tries: 0 }
    }

    /// Sleeps after a try that took this long; a signal is an error.
    pub fn pause(&mut self, tried: Duration) -> Result<(), Unopened> {
        sleep_until(Instant::now() + self.next(tried))
    }

    /// The first pause, or the length of the try if that is more, doubled for every pause before it, and of that a half
    /// to one and a half. (Whoever goes on without a pause meets a try that takes as long as his own again and again,
    /// and wins.)
    fn next(&mut self, tried: Duration) -> Duration {
        if self.first.is_zero() {
            return Duration::ZERO;
        }
        let due = Backoff::new(self.first.max(tried), LONGEST_RANDOM.max(self.first)).after(self.tries);
        self.tries = self.tries.saturating_add(1);
        due / 2 + due.mul_f64(f64::from(random()) / f64::from(u32::MAX))
    }
}

/// One of so many, each with the same chance; 0 of none.
pub fn pick(count: usize) -> usize {
    random() as usize % count.max(1)
}

/// A number that nobody can foretell: the keys of a hasher are random in every process.
fn random() -> u32 {
    u32::try_from(RandomState::new().build_hasher().finish() >> 32).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends by panicking")]
mod tests {
    use super::super::endpoint::Address;
    use super::*;

    fn with_limit(connect_timeout: Duration) -> Retry {
        Retry::new(&Endpoint { connect_timeout, ..Endpoint::at(Address::Tcp("h".to_owned(), 1)) })
    }

    #[test]
    fn no_limit_on_connecting_limits_the_tries_all_the_same() {
        assert_eq!(with_limit(Duration::from_millis(500)).limit, Duration::from_secs(2));
        assert_eq!(with_limit(Duration::from_mins(1)).limit, Duration::from_mins(4));
        assert_eq!(with_limit(Endpoint::NO_LIMIT).limit, Duration::from_secs(20));
    }

    #[test]
    fn no_try_and_no_hop_after_the_limit() {
        let mut retry = with_limit(Duration::from_mins(10));
        assert!(retry.next_try().is_some());
        retry.deadline = Some(Instant::now());
        assert_eq!(retry.next_try(), None);
        assert_eq!((0..9).map(|_| retry.next_hop()).find(Option::is_none), Some(None));
    }

    /// Asserts that the next try is told to be after so many milliseconds.
    fn assert_pause(next: impl FnOnce() -> Option<Instant>, milliseconds: u64) {
        let (before, pause) = (Instant::now(), Duration::from_millis(milliseconds));
        let next = next().unwrap();
        assert!(before + pause <= next && next <= Instant::now() + pause, "{milliseconds}: {:?}", next - before);
    }

    #[test]
    fn the_pauses_double_to_a_quarter_of_a_second() {
        let mut retry = with_limit(Duration::from_mins(10));
        for pause in [5, 10, 20, 40, 80, 160, 250, 250, 250] {
            assert_pause(|| retry.next_try(), pause);
        }
    }

    #[test]
    fn four_redirections_are_followed_at_once_and_the_others_after_pauses() {
        let mut retry = with_limit(Duration::from_mins(10));
        for pause in [0, 0, 0, 0, 5, 10, 20] {
            assert_pause(|| retry.next_hop(), pause);
        }
    }

    /// The pauses after tries that took so many milliseconds each.
    fn pauses(first: Duration, tried: u64, count: usize) -> Vec<Duration> {
        let mut backoff = RandomBackoff::new(first);
        (0..count).map(|_| backoff.next(Duration::from_millis(tried))).collect()
    }

    #[test]
    fn pauses_are_doubled_up_to_the_longest() {
        let pauses = pauses(Duration::from_millis(10), 0, 100);
        for (number, pause) in pauses.iter().enumerate() {
            let due = Duration::from_millis(10 << number.min(30)).min(Duration::from_secs(20));
            assert!((due / 2..=due * 3 / 2).contains(pause), "{number}: {pause:?}");
        }
    }

    #[test]
    fn a_first_pause_that_was_asked_for_is_kept_and_none_stays_none() {
        let hour = Duration::from_hours(1);
        assert!(pauses(hour, 0, 100).iter().all(|pause| (hour / 2..=hour * 3 / 2).contains(pause)));
        assert_eq!(pauses(Duration::ZERO, 1000, 3), [Duration::ZERO; 3]);
    }

    #[test]
    fn pauses_are_as_long_as_a_try_and_differ() {
        let first = pauses(Duration::from_millis(1), 1000, 1)[0];
        assert!(first >= Duration::from_millis(500), "{first:?}");
        let many: Vec<_> = (0..20).map(|_| pauses(Duration::from_secs(1), 0, 1)[0]).collect();
        assert!(many.iter().any(|pause| *pause != many[0]), "{many:?}");
    }
}
