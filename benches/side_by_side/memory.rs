//! Memory: rcli's own while it pipes, and the server's output buffer while nobody reads rcli's replies.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::Bench;
use crate::lab::Lab;
use crate::measure::{peak_memory, reap};
use crate::table::{Row, megabytes, thousands};
use crate::workload::{big_gets, repeated_sets};

/// The rows of this topic.
pub const BENCHES: &[Bench] =
    &[Bench { name: "memory", run: pipe_memory }, Bench { name: "blocked", run: blocked_output }];

const MEGABYTE: u64 = 1024 * 1024;

/// A stuck reader's figures count as final when they have not changed for this long.
const STABLE: Duration = Duration::from_secs(2);

fn pipe_memory(lab: &mut Lab) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for lines in [100_000, lab.sizes.memory_lines] {
        let work = repeated_sets(lab, lines)?;
        lab.server.flush()?;
        let job = lab.rcli().args(["--json", "pipe"]).args([&work]);
        let usage = job.run_watched()?;
        let title = format!("peak memory of `pipe`, {} lines", thousands(lines));
        rows.push(Row::sized(title, 63 * MEGABYTE / 10, usage.peak, "VmHWM of rcli"));
    }
    Ok(rows)
}

fn blocked_output(lab: &mut Lab) -> Result<Vec<Row>> {
    let gets = lab.sizes.blocked_gets;
    let work = big_gets(lab, gets)?;
    lab.server.flush()?;
    lab.server.call::<()>(&["SET", "big", &"x".repeat(10_000)])?;
    let job = lab.rcli().args(["--json", "pipe"]).args([&work]);
    let began = Instant::now();
    let mut command = job.command();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    // Its stdout is a pipe that nobody reads.
    let mut child = command.spawn()?;
    let stuck = watch_until_stable(lab);
    let ended = child.try_wait()?;
    let memory = peak_memory(child.id()).unwrap_or(0);
    if ended.is_none() {
        reap(child, began)?;
    }
    let stuck = stuck?;
    ensure!(ended.is_none(), "rcli ended although nobody read its replies");
    let title = format!("server output buffer, {} GETs of 10 KB, stdout blocked", thousands(gets));
    let note = format!("omem; tot-mem of the client {}; rcli itself {}", megabytes(stuck.total), megabytes(memory));
    Ok(vec![Row::sized(title, 16 * MEGABYTE, stuck.output, &note)])
}

/// The largest figures of CLIENT LIST, in bytes.
#[derive(Clone, Copy, Default, PartialEq)]
struct Buffers {
    output: u64,
    total: u64,
}

/// Watches rcli's connection until its buffers have stopped to change; the largest values seen.
fn watch_until_stable(lab: &mut Lab) -> Result<Buffers> {
    let deadline = Instant::now() + Duration::from_mins(1);
    let (mut largest, mut last) = (Buffers::default(), Buffers::default());
    let mut since = Instant::now();
    while Instant::now() < deadline {
        let now = buffers(lab)?;
        if now != last {
            (last, since) = (now, Instant::now());
        }
        largest.output = largest.output.max(now.output);
        largest.total = largest.total.max(now.total);
        if largest.total > 0 && since.elapsed() > STABLE {
            return Ok(largest);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    bail!("the server's buffers still change after a minute")
}

/// The buffers of the connection that runs GET; nothing before there is one.
fn buffers(lab: &mut Lab) -> Result<Buffers> {
    let clients = lab.server.other_clients()?;
    let Some(line) = clients.iter().find(|line| line.contains(" cmd=get ")) else {
        return Ok(Buffers::default());
    };
    Ok(Buffers { output: figure(line, "omem=")?, total: figure(line, "tot-mem=")? })
}

fn figure(line: &str, name: &str) -> Result<u64> {
    let words = || line.split(' ').find_map(|word| word.strip_prefix(name));
    let value = words().with_context(|| format!("CLIENT LIST has no {name}"))?;
    Ok(value.parse()?)
}
