//! The sessions with the nodes of a cluster: opened on demand, kept, and lent to pipelines.

use std::time::Instant;

use redis::Value;

use super::super::endpoint::{Address, Endpoint};
use super::super::error::{Lost, TURNED_AWAY, Unopened};
use super::super::session::Session;
use super::{Asker, Cluster, Node};
use crate::command::request::Request;

impl Cluster {
    /// The session with a node, if there is one.
    pub(super) fn open_session(&mut self, address: &Address) -> Option<&mut Session> {
        self.nodes.iter_mut().find(|node| node.address == *address)?.session.as_mut()
    }

    pub(super) fn drop_session(&mut self, address: &Address) {
        if let Some(node) = self.nodes.iter_mut().find(|node| node.address == *address) {
            node.session = None;
        }
    }

    /// An open session with a node; `reads` where it is asked as a replica. One that its server closed while nobody
    /// used it is opened again: nothing was sent that could be lost.
    pub(super) fn session(&mut self, address: &Address, reads: bool) -> Result<&mut Session, Lost> {
        let at = if let Some(at) = self.nodes.iter().position(|node| node.address == *address) {
            at
        } else {
            self.nodes.push(Node { address: address.clone(), session: None, reads: false, db: 0, told: 0 });
            self.nodes.len() - 1
        };
        let is_watching = self.watches_at(address);
        if let Some(session) = &mut self.nodes[at].session
            && let Err(lost) = session.look_after()
        {
            self.nodes[at].session = None;
            if is_watching {
                return Err(lost);
            }
        }
        if self.nodes[at].session.is_none() {
            let opened = self.open_noted(address, Some(self.asker.clone())).map_err(Lost::from);
            self.is_cut_off = matches!(opened, Err(Lost::Unreached(_)));
            if self.is_cut_off {
                self.leave_home(address);
            }
            let session = opened?;
            let node = &mut self.nodes[at];
            (node.session, node.reads, node.db, node.told) = (Some(session), false, self.endpoint.db, 0);
        }
        self.follow_state(at)?;
        if reads {
            self.make_reader(at)?;
        }
        self.nodes[at].session.as_mut().ok_or(Lost::Closed)
    }

    /// Has a replica answer reads; its answer to that is read before that of the command.
    fn make_reader(&mut self, at: usize) -> Result<(), Lost> {
        let node = &mut self.nodes[at];
        let Some(session) = node.session.as_mut().filter(|_| !node.reads) else { return Ok(()) };
        if let Err(lost) = session.call(&Request::new(["READONLY"])) {
            node.session = None;
            return Err(lost.while_preparing(&node.address.to_string()));
        }
        node.reads = true;
        Ok(())
    }

    /// A session with a node that is the caller's alone.
    pub fn lend_session(&mut self, address: &Address) -> Result<Session, Lost> {
        let db = self.endpoint.db;
        let idle = self.nodes.iter_mut().find(|node| node.address == *address && !node.reads && node.db == db);
        if let Some(mut session) = idle.and_then(|node| node.session.take())
            && session.look_after().is_ok()
        {
            return Ok(session);
        }
        Ok(self.open_node(address)?)
    }

    /// Opens a session with a node. A node that is not where it is announced, or has no certificate for that, is looked
    /// for at the host of the node that was named first, as behind forwarded ports, and taken if its id is right.
    pub(in crate::net) fn open_node(&mut self, address: &Address) -> Result<Session, Unopened> {
        self.open_noted(address, None)
    }

    fn open_noted(&mut self, address: &Address, asker: Option<Asker>) -> Result<Session, Unopened> {
        let detour = self.detours.iter().find(|(announced, _)| announced == address).map(|(_, reached)| reached);
        let endpoint = Endpoint { address: detour.unwrap_or(address).clone(), asker, ..self.endpoint.clone() };
        if self.is_of_sentinels {
            return Session::open_once(&endpoint);
        }
        // Nodes that hang up at the question for the map may do so at a PING.
        if self.refreshed.is_none() {
            return Session::open_unheard(&endpoint);
        }
        let unreached = match Session::open_heard(&endpoint) {
            Err(why) if detour.is_none() && is_elsewhere(&why) => why,
            opened => return opened,
        };
        let (Address::Tcp(host, port), Address::Tcp(seed, _)) = (address, &self.seed) else {
            return Err(unreached);
        };
        let Some(id) = self.map.id_of(address).filter(|_| host != seed) else { return Err(unreached) };
        let elsewhere = Address::Tcp(seed.clone(), *port);
        let there = Endpoint { address: elsewhere.clone(), ..endpoint };
        let Ok(mut session) = Session::open_unheard(&there) else { return Err(unreached) };
        let deadline = Instant::now() + there.connect_timeout;
        match session.call_before(redis::cmd("CLUSTER").arg("MYID"), deadline) {
            Ok(Value::BulkString(own)) if own == id.as_bytes() => {
                self.detours.push((address.clone(), elsewhere));
                Ok(session)
            }
            _ => Err(unreached),
        }
    }
}

/// Whether the node may be reached by another name.
fn is_elsewhere(why: &Unopened) -> bool {
    match why {
        Unopened::Unreachable(_) | Unopened::NobodyListens(_) => true,
        Unopened::Refused { code, .. } => code == TURNED_AWAY,
        Unopened::Interrupted(_) => false,
    }
}
