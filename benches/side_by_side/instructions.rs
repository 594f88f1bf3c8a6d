//! Instructions that `rcli` spends on one more line or message, counted by callgrind: steady on any machine, however busy.
//!
//! Each figure is the difference of two runs of different sizes, so that the start of the process is not in it.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::Bench;
use crate::entries::{STREAM, fill};
use crate::keys;
use crate::lab::Lab;
use crate::measure::Job;
use crate::table::{Goal, Row, thousands};
use crate::workload::{Workload, rows, seed_full_lists};

/// The rows of this topic.
pub const BENCHES: &[Bench] = &[
    Bench { name: "instructions-set", run: set },
    Bench { name: "instructions-mixed", run: mixed },
    Bench { name: "instructions-sub", run: sub },
    Bench { name: "instructions-monitor", run: monitor },
    Bench { name: "instructions-csv", run: csv },
    Bench { name: "instructions-tail", run: tail },
    Bench { name: "instructions-ls", run: ls },
    Bench { name: "instructions-exec", run: exec },
];

/// Lines or messages of the smaller run; the larger has five times as many.
const FEW: usize = 10_000;
const MANY: usize = 5 * FEW;

const CHANNEL: &str = "c";

fn set(lab: &mut Lab) -> Result<Vec<Row>> {
    let each = per_item(|count| {
        let work = Workload::sets(lab, count)?;
        lab.server.flush()?;
        count_of(&lab.rcli().args(["--json", "pipe"]).args([&work.text]), |_| Ok(()))
    })?;
    Ok(vec![row("instructions a `SET key:N value-N` line of `pipe --json`", 800, each)])
}

fn mixed(lab: &mut Lab) -> Result<Vec<Row>> {
    let each = per_item(|count| {
        let work = Workload::mixed(lab, count)?;
        seed_full_lists(lab)?;
        count_of(&lab.rcli().args(["--json", "pipe"]).args([&work.text]), |_| Ok(()))
    })?;
    Ok(vec![row("instructions a line of GET INCR LPUSH LRANGE(10) HGETALL(3) of `pipe --json`", 1300, each)])
}

fn sub(lab: &mut Lab) -> Result<Vec<Row>> {
    lab.server.call::<()>(&["CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 0 0"])?;
    let each = per_item(|count| {
        let job = lab.rcli().args(["--json", "sub", CHANNEL, "--count", &count.to_string()]);
        count_of(&job, |deadline| {
            let is_subscribed = |lab: &mut Lab| {
                let (_, count): (String, u64) = lab.server.call(&["PUBSUB", "NUMSUB", CHANNEL])?;
                Ok(count == 1)
            };
            wait_for(lab, deadline, is_subscribed)?;
            publish(lab, count, |n| format!("message-{n:012}"))
        })
    })?;
    Ok(vec![row("instructions a 20-byte message of `sub --json`", 1000, each)])
}

fn monitor(lab: &mut Lab) -> Result<Vec<Row>> {
    let each = per_item(|count| {
        let job = lab.rcli().args(["--json", "monitor", "--only", "PUBLISH", "--count", &count.to_string()]);
        count_of(&job, |deadline| {
            let is_monitoring =
                |lab: &mut Lab| Ok(lab.server.other_clients()?.iter().any(|client| client.contains(" flags=O ")));
            wait_for(lab, deadline, is_monitoring)?;
            publish(lab, count, |n| format!("message-{n}"))
        })
    })?;
    Ok(vec![row("instructions a `PUBLISH c message-N` line of `monitor --json`", 1500, each)])
}

fn csv(lab: &mut Lab) -> Result<Vec<Row>> {
    let each = per_item(|count| {
        let rows = rows(lab, count)?;
        lab.server.flush()?;
        let job = lab.rcli().args(["--json", "pipe", "--from-csv", "SET key:{key} value-{value}"]);
        count_of(&job.args([&rows]), |_| Ok(()))
    })?;
    Ok(vec![row("instructions a row of `pipe --json --from-csv 'SET key:{key} value-{value}'`", 2000, each)])
}

fn tail(lab: &mut Lab) -> Result<Vec<Row>> {
    let each = per_item(|count| {
        fill(lab, count)?;
        let job = lab.rcli().args(["--json", "tail", STREAM, "--from", "0", "--until", "$"]);
        count_of(&job, |_| Ok(()))
    })?;
    Ok(vec![row("instructions an entry of three fields of `tail --json`", 5000, each)])
}

fn ls(lab: &mut Lab) -> Result<Vec<Row>> {
    let each = per_item(|count| {
        keys::fill(lab, count)?;
        count_of(&lab.rcli().args(["ls"]), |_| Ok(()))
    })?;
    lab.server.flush()?;
    Ok(vec![row("instructions a key of `ls`", 400, each)])
}

fn exec(lab: &mut Lab) -> Result<Vec<Row>> {
    let all = count_of(&lab.rcli().args(["exec", "PING"]), |_| Ok(()))?;
    Ok(vec![row("instructions of `exec PING`, the whole process", 1_000_000, all)])
}

fn row(work: &str, goal: u64, each: u64) -> Row {
    let note = format!("**{}**, by callgrind", thousands(usize::try_from(each).unwrap_or(usize::MAX)));
    Row::stated(work.to_owned(), "–", Goal::Instructions(goal), each > goal, note)
}

/// What one more item costs.
fn per_item(mut instructions: impl FnMut(usize) -> Result<u64>) -> Result<u64> {
    let (few, many) = (instructions(FEW)?, instructions(MANY)?);
    Ok(many.saturating_sub(few) / (MANY - FEW) as u64)
}

fn wait_for(lab: &mut Lab, deadline: Instant, is_ready: impl Fn(&mut Lab) -> Result<bool>) -> Result<()> {
    while !is_ready(lab)? {
        ensure!(Instant::now() < deadline, "rcli does not listen in time");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn publish(lab: &mut Lab, count: usize, message: impl Fn(usize) -> String) -> Result<()> {
    const AT_ONCE: usize = 1000;
    for first in (0..count).step_by(AT_ONCE) {
        let mut pipeline = redis::pipe();
        for n in first..(first + AT_ONCE).min(count) {
            pipeline.cmd("PUBLISH").arg(CHANNEL).arg(message(n));
        }
        lab.server.fill(&pipeline)?;
    }
    Ok(())
}

/// Runs a job under callgrind, `meanwhile` beside it: the instructions of all of it.
fn count_of(job: &Job, meanwhile: impl FnOnce(Instant) -> Result<()>) -> Result<u64> {
    let plain = job.command();
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(plain.get_program())
        .args(plain.get_args());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot start valgrind; to install it: apt-get install valgrind")?;
    let done = meanwhile(Instant::now() + Duration::from_mins(1));
    if done.is_err() {
        child.kill()?;
    }
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut said)?;
    }
    let status = child.wait()?;
    done?;
    ensure!(status.success(), "rcli under valgrind: {status}: {}", last_line(&said));
    let collected = said.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, count)| count.trim());
    match collected.map(str::parse) {
        Some(Ok(count)) => Ok(count),
        _ => bail!("valgrind told no count: {}", last_line(&said)),
    }
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}
