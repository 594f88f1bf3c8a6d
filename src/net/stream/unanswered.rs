//! The commands of one connection that are not answered yet. A server answers in order; what it says unasked comes in
//! between (contract section 8).

use std::collections::{HashSet, VecDeque};

use super::super::cluster::key_slot::slot_of;
use super::super::cluster::redirects::Redirect;
use super::assignment::AssignmentId;
use super::source::Topic;
use crate::reply::{ErrorReply, MessageKind};

/// A command that is not answered yet.
#[derive(Debug)]
pub enum Unanswered {
    /// Asks for something; with the slot of a shard channel.
    Assignment(AssignmentId, Option<u16>),
    /// Asks once more for what is there.
    Repeat(AssignmentId, Option<u16>),
    /// Leaves a channel or pattern; with the slot of a shard channel.
    Departure(Topic, Vec<u8>, Option<u16>),
    /// Leaves all of that kind: those of these names that it was not told of yet, and whether it told of any. How many
    /// answers come depends on what was refused before, so a heartbeat behind it is its end.
    DepartureOfAll { topic: Topic, names: HashSet<Vec<u8>>, is_answered: bool },
    /// A PING that somebody else asked for, with its text.
    Ping(Vec<u8>),
    /// Asks for a sign of life.
    Heartbeat,
}

impl Unanswered {
    fn slot(&self) -> Option<u16> {
        match self {
            Self::Assignment(_, slot) | Self::Repeat(_, slot) | Self::Departure(_, _, slot) => *slot,
            _ => None,
        }
    }

    fn is_departure(&self) -> bool {
        matches!(self, Self::Departure(..) | Self::DepartureOfAll { .. })
    }
}

/// The slot of what is named, where it is a shard channel.
pub fn slot_of_topic(topic: Topic, name: &[u8]) -> Option<u16> {
    (topic == Topic::ShardChannel).then(|| slot_of(name))
}

/// The commands of one connection that are not answered yet, the oldest first.
#[derive(Debug, Default)]
pub struct Pending(VecDeque<Unanswered>);

impl Pending {
    pub fn push(&mut self, command: Unanswered) {
        self.0.push_back(command);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether something that was asked for is neither confirmed nor refused yet.
    pub fn has_assignment(&self) -> bool {
        self.0.iter().any(|command| matches!(command, Unanswered::Assignment(..)))
    }

    /// Whether what was to be changed is confirmed.
    pub fn is_settled(&self) -> bool {
        self.0.iter().all(|command| matches!(command, Unanswered::Heartbeat))
    }

    /// What a confirmation of a subscription answers.
    pub fn answer_subscription(&mut self) -> Option<Unanswered> {
        let is_it = |command: &Unanswered| matches!(command, Unanswered::Assignment(..) | Unanswered::Repeat(..));
        self.0.iter().position(is_it).and_then(|at| self.0.remove(at))
    }

    /// Whether a server that says that this was left, or that nothing was there, answers a command by it.
    pub fn answer_departure(&mut self, kind: MessageKind, channel: Option<&[u8]>) -> Departed {
        let is_it = |command: &Unanswered| match command {
            Unanswered::Departure(topic, name, _) => topic.departure() == kind && channel == Some(&**name),
            Unanswered::DepartureOfAll { topic, names, .. } => {
                topic.departure() == kind && channel.is_none_or(|channel| names.contains(channel))
            }
            _ => false,
        };
        let Some(at) = self.0.iter().position(is_it) else { return Departed::Unasked };
        let Unanswered::DepartureOfAll { names, is_answered, .. } = &mut self.0[at] else {
            self.0.remove(at);
            return Departed::Asked;
        };
        let was_answered = std::mem::replace(is_answered, true);
        match channel {
            Some(channel) => drop(names.take(channel)),
            // It had ended the last one by itself just before.
            None if was_answered => return Departed::Told,
            None => {}
        }
        Departed::Asked
    }

    /// What an answer to a PING or to MONITOR answers: all that was asked before is answered.
    pub fn answer(&mut self) -> Option<Unanswered> {
        while self.0.pop_front_if(|command| command.is_departure()).is_some() {}
        self.0.pop_front()
    }

    /// What comes next is an answer to a PING with this text.
    pub fn next_ping(&self) -> Option<&[u8]> {
        match self.0.iter().find(|command| !command.is_departure()) {
            Some(Unanswered::Ping(text)) => Some(text),
            _ => None,
        }
    }

    /// What an error answers: none where it answers nothing that still matters. A server that ends the subscription to
    /// a shard channel, whose slot has moved, just before it is asked to do so refuses that: the slot tells it.
    pub fn answer_error(&mut self, error: &ErrorReply) -> Answered {
        if let Some(Redirect::Moved(slot, _)) = Redirect::of_error(error) {
            if let Some(at) = self.0.iter().position(|command| command.slot() == Some(slot)) {
                return self.0.remove(at).map_or(Answered::Unasked, Answered::Command);
            }
            if self.0.iter().all(|command| command.slot().is_none()) {
                return Answered::Nothing;
            }
        }
        let is_over =
            |command: &mut Unanswered| matches!(command, Unanswered::DepartureOfAll { is_answered: true, .. });
        while self.0.pop_front_if(is_over).is_some() {}
        self.0.pop_front().map_or(Answered::Unasked, Answered::Command)
    }

    /// All of them, which nobody will answer.
    pub fn take(&mut self) -> impl Iterator<Item = Unanswered> {
        std::mem::take(&mut self.0).into_iter()
    }
}

/// What a message is that tells that something was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departed {
    /// An answer.
    Asked,
    /// An answer that says nothing new.
    Told,
    /// Nobody has asked: the server has ended the subscription.
    Unasked,
}

/// What an error answers.
pub enum Answered {
    Command(Unanswered),
    /// A command that is over.
    Nothing,
    /// Nobody has asked.
    Unasked,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(slot: u16) -> ErrorReply {
        ErrorReply::new(format!("MOVED {slot} h:1").as_bytes())
    }

    #[test]
    fn a_server_that_ends_a_subscription_just_before_it_is_left_refuses_that_and_nothing_else() {
        let mut pending = Pending::default();
        pending.push(Unanswered::Departure(Topic::ShardChannel, b"x".to_vec(), Some(7)));
        pending.push(Unanswered::Heartbeat);
        // It has ended that by itself: the command is still on its way, and refused.
        assert_eq!(pending.answer_departure(MessageKind::SUnsubscribe, Some(b"x")), Departed::Asked);
        assert!(matches!(pending.answer_error(&moved(7)), Answered::Nothing));
        assert!(matches!(pending.answer(), Some(Unanswered::Heartbeat)));
        // Where others of the slot are asked for, those are refused, whichever of the errors comes first.
        pending.push(Unanswered::Ping(Vec::new()));
        pending.push(Unanswered::Assignment(3, Some(7)));
        assert!(matches!(pending.answer_error(&moved(7)), Answered::Command(Unanswered::Assignment(3, _))));
        assert_eq!(pending.next_ping(), Some(&b""[..]));
    }

    #[test]
    fn leaving_all_ends_with_the_heartbeat_behind_it_however_many_answers_come() {
        let mut pending = Pending::default();
        let names = HashSet::from([b"a".to_vec(), b"refused".to_vec()]);
        pending.push(Unanswered::DepartureOfAll { topic: Topic::Channel, names, is_answered: false });
        pending.push(Unanswered::Heartbeat);
        pending.push(Unanswered::Assignment(1, None));
        assert_eq!(pending.answer_departure(MessageKind::PUnsubscribe, Some(b"a")), Departed::Unasked);
        assert_eq!(pending.answer_departure(MessageKind::Unsubscribe, Some(b"other")), Departed::Unasked);
        assert_eq!(pending.answer_departure(MessageKind::Unsubscribe, Some(b"a")), Departed::Asked);
        assert_eq!(pending.answer_departure(MessageKind::Unsubscribe, None), Departed::Told);
        assert!(!pending.is_settled());
        // A PING that is not allowed ends it as well.
        let denied = ErrorReply::new(b"NOPERM no");
        assert!(matches!(pending.answer_error(&denied), Answered::Command(Unanswered::Heartbeat)));
        assert!(matches!(pending.answer_subscription(), Some(Unanswered::Assignment(1, None))));
        assert!(pending.is_settled());
        assert!(matches!(pending.answer_error(&denied), Answered::Unasked));
    }
}
