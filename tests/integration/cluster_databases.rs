//! Databases of a cluster: `-n` and SELECT go to every connection, and are refused where the server refuses them
//! (contract section 11). Valkey 9 has such clusters; what is sent to them is looked at with scripted nodes.

use crate::cluster_nodes::Cluster;
use crate::peer::{Peer, peer, send};
use crate::server::Server;

/// A cluster whose nodes have sixteen databases; none where the test server knows no such thing.
fn with_databases() -> Option<Cluster> {
    let knows = Server::start().ask("CONFIG GET cluster-databases").contains("cluster-databases");
    knows.then(|| Cluster::with_args(3, &["--cluster-databases", "16"]))
}

/// Two nodes that own half of the slots each: `bar` is at the first, `foo` at the second.
pub fn two_nodes() -> [Peer; 2] {
    let node = |id: &str| {
        let id = send(format!("$1\r\n{id}\r\n"));
        peer()
            .always("CLUSTER MYID", id)
            .always("PING", send("+PONG\r\n"))
            .always("GET", send("$1\r\nv\r\n"))
            .exec(send("*2\r\n+OK\r\n$1\r\nv\r\n"))
            .start()
    };
    let nodes = [node("a"), node("b")];
    let range = |first: u16, last: u16, peer: &Peer, id: &str| {
        format!("*3\r\n:{first}\r\n:{last}\r\n*3\r\n$9\r\n127.0.0.1\r\n:{}\r\n$1\r\n{id}\r\n", peer.port())
    };
    let slots = format!("*2\r\n{}{}", range(0, 8191, &nodes[0], "a"), range(8192, 16383, &nodes[1], "b"));
    for node in &nodes {
        node.set("CLUSTER SLOTS", send(&slots));
    }
    nodes
}

/// What a node was sent but for the questions of rcli's own.
fn sent(node: &Peer) -> Vec<String> {
    let is_own =
        |command: &String| !["CLUSTER", "PING", "COMMAND", "HELLO"].iter().any(|name| command.starts_with(name));
    node.commands().into_iter().filter(is_own).collect()
}

#[test]
fn a_database_is_chosen_at_every_node_before_it_is_asked() {
    let nodes = two_nodes();
    nodes[0].rcli(["-c", "-n", "2"]).stdin("GET foo\nGET bar\n").prints("v\nv\n").run();
    for (node, key) in nodes.iter().zip(["bar", "foo"]) {
        assert_eq!(sent(node), ["SELECT 2".to_owned(), format!("GET {key}")]);
    }
}

#[test]
fn a_select_reaches_the_nodes_that_are_known_already_and_those_that_are_not() {
    let nodes = two_nodes();
    let lines = "GET foo\nSELECT 3\nGET foo\nGET foo\nSELECT 0\nGET bar\nGET foo\n";
    nodes[0].rcli(["-c"]).stdin(lines).prints("v\nOK\nv\nv\nOK\nv\nv\n").run();
    assert_eq!(sent(&nodes[0]), ["SELECT 3", "SELECT 0", "GET bar"]);
    assert_eq!(sent(&nodes[1]), ["GET foo", "SELECT 3", "GET foo", "GET foo", "SELECT 0", "GET foo"]);
}

#[test]
fn a_select_in_a_pipeline_goes_to_every_node_between_the_commands() {
    let nodes = two_nodes();
    let lines = "GET foo\nGET bar\nSELECT 3\nGET foo\nGET bar\n";
    nodes[0].rcli(["-c", "pipe"]).stdin(lines).prints("v\nv\nOK\nv\nv\n").run();
    for (node, key) in nodes.iter().zip(["bar", "foo"]) {
        assert_eq!(sent(node), [format!("GET {key}"), "SELECT 3".to_owned(), format!("GET {key}")]);
    }
    let Some(cluster) = with_databases() else { return };
    let lines = "SET foo zero\nSELECT 3\nSET foo three\nSELECT 99\nSET bar three\n";
    cluster.rcli(["pipe"]).stdin(lines).status(1).any_stdout().complains(&["stdin:4: SELECT 99: ERR"]).run();
    cluster.rcli(["-n", "3"]).stdin("GET foo\nGET bar\n").prints("three\nthree\n").run();
    cluster.rcli(["pipe", "--skip", "2"]).stdin("SELECT 5\nSET foo x\nSET foo five\n").prints("OK\n").run();
    cluster.rcli(["-n", "5", "GET", "foo"]).prints("five\n").run();
    cluster.rcli(["GET", "foo"]).prints("zero\n").run();
}

#[test]
fn a_select_inside_a_block_holds_after_it() {
    let nodes = two_nodes();
    let lines = "GET bar\nMULTI\nSELECT 4\nGET foo\nEXEC\nGET bar\n";
    nodes[0].rcli(["-c"]).stdin(lines).any_stdout().run();
    assert_eq!(sent(&nodes[0]), ["GET bar", "SELECT 4", "GET bar"]);
    assert_eq!(sent(&nodes[1]), ["MULTI", "SELECT 4", "GET foo", "EXEC"]);
}

#[test]
fn a_block_runs_in_the_database_that_was_chosen_after_its_watch() {
    let nodes = two_nodes();
    let lines = "WATCH foo\nSELECT 4\nMULTI\nGET foo\nGET foo\nEXEC\n";
    for node in &nodes {
        node.set("WATCH", send("+OK\r\n"));
    }
    nodes[0].rcli(["-c"]).stdin(lines).any_stdout().run();
    assert_eq!(sent(&nodes[1]), ["WATCH foo", "SELECT 4", "MULTI", "GET foo", "GET foo", "EXEC"]);
}

#[test]
fn a_database_that_one_node_refuses_is_told_with_that_node() {
    let nodes = two_nodes();
    nodes[1].set("SELECT", send("-ERR DB index is out of range\r\n"));
    let refused = format!("127.0.0.1:{} refused database 2: ERR DB index is out of range", nodes[1].port());
    nodes[0].rcli(["-c", "-n", "2", "GET", "foo"]).status(3).complains(&[&refused]).run();
    let run = nodes[0].rcli(["-c"]).stdin("GET foo\nSELECT 2\nGET foo\n").prints("v\nOK\n").status(3);
    run.complains(&[&refused]).run();
    assert_eq!(sent(&nodes[1]).iter().filter(|command| *command == "GET foo").count(), 1);
}

#[test]
fn a_cluster_without_databases_refuses_them_itself() {
    let cluster = Cluster::start();
    for args in [&["GET", "foo"][..], &[], &["pipe"], &["txn"], &["sub", "c"], &["ssub", "foo"], &["monitor"]] {
        let run = cluster.rcli(["-n", "1"]).args(args).stdin("GET foo\n").status(3);
        run.complains(&[&cluster.nodes[0].address(), "refused database 1: ERR"]).run();
    }
    cluster.rcli(["SELECT", "1"]).status(1).complains(&["ERR"]).run();
    cluster.rcli(["SELECT", "0"]).prints("OK\n").run();
    let run = cluster.rcli(["--raw"]).stdin("SET foo 1\nSELECT 1\nGET foo\n").status(1).any_stdout();
    let run = run.complains(&["stdin:2: SELECT 1: ERR"]).run();
    assert!(run.out().ends_with("\n1\n"), "{}", run.out());
}

#[test]
fn a_cluster_with_databases_has_them_in_every_mode() {
    let Some(cluster) = with_databases() else { return };
    let in_2 = |args: &[&str]| cluster.rcli(["-n", "2"]).args(args);
    for key in ["foo", "bar", "third"] {
        in_2(&["SET", key, "two"]).prints("OK\n").run();
        cluster.rcli(["EXISTS", key]).prints("0\n").run();
    }
    in_2(&[]).stdin("GET foo\nGET bar\nSELECT 0\nGET foo\n").prints("two\ntwo\nOK\n\n").run();
    in_2(&["pipe"]).stdin("GET foo\nGET bar\nGET third\n").prints("two\ntwo\ntwo\n").run();
    in_2(&["pipe", "--atomic"]).stdin("GET foo\n").prints("two\n").run();
    in_2(&["txn", "--watch", "foo"]).stdin("GET foo\n").prints("two\n").run();
    in_2(&["txn", "--watch", "foo", "--", "sh", "-c", "echo GET foo; read -r v; echo MULTI; echo \"SET foo $v$v\""])
        .prints("OK\n")
        .run();
    in_2(&["GET", "foo"]).prints("twotwo\n").run();
    let program = "echo SELECT 3; read -r ok; echo MULTI; echo SET foo three";
    cluster.rcli(["txn", "--watch", "foo", "--", "sh", "-c", program]).prints("OK\n").run();
    cluster.rcli(["-n", "3", "GET", "foo"]).prints("three\n").run();
    let run = in_2(&["monitor", "--count", "1", "--only", "INCR"]).any_stdout().start();
    for node in &cluster.nodes {
        node.wait_until("CLIENT LIST", |list| list.contains("cmd=monitor"));
    }
    in_2(&["INCR", "n"]).prints("1\n").run();
    let run = run.finish();
    assert!(run.out().contains("\"db\":2"), "{}", run.out());
    in_2(&["--all-nodes", "--json", "DBSIZE"]).prints_among(&["127.0.0.1"]).run();
    cluster.rcli(["-n", "99", "GET", "foo"]).status(3).complains(&["refused database 99: ERR"]).run();
}

#[test]
fn events_of_keys_are_heard_whatever_the_database_of_the_stream_is() {
    let Some(cluster) = with_databases() else { return };
    for node in &cluster.nodes {
        assert_eq!(node.ask("CONFIG SET notify-keyspace-events KEA"), "OK");
    }
    let run = cluster.rcli(["-n", "2", "sub", "__keyevent@2__:set", "--pattern", "__key*__:del", "--control"]);
    let mut run = run.interactive().any_stdout().start();
    run.wait_for_lines(2);
    run.send_line("SUBSCRIBE __keyevent@0__:set");
    run.wait_for_lines(3);
    for key in ["foo", "bar", "c"] {
        cluster.rcli(["-n", "2", "SET", key, "x"]).prints("OK\n").run();
        cluster.rcli(["-n", "2", "DEL", key]).prints("1\n").run();
        cluster.rcli(["SET", key, "x"]).prints("OK\n").run();
    }
    run.wait_for_lines(3 + 9);
    run.close_stdin();
    let out = run.finish().out();
    for channel in ["__keyevent@2__:set", "__keyevent@2__:del", "__keyevent@0__:set"] {
        let heard = |line: &&str| line.contains("message\"") && line.contains(&format!("\"channel\":\"{channel}\""));
        assert_eq!(out.lines().filter(heard).count(), 3, "{channel}: {out}");
    }
}

#[test]
fn streams_and_slots_on_their_way_keep_the_database() {
    let Some(cluster) = with_databases() else { return };
    let mut run = cluster.rcli(["-n", "2", "ssub", "foo", "bar", "--count", "2"]).any_stdout().start();
    run.wait_for_lines(2);
    cluster.rcli(["SPUBLISH", "foo", "1"]).prints("1\n").run();
    cluster.rcli(["SPUBLISH", "bar", "1"]).prints("1\n").run();
    run.finish();
    cluster.begin_migration("foo", 0);
    cluster.rcli(["-n", "2", "SET", "foo", "asked"]).prints("OK\n").run();
    cluster.rcli(["-n", "2", "txn"]).stdin("GET foo\nAPPEND foo !\n").prints("asked\n6\n").run();
    cluster.end_migration("foo", 0);
    cluster.rcli(["-n", "2", "GET", "foo"]).prints("asked!\n").run();
}

#[test]
fn the_repl_keeps_the_database_over_a_lost_node() {
    let Some(cluster) = with_databases() else { return };
    let place = cluster.nodes[0].address();
    let terminal = cluster.rcli([""; 0]).on_terminal(160);
    let prompt = format!("{place} cluster>");
    terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
    terminal.run(&prompt, "SET foo zero", &["OK"]);
    terminal.line("SELECT 3");
    let in_3 = format!("{place}[3] cluster>");
    terminal.ends_with(&["OK", &in_3]);
    terminal.run(&in_3, "SET foo three", &["OK"]);
    cluster.nodes[2].ask("CLIENT KILL TYPE normal SKIPME yes");
    terminal.run(&in_3, "GET foo", &["\"three\""]);
    terminal.line("SELECT 0");
    terminal.ends_with(&["OK", &prompt]);
    terminal.run(&prompt, "GET foo", &["\"zero\""]);
}
