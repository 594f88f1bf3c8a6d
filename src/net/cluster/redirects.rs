//! The error replies by which a cluster says that a command did not run here, or not yet (contract section 11).

use super::key_slot::SLOTS;
use super::slot_map::Announced;
use crate::command::request::Request;
use crate::reply::{ErrorReply, Frame};

/// What is to be done with a command that did not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redirect {
    /// The slot is another node's: go there, now and later.
    Moved(u16, Announced),
    /// The key may already be at another node: go there for this once, with ASKING.
    Ask(u16, Announced),
    /// The keys of the command are at two nodes just now: try again.
    TryAgain,
    /// The cluster, the slot, or the node does not serve just now: try again.
    Down,
}

impl Redirect {
    /// What a reply says of where the command is to go; none where it is the command's own reply.
    pub fn of(frame: Frame<'_>) -> Option<Self> {
        Self::of_error(&ErrorReply::of(frame)?)
    }

    /// The same for an error.
    pub fn of_error(error: &ErrorReply) -> Option<Self> {
        let place = || {
            let (slot, node) = error.details()?.split_once(' ')?;
            let slot = slot.parse().ok().filter(|slot| *slot < SLOTS)?;
            Some((slot, Announced::parse(node)?))
        };
        match error.code() {
            "MOVED" => place().map(|(slot, node)| Self::Moved(slot, node)),
            "ASK" => place().map(|(slot, node)| Self::Ask(slot, node)),
            "TRYAGAIN" => Some(Self::TryAgain),
            "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" => Some(Self::Down),
            _ => None,
        }
    }
}

/// What makes a node take the next command for a slot that is still being moved to it.
pub fn asking() -> Request {
    Request::new(["ASKING"])
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests {
    use super::*;
    use crate::reply::OwnedFrame;

    #[test]
    fn redirections_are_told_from_other_replies() {
        let of = |text: &str| Redirect::of(OwnedFrame::error(text).frame());
        let node = Announced::parse("h:7001").unwrap();
        assert_eq!(of("MOVED 7 h:7001"), Some(Redirect::Moved(7, node.clone())));
        assert_eq!(of("ASK 7 h:7001"), Some(Redirect::Ask(7, node)));
        assert_eq!(of("TRYAGAIN Multiple keys request during rehashing of slot"), Some(Redirect::TryAgain));
        for text in
            ["CLUSTERDOWN Hash slot not served", "LOADING Redis is loading", "MASTERDOWN Link with MASTER is down"]
        {
            assert_eq!(of(text), Some(Redirect::Down), "{text}");
        }
        for text in
            ["ERR MOVED 7 h:7001", "MOVED", "MOVED x h:7001", "MOVED 7 h", "MOVED 16384 h:1", "WRONGTYPE Operation"]
        {
            assert_eq!(of(text), None, "{text}");
        }
        assert_eq!(Redirect::of(OwnedFrame::simple("OK").frame()), None);
    }
}
