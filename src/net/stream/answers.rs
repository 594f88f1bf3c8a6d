//! What servers answer to what they were asked for, and say of it later: which confirmations are told, what moved, what
//! is refused.

use std::sync::Arc;
use std::time::Instant;

use super::super::cluster::redirects::Redirect;
use super::super::error::Unopened;
use super::assignment::{Assignment, AssignmentId, Home};
use super::connection::Loss;
use super::heard::Queued;
use super::source::{Subject, is_final};
use super::unanswered::Unanswered;
use super::{Elsewhere, Stream};
use crate::reply::{ErrorReply, Event, OwnedFrame};

/// Why a shard channel is asked for again where it was.
const ENDED: &str = "the server has ended the subscription, as it does when a slot is assigned";
/// Why what is not heard elsewhere is asked for again where there is no loss.
const LEFT: &str = "its node has left";
/// After so many tries in a row it is said that nobody gives a channel.
const QUIET_TRIES: u32 = 7;

impl Stream {
    /// A connection has what it was asked for. Gives the confirmation if it is to be told.
    pub(super) fn confirm(&mut self, at: usize, id: AssignmentId, message: Option<OwnedFrame>) -> Option<OwnedFrame> {
        let name = Arc::clone(&self.connections[at].name);
        // What was left meanwhile was heard all the same.
        let Some(assignment) = self.assignments.get_mut(&id) else { return message };
        assignment.is_confirmed = true;
        assignment.ended = None;
        let from = assignment.from.replace(Arc::clone(&name));
        // One that was only asked for at another node is confirmed already.
        let mut is_news = from.is_none() || assignment.is_told;
        let wanted = std::mem::take(&mut assignment.wanted);
        if assignment.subject == Subject::Presence {
            if !assignment.is_told {
                // Its node has left: what was heard there is told by itself.
                assignment.end_silence();
            }
            self.note_ready(at);
            return None;
        }
        let shard_channel = assignment.subject.shard_channel().map(<[u8]>::to_vec);
        match (from, &assignment.home, shard_channel) {
            (Some(from), Home::Slot(_), Some(channel)) if from != name => {
                if let Some(gap) = assignment.end_silence() {
                    self.announce(&name, Event::Moved { channel, from: from.to_string(), gap });
                }
            }
            (_, Home::Slot(_) | Home::Anywhere, shard_channel) if !assignment.is_told => {
                if let Some(gap) = assignment.end_silence() {
                    // Its slot was assigned anew to the node that had it, or its node has left.
                    let reason = if shard_channel.is_some() { ENDED } else { LEFT }.to_owned();
                    let channel = shard_channel.or_else(|| Some(assignment.subject.name().into_bytes()));
                    self.announce(&name, Event::Disconnected { channel: channel.clone(), reason, retrying: true });
                    self.announce(&name, Event::Reconnected { channel, gap });
                }
            }
            (_, Home::Node(_), _) => is_news = self.is_confirmed_by_all(id, message.as_ref()),
            _ => {}
        }
        // Each time that it was asked for is confirmed.
        for _ in u32::from(!is_news)..wanted {
            self.repeat(id, None);
        }
        self.note_ready(at);
        message.filter(|_| is_news || wanted > 0)
    }

    /// Tells that a connection has again all that was lost, once it has.
    pub(super) fn note_ready(&mut self, at: usize) {
        let connection = &mut self.connections[at];
        if !connection.is_ready() {
            return;
        }
        connection.has_begun = true;
        if !std::mem::take(&mut connection.is_returning) {
            return;
        }
        let here = self.assignments.values_mut().filter(|assignment| assignment.connection == Some(connection.id));
        let gap = here.filter(|assignment| assignment.is_confirmed).filter_map(Assignment::end_silence).max();
        if let Some(gap) = gap {
            let name = Arc::clone(&connection.name);
            self.announce(&name, Event::Reconnected { channel: None, gap });
        }
    }

    /// Whether this is confirmed by all nodes that can be reached; once. Until then the confirmation is kept.
    fn is_confirmed_by_all(&mut self, id: AssignmentId, message: Option<&OwnedFrame>) -> bool {
        let Some(subject) = self.assignments.get(&id).map(|assignment| &assignment.subject) else { return false };
        let Some(everywhere) = self.everywhere.iter_mut().find(|everywhere| everywhere.subject == *subject) else {
            return false;
        };
        let mut reached = self.assignments.values().filter(|other| other.connection.is_some());
        let is_it = !everywhere.is_told && reached.all(|other| other.subject != *subject || other.is_confirmed);
        everywhere.is_told |= is_it;
        everywhere.confirmation = if everywhere.is_told { None } else { message.cloned() };
        is_it
    }

    /// Tells what all nodes have confirmed that can still be reached, now that one that owed it cannot.
    pub(super) fn tell_confirmed(&mut self) {
        let mut confirmed = Vec::new();
        for everywhere in self.everywhere.iter_mut().filter(|everywhere| everywhere.confirmation.is_some()) {
            let mut reached = self.assignments.values().filter(|other| other.connection.is_some());
            if reached.all(|other| other.subject != everywhere.subject || other.is_confirmed) {
                everywhere.is_told = true;
                confirmed.extend(everywhere.confirmation.take());
            }
        }
        for message in confirmed {
            self.tell(message);
        }
    }

    /// A server refuses what it was asked for: it may be another's.
    pub(super) fn refuse(&mut self, at: usize, id: AssignmentId, error: &ErrorReply) -> Result<(), Unopened> {
        let name = &self.connections[at].name;
        let Some(assignment) = self.assignments.get(&id) else { return Ok(()) };
        if assignment.subject == Subject::Presence {
            // Any live server answers, in whatever words.
            self.confirm(at, id, None);
            return Ok(());
        }
        let refusal = assignment.subject.describe_refusal(error);
        let is_new = assignment.from.is_none();
        let is_moved = error.code() == "MOVED";
        if self.elsewhere == Elsewhere::Followed
            && assignment.home != Home::Anywhere
            && let Some(redirect) = Redirect::of_error(error)
        {
            self.follow_redirect(at, id, redirect, refusal);
            return Ok(());
        }
        if is_moved && (self.elsewhere == Elsewhere::PassedOver || !is_new) {
            return self.pass_over(at, id, refusal);
        }
        if is_new && assignment.is_late {
            let subject = assignment.subject.clone();
            self.refuse_late(at, &subject, refusal);
            return Ok(());
        }
        if is_new || is_final(error) {
            let advice = if is_moved { ": use -c" } else { "" };
            return Err(Unopened::Unreachable(format!("{name}: {refusal}{advice}")));
        }
        self.lose(at, Loss::now(refusal))
    }

    /// Another node has what was asked for here, or this one does not serve just now.
    fn follow_redirect(&mut self, at: usize, id: AssignmentId, redirect: Redirect, refusal: String) {
        let now = Instant::now();
        let (name, address) = (Arc::clone(&self.connections[at].name), self.connections[at].address.clone());
        let retrying = self.recovery.retries.may_go_on();
        let is_to_be_told = self.recovery.retries.count >= QUIET_TRIES;
        if let Redirect::Moved(slot, node) = redirect {
            self.recovery.moves.push((slot, node, address));
        }
        if let Some(assignment) = self.assignments.get_mut(&id) {
            // What was never heard is not silent, until that is said.
            assignment.connection = None;
            if is_to_be_told && !std::mem::replace(&mut assignment.is_told, true) {
                assignment.silent_since.get_or_insert(now);
                let channel = assignment.subject.shard_channel().map(<[u8]>::to_vec);
                let lost = Event::Disconnected { channel, reason: refusal.clone(), retrying };
                self.announce(&name, lost);
            }
        }
        self.recovery.search_after_pause();
        self.recovery.reason = refusal;
        self.note_ready(at);
    }

    /// Another node has what was asked for here: the rest is listened to.
    fn pass_over(&mut self, at: usize, id: AssignmentId, reason: String) -> Result<(), Unopened> {
        let name = Arc::clone(&self.connections[at].name);
        let Some(assignment) = self.forget(id) else { return Ok(()) };
        if self.assignments.is_empty() {
            return Err(Unopened::Unreachable(format!("{name}: {reason}")));
        }
        if let Some(ended) = assignment.ended {
            self.announced.push_back((Arc::clone(&name), Queued::Message(ended)));
        }
        let channel = assignment.subject.name().into_bytes();
        self.announce(&name, Event::PassedOver { channel, reason });
        self.note_ready(at);
        Ok(())
    }

    /// A server has ended the subscription to a shard channel: its slot has moved, or was assigned anew to the server
    /// that had it. Whether that is for this side only: one of ours is looked for at once, and asked for here where nobody
    /// else is; what is another's by now was left, or asked for elsewhere, before the server said so.
    pub(super) fn end_subscription(&mut self, at: usize, channel: &[u8], message: OwnedFrame) -> bool {
        let connection = self.connections[at].id;
        let here = self.assignments.iter().find(|(_, assignment)| {
            assignment.connection == Some(connection) && assignment.subject.shard_channel() == Some(channel)
        });
        let Some((&id, assignment)) = here else { return self.elsewhere == Elsewhere::Followed };
        let now = Instant::now();
        if let Some(asking) = self.connections[at].unanswered.renew(id) {
            // The server had not read that yet: its answer tells whether it has the slot again.
            if let Some(assignment) = self.assignments.get_mut(&id) {
                assignment.note_silence(now);
            }
            if let Unanswered::Repeat(_) = asking {
                self.note_wanted(id);
            }
            return true;
        }
        if assignment.home == Home::Anywhere {
            self.withdraw(id, now);
            self.assign(id, at);
            if let Some(assignment) = self.assignments.get_mut(&id) {
                assignment.ended = Some(message);
            }
            return true;
        }
        if !self.is_short() {
            self.recovery.retries.restart();
        }
        self.withdraw(id, now);
        "its slot has moved".clone_into(&mut self.recovery.reason);
        self.first = Some(self.connections[at].address.clone());
        self.recovery.due = Some(now);
        true
    }

    /// Tells something of a server before anything that comes next.
    pub(super) fn announce(&mut self, name: &Arc<str>, event: Event) {
        self.announced.push_back((Arc::clone(name), Queued::Event(event)));
    }
}
