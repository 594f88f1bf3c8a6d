//! How a run ends: the exit statuses of the contract (section 1), and why. `report` says it.

mod connection;

use std::io;

use rustix::io::Errno;

use crate::report::Told;
use crate::signal::Signal;
use crate::text::describe_io;

/// The exit statuses of contract section 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, also when the reader closed stdout.
    Done,
    /// 1: the server answered at least one error reply, or a program that rcli ran has failed.
    ErrorReply,
    /// 2: wrong usage, or input that cannot be parsed.
    Usage,
    /// 3: no connection, a lost connection, an undecodable answer, or output that cannot be written.
    Failed,
    /// 4: a transaction was aborted by WATCH.
    Aborted,
    /// 5: a time limit passed before the count was reached.
    Expired,
    /// 130, 143, 129: ended by a signal.
    Signal(Signal),
}

impl Exit {
    /// Of two statuses that both apply, the one that counts (contract section 1).
    pub fn or(self, other: Self) -> Self {
        let rank = |exit| match exit {
            Self::Signal(_) => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::ErrorReply => 3,
            Self::Aborted => 4,
            Self::Expired => 5,
            Self::Done => 6,
        };
        if rank(other) < rank(self) { other } else { self }
    }

    /// The number that the process ends with.
    pub fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::ErrorReply => 1,
            Self::Usage => 2,
            Self::Failed => 3,
            Self::Aborted => 4,
            Self::Expired => 5,
            Self::Signal(signal) => signal.status(),
        }
    }
}

/// Why a run cannot go on: its status, and the message for stderr (none where there is nothing to say).
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: Option<String>,
    /// Lines below the message that point at a place in the input.
    pointer: Option<String>,
}

/// What everything that can end a run returns.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// Wrong usage or input that cannot be parsed: status 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: Some(message.into()), pointer: None }
    }

    /// No connection, a lost one, or an answer that cannot be decoded: status 3.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: Some(message.into()), pointer: None }
    }

    /// The status that it ends a run with.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// A time limit passed before the count was reached: status 5.
    pub fn expired(message: impl Into<String>) -> Self {
        Self { exit: Exit::Expired, message: Some(message.into()), pointer: None }
    }

    /// The server has answered an error that ends the run, or a program that rcli ran has failed: status 1.
    pub fn error_reply(message: impl Into<String>) -> Self {
        Self { exit: Exit::ErrorReply, message: Some(message.into()), pointer: None }
    }

    /// Ends with this status and nothing to say.
    pub fn quiet(exit: Exit) -> Self {
        Self { exit, message: None, pointer: None }
    }

    /// What was named cannot be opened or started: status 2, or 3 where the system has no process, memory or descriptor
    /// to give for it.
    pub fn unusable(what: &str, error: &io::Error) -> Self {
        let message = format!("{what}: {}", describe_io(error));
        match Errno::from_io_error(error) {
            Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE) => Self::failed(message),
            _ => Self::usage(message),
        }
    }

    /// Stdout could not be written: a reader that went away is no failure, anything else is status 3.
    #[expect(clippy::needless_pass_by_value, reason = "what `map_err` hands over")]
    pub fn output(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::quiet(Exit::Done)
        } else {
            Self::failed(format!("cannot write the output: {}", describe_io(&error)))
        }
    }

    /// The same with lines below the message that point at a place in the input: what `input::point_at` gives.
    pub fn pointing(self, pointer: Option<String>) -> Self {
        Self { pointer, ..self }
    }

    /// The same with more to say behind its message.
    #[must_use]
    pub fn noting(mut self, note: &str) -> Self {
        if let Some(message) = &mut self.message {
            message.push_str(note);
        }
        self
    }

    pub fn into_message(self) -> String {
        self.message.unwrap_or_default()
    }

    /// Writes the message, if there is one, and gives the status.
    pub fn report(self) -> Exit {
        if let Some(message) = &self.message {
            Told::Failure(message.clone()).report_pointing(self.pointer.as_deref());
        }
        self.exit
    }
}
