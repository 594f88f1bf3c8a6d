//! Streams of a cluster that are not bound to a slot: `sub` and `psub` at any node, `monitor` at all of them, whoever
//! joins or leaves (contract section 11).

use crate::bounds::calls;
use crate::cluster_nodes::Cluster;
use crate::cluster_streams::{lines_until, node_key};
use crate::running::Running;
use crate::server::Server;
use rustix::process::Signal;
use std::time::Instant;

#[test]
fn sub_goes_over_to_another_node() {
    let mut cluster = Cluster::start();
    let mut run = cluster.rcli(["sub", "c", "--events", "--count", "2"]).any_stdout();
    run = run.reports_among(&[&cluster.nodes[0].address(), "connection lost", "reconnected after"]);
    let mut run = run.start();
    run.wait_for_lines(1);
    cluster.nodes[1].ask("PUBLISH c one");
    lines_until(&mut run, &["one"]);
    cluster.nodes[0].kill_nine();
    let line = lines_until(&mut run, &["\"type\":\"reconnected\""]).pop().unwrap();
    assert!((1..3).any(|node| line.contains(&cluster.nodes[node].address())), "{line}");
    cluster.nodes[1].ask("PUBLISH c two");
    let out = run.finish().out();
    assert!(out.contains("\"data\":\"two\"}"), "{out}");
}

#[test]
fn all_other_nodes_are_tried_before_a_retry_counts_as_used() {
    // One of the others is gone already; which of them is tried first is the cluster's to say.
    for (gone, last) in [(1, 2), (2, 1)] {
        let mut cluster = Cluster::start();
        let run = cluster.rcli(["sub", "c", "--events", "--max-retries", "1", "--count", "1"]).any_stdout();
        let mut run = run.reports_among(&["connection lost", "reconnected after"]).start();
        run.wait_for_lines(1);
        cluster.nodes[gone].kill_nine();
        cluster.nodes[0].kill_nine();
        lines_until(&mut run, &["\"type\":\"reconnected\"", &cluster.nodes[last].address()]);
        cluster.nodes[last].ask("PUBLISH c x");
        run.finish();
    }
}

/// Publishes to a channel of the pattern and to one that was named, and waits until both are heard.
fn publish_and_hear(run: &mut Running, node: &Server, data: &str) {
    for (begin, channel) in
        [("\"type\":\"pmessage\",\"pattern\":\"n*\"", "news"), ("\"type\":\"message\",\"pattern\":null", "c")]
    {
        node.ask(&format!("PUBLISH {channel} {data}"));
        assert_eq!(run.next_line(), format!("{{{begin},\"channel\":\"{channel}\",\"data\":\"{data}\"}}"));
    }
}

#[test]
fn psub_goes_over_to_another_node_with_all_that_it_listens_to() {
    let mut cluster = Cluster::start();
    let run = cluster.rcli(["psub", "n*", "--channel", "c", "--events", "--count", "4"]).any_stdout();
    let mut run = run.reports_among(&["connection lost", "reconnected after"]).start();
    let subscribed = [
        "{\"type\":\"psubscribe\",\"pattern\":null,\"channel\":\"n*\",\"data\":1}",
        "{\"type\":\"subscribe\",\"pattern\":null,\"channel\":\"c\",\"data\":2}",
    ];
    assert_eq!([run.next_line(), run.next_line()], subscribed);
    publish_and_hear(&mut run, &cluster.nodes[2], "one");
    cluster.nodes[0].kill_nine();
    assert!(run.next_line().contains("\"type\":\"disconnected\""));
    assert_eq!([run.next_line(), run.next_line()], subscribed);
    assert!(run.next_line().contains("\"type\":\"reconnected\""));
    publish_and_hear(&mut run, &cluster.nodes[2], "two");
    run.finish();
}

#[test]
fn a_node_that_the_cluster_has_forgotten_is_left_by_sub() {
    let cluster = Cluster::start();
    let begin = Instant::now();
    let run = cluster.rcli(["sub", "c", "--events", "--count", "1"]).any_stdout();
    let mut run = run.reports_among(&["not of the cluster any more", "reconnected after"]).start();
    run.wait_for_lines(1);
    let forgotten = cluster.id(0);
    for node in [1, 2] {
        assert_eq!(cluster.nodes[node].ask(&format!("CLUSTER FORGET {forgotten}")), "OK");
    }
    let lost = lines_until(&mut run, &["\"type\":\"disconnected\""]).pop().unwrap();
    assert!(lost.contains(&cluster.nodes[0].address()), "{lost}");
    let back = lines_until(&mut run, &["\"type\":\"reconnected\""]).pop().unwrap();
    assert!(!back.contains(&cluster.nodes[0].address()), "{back}");
    cluster.nodes[1].ask("PUBLISH c x");
    run.finish();
    // Every 5 s, and once at each of the nodes that it was connected to.
    let asked = times_asked(&cluster.nodes);
    assert!(asked <= begin.elapsed().as_secs() / 5 + 3, "{asked}");
}

/// How often nodes were asked who belongs to the cluster.
fn times_asked(nodes: &[Server]) -> u64 {
    nodes.iter().map(|node| calls(node, "cluster|shards") as u64).sum()
}

/// Says something at a node once it is monitored, and waits until that is heard from there.
fn say(run: &mut Running, cluster: &Cluster, node: usize, word: &str) {
    // Nothing else says that MONITOR has begun.
    cluster.nodes[node].wait_until("CLIENT LIST", |clients| clients.contains("cmd=monitor"));
    cluster.nodes[node].ask(&format!("ECHO {word}"));
    lines_until(run, &[word, &node_key(cluster, node)]);
}

#[test]
fn primaries_and_replicas_are_monitored_and_one_that_dies_is_left() {
    let mut cluster = Cluster::with_replicas();
    let run = cluster.rcli(["monitor", "--only", "ECHO", "--events"]).any_stdout().status(130);
    let mut run = run.reports_among(&["left; not heard any more"]).start();
    for node in 0..6 {
        say(&mut run, &cluster, node, &format!("hello-{node}"));
    }
    let address = cluster.nodes[5].address();
    cluster.nodes[5].kill_nine();
    lines_until(&mut run, &["\"type\":\"disconnected\"", &address]);
    lines_until(&mut run, &["\"type\":\"left\"", &address]);
    cluster.nodes[5].restart();
    lines_until(&mut run, &["\"type\":\"joined\"", &address]);
    say(&mut run, &cluster, 5, "again");
    run.signal(rustix::process::Signal::INT);
    run.finish();
}

#[test]
fn a_primary_without_slots_is_monitored_until_it_is_forgotten_and_again_when_it_is_met() {
    let cluster = Cluster::with_args(4, &["--cluster-allow-replica-migration", "no"]);
    let run = cluster.rcli(["monitor", "--events"]).any_stdout().status(130);
    let mut run = run.reports_among(&["joined; heard from now on", "left; not heard any more"]).start();
    for node in 0..4 {
        say(&mut run, &cluster, node, &format!("hello-{node}"));
    }
    let (id, address) = (cluster.id(3), cluster.nodes[3].address());
    // Slots that come and go change nothing.
    let from = cluster.owner("foo");
    cluster.migrate("foo", 3);
    cluster.migrate("foo", from);
    for node in 0..3 {
        assert_eq!(cluster.nodes[node].ask(&format!("CLUSTER FORGET {id}")), "OK");
    }
    cluster.nodes[3].ask("CLUSTER RESET HARD");
    let left = lines_until(&mut run, &["\"type\":\"left\""]).pop().unwrap();
    assert!(left.contains(&address), "{left}");
    cluster.meet(3);
    let joined = lines_until(&mut run, &["\"type\":\"joined\""]).pop().unwrap();
    assert!(joined.contains(&address), "{joined}");
    say(&mut run, &cluster, 3, "here");
    run.signal(Signal::INT);
    let run = run.finish();
    assert_eq!(run.err().lines().count(), 2, "{}", run.err());
}

#[test]
fn a_node_that_changes_its_role_is_monitored_all_the_while() {
    let cluster = Cluster::with_replicas();
    let begin = Instant::now();
    let run = cluster.rcli(["monitor", "--only", "ECHO", "--events"]).any_stdout().status(130);
    let mut run = run.start();
    for node in 0..6 {
        say(&mut run, &cluster, node, &format!("hello-{node}"));
    }
    for (promoted, demoted) in [(3, 0), (0, 3)] {
        assert_eq!(cluster.nodes[promoted].ask("CLUSTER FAILOVER TAKEOVER"), "OK");
        cluster.nodes[promoted].wait_until("ROLE", |role| role.contains("master"));
        cluster.nodes[demoted].wait_until("ROLE", |role| role.contains("slave"));
        for node in [promoted, demoted] {
            say(&mut run, &cluster, node, &format!("after-{promoted}-{node}"));
        }
        cluster.nodes[promoted].wait_until("ROLE", |role| role.contains(&cluster.nodes[demoted].port().to_string()));
    }
    run.signal(Signal::INT);
    let out = run.finish().out();
    assert!(!out.contains("\"type\""), "{out}");
    // Every 2 s, and twice at the start.
    let asked = times_asked(&cluster.nodes);
    assert!(asked <= begin.elapsed().as_secs() / 2 + 3, "{asked}");
}

#[test]
fn a_node_that_is_lost_is_looked_for_more_often_than_tried_for() {
    let mut cluster = Cluster::start();
    let lost = cluster.owner("foo");
    assert_eq!(lost, 2, "not the node that was named");
    let run = |args: &[&str]| cluster.rcli(args).args(["--max-retries", "7"]).any_stdout().status(3);
    let told = ["reconnecting", "not regained with 7 tries"];
    let monitor = run(&["monitor"]).reports_among(&told).start();
    let mut channel = run(&["ssub", "foo"]).reports_among(&told).start();
    channel.wait_for_lines(1);
    cluster.nodes[lost].wait_until("CLIENT LIST", |clients| clients.contains("cmd=monitor"));
    let asked = |cluster: &Cluster| {
        let slots: usize = cluster.nodes[..2].iter().map(|node| calls(node, "cluster|slots")).sum();
        (times_asked(&cluster.nodes[..2]), slots as u64)
    };
    let (before, begin) = (asked(&cluster), Instant::now());
    cluster.nodes[lost].kill_nine();
    for run in [monitor, channel] {
        run.finish();
    }
    let (after, seconds) = (asked(&cluster), begin.elapsed().as_secs());
    // Seven tries take 11.3 s. A node that is monitored is looked for every second, and who has a channel four times.
    let monitored = after.0 - before.0;
    assert!((10..=seconds + 8).contains(&monitored), "{monitored} in {seconds} s");
    let both = after.1 - before.1;
    assert!((30..=5 * seconds + 16).contains(&both), "{both} in {seconds} s");
}

#[test]
fn what_rcli_asks_the_cluster_itself_is_not_shown() {
    let mut cluster = Cluster::with_args(4, &["--cluster-allow-replica-migration", "no"]);
    let run = cluster.rcli(["monitor", "--events"]).any_stdout().status(130).any_stderr();
    let mut run = run.start();
    for node in 0..4 {
        say(&mut run, &cluster, node, &format!("hello-{node}"));
    }
    // From here on the cluster's nodes are asked for by way of another one.
    cluster.nodes[0].kill_nine();
    lines_until(&mut run, &["\"type\":\"disconnected\""]);
    cluster.nodes[1].wait_until("CLUSTER INFO", |info| info.contains("cluster_slots_fail:5461"));
    cluster.nodes[0].restart();
    lines_until(&mut run, &["\"type\":\"reconnected\""]);
    for node in 0..4 {
        say(&mut run, &cluster, node, &format!("again-{node}"));
    }
    run.signal(Signal::INT);
    let out = run.finish().out();
    // The test itself talks over unix sockets.
    let shown: Vec<&str> = out.lines().filter(|line| line.contains("\"tcp\"")).collect();
    assert_eq!(shown, [""; 0], "{out}");
}
