//! How a run ends: the exit statuses of the contract (section 1) and the one place that writes `rcli: …` to stderr.

use std::io::{self, Write as _};
use std::process::ExitCode;

use colored::Colorize as _;

use crate::signal::Signal;
use crate::text;

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
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::ErrorReply => 1,
            Exit::Usage => 2,
            Exit::Failed => 3,
            Exit::Aborted => 4,
            Exit::Expired => 5,
            Exit::Signal(signal) => signal.status(),
        })
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

    /// A program that rcli ran has failed: status 1 (contract sections 7 and 8).
    pub fn program(message: impl Into<String>) -> Self {
        Self { exit: Exit::ErrorReply, message: Some(message.into()), pointer: None }
    }

    /// Ends with this status and nothing to say.
    pub fn quiet(exit: Exit) -> Self {
        Self { exit, message: None, pointer: None }
    }

    /// Stdout could not be written: a reader that went away is no failure, anything else is status 3.
    pub fn output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::quiet(Exit::Done)
        } else {
            Self::failed(format!("cannot write the output: {}", describe_io(error)))
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

    /// The message alone.
    pub fn into_message(self) -> String {
        self.message.unwrap_or_default()
    }

    /// Writes the message, if there is one, and gives the status.
    pub fn report(self) -> Exit {
        if let Some(message) = &self.message {
            report_pointing(message, self.pointer.as_deref());
        }
        self.exit
    }
}

/// What is told to people beside the output.
#[derive(Debug)]
pub enum Told {
    /// Something has failed.
    Failure(String),
    /// Something has happened that is no failure, and is not to look like one.
    Notice(String),
}

impl Told {
    /// `rcli: MESSAGE` as it is written, with its line end. Control characters are escaped, so that nobody's text can
    /// drive the terminal, or pass for a second message.
    pub fn line(&self) -> String {
        match self {
            Self::Failure(message) => format!("{} {}\n", "rcli:".red().bold(), text::line(message)),
            Self::Notice(message) => format!("{}\n", format!("rcli: {}", text::line(message)).dimmed()),
        }
    }

    /// The same about something that has a name.
    pub fn of(self, name: &str) -> Self {
        match self {
            Self::Failure(message) => Self::Failure(format!("{name}: {message}")),
            Self::Notice(message) => Self::Notice(format!("{name}: {message}")),
        }
    }

    /// Writes it to stderr: one line in one write.
    pub fn report(&self) {
        write_stderr(&self.line());
    }
}

/// Writes `rcli: MESSAGE` to stderr: something has failed.
pub fn report(message: &str) {
    Told::Failure(message.to_owned()).report();
}

/// Writes `rcli: MESSAGE` to stderr: something has happened that is no failure.
pub fn notice(message: &str) {
    Told::Notice(message.to_owned()).report();
}

/// A failure, and lines below that point at a place in the input.
pub fn report_pointing(message: &str, pointer: Option<&str>) {
    let mut lines = Told::Failure(message.to_owned()).line();
    if let Some(pointer) = pointer {
        lines.push_str(pointer);
        lines.push('\n');
    }
    write_stderr(&lines);
}

fn write_stderr(text: &str) {
    // Nowhere is left to say that stderr is gone.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// An I/O error in words, without Rust's `(os error N)`.
pub fn describe_io(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
