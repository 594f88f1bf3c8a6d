//! Blocks over a cluster: what is watched and where, and MULTI … EXEC at the one node that owns its slot
//! (contract sections 7 and 11). A block that was told to go elsewhere did not run, and goes there as a whole.

use super::super::cluster::Cluster;
use super::super::cluster::key_slot::slot_of;
use super::super::cluster::redirects::{Redirect, asking};
use super::super::cluster::router::{Route, describe_slots, first_key};
use super::super::endpoint::Address;
use super::super::error::{Lost, LostBlock};
use super::super::session::Session;
use super::Transacted;
use crate::command::request::Request;
use crate::reply::{ErrorReply, OwnedFrame};

/// What is watched, and where.
pub struct Watch {
    slot: u16,
    /// One of the keys, for messages.
    key: Vec<u8>,
    pub node: Address,
    /// Whether the slot was on its way to that node, which is to be told so each time.
    is_asked: bool,
}

impl Cluster {
    /// WATCHes the keys, if there are any. The node that watches is the one that the block has to go to.
    pub fn watch(&mut self, keys: &[&[u8]]) -> Result<Result<(), ErrorReply>, Lost> {
        let mut slots: Vec<(u16, &[u8])> = keys.iter().map(|key| (slot_of(key), *key)).collect();
        let watched = self.watch.as_ref().map(|watch| (watch.slot, watch.key.clone()));
        slots.extend(watched.as_ref().map(|(slot, key)| (*slot, key.as_slice())));
        slots.reverse();
        slots.dedup_by_key(|(slot, _)| *slot);
        match slots.as_slice() {
            [] => return Ok(Ok(())),
            [_] if keys.is_empty() => return Ok(Ok(())),
            [_] => {}
            several => return Ok(Err(ErrorReply::new(describe_slots(several).as_bytes()))),
        }
        let (slot, key) = (slots[0].0, slots[0].1.to_vec());
        let (is_asked, answer) = self.at_slot(slot, false, |session, is_asked| {
            let answer = session.watch(is_asked.then(asking).as_ref(), keys)?;
            Ok::<_, Lost>((answer.as_ref().err().and_then(Redirect::of_error), (is_asked, answer)))
        })?;
        if answer.is_ok() {
            self.watch = Some(Watch { slot, key, node: self.last.clone(), is_asked });
        }
        Ok(answer)
    }

    pub(in crate::net) fn unwatch(&mut self, request: &Request) -> Result<OwnedFrame, Lost> {
        let Some(watch) = &self.watch else { return Ok(OwnedFrame::simple("OK")) };
        self.last = watch.node.clone();
        let answer = self.watching_session()?.call(request);
        match &answer {
            Ok(answer) if answer.frame().is_error() => {}
            Ok(_) => self.watch = None,
            // What it may still answer answers nothing that will be asked.
            Err(_) => self.forget_watch(),
        }
        answer
    }

    /// Whether a block can run: all its keys, and the watched ones, in one slot. The error names the first command
    /// that does not fit, by its place in the block, and says why.
    pub fn check_block<'a>(
        &mut self,
        block: impl Iterator<Item = &'a Request>,
    ) -> Result<Result<Option<u16>, (usize, String)>, Lost> {
        let mut first: Option<(u16, Vec<u8>)> = self.watch.as_ref().map(|watch| (watch.slot, watch.key.clone()));
        for (index, request) in block.enumerate() {
            match self.route(request)? {
                Err(error) => return Ok(Err((index, error.to_string()))),
                Ok(Route::Slot { slot, .. }) => {
                    let (known, key) = first.get_or_insert_with(|| (slot, first_key(request)));
                    if *known != slot {
                        let reason = describe_slots(&[(*known, key), (slot, &first_key(request))]);
                        return Ok(Err((index, reason)));
                    }
                }
                Ok(Route::Keyless | Route::Refused) => {}
            }
        }
        Ok(Ok(first.map(|(slot, _)| slot)))
    }

    /// Why a command cannot join a block whose commands fit each other: its keys are in another slot.
    pub fn check_joins(&mut self, block: &[Request], request: &Request) -> Result<Option<String>, Lost> {
        let mut keyed = None;
        for queued in block {
            if let Ok(Route::Slot { .. }) = self.route(queued)? {
                keyed = Some(queued);
                break;
            }
        }
        Ok(self.check_block(keyed.into_iter().chain([request]))?.err().map(|(_, reason)| reason))
    }

    /// Runs a block at the node that owns its slot. A redirection while it was queued means that nothing ran, and it
    /// goes on at the right node as a whole; keys watched at the wrong one are void, and the block counts as aborted.
    pub fn transact(&mut self, block: &[&Request]) -> Result<Transacted, LostBlock> {
        let transacted = self.transact_at_slot(block)?;
        if let Transacted::Executed(replies) = &transacted {
            let replies = block.iter().zip(replies.frame().children());
            replies.for_each(|(request, reply)| self.note_state(request, reply));
        }
        Ok(transacted)
    }

    fn transact_at_slot(&mut self, block: &[&Request]) -> Result<Transacted, LostBlock> {
        let slot = match self.check_block(block.iter().copied())? {
            Ok(slot) => slot,
            Err((_, reason)) => return Ok(Transacted::Denied(ErrorReply::new(reason.as_bytes()))),
        };
        if let Some(watch) = &self.watch {
            self.last = watch.node.clone();
            let first = watch.is_asked.then(asking);
            let at = self.watching()?;
            self.follow_state(at)?;
            let session = self.watching_session()?;
            let done = session.transact(first.as_ref(), block.iter().copied())?;
            if done.ends_watch() {
                self.watch = None;
            }
            match redirect_of(&done) {
                None | Some(Redirect::Down) => return Ok(done),
                Some(Redirect::Moved(slot, owner)) => {
                    let asked = self.last.clone();
                    self.note_moved(slot, &owner, &asked);
                }
                Some(Redirect::Ask(..) | Redirect::TryAgain) => {}
            }
            self.watch = None;
            return Ok(Transacted::Aborted);
        }
        self.at_slot(slot.unwrap_or_default(), false, |session, is_asked| {
            // Inside MULTI the permission that ASKING gives lasts until EXEC.
            let done = session.transact(is_asked.then(asking).as_ref(), block.iter().copied())?;
            Ok::<_, LostBlock>((redirect_of(&done), done))
        })
    }

    /// Whether keys are watched at this node: it is asked nothing that was not typed, as long as another node can be.
    pub(in crate::net) fn watches_at(&self, node: &Address) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.node == *node)
    }

    /// The session that watches keys. It is never opened again: the WATCH would be lost with it.
    pub(in crate::net) fn watching_session(&mut self) -> Result<&mut Session, Lost> {
        let at = self.watching()?;
        self.nodes[at].session.as_mut().ok_or(Lost::Closed)
    }

    fn watching(&self) -> Result<usize, Lost> {
        let address = self.watch.as_ref().map(|watch| &watch.node);
        self.nodes.iter().position(|node| Some(&node.address) == address).ok_or(Lost::Closed)
    }
}

/// Why a block that did not run is to be tried elsewhere or later; none where it ran, or has itself to blame.
pub(super) fn redirect_of(done: &Transacted) -> Option<Redirect> {
    done.refusals().find_map(Redirect::of_error)
}
