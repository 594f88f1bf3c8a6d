//! One thing to be heard from a cluster: a shard channel, at whichever node owns its slot, or all commands of one node.

use std::sync::Arc;
use std::time::Instant;

use super::super::slots::{SlotMap, slot_of};
use super::super::stream::{Source, Subscription};
use super::super::target::Address;

/// What is wanted.
#[derive(Clone, Debug)]
pub enum What {
    /// A shard channel, and its slot.
    Channel(Subscription, u16),
    /// What MONITOR shows at this node.
    Commands(Address),
}

/// How far it is with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody was asked for it.
    Homeless,
    /// The node of this name was asked for it, or has confirmed it.
    At(Arc<str>),
    /// The node has left the cluster.
    Gone,
}

/// One thing that is wanted.
#[derive(Debug)]
pub struct Want {
    pub what: What,
    pub state: State,
    /// The node it was heard from last.
    pub from: Option<Arc<str>>,
    /// Since when it is not heard; none while it is, and before it ever was.
    pub silent_since: Option<Instant>,
    /// Whether it was said that nobody gives it.
    pub is_told: bool,
}

impl Want {
    pub fn channel(subscription: Subscription) -> Self {
        let slot = slot_of(&subscription.name);
        Self::new(What::Channel(subscription, slot))
    }

    pub fn commands(node: &Address) -> Self {
        Self::new(What::Commands(node.clone()))
    }

    fn new(what: What) -> Self {
        Self { what, state: State::Homeless, from: None, silent_since: None, is_told: false }
    }

    /// The node that can be asked for it; none while no node can.
    pub fn home(&self, map: &SlotMap) -> Option<Address> {
        match &self.what {
            What::Channel(_, slot) => map.owner(*slot).map(|shard| shard.primary.clone()),
            What::Commands(node) => Some(node.clone()),
        }
    }

    /// What asks a node for it.
    pub fn source(&self) -> Source {
        match &self.what {
            What::Channel(subscription, _) => Source::Subscriptions(vec![subscription.clone()]),
            What::Commands(_) => Source::Monitor,
        }
    }

    /// It is not heard any more, since then.
    pub fn lose(&mut self, since: Instant) {
        self.state = State::Homeless;
        self.silent_since.get_or_insert(since);
    }

    /// What it is, for messages.
    pub fn describe(&self) -> String {
        match &self.what {
            What::Channel(subscription, _) => String::from_utf8_lossy(&subscription.name).into_owned(),
            What::Commands(node) => node.to_string(),
        }
    }
}
