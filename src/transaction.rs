//! The MULTI … EXEC block on this side of the connection: what a command means inside and outside of one.
//! No I/O: `txn`, stdin and the REPL feed it and do what it says (contract sections 5, 7 and 10).

use crate::request::Request;

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
}

/// The block, if one is open.
#[derive(Debug, Default)]
pub struct Transaction {
    block: Option<Vec<Request>>,
}

impl Transaction {
    /// What a command means now.
    pub fn feed(&mut self, request: &Request) -> Step {
        let Some(block) = &mut self.block else {
            if request.is(0, "MULTI") && request.len() == 1 {
                self.block = Some(Vec::new());
                return Step::Opened;
            }
            return Step::Run;
        };
        if request.len() == 1 && request.is(0, "EXEC") {
            let block = std::mem::take(block);
            self.block = None;
            Step::Execute(block)
        } else if request.len() == 1 && request.is(0, "DISCARD") {
            self.block = None;
            Step::Discarded
        } else if request.is(0, "MULTI") {
            Step::Refused("ERR MULTI calls can not be nested")
        } else if request.is(0, "WATCH") {
            Step::Refused("ERR WATCH inside MULTI is not allowed")
        } else {
            Step::Queue
        }
    }

    /// Adds a checked command to the open block.
    pub fn queue(&mut self, request: Request) {
        if let Some(block) = &mut self.block {
            block.push(request);
        }
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
