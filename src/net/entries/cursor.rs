//! How far one stream was read, and what of it is still to be acknowledged (contract section 15).

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::look::{Look, Track};
use super::{Edge, Reading};
use crate::reply::EntryId;

/// Which entries of a stream are read now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Those that this consumer did not acknowledge, behind this one.
    Pending(EntryId),
    #[default]
    New,
}

/// So long after it read what is pending a new connection does so once more. Until then the server may not have seen
/// that the one before is gone, and deliver to a read that waits there ([`super::requests::WAIT`] at most).
const LATE: Duration = Duration::from_secs(2);

/// What is pending is to be read once more, for a connection was lost.
#[derive(Debug, Default)]
pub struct Again {
    /// When; none until it was read once.
    due: Option<Instant>,
    /// Behind this entry.
    after: EntryId,
    /// Whether that is being done.
    is_begun: bool,
    /// What was given since and is pending all the same.
    given: HashSet<EntryId>,
}

/// An entry of another consumer, and how often it was delivered.
pub type Candidate = (EntryId, u64);

/// One stream that is read.
#[derive(Default)]
pub struct Cursor {
    pub name: Vec<u8>,
    pub phase: Phase,
    /// Where reading begins; none until `$` was looked up.
    pub start: Option<EntryId>,
    /// The last entry that was given.
    pub seen: EntryId,
    /// The first and the last of those behind it that were given already.
    pub told: Option<(EntryId, EntryId)>,
    /// The last entry that is wanted; none where there is no such limit, or until `$` was looked up.
    pub until: Option<EntryId>,
    pub is_over: bool,
    /// Whether what was asked for is not wanted any more: it is read again from elsewhere.
    pub is_stale: bool,
    /// The last entry that there ever was, as far as is known.
    pub last_known: EntryId,
    pub track: Track,
    /// What the stream said of itself last, until the answer about its group came.
    pub look: Option<Look>,
    /// The connection of the look before.
    pub looked_by: u64,
    /// Whether the group was ever read as.
    pub had_group: bool,
    /// Whether the group is missing, and whether that was seen by a look.
    pub is_groupless: bool,
    pub is_seen_groupless: bool,
    /// Given and not written yet, written and not acknowledged, asked to be acknowledged and not confirmed.
    pub given: Vec<EntryId>,
    pub ready: Vec<EntryId>,
    pub sent: Vec<EntryId>,
    /// How many entries are with handlers.
    pub in_flight: u64,
    /// How often the pending entries were delivered that are read next.
    pub counts: Vec<Candidate>,
    /// Whether these are to be read once more.
    again: Option<Again>,
    pub claims: Claims,
}

/// What is taken over from other consumers.
#[derive(Default)]
pub struct Claims {
    /// When to look for more.
    pub due: Option<Instant>,
    /// Where that look goes on, if there was more than it could give at once.
    pub from: Option<EntryId>,
    /// What is to be claimed.
    pub found: Vec<Candidate>,
    /// What was asked for and not answered yet.
    pub asked: Vec<Candidate>,
    /// What was asked for when a connection was lost: it may be ours by now.
    pub lost: Vec<EntryId>,
}

impl Claims {
    /// Forgets what was found in a group that is gone.
    pub fn forget(&mut self) {
        *self = Self { due: self.due, ..Self::default() };
    }
}

impl Cursor {
    pub fn new(name: &[u8], reading: &Reading) -> Self {
        let claims = Claims {
            due: reading.group.as_ref().and_then(|group| group.claim_idle).map(|_| Instant::now()),
            ..Claims::default()
        };
        Self {
            name: name.to_vec(),
            phase: if reading.group.is_some() { Phase::Pending(EntryId::ZERO) } else { Phase::New },
            start: if let Edge::Id(id) = reading.from { Some(id) } else { None },
            until: if let Some(Edge::Id(id)) = reading.until { Some(id) } else { None },
            claims,
            ..Self::default()
        }
    }

    /// The entry behind which new ones are read, or the group is made; none until `$` was looked up.
    pub fn after(&self) -> Option<EntryId> {
        if self.seen == EntryId::ZERO { self.start } else { Some(self.seen) }
    }

    /// Reads on behind this entry, but for those that were given.
    pub fn go_on(&mut self, after: EntryId, told: Option<(EntryId, EntryId)>) {
        self.is_stale = true;
        self.told = told;
        self.start = Some(after);
        self.seen = after;
    }

    /// What was asked to be acknowledged was not, as far as is known.
    pub fn send_again(&mut self) {
        self.sent.append(&mut self.ready);
        self.ready = std::mem::take(&mut self.sent);
    }

    /// Its connection is lost. What the server had delivered over it and did not arrive is pending now.
    pub fn note_loss(&mut self, is_grouped: bool) {
        self.send_again();
        self.counts.clear();
        self.is_stale = false;
        self.look = None;
        self.claims.lost.extend(self.claims.asked.drain(..).map(|(id, _)| id));
        if is_grouped {
            let seen = self.seen;
            let again = self.again.get_or_insert_with(|| Again { after: seen, ..Again::default() });
            (again.due, again.is_begun) = (None, false);
            if self.phase == Phase::New {
                self.phase = Phase::Pending(seen);
            }
        }
    }

    /// All that was pending is read. After a loss that is done once more.
    pub fn end_pending(&mut self) {
        self.phase = Phase::New;
        match &mut self.again {
            Some(again) if !again.is_begun => again.due = Some(Instant::now() + LATE),
            _ => self.again = None,
        }
    }

    /// Reads what is pending once more, where it is time for that.
    pub fn read_again_when_due(&mut self, now: Instant) {
        if let Some(again) = &mut self.again
            && again.due.take_if(|due| *due <= now).is_some()
        {
            again.is_begun = true;
            self.phase = Phase::Pending(again.after);
        }
    }

    /// Whether a pending entry was given already, since the loss.
    pub fn was_given(&self, id: EntryId) -> bool {
        self.again.as_ref().is_some_and(|again| again.given.contains(&id))
    }

    /// An entry is given that stays pending when it is written.
    pub fn note_given(&mut self, id: EntryId) {
        if let Some(again) = &mut self.again {
            again.given.insert(id);
        }
    }

    /// All that was given is written.
    pub fn note_written(&mut self) {
        self.ready.append(&mut self.given);
    }

    /// How often a pending entry was delivered before; none where the server did not tell.
    pub fn count_of(&self, id: EntryId) -> Option<u64> {
        let at = self.counts.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(self.counts[at].1)
    }

    /// How many entries are not known to be acknowledged.
    pub fn unacknowledged(&self) -> usize {
        self.ready.len() + self.sent.len()
    }
}
