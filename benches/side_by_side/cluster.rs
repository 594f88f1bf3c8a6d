//! `rcli -c` on a cluster of three primaries: a pipeline against redis-py's and against rcli's own on one server, its
//! memory, and one command a process against `redis-cli -c`.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use redis::FromRedisValue;

use crate::Bench;
use crate::lab::{Lab, python_at, redis_cli_at};
use crate::measure::{Job, alternate};
use crate::pipe::count_lines;
use crate::start::repeated;
use crate::table::{Goal, Row, thousands};
use crate::workload::{Workload, repeated_sets};

/// The rows of this topic.
pub const BENCHES: &[Bench] = &[
    Bench { name: "cluster-pipe", run: pipe },
    Bench { name: "cluster-of-one", run: of_one },
    Bench { name: "cluster-memory", run: memory },
    Bench { name: "cluster-exec", run: exec },
];

const MEGABYTE: u64 = 1024 * 1024;
/// Primaries of a cluster.
pub const NODES: u16 = 3;
const SLOTS: u16 = 16384;

fn pipe(lab: &mut Lab) -> Result<Vec<Row>> {
    let cluster = Cluster::start(lab)?;
    let work = Workload::mixed(lab, lab.sizes.cluster_lines)?;
    let replies = lab.path("replies");
    let ours = cluster.rcli(lab).args(["--json", "pipe"]).args([&work.text]);
    ours.clone().stdout(&replies).run()?;
    let written = count_lines(&replies)?;
    ensure!(written == work.lines, "rcli wrote {written} replies to {} commands", work.lines);
    let theirs = python_at(cluster.port(), "cluster_pipeline.py").args([&work.text]);
    let title = format!("{} mixed lines over 3 primaries, JSON replies", thousands(work.lines));
    let peer = "redis-py `RedisCluster.pipeline()` of 10k";
    let pairs = alternate(lab, lab.sizes.slow_pairs, |_| ours.run(), |_| theirs.run())?;
    let against_python = Row::compared(title.clone(), peer, Goal::Wall(0.15), &pairs);
    let single = lab.rcli().args(["--json", "pipe"]).args([&work.text]);
    // Neither has the strings and hashes that are read: the replies are the same.
    lab.server.flush()?;
    let pairs = alternate(lab, lab.sizes.pairs, |_| ours.run(), |_| single.run())?;
    let against_single = Row::compared(title, "`rcli pipe` on one server", Goal::Cpu(1.4), &pairs);
    Ok(vec![against_python, against_single])
}

fn of_one(lab: &mut Lab) -> Result<Vec<Row>> {
    let cluster = Cluster::of(lab, 1)?;
    let work = Workload::sets(lab, lab.sizes.cluster_lines)?;
    let ours = cluster.rcli(lab).args(["--json", "pipe"]).args([&work.text]);
    let single = lab.rcli_at(cluster.port()).args(["--json", "pipe"]).args([&work.text]);
    let pairs = alternate(lab, lab.sizes.pairs, |_| ours.run(), |_| single.run())?;
    let title = format!("`pipe -c` of {} `SET` lines on a cluster of one node", thousands(work.lines));
    Ok(vec![Row::compared(title, "`rcli pipe` on the same node", Goal::Cpu(1.05), &pairs)])
}

fn memory(lab: &mut Lab) -> Result<Vec<Row>> {
    let cluster = Cluster::start(lab)?;
    let mut rows = Vec::new();
    for lines in [100_000, lab.sizes.memory_lines] {
        let work = repeated_sets(lab, lines)?;
        let usage = cluster.rcli(lab).args(["--json", "pipe"]).args([&work]).run_watched()?;
        let title = format!("peak memory of `pipe -c`, {} lines", thousands(lines));
        rows.push(Row::sized(title, 24 * MEGABYTE, usage.peak, "VmHWM of rcli"));
    }
    Ok(rows)
}

fn exec(lab: &mut Lab) -> Result<Vec<Row>> {
    let cluster = Cluster::start(lab)?;
    let runs = lab.sizes.starts;
    let ours = cluster.rcli(lab).args(["exec", "GET", "foo"]);
    let theirs = redis_cli_at(cluster.port()).args(["-c", "GET", "foo"]);
    let pairs = alternate(lab, lab.sizes.pairs, |_| repeated(runs, &ours), |_| repeated(runs, &theirs))?;
    let title = format!("`rcli -c exec GET k`, {runs} processes");
    Ok(vec![Row::compared(title, "`redis-cli -c GET k`", Goal::Wall(0.5), &pairs)])
}

/// Three primaries that share the slots; ended when dropped.
pub struct Cluster {
    nodes: Vec<(Child, u16)>,
}

impl Cluster {
    /// Starts the lab's server three times, and makes a cluster of them.
    pub fn start(lab: &Lab) -> Result<Self> {
        Self::of(lab, NODES)
    }

    /// The same of this many primaries.
    pub fn of(lab: &Lab, count: u16) -> Result<Self> {
        let mut cluster = Self { nodes: Vec::new() };
        for _ in 0..count {
            cluster.nodes.push(start_node(lab)?);
        }
        for index in 0..count {
            let (first, last) = (
                index * (SLOTS / count),
                if index + 1 == count { SLOTS - 1 } else { (index + 1) * (SLOTS / count) - 1 },
            );
            let port = cluster.nodes[usize::from(index)].1;
            call::<()>(port, &["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()])?;
            call::<()>(port, &["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()])?;
        }
        for (_, port) in &cluster.nodes[1..] {
            call::<()>(cluster.port(), &["CLUSTER", "MEET", "127.0.0.1", &port.to_string()])?;
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        for (_, port) in &cluster.nodes {
            while !is_whole(*port, count)? {
                ensure!(Instant::now() < deadline, "the nodes do not become a cluster");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(cluster)
    }

    /// The port of the first node.
    pub fn port(&self) -> u16 {
        self.nodes[0].1
    }

    /// `rcli -c` on this cluster.
    pub fn rcli(&self, lab: &Lab) -> Job {
        lab.rcli_at(self.port()).args(["-c"])
    }

    /// Runs one command on every node.
    pub fn call_all(&self, words: &[&str]) -> Result<()> {
        self.nodes.iter().try_for_each(|(_, port)| call(*port, words))
    }

    /// The place among the nodes of the one that owns the slot of a key.
    pub fn owner(&self, key: &str) -> Result<usize> {
        let slot: u16 = call(self.port(), &["CLUSTER", "KEYSLOT", key])?;
        Ok(usize::from((slot / (SLOTS / NODES)).min(NODES - 1)))
    }

    /// How many shard channels somebody listens to.
    pub fn shard_channels(&self) -> Result<usize> {
        let mut count = 0;
        for (_, port) in &self.nodes {
            count += call::<Vec<String>>(*port, &["PUBSUB", "SHARDCHANNELS"])?.len();
        }
        Ok(count)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for (child, _) in &mut self.nodes {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn start_node(lab: &Lab) -> Result<(Child, u16)> {
    let port = free_port()?;
    let directory: PathBuf = lab.path(&format!("node-{port}"));
    // Left by the cluster of another row: a node must not remember that one.
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory)?;
    let mut child = spawn_node(lab.program(), &directory, port)?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while call::<String>(port, &["PING"]).is_err() {
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            bail!("a node of the cluster does not answer");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok((child, port))
}

fn spawn_node(program: &Path, directory: &Path, port: u16) -> Result<Child> {
    Command::new(program)
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--cluster-enabled", "yes"])
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))
}

/// A port whose bus port, 10,000 higher, is free too.
fn free_port() -> Result<u16> {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    (24_000..34_000).find(|port| is_free(*port) && is_free(port + 10_000)).context("no port is free")
}

fn is_whole(port: u16, count: u16) -> Result<bool> {
    let info: String = call(port, &["CLUSTER", "INFO"])?;
    Ok(info.contains("cluster_state:ok") && info.contains(&format!("cluster_known_nodes:{count}")))
}

fn call<T: FromRedisValue>(port: u16, words: &[&str]) -> Result<T> {
    let mut command = redis::Cmd::new();
    command.arg(words);
    Ok(command.query(&mut redis::Client::open(("127.0.0.1", port))?.get_connection()?)?)
}
