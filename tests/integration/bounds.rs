//! Bounds that hold although nobody asks for them: what a pipeline keeps in its own memory and in the server's (contract
//! section 6). What is counted is what the other side has been given: without the bound it is given all there is.

use crate::cluster_nodes::Cluster;
use crate::peer::{Answer, peer, send};
use crate::server::{Server, wait_for};
use std::time::{Duration, Instant};

/// A number, once it has not moved for a while. A look that is too early, on a busy machine, finds less.
pub fn at_rest(mut number: impl FnMut() -> usize) -> usize {
    let (mut last, mut since) = (0, Instant::now());
    wait_for("a number that does not move", || {
        let now = number();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        last > 0 && since.elapsed() > Duration::from_millis(400)
    });
    last
}

/// How often a server has run a command.
fn calls(server: &Server, command: &str) -> usize {
    let stats = server.ask("INFO commandstats");
    let found = stats.split(&format!("cmdstat_{command}:calls=")).nth(1);
    found.and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap_or(0)
}

/// How often one node runs a command before an older one is answered, which another node holds back.
fn run_ahead(command: &str, lines: usize) -> usize {
    let cluster = Cluster::start();
    assert_eq!(cluster.ask_owner("foo", "SETRANGE foo 9999 x"), "10000");
    assert_eq!(cluster.ask_owner("c", "CLIENT PAUSE 600000 WRITE"), "OK");
    let input = format!("INCR c\n{}", format!("{command}\n").repeat(lines));
    let run = cluster.rcli(["pipe"]).stdin(input).any_stdout().start();
    let name = command.split(' ').next().unwrap().to_lowercase();
    let ahead = at_rest(|| calls(&cluster.nodes[2], &name));
    assert_eq!(cluster.ask_owner("c", "CLIENT UNPAUSE"), "OK");
    assert_eq!(run.finish().out().lines().count(), lines + 1);
    ahead
}

#[test]
fn replies_that_wait_for_an_older_one_are_bounded_in_bytes() {
    // 6 MB of them here, and 8 MB on their way, are 1,400.
    let ahead = run_ahead("GET foo", 12_000);
    assert!(ahead < 3_000, "{ahead}");
}

#[test]
fn commands_whose_replies_wait_for_an_older_one_are_bounded_in_number_and_bytes() {
    let ahead = run_ahead("SETNX foo 1", 150_000);
    assert!(ahead < 70_000, "{ahead}");
    // 4 MB.
    let ahead = run_ahead(&format!("SETNX foo {}", "x".repeat(1000)), 12_000);
    assert!(ahead < 6_000, "{ahead}");
}

#[test]
fn commands_in_flight_are_bounded_in_bytes_before_any_reply_tells_its_size() {
    let silent = peer().start();
    let line = format!("SET k {}\n", "x".repeat(50_000));
    let run = silent.rcli(["pipe"]).stdin(line.repeat(400)).status(143).any_stderr().start();
    // 4 MB.
    let sent = at_rest(|| silent.ordinary().len());
    assert!(sent < 120, "{sent}");
    run.signal(rustix::process::Signal::TERM);
    run.finish();
}

#[test]
fn commands_in_flight_are_bounded_in_number() {
    let answers = std::iter::repeat_n(send("+OK\r\n"), 1000);
    let silent = peer().answers(answers).otherwise(Answer::Silence).start();
    let run = silent.rcli(["pipe", "-q"]).stdin("PING\n".repeat(280_000)).status(143).any_stderr().start();
    let sent = at_rest(|| silent.ordinary().len());
    // As many as are on their way in 100 ms at most; 8,192 where the server is near.
    assert!(sent < 133_000, "{sent}");
    run.signal(rustix::process::Signal::TERM);
    run.finish();
}
