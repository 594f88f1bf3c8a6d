//! `tail` against redis-py: a stream drained to JSON lines, alone and as a consumer of a group.

use anyhow::{Result, ensure};

use crate::Bench;
use crate::lab::Lab;
use crate::measure::{Job, Usage, alternate};
use crate::pipe::count_lines;
use crate::table::{Goal, Row, thousands};

/// The rows of this topic.
pub const BENCHES: &[Bench] = &[Bench { name: "tail", run: tail }, Bench { name: "tail-group", run: tail_group }];

/// The stream that is read.
pub const STREAM: &str = "orders";
const GROUP: &str = "bench";
/// Adds the entries ARGV[1] to ARGV[2].
const FILL: &str = "for i = ARGV[1], ARGV[2] do \
                    redis.call('XADD', KEYS[1], '*', 'item', 'apple', 'qty', i, 'customer', 'user:' .. i) end";
/// How many entries of the group ARGV[1] are pending.
const PENDING: &str = "return redis.call('XPENDING', KEYS[1], ARGV[1])[1]";
/// So many entries are added by one script.
const AT_ONCE: usize = 10_000;

fn tail(lab: &mut Lab) -> Result<Vec<Row>> {
    fill(lab, lab.sizes.entries)?;
    let ours = lab.rcli().args(["tail", STREAM, "--from", "0", "--until", "$", "--json"]);
    let theirs = lab.python("entries.py").args([STREAM]);
    let pairs = alternate(lab, lab.sizes.slow_pairs, |lab| drain(lab, &ours), |lab| drain(lab, &theirs))?;
    let against = "redis-py `xread` in blocks of 1,000, json.dumps";
    Ok(vec![Row::compared(title(lab, ""), against, Goal::Cpu(0.05), &pairs)])
}

fn tail_group(lab: &mut Lab) -> Result<Vec<Row>> {
    fill(lab, lab.sizes.entries)?;
    let ours = lab.rcli().args(["tail", STREAM, "--group", GROUP, "--consumer", "a", "--until", "$", "--json"]);
    let theirs = lab.python("entries.py").args([STREAM, GROUP]);
    let pairs = alternate(lab, lab.sizes.slow_pairs, |lab| share(lab, &ours), |lab| share(lab, &theirs))?;
    let against = "redis-py `xreadgroup`, pipelined `xack`, json.dumps";
    Ok(vec![Row::compared(title(lab, " of a group, acknowledged"), against, Goal::Cpu(0.08), &pairs)])
}

fn title(lab: &Lab, how: &str) -> String {
    format!("{} entries of a stream{how}, to JSON lines in a file", thousands(lab.sizes.entries))
}

/// A stream with so many entries.
pub fn fill(lab: &mut Lab, entries: usize) -> Result<()> {
    lab.server.call::<()>(&["DEL", STREAM])?;
    let mut first = 1;
    while first <= entries {
        let last = entries.min(first + AT_ONCE - 1);
        lab.server.call::<()>(&["EVAL", FILL, "1", STREAM, &first.to_string(), &last.to_string()])?;
        first = last + 1;
    }
    Ok(())
}

fn drain(lab: &mut Lab, job: &Job) -> Result<Usage> {
    let output = lab.path("entries");
    let usage = job.clone().stdout(&output).run()?;
    let (count, expected) = (count_lines(&output)?, lab.sizes.entries);
    ensure!(count == expected, "{count} of {expected} entries were written");
    Ok(usage)
}

/// The same with a group that begins anew, and leaves nothing pending.
fn share(lab: &mut Lab, job: &Job) -> Result<Usage> {
    lab.server.call::<()>(&["XGROUP", "DESTROY", STREAM, GROUP])?;
    lab.server.call::<()>(&["XGROUP", "CREATE", STREAM, GROUP, "0"])?;
    let usage = drain(lab, job)?;
    let pending: usize = lab.server.call(&["EVAL", PENDING, "1", STREAM, GROUP])?;
    ensure!(pending == 0, "{pending} entries were not acknowledged");
    Ok(usage)
}
