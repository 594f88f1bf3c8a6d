//! What a stream gives, and what happens to its connections (contract section 8).

use std::time::Duration;

use crate::reply::{Frame, Message, OwnedFrame};

/// What a stream gives.
#[derive(Debug)]
pub enum Heard<'a> {
    /// A message, or the confirmation of a subscription.
    Message(Message<'a>),
    /// A line of MONITOR.
    Line(&'a [u8]),
    /// A push of another kind.
    Push(Frame<'a>),
    /// What belongs to no stream: the connection is to be given up.
    Nonsense,
    /// Something happened to the connection.
    Event(&'a Event),
}

/// What a stream gives, and where it was heard.
#[derive(Debug)]
pub struct Given<'a> {
    /// What it gives.
    pub heard: Heard<'a>,
    /// The server's address, for messages to people.
    pub place: &'a str,
    /// The same where what is written is to tell it.
    pub node: Option<&'a str>,
}

/// What is to be told before anything that comes next.
#[derive(Debug)]
pub(super) enum Queued {
    /// A confirmation.
    Message(OwnedFrame),
    /// What happened to the connection.
    Event(Event),
}

impl Queued {
    /// What it says; none if it says nothing.
    pub fn heard(&self) -> Option<Heard<'_>> {
        match self {
            Self::Message(frame) => Message::of(frame.frame()).map(Heard::Message),
            Self::Event(event) => Some(Heard::Event(event)),
        }
    }
}

/// What happens to the connection of a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// It is lost.
    Disconnected {
        /// The one channel that is not heard any more, where the connection is still there.
        channel: Option<Vec<u8>>,
        /// Why.
        reason: String,
        /// Whether it will be tried again.
        retrying: bool,
    },
    /// Everything is subscribed again.
    Reconnected {
        /// The one channel that was not heard.
        channel: Option<Vec<u8>>,
        /// For how long nothing was heard: what was published then is lost.
        gap: Duration,
    },
    /// A shard channel is heard from another node of the cluster.
    Moved {
        /// Which.
        channel: Vec<u8>,
        /// The node it was heard from before.
        from: String,
        /// For how long it was not heard: what was published then is lost.
        gap: Duration,
    },
    /// A channel is not listened to any more: it belongs to another node than the one that was asked for.
    PassedOver {
        /// Which.
        channel: Vec<u8>,
        /// The server's words.
        reason: String,
    },
    /// A node that joined the cluster, or its primaries, is heard too.
    Joined,
    /// A node that left them is not heard any more.
    Left,
}
