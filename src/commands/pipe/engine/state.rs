//! Commands that set the state of a connection: every node gets them, between the commands before and after them, and
//! so does a node that is connected to later (contract section 6).

use super::super::in_flight::{Answered, Command};
use super::super::node::Node;
use super::super::output::Output;
use super::super::reorder::{Entry, NONE};
use super::{Engine, Halt, Loss, no_node};
use crate::command::request::Request;
use crate::command::restrictions::{Effect, effect_of};
use crate::net::Lost;
use crate::reply::{ErrorReply, OwnedFrame};

impl Engine {
    /// Has every node run a command that sets the state; nothing else is in flight.
    pub fn set_state(&mut self, request: &Request, file: u32, output: &mut Output) -> Result<(), Halt> {
        let number = self.reorder.push(Entry::new(NONE, NONE, false, request.packed_size()));
        let command = Command { number, file, request: request.clone() };
        self.setting = Some((number, command.origin()));
        let answer = match self.set_everywhere(request) {
            Ok(answer) => answer,
            Err(loss) => return Err(Halt::Lost(Loss { command: Some(command.into()), ..loss })),
        };
        self.setting = None;
        Ok(self.reorder.answer(number, answer.frame(), Answered::Known(&command), output)?)
    }

    /// The same for commands that are skipped, and whatever else a lone server is to run again: what is answered.
    pub fn restore_state(&mut self, requests: &[Request]) -> Result<Vec<OwnedFrame>, Lost> {
        if let (None, [Node { session: Some(session), .. }]) = (&self.cluster, self.nodes.as_mut_slice()) {
            return session.call_all(requests);
        }
        let answers = requests.iter().map(|request| {
            self.set_everywhere(request).map_err(|loss| match (loss.lost, loss.node) {
                (lost @ Lost::Interrupted(_), _) | (lost, None) => lost,
                (lost, Some(node)) => Lost::refused(format!("{node}: {}", lost.reason())),
            })
        });
        answers.collect()
    }

    /// What the nodes answer. One that refuses what another one has taken ends the run: from here on they differ.
    fn set_everywhere(&mut self, request: &Request) -> Result<OwnedFrame, Loss> {
        // One that was closed while nobody used it is opened again: nothing was sent that could be lost.
        for node in &mut self.nodes {
            if node.session.as_mut().is_some_and(|session| session.look_after().is_err()) {
                node.reset(self.window);
            }
        }
        for primary in self.primaries() {
            self.open_node(&primary, false)?;
        }
        for session in self.nodes.iter_mut().filter_map(|node| node.session.as_mut()) {
            session.begin(request);
            // A node that cannot be written to is found gone when it is read from.
            let _ = session.send();
        }
        let (mut taken, mut refused) = (None, None);
        for node in &mut self.nodes {
            let Some(session) = &mut node.session else { continue };
            match session.answer() {
                Ok(answer) if answer.frame().is_error() => refused = Some((node.address.to_string(), answer)),
                Ok(answer) => taken = Some(answer),
                Err(lost) => return Err(Loss { node: Some(node.address.to_string()), ..lost.into() }),
            }
        }
        match (taken, refused) {
            (Some(answer), None) => {
                if let Effect::Sets(setting) = effect_of(request) {
                    self.settings.keep(setting, request);
                }
                Ok(answer)
            }
            (None, Some((_, answer))) => Ok(answer),
            (Some(_), Some((node, answer))) => {
                let error = ErrorReply::new(answer.frame().head().text);
                let what = format!("{}: {}, which other nodes have taken", request.shown(100), error.reason());
                Err(Loss { node: Some(node), ..Lost::refused(what).into() })
            }
            (None, None) => Err(no_node().into()),
        }
    }
}
