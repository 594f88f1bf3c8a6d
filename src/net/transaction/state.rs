//! The MULTI … EXEC block on this side of the connection: what a command means inside and outside of one.
//! No I/O: `txn`, stdin and the REPL feed it and do what it says (contract sections 5, 7 and 10).

use crate::command::request::Request;
use crate::command::restrictions::{Effect, effect_of};
use crate::memory;

/// What is to be done with a command.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send it: no block is open.
    Run,
    /// Answer OK: MULTI opened a block.
    Opened,
    /// Check it against the server's command table, then [`Transaction::queue`] it and answer QUEUED.
    Queue,
    /// Answer this error; the block stays as it was.
    Refused(&'static str),
    /// Send these as MULTI … EXEC in one write: EXEC closed the block.
    Execute(Vec<Request>),
    /// Answer OK: DISCARD dropped the block.
    Discarded,
    /// Send it: RESET dropped the block, and takes away what else there is.
    Reset,
}

/// The block, if one is open.
#[derive(Debug, Default)]
pub struct Transaction {
    block: Option<Vec<Request>>,
}

impl Transaction {
    /// What a MULTI and a WATCH in a block are answered, which is open still after that.
    pub const REFUSALS: [&str; 2] = ["ERR MULTI calls can not be nested", "ERR WATCH inside MULTI is not allowed"];

    /// What a command means now.
    pub fn feed(&mut self, request: &Request) -> Step {
        let effect = effect_of(request);
        let is_alone = request.len() == 1;
        let Some(block) = &mut self.block else {
            if effect == Effect::Multi && is_alone {
                self.block = Some(Vec::new());
                return Step::Opened;
            }
            return Step::Run;
        };
        match effect {
            Effect::Exec if is_alone => {
                let block = std::mem::take(block);
                self.block = None;
                Step::Execute(block)
            }
            Effect::Discard if is_alone => {
                self.block = None;
                Step::Discarded
            }
            Effect::Reset if is_alone => {
                self.block = None;
                Step::Reset
            }
            Effect::Multi => Step::Refused(Self::REFUSALS[0]),
            Effect::Watch => Step::Refused(Self::REFUSALS[1]),
            _ => Step::Queue,
        }
    }

    /// Adds a checked command to the open block; false where memory has no room for it.
    pub fn queue(&mut self, request: &Request) -> bool {
        let Some(block) = &mut self.block else { return true };
        let has_room = memory::may_grow(block);
        if has_room {
            block.push(request.clone());
        }
        has_room
    }

    /// Opens the block of an EXEC again: it did not get to the server.
    pub fn reopen(&mut self, block: Vec<Request>) {
        self.block = Some(block);
    }

    /// The commands that wait in the open block.
    pub fn commands(&self) -> &[Request] {
        self.block.as_deref().unwrap_or_default()
    }

    /// How many commands wait in the open block; none if no block is open.
    pub fn queued(&self) -> Option<usize> {
        self.block.as_ref().map(Vec::len)
    }
}
