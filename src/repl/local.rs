//! The words that rcli understands itself, beside the server's commands. What they do is told by `builtins`.

use crate::command::request::Request;

/// The words, and what follows each.
pub const WORDS: [(&str, &str); 11] = [
    (":set", "[NAME [VALUE]]"),
    ("clear", ""),
    ("connect", "HOST PORT | URL | PROFILE"),
    ("exit", ""),
    ("help", "[COMMAND | @group]"),
    ("history", "[COUNT]"),
    ("jobs", ""),
    ("quit", ""),
    ("peek", "KEY"),
    ("source", "FILE"),
    ("stop", "N"),
];

/// Whether a line ends the conversation: at the prompt, and on standard input (contract section 5).
pub fn leaves(request: &Request) -> bool {
    request.len() == 1 && (request.is(0, "EXIT") || request.is(0, "QUIT"))
}
