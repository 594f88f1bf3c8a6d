//! What a subscribed connection receives, as redis-py's dictionaries name it (contract section 8). Knows frames, not
//! connections, and not how a message looks.

use super::frame::{Element, Frame, Kind, OwnedFrame, Walk, push_bulk};

/// The type of a message: the first key of its dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// A channel was subscribed to.
    Subscribe,
    /// A channel was left.
    Unsubscribe,
    /// A pattern was subscribed to.
    PSubscribe,
    /// A pattern was left.
    PUnsubscribe,
    /// A shard channel was subscribed to.
    SSubscribe,
    /// A shard channel was left, also where the server did so itself.
    SUnsubscribe,
    /// Published to a channel.
    Message,
    /// Published to a channel that a pattern matches.
    PMessage,
    /// Published to a shard channel.
    SMessage,
    /// The answer to a PING.
    Pong,
}

impl MessageKind {
    /// The word of the protocol and of the dictionary.
    pub fn name(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
            Self::PSubscribe => "psubscribe",
            Self::PUnsubscribe => "punsubscribe",
            Self::SSubscribe => "ssubscribe",
            Self::SUnsubscribe => "sunsubscribe",
            Self::Message => "message",
            Self::PMessage => "pmessage",
            Self::SMessage => "smessage",
            Self::Pong => "pong",
        }
    }

    /// Whether this is a published message, not the confirmation of a subscription.
    pub fn is_published(self) -> bool {
        matches!(self, Self::Message | Self::PMessage | Self::SMessage)
    }

    /// The kind of the message that a frame seems to be; none if it is something else.
    #[inline]
    pub fn of(frame: Frame<'_>) -> Option<Self> {
        if begins_as_usual(frame.bytes()) { Some(Self::Message) } else { begin(frame).map(|(kind, ..)| kind) }
    }

    /// The kind that a frame's first element names.
    fn of_name(name: &[u8]) -> Option<Self> {
        use MessageKind::{Message, PMessage, PSubscribe, PUnsubscribe, Pong, SMessage, SSubscribe, SUnsubscribe};
        // The commonest first.
        let published = [PMessage, SMessage, Message];
        let others = [Self::Subscribe, Self::Unsubscribe, PSubscribe, PUnsubscribe, SSubscribe, SUnsubscribe, Pong];
        published.into_iter().chain(others).find(|kind| kind.name().as_bytes() == name)
    }

    /// Whether it tells of a shard channel.
    pub fn is_sharded(self) -> bool {
        matches!(self, Self::SMessage | Self::SSubscribe | Self::SUnsubscribe)
    }

    /// Whether a channel, pattern or shard channel was left.
    pub fn is_departure(self) -> bool {
        matches!(self, Self::Unsubscribe | Self::PUnsubscribe | Self::SUnsubscribe)
    }
}

/// What a message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data<'a> {
    /// After (un)subscribing: how many subscriptions the connection has, in the server's digits.
    Count(&'a [u8]),
    /// What was published.
    Payload(&'a [u8]),
}

/// One message or confirmation, read from its frame.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub kind: MessageKind,
    /// The pattern that matched; only with [`MessageKind::PMessage`].
    pub pattern: Option<&'a [u8]>,
    /// The channel; for confirmations of patterns, the pattern (redis-py's shape). None for an answer to PING, and where
    /// nothing was there to be left.
    pub channel: Option<&'a [u8]>,
    /// The published bytes, the text of a PING, or the count of subscriptions.
    pub data: Data<'a>,
    /// All of it, as the server sent it.
    pub frame: Frame<'a>,
}

impl<'a> Message<'a> {
    /// Reads a frame: an array in RESP2, a push in RESP3; none if it is anything else.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every message; what it gives is large")]
    pub fn of(frame: Frame<'a>) -> Option<Self> {
        if begins_as_usual(frame.bytes()) {
            let mut walk = frame.walk_behind(BEGINNING);
            let (channel, payload) = (bulk(walk.next())?, bulk(walk.next())?);
            let data = Data::Payload(payload);
            return Some(Self { kind: MessageKind::Message, pattern: None, channel: Some(channel), data, frame });
        }
        let (kind, count, mut walk) = begin(frame)?;
        let pattern = if kind == MessageKind::PMessage { Some(bulk(walk.next())?) } else { None };
        let channel = match kind {
            MessageKind::Pong => None,
            _ => match walk.next()? {
                Element { kind: Kind::Nil, .. } if kind.is_departure() => None,
                channel => Some(bulk(Some(channel))?),
            },
        };
        let last = walk.next()?;
        let data = match (kind.is_published() || kind == MessageKind::Pong, last.kind) {
            (true, Kind::Bulk) => Data::Payload(last.text),
            (false, Kind::Integer) => Data::Count(last.text),
            _ => return None,
        };
        let expected = match kind {
            MessageKind::Pong => 2,
            MessageKind::PMessage => 4,
            _ => 3,
        };
        (count == expected).then_some(Self { kind, pattern, channel, data, frame })
    }

    /// The answer to a PING with this text, in the one form that both protocols have where something is subscribed.
    pub fn pong(text: &[u8]) -> OwnedFrame {
        let mut bytes = b"*2\r\n$4\r\npong\r\n".to_vec();
        push_bulk(&mut bytes, text);
        OwnedFrame::new(bytes, false)
    }

    /// What a server would say of leaving a channel or pattern where it has no subscription of this client any more.
    pub fn departure(kind: MessageKind, channel: Option<&[u8]>) -> OwnedFrame {
        let mut bytes = b"*3\r\n".to_vec();
        push_bulk(&mut bytes, kind.name().as_bytes());
        match channel {
            Some(channel) => push_bulk(&mut bytes, channel),
            None => bytes.extend_from_slice(b"$-1\r\n"),
        }
        bytes.extend_from_slice(b":0\r\n");
        OwnedFrame::new(bytes, false)
    }
}

/// The bytes of an element that is a string.
#[inline]
fn bulk(element: Option<Element<'_>>) -> Option<&[u8]> {
    element.filter(|element| element.kind == Kind::Bulk).map(|element| element.text)
}

/// How most messages begin, behind the mark of an array or a push. Two elements follow.
const USUAL: &[u8; 16] = b"3\r\n$7\r\nmessage\r\n";

/// How many bytes that are, with the mark.
pub(super) const BEGINNING: usize = USUAL.len() + 1;

/// Whether bytes begin as most messages do.
#[inline]
pub(super) fn begins_as_usual(bytes: &[u8]) -> bool {
    matches!(bytes, [b'*' | b'>', rest @ ..] if rest.first_chunk() == Some(USUAL))
}

/// The kind of a message, how many elements it has, and those behind its name.
fn begin(frame: Frame<'_>) -> Option<(MessageKind, u64, Walk<'_>)> {
    let mut walk = frame.walk();
    let head = walk.next().filter(|head| matches!(head.kind, Kind::Array | Kind::Push))?;
    let name = walk.next().filter(|name| matches!(name.kind, Kind::Bulk | Kind::Simple))?;
    Some((MessageKind::of_name(name.text)?, head.count, walk))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends by panicking")]
mod tests {
    use super::*;

    type Parts<'a> = (MessageKind, Option<&'a [u8]>, Option<&'a [u8]>, Data<'a>);

    fn message(resp: &[u8]) -> Option<Parts<'_>> {
        Message::of(Frame::new(resp, false)).map(|of| (of.kind, of.pattern, of.channel, of.data))
    }

    #[test]
    fn both_protocols_give_the_same_message() {
        let parts = "4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$2\r\n\x7f\0\r\n";
        let (array, push) = (format!("*{parts}"), format!(">{parts}"));
        let expected = (MessageKind::PMessage, Some(&b"n*"[..]), Some(&b"news"[..]), Data::Payload(b"\x7f\0"));
        assert_eq!(message(array.as_bytes()), Some(expected));
        assert_eq!(message(push.as_bytes()), Some(expected));
    }

    #[test]
    fn a_confirmation_of_a_pattern_has_it_as_channel() {
        let push = b">3\r\n$10\r\npsubscribe\r\n$2\r\nn*\r\n:2\r\n";
        assert_eq!(message(push), Some((MessageKind::PSubscribe, None, Some(&b"n*"[..]), Data::Count(b"2"))));
    }

    #[test]
    fn leaving_nothing_and_the_answer_to_ping_have_no_channel() {
        for frame in ["*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:2\r\n", ">3\r\n$11\r\nunsubscribe\r\n_\r\n:2\r\n"] {
            assert_eq!(message(frame.as_bytes()), Some((MessageKind::Unsubscribe, None, None, Data::Count(b"2"))));
        }
        let pong = Message::pong(b"x");
        let of = Message::of(pong.frame()).map(|of| (of.kind, of.channel, of.data));
        assert_eq!(of, Some((MessageKind::Pong, None, Data::Payload(b"x"))));
        let left = Message::departure(MessageKind::SUnsubscribe, Some(b"s"));
        let of = Message::of(left.frame()).map(|of| (of.kind, of.channel, of.data));
        assert_eq!(of, Some((MessageKind::SUnsubscribe, Some(&b"s"[..]), Data::Count(b"0"))));
    }

    #[test]
    fn what_is_no_message_is_none() {
        for frame in [
            "*2\r\n$4\r\npong\r\n:1\r\n",
            ">3\r\n$9\r\nsubscribe\r\n_\r\n:2\r\n",
            "*2\r\n$7\r\nmessage\r\n$7\r\nchannel\r\n",
            "*3\r\n$7\r\nmessage\r\n$7\r\nchannel\r\n:1\r\n",
            "*4\r\n$7\r\nmessage\r\n$1\r\np\r\n$1\r\nc\r\n$1\r\nd\r\n",
            ">2\r\n$10\r\ninvalidate\r\n_\r\n",
            "+PONG\r\n",
        ] {
            assert_eq!(message(frame.as_bytes()), None, "{frame}");
        }
    }
}
