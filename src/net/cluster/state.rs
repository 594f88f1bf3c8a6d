//! What commands set on the connections with the nodes: the database, the name and their kind (contract sections 10 and
//! 11). At one node when it is typed, at each other one before it is used next, and again on a connection that is new.

use super::super::endpoint::Address;
use super::super::error::Lost;
use super::Cluster;
use crate::command::request::Request;
use crate::command::restrictions::{Effect, Setting, effect_of};
use crate::reply::{ErrorReply, Frame, OwnedFrame};
use crate::text;

/// The longest part of a command in a message, in characters.
const SHOWN: usize = 60;

impl Cluster {
    /// Runs a command that sets the state of the connection.
    pub(super) fn set_state(&mut self, request: &Request) -> Result<OwnedFrame, Lost> {
        let answer = self.call_keyless(request)?;
        self.note_state(request, answer.frame());
        Ok(answer)
    }

    /// Takes note of what a command has set at the node that was asked last.
    pub(in crate::net) fn note_state(&mut self, request: &Request, answer: Frame<'_>) {
        let last = self.last.clone();
        if !answer.is_error() {
            self.note_set(request, |node| *node == last);
        }
    }

    /// The same of every primary; what one of them has refused holds at none that is opened later.
    pub(super) fn note_state_everywhere(&mut self, request: &Request, answers: &[(String, OwnedFrame)]) {
        if !answers.iter().any(|(_, answer)| answer.frame().is_error()) {
            let primaries: Vec<Address> = self.map.primaries().cloned().collect();
            self.note_set(request, |node| primaries.contains(node));
        }
    }

    fn note_set(&mut self, request: &Request, is_told: impl Fn(&Address) -> bool) {
        let told = self.nodes.iter_mut().filter(|node| is_told(&node.address));
        match effect_of(request) {
            Effect::Sets(Setting::Database) => {
                let Some(db) = text::number(request.arg(1)) else { return };
                self.endpoint.db = db;
                told.for_each(|node| node.db = db);
            }
            Effect::Sets(setting) => {
                self.settings.keep(setting, request);
                told.for_each(|node| node.told = self.settings.latest());
            }
            _ => {}
        }
    }

    /// Has a node set what was set last, where that was at another node or on another connection.
    pub(in crate::net) fn follow_state(&mut self, at: usize) -> Result<(), Lost> {
        let followed = self.follow_select(at).and_then(|()| self.follow_settings(at));
        followed.map_err(|lost| {
            let node = &mut self.nodes[at];
            node.session = None;
            lost.while_preparing(&node.address.to_string())
        })
    }

    fn follow_select(&mut self, at: usize) -> Result<(), Lost> {
        let (node, db) = (&mut self.nodes[at], self.endpoint.db);
        let Some(session) = node.session.as_mut().filter(|_| node.db != db) else { return Ok(()) };
        let answer = session.call(&Request::new(["SELECT", &db.to_string()]))?;
        if let Some(error) = ErrorReply::of(answer.frame()) {
            return Err(Lost::refused(format!("{} refused database {db}: {}", node.address, error.reason())));
        }
        node.db = db;
        Ok(())
    }

    /// What a node refuses is told, and it is used without.
    fn follow_settings(&mut self, at: usize) -> Result<(), Lost> {
        let node = &mut self.nodes[at];
        let told = std::mem::replace(&mut node.told, self.settings.latest());
        let Some(session) = node.session.as_mut() else { return Ok(()) };
        for request in self.settings.since(told) {
            let answer = session.call(request)?;
            if let Some(error) = ErrorReply::of(answer.frame()) {
                self.refused.push(format!(
                    "{} was refused by {}: {}",
                    request.shown(SHOWN),
                    node.address,
                    error.reason()
                ));
            }
        }
        Ok(())
    }

    /// What nodes have refused of what was set at others, since the last time.
    pub fn take_refused(&mut self) -> Vec<String> {
        std::mem::take(&mut self.refused)
    }
}
