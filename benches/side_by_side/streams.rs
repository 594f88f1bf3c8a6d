//! `sub`, `monitor` and `txn` with a program, against `redis-cli` and redis-py.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::Bench;
use crate::lab::Lab;
use crate::listener::{Listener, Publisher};
use crate::measure::{Job, Usage, alternate};
use crate::pipe::count_lines;
use crate::start::repeated;
use crate::table::{Goal, Row, thousands};

/// The rows of this topic.
pub const BENCHES: &[Bench] = &[
    Bench { name: "sub", run: sub },
    Bench { name: "sub-redis-py", run: sub_redis_py },
    Bench { name: "sub-paced", run: sub_paced },
    Bench { name: "control", run: control },
    Bench { name: "monitor", run: monitor },
    Bench { name: "txn", run: txn },
];

const CHANNEL: &str = "bench";
const MESSAGE: &str = "message 0000001 of a stream whose payload has sixty-four bytes.";
const LAST: &str = "the last message";

/// Room at the server for everything that a stopped listener has not read.
pub const NO_LIMIT: &str = "pubsub 0 0 0";
/// The server's default, at which it drops a listener that is too slow.
const DEFAULT_LIMIT: &str = "pubsub 32mb 8mb 60";

/// A listener and the lines it writes for a message, its confirmation being one more.
struct Subject {
    job: Job,
    lines_per_message: usize,
}

impl Subject {
    fn rcli(lab: &Lab) -> Self {
        Self { job: lab.rcli().args(["sub", CHANNEL, "--json"]), lines_per_message: 1 }
    }

    fn redis_cli(lab: &Lab) -> Self {
        Self { job: lab.redis_cli().args(["SUBSCRIBE", CHANNEL]), lines_per_message: 3 }
    }

    fn redis_py(lab: &Lab) -> Self {
        Self { job: lab.python("listen.py").args([CHANNEL, LAST]), lines_per_message: 1 }
    }

    /// Messages in its output, without the confirmation.
    fn received(&self, output: &Path) -> Result<usize> {
        Ok((count_lines(output)? / self.lines_per_message).saturating_sub(1))
    }
}

fn sub(lab: &mut Lab) -> Result<Vec<Row>> {
    let pairs = lab.sizes.pairs.min(5);
    let (ours, theirs) = (Subject::rcli(lab), Subject::redis_cli(lab));
    let pairs = alternate(lab, pairs, |lab| drain(lab, &ours), |lab| drain(lab, &theirs))?;
    let goal = Goal::RateAndCpu(6.0, 0.15);
    let rate = 1.0 / pairs.wall.median;
    let against = "`redis-cli SUBSCRIBE` to a file";
    let row = Row::compared(drain_title(lab), against, goal, &pairs).also(&format!("rate {rate:.1}×"));
    let title = format!("peak memory of `sub`, {} messages waiting", thousands(lab.sizes.messages));
    let memory = Row::sized(title, 16 * 1024 * 1024, pairs.ours.peak, "VmHWM of rcli");
    Ok(vec![row, memory])
}

fn sub_redis_py(lab: &mut Lab) -> Result<Vec<Row>> {
    let pairs = lab.sizes.slow_pairs;
    let (ours, theirs) = (Subject::rcli(lab), Subject::redis_py(lab));
    let pairs = alternate(lab, pairs, |lab| drain(lab, &ours), |lab| drain(lab, &theirs))?;
    let against = "redis-py `listen()`, json.dumps";
    Ok(vec![Row::compared(drain_title(lab), against, Goal::Cpu(0.08), &pairs)])
}

fn drain_title(lab: &Lab) -> String {
    format!("{} messages that wait, to JSON lines in a file", thousands(lab.sizes.messages))
}

/// How long a listener takes for messages that were all published while it was stopped: its own speed, whatever the
/// publisher's.
fn drain(lab: &mut Lab, subject: &Subject) -> Result<Usage> {
    limit_buffers(lab, NO_LIMIT)?;
    let messages = lab.sizes.messages;
    let mut publisher = Publisher::connect(lab.server.port, CHANNEL, MESSAGE)?;
    let output = lab.path("stream");
    let mut listener = Listener::start(&subject.job, &output)?;
    listener.wait_until(|_| is_subscribed(lab))?;
    listener.pause()?;
    let sent = publisher.publish(messages, None)? + publish_last(lab)?;
    let from = Instant::now();
    listener.resume()?;
    listener.wait_for(LAST)?;
    let usage = listener.finish(from)?;
    wait_until_gone(lab)?;
    let received = subject.received(&output)?;
    ensure!(received == sent, "{received} of {sent} messages arrived");
    Ok(usage)
}

/// Messages a second to try; after the last one, as many as the server takes.
const RATES: &[u32] = &[500_000, 700_000, 900_000, 1_100_000, 1_400_000];

/// Raises the rate until the server drops redis-cli, then lets rcli listen at that rate.
fn sub_paced(lab: &mut Lab) -> Result<Vec<Row>> {
    limit_buffers(lab, DEFAULT_LIMIT)?;
    let (ours, theirs) = (Subject::rcli(lab), Subject::redis_cli(lab));
    let mut rates = RATES.iter().copied();
    let mut rate = rates.next();
    let mut peer = paced(lab, &theirs, rate)?;
    while !peer.dropped && rate.is_some() {
        rate = rates.next();
        peer = paced(lab, &theirs, rate)?;
    }
    let own = paced(lab, &ours, rate)?;
    let fate = if peer.dropped { "was dropped" } else { "was not dropped" };
    let note = format!(
        "redis-cli {fate} at {} a second, {} of {} received; rcli at {} a second, {} of {} received",
        thousands(peer.rate),
        thousands(peer.received),
        thousands(peer.sent),
        thousands(own.rate),
        thousands(own.received),
        thousands(own.sent),
    );
    let missed = own.dropped || own.received != own.sent;
    let title = "`sub` at the rate at which the server drops redis-cli".to_owned();
    Ok(vec![Row::stated(title, "`redis-cli SUBSCRIBE`", Goal::Complete, missed, note)])
}

/// What became of a listener at a certain rate.
struct Paced {
    /// Messages a second that were really published.
    rate: usize,
    sent: usize,
    received: usize,
    dropped: bool,
}

fn paced(lab: &mut Lab, subject: &Subject, rate: Option<u32>) -> Result<Paced> {
    let seconds = lab.sizes.paced_seconds;
    let mut publisher = Publisher::connect(lab.server.port, CHANNEL, MESSAGE)?;
    let output = lab.path("stream");
    let mut listener = Listener::start(&subject.job, &output)?;
    listener.wait_until(|_| is_subscribed(lab))?;
    let connection = subscriber(lab)?;
    let from = Instant::now();
    // Without a rate the server takes them as fast as it can, whatever time that needs.
    let messages = usize::try_from(rate.unwrap_or(1_000_000) * seconds)?;
    let mut sent = publisher.publish(messages, rate)?;
    let elapsed = Duration::max(from.elapsed(), Duration::from_millis(1));
    let rate = u128::try_from(sent)? * 1000 / elapsed.as_millis();
    let mut dropped = subscriber(lab)? != connection;
    if !dropped {
        sent += publish_last(lab)?;
        // It may still be dropped while it reads what waits, and then the last message never comes.
        listener.wait_until(|listener| {
            dropped = subscriber(lab)? != connection;
            Ok(dropped || listener.has_written(LAST)?)
        })?;
    }
    listener.finish(from)?;
    wait_until_gone(lab)?;
    Ok(Paced { rate: rate.try_into()?, sent, received: subject.received(&output)?, dropped })
}

fn limit_buffers(lab: &mut Lab, limit: &str) -> Result<()> {
    lab.server.call(&["CONFIG", "SET", "client-output-buffer-limit", limit])
}

/// The id of the connection that is subscribed, which changes when the server drops it and the program comes back.
fn subscriber(lab: &mut Lab) -> Result<Option<String>> {
    let clients = lab.server.other_clients()?;
    let line = clients.iter().find(|line| line.contains(" sub=1 "));
    Ok(line.and_then(|line| line.split(' ').next().map(str::to_owned)))
}

fn publish_last(lab: &mut Lab) -> Result<usize> {
    lab.server.call::<()>(&["PUBLISH", CHANNEL, LAST])?;
    Ok(1)
}

fn is_subscribed(lab: &mut Lab) -> Result<bool> {
    let (_, count): (String, u64) = lab.server.call(&["PUBSUB", "NUMSUB", CHANNEL])?;
    Ok(count == 1)
}

/// The server notices the end of a listener a moment later; the next one must not be taken for it.
fn wait_until_gone(lab: &mut Lab) -> Result<()> {
    while is_subscribed(lab)? {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

const CONTROL_LINES: usize = 10_000;
const CONTROL_MESSAGES: usize = 100_000;

/// Subscribes and leaves while messages come of a channel that stays: none of those may be lost.
fn control(lab: &mut Lab) -> Result<Vec<Row>> {
    limit_buffers(lab, NO_LIMIT)?;
    let lines = lab.path("control");
    let mut file = BufWriter::new(File::create(&lines)?);
    for at in 0..CONTROL_LINES / 2 {
        write!(file, "SUBSCRIBE other:{at}\nUNSUBSCRIBE other:{at}\n")?;
    }
    // The last line is answered when all others are.
    file.write_all(b"PING\n")?;
    file.flush()?;
    let output = lab.path("stream");
    let mut publisher = Publisher::connect(lab.server.port, CHANNEL, MESSAGE)?;
    let job = lab.rcli().args(["sub", CHANNEL, "--json", "--control=keep"]).stdin(&lines);
    let mut listener = Listener::start(&job, &output)?;
    listener.wait_until(|_| is_subscribed(lab))?;
    let from = Instant::now();
    let sent = publisher.publish(CONTROL_MESSAGES, None)? + publish_last(lab)?;
    listener.wait_until(|_| Ok(count_of(&output, "pong")? == 1 && count_of(&output, "message")? >= sent))?;
    let usage = listener.finish(from)?;
    wait_until_gone(lab)?;
    let (heard, confirmed) = (count_of(&output, "message")?, count_of(&output, "subscribe")? - 1);
    let left = count_of(&output, "unsubscribe")?;
    let missed = heard != sent || confirmed + left != CONTROL_LINES;
    let title = format!(
        "{} lines of `--control` while {} messages come",
        thousands(CONTROL_LINES),
        thousands(CONTROL_MESSAGES)
    );
    let note = format!(
        "{} of {} messages heard, {} of {} lines confirmed",
        thousands(heard),
        thousands(sent),
        thousands(confirmed + left),
        thousands(CONTROL_LINES)
    );
    let memory = Row::sized(format!("peak memory of {title}"), 16 * 1024 * 1024, usage.peak, "VmHWM of rcli");
    Ok(vec![Row::stated(title, "–", Goal::Complete, missed, note), memory])
}

/// How many lines of a stream are of this type.
fn count_of(path: &Path, kind: &str) -> Result<usize> {
    let begin = format!("{{\"type\":\"{kind}\"");
    let mut lines = 0;
    for line in BufReader::new(File::open(path)?).split(b'\n') {
        lines += usize::from(line?.starts_with(begin.as_bytes()));
    }
    Ok(lines)
}

fn monitor(lab: &mut Lab) -> Result<Vec<Row>> {
    let ours = lab.rcli().args(["monitor", "--json"]);
    let theirs = lab.redis_cli().args(["MONITOR"]);
    let pairs =
        alternate(lab, lab.sizes.pairs.min(5), |lab| watch_benchmark(lab, &ours), |lab| watch_benchmark(lab, &theirs))?;
    let title = format!("MONITOR of {} commands, redis-benchmark -P 16", thousands(lab.sizes.monitored));
    let against = "`redis-cli MONITOR` to a file";
    Ok(vec![Row::compared(title, against, Goal::Cpu(0.30), &pairs).also("nothing lost")])
}

/// A monitor to a file while redis-benchmark runs; an error when a command is missing.
fn watch_benchmark(lab: &mut Lab, job: &Job) -> Result<Usage> {
    let output = lab.path("monitor");
    let mut listener = Listener::start(job, &output)?;
    listener.wait_until(|_| Ok(lab.server.other_clients()?.iter().any(|line| line.contains(" flags=O "))))?;
    let commands = lab.sizes.monitored;
    let from = Instant::now();
    Job::new("redis-benchmark")
        .args(["-p", &lab.server.port.to_string(), "-P", "16", "-t", "set", "-q"])
        .args(["-n", &commands.to_string()])
        .run()?;
    lab.server.call::<()>(&["ECHO", LAST])?;
    listener.wait_for(LAST)?;
    let usage = listener.finish(from)?;
    let sets = count_sets(&output)?;
    // redis-benchmark sends whole pipelines of 16.
    let expected = commands.next_multiple_of(16);
    ensure!((commands..=expected).contains(&sets), "{sets} of {commands} commands were seen");
    Ok(usage)
}

/// The commands of redis-benchmark in what a monitor wrote: all of them name its one key.
fn count_sets(path: &Path) -> Result<usize> {
    let key = memchr::memmem::Finder::new("key:__rand_int__");
    let mut lines = 0;
    for line in BufReader::new(File::open(path)?).split(b'\n') {
        lines += usize::from(key.find(&line?).is_some());
    }
    Ok(lines)
}

fn txn(lab: &mut Lab) -> Result<Vec<Row>> {
    let runs = lab.sizes.transactions;
    let increment = r#"echo GET seq; read -r n; echo MULTI; echo "SET seq $((n + 1))""#;
    let ours = lab.rcli().args(["txn", "--watch", "seq", "--", "sh", "-c", increment]);
    let theirs = lab.python("transaction.py").args(["seq"]);
    let pairs =
        alternate(lab, lab.sizes.slow_pairs, |lab| increments(lab, runs, &ours), |lab| increments(lab, runs, &theirs))?;
    let title = format!("{runs} `txn` with a program");
    let against = "redis-py `transaction()` in a script";
    Ok(vec![Row::compared(title, against, Goal::Wall(0.1), &pairs)])
}

fn increments(lab: &mut Lab, runs: usize, job: &Job) -> Result<Usage> {
    lab.server.call::<()>(&["SET", "seq", "0"])?;
    let usage = repeated(runs, job)?;
    let counted: usize = lab.server.call(&["GET", "seq"])?;
    ensure!(counted == runs, "{runs} transactions counted to {counted}");
    Ok(usage)
}
