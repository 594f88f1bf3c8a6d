//! `rcli ls` against `redis-cli --scan` and `--memkeys`, and redis-py's `scan_iter` with pipelines; a data set copied.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use crate::Bench;
use crate::lab::Lab;
use crate::measure::{Job, alternate};
use crate::pipe::count_lines;
use crate::table::{Goal, Row, thousands};
use crate::workload::Workload;

/// The rows of this topic.
pub const BENCHES: &[Bench] = &[
    Bench { name: "ls", run: plain },
    Bench { name: "ls-with", run: with_columns },
    Bench { name: "ls-top", run: top },
    Bench { name: "ls-copy", run: copy },
];

/// A server with so many strings.
pub fn fill(lab: &mut Lab, keys: usize) -> Result<()> {
    lab.server.flush()?;
    let work = Workload::sets(lab, keys)?;
    lab.redis_cli().args(["--pipe"]).stdin(&work.resp).run()?;
    let listed = lab.path("listed");
    lab.rcli().args(["ls"]).stdout(&listed).run()?;
    let count = count_lines(&listed)?;
    ensure!(count >= keys, "rcli listed {count} of {keys} keys");
    Ok(())
}

fn plain(lab: &mut Lab) -> Result<Vec<Row>> {
    let keys = lab.sizes.set_lines;
    fill(lab, keys)?;
    let ours = lab.rcli().args(["ls"]);
    let theirs = lab.redis_cli().args(["--scan"]);
    let title = format!("`ls` of {} keys to /dev/null", thousands(keys));
    let pairs = alternate(lab, lab.sizes.slow_pairs, |_| ours.run(), |_| theirs.run())?;
    let mut rows = vec![Row::compared(title.clone(), "`redis-cli --scan`", Goal::Wall(0.15), &pairs)];
    let theirs = theirs.args(["--count", "1000"]);
    if knows_count() {
        let pairs = alternate(lab, lab.sizes.pairs, |_| ours.run(), |_| theirs.run())?;
        rows.push(Row::compared(title, "`redis-cli --scan --count 1000`", Goal::WallAndCpu(0.9, 0.4), &pairs));
    }
    Ok(rows)
}

/// Whether the redis-cli that is installed can be told SCAN's COUNT: those before 7.2 cannot.
fn knows_count() -> bool {
    let help = Command::new("redis-cli").arg("--help").stdin(Stdio::null()).output();
    help.is_ok_and(|help| {
        [help.stdout, help.stderr].iter().any(|text| String::from_utf8_lossy(text).contains("--count"))
    })
}

fn with_columns(lab: &mut Lab) -> Result<Vec<Row>> {
    let keys = lab.sizes.described_keys;
    fill(lab, keys)?;
    let ours = lab.rcli().args(["--json", "ls", "--with", "type,ttl,memory"]);
    let theirs = lab.python("scan_with.py");
    let pairs = alternate(lab, lab.sizes.slow_pairs, |_| ours.run(), |_| theirs.run())?;
    let title = format!("`ls --with type,ttl,memory` of {} keys, JSON", thousands(keys));
    let peer = "redis-py `scan_iter`, pipelines of 1,000";
    Ok(vec![Row::compared(title, peer, Goal::Cpu(0.08), &pairs)])
}

fn top(lab: &mut Lab) -> Result<Vec<Row>> {
    let keys = lab.sizes.described_keys;
    fill(lab, keys)?;
    let ours = lab.rcli().args(["ls", "--top", "10", "--by", "memory"]);
    let theirs = lab.redis_cli().args(["--memkeys"]);
    let pairs = alternate(lab, lab.sizes.slow_pairs, |_| ours.run(), |_| theirs.run())?;
    let title = format!("`ls --top 10 --by memory` of {} keys", thousands(keys));
    Ok(vec![Row::compared(title, "`redis-cli --memkeys`", Goal::Wall(0.5), &pairs)])
}

fn copy(lab: &mut Lab) -> Result<Vec<Row>> {
    let keys = 2 * lab.sizes.described_keys;
    fill(lab, keys)?;
    // The shell waits for both, and is counted with them.
    let script = "\"$0\" -p \"$1\" ls --as restore | \"$0\" -p \"$1\" -n 9 pipe -q";
    let port = lab.server.port.to_string();
    let ours = Job::new("sh").args(["-c", script]).args([lab.rcli_program()]).args([&port]);
    let theirs = lab.python("dump_restore.py").args(["9"]);
    let copied = |lab: &mut Lab, job: &Job| {
        lab.server.call::<redis::Value>(&["SELECT", "9"])?;
        lab.server.call::<redis::Value>(&["FLUSHDB", "SYNC"])?;
        let usage = job.run()?;
        let count: usize = lab.server.call(&["DBSIZE"])?;
        ensure!(count == keys, "{count} of {keys} keys were copied");
        Ok(usage)
    };
    let pairs = alternate(lab, lab.sizes.slow_pairs, |lab| copied(lab, &ours), |lab| copied(lab, &theirs));
    lab.server.call::<redis::Value>(&["SELECT", "0"])?;
    let title = format!("`ls --as restore | pipe` of {} keys", thousands(keys));
    let peer = "redis-py `dump` and `restore`, pipelines of 1,000";
    Ok(vec![Row::compared(title, peer, Goal::Cpu(0.15), &pairs?)])
}
