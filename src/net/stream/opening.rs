//! The beginning of a stream: the server, the node or the cluster that is listened to, and which nodes of it (contract
//! sections 8, 9, 11 and 12).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::super::cluster::Cluster;
use super::super::endpoint::{Address, Endpoint};
use super::super::error::Unopened;
use super::super::session::Session;
use super::discovery::Follow;
use super::recovery::Recovery;
use super::{Elsewhere, LONGEST_PAUSE_OF_NODES, LONGEST_SILENCE, Source, Stream, Subscription, Topic};
use crate::signal;

impl Stream {
    /// Listens to a server; or to the cluster that it belongs to: to any node of it, or, for shard channels, events of
    /// keys and MONITOR, to all that have a part of it. That there is no server, or that it refuses us, ends the run
    /// (status 3); only what was heard once is tried again, `retries` times in a row.
    pub fn open(endpoint: &Endpoint, source: Source, retries: Option<u32>) -> Result<Self, Unopened> {
        match Cluster::open_if_any(endpoint, false)? {
            Some(cluster) => Self::open_cluster(endpoint, cluster, source, retries),
            None => Self::open_server(endpoint, source, retries, Elsewhere::Refused),
        }
    }

    /// Listens to one node of a cluster: channels that it does not own are passed over.
    pub fn open_node(
        endpoint: &Endpoint,
        node: Address,
        source: Source,
        retries: Option<u32>,
    ) -> Result<Self, Unopened> {
        let endpoint = Endpoint { address: node, ..endpoint.clone() };
        let stream = Self::open_server(&endpoint, source, retries, Elsewhere::PassedOver)?;
        Ok(Self { tells_node: true, ..stream })
    }

    fn open_server(
        endpoint: &Endpoint,
        source: Source,
        retries: Option<u32>,
        elsewhere: Elsewhere,
    ) -> Result<Self, Unopened> {
        let session = Session::open(endpoint)?;
        let address = session.endpoint.address.clone();
        let mut stream = Self::new(Recovery::of_server(endpoint, retries), elsewhere, &address);
        source.into_subjects().into_iter().for_each(|subject| stream.add(subject));
        stream.place(vec![(address, session)]);
        Ok(stream)
    }

    fn open_cluster(
        endpoint: &Endpoint,
        mut cluster: Cluster,
        source: Source,
        retries: Option<u32>,
    ) -> Result<Self, Unopened> {
        let is_sharded = |subscription: &Subscription| subscription.topic == Topic::ShardChannel;
        let follow = match &source {
            Source::Monitor => Follow::Everybody,
            // A replica tells the events of its primary's keys once more.
            source if source.subscriptions().iter().any(Subscription::is_of_keys) => Follow::Primaries,
            _ => Follow::Nobody,
        };
        let tells_node = source == Source::Monitor || source.subscriptions().iter().any(is_sharded);
        let nodes = follow.nodes(&mut cluster);
        if follow != Follow::Nobody && nodes.is_empty() {
            // A search that is cut short finds nobody either.
            if let Some(signal) = signal::received() {
                return Err(Unopened::Interrupted(signal));
            }
            return Err(Unopened::Unreachable(format!("{}: no node serves a slot", endpoint.address)));
        }
        let longest = if follow == Follow::Everybody { LONGEST_PAUSE_OF_NODES } else { LONGEST_SILENCE };
        let asker = Some(cluster.asker());
        let recovery = Recovery::of_cluster(cluster, retries, longest);
        let stream = Self::new(recovery, Elsewhere::Followed, &endpoint.address);
        let mut stream = Self { follow, nodes, asker, tells_node, tells_shard: true, ..stream };
        source.into_subjects().into_iter().for_each(|subject| stream.add(subject));
        let search = stream.search();
        let found = stream.recovery.discovery.search(&search);
        stream.settle(found)?;
        Ok(stream)
    }

    fn new(recovery: Recovery, elsewhere: Elsewhere, address: &Address) -> Self {
        Self {
            assignments: BTreeMap::new(),
            subjects: HashMap::new(),
            connections: Vec::new(),
            last_id: 0,
            elsewhere,
            everywhere: Vec::new(),
            follow: Follow::Nobody,
            nodes: Vec::new(),
            recovery,
            first: None,
            asker: None,
            tells_node: false,
            tells_shard: false,
            presence: None,
            is_placing: false,
            is_sought: false,
            leaving: Vec::new(),
            has_left: false,
            pings: Vec::new(),
            announced: VecDeque::new(),
            given: None,
            current: Arc::from(address.to_string()),
            turn: 0,
            streak: 0,
        }
    }
}
