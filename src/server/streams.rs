//! What a stream is heard from: one server, any node of a cluster, one node of it, or many at once, with one face
//! (contract sections 8, 9 and 11).

mod nodes;
pub(super) mod scout;
mod tries;
mod want;

use std::time::Instant;

use rustix::event::PollFd;

use self::nodes::Nodes;
use super::stream::{Given, Source, Stream, Subscription, Topic, Woken};
use super::target::{Address, Target};
use crate::exit::Outcome;

/// What listens.
enum Listener {
    /// One connection at a time.
    One(Box<Stream>),
    /// Connections to many nodes of a cluster.
    Many(Box<Nodes>),
}

/// A source that is listened to, wherever it is.
pub struct Streams {
    listener: Listener,
    /// Whether what is heard is to tell the node that said it.
    tells_node: bool,
}

impl Streams {
    /// Listens to a server; or to the cluster that it belongs to: to any node of it, or, for shard channels, events of
    /// keys and MONITOR, to all that have a part of it.
    pub fn open(target: &Target, is_cluster: bool, source: Source, retries: Option<u32>) -> Outcome<Self> {
        let is_sharded = |subscription: &Subscription| subscription.topic == Topic::ShardChannel;
        let (tells_node, is_anywhere) = match &source {
            Source::Monitor => (true, false),
            Source::Subscriptions(all) => {
                let is_sharded = all.iter().any(is_sharded);
                (is_sharded, !is_sharded && !all.iter().any(Subscription::is_of_keys))
            }
        };
        let listener = match (is_cluster, is_anywhere) {
            (false, _) => Listener::One(Box::new(Stream::open(target, source, retries)?)),
            (true, true) => Listener::One(Box::new(Stream::open_anywhere(target, source, retries)?)),
            (true, false) => Listener::Many(Box::new(Nodes::open(target, source, retries)?)),
        };
        Ok(Self { listener, tells_node: tells_node && is_cluster })
    }

    /// Listens to one node of a cluster.
    pub fn open_node(target: &Target, node: Address, source: Source, retries: Option<u32>) -> Outcome<Self> {
        let stream = Stream::open_node(&Target { address: node, ..target.clone() }, source, retries)?;
        Ok(Self { listener: Listener::One(Box::new(stream)), tells_node: true })
    }

    /// Whether there is a connection.
    pub fn is_connected(&self) -> bool {
        match &self.listener {
            Listener::One(stream) => stream.is_connected(),
            Listener::Many(nodes) => nodes.is_connected(),
        }
    }

    /// What has come; none if nothing waits. Does not block.
    pub fn next(&mut self) -> Outcome<Option<Given<'_>>> {
        let tells_node = self.tells_node;
        let given = match &mut self.listener {
            Listener::One(stream) => stream.next(),
            Listener::Many(nodes) => nodes.next(),
        }?;
        Ok(given.map(|(heard, place)| Given { heard, place, node: tells_node.then_some(place) }))
    }

    /// Drops the connection that sent last, and begins anew.
    pub fn distrust(&mut self, reason: &str) -> Outcome<()> {
        match &mut self.listener {
            Listener::One(stream) => stream.distrust(reason),
            Listener::Many(nodes) => {
                nodes.distrust(reason);
                Ok(())
            }
        }
    }

    /// Sleeps until something comes, one of the other descriptors is ready, or the deadline passes. Ends the run when
    /// what was lost may not be tried for again.
    pub fn wait(&mut self, others: &[PollFd<'_>], deadline: Option<Instant>) -> Outcome<Woken> {
        match &mut self.listener {
            Listener::One(stream) => stream.wait(others, deadline),
            Listener::Many(nodes) => nodes.wait(others, deadline),
        }
    }
}
