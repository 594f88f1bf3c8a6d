//! Commands that a node sent elsewhere, and those behind them: the commands of a slot stay in order while the slot
//! moves (contract section 11).

use super::super::held_slot::HeldSlot;
use super::super::in_flight::{ASKING, Answered, Command};
use super::super::node::Node;
use super::super::output::Output;
use super::super::reorder::NONE;
use super::{Engine, Halt};
use crate::command::request::Request;
use crate::net::{Address, Lost, Redirect};
use crate::reply::OwnedFrame;

impl Engine {
    /// Lets a command wait until its slot has come to rest.
    pub(super) fn hold(&mut self, slot: u16, command: Command) {
        if let Some(entry) = self.reorder.get_mut(command.number) {
            entry.node = NONE;
        }
        self.unsettle().slot_mut(slot).is_held = true;
        if let Some(held) = self.held_slot(slot) {
            held.hold(command);
        }
    }

    fn held_slot(&mut self, slot: u16) -> Option<&mut HeldSlot> {
        let endpoint = self.cluster.as_ref()?.endpoint();
        Some(self.held.entry(slot).or_insert_with(|| HeldSlot::new(endpoint)))
    }

    /// A command of a slot that is held was answered.
    pub(super) fn note_answered(&mut self, slot: u16, number: u64) {
        if self.held.get_mut(&slot).is_some_and(|held| held.note_answered(number)) {
            self.release_held(slot);
        }
    }

    /// The slot has come to rest: all that waits goes to its owner, in order.
    fn release_held(&mut self, slot: u16) {
        if self.is_ending {
            return;
        }
        let Ok(Some(owner)) = self.owner(slot) else { return };
        let Some(mut held) = self.held.remove(&slot) else { return };
        self.unsettle().slot_mut(slot).is_held = false;
        while let Some(command) = held.take_oldest() {
            self.dispatch(owner, &command);
        }
    }

    /// A node said that a command did not run there.
    pub(super) fn redirected(
        &mut self,
        at: usize,
        number: u64,
        redirect: &Redirect,
        answer: &OwnedFrame,
        output: &mut Output,
    ) -> Result<(), Halt> {
        if self.only.is_some() {
            // It has not run, and gets its place like all behind it.
            self.nodes[at].in_flight.unanswer();
            self.leave_only();
            self.nodes[at].in_flight.answer();
        }
        let Some(command) = self.nodes[at].in_flight.last_answered() else { return Ok(()) };
        let Some(entry) = self.reorder.get_mut(number) else { return Ok(()) };
        entry.node = NONE;
        if let (NONE, Redirect::Moved(slot, _) | Redirect::Ask(slot, _)) = (entry.slot, redirect) {
            entry.slot = *slot;
        }
        let (slot, was_asked) = (entry.slot, entry.is_asked);
        if slot == NONE {
            return Ok(self.reorder.answer(number, answer.frame(), Answered::Known(&command), output)?);
        }
        self.unsettle();
        let asked = &self.nodes[at].address;
        let Some(cluster) = &mut self.cluster else { return Ok(()) };
        let is_patient = match redirect {
            // A node that was asked and asks for another one does not know yet who owns the slot.
            Redirect::Ask(_, node) if !self.is_ending && !was_asked => {
                let node = cluster.reach(node, asked);
                if self.ask(&node, slot, &command)? {
                    return Ok(());
                }
                self.held_slot(slot).is_some_and(HeldSlot::pause)
            }
            Redirect::Moved(moved, node) => {
                let owner = cluster.note_moved(*moved, node, asked);
                self.owners[usize::from(*moved)] = NONE;
                self.refresh(Some(&owner))?;
                self.held.get_mut(&slot).is_none_or(|held| held.follow(number))
            }
            Redirect::Ask(..) | Redirect::TryAgain => self.held_slot(slot).is_some_and(HeldSlot::pause),
            Redirect::Down => self.held_slot(slot).is_some_and(HeldSlot::pause_down),
        };
        let traffic = self.unsettle();
        let (is_held, is_given_up) = (traffic.slot(slot).is_held, traffic.given_up.contains(&slot));
        if is_patient && !is_given_up || self.is_ending {
            self.hold(slot, command);
            return Ok(());
        }
        self.unsettle().given_up.insert(slot);
        self.reorder.answer(number, answer.frame(), Answered::Known(&command), output)?;
        if is_held {
            self.note_answered(slot, number);
        }
        Ok(())
    }

    /// Asks a node to which the slot is on its way; false where it cannot be reached.
    fn ask(&mut self, address: &Address, slot: u16, command: &Command) -> Result<bool, Lost> {
        let Some(at) = self.open_node(address, false)? else { return Ok(false) };
        let latest = self.unsettle().slot(slot).latest;
        self.nodes[at].in_flight.push(&Request::new(["ASKING"]), ASKING, command.file);
        self.dispatch(at, command);
        // The slot's own node is still the one that the next commands go to.
        self.unsettle().slot_mut(slot).latest = latest;
        if let Some(entry) = self.reorder.get_mut(command.number) {
            entry.is_asked = true;
        }
        Ok(true)
    }

    /// Reads the slot map again, from this node first.
    pub(super) fn refresh(&mut self, first: Option<&Address>) -> Result<(), Lost> {
        if let Some(cluster) = self.cluster.as_mut().filter(|_| !self.is_ending)
            && cluster.refresh(first)?
        {
            self.owners.fill(NONE);
            self.unsettle();
        }
        Ok(())
    }

    /// Takes back the commands of a node of which no byte was sent. A lone server's are forgotten.
    pub(super) fn requeue_unsent(&mut self, at: usize) {
        self.leave_only();
        while let Some(command) = self.nodes[at].in_flight.pop_unsent() {
            if self.cluster.is_some() {
                self.unsettle();
            }
            let Some(entry) = self.reorder.get_mut(command.number) else { continue };
            if let (true, Some(traffic)) = (entry.is_ordered, &mut self.traffic) {
                traffic.slot_mut(entry.slot).in_flight -= 1;
            }
            if entry.slot == NONE {
                // It goes to any node; a slot is as good as another.
                entry.slot = 0;
            }
            let slot = entry.slot;
            self.hold(slot, command);
        }
    }

    /// Sends ahead what is held and may go.
    pub fn advance(&mut self) -> Result<(), Lost> {
        if self.held.is_empty() || self.is_ending {
            return Ok(());
        }
        let Some(traffic) = &self.traffic else { return Ok(()) };
        let is_idle = |slot: u16| traffic.slot(slot).in_flight == 0;
        let due = self.held.iter().filter(|(slot, held)| is_idle(**slot) && held.is_due());
        let due: Vec<u16> = due.map(|(slot, _)| *slot).collect();
        self.look_for_others(&due)?;
        due.into_iter().try_for_each(|slot| self.send_ahead(slot))
    }

    /// Reads the slot map again where an owner of these slots does not serve: once for all of them, for none may tell it.
    fn look_for_others(&mut self, slots: &[u16]) -> Result<(), Lost> {
        let mut down = None;
        for slot in slots {
            if self.held.get_mut(slot).is_some_and(HeldSlot::take_down) {
                down = Some(*slot);
            }
        }
        let Some(cluster) = &mut self.cluster else { return Ok(()) };
        let owner = down.and_then(|slot| cluster.map().owner(slot)).map(|shard| shard.primary.clone());
        if let Some(owner) = owner
            && cluster.refresh_beside(&owner)?
        {
            self.owners.fill(NONE);
        }
        Ok(())
    }

    fn send_ahead(&mut self, slot: u16) -> Result<(), Lost> {
        let owner = self.owner(slot)?;
        let Some(held) = self.held.get_mut(&slot) else { return Ok(()) };
        if held.is_over() {
            self.held.remove(&slot);
            self.unsettle().slot_mut(slot).is_held = false;
            return Ok(());
        }
        let Some(owner) = owner else {
            if !held.pause() {
                return Err(Lost::Unreached(format!("slot {slot}: {}", self.describe_unreached(slot))));
            }
            return self.refresh(None);
        };
        if let Some(command) = held.take_oldest() {
            held.send_ahead(command.number);
            self.dispatch(owner, &command);
        }
        Ok(())
    }

    /// Why nobody takes the commands of a slot.
    fn describe_unreached(&self, slot: u16) -> String {
        let shard = self.cluster.as_ref().and_then(|cluster| cluster.map().owner(slot));
        let Some(shard) = shard else { return "no node serves it".to_owned() };
        let node = self.nodes.iter().find(|node| node.is(&shard.primary, false));
        node.and_then(Node::unreached).map_or_else(|| format!("cannot connect to {}", shard.primary), str::to_owned)
    }
}
