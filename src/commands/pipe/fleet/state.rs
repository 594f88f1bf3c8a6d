//! Commands that set the state of a connection: every node gets them, between the commands before and after them, and
//! so does a node that is connected to later (contract section 6).

use super::super::flight::Origin;
use super::super::order::NONE;
use super::{Fleet, Loss};
use crate::connection_state::{Effect, effect_of};
use crate::reply::{ErrorReply, OwnedFrame};
use crate::request::Request;
use crate::server::{Address, Lost};

impl Fleet {
    /// Has every node run a command that sets the state; nothing else is in flight.
    pub fn set_state(&mut self, request: &Request, origin: Origin) -> Result<(), Loss> {
        let number = self.order.push(origin, NONE, request.packed_size());
        self.setting = Some(number);
        let answer = self.set_everywhere(request).map_err(|mut loss| {
            // As the command of an answer that cannot be decoded it is known by its number.
            let mut command = request.clone();
            command.line = number;
            loss.command = Some(Box::new(command));
            loss
        })?;
        self.setting = None;
        self.reply_here(number, request, &answer);
        Ok(())
    }

    /// The same for commands that are skipped: what the nodes answer.
    pub fn restore_state(&mut self, requests: &[Request]) -> Result<Vec<OwnedFrame>, Lost> {
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            answers.push(self.set_everywhere(request).map_err(|loss| match (loss.lost, loss.node) {
                (lost @ Lost::Interrupted(_), _) | (lost, None) => lost,
                (lost, Some(node)) => Lost::Refused(format!("{node}: {}", lost.reason())),
            })?);
        }
        Ok(answers)
    }

    /// What the nodes answer. One that refuses what another one has taken ends the run: from here on they differ.
    fn set_everywhere(&mut self, request: &Request) -> Result<OwnedFrame, Loss> {
        // One that was closed while nobody used it is opened again: nothing was sent that could be lost.
        for lane in &mut self.lanes {
            if lane.session_mut().is_some_and(|session| session.look_after().is_err()) {
                lane.reset(self.window);
            }
        }
        let primaries: Vec<Address> = self.cluster.map().primaries().cloned().collect();
        for primary in &primaries {
            self.open_lane(primary, false)?;
        }
        for lane in &mut self.lanes {
            if let Some(session) = lane.session_mut() {
                session.begin(request);
                // A node that cannot be written to is found gone when it is read from.
                let _ = session.send();
            }
        }
        let (mut taken, mut refused) = (None, None);
        for lane in &mut self.lanes {
            let node = lane.address().to_string();
            let Some(session) = lane.session_mut() else { continue };
            match session.answer() {
                Ok(answer) if answer.frame().is_error() => refused = Some((node, answer)),
                Ok(answer) => taken = Some(answer),
                Err(lost) => return Err(Loss { lost, node: Some(node), command: None }),
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
                let what = format!("{}: {error}, which other nodes have taken", request.shown(100));
                Err(Loss { node: Some(node), ..Lost::Refused(what).into() })
            }
            (None, None) => Err(Lost::Unreached("no node of the cluster can be reached".to_owned()).into()),
        }
    }
}
