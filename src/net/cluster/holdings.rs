//! What the primaries of a cluster say of their own slots: which they own, and which they are getting. By two such
//! looks it is told which slots changed hands in between; what the slot map says of others is older.

use std::collections::BTreeSet;
use std::time::Instant;

use redis::Value;

use super::super::endpoint::Address;
use super::super::error::Lost;
use super::Cluster;
use super::key_slot::SLOTS;
use crate::reply::{error_reason, text_of};

/// Slots, in their order.
pub type SlotSet = BTreeSet<u16>;

/// What a primary has, as it says itself.
#[derive(Clone, Debug)]
pub struct Holdings {
    pub node: Address,
    /// The slots that are its own.
    pub owned: SlotSet,
    /// Those that it is being given key by key.
    pub importing: SlotSet,
    /// Grows whenever it takes over a slot.
    pub epoch: u64,
}

impl Holdings {
    /// Reads the reply to CLUSTER NODES of this node; none if it does not know itself as a primary.
    pub(super) fn read(node: &Address, nodes: &str) -> Option<Self> {
        let own = nodes.lines().find(|line| line.split(' ').nth(2).is_some_and(|flags| flags.contains("myself")))?;
        let mut fields = own.split_ascii_whitespace();
        if !fields.nth(2)?.contains("master") {
            return None;
        }
        let epoch = fields.nth(3)?.parse().unwrap_or_default();
        let (mut owned, mut importing) = (SlotSet::default(), SlotSet::default());
        // Behind the state of the link.
        for field in fields.skip(1) {
            if let Some(moving) = field.strip_prefix('[') {
                if let Some((slot, _)) = moving.split_once("-<-") {
                    importing.extend(slot.parse::<u16>().ok().filter(|slot| *slot < SLOTS));
                }
                continue;
            }
            let (first, last) = field.split_once('-').unwrap_or((field, field));
            let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else { continue };
            owned.extend(first..=last.min(SLOTS - 1));
        }
        Some(Self { node: node.clone(), owned, importing, epoch })
    }

    /// The slots that it has keys of, or may be getting some of.
    pub fn held(&self) -> SlotSet {
        &self.owned | &self.importing
    }
}

impl Cluster {
    /// Asks every primary of the map, which is read again before, what it has. One that has become a replica, or is no
    /// primary that can be reached, is left out: whoever has its slots has them.
    pub fn holdings(&mut self) -> Result<Vec<Holdings>, Lost> {
        self.refresh(None)?;
        let primaries: Vec<Address> = self.map.primaries().cloned().collect();
        let mut all = Vec::with_capacity(primaries.len());
        for node in primaries {
            // One that hangs is not waited for without a limit.
            let deadline = Instant::now() + self.endpoint.search_limit();
            let asked = self
                .session(&node, false)
                .and_then(|session| Ok(session.call_before(redis::cmd("CLUSTER").arg("NODES"), deadline)?));
            match asked {
                // A user may have no right to that, which no later try changes.
                Ok(Value::ServerError(error)) if error.code() == "NOPERM" => {
                    return Err(Lost::refused(format!("{node}: CLUSTER NODES: {}", error_reason(&error))));
                }
                Ok(nodes) => all.extend(text_of(&nodes).and_then(|nodes| Holdings::read(&node, nodes))),
                Err(lost @ (Lost::Interrupted(_) | Lost::Refused { .. })) => return Err(lost),
                Err(_) => self.drop_session(&node),
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests {
    use super::*;

    #[test]
    fn a_primary_tells_what_it_owns_and_what_it_is_getting() {
        let nodes = "aa h:1@2 master - 0 0 3 connected 5-6\n\
                     bb h:2@3,name myself,master - 0 0 7 connected 0-3 9 [93-<-aa] [9->-aa]\n";
        let held = Holdings::read(&Address::Tcp("h".to_owned(), 2), nodes).unwrap();
        assert_eq!(held.owned, SlotSet::from([0, 1, 2, 3, 9]));
        assert_eq!(held.importing, SlotSet::from([93]));
        assert!(held.epoch == 7 && held.held() == SlotSet::from([0, 1, 2, 3, 9, 93]));
        let replica = nodes.replace("myself,master", "myself,slave");
        assert!(Holdings::read(&Address::Tcp("h".to_owned(), 2), &replica).is_none());
        assert!(Holdings::read(&Address::Tcp("h".to_owned(), 2), "").is_none());
    }
}
