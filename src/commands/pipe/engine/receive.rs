//! What the nodes answer: each reply finds its command, and is written in its turn.

use std::io;
use std::time::Instant;

use super::super::in_flight::{ASKING, Answered};
use super::super::output::Output;
use super::super::reorder::NONE;
use super::{Engine, Halt, Loss};
use crate::net::{Lost, Redirect, Session};
use crate::reply::{ErrorReply, OwnedFrame, describe_no_room};

/// How many replies are read before more is sent. Of several nodes each has a part of it.
const REPLIES_A_ROUND: usize = 2048;

/// What a node says that is not simply the reply to a command.
enum Event {
    /// Nothing more just now.
    Drained,
    /// The turn is another node's now.
    Passed,
    /// The connection has ended.
    Ended(Lost),
    /// A reply to nothing that was asked.
    Unasked,
    /// A reply that is not written: one that has to wait, for which memory has no room, or of a primary that has become
    /// a replica. Its command counts as unanswered.
    Unwritten(Lost),
    /// The command of this number did not run here.
    Redirected(u64, Redirect, OwnedFrame),
    /// The command of this number ran, of a slot that is held.
    HeldRan(u16, u64),
}

impl Engine {
    /// Takes in the replies and pushes that have come, up to a round of them; how many there were. Those whose turn it is
    /// come first: only when there are none more, others are taken that have to wait for them.
    pub fn receive(&mut self, output: &mut Output) -> Result<usize, Halt> {
        let mut left = REPLIES_A_ROUND;
        while let Some(at) = self.awaited() {
            match self.receive_from(at, left, output)? {
                0 => break,
                count => left -= count,
            }
        }
        let has_turn = left < REPLIES_A_ROUND;
        let most = left / self.nodes.len().max(1);
        for at in 0..self.nodes.len() {
            // One that has nothing to answer may still have left.
            if self.may_read(at) && (!has_turn || self.nodes[at].in_flight.is_empty()) {
                left -= self.receive_from(at, most, output)?;
            }
        }
        for node in &mut self.nodes {
            if let Some(session) = &node.session {
                node.in_flight.note_received(session.received());
            }
        }
        self.settle();
        Ok(REPLIES_A_ROUND - left)
    }

    /// The node that has the command whose turn it is.
    fn awaited(&self) -> Option<usize> {
        let at = self.reorder.front().map_or(NONE, |entry| entry.node);
        (at != NONE).then_some(usize::from(at))
    }

    /// Whether replies of this node may be taken in: where many wait already, only those that can end the wait.
    pub(super) fn may_read(&self, at: usize) -> bool {
        !self.reorder.is_over_byte_limit() || self.awaited().is_none_or(|awaited| awaited == at)
    }

    /// Takes in so many replies of a node at most, until the turn passes to another; how many there were.
    fn receive_from(&mut self, at: usize, most: usize, output: &mut Output) -> Result<usize, Halt> {
        let mut left = most;
        while left > 0 {
            match self.take_replies(at, &mut left, output)? {
                Event::Drained | Event::Passed => break,
                Event::Ended(why) => {
                    self.drop_node(at, why)?;
                    break;
                }
                Event::Unasked => {
                    let why = Lost::Undecodable("it answers nothing that was asked".to_owned());
                    return Err(Halt::Lost(self.loss_at(at, why)));
                }
                Event::Unwritten(why) => {
                    self.nodes[at].in_flight.unanswer();
                    let loss = self.loss_at(at, why);
                    self.nodes[at].close();
                    return Err(Halt::Lost(loss));
                }
                Event::Redirected(number, redirect, answer) => {
                    self.redirected(at, number, &redirect, &answer, output)?;
                }
                Event::HeldRan(slot, number) => self.note_answered(slot, number),
            }
        }
        Ok(most - left)
    }

    /// Writes replies until something else comes than a reply that needs no more.
    fn take_replies(&mut self, at: usize, left: &mut usize, output: &mut Output) -> Result<Event, Halt> {
        let Self { nodes, reorder, traffic, cluster, follows_primary, .. } = self;
        let node = &mut nodes[at];
        let Some(session) = &mut node.session else { return Ok(Event::Drained) };
        while *left > 0 {
            let frame = match session.receive() {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(node.unsendable.take().map_or(Event::Drained, Event::Ended)),
                Err(lost) => return Ok(Event::Ended(lost)),
            };
            *left -= 1;
            if frame.is_push() {
                output.push(frame)?;
                continue;
            }
            let Some(number) = node.in_flight.answer() else { return Ok(Event::Unasked) };
            let answered = Answered::Last(&node.in_flight);
            let mut slot = NONE;
            if let Some(entry) = reorder.get_mut(number) {
                slot = entry.slot;
                if let (true, Some(traffic)) = (entry.is_ordered, traffic.as_mut()) {
                    traffic.slot_mut(slot).in_flight -= 1;
                }
            } else if number == ASKING {
                // Nobody waits for its reply. Of what the only node was given nothing is kept either.
                continue;
            }
            if frame.may_hold_errors()
                && cluster.is_some()
                && let Some(redirect) = Redirect::of(frame)
            {
                return Ok(Event::Redirected(number, redirect, frame.to_owned()));
            }
            if frame.may_hold_errors()
                && *follows_primary
                && ErrorReply::of(frame).is_some_and(|error| error.is_of_replica())
            {
                return Ok(Event::Unwritten(Lost::Demoted));
            }
            match reorder.answer(number, frame, answered, output) {
                Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                    return Ok(Event::Unwritten(Lost::Undecodable(describe_no_room(frame.bytes()))));
                }
                answered => answered?,
            }
            if let (Some(traffic), true) = (traffic.as_mut(), slot != NONE) {
                traffic.given_up.remove(&slot);
                if traffic.slot(slot).is_held {
                    return Ok(Event::HeldRan(slot, number));
                }
            }
            let is_anothers_turn = reorder.front().is_some_and(|next| usize::from(next.node) != at);
            if is_anothers_turn && number < reorder.turn() {
                return Ok(Event::Passed);
            }
        }
        Ok(Event::Drained)
    }

    /// A connection has ended. What was not sent goes elsewhere; what was sent is lost.
    fn drop_node(&mut self, at: usize, why: Lost) -> Result<(), Halt> {
        let is_late = self.is_idle();
        self.requeue_unsent(at);
        if self.cluster.is_some() && self.nodes[at].in_flight.unanswered().next().is_none() {
            self.nodes[at].reset(self.window);
            return Ok(self.refresh(None)?);
        }
        let loss = Loss { is_late, ..self.loss_at(at, why) };
        self.nodes[at].close();
        Err(Halt::Lost(loss))
    }

    fn loss_at(&self, at: usize, why: Lost) -> Loss {
        let node = &self.nodes[at];
        let is_undecodable = matches!(why, Lost::Undecodable(_));
        let command = if is_undecodable { node.in_flight.next_answered().map(Box::new) } else { None };
        let is_named = self.cluster.is_some() || is_undecodable && command.is_none();
        Loss { node: is_named.then(|| node.address.to_string()), command, ..why.into() }
    }

    /// The loss of a node that stayed silent beyond the read limit, if one did. Asked after a sleep, which takes note of
    /// whom was heard.
    pub fn check_silence(&mut self) -> Result<(), Halt> {
        let is_silent = |at: &usize| self.nodes[*at].silence_ends().is_some_and(|end| end <= Instant::now());
        let Some(at) = (0..self.nodes.len()).filter(|at| self.may_read(*at)).find(is_silent) else { return Ok(()) };
        let why = self.nodes[at].session.as_ref().map_or(Lost::Closed, Session::silent);
        let loss = self.loss_at(at, why);
        self.nodes[at].close();
        Err(Halt::Lost(loss))
    }
}
