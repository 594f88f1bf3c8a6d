//! `-c` for one command, lines and blocks: routes, redirections, losses (contract section 11).

use crate::cluster_nodes::Cluster;
use crate::peer::{close, peer, send};
use crate::rcli::rcli;
use crate::server::{Server, wait_for};

// Keys of the first, second and third primary.
const FIRST: &str = "bar";
const SECOND: &str = "c";
const THIRD: &str = "foo";

#[test]
fn a_command_goes_to_the_owner_of_its_key_whichever_node_is_named() {
    let cluster = Cluster::start();
    for (index, key) in [FIRST, SECOND, THIRD].into_iter().enumerate() {
        for node in &cluster.nodes {
            node.rcli(["-c", "SET", key, "v"]).prints("OK\n").run();
        }
        assert_eq!(cluster.nodes[index].ask(&format!("GET {key}")), "v");
    }
    for (command, reply) in [
        (vec!["EVAL", "return redis.call('GET', KEYS[1])", "1", THIRD], "v\n"),
        (vec!["XREAD", "COUNT", "1", "STREAMS", "{foo}s", "0"], "\n"),
        (vec!["ZUNIONSTORE", "{foo}d", "2", "{foo}a", "{foo}b"], "0\n"),
        (vec!["SORT", "{foo}l", "STORE", "{foo}d"], "0\n"),
    ] {
        cluster.rcli(["-2"]).args(command).prints(reply).run();
    }
    // What one node has, and another would say that there is nothing.
    for node in &cluster.nodes {
        node.rcli(["-c", "CLUSTER", "COUNTKEYSINSLOT", "12182"]).prints("1\n").run();
        node.rcli(["-c", "pipe"]).stdin("CLUSTER GETKEYSINSLOT 12182 9\n").prints("foo\n").run();
        node.rcli(["-c", "DEBUG", "OBJECT", "foo"]).prints_among(&["serializedlength:"]).run();
    }
}

#[test]
fn keys_in_several_slots_are_named_and_nothing_runs() {
    let cluster = Cluster::start();
    cluster
        .rcli(["MSET", "foo", "1", "bar", "2"])
        .status(1)
        .complains(&["CROSSSLOT", "\"foo\" in slot 12182", "\"bar\" in slot 5061"])
        .run();
    for key in [FIRST, THIRD] {
        assert_eq!(cluster.ask_owner(key, &format!("EXISTS {key}")), "0");
    }
    cluster.rcli(["MSET", "{foo}a", "1", "{foo}b", "2"]).prints("OK\n").run();
}

#[test]
fn a_command_without_keys_follows_its_policy_and_with_all_nodes_shows_every_primary() {
    let cluster = Cluster::start();
    for key in [FIRST, SECOND, THIRD] {
        cluster.rcli(["SET", key, "v"]).prints("OK\n").run();
    }
    cluster.rcli(["DBSIZE"]).prints("3\n").run();
    let sizes: Vec<String> = cluster.nodes.iter().map(|node| format!("\"{}\":1", node.address())).collect();
    cluster.rcli(["--json", "--all-nodes", "DBSIZE"]).prints(format!("{{{}}}\n", sizes.join(","))).run();
    cluster.rcli(["--all-nodes", "GET", "k"]).status(2).complains(&["--all-nodes"]).run();
    cluster.rcli(["--all-nodes", "pipe"]).status(2).complains(&["--all-nodes"]).run();
    cluster.nodes[0].rcli(["--all-nodes", "DBSIZE"]).status(2).complains(&["-c"]).run();
    let run = cluster.rcli(["--json", "--all-nodes", "NOSUCH"]).status(1).any_stdout().run();
    assert_eq!(run.out().matches("\"ERR\"").count(), 3);
}

#[test]
fn what_belongs_to_one_connection_is_refused() {
    let cluster = Cluster::start();
    cluster.rcli(["READONLY"]).status(2).complains(&["READONLY"]).run();
    cluster
        .rcli([""; 0])
        .stdin("SET foo 1\nREADONLY\nSET foo 2\n")
        .prints("OK\n")
        .status(2)
        .complains(&["stdin:2"])
        .run();
    cluster
        .rcli(["pipe"])
        .stdin("SET foo 1\nREADONLY\nSET foo 2\n")
        .prints("OK\n")
        .status(2)
        .complains(&["stdin:2"])
        .run();
    assert_eq!(cluster.ask_owner(THIRD, "GET foo"), "1");
}

#[test]
fn a_server_that_is_no_cluster_is_talked_to_as_without_the_option() {
    let server = Server::start();
    server.rcli(["-c", "SET", "a", "1"]).prints("OK\n").run();
    server.rcli(["-c", "MGET", "a", "b"]).prints("1\n\n").run();
    server.rcli(["-c", "DBSIZE"]).prints("1\n").run();
    server.rcli(["-c"]).stdin("MGET a b\nMULTI\nGET a\nEXEC\nSELECT 1\n").prints("1\n\nOK\nQUEUED\n1\nOK\n").run();
    // Keyless lines and blocks too, which a pipeline into a cluster refuses.
    server.rcli(["-c", "pipe"]).stdin("GET a\nDBSIZE\nMULTI\nGET a\nEXEC\n").prints("1\n1\nOK\nQUEUED\n1\n").run();
    server.rcli(["-c", "pipe", "--atomic", "--skip", "1"]).stdin("SELECT 3\nDBSIZE\n").prints("0\n").run();
    let place = format!("{{\"{}\":1}}\n", server.address());
    server.rcli(["-c", "--json", "--all-nodes", "DBSIZE"]).prints(&place).run();
    server.rcli(["-c", "--all-nodes", "GET", "a"]).status(2).complains(&["commands without keys"]).run();
    server.rcli(["-c", "stat", "--json", "--count", "1"]).prints_among(&["\"keys\":1"]).run();
}

#[test]
fn a_server_without_the_command_is_no_cluster_either_until_it_says_where_a_key_is() {
    let old = || peer().always("CLUSTER", send("-ERR unknown command 'CLUSTER'\r\n"));
    let server = old().always("GET foo", send("$1\r\nv\r\n")).always("DBSIZE", send(":7\r\n")).start();
    server.rcli(["-c", "GET", "foo"]).prints("v\n").run();
    server.rcli(["-c", "DBSIZE"]).prints("7\n").run();
    server.rcli(["-c"]).stdin("GET foo\nDBSIZE\n").prints("v\n7\n").run();
    server.rcli(["-c", "pipe"]).stdin("GET foo\nDBSIZE\n").prints("v\n7\n").run();
    // A node whose command has another name tells it by MOVED.
    let moved = send(format!("-MOVED 12182 127.0.0.1:{}\r\n", server.port()));
    old().always("GET foo", moved).start().rcli(["-c", "GET", "foo"]).prints("v\n").run();
}

#[test]
fn a_server_that_is_no_cluster_is_listened_to_as_without_the_option() {
    let server = Server::start();
    server.call(&[b"XADD", b"s", b"1-1", b"f", b"v"]);
    let line = "{\"stream\":\"s\",\"id\":\"1-1\",\"fields\":{\"f\":\"v\"}}\n";
    server.rcli(["-c", "tail", "s", "--from", "0", "--count", "1"]).prints(line).run();
    for (verb, kind) in [("sub", "message"), ("ssub", "smessage"), ("psub", "pmessage")] {
        let mut run = server.rcli(["-c", verb, "c", "--count", "1"]).any_stdout().start();
        run.wait_for_lines(1);
        server.call(&[if verb == "ssub" { b"SPUBLISH" } else { b"PUBLISH" }, b"c", b"x"]);
        assert!(run.finish().out().contains(&format!("{{\"type\":\"{kind}\"")));
    }
}

#[test]
fn moved_is_followed_and_the_map_refreshed() {
    let cluster = Cluster::start();
    let mut run = cluster.rcli([""; 0]).interactive().prints("1\n2\n3\n").start();
    run.send_line("INCR foo");
    run.wait_for_lines(1);
    cluster.migrate(THIRD, 0);
    run.send_line("INCR foo");
    run.wait_for_lines(2);
    run.send_line("INCR foo");
    run.finish();
    assert_eq!(cluster.nodes[0].ask("GET foo"), "3");
}

#[test]
fn ask_goes_to_the_new_node_for_once() {
    let cluster = Cluster::start();
    cluster.rcli(["SET", "foo", "1"]).prints("OK\n").run();
    cluster.begin_migration(THIRD, 0);
    // One is still at the old node, one can only be made at the new one.
    cluster.rcli([""; 0]).stdin("INCR foo\nINCR {foo}new\nINCR foo\n").prints("2\n1\n3\n").run();
    cluster.end_migration(THIRD, 0);
    assert_eq!(cluster.nodes[0].ask("MGET foo {foo}new"), "[3, 1]");
}

#[test]
fn tryagain_is_waited_out() {
    let cluster = Cluster::start();
    cluster.rcli(["MSET", "{foo}a", "1", "{foo}b", "2"]).prints("OK\n").run();
    cluster.begin_migration(THIRD, 0);
    cluster.move_key("{foo}a", 2, 0);
    let run = cluster.rcli(["MGET", "{foo}a", "{foo}b"]).prints("1\n2\n").start();
    cluster.nodes[2].wait_until("INFO errorstats", |stats| stats.contains("TRYAGAIN"));
    cluster.end_migration(THIRD, 0);
    run.finish();
    cluster.begin_migration(THIRD, 1);
    cluster.move_key("{foo}a", 0, 1);
    let limit = cluster.rcli(["-t", "0.5", "MGET", "{foo}a", "{foo}b"]);
    limit.status(1).complains(&["TRYAGAIN"]).run();
}

#[test]
fn a_promoted_replica_is_found_and_reads_go_to_replicas_on_demand() {
    let mut cluster = Cluster::with_replicas();
    cluster.rcli(["SET", "foo", "1"]).prints("OK\n").run();
    wait_for("the copy", || cluster.nodes[5].ask("DBSIZE") == "1");
    // A replica is listed when the others have heard how far it has come.
    let replica = cluster.nodes[5].port().to_string();
    cluster.nodes[0].wait_until("CLUSTER SLOTS", |slots| slots.contains(&replica));
    let calls = |cluster: &Cluster| {
        let stats = cluster.nodes[5].ask("INFO commandstats");
        stats.contains("cmdstat_get:calls=").then(|| stats.split("cmdstat_get:calls=").nth(1).unwrap()[..1].to_owned())
    };
    cluster.rcli(["GET", "foo"]).prints("1\n").run();
    assert_eq!(calls(&cluster), None);
    cluster.rcli(["--read-from-replicas", "GET", "foo"]).prints("1\n").run();
    assert_eq!(calls(&cluster), Some("1".to_owned()));
    cluster.rcli(["--read-from-replicas", "pipe"]).stdin("GET foo\nINCR foo\nGET bar\n").any_stdout().run();
    assert_eq!(calls(&cluster), Some("2".to_owned()));
    // A watch guards what the primary has.
    let watched = cluster.rcli(["--read-from-replicas"]).stdin("WATCH foo\nGET foo\nUNWATCH\nGET foo\n");
    watched.any_stdout().run();
    assert_eq!(calls(&cluster), Some("3".to_owned()));

    cluster.nodes[2].kill_nine();
    // Not connected yet when the primary went: the owner that takes its place is waited for.
    cluster.rcli(["INCR", "foo"]).prints("3\n").run();
    cluster.nodes[5].wait_until("ROLE", |role| role.contains("master"));
}

#[test]
fn a_connection_lost_after_sending_is_a_loss_and_no_second_try() {
    let mut cluster = Cluster::start();
    let run = cluster.rcli(["BLPOP", "foo", "0"]).status(3).complains(&["connection lost"]).start();
    cluster.nodes[2].wait_until("INFO clients", |info| info.contains("blocked_clients:1"));
    cluster.nodes[2].kill_nine();
    run.finish();
    let gone = cluster.nodes[2].address();
    cluster.rcli(["-t", "0.5", "GET", "foo"]).status(3).complains(&[&gone]).run();
    // The others serve their slots meanwhile, if they may.
    cluster.nodes[0].ask("CONFIG SET cluster-require-full-coverage no");
    cluster.rcli(["SET", "bar", "1"]).prints("OK\n").run();
}

#[test]
fn nodes_are_found_that_announce_themselves_otherwise_than_they_are_reached() {
    let unknown = Cluster::with_args(3, &["--cluster-preferred-endpoint-type", "unknown-endpoint"]);
    let wrong = Cluster::with_args(
        3,
        &["--cluster-preferred-endpoint-type", "hostname", "--cluster-announce-hostname", "no-such-host.invalid"],
    );
    for cluster in [unknown, wrong] {
        for key in [FIRST, SECOND, THIRD] {
            cluster.rcli(["SET", key, "v"]).prints("OK\n").run();
        }
        cluster.rcli(["pipe"]).stdin("GET bar\nGET c\nGET foo\n").prints("v\nv\nv\n").run();
        cluster.migrate(THIRD, 0);
        cluster.nodes[1].rcli(["-c", "GET", "foo"]).prints("v\n").run();
    }
}

#[test]
fn credentials_are_given_to_every_node() {
    let cluster = Cluster::start();
    for node in &cluster.nodes {
        node.ask("CONFIG SET requirepass secret");
    }
    for key in [FIRST, SECOND, THIRD] {
        cluster.rcli(["SET", key, "v"]).env("REDISCLI_AUTH", "secret").prints("OK\n").run();
    }
    cluster.rcli(["pipe"]).env("REDISCLI_AUTH", "secret").stdin("GET bar\nGET foo\n").prints("v\nv\n").run();
    cluster.rcli(["GET", "foo"]).status(3).complains(&["NOAUTH"]).run();
}

#[test]
fn a_sandbox_can_be_a_cluster_of_three() {
    let sandbox = |args: &[&str]| {
        let run = crate::rcli::rcli(["--sandbox=cluster"]).args(args);
        match std::env::var_os("RCLI_TEST_SERVER") {
            Some(binary) => run.env("RCLI_SERVER_BIN", binary),
            None => run,
        }
    };
    let run = sandbox(&["--json", "--all-nodes", "DBSIZE"]).any_stdout().run();
    assert_eq!(run.out().matches(":0").count(), 3, "{}", run.out());
    assert_eq!(std::fs::read_dir(run.home.path().join("tmp")).unwrap().count(), 0);
    sandbox(&["pipe"]).stdin("SET foo 1\nSET bar 2\nGET foo\nGET bar\n").prints("OK\nOK\n1\n2\n").run();

    let mut run = sandbox(&[]).interactive().status(137).any_stdout().start();
    run.send("SET foo 1\n");
    run.wait_for_lines(1);
    run.signal(rustix::process::Signal::KILL);
    let run = run.finish_with_open_stdin();
    let temporary = run.home.path().join("tmp");
    wait_for("the directory to be gone", || std::fs::read_dir(&temporary).unwrap().next().is_none());
}

#[test]
fn a_node_that_hangs_up_at_the_slot_map_is_sent_one_command_all_the_same() {
    let owner = peer().always("ASKING", send("+OK\r\n")).always("SET foo bar", send("+done\r\n")).start();
    let elsewhere = send(format!("-ASK 12182 127.0.0.1:{}\r\n", owner.port()));
    // As redis-cli's own test has it: whatever else it is asked, it hangs up.
    let named = peer().always("SET foo bar", elsewhere).otherwise(close("-ERR unexpected\r\n")).start();
    let run = rcli(["-c", "-h", "127.0.0.1", "-p", &named.port().to_string(), "SET", "foo", "bar"]);
    run.prints("done\n").run();
    assert_eq!(named.ordinary().last().map(String::as_str), Some("SET foo bar"));
    assert_eq!(owner.ordinary(), ["ASKING", "SET foo bar"]);
}
