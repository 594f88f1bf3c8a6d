//! The commands between their reading and the writing of their replies, in the order of the input: what a cluster's
//! nodes answer out of order waits here. Bounded in commands and in bytes; who answers, and what, is left to others.

use std::collections::VecDeque;

use super::flight::Origin;
use super::scribe::Text;
use crate::reply::OwnedFrame;
use crate::request::Request;

/// No slot, or no lane.
pub const NONE: u16 = u16::MAX;

/// A reply that waits for its turn.
#[derive(Debug)]
pub struct Reply {
    /// What is to be written.
    pub text: Text,
    /// The command and the server's answer, where that is, or holds, an error.
    pub error: Option<Box<(Request, OwnedFrame)>>,
}

/// One command.
#[derive(Debug)]
pub struct Entry {
    /// Where it came from.
    pub origin: Origin,
    /// The slot of its keys; [`NONE`] if it has none.
    pub slot: u16,
    /// The lane it was given to; [`NONE`] while it waits for one.
    pub lane: u16,
    /// Whether it keeps its place among the commands of its slot; a read for a replica does not.
    pub is_ordered: bool,
    /// Whether it was sent with ASKING.
    pub is_asked: bool,
    size: u32,
    reply: Option<Reply>,
}

impl Entry {
    /// Whether its reply is there.
    pub fn is_answered(&self) -> bool {
        self.reply.is_some()
    }
}

/// Commands that are neither written nor forgotten, at most.
const COMMANDS: usize = 64 * 1024;
/// Bytes of commands, and of replies that wait for their turn.
const COMMAND_BYTES: usize = 4 * 1024 * 1024;
const REPLY_BYTES: usize = 6 * 1024 * 1024;

/// The commands by their numbers, which count from 0 in the order of the input.
#[derive(Debug)]
pub struct Order {
    entries: VecDeque<Entry>,
    /// The number of the first entry: so many replies were written.
    first: u64,
    command_bytes: usize,
    reply_bytes: usize,
    limit: usize,
}

impl Order {
    /// Nothing yet; `window` is `--window`.
    pub fn new(window: Option<u32>) -> Self {
        let limit = window.map_or(COMMANDS, |window| window as usize);
        Self { entries: VecDeque::new(), first: 0, command_bytes: 0, reply_bytes: 0, limit }
    }

    /// Whether one more command may be read.
    pub fn has_room(&self) -> bool {
        self.entries.is_empty()
            || self.entries.len() < self.limit && self.command_bytes < COMMAND_BYTES && !self.is_laden()
    }

    /// Whether so many replies wait for an older one that only that one is to be read.
    pub fn is_laden(&self) -> bool {
        self.reply_bytes >= REPLY_BYTES
    }

    /// Adds a command of this many packed bytes; its number.
    pub fn push(&mut self, origin: Origin, slot: u16, size: usize) -> u64 {
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        self.command_bytes += size as usize;
        self.entries.push_back(Entry {
            origin,
            slot,
            lane: NONE,
            is_ordered: true,
            is_asked: false,
            size,
            reply: None,
        });
        self.first + self.entries.len() as u64 - 1
    }

    /// The command of this number.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut Entry> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.entries.get_mut(at)
    }

    /// The oldest command.
    pub fn front(&self) -> Option<&Entry> {
        self.entries.front()
    }

    /// The reply to the command of this number has come.
    pub fn answer(&mut self, number: u64, reply: Reply) {
        let weight = reply.text.weight();
        if let Some(entry) = self.get_mut(number) {
            entry.reply = Some(reply);
            self.reply_bytes += weight;
        }
    }

    /// Takes the oldest command if its reply is there: where it came from, and the reply.
    pub fn take(&mut self) -> Option<(Origin, Reply)> {
        let reply = self.entries.front_mut()?.reply.take()?;
        let entry = self.entries.pop_front()?;
        self.command_bytes -= entry.size as usize;
        self.reply_bytes -= reply.text.weight();
        self.first += 1;
        Some((entry.origin, reply))
    }

    /// Takes the replies that wait behind one that will not come, oldest first.
    pub fn take_later(&mut self) -> Vec<(Origin, Reply)> {
        self.entries.iter_mut().filter_map(|entry| Some((entry.origin, entry.reply.take()?))).collect()
    }

    /// Forgets the commands from this number on: they were not sent.
    pub fn truncate(&mut self, end: u64) {
        let length = usize::try_from(end.saturating_sub(self.first)).unwrap_or(usize::MAX);
        while self.entries.len() > length {
            let Some(entry) = self.entries.pop_back() else { return };
            self.command_bytes -= entry.size as usize;
        }
    }

    /// The commands, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
        self.entries.iter()
    }

    /// Whether every reply was taken.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many replies were taken in their turn.
    pub fn answered(&self) -> u64 {
        self.first
    }
}
