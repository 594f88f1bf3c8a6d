//! What a stream listens to, and the commands that ask a server for it.

use crate::reply::{ErrorReply, Frame, Kind};
use crate::request::Request;

/// What a subscription names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A channel.
    Channel,
    /// A pattern of channels.
    Pattern,
    /// A channel of one shard.
    ShardChannel,
}

impl Topic {
    /// The command that subscribes.
    fn command(self) -> &'static str {
        match self {
            Self::Channel => "SUBSCRIBE",
            Self::Pattern => "PSUBSCRIBE",
            Self::ShardChannel => "SSUBSCRIBE",
        }
    }
}

/// One channel or pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// What the name is.
    pub topic: Topic,
    /// The name, any bytes.
    pub name: Vec<u8>,
}

impl Subscription {
    /// Whether it names events of keys: each node of a cluster tells those of its own keys, and no others.
    pub(in crate::server) fn is_of_keys(&self) -> bool {
        const BEGINNINGS: [&[u8]; 2] = [b"__keyspace@", b"__keyevent@"];
        const SHORTEST: usize = b"__key".len();
        match self.topic {
            Topic::Channel => BEGINNINGS.iter().any(|beginning| self.name.starts_with(beginning)),
            Topic::Pattern => {
                let end = self.name.iter().position(|byte| b"*?[\\".contains(byte)).unwrap_or(self.name.len());
                let plain = &self.name[..end];
                let fits = |beginning: &&[u8]| plain.starts_with(beginning) || beginning.starts_with(plain);
                plain.len() >= SHORTEST && BEGINNINGS.iter().any(fits)
            }
            Topic::ShardChannel => false,
        }
    }
}

/// What a stream listens to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Channels and patterns, each once.
    Subscriptions(Vec<Subscription>),
    /// Every command that the server runs.
    Monitor,
}

impl Source {
    /// How many confirmations the server owes before everything is heard.
    pub(in crate::server) fn len(&self) -> usize {
        match self {
            Self::Subscriptions(subscriptions) => subscriptions.len(),
            Self::Monitor => 1,
        }
    }

    /// Whether that is subscribed to.
    pub(in crate::server) fn has(&self, subscription: &Subscription) -> bool {
        matches!(self, Self::Subscriptions(subscriptions) if subscriptions.contains(subscription))
    }

    /// Does without it.
    pub(in crate::server) fn forget(&mut self, subscription: &Subscription) {
        if let Self::Subscriptions(subscriptions) = self {
            subscriptions.retain(|other| other != subscription);
        }
    }

    /// Packs what asks the server for it. A command each: so a refusal names one channel.
    pub(in crate::server) fn pack(&self, out: &mut Vec<u8>) {
        match self {
            Self::Subscriptions(subscriptions) => {
                for Subscription { topic, name } in subscriptions {
                    Request::new([topic.command().as_bytes(), name]).pack(out);
                }
            }
            Self::Monitor => Request::new(["MONITOR"]).pack(out),
        }
    }

    /// Packs a question that any live server answers, in whatever words. It is seen by nobody: MONITOR shows a PING,
    /// the asker's own too, but no command of administration.
    pub(in crate::server) fn pack_probe(&self, out: &mut Vec<u8>) {
        let name = if *self == Self::Monitor { "REPLCONF" } else { "PING" };
        Request::new([name]).pack(out);
    }

    /// The words for a refused command, the one at `index`.
    pub(in crate::server) fn describe_refusal(&self, index: usize, error: &ErrorReply) -> String {
        let words = error.to_string();
        let Self::Subscriptions(subscriptions) = self else { return format!("MONITOR was refused: {words}") };
        let Some(Subscription { topic, name }) = subscriptions.get(index) else { return words };
        let command = Request::new([topic.command().as_bytes(), name]).shown(200);
        let hint = if *topic == Topic::ShardChannel && is_unknown_command(error) {
            "; this server has no shard channels: Redis 7 and Valkey have"
        } else if error.code() == "MOVED" {
            "; this server is a node of a cluster, and the channel belongs to another one"
        } else {
            ""
        };
        format!("{command} was refused: {words}{hint}")
    }
}

/// Whether a refusal will be the same however often one asks.
pub(in crate::server) fn is_final(error: &ErrorReply) -> bool {
    is_final_code(error.code()) || is_unknown_command(error)
}

/// Whether an error of this code will be the same however often one asks.
pub(in crate::server) fn is_final_code(code: &str) -> bool {
    matches!(code, "NOPERM" | "NOAUTH" | "WRONGPASS" | "MOVED" | "CROSSSLOT")
}

fn is_unknown_command(error: &ErrorReply) -> bool {
    error.code() == "ERR" && error.details().is_some_and(|text| text.to_ascii_lowercase().contains("unknown command"))
}

/// Whether this is how a server answers PING on a subscribed connection: `PONG`, or in RESP2 an array of it.
pub(super) fn is_pong(frame: Frame<'_>) -> bool {
    let mut walk = frame.walk();
    match walk.next().map(|head| (head.kind, head.text)) {
        Some((Kind::Simple, text)) => text == b"PONG",
        Some((Kind::Array, _)) => walk.next().is_some_and(|word| word.kind == Kind::Bulk && word.text == b"pong"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_keys_are_told_by_their_names() {
        let is_of_keys = |topic, name: &str| Subscription { topic, name: name.into() }.is_of_keys();
        for name in ["__keyspace@0__:k", "__keyevent@0__:set"] {
            assert!(is_of_keys(Topic::Channel, name), "{name}");
            assert!(!is_of_keys(Topic::ShardChannel, name), "{name}");
        }
        for name in ["__key", "__keyspaces", "keyspace@0__:k", ""] {
            assert!(!is_of_keys(Topic::Channel, name), "{name}");
        }
        for name in ["__key*__:*", "__key*", "__keyevent@?__:*", "__keyspace@0__:user\\*", "__keyspace@0__:k"] {
            assert!(is_of_keys(Topic::Pattern, name), "{name}");
        }
        for name in ["*", "__*", "__keyboard*", "__keyz?", "news.*", ""] {
            assert!(!is_of_keys(Topic::Pattern, name), "{name}");
        }
    }
}
