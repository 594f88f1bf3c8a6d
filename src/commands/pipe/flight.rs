//! The commands in flight: packed bytes kept until the reply has come, to name a command when it fails, and the
//! window that says how many there may be.

use std::collections::VecDeque;
use std::time::Duration;

use crate::request::Request;

/// One command in flight.
#[derive(Clone, Copy, Debug)]
pub struct InFlight {
    /// The number of its file.
    pub file: usize,
    /// The line where it begins.
    pub line: u64,
    batch: u64,
    start: usize,
}

impl InFlight {
    /// The command itself.
    pub fn request(&self, flight: &Flight) -> Request {
        let mut request = Request::unpack(flight.packed(self));
        request.line = self.line;
        request
    }
}

/// Commands that were packed together; its memory is used again.
#[derive(Debug, Default)]
struct Batch {
    packed: Vec<u8>,
    /// Where each command starts in `packed`, and its line.
    commands: Vec<(u32, u64)>,
    file: usize,
    /// How many of them are answered.
    answered: usize,
}

const BATCH_COMMANDS: usize = 1024;
const BATCH_BYTES: usize = 64 * 1024;

/// Until the first replies tell their size.
const FIRST_WINDOW: usize = 1024;
const WINDOW: usize = 8 * 1024;
/// A window this large keeps a connection of 100 ms of round trip busy.
const LARGEST_WINDOW: usize = 128 * 1024;
/// Commands and their expected replies, in bytes: what is in flight is in the server's memory, and in ours.
const COMMAND_BYTES: usize = 4 * 1024 * 1024;
const REPLY_BYTES: u64 = 8 * 1024 * 1024;
/// A wait with a full window longer than this is the network's round trip, not the server's work.
const STALL: Duration = Duration::from_millis(2);

/// The commands in flight and the window.
#[derive(Debug)]
pub struct Flight {
    batches: VecDeque<Batch>,
    spare: Vec<Batch>,
    /// The number of the first batch in `batches`.
    first_batch: u64,
    in_flight: usize,
    bytes: usize,
    answered: u64,
    errors: u64,
    fixed: Option<usize>,
    window: usize,
    /// The size of a reply in bytes, averaged over the latest.
    reply_size: u64,
    /// What was answered and received when the average was last taken.
    noted: (u64, u64),
}

impl Flight {
    /// Nothing in flight; `window` is `--window`.
    pub fn new(window: Option<u32>) -> Self {
        Self {
            batches: VecDeque::new(),
            spare: Vec::new(),
            first_batch: 0,
            in_flight: 0,
            bytes: 0,
            answered: 0,
            errors: 0,
            fixed: window.map(|window| window as usize),
            window: FIRST_WINDOW,
            reply_size: 0,
            noted: (0, 0),
        }
    }

    /// Whether one more command may be sent.
    pub fn has_room(&self) -> bool {
        match self.fixed {
            Some(window) => self.in_flight < window,
            None => {
                self.in_flight < self.window
                    && (self.bytes < COMMAND_BYTES || self.in_flight == 0)
                    && (self.reply_size * self.in_flight as u64 <= REPLY_BYTES || self.in_flight == 0)
            }
        }
    }

    /// Packs a command into `outgoing` and keeps it until it is answered.
    pub fn push(&mut self, request: &Request, file: usize, outgoing: &mut Vec<u8>) {
        let fits = |batch: &Batch| {
            batch.commands.len() < BATCH_COMMANDS && batch.packed.len() < BATCH_BYTES && batch.file == file
        };
        if !self.batches.back().is_some_and(fits) {
            let mut batch = self.spare.pop().unwrap_or_default();
            batch.file = file;
            self.batches.push_back(batch);
        }
        let Some(batch) = self.batches.back_mut() else { return };
        let start = batch.packed.len();
        request.pack(&mut batch.packed);
        outgoing.extend_from_slice(&batch.packed[start..]);
        // A batch takes no further command once it is past 64 KiB.
        batch.commands.push((u32::try_from(start).unwrap_or(u32::MAX), request.line));
        self.bytes += batch.packed.len() - start;
        self.in_flight += 1;
    }

    /// The oldest command was answered.
    pub fn pop(&mut self) -> Option<InFlight> {
        let first = self.first()?;
        self.recycle();
        let batch = self.batches.front_mut()?;
        batch.answered += 1;
        let end = batch.commands.get(batch.answered).map_or(batch.packed.len(), |(start, _)| *start as usize);
        self.bytes -= end - first.start;
        self.in_flight -= 1;
        self.answered += 1;
        Some(first)
    }

    /// Takes back the first batch once a command of the next one is answered: until then the last is still asked for.
    fn recycle(&mut self) {
        if self.batches.front().is_some_and(|batch| batch.answered == batch.commands.len())
            && let Some(mut batch) = self.batches.pop_front()
        {
            self.first_batch += 1;
            batch.packed.clear();
            batch.packed.shrink_to(2 * BATCH_BYTES);
            batch.commands.clear();
            batch.answered = 0;
            if self.spare.len() < 8 {
                self.spare.push(batch);
            }
        }
    }

    /// The oldest unanswered command.
    pub fn first(&self) -> Option<InFlight> {
        let (index, batch) =
            self.batches.iter().enumerate().take(2).find(|(_, batch)| batch.answered < batch.commands.len())?;
        self.at(index, batch.answered)
    }

    /// The command that was sent last.
    pub fn last(&self) -> Option<InFlight> {
        let batch = self.batches.back()?;
        if self.in_flight == 0 {
            return None;
        }
        self.at(self.batches.len() - 1, batch.commands.len() - 1)
    }

    fn at(&self, index: usize, command: usize) -> Option<InFlight> {
        let batch = self.batches.get(index)?;
        let (start, line) = *batch.commands.get(command)?;
        Some(InFlight { file: batch.file, line, batch: self.first_batch + index as u64, start: start as usize })
    }

    fn packed(&self, command: &InFlight) -> &[u8] {
        let index = usize::try_from(command.batch.wrapping_sub(self.first_batch)).unwrap_or(usize::MAX);
        self.batches.get(index).and_then(|batch| batch.packed.get(command.start..)).unwrap_or_default()
    }

    /// Forgets the commands of which no byte was sent, `unsent` bytes being left; how many bytes those are.
    pub fn cut_unsent(&mut self, unsent: usize) -> usize {
        let mut cut = 0;
        while let Some(batch) = self.batches.back_mut() {
            while batch.commands.len() > batch.answered {
                let Some(&(start, _)) = batch.commands.last() else { break };
                let size = batch.packed.len() - start as usize;
                if cut + size > unsent {
                    return cut;
                }
                cut += size;
                self.bytes -= size;
                self.in_flight -= 1;
                batch.packed.truncate(start as usize);
                batch.commands.pop();
            }
            if !batch.commands.is_empty() {
                break;
            }
            self.batches.pop_back();
        }
        cut
    }

    /// How many commands are in flight.
    pub fn len(&self) -> usize {
        self.in_flight
    }

    /// Whether every command is answered.
    pub fn is_empty(&self) -> bool {
        self.in_flight == 0
    }

    /// How many commands were answered.
    pub fn answered(&self) -> u64 {
        self.answered
    }

    /// A reply was, or held, an error.
    pub fn count_error(&mut self) {
        self.errors += 1;
    }

    /// How many replies were, or held, errors.
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// Takes the average size of the latest replies; `received` is all that was ever received, in bytes.
    pub fn note_received(&mut self, received: u64) {
        let (answered_before, received_before) = self.noted;
        let replies = self.answered - answered_before;
        if replies < 64 && self.in_flight > 0 {
            return;
        }
        let size = (received - received_before) / replies.max(1);
        // Quick to see that replies have grown, slow to forget it.
        self.reply_size = size.max((self.reply_size * 7 + size) / 8);
        self.noted = (self.answered, received);
        self.window = self.window.max(WINDOW);
    }

    /// The loop slept this long with nothing more to send: a full window grows if that was the network.
    pub fn note_stall(&mut self, slept: Duration) {
        if slept >= STALL && self.in_flight >= self.window {
            self.window = (self.window * 2).min(LARGEST_WINDOW);
        }
    }
}
