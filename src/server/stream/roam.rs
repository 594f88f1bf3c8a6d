//! A stream that any node of a cluster can give: where to go on after a loss, and whether its node is still of the
//! cluster (contract section 11).

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use super::super::cluster::Cluster;
use super::super::open::Unopened;
use super::super::session::{Lost, Session};
use super::super::streams::scout::{Errand, Scout};
use super::super::target::{Address, Target};
use crate::exit::Outcome;

/// How often other nodes are asked whether the one that is listened to is still of the cluster: one that is not hears
/// nothing from it, and does not say so.
const DOUBT: Duration = Duration::from_secs(5);

/// The nodes that a stream may move to.
pub struct Roam {
    /// All that are known; the one that was named among them.
    nodes: Vec<Address>,
    seed: Address,
    /// Who asks the other nodes.
    scout: Scout,
    due: Instant,
}

impl Roam {
    /// Connects to the node that was named, and learns the others there.
    pub fn open(target: &Target) -> Result<(Self, Session), Unopened> {
        let seed = target.address.clone();
        let (nodes, scout, session) = learn(target, &seed)?;
        Ok((Self { nodes, seed, scout, due: Instant::now() + DOUBT }, session))
    }

    /// Connects to the node of the target, and learns from it which others there are now.
    pub fn learn(&mut self, target: &Target) -> Result<Session, Unopened> {
        let (nodes, scout, session) = learn(target, &self.seed)?;
        (self.nodes, self.scout, self.due) = (nodes, scout, Instant::now() + DOUBT);
        Ok(session)
    }

    /// The node to try after this one.
    pub fn after(&self, node: &Address) -> Address {
        let at = self.nodes.iter().position(|known| known == node).map_or(0, |at| at + 1);
        self.nodes.get(at % self.nodes.len().max(1)).unwrap_or(&self.seed).clone()
    }

    /// Has other nodes asked, if it is time, whether this one is still of the cluster. Tells when to call again.
    pub fn doubt(&mut self, node: &Address) -> Outcome<Instant> {
        let now = Instant::now();
        if self.due <= now {
            self.due = now + DOUBT;
            if self.scout.is_home() {
                self.scout.send(Errand { doubted: Some(node.clone()), ..Errand::default() })?;
            }
        }
        Ok(self.due)
    }

    /// What is readable when they have answered.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.scout.fd()
    }

    /// Whether they have answered that this node is not of the cluster.
    pub fn has_left(&mut self, node: &Address) -> Outcome<bool> {
        let found = self.scout.receive()?;
        Ok(found.is_some_and(|found| !found.members.is_empty() && !found.members.contains(node)))
    }
}

fn learn(target: &Target, seed: &Address) -> Result<(Vec<Address>, Scout, Session), Unopened> {
    let mut cluster = Cluster::try_open(target, false)?;
    let mut nodes = cluster.members(None);
    if !nodes.contains(seed) {
        nodes.push(seed.clone());
    }
    let session = cluster.lend_session(&target.address).map_err(|lost| match lost {
        Lost::Interrupted(signal) => Unopened::Interrupted(signal),
        lost => Unopened::Unreachable(lost.reason()),
    })?;
    Ok((nodes, Scout::new(cluster), session))
}
