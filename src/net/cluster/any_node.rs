//! Commands without keys: at one node, or at every primary.

use redis::{Cmd, Value};

use super::super::endpoint::Address;
use super::super::error::Lost;
use super::super::session::Session;
use super::Cluster;
use crate::command::request::Request;
use crate::reply::OwnedFrame;

impl Cluster {
    /// Sends a command without keys to one node: the one that stands for the cluster if it is a primary,
    /// else the first primary that can be reached.
    pub(super) fn call_keyless(&mut self, request: &Request) -> Result<OwnedFrame, Lost> {
        let candidates = self.keyless_nodes();
        self.at_first(candidates, |session| session.call(request))
    }

    /// Asks one node what nobody typed: not the one that watches keys, unless it is the only one.
    pub(in crate::net) fn ask_keyless(&mut self, question: &Cmd) -> Result<Value, Lost> {
        let mut candidates = self.keyless_nodes();
        candidates.sort_by_key(|node| self.watches_at(node));
        self.at_first(candidates, |session| session.ask(question))
    }

    fn keyless_nodes(&self) -> Vec<Address> {
        let mut candidates: Vec<Address> = self.map.primaries().cloned().collect();
        candidates.sort_by_key(|address| *address != self.endpoint.address);
        if candidates.is_empty() {
            candidates.push(self.endpoint.address.clone());
        }
        candidates
    }

    /// Does something at the first node that can be reached.
    fn at_first<T>(
        &mut self,
        candidates: Vec<Address>,
        mut call: impl FnMut(&mut Session) -> Result<T, Lost>,
    ) -> Result<T, Lost> {
        let mut unreached = Lost::Closed;
        for node in candidates {
            self.last = node.clone();
            match self.session(&node, false) {
                Ok(session) => {
                    let answer = call(session);
                    if answer.is_err() {
                        self.drop_session(&node);
                    }
                    return answer;
                }
                Err(lost @ Lost::Unreached(_)) => unreached = lost,
                Err(lost) => return Err(lost),
            }
        }
        Err(unreached)
    }

    /// Runs a command without keys on every primary; the reply is a map of their replies by address.
    pub fn call_all(&mut self, request: &Request) -> Result<OwnedFrame, Lost> {
        let nodes = self.reach_all(|cluster| cluster.map.primaries().cloned().collect())?;
        let mut replies = Vec::with_capacity(nodes.len());
        for (node, answer) in self.call_each(nodes, request) {
            self.last = node;
            replies.push((self.last.to_string(), answer?));
        }
        self.note_state_everywhere(request, &replies);
        Ok(OwnedFrame::map(&replies))
    }
}
