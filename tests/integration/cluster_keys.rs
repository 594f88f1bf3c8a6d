//! Events of keys in a cluster: each node tells those of its own keys, so they are heard at every primary (contract
//! section 11).

use crate::cluster_nodes::Cluster;
use crate::cluster_streams::lines_until;
use crate::running::Running;
use crate::server::{Server, wait_for};
use rustix::process::Signal;

/// Keys, one at each of the three primaries.
const KEYS: [&str; 3] = ["bar", "c", "foo"];

/// Has the nodes tell the events of keys.
fn telling(cluster: Cluster) -> Cluster {
    for node in &cluster.nodes {
        assert_eq!(node.ask("CONFIG SET notify-keyspace-events KEA"), "OK");
    }
    cluster
}

/// Waits until there are that many subscribed connections to a node.
fn wait_for_subscriber(node: &Server, count: usize) {
    node.wait_until("CLIENT LIST TYPE pubsub", |list| list.lines().filter(|line| !line.is_empty()).count() == count);
}

/// Sets a key at each node, and waits until all are told.
fn set_and_hear(run: &mut Running, cluster: &Cluster) {
    for key in KEYS {
        cluster.ask_owner(key, &format!("SET {key} x"));
        lines_until(run, &["\"channel\":\"__keyevent@0__:set\"", &format!("\"data\":\"{key}\"}}")]);
    }
}

#[test]
fn events_of_keys_are_heard_at_every_primary_once_and_confirmed_once() {
    let cluster = telling(Cluster::with_replicas());
    let message = |kind: &str, pattern: &str, key: &str| {
        format!("{{\"type\":\"{kind}\",\"pattern\":{pattern},\"channel\":\"__keyevent@0__:set\",\"data\":\"{key}\"}}\n")
    };
    let kinds =
        [("psub", "__key*__:set", "pmessage", "\"__key*__:set\""), ("sub", "__keyevent@0__:set", "message", "null")];
    let mut runs = Vec::new();
    for (protocol, (verb, name, kind, pattern)) in ["-2", "-3"].into_iter().flat_map(|it| kinds.map(|kind| (it, kind)))
    {
        let mut run = cluster.rcli([protocol, verb, name, "--idle", "2"]).any_stdout().start();
        let expected = run.next_line() + "\n";
        let confirmed = kind.replace("message", "subscribe");
        assert!(expected.starts_with(&format!("{{\"type\":\"{confirmed}\"")), "{expected}");
        assert!(expected.ends_with("\"data\":1}\n"), "{expected}");
        runs.push((run, expected, kind, pattern));
    }
    for key in KEYS {
        cluster.ask_owner(key, &format!("SET {key} x"));
        for (run, expected, kind, pattern) in &mut runs {
            *expected += &message(kind, pattern, key);
            run.wait_for_lines(expected.lines().count());
        }
    }
    for (run, expected, ..) in runs {
        assert_eq!(run.finish().out(), expected);
    }
}

#[test]
fn other_channels_beside_events_of_keys_are_heard_once_and_wherever_there_is_a_node() {
    let mut cluster = telling(Cluster::start());
    let run = cluster.rcli(["psub", "__keyevent@0__:set", "n*", "--channel", "news", "--events"]);
    let mut run = run.any_stdout().status(130).reports_among(&["connection lost", "reconnected after"]).start();
    run.wait_for_lines(3);
    set_and_hear(&mut run, &cluster);
    cluster.nodes[1].ask("PUBLISH news one");
    lines_until(&mut run, &["\"type\":\"pmessage\"", "\"one\""]);
    // The node that has them is one of the three.
    let at = cluster.nodes.iter().position(|node| node.ask("PUBSUB NUMSUB news") == "[news, 1]").unwrap();
    cluster.nodes[at].kill_nine();
    lines_until(&mut run, &["\"type\":\"disconnected\"", &cluster.nodes[at].address()]);
    let back = lines_until(&mut run, &["\"type\":\"reconnected\""]).pop().unwrap();
    assert!(!back.contains(&cluster.nodes[at].address()), "{back}");
    cluster.nodes[(at + 1) % 3].ask("PUBLISH news two");
    lines_until(&mut run, &["\"type\":\"pmessage\"", "\"two\""]);
    run.signal(Signal::INT);
    let out = run.finish().out();
    for data in ["one", "two"] {
        assert_eq!(out.matches(&format!("\"{data}\"")).count(), 2, "{out}");
    }
    assert!(!out.contains("\"node\""), "{out}");
}

#[test]
fn whoever_takes_over_from_a_primary_is_heard_and_the_gap_is_told() {
    let mut cluster = telling(Cluster::with_replicas());
    let run = cluster.rcli(["psub", "__keyevent@0__:set", "--events"]).any_stdout().status(130);
    let mut run = run.reports_among(&["connection lost", "left; not heard", "joined; heard", "reconnected"]).start();
    run.wait_for_lines(1);
    set_and_hear(&mut run, &cluster);
    let (lost, next) = (cluster.nodes[2].address(), cluster.nodes[5].address());
    cluster.nodes[2].kill_nine();
    lines_until(&mut run, &["\"type\":\"disconnected\"", &lost]);
    lines_until(&mut run, &["\"type\":\"left\"", &lost]);
    lines_until(&mut run, &["\"type\":\"joined\"", &next]);
    let back = lines_until(&mut run, &["\"type\":\"reconnected\""]).pop().unwrap();
    assert!(back.contains(&next) && !back.contains("\"gap\":0,"), "{back}");
    wait_for("the others to know", || cluster.owner_seen_by(0, "foo") == 5);
    set_and_hear(&mut run, &cluster);
    run.signal(Signal::INT);
    run.finish();
}

#[test]
fn a_primary_that_gets_its_first_slot_is_heard_too() {
    let cluster = telling(Cluster::with_args(4, &["--cluster-allow-replica-migration", "no"]));
    let run = cluster.rcli(["psub", "__keyevent@0__:set", "--events"]).any_stdout().status(130);
    let mut run = run.reports_among(&["joined; heard from now on"]).start();
    run.wait_for_lines(1);
    cluster.migrate("foo", 3);
    lines_until(&mut run, &["\"type\":\"joined\"", &cluster.nodes[3].address()]);
    wait_for_subscriber(&cluster.nodes[3], 1);
    set_and_hear(&mut run, &cluster);
    run.signal(Signal::INT);
    run.finish();
}

#[test]
fn a_node_that_joins_is_heard_with_its_first_slot_until_it_has_none() {
    let cluster = telling(Cluster::with_args(4, &["--cluster-allow-replica-migration", "no"]));
    let (id, address) = (cluster.id(3), cluster.nodes[3].address());
    for node in 0..3 {
        assert_eq!(cluster.nodes[node].ask(&format!("CLUSTER FORGET {id}")), "OK");
    }
    cluster.nodes[3].ask("CLUSTER RESET HARD");
    let run = cluster.rcli(["sub", "__keyevent@0__:set", "--events"]).any_stdout().status(130);
    let mut run = run.reports_among(&["joined; heard from now on", "left; not heard any more"]).start();
    run.wait_for_lines(1);
    cluster.meet(3);
    for node in &cluster.nodes {
        node.wait_until("CLUSTER INFO", |info| info.contains("cluster_known_nodes:4") && info.contains("state:ok"));
    }
    let from = cluster.owner("foo");
    cluster.migrate("foo", 3);
    lines_until(&mut run, &["\"type\":\"joined\"", &address]);
    wait_for_subscriber(&cluster.nodes[3], 1);
    set_and_hear(&mut run, &cluster);
    cluster.migrate("foo", from);
    lines_until(&mut run, &["\"type\":\"left\"", &address]);
    set_and_hear(&mut run, &cluster);
    run.signal(Signal::INT);
    let out = run.finish().out();
    assert_eq!(out.matches("\"type\":\"joined\"").count(), 1, "{out}");
}

#[test]
fn a_view_of_the_repl_hears_events_of_keys_from_the_whole_cluster() {
    let cluster = telling(Cluster::start());
    let terminal = cluster.rcli([""; 0]).on_terminal(120);
    terminal.ends_with(&[&format!("{} cluster>", cluster.nodes[0].address())]);
    terminal.line("PSUBSCRIBE __keyevent@0__:set");
    terminal.shows("\"type\":\"psubscribe\"");
    for key in KEYS {
        cluster.ask_owner(key, &format!("SET {key} x"));
        terminal.shows(&format!("\"data\":\"{key}\"}}"));
    }
}
