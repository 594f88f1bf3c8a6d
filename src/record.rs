//! One printable thing. Knows what it is, not how it looks.

use std::time::Duration;

use redis::Value;

use crate::message::Message;
use crate::monitor_line::MonitorLine;
use crate::request::Request;
use crate::server::Event;

/// What a renderer writes.
#[derive(Debug)]
pub enum Record<'a> {
    /// The reply to a command.
    Reply {
        /// The server's answer, a server error included.
        value: &'a Value,
        /// Whether it is text to be read as it is, such as INFO's.
        is_report: bool,
    },
    /// A reply with the command it answers (`pipe --envelope`).
    Envelope {
        /// The command's number in the input, counted from 1.
        index: u64,
        /// The command, and the line where it begins.
        request: &'a Request,
        /// The server's answer.
        value: &'a Value,
    },
    /// What EXEC did, each reply with its command (REPL).
    Block {
        /// The commands.
        block: &'a [Request],
        /// Their replies, in order.
        values: &'a [Value],
        /// The same as EXEC gave them.
        reply: &'a Value,
    },
    /// An out-of-band push (`--show-pushes`).
    Push(&'a Value),
    /// A message of a subscription, or a confirmation (contract section 8).
    Message {
        /// The message.
        message: &'a Message,
        /// When it came, since 1970 (`--time`).
        time: Option<Duration>,
        /// The node of the cluster it came from.
        node: Option<&'a str>,
    },
    /// A command that MONITOR showed (contract section 9).
    Monitored {
        /// The server's line as it is.
        text: &'a str,
        /// The same, taken apart.
        line: &'a MonitorLine<'a>,
        /// The node of the cluster that ran it.
        node: Option<&'a str>,
    },
    /// What happened to the connection of a stream (`--events`).
    Event {
        /// What happened.
        event: &'a Event,
        /// When, since 1970 (`--time`).
        time: Option<Duration>,
        /// The server, as `host:port` or a path.
        server: &'a str,
    },
}

/// Whether a command's reply is a report for people, which human output prints as it is: redis-cli's list.
pub fn is_report(request: &Request) -> bool {
    let sub = |words: &[&str]| words.iter().any(|word| request.is(1, word));
    if request.is(0, "INFO") || request.is(0, "LOLWUT") {
        true
    } else if request.is(0, "CLIENT") {
        sub(&["LIST", "INFO"])
    } else if request.is(0, "CLUSTER") {
        sub(&["NODES", "INFO"])
    } else if request.is(0, "LATENCY") {
        sub(&["DOCTOR", "GRAPH"])
    } else if request.is(0, "MEMORY") {
        sub(&["DOCTOR", "MALLOC-STATS"])
    } else if request.is(0, "DEBUG") {
        sub(&["HTSTATS", "HTSTATS-KEY"])
    } else {
        false
    }
}

/// The server errors of a reply, nested ones included, in order.
pub fn errors_in(value: &Value) -> Vec<&redis::ServerError> {
    let mut found = Vec::new();
    collect_errors(value, &mut found);
    found
}

fn collect_errors<'a>(value: &'a Value, found: &mut Vec<&'a redis::ServerError>) {
    match value {
        Value::ServerError(error) => found.push(error),
        Value::Array(items) | Value::Set(items) => items.iter().for_each(|item| collect_errors(item, found)),
        Value::Map(pairs) => {
            for (key, value) in pairs {
                collect_errors(key, found);
                collect_errors(value, found);
            }
        }
        Value::Attribute { data, .. } => collect_errors(data, found),
        _ => {}
    }
}
