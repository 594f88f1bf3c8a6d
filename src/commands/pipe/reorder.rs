//! Whose turn it is: the replies are written in the order of the commands. The reply that comes in its turn is written
//! at once; what nodes of a cluster answer before that waits here, bounded in commands and in bytes. A lone server
//! answers in order, so of its commands nothing is kept here but how many were answered.

use std::collections::VecDeque;
use std::io;

use super::files::Origin;
use super::in_flight::Answered;
use super::output::Output;
use super::rendered::Rendered;
use crate::reply::Frame;

/// No slot, or no node.
pub const NONE: u16 = u16::MAX;

/// A reply that waits for its turn.
#[derive(Debug)]
pub struct Waiting {
    /// What is to be written.
    pub text: Rendered,
    /// Where its command came from.
    pub origin: Origin,
    /// What is to be said of the errors in it.
    pub errors: Option<Box<[String]>>,
}

/// A command that is not written yet.
#[derive(Debug)]
pub struct Entry {
    size: u32,
    /// The slot of its keys; [`NONE`] if it has none.
    pub slot: u16,
    /// The node it was given to; [`NONE`] while it waits for one.
    pub node: u16,
    /// Whether it keeps its place among the commands of its slot; a read for a replica does not.
    pub is_ordered: bool,
    /// Whether it was sent with ASKING.
    pub is_asked: bool,
}

impl Entry {
    /// A command of this many packed bytes.
    pub fn new(slot: u16, node: u16, is_ordered: bool, size: usize) -> Self {
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        Self { size, slot, node, is_ordered, is_asked: false }
    }
}

/// Commands that are neither written nor forgotten, at most.
const COMMANDS: usize = 64 * 1024;
/// Bytes of commands, and of replies that wait for their turn.
const COMMAND_BYTES: usize = 4 * 1024 * 1024;
const REPLY_BYTES: usize = 6 * 1024 * 1024;

/// The commands of a cluster by their numbers, which count from 0 in the order of the input.
#[derive(Debug)]
pub struct Reorder {
    entries: VecDeque<Entry>,
    /// The replies that wait, each at the place of its entry; none behind the newest of them.
    waiting: VecDeque<Option<Waiting>>,
    /// The number of the first entry, whose turn it is: so many replies were written.
    turn: u64,
    command_bytes: usize,
    reply_bytes: usize,
    limit: usize,
}

impl Reorder {
    /// Nothing yet; `window` is `--window`.
    pub fn new(window: Option<u32>) -> Self {
        let limit = window.map_or(COMMANDS, |window| window as usize);
        Self { entries: VecDeque::new(), waiting: VecDeque::new(), turn: 0, command_bytes: 0, reply_bytes: 0, limit }
    }

    /// Whether one more command may be read.
    pub fn has_room(&self) -> bool {
        self.entries.is_empty()
            || self.entries.len() < self.limit && self.command_bytes < COMMAND_BYTES && !self.is_over_byte_limit()
    }

    /// Whether so many replies wait for an older one that only that one is to be read.
    pub fn is_over_byte_limit(&self) -> bool {
        self.reply_bytes >= REPLY_BYTES
    }

    /// Adds a command; its number.
    pub fn push(&mut self, entry: Entry) -> u64 {
        let number = self.next_number();
        self.command_bytes += entry.size as usize;
        self.entries.push_back(entry);
        number
    }

    /// The number of the next command that is added.
    pub fn next_number(&self) -> u64 {
        self.turn + self.entries.len() as u64
    }

    /// The command of this number.
    #[inline]
    pub fn get_mut(&mut self, number: u64) -> Option<&mut Entry> {
        let at = self.index(number)?;
        self.entries.get_mut(at)
    }

    #[inline]
    fn index(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.turn)?).ok().filter(|at| *at < self.entries.len())
    }

    /// The oldest command.
    pub fn front(&self) -> Option<&Entry> {
        self.entries.front()
    }

    /// The reply to the command of this number has come: writes it, and those that waited for it, or keeps it until its
    /// turn.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "asked for every reply; the call costs as much as what it does")]
    pub fn answer(
        &mut self,
        number: u64,
        frame: Frame<'_>,
        answered: Answered<'_>,
        output: &mut Output,
    ) -> io::Result<()> {
        if number != self.turn {
            return self.keep(number, frame, answered, output);
        }
        output.write_reply(number, frame, answered)?;
        self.pass();
        while let Some(waiting) = self.waiting.front_mut().and_then(Option::take) {
            output.write_waiting(&waiting)?;
            self.reply_bytes -= waiting.text.weight();
            self.pass();
        }
        Ok(())
    }

    #[inline]
    fn pass(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.command_bytes -= entry.size as usize;
            self.waiting.pop_front();
        }
        self.turn += 1;
    }

    #[inline(never)]
    fn keep(&mut self, number: u64, frame: Frame<'_>, answered: Answered<'_>, output: &mut Output) -> io::Result<()> {
        let Some(at) = self.index(number) else { return Ok(()) };
        let waiting = output.render(frame, answered)?;
        self.reply_bytes += waiting.text.weight();
        if at >= self.waiting.len() {
            self.waiting.resize_with(at + 1, || None);
        }
        self.waiting[at] = Some(waiting);
        Ok(())
    }

    /// The replies that wait behind one that will not come, oldest first.
    pub fn waiting(&self) -> impl DoubleEndedIterator<Item = &Waiting> {
        self.waiting.iter().flatten()
    }

    /// The number behind the newest command that is answered; how many are written if none waits.
    pub fn answered_end(&self) -> u64 {
        self.turn + self.waiting.len() as u64
    }

    /// The commands that are with a node, and keep their place among those of their slot.
    pub fn in_flight(&self) -> impl Iterator<Item = &Entry> {
        let is_answered = |at: usize| self.waiting.get(at).is_some_and(Option::is_some);
        let sent = self.entries.iter().enumerate().filter(move |(at, _)| !is_answered(*at));
        sent.map(|(_, entry)| entry).filter(|entry| entry.is_ordered && entry.node != NONE)
    }

    /// Forgets the commands from this number on: they were not sent.
    pub fn truncate(&mut self, end: u64) {
        let length = usize::try_from(end.saturating_sub(self.turn)).unwrap_or(usize::MAX);
        while self.entries.len() > length {
            let Some(entry) = self.entries.pop_back() else { return };
            self.command_bytes -= entry.size as usize;
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many replies were written in their turn: the number of the command whose turn it is.
    pub fn turn(&self) -> u64 {
        self.turn
    }
}
