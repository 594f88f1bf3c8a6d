//! Commands without keys where their policies say: at every primary, or at every node, with one reply made of all
//! (contract sections 10 and 11). What has no policy is asked of one node, which is remembered by name.

use std::fmt::Write as _;

use super::super::endpoint::Address;
use super::super::error::Lost;
use super::super::retry::Retry;
use super::super::session::Session;
use super::Cluster;
use crate::command::policies::{Combine, Nodes, is_alike_anywhere, policy_of};
use crate::command::request::Request;
use crate::reply::{Frame, Kind, OwnedFrame};
use crate::text;

/// The longest part of a command in a note, in characters.
const SHOWN: usize = 60;

/// What there is to say of a command beside its reply.
#[derive(Debug, PartialEq, Eq)]
pub enum Note {
    /// One node of several was asked.
    AnsweredBy(Address),
    /// Some nodes did what others refused, in words.
    Partial(String),
}

/// What a node answered.
pub(super) type Answered = (Address, Result<OwnedFrame, Lost>);

impl Cluster {
    /// Runs a command without keys where its policy says, else at one node.
    pub(super) fn call_by_policy(&mut self, request: &Request) -> Result<OwnedFrame, Lost> {
        let policy = policy_of(request);
        let nodes = match policy {
            None => Vec::new(),
            // No reply to such a command tells of a map that is old.
            Some((nodes, _)) => {
                self.refresh(None)?;
                self.reach_all(|cluster| match nodes {
                    Nodes::Primaries => cluster.map.primaries().cloned().collect(),
                    Nodes::All => cluster.members_and_owners(),
                })?
            }
        };
        let (Some((_, combine)), [_, ..]) = (policy, nodes.as_slice()) else {
            let answer = self.call_keyless(request)?;
            if !is_alike_anywhere(request) {
                self.notes.push(Note::AnsweredBy(self.last.clone()));
            }
            return Ok(answer);
        };
        let mut replies = Vec::with_capacity(nodes.len());
        let mut lost = None;
        for (node, answer) in self.call_each(nodes, request) {
            match answer {
                Ok(reply) => replies.push((node, reply)),
                Err(interrupted @ Lost::Interrupted(_)) => return Err(interrupted),
                Err(why) => {
                    self.drop_session(&node);
                    lost.get_or_insert((node, why));
                }
            }
        }
        self.notes.extend(describe_partial(request, combine, &replies, lost.as_ref().map(|(node, _)| node)));
        match lost {
            Some((node, why)) => {
                self.last = node;
                Err(why)
            }
            None => Ok(combined(combine, &replies)),
        }
    }

    /// Connects to each of these nodes before the first of them is asked. While one cannot be reached, another one may
    /// take over from it.
    pub(super) fn reach_all(&mut self, nodes: impl Fn(&mut Self) -> Vec<Address>) -> Result<Vec<Address>, Lost> {
        let mut retry = Retry::new(&self.endpoint);
        loop {
            let nodes = nodes(self);
            let reached = nodes.iter().try_for_each(|node| {
                self.last = node.clone();
                self.session(node, false).map(|_| ())
            });
            match reached {
                Ok(()) => return Ok(nodes),
                Err(Lost::Unreached(_)) if retry.pause()? => {
                    self.refresh(None)?;
                }
                Err(lost) => return Err(lost),
            }
        }
    }

    /// Sends a command to each of these nodes at once, which are all reached; what each answered.
    pub(super) fn call_each(&mut self, nodes: Vec<Address>, request: &Request) -> Vec<Answered> {
        let mut sent = Vec::with_capacity(nodes.len());
        for node in nodes {
            let begun = self.open_session(&node).ok_or(Lost::Closed).and_then(|session| {
                session.begin(request);
                session.send()
            });
            sent.push((node, begun));
        }
        let answer = |(node, begun): (Address, Result<(), Lost>)| {
            self.last = node.clone();
            let answer = begun.and_then(|()| self.open_session(&node).map_or(Err(Lost::Closed), Session::answer));
            (node, answer)
        };
        sent.into_iter().map(answer).collect()
    }

    /// What there is to say of the commands since this was last asked.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }
}

/// Which nodes did what others refused, or were lost at; none where all did the same.
fn describe_partial(
    request: &Request,
    combine: Combine,
    replies: &[(Address, OwnedFrame)],
    lost: Option<&Address>,
) -> Option<Note> {
    let names = |is_error: bool| {
        let names = replies.iter().filter(|(_, reply)| reply.frame().is_error() == is_error);
        names.map(|(node, _)| node.to_string()).collect::<Vec<_>>().join(", ")
    };
    let (done, refused) = (names(false), names(true));
    if done.is_empty() || refused.is_empty() && lost.is_none() || combine == Combine::OneSucceeded {
        return None;
    }
    let refused = if refused.is_empty() { refused } else { format!(", refused at {refused}") };
    let lost = lost.map(|node| format!(", and may have been at {node}")).unwrap_or_default();
    Some(Note::Partial(format!("{} was done at {done}{refused}{lost}", request.shown(SHOWN))))
}

/// One reply made of those of all nodes. An error of one is the reply, and so is the first reply where they are not of
/// the type that was expected.
fn combined(combine: Combine, replies: &[(Address, OwnedFrame)]) -> OwnedFrame {
    let frames = || replies.iter().map(|(_, reply)| reply.frame());
    let find = |is_error: bool| frames().find(|reply| reply.is_error() == is_error);
    let Some(first) = frames().next() else { return OwnedFrame::nil() };
    let (error, good) = (find(true), find(false));
    let chosen = if combine == Combine::OneSucceeded { good } else { error };
    if let Some(chosen) = chosen {
        return chosen.to_owned();
    }
    let made = match combine {
        Combine::AllSucceeded | Combine::OneSucceeded => None,
        Combine::Sum => {
            numbers(frames()).map(|numbers| OwnedFrame::integer(numbers.into_iter().fold(0, i64::saturating_add)))
        }
        Combine::Least => least(&frames().collect::<Vec<_>>()),
        Combine::Union => union(&frames().collect::<Vec<_>>()),
    };
    made.unwrap_or_else(|| first.to_owned())
}

/// The numbers that these are, if all are.
fn numbers<'a>(frames: impl Iterator<Item = Frame<'a>>) -> Option<Vec<i64>> {
    frames.map(|frame| text::number(frame.head().text).filter(|_| frame.kind() == Kind::Integer)).collect()
}

/// The least number, or of arrays as long as each other the least of each element.
fn least(frames: &[Frame<'_>]) -> Option<OwnedFrame> {
    if let Some(numbers) = numbers(frames.iter().copied()) {
        return numbers.into_iter().min().map(OwnedFrame::integer);
    }
    let arrays: Vec<Vec<i64>> = frames
        .iter()
        .map(|frame| (frame.kind() == Kind::Array).then(|| numbers(frame.children()))?)
        .collect::<Option<_>>()?;
    let length = arrays.first()?.len();
    if arrays.iter().any(|array| array.len() != length) {
        return None;
    }
    let mut bytes = format!("*{length}\r\n");
    for place in 0..length {
        let _ = write!(bytes, ":{}\r\n", arrays.iter().map(|array| array[place]).min()?);
    }
    Some(OwnedFrame::new(bytes.into_bytes(), false))
}

/// All elements of arrays.
fn union(frames: &[Frame<'_>]) -> Option<OwnedFrame> {
    if frames.iter().any(|frame| frame.kind() != Kind::Array) {
        return None;
    }
    let count: u64 = frames.iter().map(|frame| frame.head().count).sum();
    let has_errors = frames.iter().any(|frame| frame.may_hold_errors());
    let mut bytes = format!("*{count}\r\n").into_bytes();
    frames.iter().flat_map(|frame| frame.children()).for_each(|child| bytes.extend_from_slice(child.bytes()));
    Some(OwnedFrame::new(bytes, has_errors))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(combine: Combine, replies: &[&str]) -> String {
        let node = |port| Address::Tcp("h".to_owned(), port);
        let frame = |reply: &&str| OwnedFrame::new(reply.as_bytes().to_vec(), reply.contains('-'));
        let replies: Vec<_> = (1..).map(node).zip(replies.iter().map(frame)).collect();
        let partial = match describe_partial(&Request::new(["X"]), combine, &replies, None) {
            Some(Note::Partial(words)) => format!(" {words}"),
            _ => String::new(),
        };
        format!("{}{partial}", combined(combine, &replies).frame().bytes().escape_ascii()).replace("\\r\\n", " ")
    }

    #[test]
    fn replies_become_one() {
        for (combine, replies, one) in [
            (Combine::Sum, &[":1\r\n", ":2\r\n"][..], ":3 "),
            (Combine::Sum, &[":9223372036854775807\r\n", ":2\r\n"], ":9223372036854775807 "),
            (Combine::Sum, &[":1\r\n", "+x\r\n"], ":1 "),
            (Combine::Least, &[":4\r\n", ":2\r\n"], ":2 "),
            (Combine::Least, &["*2\r\n:1\r\n:0\r\n", "*2\r\n:1\r\n:1\r\n"], "*2 :1 :0 "),
            (Combine::Least, &["*1\r\n:1\r\n", "*0\r\n"], "*1 :1 "),
            (Combine::Union, &["*1\r\n$1\r\na\r\n", "*0\r\n", "*1\r\n*1\r\n:1\r\n"], "*2 $1 a *1 :1 "),
            (Combine::AllSucceeded, &["+OK\r\n", "+OK\r\n"], "+OK "),
            (Combine::AllSucceeded, &["+OK\r\n", "-ERR no\r\n"], "-ERR no  X was done at h:1, refused at h:2"),
            (Combine::Sum, &["-ERR no\r\n", ":1\r\n"], "-ERR no  X was done at h:2, refused at h:1"),
            (Combine::AllSucceeded, &["-ERR a\r\n", "-ERR b\r\n"], "-ERR a "),
            (Combine::OneSucceeded, &["-NOTBUSY\r\n", "+OK\r\n"], "+OK "),
            (Combine::OneSucceeded, &["-NOTBUSY\r\n", "-NOTBUSY\r\n"], "-NOTBUSY "),
        ] {
            assert_eq!(made(combine, replies), one, "{combine:?} {replies:?}");
        }
    }
}
