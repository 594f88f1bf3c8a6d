//! When to search for what is missing, and which of the searches count as retries: what moved is followed at once, what
//! was lost is tried for with growing pauses, and looked for in between (contract section 8).

use std::time::{Duration, Instant};

use super::super::error::Unopened;
use super::super::retry::Backoff;

/// The pauses before a new connection is tried.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(100), LONGEST_PAUSE);
pub const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The pauses before what moved is asked for where it is said to be. The new node may hear of it a moment later than the
/// old one.
const PAUSES_OF_HOPS: Backoff = Backoff::new(Duration::from_millis(5), Duration::MAX);
/// How often in a row what moved is followed, where a lost connection would not be tried as often.
const HOPS: u32 = 10;

/// The retries in a row.
#[derive(Debug)]
pub struct Retries {
    /// How many are allowed; none: any number.
    limit: Option<u32>,
    /// The longest pause between two searches.
    longest: Duration,
    /// How many there were.
    pub count: u32,
    /// When the next search counts.
    next: Option<Instant>,
    /// Whether a connection was lost, and not only a slot moved.
    has_lost: bool,
}

impl Retries {
    /// So many are allowed; none: any number. Pauses between two searches are this long at most.
    pub fn new(limit: Option<u32>, longest: Duration) -> Self {
        Self { limit, longest, count: 0, next: None, has_lost: false }
    }

    /// The end of a run that has used them up: what is missing, a few of it by name, and why.
    pub fn give_up(&self, missing: impl Iterator<Item = String>, reason: &str) -> Unopened {
        const SHOWN: usize = 3;
        let mut names: Vec<String> = Vec::new();
        for name in missing {
            if !names.contains(&name) && names.len() < SHOWN {
                names.push(name);
            }
        }
        let names = names.join(", ");
        Unopened::Unreachable(match self.count {
            0 => format!("{names}: connection lost: {reason}"),
            1 => format!("connection lost: {names} not regained with 1 try: {reason}"),
            tries => format!("connection lost: {names} not regained with {tries} tries: {reason}"),
        })
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

    /// A search begins now: that counts as a retry if it is time for one.
    pub fn note_search(&mut self, now: Instant) {
        if self.next.is_none_or(|next| next <= now) {
            self.count += 1;
            self.next = Some(now + self.backoff());
        }
    }

    /// Whether there may be another.
    pub fn may_go_on(&self) -> bool {
        self.limit.is_none_or(|limit| self.count < if self.has_lost { limit } else { limit.max(HOPS) })
    }

    /// The pause before the next search.
    pub fn pause(&self) -> Duration {
        self.backoff().min(self.longest)
    }

    fn backoff(&self) -> Duration {
        if self.has_lost { PAUSES } else { PAUSES_OF_HOPS }.after(self.count)
    }
}

/// The pause after so many tries.
pub fn pause(tries: u32) -> Duration {
    PAUSES.after(tries)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_millis(250);

    #[test]
    fn pauses_double_to_5_s() {
        let pauses: Vec<u128> = (0..8).map(|tries| pause(tries).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(pause(u32::MAX), Duration::from_secs(5));
    }

    #[test]
    fn what_moved_is_followed_soon_and_some_hops_are_always_allowed() {
        let mut retries = Retries::new(Some(0), LONGEST);
        assert_eq!(retries.pause(), Duration::from_millis(5));
        let mut now = Instant::now();
        for _ in 0..HOPS {
            assert!(retries.may_go_on());
            now += retries.backoff();
            retries.note_search(now);
        }
        assert!(!retries.may_go_on());
        assert_eq!(retries.pause(), LONGEST);
    }

    #[test]
    fn what_was_lost_is_looked_for_more_often_than_tried_for() {
        let mut retries = Retries::new(Some(6), LONGEST);
        retries.note_loss(true);
        let begin = Instant::now();
        let (mut now, mut searches) = (begin, 0);
        while retries.may_go_on() {
            now += retries.pause();
            retries.note_search(now);
            searches += 1;
        }
        // The pauses of the contract: 0.1 s doubling.
        assert!(now.duration_since(begin) >= Duration::from_millis(100 + 200 + 400 + 800 + 1600), "{searches}");
        assert!(searches > 10, "{searches}");
        retries.note_loss(true);
        assert_eq!(retries.count, 0);
    }
}
