//! A stream that any node of a cluster can give: where to go on after a loss (contract section 11).

use super::super::cluster::Cluster;
use super::super::open::Unopened;
use super::super::session::{Lost, Session};
use super::super::target::{Address, Target};

/// The nodes that a stream may move to.
pub struct Roam {
    /// All that are known; the one that was named among them.
    nodes: Vec<Address>,
    seed: Address,
}

impl Roam {
    /// Connects to the node that was named, and learns the others there.
    pub fn open(target: &Target) -> Result<(Self, Session), Unopened> {
        let mut roam = Self { nodes: Vec::new(), seed: target.address.clone() };
        let session = roam.learn(target)?;
        Ok((roam, session))
    }

    /// Connects to the node of the target, and learns from it which others there are now.
    pub fn learn(&mut self, target: &Target) -> Result<Session, Unopened> {
        let mut cluster = Cluster::try_open(target, false)?;
        self.nodes = cluster.map().nodes().cloned().collect();
        if !self.nodes.contains(&self.seed) {
            self.nodes.push(self.seed.clone());
        }
        cluster.lend_session(&target.address).map_err(|lost| match lost {
            Lost::Interrupted(signal) => Unopened::Interrupted(signal),
            lost => Unopened::Unreachable(lost.reason()),
        })
    }

    /// The node to try after this one.
    pub fn after(&self, node: &Address) -> Address {
        let at = self.nodes.iter().position(|known| known == node).map_or(0, |at| at + 1);
        self.nodes.get(at % self.nodes.len().max(1)).unwrap_or(&self.seed).clone()
    }
}
