//! Commands that a node sent elsewhere, and those behind them: the commands of a slot stay in order while the slot
//! moves (contract section 11).

use super::super::lane::{ASKING, Lane};
use super::super::order::NONE;
use super::super::transit::Transit;
use super::{Answer, Fleet, Loss};
use crate::reply::OwnedFrame;
use crate::request::Request;
use crate::server::{Address, Lost, Redirect};

impl Fleet {
    /// Lets a command wait until its slot has come to rest.
    pub(super) fn hold(&mut self, slot: u16, number: u64, request: Request) {
        self.slots[usize::from(slot)].is_held = true;
        if let Some(entry) = self.order.get_mut(number) {
            entry.lane = NONE;
        }
        let target = self.cluster.target();
        self.transits.entry(slot).or_insert_with(|| Transit::new(target)).hold(number, request);
    }

    /// The slot has come to rest: all that waits goes to its owner, in order.
    pub(super) fn let_follow(&mut self, slot: u16) {
        if self.is_ending {
            return;
        }
        let Ok(Some(lane)) = self.owner_lane(slot) else { return };
        let Some(mut transit) = self.transits.remove(&slot) else { return };
        self.slots[usize::from(slot)].is_held = false;
        while let Some((number, request)) = transit.take_oldest() {
            self.dispatch(lane, number, &request, true);
        }
    }

    /// A node said that a command did not run there.
    pub(super) fn redirected(
        &mut self,
        at: usize,
        number: u64,
        slot: u16,
        redirect: &Redirect,
        frame: &OwnedFrame,
    ) -> Result<(), Loss> {
        let request = self.lanes[at].last_answered();
        let asked = self.lanes[at].address().clone();
        let slot = match redirect {
            Redirect::Moved(moved, _) | Redirect::Ask(moved, _) if slot == NONE => *moved,
            _ => slot,
        };
        if slot == NONE {
            self.answered(at, number, slot, Answer::Whole(frame.clone()));
            return Ok(());
        }
        let mut was_asked = false;
        if let Some(entry) = self.order.get_mut(number) {
            (entry.slot, was_asked) = (slot, entry.is_asked);
        }
        // A node that was asked and asks for another one does not know itself yet.
        if let (Redirect::Ask(_, node), false) = (redirect, self.is_ending || was_asked) {
            let node = self.cluster.reach(node, &asked);
            if let Some(lane) = self.open_lane(&node, false)? {
                let latest = self.slots[usize::from(slot)].latest;
                self.lanes[lane].push(&Request::new(["ASKING"]), ASKING);
                self.dispatch(lane, number, &request, true);
                // The slot's own node is still the one that the next commands go to.
                self.slots[usize::from(slot)].latest = latest;
                if let Some(entry) = self.order.get_mut(number) {
                    entry.is_asked = true;
                }
                return Ok(());
            }
        }
        let is_patient = match redirect {
            Redirect::Moved(moved, node) => {
                let owner = self.cluster.note_moved(*moved, node, &asked);
                self.slots[usize::from(*moved)].owner = NONE;
                self.refresh(Some(&owner))?;
                self.transits.get_mut(&slot).is_none_or(|transit| transit.follow(number))
            }
            Redirect::Ask(..) | Redirect::TryAgain | Redirect::Down => {
                let target = self.cluster.target();
                self.transits.entry(slot).or_insert_with(|| Transit::new(target)).pause()
            }
        };
        let traffic = &mut self.slots[usize::from(slot)];
        if is_patient && !traffic.is_given_up || self.is_ending {
            self.hold(slot, number, request);
        } else {
            traffic.is_given_up = true;
            self.answered(at, number, slot, Answer::Whole(frame.clone()));
        }
        Ok(())
    }

    /// Reads the slot map again, from this node first.
    pub(super) fn refresh(&mut self, first: Option<&Address>) -> Result<(), Lost> {
        if !self.is_ending && self.cluster.refresh(first)? {
            self.slots.iter_mut().for_each(|traffic| traffic.owner = NONE);
        }
        Ok(())
    }

    /// Takes back the commands of a lane of which no byte was sent.
    pub(super) fn recall(&mut self, at: usize) {
        while let Some(request) = self.lanes[at].pop_unsent() {
            let number = request.line;
            let Some(entry) = self.order.get_mut(number) else { continue };
            let slot = entry.slot;
            if entry.is_ordered {
                self.slots[usize::from(slot)].in_flight -= 1;
            }
            if slot == NONE {
                // It goes to any node; a slot is as good as another.
                entry.slot = 0;
            }
            let slot = entry.slot;
            self.hold(slot, number, request);
        }
    }

    /// Sends ahead what waits and may go.
    pub fn advance(&mut self) -> Result<(), Loss> {
        if self.transits.is_empty() || self.is_ending {
            return Ok(());
        }
        let is_idle = |slot: u16| self.slots[usize::from(slot)].in_flight == 0;
        let due = self.transits.iter().filter(|(slot, transit)| is_idle(**slot) && transit.is_due());
        let due: Vec<u16> = due.map(|(slot, _)| *slot).collect();
        for slot in due {
            self.send_ahead(slot)?;
        }
        Ok(())
    }

    pub(super) fn send_ahead(&mut self, slot: u16) -> Result<(), Loss> {
        let lane = self.owner_lane(slot)?;
        let Some(transit) = self.transits.get_mut(&slot) else { return Ok(()) };
        if transit.is_over() {
            self.transits.remove(&slot);
            self.slots[usize::from(slot)].is_held = false;
            return Ok(());
        }
        let Some(lane) = lane else {
            if !transit.pause() {
                return Err(Lost::Unreached(format!("slot {slot}: {}", self.describe_unreached(slot))).into());
            }
            return Ok(self.refresh(None)?);
        };
        if let Some((number, request)) = transit.take_oldest() {
            transit.send_ahead(number);
            self.dispatch(lane, number, &request, true);
        }
        Ok(())
    }

    /// Why nobody takes the commands of a slot.
    fn describe_unreached(&self, slot: u16) -> String {
        let Some(shard) = self.cluster.map().owner(slot) else { return "no node serves it".to_owned() };
        let lane = self.lanes.iter().find(|lane| lane.leads_to(&shard.primary, false));
        lane.and_then(Lane::unreached).map_or_else(|| format!("cannot connect to {}", shard.primary), str::to_owned)
    }
}
