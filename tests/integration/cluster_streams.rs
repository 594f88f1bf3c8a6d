//! Shard channels of a cluster at their owners, through migrations and failovers (contract section 11).

use crate::cluster_nodes::Cluster;
use crate::rcli::rcli;
use crate::running::Running;
use crate::server::wait_for;
use rustix::process::Signal;

/// Shard channels, one at each of the three primaries.
const CHANNELS: [&str; 3] = ["bar", "jobs", "foo"];

/// The lines up to the first with all of these parts.
pub fn lines_until(run: &mut Running, parts: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        lines.push(run.next_line());
        if parts.iter().all(|part| lines[lines.len() - 1].contains(part)) {
            return lines;
        }
    }
}

/// Waits until that many listen to a shard channel at this node.
fn wait_for_listeners(cluster: &Cluster, node: usize, channel: &str) {
    cluster.nodes[node].wait_until(&format!("PUBSUB SHARDNUMSUB {channel}"), |reply| reply.contains('1'));
}

/// `"node":"127.0.0.1:PORT"`.
pub fn node_key(cluster: &Cluster, node: usize) -> String {
    format!("\"node\":\"{}\"", cluster.nodes[node].address())
}

#[test]
fn shard_channels_are_heard_from_all_their_owners() {
    let cluster = Cluster::start();
    let owners: Vec<usize> = CHANNELS.iter().map(|channel| cluster.owner(channel)).collect();
    assert!((0..3).all(|node| owners.contains(&node)), "{owners:?}");
    for protocol in ["-2", "-3"] {
        let run = cluster.rcli([protocol, "ssub", "--count", "30"]).args(CHANNELS).any_stdout();
        let mut run = run.start();
        run.wait_for_lines(3);
        for number in 0..10 {
            for (channel, owner) in CHANNELS.iter().zip(&owners) {
                assert_eq!(cluster.nodes[*owner].ask(&format!("SPUBLISH {channel} {number}")), "1");
            }
        }
        let out = run.finish().out();
        for (channel, owner) in CHANNELS.iter().zip(&owners) {
            let node = node_key(&cluster, *owner);
            assert!(out.contains(&format!(
                "{{\"type\":\"ssubscribe\",\"pattern\":null,\"channel\":\"{channel}\",\"data\":1,{node}}}\n"
            )));
            let line = |number| {
                format!(
                    "{{\"type\":\"smessage\",\"pattern\":null,\"channel\":\"{channel}\",\"data\":\"{number}\",{node}}}"
                )
            };
            let heard: Vec<&str> = out.lines().filter(|l| l.contains("smessage") && l.contains(channel)).collect();
            assert_eq!(heard, (0..10).map(line).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_channel_whose_slot_migrates_is_heard_at_its_new_owner() {
    let cluster = Cluster::start();
    let run = cluster.rcli(["ssub", "--events", "--count", "6", "--no-reconnect"]).args(CHANNELS);
    let mut run = run.any_stdout().reports_among(&["foo: moved from", "what came meanwhile is lost"]).start();
    run.wait_for_lines(3);
    let mut number = 0;
    let mut from = cluster.owner("foo");
    for _ in 0..3 {
        let to = (from + 1) % 3;
        assert_eq!(cluster.nodes[from].ask(&format!("SPUBLISH foo {number}")), "1");
        cluster.migrate("foo", to);
        let moved = lines_until(&mut run, &["\"type\":\"moved\""]).pop().unwrap();
        let server = cluster.nodes[to].address();
        assert!(moved.starts_with(&format!(
            "{{\"type\":\"moved\",\"channel\":\"foo\",\"from\":\"{}\",\"gap\":",
            cluster.nodes[from].address()
        )));
        assert!(moved.ends_with(&format!(",\"server\":\"{server}\"}}")), "{moved}");
        assert_eq!(cluster.nodes[to].ask(&format!("SPUBLISH foo {}", number + 1)), "1");
        lines_until(&mut run, &["smessage", &format!("\"data\":\"{}\"", number + 1), &node_key(&cluster, to)]);
        number += 2;
        from = to;
    }
    let finished = run.finish();
    let out = finished.out();
    assert!(!out.contains("sunsubscribe"), "{out}");
    assert_eq!(out.matches("smessage").count(), 6, "{out}");
    assert_eq!(out.matches("\"ssubscribe\"").count(), 3, "one confirmation a channel: {out}");
    assert_eq!(finished.err().lines().count(), 3, "{}", finished.err());
}

#[test]
fn whoever_takes_over_from_a_primary_that_lives_is_heard_once() {
    let cluster = Cluster::with_replicas();
    let (first, second) = (cluster.owner("foo"), cluster.owner("foo") + 3);
    let run = cluster.rcli(["ssub", "--events", "--no-reconnect"]).args(CHANNELS).any_stdout().any_stderr();
    let mut run = run.status(130).start();
    run.wait_for_lines(3);
    let mut expected = Vec::new();
    // The first comes while the map is as good as new. To the one that was the primary nobody is to go back: it would take
    // them as a replica.
    // Nobody elects twice within seconds: the others take over unasked.
    let failovers = [("", first, second), (" TAKEOVER", second, first), (" TAKEOVER", first, second)];
    for (round, (how, old, new)) in failovers.into_iter().enumerate() {
        cluster.nodes[new].wait_until("INFO replication", |info| info.contains("master_link_status:up"));
        assert_eq!(cluster.nodes[new].ask(&format!("CLUSTER FAILOVER{how}")), "OK");
        lines_until(&mut run, &["\"type\":\"moved\"", &cluster.nodes[new].address()]);
        cluster.nodes[old].wait_until("ROLE", |role| role.starts_with("[slave") && role.contains("connected"));
        wait_for_listeners(&cluster, new, "foo");
        assert_eq!(cluster.nodes[old].ask("PUBSUB SHARDCHANNELS"), "[]", "{how}");
        for number in [1, 2] {
            assert_eq!(cluster.nodes[new].ask(&format!("SPUBLISH foo {round}-{number}")), "1", "{how}");
            expected.push(format!("\"data\":\"{round}-{number}\",{}", node_key(&cluster, new)));
        }
        lines_until(&mut run, &["smessage", &format!("\"data\":\"{round}-2\"")]);
    }
    run.signal(Signal::INT);
    let out = run.finish().out();
    // A copy that comes late to a replica, when that has taken over in its turn, is the servers' doing.
    for message in expected {
        assert_eq!(out.matches(&message).count(), 1, "{message}: {out}");
    }
}

#[test]
fn a_slot_that_is_assigned_anew_to_its_owner_is_a_loss_and_a_return_of_its_channels() {
    let cluster = Cluster::start();
    let owner = cluster.owner("foo");
    let address = cluster.nodes[owner].address();
    let plain = || cluster.nodes[owner].rcli(["ssub", "foo"]);
    for run in [cluster.rcli(["ssub", "foo"]), cluster.rcli(["ssub", "foo", "--node", &address]), plain()] {
        let run = run.args(["--events", "--count", "1"]).any_stdout();
        let lost = format!("rcli: foo: not heard at {address}: the server has ended the subscription");
        let back = format!("rcli: note: foo: subscribed again at {address} after");
        let mut run = run.reports_among(&[&lost, &back, "what came meanwhile is lost"]).start();
        run.wait_for_lines(1);
        cluster.nodes[owner].ask(&format!("CLUSTER SETSLOT {} NODE {}", cluster.slot("foo"), cluster.id(owner)));
        run.wait_for_lines(3);
        assert_eq!(cluster.nodes[owner].ask("SPUBLISH foo x"), "1");
        let out = run.finish().out();
        let types: Vec<&str> = out.lines().map(|line| line.split('"').nth(3).unwrap()).collect();
        assert_eq!(types, ["ssubscribe", "disconnected", "reconnected", "smessage"], "{out}");
        for event in out.lines().filter(|line| line.contains("connected\"")) {
            assert!(event.contains("\"channel\":\"foo\"") && event.contains(&address), "{event}");
        }
    }
}

#[test]
fn a_slot_that_migrates_in_one_step_is_one_move_of_its_channels() {
    let cluster = Cluster::start();
    let (from, slot) = (cluster.owner("foo"), cluster.slot("foo"));
    let to = (from + 1) % 3;
    let migrate = format!("CLUSTER MIGRATESLOTS SLOTSRANGE {slot} {slot} NODE {}", cluster.id(to));
    // Valkey has it from version 9 on.
    if cluster.nodes[from].ask("CLUSTER HELP").contains("MIGRATESLOTS") {
        let run = cluster.rcli(["ssub", "--events", "--count", "1", "foo"]).any_stdout();
        let mut run = run.reports_among(&["foo: moved from"]).start();
        run.wait_for_lines(1);
        assert_eq!(cluster.nodes[from].ask(&migrate), "OK");
        run.wait_for_lines(2);
        assert_eq!(cluster.nodes[to].ask("SPUBLISH foo x"), "1");
        let finished = run.finish();
        let types: Vec<String> =
            finished.out().lines().map(|line| line.split('"').nth(3).unwrap().to_owned()).collect();
        assert_eq!(types, ["ssubscribe", "moved", "smessage"]);
        assert_eq!(finished.err().lines().count(), 1, "{}", finished.err());
    }
}

#[test]
fn a_channel_whose_primary_dies_is_heard_at_the_one_that_takes_over() {
    let mut cluster = Cluster::with_replicas();
    let victim = cluster.owner("foo");
    let mut run =
        cluster.nodes[(victim + 1) % 3].rcli(["-c", "ssub", "--events", "--count", "3"]).args(CHANNELS).any_stdout();
    run = run.reports_among(&["connection lost", "foo: moved from"]);
    let mut run = run.start();
    run.wait_for_lines(3);
    cluster.nodes[victim].kill_nine();
    lines_until(&mut run, &["\"type\":\"disconnected\"", &cluster.nodes[victim].address()]);
    // The others are heard all the while.
    let other = CHANNELS.iter().find(|channel| cluster.owner_seen_by((victim + 1) % 3, channel) != victim).unwrap();
    let owner = cluster.owner_seen_by((victim + 1) % 3, other);
    cluster.nodes[owner].ask(&format!("SPUBLISH {other} meanwhile"));
    lines_until(&mut run, &["meanwhile"]);
    lines_until(&mut run, &["\"type\":\"moved\"", &cluster.nodes[victim + 3].address()]);
    for _ in 0..2 {
        assert_eq!(cluster.nodes[victim + 3].ask("SPUBLISH foo after"), "1");
    }
    let out = run.finish().out();
    assert_eq!(out.matches("\"data\":\"after\"").count(), 2, "{out}");
}

#[test]
fn one_node_is_listened_to_on_request() {
    let cluster = Cluster::start();
    let owner = cluster.owner("foo");
    let address = cluster.nodes[owner].address();
    let run = cluster.rcli(["ssub", "foo", "--count", "1", "--node", &address]).any_stdout();
    let run = run.start();
    wait_for_listeners(&cluster, owner, "foo");
    cluster.nodes[owner].ask("SPUBLISH foo x");
    assert!(run.finish().out().ends_with(&format!("\"data\":\"x\",{}}}\n", node_key(&cluster, owner))));
    let other = cluster.nodes[(owner + 1) % 3].address();
    cluster.rcli(["ssub", "foo", "--node", &other]).status(3).complains(&["SSUBSCRIBE foo", "MOVED"]).run();
    rcli(["ssub", "foo", "--node", &other]).status(2).complains(&["--node needs -c"]).run();
}

#[test]
fn channels_that_the_one_node_does_not_own_are_named_and_passed_over() {
    let cluster = Cluster::start();
    let owner = cluster.owner("foo");
    let address = cluster.nodes[owner].address();
    let run = cluster.rcli(["ssub", "--events", "--node", &address, "--count", "1"]).args(CHANNELS).any_stdout();
    let passed =
        |channel| format!("rcli: {address}: {channel} is passed over: SSUBSCRIBE {channel} was refused: MOVED");
    let mut run = run.reports_among(&[&passed("bar"), &passed("jobs")]).start();
    wait_for_listeners(&cluster, owner, "foo");
    // Nor are they asked for again after a loss.
    cluster.nodes[owner].ask("CLIENT KILL TYPE pubsub");
    lines_until(&mut run, &["reconnected"]);
    cluster.nodes[owner].ask("SPUBLISH foo x");
    let finished = run.finish();
    let out = finished.out();
    let types: Vec<&str> = out.lines().map(|line| line.split('"').nth(3).unwrap()).collect();
    let expected =
        ["passed_over", "passed_over", "ssubscribe", "disconnected", "ssubscribe", "reconnected", "smessage"];
    assert_eq!(types, expected, "{out}");
    assert!(out.contains("\"channel\":\"jobs\"") && finished.err().lines().count() == 4, "{}", finished.err());
    // None of them is its own.
    let run = cluster.rcli(["ssub", "--node", &address, "bar", "jobs"]).status(3);
    run.reports_among(&[&passed("bar"), "rcli: ", "SSUBSCRIBE jobs was refused: MOVED"]).run();
}

#[test]
fn a_channel_that_moves_away_from_the_one_node_is_passed_over_from_then_on() {
    let cluster = Cluster::start();
    let (from, to) = (cluster.owner("foo"), (cluster.owner("foo") + 1) % 3);
    let address = cluster.nodes[from].address();
    // Two channels of one node; the slot of the first moves.
    let other = (0..1000).map(|n| format!("other{n}")).find(|name| cluster.owner(name) == from).unwrap();
    let run = cluster.rcli(["ssub", "--node", &address, "--count", "1", "foo", &other]).any_stdout();
    let mut run = run.complains(&[&address, "foo is passed over", "MOVED"]).start();
    run.wait_for_lines(2);
    cluster.migrate("foo", to);
    let ended = lines_until(&mut run, &["sunsubscribe"]).pop().unwrap();
    assert!(ended.contains("\"channel\":\"foo\""), "{ended}");
    cluster.nodes[from].ask(&format!("SPUBLISH {other} x"));
    assert!(run.finish().out().contains("smessage"));
}

#[test]
fn a_view_of_the_repl_listens_to_the_whole_cluster() {
    let cluster = Cluster::start();
    let owner = cluster.owner("foo");
    let node = &cluster.nodes[(owner + 1) % 3];
    let terminal = node.rcli(["-c"]).on_terminal(160);
    terminal.ends_with(&[&format!("{} cluster>", node.address())]);
    terminal.line("SSUBSCRIBE foo");
    wait_for_listeners(&cluster, owner, "foo");
    cluster.nodes[owner].ask("SPUBLISH foo hello");
    terminal.ends_with(&[&format!(
        "{{\"type\":\"smessage\",\"pattern\":null,\"channel\":\"foo\",\"data\":\"hello\",{}}}",
        node_key(&cluster, owner)
    )]);
}

#[test]
fn handlers_and_limits_work_in_a_cluster() {
    let cluster = Cluster::start();
    let run = cluster.rcli(["ssub", "--handler", "foo=cat >> foo.log", "--count", "3", "--time"]).args(CHANNELS);
    let mut run = run.any_stdout().start();
    run.wait_for_lines(2);
    wait_for_listeners(&cluster, cluster.owner("foo"), "foo");
    for channel in CHANNELS {
        cluster.nodes[cluster.owner(channel)].ask(&format!("SPUBLISH {channel} x"));
    }
    let finished = run.finish();
    let log = std::fs::read_to_string(finished.home.path().join("foo.log")).unwrap();
    assert!(log.ends_with(&format!("{}}}\n", node_key(&cluster, cluster.owner("foo")))), "{log}");
    let run = cluster.rcli(["ssub", "foo", "--count", "1", "--idle", "0.3"]).any_stdout().status(5);
    run.complains(&["--idle"]).run();
    let run = cluster.rcli(["sub", "c"]).any_stdout().status(130);
    assert!(run.start().interrupt_after(1).out().ends_with("\"channel\":\"c\",\"data\":1}\n"));
    let mut run = cluster.rcli(["ssub"]).args(CHANNELS).any_stdout().status(130).start();
    run.wait_for_lines(3);
    run.signal(Signal::INT);
    run.finish();
}

/// The seconds without a channel that an event tells.
fn gap(event: &str) -> f64 {
    let rest = event.split_once("\"gap\":").expect("a gap").1;
    rest[..rest.find([',', '}']).expect("its end")].parse().expect("a number")
}

#[test]
fn a_new_owner_that_learns_of_it_later_than_the_old_one_is_asked_again_soon() {
    let cluster = Cluster::start();
    let run = cluster.rcli(["ssub", "--events", "--count", "1", "foo"]).any_stdout().reports_among(&["moved from"]);
    let mut run = run.start();
    run.wait_for_lines(1);
    let mut from = cluster.owner("foo");
    let mut gaps = Vec::new();
    for _ in 0..4 {
        let to = (from + 1) % 3;
        let refused = |stats: &str| stats.split("errorstat_MOVED:count=").nth(1).map(str::to_owned);
        let before = refused(&cluster.nodes[to].ask("INFO errorstats"));
        cluster.begin_migration("foo", to);
        let declare = format!("CLUSTER SETSLOT {} NODE {}", cluster.slot("foo"), cluster.id(to));
        cluster.nodes[from].ask(&declare);
        cluster.nodes[to].wait_until("INFO errorstats", |stats| refused(stats) != before);
        for node in [to, (to + 1) % 3] {
            cluster.nodes[node].ask(&declare);
        }
        gaps.push(gap(lines_until(&mut run, &["\"type\":\"moved\""]).last().unwrap()));
        from = to;
    }
    // One of them is not to be disturbed by a busy machine.
    assert!(gaps.iter().any(|gap| *gap < 0.15), "{gaps:?}");
    cluster.nodes[from].ask("SPUBLISH foo x");
    run.finish();
}

#[test]
fn a_node_that_says_much_does_not_keep_the_others_waiting() {
    let cluster = Cluster::start();
    let mut run = cluster.rcli(["ssub", "foo", "bar", "--count", "4000"]).any_stdout().start();
    run.wait_for_lines(2);
    run.signal(Signal::STOP);
    let state = format!("/proc/{}/stat", run.pid());
    wait_for("a program that is stopped", || std::fs::read_to_string(&state).unwrap().contains(") T "));
    for channel in ["foo", "bar"] {
        let mut client = cluster.nodes[cluster.owner(channel)].client();
        (0..2000).for_each(|_| drop(client.call(&[b"SPUBLISH", channel.as_bytes(), b"x"]).unwrap()));
    }
    run.signal(Signal::CONT);
    let out = run.finish().out();
    // What waits at both is heard by turns of 64.
    let first: Vec<&str> = out.lines().skip(2).take(300).collect();
    let heard = ["foo", "bar"].map(|name| first.iter().filter(|line| line.contains(name)).count());
    assert!(heard.iter().all(|count| *count > 100), "{heard:?}");
}
