//! Replies that are lists of records, a row each, and those that are names with values (contract section 10): which
//! command's reply is shown how. Human format at the prompt only; a reply of another shape than its command's is left
//! as it is.

mod clients;
mod cluster;
mod commands;
mod layout;
mod parts;
mod records;
mod server;
mod streams;

pub use self::layout::{folded, padded};
pub use self::parts::quoted;
use crate::color::Colors;
use crate::command::request::Request;
use crate::reply::Frame;

/// What a reply becomes: lines, made one by one as they are written.
type Lines<'a> = Box<dyn Iterator<Item = String> + 'a>;

/// Where it is shown.
#[derive(Clone, Copy)]
pub struct Place {
    /// The columns of the terminal.
    pub columns: usize,
    /// Whether it has colours.
    pub colors: Colors,
}

/// How a command's reply is shown, if it has the shape that is known.
pub type Show = for<'a> fn(&Request, Frame<'a>, Place) -> Option<Lines<'a>>;

/// The commands, and how the reply to each is shown, beside those of `records`.
const SHOWN: [(&str, Show); 21] = [
    ("CLIENT LIST", clients::show),
    ("CLUSTER NODES", cluster::nodes),
    ("CLUSTER REPLICAS", cluster::replicas),
    ("CLUSTER SHARDS", cluster::shards),
    ("CLUSTER SLAVES", cluster::replicas),
    ("CLUSTER SLOTS", cluster::slots),
    ("COMMAND DOCS", commands::docs),
    ("COMMAND INFO", commands::info),
    ("FUNCTION LIST", commands::functions),
    ("LATENCY HISTOGRAM", server::histogram),
    ("MEMORY STATS", server::memory),
    ("ROLE", server::role),
    ("XAUTOCLAIM", streams::claimed),
    ("XCLAIM", streams::entries),
    ("XINFO STREAM", streams::info),
    ("XRANGE", streams::entries),
    ("XREAD", streams::read),
    ("XREADGROUP", streams::read),
    ("XREVRANGE", streams::entries),
    ("ZPOPMAX", streams::scores),
    ("ZPOPMIN", streams::scores),
];

/// How the reply to a command is shown; none where it is shown as redis-cli does.
pub fn show(request: &Request) -> Option<Show> {
    if let Some((_, show)) = SHOWN.iter().find(|(name, _)| request.begins_with(name)) {
        return Some(*show);
    }
    if records::are_answer_to(request) {
        return Some(records::show);
    }
    if request.is(0, "COMMAND") && request.len() == 1 {
        return Some(commands::info);
    }
    // Of other types it may be a key.
    let is_sorted_set = request.arg(0).first().is_some_and(|letter| letter.eq_ignore_ascii_case(&b'Z'));
    let has_scores = (3..request.len()).any(|at| request.is(at, "WITHSCORES"));
    (is_sorted_set && has_scores).then_some(streams::scores)
}
