//! The commands of each slot that are in flight, counted while any slot moves. While all of them rest nothing has to be
//! counted: whatever is in flight of a slot is at its owner.

use std::collections::BTreeSet;

use super::super::reorder::{NONE, Reorder};
use super::Engine;
use crate::net::SLOTS;

/// What is known of a slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// How many of its commands are in flight.
    pub in_flight: u32,
    /// The node that the latest of them was given to.
    pub latest: u16,
    /// Whether its commands are held.
    pub is_held: bool,
}

/// The slots while any of them moves.
#[derive(Debug)]
pub(super) struct Traffic {
    slots: Vec<Slot>,
    /// Those that were waited for in vain: until one of its commands runs, the others are not waited for.
    pub given_up: BTreeSet<u16>,
    /// When all commands before this number are written, nothing is in flight at a node that owned its slot before.
    unsettled: u64,
}

impl Traffic {
    /// What is in flight where all slots rested until now.
    fn of(reorder: &Reorder) -> Self {
        let mut slots = vec![Slot { in_flight: 0, latest: NONE, is_held: false }; SLOTS.into()];
        for entry in reorder.in_flight() {
            slots[usize::from(entry.slot)].note_given(entry.node);
        }
        Self { slots, given_up: BTreeSet::new(), unsettled: 0 }
    }

    pub(super) fn slot(&self, slot: u16) -> &Slot {
        &self.slots[usize::from(slot)]
    }

    pub(super) fn slot_mut(&mut self, slot: u16) -> &mut Slot {
        &mut self.slots[usize::from(slot)]
    }
}

impl Slot {
    pub(super) fn note_given(&mut self, node: u16) {
        self.in_flight += 1;
        self.latest = node;
    }
}

impl Engine {
    /// Something moves: counts from here on until all that is in flight now is written.
    pub(super) fn unsettle(&mut self) -> &mut Traffic {
        self.leave_only();
        let unsettled = self.next_number();
        let traffic = self.traffic.get_or_insert_with(|| Traffic::of(&self.reorder));
        traffic.unsettled = unsettled;
        traffic
    }

    /// Stops counting where all slots rest again.
    pub(super) fn settle(&mut self) {
        let written = self.reorder.turn();
        let is_at_rest = |traffic: &mut Traffic| traffic.unsettled <= written && traffic.given_up.is_empty();
        if self.held.is_empty() {
            self.traffic.take_if(is_at_rest);
        }
    }
}
