//! One printable thing. Knows what it is, not how it looks.

use std::time::Duration;

use crate::command::request::Request;
use crate::reply::{Event, Frame, Message, MonitorLine};

/// What a renderer writes.
#[derive(Debug)]
pub enum Record<'a> {
    /// The reply to a command.
    Reply {
        /// The server's answer, a server error included.
        frame: Frame<'a>,
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
        frame: Frame<'a>,
    },
    /// What EXEC did, each reply with its command (REPL).
    Block {
        /// The commands.
        block: &'a [Request],
        /// EXEC's reply: theirs in order.
        frame: Frame<'a>,
    },
    /// An out-of-band push (`--show-pushes`).
    Push(Frame<'a>),
    /// A message of a subscription, or a confirmation (contract section 8).
    Message {
        /// The message.
        message: &'a Message<'a>,
        /// When it came, since 1970 (`--time`).
        time: Option<Duration>,
        /// The node of the cluster it came from.
        node: Option<&'a str>,
    },
    /// A command that MONITOR showed (contract section 9).
    Monitored {
        /// The server's line as it is.
        text: &'a [u8],
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
