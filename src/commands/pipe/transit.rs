//! A slot on its way from one node to another, or not served just now. Its commands wait until none of them is in
//! flight; then the oldest goes alone, and once it is answered the others follow. So commands of one slot keep their
//! order however they are sent around (contract section 11).

use std::collections::BTreeMap;
use std::time::Instant;

use crate::request::Request;
use crate::server::{Patience, Target};

/// The commands of one slot that wait.
#[derive(Debug)]
pub struct Transit {
    /// By their numbers in the input.
    waiting: BTreeMap<u64, Request>,
    /// The command that went alone.
    scout: Option<u64>,
    /// When the next may go.
    not_before: Option<Instant>,
    patience: Patience,
}

impl Transit {
    /// Nothing waits yet.
    pub fn new(target: &Target) -> Self {
        Self { waiting: BTreeMap::new(), scout: None, not_before: None, patience: Patience::new(target) }
    }

    /// Adds a command that was not sent, or did not run.
    pub fn hold(&mut self, number: u64, request: Request) {
        if self.scout == Some(number) {
            self.scout = None;
        }
        self.waiting.insert(number, request);
    }

    /// A command was answered: whether it was the one that went alone, so that the others may follow.
    pub fn note_answered(&mut self, number: u64) -> bool {
        let was_scout = self.scout == Some(number);
        if was_scout {
            self.scout = None;
        }
        was_scout
    }

    /// The command that goes alone was sent around once more; false when that was too often.
    pub fn follow(&mut self, number: u64) -> bool {
        if self.scout != Some(number) {
            return true;
        }
        let next = self.patience.next_hop();
        self.not_before = next;
        next.is_some()
    }

    /// Nothing of the slot can run just now; false when patience has run out.
    pub fn pause(&mut self) -> bool {
        if self.not_before.is_some_and(|at| at > Instant::now()) {
            return true;
        }
        let next = self.patience.next_try();
        self.not_before = next;
        next.is_some()
    }

    /// Whether the oldest command may go now, if nothing of the slot is in flight.
    pub fn is_due(&self) -> bool {
        self.scout.is_none() && self.not_before.is_none_or(|at| at <= Instant::now())
    }

    /// When the oldest command may go, if it has to wait for a time.
    pub fn due(&self) -> Option<Instant> {
        self.not_before.filter(|_| self.scout.is_none())
    }

    /// Takes the oldest command.
    pub fn take_oldest(&mut self) -> Option<(u64, Request)> {
        self.waiting.pop_first()
    }

    /// This command goes alone.
    pub fn send_ahead(&mut self, number: u64) {
        self.scout = Some(number);
    }

    /// Forgets the commands from this number on.
    pub fn truncate(&mut self, end: u64) {
        self.waiting.split_off(&end);
    }

    /// Whether nothing waits, and nothing went ahead.
    pub fn is_over(&self) -> bool {
        self.waiting.is_empty() && self.scout.is_none()
    }
}
