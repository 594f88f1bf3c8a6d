//! `rcli -c ssub` on shard channels of all primaries of a cluster, against redis-py.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::Bench;
use crate::cluster::{Cluster, NODES};
use crate::lab::{Lab, python_at};
use crate::listener::Listener;
use crate::measure::{Job, Usage, alternate};
use crate::streams::NO_LIMIT;
use crate::table::{Goal, Row, thousands};

/// The rows of this topic.
pub const BENCHES: &[Bench] = &[Bench { name: "cluster-ssub", run: ssub }];

const CHANNELS: usize = 30;

/// Both listeners are stopped while everything is published, as in the row `sub`: the figures are their own speed.
///
/// For that the nodes keep any amount for a listener. Each has as many of the channels and messages as the others,
/// which spares redis-py most questions to nodes that have nothing left.
fn ssub(lab: &mut Lab) -> Result<Vec<Row>> {
    let cluster = Cluster::start(lab)?;
    cluster.call_all(&["CONFIG", "SET", "client-output-buffer-limit", NO_LIMIT])?;
    let stream = Stream::write(lab, &cluster)?;
    let count = stream.messages.to_string();
    let ours = cluster.rcli(lab).args(["ssub", "--json", "-m", "--count", &count]).args(&stream.channels);
    let theirs = python_at(cluster.port(), "sharded_messages.py").args([&count]).args(&stream.channels);
    let pairs = alternate(
        lab,
        lab.sizes.slow_pairs,
        |lab| drain(lab, &cluster, &stream, &ours),
        |lab| drain(lab, &cluster, &stream, &theirs),
    )?;
    let messages = thousands(stream.messages);
    let title = format!("{messages} messages that wait, over {CHANNELS} shard channels on {NODES} primaries");
    let against = "redis-py `get_sharded_message()`, json.dumps";
    let rate = format!("rate {:.0}×", 1.0 / pairs.wall.median);
    Ok(vec![Row::compared(title, against, Goal::Cpu(0.1), &pairs).also(&rate)])
}

/// How long a listener takes for messages that were all published while it was stopped; it ends by itself.
fn drain(lab: &Lab, cluster: &Cluster, stream: &Stream, job: &Job) -> Result<Usage> {
    let output = lab.path("sharded");
    let mut listener = Listener::start(job, &output)?;
    listener.wait_until(|_| Ok(cluster.shard_channels()? == CHANNELS))?;
    listener.pause()?;
    cluster.rcli(lab).args(["pipe", "--quiet"]).args([&stream.commands]).run()?;
    let from = Instant::now();
    listener.resume()?;
    let usage = listener.end(from)?;
    stream.check(&output)?;
    // The nodes notice the end of a listener a moment later; the next one must not be taken for it.
    while cluster.shard_channels()? > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(usage)
}

/// What is published: messages with a number, to each channel in turn.
struct Stream {
    channels: Vec<String>,
    messages: usize,
    commands: PathBuf,
}

impl Stream {
    fn write(lab: &Lab, cluster: &Cluster) -> Result<Self> {
        let channels = channels(cluster)?;
        let messages = lab.sizes.sharded_messages;
        let commands = lab.path("spublish.txt");
        let mut file = BufWriter::new(File::create(&commands)?);
        for number in 0..messages {
            writeln!(file, "SPUBLISH {} \"{}\"", channels[number % CHANNELS], message(number))?;
        }
        file.flush()?;
        Ok(Self { channels, messages, commands })
    }

    /// Every channel must have brought all of its messages, in order and once.
    fn check(&self, output: &Path) -> Result<()> {
        let mut next: Vec<usize> = (0..CHANNELS).collect();
        let mut received = 0;
        for line in BufReader::new(File::open(output)?).lines() {
            let line: Value = serde_json::from_str(&line?)?;
            let index = self.channels.iter().position(|name| line["channel"] == *name).context("an unknown channel")?;
            ensure!(line["data"] == message(next[index]), "instead of message {} came {line}", next[index]);
            next[index] += CHANNELS;
            received += 1;
        }
        ensure!(received == self.messages, "{received} of {} messages arrived", self.messages);
        Ok(())
    }
}

fn message(number: usize) -> String {
    format!("message {number:07} of a stream whose payload has sixty-four bytes.")
}

/// Names of channels whose owners are the nodes in turn.
fn channels(cluster: &Cluster) -> Result<Vec<String>> {
    let mut channels = Vec::new();
    for name in (0..).map(|number| format!("shard:{number}")) {
        if channels.len() == CHANNELS {
            break;
        }
        if cluster.owner(&name)? == channels.len() % usize::from(NODES) {
            channels.push(name);
        }
    }
    Ok(channels)
}
