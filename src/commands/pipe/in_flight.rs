//! The commands in flight at one node: packed bytes, kept until the reply has come, to name a command when it fails.

use std::collections::VecDeque;

use super::files::Origin;
use super::window::Window;
use crate::command::request::Request;

/// Stands for the number of an ASKING, whose reply nobody waits for.
pub const ASKING: u64 = u64::MAX;

/// A command that was packed.
#[derive(Clone, Copy, Debug)]
struct Packed {
    /// Where it begins in its batch.
    start: u32,
    file: u32,
    line: u64,
    /// Its number in the pipeline, counted from 0.
    number: u64,
}

impl Packed {
    fn origin(&self) -> Origin {
        Origin { file: self.file, line: self.line }
    }
}

/// Commands that were packed together; its memory is used again.
#[derive(Debug)]
struct Batch {
    packed: Vec<u8>,
    commands: Vec<Packed>,
    /// How many of them are answered.
    answered: usize,
}

impl Batch {
    /// Memory for all that it will hold: to grow step by step would copy most of it twice. What is not written to is not
    /// taken.
    fn new() -> Self {
        Self { packed: Vec::with_capacity(BATCH_BYTES), commands: Vec::with_capacity(BATCH_COMMANDS), answered: 0 }
    }

    fn unanswered(&self) -> &[Packed] {
        &self.commands[self.answered..]
    }

    fn unpack(&self, command: &Packed) -> Command {
        let mut request = Request::unpack(self.packed.get(command.start as usize..).unwrap_or_default());
        request.line = command.line;
        Command { number: command.number, file: command.file, request }
    }
}

/// A command with its number in the pipeline, and its file.
#[derive(Clone, Debug)]
pub struct Command {
    /// Its number, counted from 0.
    pub number: u64,
    /// The number of its file.
    pub file: u32,
    /// The command, and its line.
    pub request: Request,
}

impl Command {
    /// Where it came from.
    pub fn origin(&self) -> Origin {
        Origin { file: self.file, line: self.request.line }
    }
}

/// The command that a reply answers: most replies are written without a look at it.
#[derive(Clone, Copy, Debug)]
pub enum Answered<'a> {
    /// The one that was answered last of these.
    Last(&'a InFlight),
    /// One that no node was asked.
    Known(&'a Command),
}

impl Answered<'_> {
    /// Where it came from.
    pub fn origin(self) -> Origin {
        match self {
            Self::Last(in_flight) => in_flight.last().map_or_else(Origin::default, |(_, last)| last.origin()),
            Self::Known(command) => command.origin(),
        }
    }

    /// The command.
    pub fn command(self) -> Option<Command> {
        match self {
            Self::Last(in_flight) => in_flight.last_answered(),
            Self::Known(command) => Some(command.clone()),
        }
    }
}

const BATCH_COMMANDS: usize = 1024;
const BATCH_BYTES: usize = 64 * 1024;
/// Batches that are kept to be used again.
const SPARE: usize = 8;
/// So much is packed before the kernel has taken it: a window that was asked for may be wider than memory.
const UNSENT_BYTES: usize = 64 * 1024;

/// The commands in flight, and the window that says how many there may be.
#[derive(Debug)]
pub struct InFlight {
    /// The first one may be answered wholly: the command answered last is still asked for.
    batches: VecDeque<Batch>,
    spare: Vec<Batch>,
    /// How many more commands the newest batch takes.
    room: usize,
    /// The batch that is being sent, by its place in `batches`, and how many of its bytes are sent.
    sending: (usize, usize),
    unsent: usize,
    count: usize,
    /// The packed bytes of all batches.
    bytes: usize,
    answered: u64,
    window: Window,
}

impl InFlight {
    /// Nothing in flight.
    pub fn new(window: Window) -> Self {
        Self {
            batches: VecDeque::new(),
            spare: Vec::new(),
            room: 0,
            sending: (0, 0),
            unsent: 0,
            count: 0,
            bytes: 0,
            answered: 0,
            window,
        }
    }

    /// Whether one more command may be given to the node.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every command; the call costs as much as what it does")]
    pub fn has_room(&mut self) -> bool {
        self.unsent < UNSENT_BYTES && self.window.has_room(self.count, self.bytes)
    }

    /// Packs a command, to be sent, and keeps it until it is answered.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every command; the call costs as much as what it does")]
    pub fn push(&mut self, request: &Request, number: u64, file: u32) {
        self.push_with(number, file, |packed| {
            request.pack(packed);
            Some(request.line)
        });
    }

    /// The same of one command after the other while there is room, each of which `pack` appends to the packed ones and
    /// tells its line; where it appends nothing, it tells none. Whether there was room to the last.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called with what packs the lines of the input, for every batch of them")]
    pub fn push_while(&mut self, first: u64, file: u32, mut pack: impl FnMut(&mut Vec<u8>) -> Option<u64>) -> bool {
        let mut number = first;
        while self.push_with(number, file, &mut pack).is_some() {
            number += 1;
            if !self.has_room() {
                return false;
            }
        }
        true
    }

    /// The same of at most one command: how many bytes it has.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every command; the call costs as much as what it does")]
    pub fn push_with(
        &mut self,
        number: u64,
        file: u32,
        pack: impl FnOnce(&mut Vec<u8>) -> Option<u64>,
    ) -> Option<usize> {
        if self.room == 0 {
            self.add_batch();
        }
        let batch = self.batches.back_mut()?;
        let before = batch.packed.len();
        let line = pack(&mut batch.packed)?;
        // A batch takes no further command once it is past 64 KiB.
        let start = u32::try_from(before).unwrap_or(u32::MAX);
        batch.commands.push(Packed { start, file, line, number });
        self.room = if batch.packed.len() < BATCH_BYTES { self.room - 1 } else { 0 };
        let size = batch.packed.len() - before;
        self.bytes += size;
        self.unsent += size;
        self.count += 1;
        Some(size)
    }

    #[cold]
    fn add_batch(&mut self) {
        if self.answered == 0 && self.count == 0 {
            self.window.begin();
        }
        self.batches.push_back(self.spare.pop().unwrap_or_else(Batch::new));
        self.room = BATCH_COMMANDS;
    }

    /// The packed bytes that are to be sent next.
    pub fn next_to_send(&mut self) -> &[u8] {
        let (mut index, mut sent) = self.sending;
        if index + 1 < self.batches.len() && self.batches.get(index).is_some_and(|batch| sent == batch.packed.len()) {
            (index, sent) = (index + 1, 0);
            self.sending = (index, sent);
        }
        self.batches.get(index).and_then(|batch| batch.packed.get(sent..)).unwrap_or_default()
    }

    /// The kernel took this many of the bytes of [`Self::next_to_send`].
    pub fn note_sent(&mut self, count: usize) {
        self.sending.1 += count;
        self.unsent -= count;
    }

    /// How many packed bytes the kernel has not taken yet.
    pub fn unsent(&self) -> usize {
        self.unsent
    }

    /// The oldest command was answered: its number; none if there was none.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every reply; the call costs as much as what it does")]
    pub fn answer(&mut self) -> Option<u64> {
        let batch = self.batches.front_mut()?;
        let Some(command) = batch.commands.get(batch.answered) else {
            if self.count == 0 {
                return None;
            }
            return self.answer_next_batch();
        };
        batch.answered += 1;
        self.count -= 1;
        self.answered += 1;
        Some(command.number)
    }

    /// What [`Self::answer`] gave last counts as unanswered again.
    pub fn unanswer(&mut self) {
        if let Some(batch) = self.batches.front_mut()
            && let Some(answered) = batch.answered.checked_sub(1)
        {
            batch.answered = answered;
            self.count += 1;
            self.answered -= 1;
        }
    }

    #[cold]
    fn answer_next_batch(&mut self) -> Option<u64> {
        self.recycle();
        self.answer()
    }

    fn recycle(&mut self) {
        let Some(mut batch) = self.batches.pop_front() else { return };
        self.sending = match self.sending {
            (0, _) => (0, 0),
            (index, sent) => (index - 1, sent),
        };
        self.bytes -= batch.packed.len();
        batch.packed.clear();
        batch.packed.shrink_to(2 * BATCH_BYTES);
        batch.commands.clear();
        batch.answered = 0;
        if self.spare.len() < SPARE {
            self.spare.push(batch);
        }
    }

    /// The command that was answered last.
    pub fn last_answered(&self) -> Option<Command> {
        let (batch, last) = self.last()?;
        Some(batch.unpack(last))
    }

    fn last(&self) -> Option<(&Batch, &Packed)> {
        let batch = self.batches.front()?;
        Some((batch, batch.commands.get(batch.answered.checked_sub(1)?)?))
    }

    /// The oldest unanswered command.
    pub fn next_answered(&self) -> Option<Command> {
        let batch = self.batches.iter().find(|batch| !batch.unanswered().is_empty())?;
        Some(batch.unpack(batch.unanswered().first()?))
    }

    /// The unanswered commands, oldest first: their numbers, and where they came from.
    pub fn unanswered(&self) -> impl Iterator<Item = (u64, Origin)> {
        let commands = self.batches.iter().flat_map(Batch::unanswered);
        commands.filter(|command| command.number != ASKING).map(|command| (command.number, command.origin()))
    }

    /// The unanswered commands themselves, oldest first.
    pub fn unanswered_commands(&self) -> impl Iterator<Item = Command> {
        self.batches.iter().flat_map(|batch| batch.unanswered().iter().map(|command| batch.unpack(command)))
    }

    /// Takes back the newest command if no byte of it was sent.
    pub fn pop_unsent(&mut self) -> Option<Command> {
        // The first batch stays: the command answered last is asked of it.
        while self.batches.len() > 1 && self.batches.back().is_some_and(|batch| batch.commands.is_empty()) {
            self.batches.pop_back();
        }
        let batch = self.batches.back_mut()?;
        let command = *batch.unanswered().last()?;
        let size = batch.packed.len() - command.start as usize;
        if size > self.unsent {
            return None;
        }
        let taken = batch.unpack(&command);
        self.room = 0;
        self.unsent -= size;
        self.bytes -= size;
        self.count -= 1;
        batch.packed.truncate(command.start as usize);
        batch.commands.pop();
        Some(taken)
    }

    /// How many commands are in flight.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether every command is answered.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// A round of replies was read; `received` is all that was ever received, in bytes.
    pub fn note_received(&mut self, received: u64) {
        self.window.note_received(self.answered, received, self.count);
    }
}
