//! A cluster in which one node serves all slots is piped to as a lone server is: it answers in order, so nothing has to be
//! kept of its commands but what is in flight. With the first sign of another node, or a command that has no place there,
//! what is in flight gets its slots and its places in the order, as if it had been given to one node of many.

use super::super::reorder::Entry;
use super::{Engine, short};
use crate::command::request::Request;
use crate::net::Lost;

impl Engine {
    /// Gives a command to the only server; false where there are several.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every command; the call costs as much as what it does")]
    pub fn take(&mut self, request: &Request, file: u32) -> bool {
        if self.cluster.is_none() {
            let number = self.next_number();
            self.nodes[0].in_flight.push(request, number, file);
        }
        self.cluster.is_none()
    }

    /// Finds the only node, and connects to it; nothing is in flight.
    pub(super) fn find_only(&mut self) -> Result<(), Lost> {
        let Some(cluster) = &self.cluster else { return Ok(()) };
        if self.reads_from_replicas || self.is_ending || self.traffic.is_some() || !self.held.is_empty() {
            return Ok(());
        }
        if let Some(primary) = cluster.map().only_primary().cloned() {
            self.only = self.open_node(&primary, false)?;
        }
        Ok(())
    }

    /// From here on other nodes may have to do with what is in flight.
    pub(super) fn leave_only(&mut self) {
        let Some(cluster) = &mut self.cluster else { return };
        let Some(at) = self.only.take() else { return };
        for command in self.nodes[at].in_flight.unanswered_commands() {
            // What has a slot is all that was given to it.
            let slot = cluster.slot_of(&command.request).unwrap_or_default();
            self.reorder.push(Entry::new(slot, short(at), true, command.request.packed_size()));
        }
    }
}
