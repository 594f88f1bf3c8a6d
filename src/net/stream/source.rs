//! What a stream listens to, and the commands that ask a server for it.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::command::request::Request;
use crate::reply::{ErrorReply, MessageKind};

/// What a subscription names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    Channel,
    Pattern,
    ShardChannel,
}

impl Topic {
    /// The command that subscribes.
    pub fn command(self) -> &'static str {
        match self {
            Self::Channel => "SUBSCRIBE",
            Self::Pattern => "PSUBSCRIBE",
            Self::ShardChannel => "SSUBSCRIBE",
        }
    }

    /// The command that leaves it.
    pub(super) fn leaving(self) -> &'static str {
        match self {
            Self::Channel => "UNSUBSCRIBE",
            Self::Pattern => "PUNSUBSCRIBE",
            Self::ShardChannel => "SUNSUBSCRIBE",
        }
    }

    /// The same of one.
    pub(super) fn request_to_leave(self, name: &[u8]) -> Request {
        Request::new([self.leaving().as_bytes(), name])
    }

    /// The message that tells that it was left.
    pub(super) fn departure(self) -> MessageKind {
        match self {
            Self::Channel => MessageKind::Unsubscribe,
            Self::Pattern => MessageKind::PUnsubscribe,
            Self::ShardChannel => MessageKind::SUnsubscribe,
        }
    }
}

/// One channel or pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subscription {
    pub topic: Topic,
    /// The name, any bytes.
    pub name: Vec<u8>,
}

impl Subscription {
    /// The names in their order, each once: a server counts a second subscription to the same name as none.
    pub fn collect<N: AsRef<OsStr>>(named: &[(Topic, &Vec<N>)]) -> Vec<Self> {
        let mut subscriptions: Vec<Self> = Vec::new();
        let mut seen = HashSet::new();
        for (topic, names) in named {
            for name in *names {
                let name = name.as_ref().as_bytes().to_vec();
                if seen.insert((*topic, name.clone())) {
                    subscriptions.push(Self { topic: *topic, name });
                }
            }
        }
        subscriptions
    }

    /// Whether it is heard at certain nodes of a cluster, and not at any.
    pub(super) fn has_homes(&self) -> bool {
        self.topic == Topic::ShardChannel || self.is_of_keys()
    }

    /// Whether it names events of keys: each node of a cluster tells those of its own keys, and no others.
    pub(in crate::net) fn is_of_keys(&self) -> bool {
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
    /// The same, to begin with: [`super::Stream::change`] changes them. There is a connection even where there are none.
    Changing(Vec<Subscription>),
    /// Every command that the server runs.
    Monitor,
}

impl Source {
    /// The channels and patterns.
    pub(super) fn subscriptions(&self) -> &[Subscription] {
        match self {
            Self::Subscriptions(subscriptions) | Self::Changing(subscriptions) => subscriptions,
            Self::Monitor => &[],
        }
    }

    /// Each thing that is a command of its own.
    pub(super) fn into_subjects(self) -> Vec<Subject> {
        match self {
            Self::Subscriptions(subscriptions) => subscriptions.into_iter().map(Subject::Subscription).collect(),
            Self::Changing(subscriptions) => {
                let named = subscriptions.into_iter().map(Subject::Subscription);
                std::iter::once(Subject::Presence).chain(named).collect()
            }
            Self::Monitor => vec![Subject::Monitor],
        }
    }
}

/// What one command asks a server for: so a refusal names one channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    Subscription(Subscription),
    Monitor,
    /// A connection, whatever is subscribed: what changes needs one.
    Presence,
}

impl Subject {
    pub fn request(&self) -> Request {
        match self {
            Self::Subscription(Subscription { topic, name }) => Request::new([topic.command().as_bytes(), name]),
            Self::Monitor => Request::new(["MONITOR"]),
            Self::Presence => Request::new(["PING"]),
        }
    }

    /// What it is called, for messages.
    pub fn name(&self) -> String {
        match self {
            Self::Subscription(subscription) => String::from_utf8_lossy(&subscription.name).into_owned(),
            Self::Monitor => "MONITOR".to_owned(),
            Self::Presence => "the server".to_owned(),
        }
    }

    /// Whether it is a subscription of this kind.
    pub fn is_of(&self, topic: Topic) -> bool {
        matches!(self, Self::Subscription(subscription) if subscription.topic == topic)
    }

    /// The shard channel; none if it is something else.
    pub fn shard_channel(&self) -> Option<&[u8]> {
        match self {
            Self::Subscription(Subscription { topic: Topic::ShardChannel, name }) => Some(name),
            _ => None,
        }
    }

    /// The words for a refusal of the command.
    pub fn describe_refusal(&self, error: &ErrorReply) -> String {
        let command = self.request().shown(200);
        let is_shard = self.shard_channel().is_some();
        let hint = if is_shard && is_unknown_command(error) {
            "; this server has no shard channels: Redis 7 and Valkey have"
        } else if is_shard && error.code() == "MOVED" {
            "; this server is a node of a cluster, and the channel belongs to another one"
        } else {
            error.advice(true)
        };
        format!("{command} was refused: {}{hint}", error.reason())
    }
}

/// Whether a refusal will be the same however often one asks.
pub(super) fn is_final(error: &ErrorReply) -> bool {
    is_final_code(error.code()) || is_unknown_command(error)
}

/// Whether an error of this code will be the same however often one asks.
pub(super) fn is_final_code(code: &str) -> bool {
    matches!(code, "NOPERM" | "NOAUTH" | "WRONGPASS" | "MOVED" | "CROSSSLOT")
}

fn is_unknown_command(error: &ErrorReply) -> bool {
    error.code() == "ERR" && error.details().is_some_and(|text| text.to_ascii_lowercase().contains("unknown command"))
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
