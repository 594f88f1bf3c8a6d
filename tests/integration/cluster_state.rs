//! `pipe -c`: commands that set the state of a connection go to every node, between the commands before and after them
//! (contract section 6).

use crate::cluster_nodes::Cluster;
use crate::server::Server;
use std::fmt::Write as _;

/// How many connections of a node have this name.
fn named(node: &Server, name: &str) -> usize {
    node.ask("CLIENT LIST").matches(&format!("name={name} ")).count()
}

/// `SET`s of so many keys, which are on all nodes.
fn sets(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, key| {
        let _ = writeln!(text, "SET k{key} v");
        text
    })
}

#[test]
fn a_name_is_set_at_every_node_and_at_connections_that_are_made_later() {
    let cluster = Cluster::start();
    let mut run = cluster.rcli(["pipe"]).interactive().prints("OK\n".repeat(3)).start();
    run.send("CLIENT SETNAME me\nSET foo 1\n");
    run.wait_for_lines(2);
    for node in &cluster.nodes {
        assert_eq!(named(node, "me"), 1);
    }
    for node in &cluster.nodes {
        node.ask("CLIENT KILL TYPE normal SKIPME yes");
        node.wait_until("CLIENT LIST", |list| !list.contains("name=me "));
    }
    run.send("SET foo 2\n");
    run.wait_for_lines(3);
    assert_eq!(named(&cluster.nodes[cluster.owner("foo")], "me"), 1);
    run.finish();
}

#[test]
fn a_user_counts_for_the_commands_after_it_and_for_none_before_it() {
    let cluster = Cluster::start();
    cluster.add_user("reader", "+@all -@write ~*");
    let input = format!("{}AUTH reader p\n{}AUTH reader wrong\nGET k1\n", sets(300), sets(300));
    let run = cluster.rcli(["pipe"]).stdin(input).status(1).any_stdout().any_stderr().run();
    let out = run.out();
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[..301].iter().all(|line| *line == "OK"), "{out}");
    assert!(lines[301..601].iter().all(|line| line.starts_with("NOPERM")), "{out}");
    assert!(lines[601].starts_with("WRONGPASS") && lines[602] == "v", "{out}");
    assert!(run.err().contains("stdin:602: AUTH (arguments not shown): WRONGPASS"), "{}", run.err());
}

#[test]
fn what_some_nodes_refuse_and_others_take_ends_the_run() {
    let cluster = Cluster::start();
    cluster.nodes[1].ask("ACL SETUSER half on >p +@all ~*");
    cluster
        .rcli(["pipe"])
        .stdin("SET foo 1\nAUTH half p\nSET foo 2\n")
        .status(3)
        .prints("OK\n")
        .complains(&[
            "WRONGPASS",
            "which other nodes have taken",
            "1 commands answered, 1 sent and unanswered (stdin:2 to stdin:2); resume with --skip 1",
        ])
        .run();
    assert_eq!(cluster.ask_owner("foo", "GET foo"), "1");
}

#[test]
fn a_database_is_chosen_at_every_node_or_refused_in_its_place() {
    let cluster = Cluster::start();
    cluster.rcli(["pipe"]).stdin("SELECT 0\nSET foo 1\nSET bar 1\n").prints("OK\nOK\nOK\n").run();
    let run = cluster.rcli(["pipe"]).stdin("SELECT 1\nSET foo 2\n").status(1).prints_among(&["\nOK\n"]);
    run.complains(&["stdin:1: SELECT 1: ERR"]).run();
    assert_eq!(cluster.ask_owner("foo", "GET foo"), "2");
}

#[test]
fn a_resumed_run_has_the_state_of_what_it_skips() {
    let cluster = Cluster::start();
    cluster
        .rcli(["pipe", "--skip", "3"])
        .stdin("CLIENT SETNAME me\nAUTH nobody pw\nSET foo 1\nSET foo 2\n")
        .status(3)
        .complains(&["stdin:2: AUTH (arguments not shown): refused when it was sent again to resume"])
        .run();
    assert_eq!(cluster.ask_owner("foo", "EXISTS foo"), "0");
    let mut run = cluster.rcli(["pipe", "--skip", "2"]).interactive().prints("OK\n").start();
    run.send("CLIENT SETNAME me\nSET foo 1\nSET foo 2\n");
    run.wait_for_lines(1);
    for node in &cluster.nodes {
        assert_eq!(named(node, "me"), 1);
    }
    run.finish();
}
