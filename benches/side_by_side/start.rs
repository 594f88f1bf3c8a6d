//! One command a process: how long `rcli exec` takes to start, and to print one very large reply.

use std::fs::File;
use std::io::{BufReader, Read};

use anyhow::{Result, ensure};

use crate::Bench;
use crate::lab::Lab;
use crate::measure::{Job, Usage, alternate};
use crate::table::{Goal, Row, megabytes, thousands};

/// The rows of this topic.
pub const BENCHES: &[Bench] = &[Bench { name: "ping", run: ping }, Bench { name: "lrange", run: lrange }];

fn ping(lab: &mut Lab) -> Result<Vec<Row>> {
    let runs = lab.sizes.starts;
    let ours = lab.rcli().args(["exec", "PING"]);
    let theirs = lab.redis_cli().args(["PING"]);
    let pairs = alternate(lab, lab.sizes.pairs, |_| repeated(runs, &ours), |_| repeated(runs, &theirs))?;
    let title = format!("`rcli exec PING`, {runs} processes");
    let plain = Row::compared(title, "`redis-cli PING`", Goal::Wall(0.37), &pairs);
    let ours = with_profile(lab)?;
    let pairs = alternate(lab, lab.sizes.pairs, |_| repeated(runs, &ours), |_| repeated(runs, &theirs))?;
    let title = format!("the same with a profile of eight keys, {runs} processes");
    Ok(vec![plain, Row::compared(title, "`redis-cli PING`", Goal::Wall(0.40), &pairs)])
}

/// `exec PING` with all that it needs to know in a profile.
fn with_profile(lab: &Lab) -> Result<Job> {
    let config = lab.path("config");
    std::fs::create_dir_all(config.join("rcli"))?;
    let keys = format!(
        "[profile.bench]\nhost = \"127.0.0.1\"\nport = {}\ndb = 0\njson = true\nresp3 = true\n\
         connect-timeout = 5\nread-timeout = 30\nno-auth-warning = true\n",
        lab.server.port
    );
    std::fs::write(config.join("rcli/config.toml"), keys)?;
    Ok(lab.rcli_nowhere().env("XDG_CONFIG_HOME", &config).args(["--profile", "bench", "exec", "PING"]))
}

/// The sum of some runs one after the other.
pub fn repeated(runs: usize, job: &Job) -> Result<Usage> {
    let mut sum = Usage::default();
    for _ in 0..runs {
        sum = sum.plus(job.run()?);
    }
    Ok(sum)
}

fn lrange(lab: &mut Lab) -> Result<Vec<Row>> {
    let elements = lab.sizes.elements;
    seed_list(lab, elements)?;
    let words = ["LRANGE", "list", "0", "-1"];
    let ours = lab.rcli().args(["--json", "exec"]).args(words);
    let theirs = lab.redis_cli().args(["--json"]).args(words);
    check_same_list(lab, &ours, &theirs)?;
    let pairs = alternate(lab, lab.sizes.pairs, |_| ours.run(), |_| theirs.run())?;
    let title = format!("LRANGE of {} elements as JSON", thousands(elements));
    let wire = wire_size(elements);
    let (our_peak, their_peak) = (ours.run_watched()?.peak, theirs.run_watched()?.peak);
    let peak = Row::sized(
        format!("peak memory of {title}"),
        2 * wire + 8 * 1024 * 1024,
        our_peak,
        &format!("VmHWM of rcli, for a reply of {}; redis-cli {}", megabytes(wire), megabytes(their_peak)),
    );
    Ok(vec![Row::compared(title, "`redis-cli --json`", Goal::Wall(0.15), &pairs), peak])
}

/// How many bytes the reply takes: an element has 15, and what stands around it 7.
fn wire_size(elements: usize) -> u64 {
    22 * elements as u64
}

fn seed_list(lab: &mut Lab, elements: usize) -> Result<()> {
    lab.server.flush()?;
    for thousand in 0..elements / 1000 {
        let mut pipeline = redis::pipe();
        pipeline.cmd("RPUSH").arg("list");
        for index in 0..1000 {
            pipeline.arg(format!("element-{:07}", thousand * 1000 + index));
        }
        lab.server.fill(&pipeline)?;
    }
    Ok(())
}

/// Both must print the same JSON, or the times say nothing.
fn check_same_list(lab: &Lab, ours: &Job, theirs: &Job) -> Result<()> {
    let (a, b) = (lab.path("ours.json"), lab.path("theirs.json"));
    ours.clone().stdout(&a).run()?;
    theirs.clone().stdout(&b).run()?;
    // Byte by byte: the peak of this process would hide a smaller one of the processes it starts.
    let bytes = |path| File::open(path).map(|file| BufReader::new(file).bytes().map(Result::ok));
    ensure!(bytes(a)?.eq(bytes(b)?), "rcli and redis-cli print different JSON");
    Ok(())
}
