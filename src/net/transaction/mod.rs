//! Transactions: MULTI … EXEC on this side of the connection (`state.rs`), on one connection (`single.rs`), and at the one
//! node of a cluster that owns its slot (`slot.rs`). A block runs as a whole or not at all (contract sections 7 and 11).

mod single;
mod slot;
mod state;

pub(super) use self::slot::Watch;
pub use self::state::{Step, Transaction};

use super::cluster::redirects::Redirect;
use crate::reply::{ErrorReply, OwnedFrame};

/// How a block ended.
#[derive(Debug)]
pub enum Transacted {
    /// It ran: EXEC's reply, an array with a reply for each command, errors in their places.
    Executed(OwnedFrame),
    /// A watched key had changed: nothing ran.
    Aborted,
    /// EXEC was refused, most often for commands that were refused while queueing, named by their place in the block:
    /// nothing ran.
    Refused(Vec<(usize, ErrorReply)>, ErrorReply),
    /// MULTI was refused: nothing ran, and what is watched stays so.
    Denied(ErrorReply),
    /// MULTI was refused although this connection had been allowed one before: the commands ran one by one.
    Unbound(ErrorReply),
}

impl Transacted {
    /// Whether it did not run because the cluster, or the node, did not serve just then.
    pub fn may_pass(&self) -> bool {
        slot::redirect_of(self) == Some(Redirect::Down)
    }

    /// Whether no key is watched any more: any EXEC ends that, but not a MULTI that was refused.
    pub fn ends_watch(&self) -> bool {
        !matches!(self, Self::Denied(_) | Self::Unbound(_))
    }
}
