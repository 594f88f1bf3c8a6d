//! `--sandbox=cluster`: three servers become one cluster (contract section 13). Each is told its slots and where the
//! others are over its private unix socket, so that no other server can be meant.

use std::net::TcpListener;

use redis::{Cmd, Value};

use super::{Sandbox, wait_for};
use crate::exit::{Failure, Outcome};
use crate::net::{Address, Endpoint, SLOTS, Session};
use crate::reply::{error_reason, text_of};

const NODES: u16 = 3;
/// A node talks to the others on a second port, this much higher.
const BUS: u16 = 10_000;
/// Ports from here on are seldom taken, and those of the bus are below the ones that systems give to clients.
const FIRST_PORT: u16 = 20_000;

/// Ports for the nodes: each free, and its bus port too.
pub fn free_ports() -> Outcome<Vec<u16>> {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    // Another sandbox that looks at the same time begins elsewhere.
    let begin = FIRST_PORT + u16::try_from(std::process::id() % 1000).unwrap_or_default() * 3;
    let ports: Vec<u16> =
        (begin..begin + BUS / 2).filter(|port| is_free(*port) && is_free(port + BUS)).take(NODES.into()).collect();
    if ports.len() == usize::from(NODES) {
        Ok(ports)
    } else {
        Err(Failure::failed(format!("--sandbox=cluster: no free ports from {begin} on")))
    }
}

impl Sandbox {
    /// Makes one cluster of the nodes, which share the slots evenly.
    pub(super) fn join_nodes(&self) -> Outcome<()> {
        let mut nodes = Vec::new();
        for server in &self.servers {
            nodes.push(Session::open(&Endpoint::at(Address::Unix(server.socket())))?);
        }
        let share = SLOTS / NODES + 1;
        for (index, node) in (0..).zip(&mut nodes) {
            let mut slots = redis::cmd("CLUSTER");
            slots.arg("ADDSLOTS");
            (index * share..((index + 1) * share).min(SLOTS)).for_each(|slot| {
                slots.arg(slot);
            });
            ask(node, &slots)?;
            // Given while they are strangers: nodes that meet with the same epoch have to settle that first.
            ask(node, redis::cmd("CLUSTER").arg("SET-CONFIG-EPOCH").arg(index + 1))?;
        }
        for (node, server) in nodes.iter_mut().zip(&self.servers) {
            for other in self.servers.iter().filter(|other| other.port != server.port) {
                ask(node, redis::cmd("CLUSTER").arg("MEET").arg("127.0.0.1").arg(other.port))?;
            }
        }
        for node in &mut nodes {
            wait_for(|| is_whole(node), || "the nodes did not become a cluster".to_owned())?;
        }
        Ok(())
    }
}

/// Whether the node knows all others and serves its slots.
fn is_whole(node: &mut Session) -> Outcome<bool> {
    let info = ask(node, redis::cmd("CLUSTER").arg("INFO"))?;
    let Some(info) = text_of(&info) else { return Ok(false) };
    let wanted = [
        "cluster_state:ok".to_owned(),
        format!("cluster_slots_ok:{SLOTS}"),
        format!("cluster_known_nodes:{NODES}"),
        format!("cluster_size:{NODES}"),
    ];
    Ok(wanted.iter().all(|line| info.lines().any(|known| known == line)))
}

fn ask(node: &mut Session, question: &Cmd) -> Outcome<Value> {
    match node.ask(question).map_err(|lost| lost.into_failure_at("--sandbox=cluster"))? {
        Value::ServerError(error) => Err(Failure::failed(format!("--sandbox=cluster: {}", error_reason(&error)))),
        value => Ok(value),
    }
}
