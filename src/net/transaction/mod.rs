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

    /// Whether it did not run because the primary has become a replica.
    pub fn is_of_replica(&self) -> bool {
        self.refusals().any(ErrorReply::is_of_replica)
    }

    /// The errors of a block that did not run.
    pub(super) fn refusals(&self) -> impl Iterator<Item = &ErrorReply> {
        let (queued, last): (&[_], _) = match self {
            // EXEC is sent away itself where the slot has moved since the commands were queued.
            Self::Refused(errors, exec) => (errors, Some(exec)),
            Self::Denied(error) => (&[], Some(error)),
            Self::Executed(_) | Self::Aborted | Self::Unbound(_) => (&[], None),
        };
        queued.iter().map(|(_, error)| error).chain(last)
    }

    /// Whether no key is watched any more: any EXEC ends that, but not a MULTI that was refused.
    pub fn ends_watch(&self) -> bool {
        !matches!(self, Self::Denied(_) | Self::Unbound(_))
    }
}
