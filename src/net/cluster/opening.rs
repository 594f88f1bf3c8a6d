//! Connects to the node of a cluster that was named, and learns from it which node serves which slots.

use super::own_connections::Asker;
use super::router::Router;
use super::slot_map::{Places, SlotMap};
use super::{Cluster, Node};
use crate::net::Settings;
use crate::net::endpoint::Endpoint;
use crate::net::error::{Lost, NO_CLUSTER, Unopened};
use crate::net::retry::open_patiently;
use crate::net::session::Session;

impl Cluster {
    /// Connects to the node at the endpoint and reads the slot map there; where the cluster is down, or its node is not
    /// there, as often as `--wait` lets one try. With `may_lack_map` it does without a map where the node hangs up when it is
    /// asked for that, as a proxy may: every command is sent to it until it says where it belongs.
    pub fn open(endpoint: &Endpoint, may_lack_map: bool) -> Result<Self, Unopened> {
        open_patiently(endpoint, || Self::open_once(endpoint, may_lack_map), Self::is_up)
    }

    /// The cluster that the server at the endpoint belongs to; none where no cluster is meant, and where the server says
    /// that it is no node of one: then it is talked to as without `-c` (contract section 11).
    pub fn open_if_any(endpoint: &Endpoint, may_lack_map: bool) -> Result<Option<Self>, Unopened> {
        if endpoint.cluster.is_none() {
            return Ok(None);
        }
        match Self::open(endpoint, may_lack_map) {
            Err(Unopened::Refused { code, .. }) if code == NO_CLUSTER => Ok(None),
            opened => opened.map(Some),
        }
    }

    fn open_once(endpoint: &Endpoint, may_lack_map: bool) -> Result<Self, Unopened> {
        let seed = endpoint.address.clone();
        let replica = endpoint.of_replica();
        let session = match &replica {
            // The first answer is the slot map's, which is limited.
            None => Session::open_unheard(endpoint)?,
            Some(_) => Session::open_once(endpoint)?,
        };
        let has_hung_up = |cluster: &mut Self| cluster.open_session(&seed).is_some_and(|session| session.has_ended());
        let mut cluster = Self { is_of_sentinels: replica.is_some(), ..Self::over(endpoint, session) };
        match replica {
            None => match cluster.read_map(&seed) {
                // It is no node, or one whose command has another name.
                Err(Lost::Refused { code, .. }) if may_lack_map && code == NO_CLUSTER => {}
                Err(Lost::Unreached(_)) if may_lack_map && has_hung_up(&mut cluster) => cluster.drop_session(&seed),
                read => read.map_err(|lost| lost.while_opening(&seed.to_string()))?,
            },
            Some(replica) => cluster.map = SlotMap::of_one(seed, replica.address),
        }
        Ok(cluster)
    }

    /// With this session with the node that was named.
    fn over(endpoint: &Endpoint, session: Session) -> Self {
        let seed = endpoint.address.clone();
        let asker = Asker::default();
        asker.note(&session);
        Self {
            endpoint: Endpoint { limits_first_answer: false, ..endpoint.clone() },
            seed: seed.clone(),
            is_of_sentinels: false,
            router: Router::default(),
            map: SlotMap::unread(),
            places: Places::default(),
            nodes: vec![Node { address: seed.clone(), session: Some(session), reads: false, db: endpoint.db, told: 0 }],
            watch: None,
            settings: Settings::default(),
            refused: Vec::new(),
            notes: Vec::new(),
            detours: Vec::new(),
            last: seed.clone(),
            turn: 0,
            refreshed: None,
            is_cut_off: false,
            asker,
        }
    }
}
