//! What a connection is subscribed to, as its confirmations say, and what still answers a command while messages come
//! between (contract section 5). Sends and writes nothing.

use std::collections::HashSet;

use crate::command::request::Request;
use crate::net::Topic;
use crate::reply::{Frame, Message, MessageKind};

/// The commands that change subscriptions, what confirms each, and whether it adds to them.
const COMMANDS: [(&str, MessageKind, Topic, bool); 6] = [
    ("SUBSCRIBE", MessageKind::Subscribe, Topic::Channel, true),
    ("PSUBSCRIBE", MessageKind::PSubscribe, Topic::Pattern, true),
    ("SSUBSCRIBE", MessageKind::SSubscribe, Topic::ShardChannel, true),
    ("UNSUBSCRIBE", MessageKind::Unsubscribe, Topic::Channel, false),
    ("PUNSUBSCRIBE", MessageKind::PUnsubscribe, Topic::Pattern, false),
    ("SUNSUBSCRIBE", MessageKind::SUnsubscribe, Topic::ShardChannel, false),
];

/// What answers a command on a connection that may be subscribed.
#[derive(Debug, PartialEq, Eq)]
pub enum Awaited {
    /// So many confirmations of this kind, or an error.
    Confirmations(MessageKind, usize),
    /// One reply that is no message.
    Reply,
}

/// The names that a connection is subscribed to.
#[derive(Debug, Default)]
pub struct Subscriptions(HashSet<(Topic, Vec<u8>)>);

/// Whether a command subscribes to something, or leaves it.
pub fn changes_subscriptions(request: &Request) -> bool {
    COMMANDS.iter().any(|(name, ..)| request.is(0, name))
}

impl Subscriptions {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// RESET has ended them all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What will answer a command that is sent now.
    pub fn await_answer(&self, request: &Request) -> Awaited {
        let named = request.len() - 1;
        let Some((_, kind, topic, adds)) = COMMANDS.iter().find(|(name, ..)| request.is(0, name)) else {
            return Awaited::Reply;
        };
        // Without names each of the kind is left; where there is none, that is confirmed too.
        let left = || self.0.iter().filter(|(other, _)| other == topic).count().max(1);
        match (named, adds) {
            (0, true) => Awaited::Reply,
            (0, false) => Awaited::Confirmations(*kind, left()),
            (count, _) => Awaited::Confirmations(*kind, count),
        }
    }

    /// Takes note of a confirmation.
    pub fn note(&mut self, message: &Message<'_>) {
        let Some((_, _, topic, adds)) = COMMANDS.iter().find(|(_, kind, ..)| *kind == message.kind) else { return };
        let Some(name) = message.channel else { return };
        let name = (*topic, name.to_vec());
        if *adds {
            self.0.insert(name);
        } else {
            self.0.remove(&name);
        }
    }
}

impl Awaited {
    /// Takes note of a frame; whether the answer is complete with it.
    pub fn is_complete_with(&mut self, frame: Frame<'_>) -> bool {
        let kind = MessageKind::of(frame);
        match self {
            Self::Confirmations(awaited, left) if kind == Some(*awaited) => {
                *left = left.saturating_sub(1);
                *left == 0
            }
            Self::Confirmations(..) => frame.is_error(),
            Self::Reply => !frame.is_push() && kind.is_none_or(|kind| kind == MessageKind::Pong),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confirm(subscriptions: &mut Subscriptions, awaited: &mut Awaited, frames: &[&str]) -> Vec<bool> {
        let mut complete = Vec::new();
        for bytes in frames {
            let frame = Frame::new(bytes.as_bytes(), bytes.starts_with('-'));
            if let Some(message) = Message::of(frame) {
                subscriptions.note(&message);
            }
            complete.push(awaited.is_complete_with(frame));
        }
        complete
    }

    const FIRST: &str = "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n";
    const SECOND: &str = "*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n";
    const MESSAGE: &str = "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n";
    const LEFT: &str = "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n";
    const LEFT_TOO: &str = "*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n";
    const NOTHING_LEFT: &str = "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n";

    #[test]
    fn a_subscription_is_answered_by_its_confirmations_with_messages_between() {
        let mut open = Subscriptions::default();
        let mut awaited = open.await_answer(&Request::new(["subscribe", "a", "b"]));
        assert_eq!(confirm(&mut open, &mut awaited, &[FIRST, MESSAGE, SECOND]), [false, false, true]);
        assert!(!open.is_empty());
        let mut awaited = open.await_answer(&Request::new(["UNSUBSCRIBE"]));
        assert_eq!(confirm(&mut open, &mut awaited, &[LEFT, MESSAGE, LEFT_TOO]), [false, false, true]);
        assert!(open.is_empty());
        let mut awaited = open.await_answer(&Request::new(["UNSUBSCRIBE"]));
        assert_eq!(confirm(&mut open, &mut awaited, &[NOTHING_LEFT]), [true]);
    }

    #[test]
    fn an_error_answers_whatever_was_asked() {
        let mut open = Subscriptions::default();
        for words in [&["SUBSCRIBE", "a", "b"][..], &["SUBSCRIBE"], &["GET", "k"]] {
            let mut awaited = open.await_answer(&Request::new(words.iter().copied()));
            assert_eq!(confirm(&mut open, &mut awaited, &[MESSAGE, "-NOPERM no\r\n"]), [false, true], "{words:?}");
        }
    }

    #[test]
    fn in_resp2_a_ping_is_answered_by_a_message() {
        let mut open = Subscriptions::default();
        let mut awaited = open.await_answer(&Request::new(["PING"]));
        assert_eq!(confirm(&mut open, &mut awaited, &[MESSAGE, "*2\r\n$4\r\npong\r\n$0\r\n\r\n"]), [false, true]);
    }
}
