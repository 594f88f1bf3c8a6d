//! What can go wrong with a connection, and its words. Nothing here ends the program: commands make exits of it
//! (`exit/connection.rs`).
//!
//! A session that cannot be had is [`Unopened`], one that has ended is [`Lost`]. The messages of both name the server,
//! but for those of [`Lost`] that [`Lost::describe`] puts a server's address before.

use std::io;
use std::time::Duration;

use super::endpoint::Address;
use super::tls;
use crate::signal::Signal;
use crate::text::describe_io;

/// The code of a refusal that is no reply to a command: by TLS on either side, or of a server that turns connections
/// away.
pub const TURNED_AWAY: &str = "TLS";

/// The code of the refusal of a server that is no node of any cluster.
pub const NO_CLUSTER: &str = "NOCLUSTER";

/// The code of a server that reads its data yet: it will take commands later.
pub(super) const LOADING: &str = "LOADING";

/// Why there is no session, why what is listened to cannot be had any more, or why nothing is waited for any more.
#[derive(Debug)]
pub enum Unopened {
    /// Nobody answered there, or not as a server does.
    Unreachable(String),
    /// The machine is there, and nothing listens at the port or socket.
    NobodyListens(String),
    /// The server does not want us, or not this database or channel; or we do not trust it. It will most often be the
    /// same however often one asks.
    Refused {
        /// The first word of the server's error; [`TURNED_AWAY`] or [`NO_CLUSTER`] where there is none.
        code: String,
        /// The server's words, and what to do.
        message: String,
    },
    /// A signal came meanwhile.
    Interrupted(Signal),
}

impl Unopened {
    /// A refusal that is no reply to a command.
    pub(super) fn turned_away(message: impl Into<String>) -> Self {
        Self::Refused { code: TURNED_AWAY.to_owned(), message: message.into() }
    }

    /// The same of a connection to this server, where the message is the reason alone.
    pub(super) fn at(self, place: &Address) -> Self {
        let message = |reason| format!("cannot connect to {place}: {reason}");
        match self {
            Self::Unreachable(reason) => Self::Unreachable(message(reason)),
            Self::NobodyListens(reason) => Self::NobodyListens(message(reason)),
            Self::Refused { code, message: reason } => Self::Refused { code, message: message(reason) },
            Self::Interrupted(_) => self,
        }
    }

    /// Whether the server may be there in a moment. One that refuses us will most often go on to.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::NobodyListens(_) => true,
            Self::Refused { code, .. } => code == LOADING,
            Self::Interrupted(_) => false,
        }
    }

    /// The message; a signal has none, and stays what it is.
    pub fn into_message(self) -> Result<String, Signal> {
        match self {
            Self::Unreachable(message) | Self::NobodyListens(message) | Self::Refused { message, .. } => Ok(message),
            Self::Interrupted(signal) => Err(signal),
        }
    }
}

/// The reason alone: see [`Unopened::at`].
impl From<String> for Unopened {
    fn from(reason: String) -> Self {
        Self::Unreachable(reason)
    }
}

/// The reason alone: see [`Unopened::at`].
impl From<io::Error> for Unopened {
    fn from(error: io::Error) -> Self {
        if tls::is_refusal(&error) {
            Self::turned_away(tls::describe(&error))
        } else if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) {
            Self::NobodyListens(describe_io(&error))
        } else {
            Self::Unreachable(describe_io(&error))
        }
    }
}

const CLOSED: &str = "the server closed the connection";

/// Why a conversation ended.
#[derive(Debug)]
pub enum Lost {
    /// The server closed the connection.
    Closed,
    /// The connection broke.
    Broken(io::Error),
    /// The server sent what is no RESP; nothing after it can be read either.
    Undecodable(String),
    /// No answer within the read limit.
    Silent(Duration),
    /// Nothing was heard for so long, though a sign of life was asked for.
    Dead(Duration),
    /// The primary that sentinels named answers as a replica, and ran nothing of what it answered so.
    Demoted,
    /// A signal came while an answer was waited for.
    Interrupted(Signal),
    /// A node of a cluster could not be reached: the command was not sent. The message names the node.
    Unreached(String),
    /// A server does not want us: the command was not sent, or not even read there.
    Refused {
        /// As in [`Unopened::Refused`]; empty where nobody asks for it.
        code: String,
        /// The server's name and words, and what to do.
        message: String,
    },
}

impl Lost {
    /// A refusal by whose code nobody decides anything.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::Refused { code: String::new(), message: message.into() }
    }

    /// The reason in words, to stand after `connection lost: ` or the like.
    pub fn reason(&self) -> String {
        match self {
            Self::Closed => CLOSED.to_owned(),
            // It was closed before we wrote to it.
            Self::Broken(error) if error.kind() == io::ErrorKind::BrokenPipe => CLOSED.to_owned(),
            Self::Broken(error) => tls::describe(error),
            Self::Undecodable(why) => format!("the answer could not be decoded ({why})"),
            Self::Silent(limit) => format!("no answer within {} s (--read-timeout)", limit.as_secs_f64()),
            Self::Dead(silence) => format!("the server has given no sign of life for {} s", silence.as_secs()),
            Self::Demoted => "the primary has become a replica".to_owned(),
            Self::Interrupted(_) => "interrupted".to_owned(),
            Self::Unreached(message) | Self::Refused { message, .. } => message.clone(),
        }
    }

    /// The same as a message of its own, with the address of the server where the reason does not name it.
    pub fn describe(&self, server: &str) -> String {
        match self {
            Self::Unreached(message) | Self::Refused { message, .. } => message.clone(),
            _ => self.describe_at(server),
        }
    }

    /// The same with a place before it in any case: FILE:LINE.
    pub fn describe_at(&self, place: &str) -> String {
        let what =
            if self.is_end() || matches!(self, Self::Dead(_) | Self::Demoted) { "connection lost: " } else { "" };
        format!("{place}: {what}{}", self.reason())
    }

    /// Whether the connection came to its end, as a server's does that was told to stop.
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Closed | Self::Broken(_))
    }

    /// The loss of a session that was being given its state: of what it was opened for nothing was sent to this node.
    pub fn while_preparing(self, node: &str) -> Self {
        match self {
            Self::Interrupted(_) | Self::Refused { .. } | Self::Unreached(_) => self,
            lost => Self::Unreached(format!("{node}: connection lost: {}", lost.reason())),
        }
    }

    /// The same of a session that was only being opened, with this server.
    pub fn while_opening(self, server: &str) -> Unopened {
        match self {
            Self::Interrupted(signal) => Unopened::Interrupted(signal),
            Self::Refused { code, message } => Unopened::Refused { code, message },
            lost => Unopened::Unreachable(lost.describe(server)),
        }
    }
}

/// Whether a node that cannot be had may be there later.
impl From<Unopened> for Lost {
    fn from(why: Unopened) -> Self {
        match why {
            Unopened::Interrupted(signal) => Self::Interrupted(signal),
            Unopened::Unreachable(message) | Unopened::NobodyListens(message) => Self::Unreached(message),
            Unopened::Refused { code, message } if code == LOADING => Self::Unreached(message),
            Unopened::Refused { code, message } => Self::Refused { code, message },
        }
    }
}

/// A connection lost while a block was with the server.
#[derive(Debug)]
pub struct LostBlock {
    pub lost: Lost,
    /// Whether the server may have got all of it, EXEC included.
    pub may_have_run: bool,
}

impl From<Lost> for LostBlock {
    /// The connection was lost, or not there, before the block was sent.
    fn from(lost: Lost) -> Self {
        Self { lost, may_have_run: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: &str = "h:1";

    #[test]
    fn a_message_names_the_server_once() {
        let unreached = || Lost::Unreached(format!("cannot connect to {PLACE}: no"));
        for (lost, message) in [
            (Lost::Closed, "h:1: connection lost: the server closed the connection"),
            (Lost::Silent(Duration::from_secs(2)), "h:1: no answer within 2 s (--read-timeout)"),
            (
                Lost::Dead(Duration::from_secs(25)),
                "h:1: connection lost: the server has given no sign of life for 25 s",
            ),
            (Lost::Undecodable("x".to_owned()), "h:1: the answer could not be decoded (x)"),
            (unreached(), "cannot connect to h:1: no"),
            (Lost::refused("h:1 refused database 9: no"), "h:1 refused database 9: no"),
        ] {
            assert_eq!(lost.describe(PLACE), message);
        }
        assert_eq!(unreached().describe_at("stdin:3"), "stdin:3: cannot connect to h:1: no");
    }

    #[test]
    fn a_refusal_keeps_its_code_and_a_server_that_is_loading_is_waited_for() {
        let refused = |code: &str| Unopened::Refused { code: code.to_owned(), message: "no".to_owned() };
        let lost = Lost::from(refused(NO_CLUSTER));
        assert!(matches!(lost.while_opening(PLACE), Unopened::Refused { code, .. } if code == NO_CLUSTER));
        assert!(matches!(Lost::from(refused(LOADING)), Lost::Unreached(_)));
    }

    #[test]
    fn only_what_is_not_there_is_told_to_be_elsewhere() {
        let place = Address::Tcp("h".to_owned(), 1);
        let opened = |kind: io::ErrorKind| Unopened::from(io::Error::from(kind)).at(&place);
        assert!(matches!(opened(io::ErrorKind::ConnectionRefused), Unopened::NobodyListens(_)));
        assert!(matches!(opened(io::ErrorKind::NotFound), Unopened::NobodyListens(_)));
        let reset = opened(io::ErrorKind::ConnectionReset);
        assert!(
            matches!(&reset, Unopened::Unreachable(why) if why.starts_with("cannot connect to h:1: ")),
            "{reset:?}"
        );
    }
}
