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

    /// Sleeps after a try that took this long; a signal ends the run instead. The pause is the first one, or the
    /// length of the try if that is more, doubled for every pause before it, and of that a half to one and a half.
    /// (Whoever goes on without a pause meets a try that takes as long as his own again and again, and wins.)
    pub fn pause(&mut self, tried: Duration) -> Outcome<()> {
        if self.first.is_zero() {
            return poll::sleep_until(Instant::now());
        }
        let first = self.first.max(tried);
        let due = first.saturating_mul(1 << self.doublings.min(30)).min(LONGEST.max(self.first));
        self.doublings += 1;
        poll::sleep_until(Instant::now() + due / 2 + due.mul_f64(chance()))
    }
}

/// A number from 0 to 1 that nobody can foretell: the keys of a hasher are random in every process.
fn chance() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(random >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}
