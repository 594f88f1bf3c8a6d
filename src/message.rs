//! What a subscribed connection receives, as redis-py's dictionaries name it (contract section 8). Knows frames, not
//! connections, and not how a message looks.

use redis::{PushKind, Value};

/// The type of a message: the first key of its dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
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
}

const KINDS: [(&str, Kind); 9] = [
    ("message", Kind::Message),
    ("pmessage", Kind::PMessage),
    ("smessage", Kind::SMessage),
    ("subscribe", Kind::Subscribe),
    ("unsubscribe", Kind::Unsubscribe),
    ("psubscribe", Kind::PSubscribe),
    ("punsubscribe", Kind::PUnsubscribe),
    ("ssubscribe", Kind::SSubscribe),
    ("sunsubscribe", Kind::SUnsubscribe),
];

impl Kind {
    /// The word of the protocol and of the dictionary.
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Whether this is a published message, not the confirmation of a subscription.
    pub fn is_published(self) -> bool {
        matches!(self, Self::Message | Self::PMessage | Self::SMessage)
    }

    /// The kind of a RESP2 frame, from its first element.
    fn of_name(name: &[u8]) -> Option<Self> {
        KINDS.iter().find(|(word, _)| word.as_bytes() == name).map(|(_, kind)| *kind)
    }

    /// The kind of a RESP3 push.
    pub fn of_push(kind: &PushKind) -> Option<Self> {
        Some(match kind {
            PushKind::Message => Self::Message,
            PushKind::PMessage => Self::PMessage,
            PushKind::SMessage => Self::SMessage,
            PushKind::Subscribe => Self::Subscribe,
            PushKind::Unsubscribe => Self::Unsubscribe,
            PushKind::PSubscribe => Self::PSubscribe,
            PushKind::PUnsubscribe => Self::PUnsubscribe,
            PushKind::SSubscribe => Self::SSubscribe,
            PushKind::SUnsubscribe => Self::SUnsubscribe,
            _ => return None,
        })
    }
}

/// What a message carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// After (un)subscribing: how many subscriptions the connection has.
    Count(i64),
    /// What was published.
    Payload(Vec<u8>),
}

/// One message or confirmation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub kind: Kind,
    /// The pattern that matched; only with [`Kind::PMessage`].
    pub pattern: Option<Vec<u8>>,
    /// The channel; for confirmations of patterns, the pattern (redis-py's shape).
    pub channel: Vec<u8>,
    /// The published bytes, or the count of subscriptions.
    pub data: Data,
}

impl Message {
    /// Reads a frame: an array in RESP2, a push in RESP3. Anything else is given back.
    pub fn decode(value: Value) -> Result<Self, Value> {
        match value {
            Value::Array(items) => match items.first() {
                Some(Value::BulkString(name)) => match Kind::of_name(name) {
                    Some(kind) => Self::from_parts(kind, items, 1).map_err(Value::Array),
                    None => Err(Value::Array(items)),
                },
                _ => Err(Value::Array(items)),
            },
            Value::Push { kind, data } => match Kind::of_push(&kind) {
                Some(known) => Self::from_parts(known, data, 0).map_err(|data| Value::Push { kind, data }),
                None => Err(Value::Push { kind, data }),
            },
            other => Err(other),
        }
    }

    /// A message from the elements after its name, which are those from `start` on.
    fn from_parts(kind: Kind, mut items: Vec<Value>, start: usize) -> Result<Self, Vec<Value>> {
        use Value::BulkString as Bulk;
        let is_whole = match (kind, &items[start..]) {
            (Kind::PMessage, parts) => matches!(parts, [Bulk(_), Bulk(_), Bulk(_)]),
            (Kind::Message | Kind::SMessage, parts) => matches!(parts, [Bulk(_), Bulk(_)]),
            (_, parts) => matches!(parts, [Bulk(_), Value::Int(_)]),
        };
        if !is_whole {
            return Err(items);
        }
        let data = match items.pop() {
            Some(Value::Int(count)) => Data::Count(count),
            other => Data::Payload(bytes_of(other)),
        };
        let channel = bytes_of(items.pop());
        let pattern = (kind == Kind::PMessage).then(|| bytes_of(items.pop()));
        Ok(Self { kind, pattern, channel, data })
    }
}

fn bytes_of(value: Option<Value>) -> Vec<u8> {
    match value {
        Some(Value::BulkString(bytes)) => bytes,
        _ => Vec::new(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends by panicking")]
mod tests {
    use super::*;

    fn bulk(text: &[u8]) -> Value {
        Value::BulkString(text.to_vec())
    }

    #[test]
    fn both_protocols_give_the_same_message() {
        let parts = [bulk(b"n*"), bulk(b"news"), bulk(b"\xff\0")];
        let array = Value::Array([bulk(b"pmessage")].into_iter().chain(parts.clone()).collect());
        let push = Value::Push { kind: PushKind::PMessage, data: parts.to_vec() };
        let expected = Message {
            kind: Kind::PMessage,
            pattern: Some(b"n*".to_vec()),
            channel: b"news".to_vec(),
            data: Data::Payload(b"\xff\0".to_vec()),
        };
        assert_eq!(Message::decode(array), Ok(expected.clone()));
        assert_eq!(Message::decode(push), Ok(expected));
    }

    #[test]
    fn a_confirmation_of_a_pattern_has_it_as_channel() {
        let push = Value::Push { kind: PushKind::PSubscribe, data: vec![bulk(b"n*"), Value::Int(2)] };
        let message = Message::decode(push).unwrap();
        assert_eq!((message.pattern, message.channel, message.data), (None, b"n*".to_vec(), Data::Count(2)));
    }

    #[test]
    fn what_is_no_message_is_given_back() {
        for value in [
            Value::Array(vec![bulk(b"pong"), bulk(b"")]),
            Value::Array(vec![bulk(b"message"), bulk(b"channel")]),
            Value::Array(vec![bulk(b"message"), bulk(b"channel"), Value::Int(1)]),
            Value::Array(vec![bulk(b"message"), bulk(b"pattern"), bulk(b"channel"), bulk(b"data")]),
            Value::Push { kind: PushKind::Invalidate, data: vec![Value::Nil] },
            Value::SimpleString("PONG".to_owned()),
        ] {
            assert_eq!(Message::decode(value.clone()), Err(value));
        }
    }

    #[test]
    fn every_kind_has_its_name() {
        for (name, kind) in KINDS {
            assert_eq!((kind.name(), Kind::of_name(name.as_bytes())), (name, Some(kind)));
        }
    }
}
