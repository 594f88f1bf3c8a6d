//! `--control` in a cluster: shard channels at their owners, events of keys at every primary, all of it while slots move
//! and nodes come and go (contract sections 8 and 11).

use crate::cluster_nodes::Cluster;
use crate::cluster_streams::{lines_until, node_key};
use crate::running::Running;
use crate::server::{Server, wait_for};
use rustix::process::Signal;

/// Shard channels, one at each of the three primaries.
const CHANNELS: [&str; 3] = ["bar", "jobs", "foo"];

/// Keys, one at each of the three primaries.
const KEYS: [&str; 3] = ["bar", "c", "foo"];

/// A dictionary of a shard channel as its node gives it.
fn sharded(cluster: &Cluster, kind: &str, channel: &str, data: &str) -> String {
    let node = node_key(cluster, cluster.owner(channel));
    format!("{{\"type\":\"{kind}\",\"pattern\":null,\"channel\":\"{channel}\",\"data\":{data},{node}}}")
}

/// Has the nodes tell the events of keys.
fn telling(cluster: Cluster) -> Cluster {
    for node in &cluster.nodes {
        assert_eq!(node.ask("CONFIG SET notify-keyspace-events KEA"), "OK");
    }
    cluster
}

/// Sets a key at each node, and waits until all are told.
fn set_and_hear(run: &mut Running, cluster: &Cluster) {
    for key in KEYS {
        cluster.ask_owner(key, &format!("SET {key} x"));
        lines_until(run, &["__keyevent@0__:set\"", &format!("\"data\":\"{key}\"}}")]);
    }
}

/// Ends stdin, and takes all that was written.
fn end(mut run: Running) -> String {
    run.close_stdin();
    run.finish().out()
}

#[test]
fn shard_channels_are_added_and_left_at_their_owners() {
    let cluster = Cluster::start();
    for (protocol, verb) in [("-2", "ssub"), ("-3", "ssub"), ("-3", "sub")] {
        let mut run = cluster.rcli([protocol, verb, "--control"]).interactive().any_stdout().start();
        for channel in CHANNELS {
            run.send_line(&format!("SSUBSCRIBE {channel}"));
            assert_eq!(run.next_line(), sharded(&cluster, "ssubscribe", channel, "1"));
        }
        for channel in CHANNELS {
            assert_eq!(cluster.ask_owner(channel, &format!("SPUBLISH {channel} x")), "1");
            assert_eq!(run.next_line(), sharded(&cluster, "smessage", channel, "\"x\""));
        }
        run.send_line("SUNSUBSCRIBE jobs");
        assert_eq!(run.next_line(), sharded(&cluster, "sunsubscribe", "jobs", "0"));
        assert_eq!(cluster.ask_owner("jobs", "SPUBLISH jobs x"), "0");
        // Once more, and one that nobody has.
        run.send("SUNSUBSCRIBE jobs\nSSUBSCRIBE foo\n");
        let (left, again) = (run.next_line(), run.next_line());
        assert!(
            left.starts_with("{\"type\":\"sunsubscribe\",\"pattern\":null,\"channel\":\"jobs\",\"data\":0,"),
            "{left}"
        );
        assert_eq!(again, sharded(&cluster, "ssubscribe", "foo", "1"));
        run.send_line("SUNSUBSCRIBE");
        let mut left = [run.next_line(), run.next_line()];
        left.sort_unstable();
        assert_eq!(left, ["bar", "foo"].map(|channel| sharded(&cluster, "sunsubscribe", channel, "0")));
        run.send_line("SUNSUBSCRIBE\nPING x");
        assert!(run.next_line().contains("\"sunsubscribe\",\"pattern\":null,\"channel\":null,\"data\":0"));
        assert_eq!(run.next_line(), "{\"type\":\"pong\",\"pattern\":null,\"channel\":null,\"data\":\"x\"}");
        end(run);
    }
}

#[test]
fn all_lines_at_once_are_carried_out_in_their_order() {
    let cluster = Cluster::start();
    let lines = "SSUBSCRIBE bar jobs foo\nSUNSUBSCRIBE jobs\nSSUBSCRIBE jobs\nSUNSUBSCRIBE bar foo jobs\nSUBSCRIBE c\n";
    for _ in 0..5 {
        let out = cluster.rcli(["ssub", "--control"]).stdin(lines).any_stdout().run().out();
        let mut names: Vec<(String, String)> = out
            .lines()
            .map(|line| line.split('"').collect::<Vec<_>>())
            .map(|words| (words[9].to_owned(), words[3].to_owned()))
            .collect();
        // Each channel is told in the order of its lines, whichever node is the faster one.
        names.sort_by(|a, b| a.0.cmp(&b.0));
        let told: Vec<String> = names.iter().map(|(channel, kind)| format!("{channel} {kind}")).collect();
        let on_off = |channel: &str| [format!("{channel} ssubscribe"), format!("{channel} sunsubscribe")];
        let expected =
            [&on_off("bar")[..], &["c subscribe".to_owned()], &on_off("foo"), &on_off("jobs"), &on_off("jobs")]
                .concat();
        assert_eq!(told, expected, "{out}");
    }
}

#[test]
fn only_what_is_subscribed_now_follows_its_slot() {
    let cluster = Cluster::start();
    let run = cluster.rcli(["ssub", "foo", "{foo}left", "--control", "--events"]).interactive().any_stdout();
    let mut run = run.reports_among(&["foo: moved from"]).start();
    run.wait_for_lines(2);
    run.send("SUNSUBSCRIBE {foo}left\nSSUBSCRIBE {foo}new\n");
    lines_until(&mut run, &["\"ssubscribe\"", "{foo}new"]);
    let from = cluster.owner("foo");
    for to in [(from + 1) % 3, (from + 2) % 3] {
        cluster.migrate("foo", to);
        for _ in 0..2 {
            lines_until(&mut run, &["\"type\":\"moved\"", &cluster.nodes[to].address()]);
        }
        assert_eq!(cluster.nodes[to].ask("SPUBLISH foo x"), "1");
        assert_eq!(cluster.nodes[to].ask("SPUBLISH {foo}new x"), "1");
        assert_eq!(cluster.nodes[to].ask("SPUBLISH {foo}left x"), "0");
        lines_until(&mut run, &["smessage", "{foo}new", &node_key(&cluster, to)]);
    }
    run.send_line("SUNSUBSCRIBE");
    lines_until(&mut run, &["sunsubscribe"]);
    lines_until(&mut run, &["sunsubscribe"]);
    cluster.migrate("foo", from);
    run.send_line("PING");
    lines_until(&mut run, &["pong"]);
    let out = end(run);
    assert_eq!(out.matches("\"moved\"").count(), 4, "{out}");
}

#[test]
fn a_channel_that_is_left_while_its_slot_moves_is_left_for_good() {
    let cluster = Cluster::start();
    let mut run = cluster.rcli(["ssub", "--control"]).interactive().any_stdout().any_stderr().start();
    let mut owner = cluster.owner("foo");
    for round in 0..20 {
        run.send_line("SSUBSCRIBE foo jobs");
        lines_until(&mut run, &["\"ssubscribe\"", "jobs"]);
        let to = (owner + 1) % 3;
        // The line comes before, amidst or after what the servers say.
        if round % 2 == 0 {
            run.send_line("SUNSUBSCRIBE foo jobs");
            cluster.migrate("foo", to);
        } else {
            cluster.migrate("foo", to);
            run.send_line("SUNSUBSCRIBE foo jobs");
        }
        run.send_line(&format!("PING round-{round}"));
        let lines = lines_until(&mut run, &[&format!("round-{round}")]).join("\n");
        // A PING may overtake what another node is to answer.
        wait_for("foo and jobs to be left", || {
            cluster.nodes.iter().all(|node| node.ask("PUBSUB SHARDCHANNELS") == "[]")
        });
        assert!(lines.matches("sunsubscribe").count() <= 2, "{lines}");
        owner = to;
    }
    let out = end(run);
    assert_eq!(out.matches("\"sunsubscribe\"").count(), 40, "{out}");
}

#[test]
fn events_of_keys_are_added_and_left_at_every_primary() {
    let cluster = telling(Cluster::with_replicas());
    let mut run = cluster.rcli(["sub", "news", "--control", "--events"]).interactive().any_stdout().start();
    run.wait_for_lines(1);
    for (line, kind) in [
        ("SUBSCRIBE __keyevent@0__:set", "subscribe"),
        ("PSUBSCRIBE __key*__:del", "psubscribe"),
        ("SUBSCRIBE __keyevent@0__:set", "subscribe"),
    ] {
        run.send_line(line);
        lines_until(&mut run, &[&format!("\"type\":\"{kind}\""), "__key"]);
    }
    set_and_hear(&mut run, &cluster);
    for key in KEYS {
        cluster.ask_owner(key, &format!("DEL {key}"));
        lines_until(&mut run, &["pmessage", "__keyevent@0__:del", &format!("\"data\":\"{key}\"}}")]);
    }
    run.send("UNSUBSCRIBE __keyevent@0__:set\nPUNSUBSCRIBE\nPING left\n");
    lines_until(&mut run, &["\"type\":\"unsubscribe\"", "__keyevent@0__:set"]);
    lines_until(&mut run, &["\"type\":\"punsubscribe\"", "__key*__:del"]);
    for node in &cluster.nodes {
        node.wait_until("PUBSUB NUMPAT", |count| count == "0");
        node.wait_until("PUBSUB CHANNELS __key*", |channels| channels == "[]");
    }
    // One connection listens, and the questions of rcli's own have another.
    let is_rcli = |client: &&str| client.contains(" flags=N ") || client.contains(" flags=P ");
    let connected = |node: &Server| node.ask("CLIENT LIST").lines().filter(is_rcli).count();
    wait_for("the other connections to be closed", || cluster.nodes.iter().map(connected).sum::<usize>() <= 2);
    let out = end(run);
    for (kind, count) in [("subscribe", 3), ("psubscribe", 1), ("unsubscribe", 1), ("punsubscribe", 1), ("joined", 0)] {
        assert_eq!(out.matches(&format!("\"type\":\"{kind}\"")).count(), count, "{kind}: {out}");
    }
    assert!(!out.contains("\"node\""), "{out}");
}

#[test]
fn events_of_keys_that_were_added_follow_whoever_takes_over_and_whoever_joins() {
    let mut cluster = telling(Cluster::with_replicas());
    let run = cluster.rcli(["psub", "--control=keep", "--events"]).interactive().any_stdout().status(130);
    let mut run = run.reports_among(&["connection lost", "left; not heard", "joined; heard", "reconnected"]).start();
    run.send_line("PSUBSCRIBE __keyevent@0__:*");
    lines_until(&mut run, &["\"type\":\"psubscribe\""]);
    set_and_hear(&mut run, &cluster);
    let (lost, next) = (cluster.nodes[2].address(), cluster.nodes[5].address());
    cluster.nodes[2].kill_nine();
    lines_until(&mut run, &["\"type\":\"disconnected\"", &lost]);
    lines_until(&mut run, &["\"type\":\"joined\"", &next]);
    lines_until(&mut run, &["\"type\":\"reconnected\"", &next]);
    wait_for("the others to know", || cluster.owner_seen_by(0, "foo") == 5);
    set_and_hear(&mut run, &cluster);
    // One that was added to others in the meantime is heard at the one that took over.
    run.send_line("PUNSUBSCRIBE\nSUBSCRIBE __keyevent@0__:set");
    lines_until(&mut run, &["\"type\":\"subscribe\""]);
    set_and_hear(&mut run, &cluster);
    run.signal(Signal::INT);
    run.finish();
}

#[test]
fn a_refused_event_of_keys_is_told_once() {
    let cluster = telling(Cluster::start());
    cluster.add_user("u", "+@all resetchannels &ok*");
    let args = ["--user", "u", "-a", "p", "--no-auth-warning", "sub", "--control", "--events"];
    let mut run = cluster.rcli(args).interactive().any_stdout().any_stderr().status(1).start();
    run.send("SUBSCRIBE __keyevent@0__:set\nSUBSCRIBE ok\n");
    lines_until(&mut run, &["\"type\":\"subscribe\"", "ok"]);
    let out = end(run);
    assert_eq!(out.matches("\"type\":\"refused\"").count(), 1, "{out}");
}

#[test]
fn a_node_that_is_listened_to_alone_takes_lines_too() {
    let cluster = Cluster::start();
    let owner = cluster.owner("foo");
    let other = if owner == 0 { "jobs" } else { "bar" };
    let run = cluster.rcli(["ssub", "--control", "--events", "--node", &cluster.nodes[owner].address()]);
    let run = run.interactive().any_stdout().reports_among(&[&format!("{other} is passed over")]);
    let mut run = run.start();
    run.send(format!("SSUBSCRIBE {other} foo\nSUNSUBSCRIBE foo\n"));
    lines_until(&mut run, &["\"type\":\"passed_over\"", other]);
    lines_until(&mut run, &["\"type\":\"ssubscribe\"", "foo"]);
    lines_until(&mut run, &["\"type\":\"sunsubscribe\"", "foo"]);
    end(run);
}
