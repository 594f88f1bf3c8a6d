//! When to look for what is missing, and which of the looks count as tries: what moved is followed at once, what was
//! lost is tried for with growing pauses, and looked for in between (contract section 8).

use std::time::{Duration, Instant};

use super::super::stream::pause;

/// The first pause before what moved is asked for where it is said to be; doubled each time. The new node may hear of it
/// a moment later than the old one.
const FIRST_HOP: Duration = Duration::from_millis(5);
/// How often in a row what moved is followed, where a lost connection would not be tried as often.
const HOPS: u32 = 10;

/// The tries in a row.
#[derive(Debug)]
pub struct Tries {
    /// How many are allowed; none: any number.
    limit: Option<u32>,
    /// The longest pause between two looks.
    longest: Duration,
    count: u32,
    /// When the next look counts.
    next: Option<Instant>,
    /// Whether a connection was lost, and not only a slot moved.
    has_lost: bool,
}

impl Tries {
    pub fn new(limit: Option<u32>, longest: Duration) -> Self {
        Self { limit, longest, count: 0, next: None, has_lost: false }
    }

    /// How many there were.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// They begin anew: all was well.
    pub fn restart(&mut self) {
        *self = Self::new(self.limit, self.longest);
    }

    /// A connection is lost; `was_good` if all was well with it.
    pub fn note_loss(&mut self, was_good: bool) {
        if was_good {
            self.restart();
        }
        self.has_lost = true;
    }

    /// It is looked now: that counts as a try if it is time for one.
    pub fn note_look(&mut self, now: Instant) {
        if self.next.is_none_or(|next| next <= now) {
            self.count += 1;
            self.next = Some(now + self.backoff());
        }
    }

    /// Whether there may be another.
    pub fn may_go_on(&self) -> bool {
        self.limit.is_none_or(|limit| self.count < if self.has_lost { limit } else { limit.max(HOPS) })
    }

    /// The pause before the next look.
    pub fn pause(&self) -> Duration {
        self.backoff().min(self.longest)
    }

    fn backoff(&self) -> Duration {
        if self.has_lost { pause(self.count) } else { FIRST_HOP.saturating_mul(2_u32.saturating_pow(self.count)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_millis(250);

    #[test]
    fn what_moved_is_followed_soon_and_some_hops_are_always_allowed() {
        let mut tries = Tries::new(Some(0), LONGEST);
        assert_eq!(tries.pause(), FIRST_HOP);
        let mut now = Instant::now();
        for _ in 0..HOPS {
            assert!(tries.may_go_on());
            now += tries.backoff();
            tries.note_look(now);
        }
        assert!(!tries.may_go_on());
        assert_eq!(tries.pause(), LONGEST);
    }

    #[test]
    fn what_was_lost_is_looked_for_more_often_than_tried_for() {
        let mut tries = Tries::new(Some(6), LONGEST);
        tries.note_loss(true);
        let begin = Instant::now();
        let (mut now, mut looks) = (begin, 0);
        while tries.may_go_on() {
            now += tries.pause();
            tries.note_look(now);
            looks += 1;
        }
        // The pauses of the contract: 0.1 s doubling.
        assert!(now.duration_since(begin) >= Duration::from_millis(100 + 200 + 400 + 800 + 1600), "{looks}");
        assert!(looks > 10, "{looks}");
        tries.note_loss(true);
        assert_eq!(tries.count(), 0);
    }
}
