//! Nodes that hang: their kernels take connections and bytes, and nobody answers. Nothing waits for them beyond its
//! limit, and nothing is sent twice (contract sections 1, 6 and 11).

use crate::cluster_nodes::Cluster;
use crate::rcli::Rcli;
use crate::server::wait_for;
use rustix::process::Signal;

/// A cluster that serves what it can, whoever hangs.
fn lenient() -> Cluster {
    Cluster::with_args(3, &["--cluster-require-full-coverage", "no"])
}

/// A run that waits 0.75 s for a node, and 3 s for a cluster.
fn hasty(cluster: &Cluster, args: &[&str]) -> Rcli {
    cluster.rcli(["-t", "0.75"]).args(args)
}

#[test]
fn a_node_that_hangs_is_named_within_the_limit() {
    let cluster = lenient();
    let (third, address) = (&cluster.nodes[2], cluster.nodes[2].address());
    third.hang();
    let told = [address.as_str(), "no answer within 0.75 s"];
    let mut runs = Vec::new();
    for protocol in ["-2", "-3"] {
        runs.extend([
            hasty(&cluster, &[protocol, "GET", "foo"]).complains(&told),
            hasty(&cluster, &[protocol, "--all-nodes", "PING"]).complains(&told),
            hasty(&cluster, &[protocol, "txn"]).stdin("INCR foo\n").complains(&["nothing was run", told[0], told[1]]),
            hasty(&cluster, &[protocol]).stdin("PING\nGET foo\n").prints("PONG\n").complains(&told),
            hasty(&cluster, &[protocol, "pipe"]).stdin("GET bar\nGET foo\n").prints("\n").complains(&told),
            hasty(&cluster, &[protocol, "ssub", "foo", "--max-retries", "1"]).reports_among(&told),
            third.rcli(["-c", "-t", "0.75", protocol, "GET", "bar"]).complains(&told),
            third.rcli(["-c", "-t", "0.75", protocol, "sub", "c"]).complains(&told),
        ]);
    }
    let runs: Vec<_> = runs.into_iter().map(|run| run.status(3).start()).collect();
    for run in runs {
        run.finish();
    }
    let run = hasty(&cluster, &["monitor", "--only", "ECHO"]).any_stdout().status(130);
    let mut run = run.complains(&[told[0], told[1], "reconnecting"]).start();
    cluster.nodes[0].wait_until("CLIENT LIST", |clients| clients.contains("cmd=monitor"));
    cluster.nodes[0].ask("ECHO heard");
    assert!(run.next_line().contains("heard"));
    run.signal(Signal::INT);
    run.finish();
}

#[test]
fn commands_with_a_node_that_hangs_are_answered_once_when_it_goes_on() {
    let cluster = lenient();
    let mut lines = cluster.rcli([""; 0]).interactive().prints("1\n1\n2\n").start();
    lines.send("INCR foo\n");
    lines.wait_for_lines(1);
    let mut pipe = cluster.rcli(["pipe"]).interactive().any_stdout().start();
    pipe.send("INCR {foo}pipe\n");
    pipe.wait_for_lines(1);
    cluster.nodes[2].hang();
    pipe.send("INCR {foo}pipe\nINCR bar\n".repeat(100));
    lines.send("INCR {bar}lines\nINCR foo\n");
    // The others work meanwhile.
    cluster.nodes[0].wait_until("MGET bar {bar}lines", |counts| counts == "[100, 1]");
    cluster.nodes[2].revive();
    lines.wait_for_lines(3);
    pipe.wait_for_lines(201);
    lines.finish();
    let both: String = (1..=100).map(|count| format!("{}\n{count}\n", count + 1)).collect();
    assert_eq!(pipe.finish().out(), format!("1\n{both}"));
    assert_eq!(cluster.nodes[2].ask("MGET foo {foo}pipe"), "[2, 101]");
}

#[test]
fn ctrl_c_tells_what_is_with_a_node_that_hangs() {
    let cluster = lenient();
    let pipe = cluster.rcli(["pipe"]).interactive().prints("OK\n").status(130);
    let told = "1 commands answered, 1 sent and unanswered (stdin:2 to stdin:2), 1 later ones answered";
    let mut pipe = pipe.complains(&["interrupted", told]).start();
    let mut lines = cluster.rcli([""; 0]).interactive().prints("OK\n1\n").status(130).start();
    for run in [&mut pipe, &mut lines] {
        run.send("SET foo 1\n");
        run.wait_for_lines(1);
    }
    cluster.nodes[2].hang();
    pipe.send("INCR foo\nINCR bar\n");
    lines.send("INCR {bar}lines\nINCR foo\n");
    cluster.nodes[0].wait_until("MGET bar {bar}lines", |counts| counts == "[1, 1]");
    lines.wait_for_lines(2);
    for run in [pipe, lines] {
        run.signal(Signal::INT);
        run.finish_with_open_stdin();
    }
    // A search for nodes that is cut short is no loss.
    for args in [&["ssub", "foo"][..], &["monitor"]] {
        let run = cluster.rcli(["-t", "60"]).args(args).status(130).start();
        cluster.nodes[0].wait_until("CLIENT LIST", |clients| clients.contains("cmd=cluster|s"));
        run.signal(Signal::INT);
        run.finish();
        cluster.nodes[0].wait_until("CLIENT LIST", |clients| !clients.contains("cmd=cluster|s"));
    }
}

#[test]
fn without_a_limit_on_connecting_a_node_that_hangs_keeps_nobody_from_the_others() {
    let mut cluster = lenient();
    let mut lines = cluster.nodes[2].rcli(["-c", "-t", "0"]).interactive().prints("1\n1\n").start();
    lines.send("INCR foo\n");
    lines.wait_for_lines(1);
    cluster.nodes[0].hang();
    cluster.nodes[2].kill_nine();
    cluster.nodes[1].ask("CONFIG RESETSTAT");
    lines.send("INCR foo\n");
    // Who owns the slot now is asked of the one that hangs, then of the other.
    cluster.nodes[1].wait_until("INFO commandstats", |stats| stats.contains("cmdstat_cluster|slots:"));
    cluster.nodes[2].restart();
    lines.finish();
    cluster.nodes[0].revive();
}

#[test]
fn what_is_with_a_primary_that_hangs_is_not_sent_to_the_one_that_takes_over() {
    let cluster = Cluster::with_replicas();
    let replica = &cluster.nodes[5];
    cluster.rcli(["SET", "foo", "1"]).prints("OK\n").run();
    wait_for("the copy", || replica.ask("DBSIZE") == "1");
    let listed = replica.port().to_string();
    cluster.nodes[0].wait_until("CLUSTER SLOTS", |slots| slots.contains(&listed));

    // A replica that hangs is done without.
    replica.hang();
    hasty(&cluster, &["--read-from-replicas", "GET", "foo"]).prints("1\n").run();
    let reads = "GET foo\n".repeat(2000);
    hasty(&cluster, &["--read-from-replicas", "pipe"]).stdin(&reads).prints("1\n".repeat(2000)).run();
    replica.revive();
    replica.wait_until("INFO replication", |info| info.contains("master_link_status:up"));

    let pipe = cluster.rcli(["pipe"]).interactive().prints("1\n").status(130);
    let mut pipe = pipe.complains(&["interrupted: 1 commands answered, 1 sent and unanswered"]).start();
    pipe.send("GET foo\n");
    pipe.wait_for_lines(1);
    cluster.nodes[2].hang();
    pipe.send("INCR foo\nINCR bar\n");
    cluster.nodes[0].wait_until("GET bar", |count| count == "1");
    // Whoever comes now goes on at the replica, as soon as it is the primary.
    cluster.rcli(["-t", "2", "INCR", "foo"]).prints("2\n").run();
    cluster.rcli(["-t", "2", "pipe"]).stdin("INCR foo\n").prints("3\n").run();
    pipe.signal(Signal::INT);
    pipe.finish_with_open_stdin();
    assert_eq!(replica.ask("GET foo"), "3");
}
