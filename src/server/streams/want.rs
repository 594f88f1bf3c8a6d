//! One thing to be heard from a cluster, and how far it is with it.

use std::sync::Arc;
use std::time::Instant;

use super::super::slots::{SlotMap, slot_of};
use super::super::stream::{Source, Subscription, Topic};
use super::super::target::Address;

/// What is wanted.
#[derive(Clone, Debug)]
pub enum What {
    /// A shard channel, at the node that owns its slot.
    Shard(Subscription, u16),
    /// What every node is asked for, at this node.
    Node(Address),
    /// A channel or pattern, at any node.
    Anywhere(Subscription),
}

/// How far it is with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody was asked for it.
    Homeless,
    /// The node of this name was asked for it, or has confirmed it.
    At(Arc<str>),
    /// The node is not followed any more.
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
    /// Whether it was said that it is not heard.
    pub is_told: bool,
    /// How many of the commands that ask for it were confirmed.
    pub confirmed: usize,
}

impl Want {
    pub fn subscription(subscription: Subscription) -> Self {
        let slot = slot_of(&subscription.name);
        Self::new(if subscription.topic == Topic::ShardChannel {
            What::Shard(subscription, slot)
        } else {
            What::Anywhere(subscription)
        })
    }

    pub fn node(node: &Address) -> Self {
        Self::new(What::Node(node.clone()))
    }

    /// Wanted, and nobody was asked for it.
    pub fn new(what: What) -> Self {
        Self { what, state: State::Homeless, from: None, silent_since: None, is_told: false, confirmed: 0 }
    }

    /// The node that can be asked for it; none while no node can. `open` is one that is connected.
    pub fn home(&self, map: &SlotMap, open: Option<&Address>) -> Option<Address> {
        match &self.what {
            What::Shard(_, slot) => map.owner(*slot).map(|shard| shard.primary.clone()),
            What::Node(node) => Some(node.clone()),
            What::Anywhere(_) => open.or_else(|| map.primaries().next()).cloned(),
        }
    }

    /// What asks a node for it; `of_nodes` is what every node is asked for.
    pub fn source(&self, of_nodes: Option<&Source>) -> Source {
        match &self.what {
            What::Shard(subscription, _) | What::Anywhere(subscription) => {
                Source::Subscriptions(vec![subscription.clone()])
            }
            What::Node(_) => of_nodes.cloned().unwrap_or(Source::Subscriptions(Vec::new())),
        }
    }

    /// It is not heard any more, since then.
    pub fn lose(&mut self, since: Instant) {
        self.state = State::Homeless;
        self.confirmed = 0;
        self.silent_since.get_or_insert(since);
    }

    /// What it is, for messages.
    pub fn describe(&self) -> String {
        match &self.what {
            What::Shard(subscription, _) | What::Anywhere(subscription) => {
                String::from_utf8_lossy(&subscription.name).into_owned()
            }
            What::Node(node) => node.to_string(),
        }
    }
}
