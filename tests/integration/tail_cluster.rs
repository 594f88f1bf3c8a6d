//! `tail -c`: streams of any slots, at the nodes that own them, through migrations and failovers (contract sections 11
//! and 15).

use crate::bounds::calls;
use crate::cluster_nodes::Cluster;
use crate::running::Running;
use crate::server::wait_for;

/// Streams in three slots, one at each primary, and another one in the slot of the first.
const STREAMS: [&str; 4] = ["bar", "jobs", "foo", "{bar}2"];

/// Adds an entry with this number to a stream, wherever that is.
fn add(cluster: &Cluster, stream: &str, number: usize) {
    let added = cluster.ask_owner(stream, &format!("XADD {stream} {number}-0 n {number}"));
    assert_eq!(added, format!("{number}-0"), "{stream}");
}

/// The numbers of the entries of a stream, as they were written.
fn numbers_of(out: &str, stream: &str) -> Vec<usize> {
    let begin = format!("{{\"stream\":\"{stream}\",\"id\":\"");
    out.lines().filter_map(|line| line.strip_prefix(&begin)?.split("-0").next()?.parse().ok()).collect()
}

fn interrupt(run: Running, lines: usize) -> String {
    run.interrupt_after(lines).out()
}

#[test]
fn streams_of_all_nodes_are_read_at_once_each_in_its_order() {
    let cluster = Cluster::start();
    for stream in STREAMS {
        (1..=5).for_each(|number| add(&cluster, stream, number));
    }
    for protocol in ["-2", "-3"] {
        let run = cluster.rcli(["tail", protocol, "--from", "0"]).args(STREAMS).any_stdout().status(130);
        let mut run = run.start();
        run.wait_for_lines(20);
        let first = if protocol == "-2" { 6 } else { 8 };
        for number in first..first + 2 {
            for stream in STREAMS {
                add(&cluster, stream, number);
            }
        }
        let out = interrupt(run, 4 * (first + 1));
        for stream in STREAMS {
            assert_eq!(numbers_of(&out, stream), (1..=first + 1).collect::<Vec<_>>(), "{stream}");
        }
    }
    let run = cluster.rcli(["tail", "--from", "0", "--until", "$"]).args(STREAMS).any_stdout().run();
    assert_eq!(run.out().lines().count(), 36);
}

#[test]
fn a_slot_that_moves_takes_its_reader_along() {
    let cluster = Cluster::start();
    let run = cluster.rcli(["tail", "--from", "0", "--events"]).args(STREAMS).any_stdout().status(130);
    let mut run = run.start();
    for number in 1..=4 {
        for stream in ["bar", "{bar}2", "foo"] {
            add(&cluster, stream, number);
        }
        run.wait_for_lines(3 * number);
        let to = (cluster.owner("bar") + 1) % 3;
        cluster.migrate("bar", to);
    }
    add(&cluster, "bar", 5);
    let finished = run.interrupt_after(13);
    let out = finished.out();
    assert_eq!(numbers_of(&out, "bar"), [1, 2, 3, 4, 5], "{out}");
    assert_eq!(numbers_of(&out, "{bar}2"), [1, 2, 3, 4], "{out}");
    assert_eq!(numbers_of(&out, "foo"), [1, 2, 3, 4], "{out}");
    assert_eq!(out.lines().count(), 13, "nothing else, and no event: {out}");
}

#[test]
fn a_slot_that_moves_leaves_a_group_its_place() {
    let cluster = Cluster::start();
    let run = cluster.rcli(["tail", "--group", "g", "--consumer", "c", "--create", "--from", "0"]).args(["bar", "foo"]);
    let mut run = run.any_stdout().status(130).start();
    for number in 1..=3 {
        add(&cluster, "bar", number);
        add(&cluster, "foo", number);
        run.wait_for_lines(2 * number);
        cluster.migrate("bar", (cluster.owner("bar") + 1) % 3);
    }
    // What is interrupted before that says that it does not know of them.
    for stream in ["bar", "foo"] {
        let pending = format!("XPENDING {stream} g");
        wait_for("acknowledgements", || cluster.ask_owner(stream, &pending).starts_with("[0,"));
    }
    let out = interrupt(run, 6);
    for stream in ["bar", "foo"] {
        assert_eq!(numbers_of(&out, stream), [1, 2, 3], "{out}");
    }
    assert_eq!(out.matches("\"deliveries\":1").count(), 6, "{out}");
}

#[test]
fn a_stream_that_is_on_its_way_is_read_where_it_is() {
    let cluster = Cluster::start();
    let (from, slot) = (cluster.owner("bar"), cluster.slot("bar"));
    let to = (from + 1) % 3;
    add(&cluster, "bar", 1);
    let mut run = cluster.rcli(["tail", "bar", "--from", "0"]).any_stdout().any_stderr().status(130).start();
    run.wait_for_lines(1);
    let (source, target) = (&cluster.nodes[from], &cluster.nodes[to]);
    assert_eq!(target.ask(&format!("CLUSTER SETSLOT {slot} IMPORTING {}", cluster.id(from))), "OK");
    assert_eq!(source.ask(&format!("CLUSTER SETSLOT {slot} MIGRATING {}", cluster.id(to))), "OK");
    assert_eq!(source.ask(&format!("MIGRATE 127.0.0.1 {} bar 0 5000", target.port())), "OK");
    let mut client = target.client();
    let mut at_target = |command: &str| {
        client.call(&[b"ASKING"]).unwrap();
        client.call(&command.split(' ').map(str::as_bytes).collect::<Vec<_>>()).unwrap().to_string()
    };
    assert_eq!(at_target("XADD bar 2-0 n 2"), "2-0");
    run.wait_for_lines(2);
    assert_eq!(at_target("XADD bar 3-0 n 3"), "3-0");
    run.wait_for_lines(3);
    // It goes back where it was.
    assert_eq!(source.ask(&format!("CLUSTER SETSLOT {slot} STABLE")), "OK");
    assert_eq!(at_target("DEL bar"), "1");
    assert_eq!(target.ask(&format!("CLUSTER SETSLOT {slot} STABLE")), "OK");
    assert_eq!(source.ask("XADD bar 4-0 n 4"), "4-0");
    let out = interrupt(run, 4);
    assert_eq!(numbers_of(&out, "bar"), [1, 2, 3, 4], "{out}");
    assert_eq!(out.lines().count(), 4, "{out}");
}

#[test]
fn a_stream_whose_neighbour_has_moved_already_is_not_made_a_second_time() {
    let cluster = Cluster::start();
    let (from, to) = (cluster.owner("bar"), (cluster.owner("bar") + 1) % 3);
    let run = cluster.rcli(["tail", "bar", "{bar}2", "--group", "g", "--consumer", "c", "--create", "--from", "0"]);
    let mut run = run.any_stdout().status(130).start();
    add(&cluster, "bar", 1);
    add(&cluster, "{bar}2", 1);
    run.wait_for_lines(2);
    cluster.begin_migration("bar", to);
    cluster.move_key("bar", from, to);
    // Read meanwhile, and asked again: where it is on its way nothing is made of the other.
    let mut client = cluster.nodes[to].client();
    let mut at_target = |command: &str| {
        client.call(&[b"ASKING"]).unwrap();
        client.call(&command.split(' ').map(str::as_bytes).collect::<Vec<_>>()).unwrap().to_string()
    };
    assert_eq!(at_target("XADD bar 2-0 n 2"), "2-0");
    // What is refused counts among the errors only.
    let refused = |node: usize, code: &str| -> usize {
        let stats = cluster.nodes[node].ask("INFO errorstats");
        let count = stats.split(&format!("errorstat_{code}:count=")).nth(1).and_then(|rest| rest.lines().next());
        count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    };
    let looks = |node| calls(&cluster.nodes[node], "xinfo|stream") + refused(node, "ASK") + refused(node, "TRYAGAIN");
    let before = looks(from) + looks(to);
    wait_for("some rounds", || looks(from) + looks(to) > before + 20);
    assert_eq!(at_target("EXISTS {bar}2"), "0");
    cluster.move_key("{bar}2", from, to);
    cluster.end_migration("bar", to);
    add(&cluster, "{bar}2", 2);
    let out = interrupt(run, 4);
    assert_eq!((numbers_of(&out, "bar"), numbers_of(&out, "{bar}2")), (vec![1, 2], vec![1, 2]), "{out}");
}

#[test]
fn a_primary_that_dies_is_replaced_by_the_one_that_takes_over() {
    let mut cluster = Cluster::with_replicas();
    let victim = cluster.owner("foo");
    let other = (victim + 1) % 3;
    let run = cluster.nodes[other].rcli(["-c", "tail", "--from", "0", "--events"]).args(STREAMS);
    let mut run = run.any_stdout().any_stderr().status(130).start();
    add(&cluster, "foo", 1);
    run.wait_for_lines(1);
    cluster.nodes[victim + 3].wait_until("INFO replication", |info| info.contains("master_link_status:up"));
    cluster.nodes[victim].wait_until("WAIT 1 1000", |count| count == "1");
    cluster.nodes[victim].kill_nine();
    run.wait_for_lines(2);
    // The others are read all the while.
    let alive = STREAMS.iter().find(|stream| cluster.owner_seen_by(other, stream) != victim).unwrap();
    let owner = cluster.owner_seen_by(other, alive);
    cluster.nodes[owner].ask(&format!("XADD {alive} 1-0 n 1"));
    run.wait_for_lines(3);
    cluster.nodes[victim + 3].wait_until("ROLE", |role| role.contains("master"));
    wait_for("a slot that is served", || cluster.nodes[victim + 3].ask("XADD foo 2-0 n 2") == "2-0");
    while !run.next_line().contains("\"id\":\"2-0\"") {}
    let out = interrupt(run, 5);
    assert_eq!(numbers_of(&out, "foo"), [1, 2], "{out}");
    let (lost, back) = (out.matches("\"disconnected\"").count(), out.matches("\"reconnected\"").count());
    assert!(lost > 0 && lost == back, "{out}");
}

#[test]
fn never_more_is_taken_than_is_wanted_of_streams_in_several_slots() {
    let cluster = Cluster::start();
    for stream in STREAMS {
        cluster.ask_owner(stream, &format!("XGROUP CREATE {stream} g 0 MKSTREAM"));
        (1..=5).for_each(|number| add(&cluster, stream, number));
    }
    let mut before = 0;
    for count in [1, 2, 5, 3] {
        let run = cluster.rcli(["tail", "--group", "g", "--consumer", "c", "--ack", "never", "--claim-idle", "60"]);
        let run = run.args(["--from", "0", "--count", &(before + count).to_string()]).args(STREAMS);
        assert_eq!(run.any_stdout().run().out().lines().count(), before + count);
        before += count;
        let pending = |stream: &&str| -> usize {
            cluster.ask_owner(stream, &format!("XPENDING {stream} g"))[1..].split(',').next().unwrap().parse().unwrap()
        };
        assert_eq!(STREAMS.iter().map(pending).sum::<usize>(), before);
    }
}

#[test]
fn a_node_alone_says_what_helps() {
    let cluster = Cluster::start();
    let node = &cluster.nodes[cluster.owner("foo")];
    node.rcli(["tail", "bar", "--from", "0"]).status(1).complains(&["bar: MOVED", "use -c"]).run();
    let run = node.rcli(["tail", "foo", "bar", "--from", "0"]).any_stderr().status(1).run();
    assert!(run.err().contains("use -c"), "{}", run.err());
}
