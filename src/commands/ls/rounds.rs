//! The walk over a cluster in rounds. In the first all primaries are walked at once. A key that was moved meanwhile may
//! have been given by neither node: the old owner's cursor had not come to it, the new owner's had passed. So after each
//! round every primary says what it has, and the slots that it got meanwhile are walked there, until none has moved.

use std::rc::Rc;

use super::node::Node;
use super::output::Output;
use super::scan::{Counts, Target};
use super::walk::{Halt, Servers, Walk};
use crate::command::request::Request;
use crate::exit::Failure;
use crate::net::{Address, Cluster, Holdings, SLOTS, SlotSet};

/// With CLUSTERSCAN a slot is walked by itself; of more than so many a node is walked whole.
const FEW: usize = 64;

/// What was to be walked at a node in a round.
#[derive(Debug)]
struct Walked {
    node: Address,
    slots: SlotSet,
    /// Whether it was.
    is_complete: bool,
}

impl Walk {
    /// Walks all keys of the cluster.
    pub fn run_rounds(&mut self, output: &mut Output, counts: Counts) -> Result<(), Halt> {
        let mut before = self.holdings(None)?;
        let mut targets: Vec<(Address, SlotSet)> = before.iter().map(|held| (held.node.clone(), held.held())).collect();
        let (mut number, mut is_first, mut may_clusterscan) = (0, true, true);
        while !targets.is_empty() {
            let has_clusterscan = !is_first && may_clusterscan && self.has_clusterscan()?;
            self.nodes.clear();
            for (address, slots) in &targets {
                let held = before.iter().find(|held| held.node == *address);
                let target = match held {
                    _ if is_first => vec![Target::All],
                    // What is still on its way is at hand for SCAN alone.
                    Some(held) if has_clusterscan && slots.len() <= FEW && slots.is_subset(&held.owned) => {
                        slots.iter().copied().map(Target::Slot).collect()
                    }
                    _ => vec![Target::Slots(Rc::new(slots.clone()))],
                };
                let mut node = Node::new(number, address.clone(), target, counts);
                let importing = held.map(|held| &held.importing);
                node.importing = importing.filter(|slots| !slots.is_empty()).cloned();
                // What has just come a replica may not have yet, and lets nobody ask for.
                if is_first && node.importing.is_none() {
                    node.reader = self.reader(address);
                }
                self.nodes.push(node);
                number += 1;
            }
            self.run(output)?;
            let walked: Vec<Walked> = targets
                .into_iter()
                .zip(&self.nodes)
                .map(|((node, slots), walked)| Walked {
                    node,
                    slots,
                    is_complete: !walked.was_given_up && !walked.was_refused,
                })
                .collect();
            may_clusterscan &= !self.nodes.iter().any(|node| node.was_refused);
            let after = self.holdings(Some(&walked))?;
            targets = moved(&before, &walked, &after);
            (before, is_first) = (after, false);
        }
        Ok(())
    }

    /// A replica of this primary, where reads go to replicas and it has one.
    fn reader(&mut self, primary: &Address) -> Option<Address> {
        let Servers::Cluster(cluster) = &mut self.servers else { return None };
        let slot = (0..SLOTS).find(|slot| cluster.map().owner(*slot).is_some_and(|shard| shard.primary == *primary))?;
        cluster.reader(slot)
    }

    fn has_clusterscan(&mut self) -> Result<bool, Halt> {
        let Servers::Cluster(cluster) = &mut self.servers else { return Ok(false) };
        let known = cluster.call(&Request::new(["COMMAND", "INFO", "CLUSTERSCAN"]))?;
        Ok(known.frame().children().next().is_some_and(|entry| entry.kind().is_aggregate()))
    }

    /// What every primary has. Waits until every slot is somebody's that was walked, or that the map gives to somebody.
    fn holdings(&mut self, walked: Option<&[Walked]>) -> Result<Vec<Holdings>, Halt> {
        let mut retry = self.servers.retry();
        loop {
            let Servers::Cluster(cluster) = &mut self.servers else { return Ok(Vec::new()) };
            let all = cluster.holdings()?;
            let Some(slot) = missing(cluster, walked, &all) else { return Ok(all) };
            if !retry.pause()? {
                let why = match cluster.map().owner(slot) {
                    Some(shard) => format!("{}: it owns slot {slot} and cannot be asked", shard.primary),
                    None => format!("{}: slot {slot} is not served by any node", cluster.place()),
                };
                return Err(Halt::Failure(Failure::failed(why)));
            }
        }
    }
}

/// A slot that should be somebody's and is nobody's.
fn missing(cluster: &Cluster, walked: Option<&[Walked]>, all: &[Holdings]) -> Option<u16> {
    let is_wanted = |slot: &u16| match walked {
        Some(walked) => walked.iter().any(|walked| walked.slots.contains(slot)),
        None => cluster.map().owner(*slot).is_some(),
    };
    let is_owned = |slot: &u16| all.iter().any(|held| held.owned.contains(slot));
    (0..SLOTS).filter(is_wanted).find(|slot| !is_owned(slot))
}

/// The slots that are to be walked again, and where: those that a node has now and had not, or not wholly, from the
/// beginning of the round on.
fn moved(before: &[Holdings], walked: &[Walked], after: &[Holdings]) -> Vec<(Address, SlotSet)> {
    let mut targets = Vec::new();
    for held in after {
        let was = before.iter().find(|was| was.node == held.node);
        let own = walked.iter().find(|walked| walked.node == held.node);
        let gained = |slot: &u16| !was.is_some_and(|was| was.owned.contains(slot));
        // What left and came back is seen by nothing else.
        let is_back = was.is_some_and(|was| was.epoch != held.epoch) && !held.owned.iter().any(gained);
        let mut slots = held.held();
        slots.retain(|slot| {
            let walked_here = own.filter(|own| own.slots.contains(slot));
            let is_elsewhere = walked.iter().any(|other| other.node != held.node && other.slots.contains(slot));
            match walked_here {
                Some(own) if !own.is_complete => true,
                // Nothing came to whoever owned it from the beginning of the round on.
                Some(_) if !gained(slot) => is_back,
                None if !gained(slot) => is_back && is_elsewhere,
                _ => is_elsewhere,
            }
        });
        if !slots.is_empty() {
            targets.push((held.node.clone(), slots));
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(port: u16, owned: &[u16], importing: &[u16], epoch: u64) -> Holdings {
        let set = |slots: &[u16]| slots.iter().copied().collect::<SlotSet>();
        Holdings { node: Address::Tcp("h".to_owned(), port), owned: set(owned), importing: set(importing), epoch }
    }

    /// All that these hold was walked.
    fn walked(holdings: &[Holdings]) -> Vec<Walked> {
        let walked = |held: &Holdings| Walked { node: held.node.clone(), slots: held.held(), is_complete: true };
        holdings.iter().map(walked).collect()
    }

    fn again(before: &[Holdings], walked: &[Walked], after: &[Holdings]) -> Vec<(u16, Vec<u16>)> {
        let port = |node| if let Address::Tcp(_, port) = node { port } else { 0 };
        moved(before, walked, after)
            .into_iter()
            .map(|(node, slots)| (port(node), slots.into_iter().collect()))
            .collect()
    }

    #[test]
    fn where_nothing_moved_nothing_is_walked_again() {
        let before = [held(1, &[0, 1], &[], 1), held(2, &[2, 3], &[], 2)];
        assert_eq!(again(&before, &walked(&before), &before), []);
    }

    #[test]
    fn a_slot_that_moved_is_walked_where_it_is_now() {
        let before = [held(1, &[0, 1], &[], 1), held(2, &[2, 3], &[], 2)];
        let after = [held(1, &[0], &[], 1), held(2, &[1, 2, 3], &[], 3)];
        assert_eq!(again(&before, &walked(&before), &after), [(2, vec![1])]);
    }

    #[test]
    fn a_slot_on_its_way_is_walked_once_more_at_its_goal_and_then_no_more() {
        let before = [held(1, &[0, 1], &[], 1), held(2, &[2], &[1], 2)];
        assert_eq!(again(&before, &walked(&before), &before), [(2, vec![1])]);
        let second = [Walked { node: before[1].node.clone(), slots: before[1].importing.clone(), is_complete: true }];
        assert_eq!(again(&before, &second, &before), []);
    }

    #[test]
    fn what_left_and_came_back_is_walked_again() {
        let before = [held(1, &[0, 1], &[], 1), held(2, &[2], &[], 2)];
        let after = [held(1, &[0, 1], &[], 4), held(2, &[2], &[], 3)];
        assert_eq!(again(&before, &walked(&before), &after), [(1, vec![0, 1]), (2, vec![2])]);
    }

    #[test]
    fn the_slots_of_a_node_that_was_given_up_are_walked_at_whoever_took_over() {
        let before = [held(1, &[0, 1], &[], 1), held(2, &[2], &[], 2)];
        let mut first = walked(&before);
        first[0].is_complete = false;
        let after = [held(2, &[2], &[], 2), held(3, &[0, 1], &[], 3)];
        assert_eq!(again(&before, &first, &after), [(3, vec![0, 1])]);
        assert_eq!(again(&before, &first, &before), [(1, vec![0, 1])]);
    }
}
