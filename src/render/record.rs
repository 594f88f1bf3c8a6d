//! One printable thing. Knows what it is, not how it looks.

use std::time::Duration;

use super::keys::{Cell, Ranking};
use super::survey::Survey;
use crate::command::request::Request;
use crate::command::restrictions::{Report, report_of};
use crate::reply::{Entry, Event, Frame, Message, MonitorLine};

/// Where reports are in a reply: that is told by the command (contract section 2).
#[derive(Clone, Copy, Debug)]
pub enum Reports<'a> {
    None,
    Whole(Report),
    /// Each value of a map is one, or an error: the replies of several nodes.
    OfEach(Report),
    /// These elements of EXEC's reply are.
    Items(&'a [(usize, Report)]),
}

impl Reports<'_> {
    /// Those in the reply to a command.
    pub fn of(request: &Request) -> Self {
        report_of(request).map_or(Self::None, Self::Whole)
    }
}

impl<'a> Record<'a> {
    pub fn reply_to(request: &Request, frame: Frame<'a>) -> Self {
        match Reports::of(request) {
            Reports::None => Self::Reply { frame, is_report: false },
            reports => Self::Report { frame, reports },
        }
    }

    /// EXEC's reply; these of its elements are reports.
    pub fn executed(frame: Frame<'a>, reports: &'a [(usize, Report)]) -> Self {
        if reports.is_empty() {
            Self::Reply { frame, is_report: false }
        } else {
            Self::Report { frame, reports: Reports::Items(reports) }
        }
    }
}

/// What a renderer writes.
#[derive(Debug)]
pub enum Record<'a> {
    Reply {
        /// The server's answer, a server error included.
        frame: Frame<'a>,
        /// Whether it is text to be read as it is, such as INFO's.
        is_report: bool,
    },
    /// A reply that is, or holds, what a report says.
    Report {
        /// The server's answer.
        frame: Frame<'a>,
        reports: Reports<'a>,
    },
    /// A reply with the command it answers (`pipe --envelope`).
    Envelope {
        /// The command's number in the input, counted from 1.
        index: u64,
        /// The command, and the line where it begins.
        request: &'a Request,
        /// The server's answer.
        frame: Frame<'a>,
        reports: Reports<'a>,
    },
    /// What EXEC did, each reply with its command (REPL).
    Block {
        block: &'a [Request],
        /// EXEC's reply: theirs in order.
        frame: Frame<'a>,
    },
    /// An out-of-band push (`--show-pushes`).
    Push(Frame<'a>),
    /// A message of a subscription, or a confirmation (contract section 8).
    Message {
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
    /// An entry of a stream (contract section 15).
    Entry {
        entry: &'a Entry<'a>,
        /// When it came, since 1970 (`--time`).
        time: Option<Duration>,
    },
    /// What happened to the connection of a stream (`--events`).
    Event {
        event: &'a Event,
        /// When, since 1970 (`--time`).
        time: Option<Duration>,
        /// The server, as `host:port` or a path.
        server: &'a str,
    },
    /// A key, or an element of one (`ls`).
    Key(&'a [u8]),
    /// The names of the columns of [`Self::Row`], where a person is shown them.
    RowHead(&'a [&'a str]),
    /// A key and what is told of it, each by its name.
    Row { key: &'a [u8], cells: &'a [(&'a str, Cell<'a>)] },
    /// A field with its value, or a member with its score.
    Pair {
        /// What the two are called.
        names: (&'a str, &'a str),
        /// The field or member.
        left: &'a [u8],
        /// The value or score.
        right: &'a [u8],
    },
    /// A command for `pipe`, a line of JSON in every format.
    CommandLine {
        request: &'a Request,
        /// The argument that is in base64 whatever it holds.
        in_base64: Option<usize>,
    },
    /// The largest keys.
    Ranking(&'a Ranking),
    /// redis-cli's lines about them.
    Survey(&'a Survey<'a>),
}
