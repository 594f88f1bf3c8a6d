//! Errors that a server answers: their words, whatever the bytes, and the code in front of them.

use std::borrow::Cow;
use std::fmt;

use super::frame::{Frame, OwnedFrame};
use crate::text::{Escape, printable_bytes};

/// A server error in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReply {
    text: String,
}

impl ErrorReply {
    /// The error that a reply is; none if it is none.
    pub fn of(frame: Frame<'_>) -> Option<Self> {
        frame.is_error().then(|| Self::new(frame.head().text))
    }

    /// An error of this text; bytes that are not UTF-8 are shown as `\xNN` (contract section 2).
    pub fn new(text: &[u8]) -> Self {
        Self { text: error_words(text).into_owned() }
    }

    /// The first word: `ERR`, `MOVED`, or whatever it is.
    pub fn code(&self) -> &str {
        self.text.split(' ').next().unwrap_or_default()
    }

    /// What stands behind the first word; none if nothing does.
    pub fn details(&self) -> Option<&str> {
        self.text.split_once(' ').map(|(_, details)| details)
    }

    /// Its words to stand within a message: without a full stop at the end.
    pub fn reason(&self) -> &str {
        self.text.trim_end_matches(['.', ' '])
    }

    /// Whether it shows that the server is a replica, which ran nothing: also EXEC says so.
    pub fn is_of_replica(&self) -> bool {
        let is_quoted = || self.details().is_some_and(|details| details.contains("because of: READONLY "));
        matches!(self.code(), "READONLY" | "MASTERDOWN") || self.code() == "EXECABORT" && is_quoted()
    }

    /// What to do about it, to stand behind its words.
    pub fn advice(&self, is_cluster: bool) -> &'static str {
        match self.code() {
            "MOVED" | "ASK" if !is_cluster => "; this server is a node of a cluster: use -c",
            "NOAUTH" => "; AUTH, --askpass, --pass-file, -a or REDISCLI_AUTH gives the password",
            _ => "",
        }
    }

    /// Its words, and what to do about it.
    pub fn advised(&self, is_cluster: bool) -> String {
        match self.advice(is_cluster) {
            "" => self.text.clone(),
            advice => format!("{}{advice}", self.reason()),
        }
    }

    /// The error as a reply.
    pub fn to_frame(&self) -> OwnedFrame {
        OwnedFrame::error(&self.text)
    }
}

impl fmt::Display for ErrorReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The words of an error, with every byte that is not UTF-8 as `\xNN`.
pub fn error_words(bytes: &[u8]) -> Cow<'_, str> {
    printable_bytes(bytes, Escape::Undecodable)
}

/// Code and message of an error in JSON: a first word that is not all capitals, digits and underscores is no code, and
/// the message begins with it (contract section 2).
pub fn split_code(text: &str) -> (&str, &str) {
    let (code, message) = text.split_once(' ').unwrap_or((text, ""));
    let is_code = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if !code.is_empty() && code.bytes().all(is_code) { (code, message) } else { ("", text) }
}
