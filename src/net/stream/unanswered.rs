//! The commands of one connection that are not answered yet. A server answers in order; what it says unasked comes in
//! between (contract section 8).

use std::collections::{HashSet, VecDeque};

use super::super::cluster::redirects::Redirect;
use super::assignment::AssignmentId;
use super::source::{Subscription, Topic};
use crate::reply::{ErrorReply, MessageKind};

/// A command that is not answered yet.
#[derive(Debug)]
pub enum Unanswered {
    /// Asks for something.
    Assignment(AssignmentId),
    /// Asks once more for what is there.
    Repeat(AssignmentId),
    /// Leaves a channel or pattern.
    Departure(Topic, Vec<u8>),
    /// Leaves a shard channel, and whether it was told that it is left. A server that has ended the subscription by
    /// itself just before says so and answers none the less, so a heartbeat behind it is its end.
    ShardDeparture { name: Vec<u8>, is_answered: bool },
    /// Leaves all of that kind: those of these names that it was not told of yet, and whether it told of any. How many
    /// answers come depends on what was refused before, so a heartbeat behind it is its end.
    DepartureOfAll { topic: Topic, names: HashSet<Vec<u8>>, is_answered: bool },
    /// A PING that somebody else asked for, with its text.
    Ping(Vec<u8>),
    /// Asks for a sign of life.
    Heartbeat,
}

impl Unanswered {
    fn is_departure(&self) -> bool {
        matches!(self, Self::Departure(..) | Self::ShardDeparture { .. } | Self::DepartureOfAll { .. })
    }

    fn asks_for(&self, id: AssignmentId) -> bool {
        matches!(self, Self::Assignment(it) | Self::Repeat(it) if *it == id)
    }

    /// Whether it was told already of all that this leaves, so that an error answers what comes behind; an error that
    /// sends elsewhere is the answer to leaving a shard channel.
    fn is_over(&self, error: &ErrorReply) -> bool {
        match self {
            Self::DepartureOfAll { is_answered, .. } => *is_answered,
            Self::ShardDeparture { is_answered, .. } => *is_answered && Redirect::of_error(error).is_none(),
            _ => false,
        }
    }
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

    /// Whether this is asked for, and neither confirmed nor refused yet.
    pub fn asks_for(&self, id: AssignmentId) -> bool {
        self.0.iter().any(|command| command.asks_for(id))
    }

    /// Whether this is to be left, and it was not told yet that it is.
    pub fn leaves(&self, subscription: &Subscription) -> bool {
        let Subscription { topic, name } = subscription;
        self.0.iter().any(|command| match command {
            Unanswered::Departure(left, it) => left == topic && it == name,
            Unanswered::ShardDeparture { name: it, is_answered } => {
                *topic == Topic::ShardChannel && !is_answered && it == name
            }
            Unanswered::DepartureOfAll { topic: left, names, .. } => left == topic && names.contains(name),
            _ => false,
        })
    }

    /// What was there is gone: what asks for it once more asks for it anew. What did; none if nothing does.
    pub fn renew(&mut self, id: AssignmentId) -> Option<Unanswered> {
        let command = self.0.iter_mut().find(|command| command.asks_for(id))?;
        Some(std::mem::replace(command, Unanswered::Assignment(id)))
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
            Unanswered::Departure(topic, name) => topic.departure() == kind && channel == Some(&**name),
            Unanswered::ShardDeparture { name, .. } => kind == MessageKind::SUnsubscribe && channel == Some(&**name),
            Unanswered::DepartureOfAll { topic, names, .. } => {
                topic.departure() == kind && channel.is_none_or(|channel| names.contains(channel))
            }
            _ => false,
        };
        let Some(at) = self.0.iter().position(is_it) else { return Departed::Unasked };
        let told = |was_answered| if was_answered { Departed::Told } else { Departed::Asked };
        match (&mut self.0[at], channel) {
            // It had ended that, or the last one, by itself just before.
            (Unanswered::ShardDeparture { is_answered, .. }, _)
            | (Unanswered::DepartureOfAll { is_answered, .. }, None) => told(std::mem::replace(is_answered, true)),
            (Unanswered::DepartureOfAll { names, is_answered, .. }, Some(channel)) => {
                names.remove(channel);
                *is_answered = true;
                Departed::Asked
            }
            _ => {
                self.0.remove(at);
                Departed::Asked
            }
        }
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

    /// What an error answers: none where it answers nothing that still matters.
    pub fn answer_error(&mut self, error: &ErrorReply) -> Answered {
        while self.0.pop_front_if(|command| command.is_over(error)).is_some() {}
        match self.0.pop_front() {
            Some(Unanswered::ShardDeparture { is_answered: true, .. }) => Answered::Nothing,
            Some(command) => Answered::Command(command),
            None => Answered::Unasked,
        }
    }

    /// All of them, which nobody will answer.
    pub fn take(&mut self) -> impl Iterator<Item = Unanswered> {
        std::mem::take(&mut self.0).into_iter()
    }
}

/// What a message is that tells that something was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departed {
    Asked,
    /// An answer that says nothing new.
    Told,
    /// Nobody has asked: the server has ended the subscription.
    Unasked,
}

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

    /// What leaves the shard channel `x`, and asks for something of the same slot behind it.
    fn leaving() -> Pending {
        let mut pending = Pending::default();
        pending.push(Unanswered::ShardDeparture { name: b"x".to_vec(), is_answered: false });
        pending.push(Unanswered::Heartbeat);
        pending.push(Unanswered::Assignment(3));
        pending
    }

    #[test]
    fn a_server_that_ends_a_subscription_just_before_it_is_left_refuses_that_and_nothing_else() {
        let left = |pending: &mut Pending| pending.answer_departure(MessageKind::SUnsubscribe, Some(b"x"));
        let mut pending = leaving();
        let shard = |name: &[u8]| Subscription { topic: Topic::ShardChannel, name: name.to_vec() };
        assert!(pending.leaves(&shard(b"x")) && !pending.leaves(&shard(b"y")));
        assert!(!pending.leaves(&Subscription { topic: Topic::Channel, ..shard(b"x") }));
        // It has ended that by itself: the command is still on its way, and refused.
        assert_eq!(left(&mut pending), Departed::Asked);
        assert!(!pending.leaves(&shard(b"x")));
        assert!(matches!(pending.answer_error(&moved(7)), Answered::Nothing));
        assert!(matches!(pending.answer(), Some(Unanswered::Heartbeat)));
        assert!(matches!(pending.answer_error(&moved(7)), Answered::Command(Unanswered::Assignment(3))));
        // It has the slot again by then: its answer says nothing new.
        let mut pending = leaving();
        assert_eq!((left(&mut pending), left(&mut pending)), (Departed::Asked, Departed::Told));
        assert!(matches!(pending.answer(), Some(Unanswered::Heartbeat)));
        assert_eq!(left(&mut pending), Departed::Unasked);
        // It has not, and what it says of that comes later.
        let mut pending = leaving();
        assert!(matches!(pending.answer_error(&moved(7)), Answered::Command(Unanswered::ShardDeparture { .. })));
        // A PING that is not allowed is no answer to what was told.
        let mut pending = leaving();
        assert_eq!(left(&mut pending), Departed::Asked);
        let denied = ErrorReply::new(b"NOPERM no");
        assert!(matches!(pending.answer_error(&denied), Answered::Command(Unanswered::Heartbeat)));
        assert!(matches!(pending.answer_error(&denied), Answered::Command(Unanswered::Assignment(3))));
    }

    #[test]
    fn what_asks_once_more_for_what_is_gone_asks_for_it_anew() {
        let mut pending = leaving();
        pending.push(Unanswered::Repeat(4));
        pending.push(Unanswered::Repeat(4));
        assert!(pending.renew(5).is_none());
        assert!(matches!(pending.renew(4), Some(Unanswered::Repeat(4))));
        assert!(matches!(pending.renew(4), Some(Unanswered::Assignment(4))));
        assert!(matches!(pending.answer_subscription(), Some(Unanswered::Assignment(3))));
        assert!(pending.asks_for(4) && !pending.asks_for(3));
        assert!(matches!(pending.answer_subscription(), Some(Unanswered::Assignment(4))));
        assert!(matches!(pending.answer_subscription(), Some(Unanswered::Repeat(4))));
        assert!(!pending.asks_for(4));
    }

    #[test]
    fn leaving_all_ends_with_the_heartbeat_behind_it_however_many_answers_come() {
        let mut pending = Pending::default();
        let names = HashSet::from([b"a".to_vec(), b"refused".to_vec()]);
        pending.push(Unanswered::DepartureOfAll { topic: Topic::Channel, names, is_answered: false });
        pending.push(Unanswered::Heartbeat);
        pending.push(Unanswered::Assignment(1));
        assert_eq!(pending.answer_departure(MessageKind::PUnsubscribe, Some(b"a")), Departed::Unasked);
        assert_eq!(pending.answer_departure(MessageKind::Unsubscribe, Some(b"other")), Departed::Unasked);
        assert_eq!(pending.answer_departure(MessageKind::Unsubscribe, Some(b"a")), Departed::Asked);
        assert_eq!(pending.answer_departure(MessageKind::Unsubscribe, None), Departed::Told);
        assert!(!pending.is_settled());
        // A PING that is not allowed ends it as well.
        let denied = ErrorReply::new(b"NOPERM no");
        assert!(matches!(pending.answer_error(&denied), Answered::Command(Unanswered::Heartbeat)));
        assert!(matches!(pending.answer_subscription(), Some(Unanswered::Assignment(1))));
        assert!(pending.is_settled());
        assert!(matches!(pending.answer_error(&denied), Answered::Unasked));
    }
}
