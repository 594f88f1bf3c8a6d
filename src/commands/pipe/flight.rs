//! The commands in flight: packed bytes kept until the reply has come, to name a command when it fails, and the
//! window that says how many there may be.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::progress::Counts;
use crate::request::Request;

/// Where a command in flight came from.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The number of its file.
    pub file: usize,
    /// The line where it begins.
    pub line: u64,
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

impl Batch {
    fn unpack(&self, start: u32, line: u64) -> Request {
        let mut request = Request::unpack(self.packed.get(start as usize..).unwrap_or_default());
        request.line = line;
        request
    }
}

const BATCH_COMMANDS: usize = 1024;
const BATCH_BYTES: usize = 64 * 1024;

/// Until the first replies tell their size.
const FIRST_WINDOW: usize = 512;
/// Enough for a server nearby.
const WINDOW: usize = 8 * 1024;
/// What a server does in a second at most: the window covers a round trip at this rate.
const COMMANDS_A_SECOND: f64 = 1_300_000.0;
/// A window this large keeps a connection of 100 ms of round trip busy.
const LARGEST_WINDOW: usize = 128 * 1024;
/// Commands and their expected replies, in bytes: what is in flight is in the server's memory, and in ours.
const COMMAND_BYTES: usize = 4 * 1024 * 1024;
const REPLY_BYTES: u64 = 8 * 1024 * 1024;
/// The commands in flight and the window.
#[derive(Debug)]
pub struct Flight {
    /// The first one may be answered wholly: the command answered last is still asked for.
    batches: VecDeque<Batch>,
    spare: Vec<Batch>,
    /// The batch that is being sent, by its place in `batches`, and how many of its bytes are sent.
    sending: (usize, usize),
    unsent: usize,
    in_flight: usize,
    bytes: usize,
    answered: u64,
    errors: u64,
    fixed: Option<usize>,
    window: usize,
    /// Whether the window was filled and not enough of it is answered yet.
    is_full: bool,
    /// What the window becomes once the size of replies is known.
    full_window: usize,
    /// The size of a reply in bytes, averaged over the latest.
    reply_size: u64,
    /// What was answered and received when the average was last taken.
    noted: (u64, u64),
    /// When the first command was packed: the first reply tells how long a round trip takes.
    started: Option<Instant>,
}

impl Flight {
    /// Nothing in flight; `window` is `--window`.
    pub fn new(window: Option<u32>) -> Self {
        Self {
            batches: VecDeque::new(),
            spare: Vec::new(),
            sending: (0, 0),
            unsent: 0,
            in_flight: 0,
            bytes: 0,
            answered: 0,
            errors: 0,
            fixed: window.map(|window| window as usize),
            window: FIRST_WINDOW,
            is_full: false,
            full_window: WINDOW,
            reply_size: 0,
            noted: (0, 0),
            started: None,
        }
    }

    /// Whether one more command may be sent. A full window has room again when a quarter of it is answered: many small
    /// writes cost more than they gain.
    pub fn has_room(&mut self) -> bool {
        if self.is_full && self.in_flight > self.window - self.window / 4 {
            return false;
        }
        self.is_full = !self.is_within_bounds();
        !self.is_full
    }

    fn is_within_bounds(&self) -> bool {
        match self.fixed {
            Some(window) => self.in_flight < window,
            None => {
                self.in_flight < self.window
                    && (self.bytes < COMMAND_BYTES || self.in_flight == 0)
                    && (self.reply_size * self.in_flight as u64 <= REPLY_BYTES || self.in_flight == 0)
            }
        }
    }

    /// Packs a command, to be sent, and keeps it until it is answered.
    pub fn push(&mut self, request: &Request, file: usize) {
        self.push_as(request, file, request.line);
    }

    /// The same with another number in place of the line.
    pub fn push_as(&mut self, request: &Request, file: usize, line: u64) {
        let fits = |batch: &Batch| {
            batch.commands.len() < BATCH_COMMANDS && batch.packed.len() < BATCH_BYTES && batch.file == file
        };
        if !self.batches.back().is_some_and(fits) {
            let mut batch = self.spare.pop().unwrap_or_default();
            batch.file = file;
            self.batches.push_back(batch);
        }
        if self.answered == 0 && self.in_flight == 0 {
            self.started = Some(Instant::now());
        }
        let Some(batch) = self.batches.back_mut() else { return };
        let start = batch.packed.len();
        // A batch takes no further command once it is past 64 KiB.
        batch.commands.push((u32::try_from(start).unwrap_or(u32::MAX), line));
        request.pack(&mut batch.packed);
        let size = batch.packed.len() - start;
        self.bytes += size;
        self.unsent += size;
        self.in_flight += 1;
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

    /// The oldest command was answered; false if there was none.
    pub fn answer(&mut self) -> bool {
        if self.in_flight == 0 {
            return false;
        }
        if self.batches.front().is_some_and(|batch| batch.answered == batch.commands.len()) {
            self.recycle();
        }
        if let Some(started) = self.started.take() {
            self.full_window = window_over(started.elapsed()).max(WINDOW);
        }
        let Some(batch) = self.batches.front_mut() else { return false };
        let start = batch.commands[batch.answered].0 as usize;
        batch.answered += 1;
        let end = batch.commands.get(batch.answered).map_or(batch.packed.len(), |(start, _)| *start as usize);
        self.bytes -= end - start;
        self.in_flight -= 1;
        self.answered += 1;
        true
    }

    fn recycle(&mut self) {
        if let Some(mut batch) = self.batches.pop_front() {
            self.sending = match self.sending {
                (0, _) => (0, 0),
                (index, sent) => (index - 1, sent),
            };
            batch.packed.clear();
            batch.packed.shrink_to(2 * BATCH_BYTES);
            batch.commands.clear();
            batch.answered = 0;
            if self.spare.len() < 8 {
                self.spare.push(batch);
            }
        }
    }

    /// The command that was answered last, and the number of its file.
    pub fn last_answered(&self) -> (Request, usize) {
        let Some(batch) = self.batches.front() else { return Default::default() };
        let Some((start, line)) = batch.answered.checked_sub(1).map(|last| batch.commands[last]) else {
            return Default::default();
        };
        (batch.unpack(start, line), batch.file)
    }

    /// The line of the command that was answered last.
    pub fn last_line(&self) -> u64 {
        let last = self.batches.front().and_then(|batch| batch.commands.get(batch.answered.checked_sub(1)?));
        last.map_or(0, |(_, line)| *line)
    }

    /// The lines of the unanswered commands, oldest first.
    pub fn lines(&self) -> impl Iterator<Item = u64> {
        self.batches.iter().flat_map(|batch| batch.commands[batch.answered..].iter().map(|(_, line)| *line))
    }

    /// The oldest unanswered command, and the number of its file.
    pub fn next_answered(&self) -> Option<(Request, usize)> {
        let batch = self.first_unanswered()?;
        let (start, line) = batch.commands[batch.answered];
        Some((batch.unpack(start, line), batch.file))
    }

    fn first_unanswered(&self) -> Option<&Batch> {
        self.batches.iter().take(2).find(|batch| batch.answered < batch.commands.len())
    }

    /// Where the oldest and the newest unanswered command came from.
    pub fn range(&self) -> Option<(Origin, Origin)> {
        let first = self.first_unanswered()?;
        let last = self.batches.back()?;
        let origin = |batch: &Batch, line: u64| Origin { file: batch.file, line };
        Some((origin(first, first.commands[first.answered].1), origin(last, last.commands.last()?.1)))
    }

    /// Forgets the commands of which no byte was sent.
    pub fn cut_unsent(&mut self) {
        while self.pop_unsent().is_some() {}
    }

    /// Takes back the newest command if no byte of it was sent.
    pub fn pop_unsent(&mut self) -> Option<Request> {
        // The first batch stays: the command answered last is asked of it.
        while self.batches.len() > 1 && self.batches.back().is_some_and(|batch| batch.commands.is_empty()) {
            self.batches.pop_back();
        }
        let batch = self.batches.back_mut()?;
        if batch.commands.len() <= batch.answered {
            return None;
        }
        let &(start, line) = batch.commands.last()?;
        let size = batch.packed.len() - start as usize;
        if size > self.unsent {
            return None;
        }
        let request = batch.unpack(start, line);
        self.unsent -= size;
        self.bytes -= size;
        self.in_flight -= 1;
        batch.packed.truncate(start as usize);
        batch.commands.pop();
        Some(request)
    }

    /// How many commands are in flight.
    pub fn len(&self) -> usize {
        self.in_flight
    }

    /// Whether every command is answered.
    pub fn is_empty(&self) -> bool {
        self.in_flight == 0
    }

    /// How far it has come.
    pub fn counts(&self) -> Counts {
        Counts { answered: self.answered, errors: self.errors, unanswered: self.in_flight }
    }

    /// How many commands were answered.
    pub fn answered(&self) -> u64 {
        self.answered
    }

    /// A reply was, or held, an error.
    pub fn count_error(&mut self) {
        self.errors += 1;
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
        self.window = self.full_window;
    }
}

/// The window that keeps a connection of this round trip busy.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small positive numbers")]
fn window_over(round_trip: Duration) -> usize {
    ((round_trip.as_secs_f64() * COMMANDS_A_SECOND) as usize).min(LARGEST_WINDOW)
}
