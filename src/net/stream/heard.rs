//! What a stream gives, and where it was heard (contract sections 8 and 9).

use crate::reply::{Entry, Event, Frame, Message, OwnedFrame};

/// What a stream gives.
#[derive(Debug)]
pub enum Heard<'a> {
    /// A message, or the confirmation of a subscription.
    Message(Message<'a>),
    Line(&'a [u8]),
    /// A push of another kind.
    Push(Frame<'a>),
    /// What belongs to no stream: the connection is to be given up.
    Nonsense,
    /// Something happened to the connection.
    Event(&'a Event),
    /// An entry of a stream that is read.
    Entry(Entry<'a>),
    /// A server's refusal, in words: nothing more comes.
    Refused(&'a str),
    /// All that was asked for has come.
    End,
}

/// What a stream gives, and where it was heard.
#[derive(Debug)]
pub struct Given<'a> {
    pub heard: Heard<'a>,
    /// The server's address, for messages to people.
    pub place: &'a str,
    /// The same where what is written is to tell it.
    pub node: Option<&'a str>,
}

/// What is to be told before anything that comes next.
#[derive(Debug)]
pub(in crate::net) enum Queued {
    /// A confirmation.
    Message(OwnedFrame),
    /// What happened to the connection.
    Event(Event),
    Refused(String),
    End,
}

impl Queued {
    /// What it says; none if it says nothing.
    pub fn heard(&self) -> Option<Heard<'_>> {
        match self {
            Self::Message(frame) => Message::of(frame.frame()).map(Heard::Message),
            Self::Event(event) => Some(Heard::Event(event)),
            Self::Refused(words) => Some(Heard::Refused(words)),
            Self::End => Some(Heard::End),
        }
    }
}
