//! A slot that moves from one node to another, or is not served just now. Its commands are held until none of them is in
//! flight; then the oldest goes alone, and once it is answered the others are released. So commands of one slot keep
//! their order however they are sent around (contract section 11).

use std::collections::BTreeMap;
use std::mem;
use std::time::Instant;

use super::in_flight::Command;
use crate::net::{Endpoint, Retry};

/// The commands of one slot that wait.
#[derive(Debug)]
pub struct HeldSlot {
    /// By their numbers in the input.
    waiting: BTreeMap<u64, Command>,
    /// The command that went alone.
    alone: Option<u64>,
    /// When the next may go.
    not_before: Option<Instant>,
    /// Whether its owner said last that it does not serve.
    is_down: bool,
    retry: Retry,
}

impl HeldSlot {
    /// Nothing waits yet.
    pub fn new(endpoint: &Endpoint) -> Self {
        Self { waiting: BTreeMap::new(), alone: None, not_before: None, is_down: false, retry: Retry::new(endpoint) }
    }

    /// Adds a command that was not sent, or did not run.
    pub fn hold(&mut self, command: Command) {
        self.alone.take_if(|alone| *alone == command.number);
        self.waiting.insert(command.number, command);
    }

    /// A command was answered: whether it was the one that went alone, so that the others may follow.
    pub fn note_answered(&mut self, number: u64) -> bool {
        self.alone.take_if(|alone| *alone == number).is_some()
    }

    /// The command that goes alone was sent around once more; false when that was too often.
    pub fn follow(&mut self, number: u64) -> bool {
        if self.alone != Some(number) {
            return true;
        }
        self.not_before = self.retry.next_hop();
        self.not_before.is_some()
    }

    /// Nothing of the slot can run just now; false when time has run out.
    pub fn pause(&mut self) -> bool {
        if self.not_before.is_some_and(|at| at > Instant::now()) {
            return true;
        }
        self.not_before = self.retry.next_try();
        self.not_before.is_some()
    }

    /// The same where its owner does not serve: another node may do so by now.
    pub fn pause_down(&mut self) -> bool {
        self.is_down = true;
        self.pause()
    }

    /// Whether its owner said that it does not serve, since this was last asked.
    pub fn take_down(&mut self) -> bool {
        mem::take(&mut self.is_down)
    }

    /// Whether the oldest command may go now, if nothing of the slot is in flight.
    pub fn is_due(&self) -> bool {
        self.alone.is_none() && self.not_before.is_none_or(|at| at <= Instant::now())
    }

    /// When the oldest command may go, if it has to wait for a time.
    pub fn due(&self) -> Option<Instant> {
        self.not_before.filter(|_| self.alone.is_none())
    }

    /// Takes the oldest command.
    pub fn take_oldest(&mut self) -> Option<Command> {
        self.waiting.pop_first().map(|(_, command)| command)
    }

    /// This command goes alone.
    pub fn send_ahead(&mut self, number: u64) {
        self.alone = Some(number);
    }

    /// Forgets the commands from this number on.
    pub fn truncate(&mut self, end: u64) {
        self.waiting.split_off(&end);
    }

    /// Whether nothing waits, and nothing went ahead.
    pub fn is_over(&self) -> bool {
        self.waiting.is_empty() && self.alone.is_none()
    }
}
