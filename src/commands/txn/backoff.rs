//! The pauses between the tries of a transaction: doubled each time, spread by chance, so that those who collided
//! once do not collide again.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::{Duration, Instant};

use crate::exit::Outcome;
use crate::interrupt;

/// No pause is doubled beyond this.
const LONGEST: Duration = Duration::from_secs(5);

/// The pauses to come.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
}

impl Backoff {
    /// Pauses of which the first is about this long.
    pub fn new(first: Duration) -> Self {
        Self { next: first }
    }

    /// Sleeps for half to one and a half of the pause that is due; a signal ends the run instead.
    pub fn pause(&mut self) -> Outcome<()> {
        let pause = self.next / 2 + self.next.mul_f64(chance());
        self.next = (self.next * 2).min(LONGEST.max(self.next));
        interrupt::sleep_until(Instant::now() + pause)
    }
}

/// A number from 0 to 1 that nobody can foretell: the keys of a hasher are random in every process.
fn chance() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(random >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}
