//! `rcli ls` over a cluster: all primaries at once, and slots that change their owner meanwhile (contract section 16).

use crate::cluster_nodes::Cluster;
use crate::ls::sorted;
use crate::ls_faults::{long, rest, stuck};
use crate::resp::Reply;
use crate::server::wait_for;
use std::collections::BTreeSet;

/// As many keys as no pipe takes at once.
const MANY: usize = 20_000;

fn fill(cluster: &Cluster, prefix: &str) -> BTreeSet<String> {
    let lines: String = (0..MANY).map(|number| format!("SET {prefix}{number} {number}\n")).collect();
    cluster.rcli(["pipe", "-q"]).stdin(lines).run();
    (0..MANY).map(|number| format!("{prefix}{number}")).collect()
}

/// The keys of rows.
fn keys_of(out: &[u8]) -> BTreeSet<String> {
    sorted(out).iter().map(|line| line.rsplit('\t').next().unwrap().to_owned()).collect()
}

/// Moves slots with all their keys in few commands.
fn move_slots(cluster: &Cluster, slots: std::ops::Range<u16>, from: usize, to: usize) {
    for slot in slots.clone() {
        move_keys(cluster, slot, from, to);
    }
    let new = cluster.id(to);
    let (mut source, mut target) = (cluster.nodes[from].client(), cluster.nodes[to].client());
    for slot in slots {
        for client in [&mut target, &mut source] {
            client.call(&[b"CLUSTER", b"SETSLOT", slot.to_string().as_bytes(), b"NODE", new.as_bytes()]).unwrap();
        }
    }
}

/// Moves all keys of a slot, which stays on its way.
fn move_keys(cluster: &Cluster, slot: u16, from: usize, to: usize) {
    let (new, old, port) = (cluster.id(to), cluster.id(from), cluster.nodes[to].port().to_string());
    let (mut source, mut target) = (cluster.nodes[from].client(), cluster.nodes[to].client());
    let slot = slot.to_string();
    target.call(&[b"CLUSTER", b"SETSLOT", slot.as_bytes(), b"IMPORTING", old.as_bytes()]).unwrap();
    source.call(&[b"CLUSTER", b"SETSLOT", slot.as_bytes(), b"MIGRATING", new.as_bytes()]).unwrap();
    while let Reply::Array(keys) = source.call(&[b"CLUSTER", b"GETKEYSINSLOT", slot.as_bytes(), b"1000"]).unwrap()
        && !keys.is_empty()
    {
        let keys: Vec<Vec<u8>> = keys.into_iter().map(|key| key.to_string().into_bytes()).collect();
        let mut argv: Vec<&[u8]> = vec![b"MIGRATE", b"127.0.0.1", port.as_bytes(), b"", b"0", b"5000", b"KEYS"];
        argv.extend(keys.iter().map(Vec::as_slice));
        assert_eq!(source.call(&argv).unwrap().to_string(), "OK");
    }
}

#[test]
fn all_primaries_are_walked_at_once() {
    let cluster = Cluster::start();
    let expected = fill(&cluster, "key:");
    let out = cluster.rcli(["ls"]).any_stdout().run().stdout;
    assert!(sorted(&out).len() == MANY && keys_of(&out) == expected);
    let out = cluster.rcli(["ls", "--with", "type,length,ttl"]).any_stdout().run().stdout;
    assert!(sorted(&out).len() == MANY && keys_of(&out) == expected);
    let out = cluster.rcli(["ls", "key:1*", "--limit", "50"]).any_stdout().run().stdout;
    assert_eq!(sorted(&out).len(), 50);
    let out = cluster.rcli(["--json", "ls", "--top", "3", "--by", "length"]).any_stdout().run().out();
    assert!(out.starts_with(&format!("{{\"keys\":{MANY},\"by\":\"length\",")), "{out}");
    cluster.rcli(["ls", "--progress"]).any_stdout().reports_among(&[&format!("/{MANY} keys")]).run();
}

#[test]
fn slots_that_move_meanwhile_are_walked_where_they_are_now() {
    let cluster = Cluster::start();
    let prefix = long("key");
    let expected = fill(&cluster, &prefix);
    for (round, args) in
        [&["ls"][..], &["ls", "--with", "ttl,type"], &["ls", "--unique", "--with", "length"]].iter().enumerate()
    {
        let (run, reader, first) = stuck(cluster.rcli(*args));
        // Forwards, backwards, and of each node some.
        let at = u16::try_from(round).unwrap() * 200;
        move_slots(&cluster, at..at + 40, 0, 1);
        move_slots(&cluster, 6000 + at..6200 + at, 1, 2);
        move_slots(&cluster, 12_000 + at..12_200 + at, 2, 0);
        let (out, err) = rest(run, reader, first);
        let keys = keys_of(&out);
        let missing = expected.difference(&keys).count();
        assert!(keys == expected, "{args:?}: {missing} of {MANY} keys are missing: {err}");
        assert!(sorted(&out).len() == MANY || !args.contains(&"--unique"));
        assert_eq!(err, "");
    }
    // Where the server can scan a slot by itself, that is done of a few.
    let node = &cluster.nodes[1];
    let is_known = node.ask("COMMAND INFO CLUSTERSCAN").contains("clusterscan");
    assert_eq!(node.ask("INFO commandstats").contains("cmdstat_clusterscan"), is_known);
}

#[test]
fn a_slot_that_stays_on_its_way_is_walked_at_both_its_nodes() {
    let cluster = Cluster::start();
    let lines: String = (0..200).map(|number| format!("SET {{foo}}{number} 1\n")).collect();
    cluster.rcli(["pipe", "-q"]).stdin(lines).run();
    let (from, to) = (cluster.owner("foo"), (cluster.owner("foo") + 1) % 3);
    cluster.begin_migration("foo", to);
    (0..100).for_each(|number| cluster.move_key(&format!("{{foo}}{number}"), from, to));
    let expected: BTreeSet<String> = (0..200).map(|number| format!("{{foo}}{number}")).collect();
    for args in [&["ls"][..], &["ls", "--unique"], &["ls", "--with", "type,ttl,length"]] {
        assert!(keys_of(&cluster.rcli(args).any_stdout().run().stdout) == expected, "{args:?}");
    }
}

#[test]
fn keys_that_are_moved_are_given_though_their_slots_stay_on_their_way() {
    let cluster = Cluster::start();
    let prefix = long("key");
    let expected = fill(&cluster, &prefix);
    let (run, reader, first) = stuck(cluster.rcli(["ls", "--with", "type"]));
    (0..200).for_each(|slot| move_keys(&cluster, slot, 0, 1));
    let (out, err) = rest(run, reader, first);
    let keys = keys_of(&out);
    assert!(keys == expected, "{} of {MANY} keys are missing: {err}", expected.difference(&keys).count());
}

#[test]
fn after_a_failover_the_slots_are_walked_at_the_new_primary() {
    let mut cluster = Cluster::with_replicas();
    let prefix = long("key");
    let expected = fill(&cluster, &prefix);
    for (replica, primary) in [(3, 0), (4, 1), (5, 2)] {
        let keys = cluster.nodes[primary].ask("DBSIZE");
        cluster.nodes[replica].wait_until("DBSIZE", |size| size == keys);
    }
    let (run, reader, first) = stuck(cluster.rcli(["ls", "--unique"]).any_stderr());
    cluster.nodes[1].kill_nine();
    cluster.nodes[4].wait_until("ROLE", |role| role.starts_with("[master"));
    wait_for("everybody to know", || cluster.nodes[0].ask("CLUSTER INFO").contains("cluster_state:ok"));
    let (out, err) = rest(run, reader, first);
    let keys = keys_of(&out);
    assert!(keys == expected, "{} of {MANY} keys: {err}", keys.len());
}

#[test]
fn replicas_are_walked_where_reads_go_to_them() {
    let cluster = Cluster::with_replicas();
    let expected = fill(&cluster, "key:");
    for (replica, primary) in [(3, 0), (4, 1), (5, 2)] {
        let keys = cluster.nodes[primary].ask("DBSIZE");
        cluster.nodes[replica].wait_until("DBSIZE", |size| size == keys);
    }
    let ports: Vec<String> = cluster.nodes.iter().map(|node| node.port().to_string()).collect();
    // A replica is named once its offset is known.
    cluster.nodes[0].wait_until("CLUSTER SLOTS", |slots| ports.iter().all(|port| slots.contains(port)));
    cluster.nodes.iter().for_each(|node| assert_eq!(node.ask("CONFIG RESETSTAT"), "OK"));
    let out = cluster.rcli(["--read-from-replicas", "ls", "--with", "type"]).any_stdout().run().stdout;
    assert!(keys_of(&out) == expected);
    for (index, node) in cluster.nodes.iter().enumerate() {
        let stats = node.ask("INFO commandstats");
        assert_eq!(stats.contains("cmdstat_scan"), index > 2, "{index}: {stats}");
        assert!(index < 3 || !stats.contains("failed_calls=1"), "{stats}");
    }
    // One that is named without -c tells of its own keys.
    let of_one = cluster.nodes[3].rcli(["ls", "--with", "type"]).any_stdout().run().out();
    assert!(!of_one.is_empty() && of_one.lines().all(|line| line.starts_with("string\tkey:")), "{of_one}");
}

#[test]
fn what_is_in_a_key_is_walked_at_its_owner_and_follows_it() {
    let cluster = Cluster::start();
    let prefix = long("m");
    let lines: String = (0..MANY).map(|number| format!("SADD foo {prefix}{number}\n")).collect();
    cluster.rcli(["pipe", "-q"]).stdin(lines).run();
    let expected: BTreeSet<String> = (0..MANY).map(|number| format!("{prefix}{number}")).collect();
    let out = cluster.rcli(["ls", "--in", "foo"]).any_stdout().run().stdout;
    assert!(keys_of(&out) == expected);
    let (run, reader, first) =
        stuck(cluster.rcli(["ls", "--in", "foo", "--unique"]).reports_among(&["beginning again"]));
    cluster.migrate("foo", (cluster.owner("foo") + 1) % 3);
    let (out, err) = rest(run, reader, first);
    assert!(sorted(&out).len() == MANY && keys_of(&out) == expected, "{err}");
    // The key is at the other node already, its slot still on its way.
    let (run, reader, first) =
        stuck(cluster.rcli(["ls", "--in", "foo", "--unique"]).reports_among(&["beginning again"]));
    let (from, to) = (cluster.owner("foo"), (cluster.owner("foo") + 1) % 3);
    cluster.begin_migration("foo", to);
    cluster.move_key("foo", from, to);
    let (out, err) = rest(run, reader, first);
    assert!(sorted(&out).len() == MANY && keys_of(&out) == expected, "{err}");
    cluster.rcli(["ls", "--in", "nothing"]).prints("").run();
}

#[test]
fn a_node_that_nobody_replaces_ends_the_walk() {
    let mut cluster = Cluster::start();
    fill(&cluster, &long("key"));
    cluster.nodes[1].kill_nine();
    let run = cluster.rcli(["-t", "0.2", "ls"]).status(3).any_stdout().any_stderr().run();
    let address = cluster.nodes[1].address();
    assert!(run.err().contains(&address) && run.err().lines().count() == 1, "{}", run.err());
}

#[test]
fn a_node_that_hangs_is_not_waited_for_without_end() {
    let cluster = Cluster::start();
    cluster.nodes[2].hang();
    let run = cluster.rcli(["-t", "0.2", "ls"]).status(3).any_stdout().any_stderr().run();
    assert!(run.err().contains(&cluster.nodes[2].address()), "{}", run.err());
    cluster.nodes[2].revive();
}

#[test]
fn the_node_that_refuses_is_named() {
    let cluster = Cluster::start();
    for node in &cluster.nodes {
        node.ask("ACL SETUSER u on >p ~* +@all");
    }
    cluster.nodes[1].ask("ACL SETUSER u -scan");
    let run = cluster.rcli(["--user", "u", "-a", "p", "--no-auth-warning", "ls"]);
    run.status(1).complains(&[&cluster.nodes[1].address(), "NOPERM"]).run();
}

#[test]
fn who_may_not_ask_what_nodes_have_is_told_so() {
    let cluster = Cluster::start();
    cluster.add_user("u", "~* +@all -cluster|nodes");
    let run = cluster.rcli(["--user", "u", "-a", "p", "--no-auth-warning", "ls"]);
    run.status(3).complains(&["CLUSTER NODES", "NOPERM"]).run();
}
