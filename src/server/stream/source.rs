//! What a stream listens to, and the commands that ask a server for it.

use redis::{ServerError, Value};

use super::super::session::error_text;
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
    pub(in crate::server) fn describe_refusal(&self, index: usize, error: &ServerError) -> String {
        let words = error_text(error);
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
pub(in crate::server) fn is_final(error: &ServerError) -> bool {
    is_final_code(error.code()) || is_unknown_command(error)
}

/// Whether an error of this code will be the same however often one asks.
pub(in crate::server) fn is_final_code(code: &str) -> bool {
    matches!(code, "NOPERM" | "NOAUTH" | "WRONGPASS" | "MOVED" | "CROSSSLOT")
}

fn is_unknown_command(error: &ServerError) -> bool {
    error.code() == "ERR" && error.details().is_some_and(|text| text.to_ascii_lowercase().contains("unknown command"))
}

/// Whether this is how a server answers PING on a subscribed connection: `PONG`, or in RESP2 an array of it.
pub(super) fn is_pong(value: &Value) -> bool {
    match value {
        Value::SimpleString(text) => text == "PONG",
        Value::Array(items) => matches!(items.first(), Some(Value::BulkString(word)) if word == b"pong"),
        _ => false,
    }
}
