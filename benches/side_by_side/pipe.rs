//! `rcli pipe` against `redis-cli --pipe`, redis-py's pipeline and `redis-cli < file`, also over a slow network.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::Bench;
use crate::lab::{Lab, redis_cli_at};
use crate::measure::{Job, Pairs, Ratio, Usage, alternate};
use crate::proxy::Proxy;
use crate::table::{Goal, Row, thousands};
use crate::workload::{Workload, rows, seed_mixed};

/// The rows of this topic.
pub const BENCHES: &[Bench] = &[
    Bench { name: "set", run: sets },
    Bench { name: "csv", run: from_csv },
    Bench { name: "mixed", run: mixed },
    Bench { name: "redis-py", run: against_redis_py },
    Bench { name: "waiting", run: against_waiting },
    Bench { name: "latency", run: latency },
];

const BULK_PEER: &str = "`redis-cli --pipe`, ready-made RESP, no replies";
const PYTHON_PEER: &str = "redis-py pipeline of 10k, JSON replies";

fn sets(lab: &mut Lab) -> Result<Vec<Row>> {
    let work = Workload::sets(lab, lab.sizes.set_lines)?;
    check_replies(lab, &work, Lab::empty)?;
    let title = format!("{} `SET` lines, JSON replies", thousands(work.lines));
    let goal = Goal::WallAndCpu(1.05, 0.35);
    let (pairs, share) = against_bulk(lab, &work, None, Lab::empty)?;
    let to_null = Row::compared(format!("{title} to /dev/null"), BULK_PEER, goal, &pairs).also(&share);
    let replies = lab.path("replies");
    let (pairs, share) = against_bulk(lab, &work, Some(&replies), Lab::empty)?;
    let to_file = Row::compared(format!("{title} to a file"), BULK_PEER, goal, &pairs).also(&share);
    Ok(vec![to_null, to_file])
}

fn from_csv(lab: &mut Lab) -> Result<Vec<Row>> {
    let work = Workload::sets(lab, lab.sizes.set_lines)?;
    let ours = lab.rcli().args(["pipe", "--json", "--from-csv", "SET key:{key} value-{value}"]);
    let ours = ours.stdin(&rows(lab, lab.sizes.set_lines)?);
    let theirs = lab.redis_cli().args(["--pipe"]).stdin(&work.resp);
    let pairs = alternate_jobs(lab, lab.sizes.pairs, Lab::empty, &ours, &theirs)?;
    let title = format!("{} rows of CSV as `SET`, JSON replies", thousands(work.lines));
    Ok(vec![Row::compared(title, BULK_PEER, Goal::Wall(1.05), &pairs)])
}

fn mixed(lab: &mut Lab) -> Result<Vec<Row>> {
    let work = Workload::mixed(lab, lab.sizes.mixed_lines)?;
    check_replies(lab, &work, seed_mixed)?;
    let (pairs, share) = against_bulk(lab, &work, None, seed_mixed)?;
    Ok(vec![Row::compared(mixed_title(&work), BULK_PEER, Goal::Wall(1.0), &pairs).also(&share)])
}

fn against_redis_py(lab: &mut Lab) -> Result<Vec<Row>> {
    let sets = Workload::sets(lab, lab.sizes.python_lines)?;
    let mixed = Workload::mixed(lab, lab.sizes.mixed_lines)?;
    let title = format!("{} `SET` lines, JSON replies", thousands(sets.lines));
    let mut rows = Vec::new();
    for (work, title, limit, prepare) in
        [(&sets, title, 0.15, Lab::empty as Prepare), (&mixed, mixed_title(&mixed), 0.08, seed_mixed)]
    {
        let ours = rcli_pipe(lab, work);
        let theirs = lab.python("pipeline.py").args([&work.text]);
        let pairs = alternate_jobs(lab, lab.sizes.slow_pairs, prepare, &ours, &theirs)?;
        rows.push(Row::compared(title, PYTHON_PEER, Goal::Wall(limit), &pairs));
    }
    Ok(rows)
}

fn against_waiting(lab: &mut Lab) -> Result<Vec<Row>> {
    let work = Workload::sets(lab, lab.sizes.waiting_lines)?;
    let ours = rcli_pipe(lab, &work);
    let theirs = lab.redis_cli().stdin(&work.text);
    let pairs = alternate_jobs(lab, lab.sizes.slow_pairs, Lab::empty, &ours, &theirs)?;
    let title = format!("{} `SET` lines", thousands(work.lines));
    Ok(vec![Row::compared(title, "`redis-cli < cmds.txt`", Goal::Wall(0.03), &pairs)])
}

fn latency(lab: &mut Lab) -> Result<Vec<Row>> {
    let work = Workload::sets(lab, lab.sizes.set_lines)?;
    let mut rows = Vec::new();
    for milliseconds in [10, 100] {
        let proxy = Proxy::start(lab.server.port, Duration::from_millis(milliseconds))?;
        let ours = lab.rcli_at(proxy.port).args(["--json", "pipe"]).args([&work.text]);
        let theirs = redis_cli_at(proxy.port).args(["--pipe"]).stdin(&work.resp);
        let pairs = alternate_jobs(lab, lab.sizes.slow_pairs, Lab::empty, &ours, &theirs)?;
        let title = format!("{} `SET` lines, {milliseconds} ms of round trip", thousands(work.lines));
        rows.push(Row::compared(title, BULK_PEER, Goal::Wall(1.25), &pairs));
    }
    Ok(rows)
}

/// Brings the server to the state in which each run begins.
type Prepare = fn(&mut Lab) -> Result<()>;

impl Lab {
    fn empty(&mut self) -> Result<()> {
        self.server.flush()
    }
}

fn mixed_title(work: &Workload) -> String {
    format!("{} mixed lines (GET INCR LPUSH LRANGE HGETALL)", thousands(work.lines))
}

fn rcli_pipe(lab: &Lab, work: &Workload) -> Job {
    lab.rcli().args(["--json", "pipe"]).args([&work.text])
}

/// A fast program that skips work is no fast program: every line must have its reply.
fn check_replies(lab: &mut Lab, work: &Workload, prepare: Prepare) -> Result<()> {
    prepare(lab)?;
    let replies = lab.path("replies");
    rcli_pipe(lab, work).stdout(&replies).run()?;
    let written = count_lines(&replies)?;
    ensure!(written == work.lines, "rcli wrote {written} replies to {} commands", work.lines);
    Ok(())
}

/// Lines of a file, in constant memory.
pub fn count_lines(path: &Path) -> Result<usize> {
    let mut file = std::fs::File::open(path)?;
    let mut block = vec![0; 64 * 1024];
    let mut lines = 0;
    loop {
        let read = std::io::Read::read(&mut file, &mut block)?;
        if read == 0 {
            return Ok(lines);
        }
        lines += memchr::memchr_iter(b'\n', &block[..read]).count();
    }
}

/// Pairs with `redis-cli --pipe`, and the server's share of all CPU time in our runs, in words.
fn against_bulk(lab: &mut Lab, work: &Workload, replies: Option<&Path>, prepare: Prepare) -> Result<(Pairs, String)> {
    let mut ours = rcli_pipe(lab, work);
    if let Some(path) = replies {
        ours = ours.stdout(path);
    }
    let theirs = lab.redis_cli().args(["--pipe"]).stdin(&work.resp);
    let mut shares = Vec::new();
    let pairs = alternate(
        lab,
        lab.sizes.pairs,
        |lab| {
            prepare(lab)?;
            let before = lab.server.cpu()?;
            let usage = ours.run()?;
            let server = lab.server.cpu()?.saturating_sub(before).as_secs_f64();
            shares.push(server / (server + usage.cpu.as_secs_f64()));
            Ok(usage)
        },
        |lab| run_prepared(lab, prepare, &theirs),
    )?;
    let share = Ratio::of(shares).median * 100.0;
    Ok((pairs, format!("server {share:.0} % of server + rcli CPU")))
}

fn alternate_jobs(lab: &mut Lab, pairs: usize, prepare: Prepare, ours: &Job, theirs: &Job) -> Result<Pairs> {
    alternate(lab, pairs, |lab| run_prepared(lab, prepare, ours), |lab| run_prepared(lab, prepare, theirs))
}

fn run_prepared(lab: &mut Lab, prepare: Prepare, job: &Job) -> Result<Usage> {
    prepare(lab)?;
    job.run()
}
