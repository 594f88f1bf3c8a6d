//! What a cluster says of itself: the slot map, and who belongs to it. Asked of whichever node answers.

use std::mem;
use std::time::{Duration, Instant};

use redis::Value;

use super::super::endpoint::Address;
use super::super::error::{LOADING, Lost, NO_CLUSTER, Unopened};
use super::super::handshake::hello::lacks_command;
use super::Cluster;
use super::slot_map::{Announced, SlotMap};
use crate::reply::{error_reason, text_of};

/// A map this young is not asked for again.
const FRESH: Duration = Duration::from_millis(100);

impl Cluster {
    /// Asks one node for its id and its slot map, in one write. A node that has no map for us refuses.
    pub(super) fn read_map(&mut self, node: &Address) -> Result<(), Lost> {
        let deadline = Instant::now() + self.endpoint.connect_timeout;
        let session = self.session(node, false)?;
        session.put(redis::cmd("CLUSTER").arg("MYID"));
        session.put(redis::cmd("CLUSTER").arg("SLOTS"));
        // A node that hangs is not waited for: another one knows the map too.
        let id = session.answer_before(deadline)?;
        let slots = session.answer_before(deadline)?;
        if let Value::ServerError(error) = &slots {
            let text = error_reason(error);
            let (code, hint) = match error.code() {
                "NOAUTH" => ("", "; give the user and the password"),
                "NOPERM" => ("", "; -c asks for CLUSTER SLOTS"),
                _ if lacks_command(error) => (NO_CLUSTER, "; leave out -c"),
                _ => ("", ""),
            };
            return Err(no_map(node, code, &format!("{text}{hint}")));
        }
        // Nobody but the seed is reached elsewhere than announced, unless that was found out.
        if let (Value::BulkString(id), true) = (&id, self.refreshed.is_none()) {
            self.places.learn_id(&String::from_utf8_lossy(id), node);
        }
        self.places.learn_aliases(&slots, node);
        let map = SlotMap::read(&slots, node, &self.places).map_err(|why| no_map(node, "", &why))?;
        // A node that has left its cluster knows no slots.
        if map.primaries().next().is_none() && self.map.primaries().next().is_some() {
            return Err(no_map(node, "", "it knows of no slots"));
        }
        self.map = map;
        self.refreshed = Some(Instant::now());
        Ok(())
    }

    /// Whether the node that stands for the cluster says that all of it is served. One that may not be asked is believed
    /// to be.
    pub(super) fn is_up(&mut self) -> Result<bool, Unopened> {
        let home = self.endpoint.address.clone();
        let lost = |lost: Lost| lost.while_opening(&home.to_string());
        Ok(match self.ask_keyless(redis::cmd("CLUSTER").arg("INFO")).map_err(lost)? {
            Value::ServerError(error) => error.code() != LOADING,
            info => text_of(&info).is_none_or(|info| !info.contains("cluster_state:fail")),
        })
    }

    /// Reads the map again from the first node that has one, `first` before others, unless it was just read; whether
    /// it was read.
    pub fn refresh(&mut self, first: Option<&Address>) -> Result<bool, Lost> {
        // Sentinels are asked whenever a session is opened.
        if self.is_of_sentinels || self.refreshed.is_some_and(|at| at.elapsed() < FRESH) {
            return Ok(false);
        }
        self.searching(|cluster| cluster.read_map_anywhere(first))
    }

    /// The same, even if it was just read: this node has told of a change since.
    pub fn refresh_changed(&mut self, node: &Address) -> Result<bool, Lost> {
        self.refreshed = None;
        self.refresh(Some(node))
    }

    /// Reads the map again because this node does not serve just now. Another one is asked first: a node that is cut off
    /// from the others takes itself for the owner of what they have given away.
    pub fn refresh_beside(&mut self, node: &Address) -> Result<bool, Lost> {
        let other = self.knowing(None).into_iter().find(|other| other != node);
        self.refresh(other.as_ref())
    }

    /// Asks nodes what any of them knows: none that hangs is waited for without a limit.
    fn searching<T>(&mut self, ask: impl FnOnce(&mut Self) -> T) -> T {
        let limit = self.endpoint.search_limit();
        let given = mem::replace(&mut self.endpoint.connect_timeout, limit);
        let answer = ask(self);
        self.endpoint.connect_timeout = given;
        answer
    }

    fn read_map_anywhere(&mut self, first: Option<&Address>) -> Result<bool, Lost> {
        for node in self.knowing(first) {
            match self.read_map(&node) {
                Ok(()) => return Ok(true),
                Err(Lost::Refused { .. }) => {}
                Err(lost) => {
                    // What it may still answer answers nothing that will be asked.
                    self.drop_session(&node);
                    if matches!(lost, Lost::Interrupted(_)) {
                        return Err(lost);
                    }
                }
            }
        }
        Ok(false)
    }

    /// The nodes to be asked, `first` before others, and those that answer before those that may be down.
    fn knowing(&self, first: Option<&Address>) -> Vec<Address> {
        let mut known: Vec<Address> = self.map.nodes().cloned().collect();
        for other in [&self.endpoint.address, &self.seed] {
            if !known.contains(other) {
                known.push(other.clone());
            }
        }
        known.sort_by_key(|address| (self.watches_at(address), Some(address) != first, !self.is_open(address)));
        known
    }

    /// The members, and the owners of slots that count as failed: while nobody takes over from them they may come back.
    /// None where no node can be asked.
    pub fn members_and_owners(&mut self) -> Vec<Address> {
        let mut members = self.members(None);
        let owners = self.map.primaries().filter(|_| !members.is_empty());
        let failed: Vec<Address> = owners.filter(|owner| !members.contains(owner)).cloned().collect();
        members.extend(failed);
        members
    }

    /// Every node that the cluster has, as any of them but `except` knows it: also those that own no slots. None where
    /// no such node can be asked.
    pub fn members(&mut self, except: Option<&Address>) -> Vec<Address> {
        for node in self.knowing(None).into_iter().filter(|node| Some(node) != except) {
            match self.searching(|cluster| cluster.members_seen_by(&node)) {
                Ok(members) if !members.is_empty() => return members,
                Ok(_) => {}
                Err(Lost::Interrupted(_)) => return Vec::new(),
                Err(_) => self.drop_session(&node),
            }
        }
        Vec::new()
    }

    /// None if the node knows no slots: it is of no cluster, then. A server before version 7 tells those that own some.
    fn members_seen_by(&mut self, node: &Address) -> Result<Vec<Address>, Lost> {
        let deadline = Instant::now() + self.endpoint.connect_timeout;
        let session = self.session(node, false)?;
        let shards = session.call_before(redis::cmd("CLUSTER").arg("SHARDS"), deadline)?;
        if matches!(shards, Value::ServerError(_)) {
            return Ok(self.map.nodes().cloned().collect());
        }
        let members = Announced::read_shards(&shards, self.endpoint.tls.is_some());
        Ok(members.iter().map(|member| self.places.reach(member, node)).collect())
    }

    /// Has nothing to do with a node any more: it is asked last.
    pub fn leave(&mut self, node: &Address) {
        self.drop_session(node);
        self.leave_home(node);
    }

    /// Another node stands for the cluster if this one did: it is gone.
    pub(super) fn leave_home(&mut self, gone: &Address) {
        if self.is_of_sentinels || self.endpoint.address != *gone {
            return;
        }
        let mut others: Vec<&Address> = self.map.nodes().filter(|node| *node != gone).collect();
        others.sort_by_key(|address| !self.is_open(address));
        if let Some(other) = others.first() {
            self.endpoint.address = (*other).clone();
        }
    }

    fn is_open(&self, address: &Address) -> bool {
        self.nodes.iter().any(|node| node.address == *address && node.session.is_some())
    }
}

fn no_map(node: &Address, code: &str, reason: &str) -> Lost {
    Lost::Refused { code: code.to_owned(), message: format!("{node}: no slot map: {reason}") }
}
