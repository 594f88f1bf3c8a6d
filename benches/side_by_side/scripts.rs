//! `rcli run` of a long script, again and again, against `pipe` with its hash on every line.

use std::fs;

use anyhow::{Result, ensure};

use crate::Bench;
use crate::lab::Lab;
use crate::measure::alternate;
use crate::table::{Goal, Row, thousands};

/// The rows of this topic.
pub const BENCHES: &[Bench] = &[Bench { name: "run", run: repeated }];

/// How often it is run.
const RUNS: usize = 10_000;
/// How long it is, in bytes.
const LENGTH: usize = 1_000_000;

fn repeated(lab: &mut Lab) -> Result<Vec<Row>> {
    lab.server.flush()?;
    let (file, lines) = (lab.path("long.lua"), lab.path("evalsha.txt"));
    let script = format!("return redis.call('INCR', KEYS[1])\n--{}", "x".repeat(LENGTH));
    fs::write(&file, &script)?;
    let hash: String = lab.server.call(&["SCRIPT", "LOAD", &script])?;
    fs::write(&lines, format!("EVALSHA {hash} 1 k\n").repeat(RUNS))?;
    let ours = lab.rcli().args(["-r", &RUNS.to_string(), "run"]).args([file.as_os_str()]).args(["k"]);
    let theirs = lab.rcli().args(["pipe"]).stdin(&lines);
    let unknown = |lab: &mut Lab| {
        lab.server.call::<redis::Value>(&["SCRIPT", "FLUSH"])?;
        let before = input(lab)?;
        let usage = ours.run()?;
        let crossed = input(lab)? - before;
        ensure!(crossed < 2 * LENGTH + RUNS * 100, "{crossed} bytes were sent");
        Ok(usage)
    };
    let pairs = alternate(lab, lab.sizes.pairs, unknown, |_| theirs.run())?;
    let title = format!("`-r {} run` of a script of 1 MB", thousands(RUNS));
    Ok(vec![Row::compared(title, "`pipe` of EVALSHA", Goal::Cpu(2.0), &pairs)])
}

/// The bytes that the server has received.
fn input(lab: &mut Lab) -> Result<usize> {
    let info: String = lab.server.call(&["INFO", "stats"])?;
    let bytes = info.lines().find_map(|line| line.strip_prefix("total_net_input_bytes:"));
    Ok(bytes.unwrap_or_default().trim().parse()?)
}
