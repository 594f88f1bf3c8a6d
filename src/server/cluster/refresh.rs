//! The slot map of a cluster: asked of a node, and of the next one where that has none.

use std::time::{Duration, Instant};

use redis::Value;

use super::super::session::{Lost, error_text};
use super::super::slots::SlotMap;
use super::super::target::Address;
use super::{Cluster, unopened};
use crate::request::Request;

/// A map this young is not asked for again.
const FRESH: Duration = Duration::from_millis(100);

impl Cluster {
    /// Asks one node for its id and its slot map, in one write. The inner error says why that is no map.
    pub(super) fn read_map(&mut self, node: &Address) -> Result<Result<(), String>, Lost> {
        let deadline = Instant::now() + self.target.connect_timeout;
        let session = self.session(node, false)?;
        Request::new(["CLUSTER", "MYID"]).pack(session.outgoing());
        Request::new(["CLUSTER", "SLOTS"]).pack(session.outgoing());
        // A node that hangs is not waited for: another one knows the map too.
        let id = session.answer_before(deadline).map_err(unopened)?;
        let slots = session.answer_before(deadline).map_err(unopened)?;
        if let Value::ServerError(error) = &slots {
            let text = error_text(error);
            let hint = match error.code() {
                "NOAUTH" => "; give the user and the password",
                "NOPERM" => "; -c asks for CLUSTER SLOTS",
                _ if text.contains("cluster support disabled") => "; leave out -c",
                _ => "",
            };
            return Ok(Err(format!("{text}{hint}")));
        }
        // Nobody but the seed is reached elsewhere than announced, unless that was found out.
        if let (Value::BulkString(id), true) = (&id, self.refreshed.is_none()) {
            self.places.learn_id(&String::from_utf8_lossy(id), node);
        }
        self.places.learn_aliases(&slots, node);
        let read = SlotMap::read(&slots, node, &self.places);
        Ok(read.map(|map| {
            self.map = map;
            self.refreshed = Some(Instant::now());
        }))
    }

    /// Reads the map again from the first node that has one, `first` before others, unless it was just read; whether
    /// it was read.
    pub fn refresh(&mut self, first: Option<&Address>) -> Result<bool, Lost> {
        if self.refreshed.is_some_and(|at| at.elapsed() < FRESH) {
            return Ok(false);
        }
        let mut known: Vec<Address> = self.map.nodes().cloned().collect();
        known.push(self.target.address.clone());
        // The ones that answer are asked before those that may be down.
        let is_open =
            |address: &Address| self.nodes.iter().any(|node| node.address == *address && node.session.is_some());
        known.sort_by_key(|address| (Some(address) != first, !is_open(address)));
        for node in known {
            match self.read_map(&node) {
                Ok(Ok(())) => return Ok(true),
                Ok(Err(_)) => {}
                Err(lost) => {
                    // What it may still answer answers nothing that will be asked.
                    self.drop_session(&node);
                    if matches!(lost, Lost::Interrupted(_)) {
                        return Err(lost);
                    }
                }
            }
        }
        Ok(false)
    }
}
