//! Real clusters for the tests: three primaries that share the slots evenly, with a replica each where one is asked
//! for, and what may happen to them. Gone when dropped.

use crate::certificates::Certificates;
use crate::rcli::Rcli;
use crate::resp::Reply;
use crate::server::{Server, wait_for};
use std::ffi::OsStr;

/// The first slots of the primaries, and the end.
const BOUNDS: [u16; 4] = [0, 5461, 10923, 16384];

/// A running cluster. Nodes 0 to 2 begin as primaries; node 3 replicates node 0, and so on.
pub struct Cluster {
    /// The nodes.
    pub nodes: Vec<Server>,
    /// The address that all of them listen at.
    host: &'static str,
}

impl Cluster {
    /// Three primaries.
    pub fn start() -> Self {
        Self::with_args(3, &[])
    }

    /// Three primaries and a replica of each.
    pub fn with_replicas() -> Self {
        Self::with_replicas_and(&[])
    }

    /// The same where no replica takes over by itself, however long a busy machine keeps a node from answering.
    pub fn with_steady_replicas() -> Self {
        Self::with_replicas_and(&["--cluster-replica-no-failover", "yes"])
    }

    fn with_replicas_and(extra: &[&str]) -> Self {
        let cluster = Self::with_args(6, extra);
        for replica in 3..6 {
            let primary = cluster.id(replica - 3);
            wait_for("the replica to know its primary", || {
                cluster.nodes[replica].ask(&format!("CLUSTER REPLICATE {primary}")) == "OK"
            });
        }
        for replica in 3..6 {
            cluster.nodes[replica].wait_until("INFO replication", |info| info.contains("master_link_status:up"));
        }
        for node in &cluster.nodes {
            node.wait_until("CLUSTER NODES", |nodes| nodes.matches("slave").count() == 3);
        }
        cluster
    }

    /// That many nodes with further command-line arguments.
    pub fn with_args(count: usize, extra: &[&str]) -> Self {
        Self::launch("127.0.0.1", count, &BOUNDS, extra, Server::with_args)
    }

    /// Two primaries, the first of which owns all slots.
    pub fn with_one_owner() -> Self {
        Self::launch("127.0.0.1", 2, &[0, 16384], &[], Server::with_args)
    }

    /// Three primaries that listen at `::1`.
    pub fn over_ipv6() -> Self {
        Self::launch("::1", 3, &BOUNDS, &["--bind", "::1"], Server::with_args)
    }

    /// Three primaries that speak TLS with clients, who need a certificate, and among each other.
    pub fn with_tls(certificates: &Certificates, extra: &[&str]) -> Self {
        let extra = [&["--tls-cluster", "yes", "--tls-replication", "yes"], extra].concat();
        Self::launch("127.0.0.1", 3, &BOUNDS, &extra, |args| Server::with_tls_and_args(certificates, true, args))
    }

    fn launch(
        host: &'static str,
        count: usize,
        bounds: &[u16],
        extra: &[&str],
        start_server: impl Fn(Vec<String>) -> Server + Sync,
    ) -> Self {
        let nodes: Vec<Server> = std::thread::scope(|scope| {
            let start = || {
                let mut args: Vec<String> =
                    ["--cluster-enabled", "yes", "--cluster-node-timeout", "1500", "--repl-diskless-sync-delay", "0"]
                        .map(str::to_owned)
                        .to_vec();
                args.extend(["--cluster-port", "0"].map(str::to_owned));
                args.extend(extra.iter().map(|&arg| arg.to_owned()));
                start_server(args)
            };
            let started: Vec<_> = (0..count).map(|_| scope.spawn(start)).collect();
            started.into_iter().map(|node| node.join().expect("a node")).collect()
        });
        for (index, node) in nodes.iter().enumerate() {
            assert_eq!(node.ask(&format!("CLUSTER SET-CONFIG-EPOCH {}", index + 1)), "OK");
            if let Some(end) = bounds.get(index + 1) {
                assert_eq!(node.ask(&format!("CLUSTER ADDSLOTSRANGE {} {}", bounds[index], end - 1)), "OK");
            }
        }
        for node in &nodes {
            for other in &nodes {
                node.ask(&format!("CLUSTER MEET {host} {} {}", other.port(), bus_of(other)));
            }
        }
        for node in &nodes {
            node.wait_until("CLUSTER INFO", |info| {
                info.contains("cluster_state:ok")
                    && info.contains(&format!("cluster_known_nodes:{count}"))
                    && info.contains("cluster_slots_ok:16384")
            });
        }
        Self { nodes, host }
    }

    /// A run of rcli with `-c` on the first node.
    pub fn rcli<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Rcli {
        self.nodes[0].rcli(["-c"]).args(args)
    }

    /// Makes a node known to the others again.
    pub fn meet(&self, node: usize) {
        let node = &self.nodes[node];
        let other = self.nodes.iter().find(|other| other.port() != node.port()).expect("another node");
        assert_eq!(other.ask(&format!("CLUSTER MEET 127.0.0.1 {} {}", node.port(), bus_of(node))), "OK");
    }

    /// Lets a user with the password `p` have these rights at every node.
    pub fn add_user(&self, name: &str, rights: &str) {
        for node in &self.nodes {
            assert_eq!(node.ask(&format!("ACL SETUSER {name} on >p {rights}")), "OK");
        }
    }

    /// The id of a node.
    pub fn id(&self, node: usize) -> String {
        self.nodes[node].ask("CLUSTER MYID")
    }

    /// The slot of a key.
    pub fn slot(&self, key: &str) -> u16 {
        self.nodes[0].ask(&format!("CLUSTER KEYSLOT {key}")).parse().expect("a slot")
    }

    /// The node that owns a key, as this node sees it.
    pub fn owner_seen_by(&self, node: usize, key: &str) -> usize {
        let slot = i64::from(self.slot(key));
        let Reply::Array(ranges) = self.nodes[node].call(&[b"CLUSTER", b"SLOTS"]) else { panic!("no slots") };
        let port = ranges.iter().find_map(|range| match range {
            Reply::Array(parts) => match parts.as_slice() {
                [Reply::Integer(first), Reply::Integer(last), Reply::Array(owner), ..]
                    if (*first..=*last).contains(&slot) =>
                {
                    Some(owner[1].to_string())
                }
                _ => None,
            },
            _ => None,
        });
        let port = port.expect("an owner");
        self.nodes.iter().position(|node| node.port().to_string() == port).expect("a node of ours")
    }

    /// The node that owns a key.
    pub fn owner(&self, key: &str) -> usize {
        self.owner_seen_by(0, key)
    }

    /// Declares the slot of a key to be on its way to another node.
    pub fn begin_migration(&self, key: &str, to: usize) {
        let (slot, from) = (self.slot(key), self.owner(key));
        self.nodes[to].ask(&format!("CLUSTER SETSLOT {slot} IMPORTING {}", self.id(from)));
        self.nodes[from].ask(&format!("CLUSTER SETSLOT {slot} MIGRATING {}", self.id(to)));
    }

    /// Moves a key of a slot on its way, if it is still there.
    pub fn move_key(&self, key: &str, from: usize, to: usize) {
        let port = self.nodes[to].port();
        self.nodes[from].ask(&format!("MIGRATE {} {port} {key} 0 5000", self.host));
    }

    /// Moves what is left in the slot of a key, and declares it to be the other node's.
    pub fn end_migration(&self, key: &str, to: usize) {
        let (slot, from) = (self.slot(key), self.owner(key));
        while let Reply::Array(keys) =
            self.nodes[from].call(&[b"CLUSTER", b"GETKEYSINSLOT", slot.to_string().as_bytes(), b"10"])
            && !keys.is_empty()
        {
            for key in keys {
                self.move_key(&key.to_string(), from, to);
            }
        }
        let new = self.id(to);
        // Each is told once: a node that is told again ends the subscriptions of that slot.
        let others = (0..self.nodes.len()).filter(|node| ![to, from].contains(node));
        for node in [to, from].into_iter().chain(others) {
            self.nodes[node].ask(&format!("CLUSTER SETSLOT {slot} NODE {new}"));
        }
    }

    /// Moves the slot of a key, with all that is in it.
    pub fn migrate(&self, key: &str, to: usize) {
        self.begin_migration(key, to);
        self.end_migration(key, to);
    }

    /// What the owner of a key says to a command.
    pub fn ask_owner(&self, key: &str, command: &str) -> String {
        self.nodes[self.owner(key)].ask(command)
    }
}

/// The port that the other nodes talk to.
fn bus_of(node: &Server) -> String {
    let own = node.ask("CLUSTER NODES");
    let bus = own.lines().find(|line| line.contains("myself")).and_then(|line| line.split(['@', ' ', ',']).nth(2));
    bus.expect("a bus").to_owned()
}
