//! `--read-from-replicas` under sentinels: who answers what, and what becomes of it when a server is gone (contract
//! section 12).

use crate::rcli::{Rcli, rcli};
use crate::sentinel::{asking, sentinel_naming};
use crate::sentinels::{SentinelSet, replicated};
use crate::server::{Server, free_port, wait_for};

/// A run that reads from replicas.
fn reading<'a>(set: &SentinelSet, args: impl IntoIterator<Item = &'a str>) -> Rcli {
    rcli(["--sentinel", &set.list(), "--master", "mymaster", "--read-from-replicas"]).args(args)
}

/// How often a server was asked this command since the last look.
pub fn asked(server: &Server, command: &str) -> usize {
    let stats = server.ask("INFO commandstats");
    server.ask("CONFIG RESETSTAT");
    let line = stats.split(&format!("cmdstat_{command}:calls=")).nth(1);
    line.and_then(|rest| rest.split(',').next()).map_or(0, |calls| calls.parse().expect("a number"))
}

/// Asserts how often each was asked this.
fn assert_asked(set: &SentinelSet, command: &str, primary: usize, replica: usize) {
    assert_eq!((asked(&set.primary, command), asked(&set.replica, command)), (primary, replica), "{command}");
}

#[test]
fn reads_go_to_a_replica_until_it_is_gone_and_to_whoever_is_the_primary_after_a_failover() {
    let mut set = SentinelSet::start();
    reading(&set, ["SET", "k", "v"]).prints("OK\n").run();
    set.replica.wait_until("GET k", |value| value == "v");
    set.replica.ask("CONFIG RESETSTAT");
    reading(&set, ["GET", "k"]).prints("v\n").run();
    reading(&set, ["-r", "2", "GET", "k"]).prints("v\nv\n").run();
    assert_asked(&set, "get", 0, 3);
    reading(&set, ["DBSIZE"]).prints("1\n").run();
    reading(&set, ["ls", "--with", "type"]).prints("string\tk\n").run();
    assert_eq!(asked(&set.primary, "scan"), 0);
    // Line by line, each where it belongs; the database is that of both.
    let lines = "SELECT 3\nSET a 1\nWAIT 1 5000\nGET a\nGET a\nINCR a\n";
    reading(&set, []).stdin(lines).prints("OK\nOK\n1\n1\n1\n2\n").run();
    assert_asked(&set, "get", 0, 2);
    // A watch guards what is read from the primary.
    let lines = "WATCH k\nGET k\nMULTI\nGET k\nEXEC\nGET k\nUNWATCH\nGET k\n";
    reading(&set, []).stdin(lines).prints("OK\nv\nOK\nQUEUED\nv\nv\nOK\nv\n").run();
    assert_asked(&set, "get", 2, 2);
    // A pipeline works at both at once, and its replies come in order.
    let lines = "GET k\nSET b 1\nSELECT 2\nGET k\nSET c 1\nSELECT 0\nGET k\nPING\nDBSIZE\n".repeat(50);
    let out = reading(&set, ["pipe"]).stdin(&lines).any_stdout().run().stdout;
    let text = String::from_utf8(out).expect("text");
    let rounds: Vec<Vec<&str>> = text.lines().collect::<Vec<_>>().chunks(9).map(<[&str]>::to_vec).collect();
    assert_eq!(rounds.len(), 50);
    assert!(rounds.iter().all(|round| round[..8] == ["v", "OK", "OK", "", "OK", "OK", "v", "PONG"]), "{rounds:?}");
    assert_asked(&set, "get", 0, 150);
    let block = reading(&set, ["pipe"]).stdin("GET k\nMULTI\n").prints("v\n").status(2);
    block.complains(&["stdin:2: MULTI cannot stand in a pipeline with --read-from-replicas"]).run();
    let check = reading(&set, ["pipe", "--check"]).stdin("GET k\nWATCH k\n").status(2);
    check.complains(&["stdin:2: WATCH k cannot stand in a pipeline with --read-from-replicas"]).run();

    // Nobody but the primary is left, whatever the sentinels know yet.
    set.replica.hang();
    reading(&set, ["-t", "3", "GET", "k"]).prints("v\n").run();
    let lines = "GET k\nSET k w\nGET k\n";
    reading(&set, ["-t", "3"]).stdin(lines).prints("v\nOK\nw\n").run();
    reading(&set, ["-t", "3", "pipe"]).stdin("GET k\nSET k x\n").prints("w\nOK\n").run();
    set.replica.revive();
    set.replica.wait_until("GET k", |value| value == "x");
    for sentinel in &set.sentinels {
        wait_for("a replica that may be promoted", || {
            let replicas = sentinel.ask("SENTINEL REPLICAS mymaster");
            replicas.contains("master-link-status, ok") && !replicas.contains("down,")
        });
    }

    // The primary fails while lines are read: the next read is the new primary's.
    let mut run = reading(&set, ["-t", "20"]).interactive().any_stdout().start();
    run.send_line("GET k");
    assert_eq!(run.next_line(), "x");
    set.primary.kill_nine();
    set.wait_for_failover();
    run.send_line("GET k");
    assert_eq!(run.next_line(), "x");
    run.finish();
    reading(&set, ["-t", "20", "SET", "k", "y"]).prints("OK\n").run();
    reading(&set, ["-t", "20", "GET", "k"]).prints("y\n").run();
}

#[test]
fn a_replica_that_is_none_any_more_is_left_out() {
    let (primary, replica) = replicated();
    let sentinel = crate::sentinels::Sentinel::start(&primary, crate::sentinels::Setup::default());
    wait_for("a replica", || sentinel.ask("SENTINEL REPLICAS mymaster").contains("master-link-status, ok"));
    let get = || rcli(["--sentinel", &sentinel.address(), "--master", "mymaster", "--read-from-replicas", "GET", "k"]);
    replica.ask("REPLICAOF NO ONE");
    primary.ask("SET k new");
    get().prints("new\n").run();
}

#[test]
fn sentinels_that_name_no_replica_leave_the_primary() {
    let server = Server::start();
    server.ask("SET k v");
    let sentinel = sentinel_naming(server.port());
    let run = |args: &[&str]| {
        asking(&[free_port(), sentinel.port()]).args(["--read-from-replicas"]).args(args.iter().copied())
    };
    run(&["GET", "k"]).prints("v\n").run();
    run(&[]).stdin("GET k\nINCR n\n").prints("v\n1\n").run();
    run(&["pipe"]).stdin("GET k\nINCR n\n").prints("v\n2\n").run();
    run(&["ls"]).stdin("").any_stdout().run();
}

#[test]
fn without_sentinels_and_clusters_there_are_no_replicas_to_read_from() {
    let needs = "--read-from-replicas needs -c, or --sentinel";
    rcli(["--read-from-replicas", "GET", "k"]).status(2).complains(&[needs]).run();
    rcli(["--all-nodes", "DBSIZE"]).status(2).complains(&["--all-nodes needs -c"]).run();
    asking(&[1]).args(["--all-nodes", "DBSIZE"]).status(2).complains(&["--all-nodes needs -c"]).run();
}
