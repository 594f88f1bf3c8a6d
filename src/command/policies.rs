//! Which nodes of a cluster a command without keys concerns, and what becomes of their replies (contract sections 10
//! and 11): the tips that servers give, `request_policy` and `response_policy`, of all of them together. Redis 7.0 has
//! none for many of these commands, which concern the same nodes there.
//!
//! Commands whose replies only a person could put together (`special`) are not here: one node answers them. Nor is PING,
//! which asks for a sign of life, and is answered while one node of many is gone.

use super::request::Request;

/// The nodes that a command concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nodes {
    /// Every primary.
    Primaries,
    /// The replicas too.
    All,
}

/// What becomes of the replies of several nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// They are all alike, unless one is an error.
    AllSucceeded,
    /// One that is no error is enough.
    OneSucceeded,
    /// The sum of numbers.
    Sum,
    /// The least of numbers, of arrays element by element.
    Least,
    /// All their elements.
    Union,
}

/// In alphabetical order; a subcommand stands behind its container.
const POLICIES: [(&str, &str, Nodes, Combine); 30] = [
    ("ACL", "DELUSER", Nodes::All, Combine::AllSucceeded),
    ("ACL", "SAVE", Nodes::All, Combine::AllSucceeded),
    ("ACL", "SETUSER", Nodes::All, Combine::AllSucceeded),
    ("CLUSTER", "SLOT-STATS", Nodes::Primaries, Combine::Union),
    ("COMMANDLOG", "GET", Nodes::All, Combine::Union),
    ("COMMANDLOG", "LEN", Nodes::All, Combine::Sum),
    ("COMMANDLOG", "RESET", Nodes::All, Combine::AllSucceeded),
    ("CONFIG", "RESETSTAT", Nodes::All, Combine::AllSucceeded),
    ("CONFIG", "REWRITE", Nodes::All, Combine::AllSucceeded),
    ("CONFIG", "SET", Nodes::All, Combine::AllSucceeded),
    ("DBSIZE", "", Nodes::Primaries, Combine::Sum),
    ("FLUSHALL", "", Nodes::Primaries, Combine::AllSucceeded),
    ("FLUSHDB", "", Nodes::Primaries, Combine::AllSucceeded),
    ("FUNCTION", "DELETE", Nodes::Primaries, Combine::AllSucceeded),
    ("FUNCTION", "FLUSH", Nodes::Primaries, Combine::AllSucceeded),
    ("FUNCTION", "KILL", Nodes::Primaries, Combine::OneSucceeded),
    ("FUNCTION", "LOAD", Nodes::Primaries, Combine::AllSucceeded),
    ("FUNCTION", "RESTORE", Nodes::Primaries, Combine::AllSucceeded),
    ("KEYS", "", Nodes::Primaries, Combine::Union),
    ("LATENCY", "RESET", Nodes::All, Combine::Sum),
    ("MEMORY", "PURGE", Nodes::Primaries, Combine::AllSucceeded),
    ("SCRIPT", "EXISTS", Nodes::Primaries, Combine::Least),
    ("SCRIPT", "FLUSH", Nodes::All, Combine::AllSucceeded),
    ("SCRIPT", "KILL", Nodes::Primaries, Combine::OneSucceeded),
    ("SCRIPT", "LOAD", Nodes::All, Combine::AllSucceeded),
    ("SLOWLOG", "GET", Nodes::All, Combine::Union),
    ("SLOWLOG", "LEN", Nodes::All, Combine::Sum),
    ("SLOWLOG", "RESET", Nodes::All, Combine::AllSucceeded),
    ("WAIT", "", Nodes::Primaries, Combine::Least),
    ("WAITAOF", "", Nodes::Primaries, Combine::Least),
];

/// Whether a command's reply is the same at whichever node it is asked.
pub fn is_alike_anywhere(request: &Request) -> bool {
    ["PING", "ECHO"].iter().any(|name| request.is(0, name))
}

/// What tells the node that a command without keys is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owned {
    /// It owns this slot.
    Slot(u16),
    /// It owns the slot of the key at this position.
    Key(usize),
}

/// Commands that the owner of a slot answers, though no table shows a key of theirs. Another node does not redirect them:
/// it has nothing there.
pub fn owned_of(request: &Request) -> Option<Owned> {
    if request.is(0, "CLUSTER") {
        let is_of_slot = ["COUNTKEYSINSLOT", "FLUSHSLOT", "GETKEYSINSLOT"].iter().any(|word| request.is(1, word));
        let slot = std::str::from_utf8(request.args().nth(2)?).ok()?.parse().ok()?;
        return is_of_slot.then_some(Owned::Slot(slot));
    }
    (request.is(0, "DEBUG") && request.is(1, "OBJECT") && request.len() > 2).then_some(Owned::Key(2))
}

/// The policy of a command without keys; none where one node is asked.
pub fn policy_of(request: &Request) -> Option<(Nodes, Combine)> {
    let is_it = |name: &str, word: &str| request.is(0, name) && (word.is_empty() || request.is(1, word));
    POLICIES.iter().find(|(name, word, ..)| is_it(name, word)).map(|(.., nodes, combine)| (*nodes, *combine))
}
