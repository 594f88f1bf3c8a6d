//! Assignments: what is to be heard, where that can be, which connection was asked for it, and since when it is not heard
//! if it is not. Asking is the engine's business (contract sections 8 and 11).

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::endpoint::Address;
use super::source::Subject;
use crate::reply::OwnedFrame;

/// Names an assignment for as long as it exists; in the order in which they were made.
pub type AssignmentId = u64;

/// Where something can be heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// At the one server there is, or at any node of a cluster.
    Anywhere,
    /// At the node that owns the slot.
    Slot(u16),
    Node(Address),
}

/// One thing that is to be heard.
#[derive(Debug)]
pub struct Assignment {
    pub subject: Subject,
    pub home: Home,
    /// The connection that was asked for it, or has confirmed it; none while no connection was.
    pub connection: Option<u64>,
    pub is_confirmed: bool,
    /// The node that it was heard from last; none if it never was.
    pub from: Option<Arc<str>>,
    /// Since when it is not heard; none while it is, and before it ever was.
    pub silent_since: Option<Instant>,
    /// Whether it was said that it is not heard.
    pub is_told: bool,
    /// Whether it was asked for while others were heard already: that it is refused ends nothing.
    pub is_late: bool,
    /// How often it was asked for once more while no connection had it.
    pub wanted: u32,
    /// What the server said when it ended the subscription, until it is confirmed again.
    pub ended: Option<OwnedFrame>,
}

impl Assignment {
    /// What no connection was asked for yet.
    pub fn new(subject: Subject, home: Home) -> Self {
        Self {
            subject,
            home,
            connection: None,
            is_confirmed: false,
            from: None,
            silent_since: None,
            is_told: false,
            is_late: false,
            wanted: 0,
            ended: None,
        }
    }

    /// Its connection does not have it any more, since then.
    pub fn withdraw(&mut self, since: Instant) {
        self.connection = None;
        self.note_silence(since);
    }

    /// It is not heard any more, since then.
    pub fn note_silence(&mut self, since: Instant) {
        self.is_confirmed = false;
        self.silent_since.get_or_insert(since);
    }

    /// It is heard again: for how long it was not.
    pub fn end_silence(&mut self) -> Option<Duration> {
        self.is_told = false;
        self.silent_since.take().map(|since| since.elapsed())
    }

    /// Whether that it is not heard is no reason to end the run.
    pub fn may_miss(&self) -> bool {
        self.is_late || self.from.is_some()
    }

    /// What is missing while it is nowhere, for messages.
    pub fn describe(&self) -> String {
        match (&self.home, &self.from) {
            (Home::Node(node), _) => node.to_string(),
            (Home::Anywhere, Some(from)) => from.to_string(),
            (Home::Anywhere | Home::Slot(_), _) => self.subject.name(),
        }
    }
}
