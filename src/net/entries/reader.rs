//! One connection of those that read streams: what it was asked, and how far its last answer was read. What the answers
//! mean is told in `answers.rs`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::Cmd;

use super::super::endpoint::Address;
use super::super::error::Lost;
use super::super::session::Session;
use crate::reply::Place;

/// A connection that held for this long was a good one: pauses and tries begin anew.
const STEADY: Duration = Duration::from_secs(1);
/// How long an answer may take beyond the time that a read may wait for entries: so a dead server is found within 30 s.
const ANSWER_LIMIT: Duration = Duration::from_secs(25);

/// The entries of one stream that are asked for at once, at most.
pub const LARGEST_BLOCK: u64 = 1000;
/// At first that many: they may be large.
const FIRST_BLOCK: u64 = 8;
/// The bytes that one answer should have, so that large entries take no more memory than small ones.
const BLOCK_BYTES: u64 = 1 << 20;

/// What was asked and is not answered yet. Servers answer in order. Streams by their places.
#[derive(Clone, Debug)]
pub enum Asked {
    /// ASKING, whose answer says nothing.
    Asking,
    /// XACK.
    Acknowledge(usize),
    /// XINFO STREAM.
    Look(usize),
    /// XINFO GROUPS.
    Group(usize),
    /// XGROUP CREATE.
    Make(usize),
    /// XPENDING, for how often pending entries were delivered.
    Counts(usize),
    /// XREADGROUP of at most so many pending entries.
    Pending(usize, u64),
    /// XPENDING, for what others have left.
    Candidates(usize),
    /// XCLAIM.
    Claim(usize),
    /// XREAD, or XREADGROUP of new entries, of these streams.
    New(Vec<usize>),
}

/// An answer whose entries are given one by one.
pub struct Block {
    pub asked: Asked,
    pub place: Place,
    /// How many were found in it.
    pub count: u64,
}

/// What is done over a connection.
pub struct Link {
    /// Names it; no later one has the same.
    pub id: u64,
    pub session: Session,
    pub address: Address,
    pub name: Arc<str>,
    opened: Instant,
    /// Whether anything was answered.
    pub has_answered: bool,
    pub asked: VecDeque<Asked>,
    pub block: Option<Block>,
    /// How long the last read may wait for entries.
    pub waits: Duration,
    /// When the server was heard last, or asked after it had answered everything.
    heard: Instant,
    received: u64,
    /// Why nothing can be sent any more: told once all that the server said before is read.
    unsendable: Option<Lost>,
}

impl Link {
    pub fn new(id: u64, address: Address, session: Session) -> Self {
        let now = Instant::now();
        Self {
            id,
            name: Arc::from(address.to_string()),
            session,
            address,
            opened: now,
            has_answered: false,
            asked: VecDeque::new(),
            block: None,
            waits: Duration::ZERO,
            heard: now,
            received: 0,
            unsendable: None,
        }
    }

    /// Whether nothing is asked, and all that was answered is given.
    pub fn is_idle(&self) -> bool {
        self.asked.is_empty() && self.block.is_none()
    }

    /// Whether it was of use: then tries to replace it begin anew.
    pub fn was_good(&self) -> bool {
        self.has_answered || self.opened.elapsed() >= STEADY
    }

    /// Asks; `is_asking` where the slot is still on its way to that server.
    pub fn ask(&mut self, request: &Cmd, asked: Asked, is_asking: bool) {
        if self.asked.is_empty() {
            self.heard = Instant::now();
            self.waits = Duration::ZERO;
        }
        if is_asking {
            super::super::cluster::redirects::asking().pack(self.session.outgoing());
            self.asked.push_back(Asked::Asking);
        }
        self.session.put(request);
        self.asked.push_back(asked);
    }

    /// Whether a whole answer is there. Does not block.
    pub fn receive(&mut self) -> Result<bool, Lost> {
        let is_there = self.session.advance();
        if self.session.received() != self.received {
            self.received = self.session.received();
            self.heard = Instant::now();
        }
        if !is_there? {
            return self.unsendable.take().map_or(Ok(false), Err);
        }
        Ok(true)
    }

    /// Sends what was asked. When the sleep has to end that comes next; none if nothing is waited for.
    pub fn prepare(&mut self) -> Option<Instant> {
        if let Err(lost) = self.session.send() {
            self.unsendable = Some(lost);
            return Some(Instant::now());
        }
        self.due()
    }

    /// When an answer is overdue.
    fn due(&self) -> Option<Instant> {
        let limit = self.session.endpoint.read_timeout.unwrap_or(ANSWER_LIMIT);
        (!self.asked.is_empty()).then(|| self.heard + self.waits + limit)
    }

    /// Why the server is taken for dead after a sleep in which it was not heard; none while it is not.
    pub fn overdue(&self) -> Option<Lost> {
        self.due().filter(|due| *due <= Instant::now())?;
        Some(self.session.endpoint.read_timeout.map_or_else(|| Lost::Dead(self.heard.elapsed()), Lost::Silent))
    }
}

/// A connection, or the want of one, and the streams that are read over it.
#[derive(Default)]
pub struct Reader {
    /// The slot of its streams; none where one server has everything.
    pub slot: Option<u16>,
    /// Its streams, by their places.
    pub streams: Vec<usize>,
    pub link: Option<Link>,
    /// Whether the slot is on its way to the server that it is connected with.
    pub is_asking: bool,
    /// Whether entries were ever asked for and answered.
    pub has_read: bool,
    /// How many entries a read asks for of all streams together.
    pub block_size: u64,
    /// How many entries may come that were asked for and count.
    pub taken: u64,
    /// Which of its streams is asked when not all can be.
    pub turn: usize,
    /// How many answers in a row said that the slot is not served there just now.
    pub refusals: u32,
    /// When to ask again, after a server asked for patience.
    pub rests_until: Option<Instant>,
    /// Since when it has no connection, which was told.
    pub down: Option<Down>,
}

/// A connection that is missing.
pub struct Down {
    pub since: Instant,
    pub name: Arc<str>,
}

impl Reader {
    pub fn new(slot: Option<u16>) -> Self {
        Self { slot, block_size: FIRST_BLOCK, ..Self::default() }
    }

    /// Learns from a block of so many entries and bytes how many to ask for.
    pub fn note_block(&mut self, entries: u64, bytes: usize) {
        if entries == 0 {
            return;
        }
        let size = (bytes as u64 / entries).max(1);
        let grown = self.block_size.saturating_mul(8).min(LARGEST_BLOCK);
        self.block_size = (BLOCK_BYTES / size).clamp(1, grown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_grow_with_small_entries_and_shrink_with_large_ones() {
        let mut reader = Reader::new(None);
        let mut sizes = Vec::new();
        for bytes in [60_u64, 60, 60, 10_000, 4 << 20, 60, 60] {
            reader.note_block(reader.block_size, usize::try_from(bytes * reader.block_size).unwrap_or(usize::MAX));
            sizes.push(reader.block_size);
        }
        assert_eq!(sizes, [64, 512, 1000, 104, 1, 8, 64]);
        reader.note_block(0, 5);
        assert_eq!(reader.block_size, 64);
    }
}
