//! The pauses between the tries of a transaction: doubled each time, spread by chance, so that those who collided
//! once do not collide again.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::{Duration, Instant};

use crate::exit::Outcome;
use crate::server::poll;

/// No pause is doubled beyond this.
const LONGEST: Duration = Duration::from_secs(20);

/// The pauses to come.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    doublings: u32,
}

impl Backoff {
    /// Pauses of which the first is about this long; 0 is none at all.
    pub fn new(first: Duration) -> Self {
        Self { first, doublings: 0 }
    }

    /// Sleeps after a try that took this long; a signal ends the run instead.
    pub fn pause(&mut self, tried: Duration) -> Outcome<()> {
        let due = self.next(tried);
        Ok(poll::sleep_until(Instant::now() + due)?)
    }

    /// The first pause, or the length of the try if that is more, doubled for every pause before it, and of that a half
    /// to one and a half. (Whoever goes on without a pause meets a try that takes as long as his own again and again,
    /// and wins.)
    fn next(&mut self, tried: Duration) -> Duration {
        if self.first.is_zero() {
            return Duration::ZERO;
        }
        let first = self.first.max(tried);
        let due = first.saturating_mul(1 << self.doublings.min(30)).min(LONGEST.max(self.first));
        self.doublings += 1;
        due / 2 + due.mul_f64(chance())
    }
}

/// A number from 0 to 1 that nobody can foretell: the keys of a hasher are random in every process.
fn chance() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(random >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses after tries that took so many milliseconds each.
    fn pauses(first: Duration, tried: u64, count: usize) -> Vec<Duration> {
        let mut backoff = Backoff::new(first);
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
