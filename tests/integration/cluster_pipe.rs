//! `pipe -c`: all nodes at once, replies in order, nothing lost or doubled whatever the slots do (contract sections 6
//! and 11).

use crate::cluster_nodes::Cluster;
use crate::running::{Finished, Running};
use crate::server::wait_for;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// INCRs over this many keys in turn; the keys are in as many slots, on all nodes.
fn incrs(lines: usize, keys: usize) -> String {
    let mut text = String::new();
    for line in 0..lines {
        let _ = writeln!(text, "INCR k{}", line % keys);
    }
    text
}

/// Asserts that the replies are those of the INCRs, in order and each once; how many there are.
fn assert_counted(run: &Finished, keys: usize) -> usize {
    let mut counts: HashMap<usize, u64> = HashMap::new();
    let out = run.out();
    for (line, reply) in out.lines().enumerate() {
        let count = counts.entry(line % keys).or_default();
        *count += 1;
        assert_eq!(reply, count.to_string(), "line {}", line + 1);
    }
    out.lines().count()
}

/// What all the keys come to at their owners.
fn applied(cluster: &Cluster, keys: usize, seen_by: usize) -> usize {
    let value = |key: usize| {
        let name = format!("k{key}");
        let owner = &cluster.nodes[cluster.owner_seen_by(seen_by, &name)];
        // A node that has not heard of a failover yet serves nobody.
        owner.wait_until(&format!("GET {name}"), |reply| !reply.starts_with("error"));
        owner.ask(&format!("GET {name}")).parse().unwrap_or(0)
    };
    (0..keys).map(value).sum()
}

/// Feeds INCRs to a run until told to stop, while something else happens.
fn feed_while(run: &mut Running, keys: usize, work: impl FnOnce() + Send) {
    let is_done = AtomicBool::new(false);
    let piece = incrs(keys * 20, keys);
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            work();
            is_done.store(true, Ordering::SeqCst);
        });
        while !is_done.load(Ordering::SeqCst) {
            run.send(&piece);
            std::thread::sleep(Duration::from_millis(10));
        }
        worker.join().expect("what happens meanwhile");
    });
}

#[test]
fn replies_come_in_the_order_of_the_input_from_all_nodes() {
    let cluster = Cluster::start();
    let run = cluster.rcli(["pipe", "--json", "--skip", "300"]).stdin(incrs(60_300, 300)).any_stdout().run();
    assert_eq!(assert_counted(&run, 300), 60_000);
    assert_eq!(applied(&cluster, 300, 0), 60_000);
    let run = cluster.rcli(["pipe", "--envelope"]).stdin("INCR bar\nLPUSH bar 1\nINCR foo\n");
    let run = run.status(1).any_stdout().reports_among(&["stdin:2: LPUSH bar 1: WRONGTYPE"]).run();
    let out = run.out();
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with(r#"{"index":1,"line":1,"command":["INCR","bar"],"reply":1"#), "{out}");
    assert!(lines[1].contains(r#""index":2"#) && lines[1].contains("WRONGTYPE"), "{out}");
    assert!(lines[2].contains(r#""index":3,"line":3,"command":["INCR","foo"],"reply":1"#), "{out}");
}

#[test]
fn a_slow_producer_is_answered_line_by_line() {
    let cluster = Cluster::start();
    let mut run = cluster.rcli(["pipe"]).interactive().prints("1\n1\n2\n").start();
    for (count, line) in ["INCR foo", "INCR bar", "INCR foo"].into_iter().enumerate() {
        run.send_line(line);
        run.wait_for_lines(count + 1);
    }
    run.finish();
}

#[test]
fn lines_without_keys_are_bad_lines() {
    let cluster = Cluster::start();
    for (line, told) in [
        ("PING", "no key"),
        ("EVAL 'return 1' 0", "no key"),
        ("MULTI", "MULTI cannot stand in a pipeline over a cluster"),
        ("EXEC", "`rcli -c txn` runs a block"),
        ("WATCH foo", "`rcli -c txn` runs a block"),
        ("READONLY", "not possible in a cluster"),
    ] {
        let input = format!("SET foo 1\n{line}\nSET foo 2\n");
        let told = ["stdin:2", told, "; 1 command before it was answered; mend it and resume with --skip 1"];
        cluster.rcli(["pipe"]).stdin(input).prints("OK\n").status(2).complains(&told).run();
    }
    assert_eq!(cluster.ask_owner("foo", "GET foo"), "1");
    // What the server refuses anyway gets the server's own answer.
    cluster.rcli(["pipe"]).stdin("GET\n").any_stdout().status(1).complains(&["wrong number of arguments"]).run();
}

#[test]
fn keys_in_several_slots_are_an_error_in_its_place() {
    let cluster = Cluster::start();
    let input = "SET foo 1\nMSET foo 2 bar 2\nGET foo\nSET bar 3\n";
    let told = "stdin:2: MSET foo 2 bar 2: CROSSSLOT the keys are in several slots";
    let run = cluster.rcli(["pipe", "--envelope"]).stdin(input).status(1).any_stdout().complains(&[told]).run();
    let out = run.out();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 4, "{out}");
    assert!(
        lines[1]
            .starts_with(r#"{"index":2,"line":2,"command":["MSET","foo","2","bar","2"],"error":{"code":"CROSSSLOT""#)
    );
    assert!(lines[2].ends_with(r#""reply":"1"}"#) && lines[3].ends_with(r#""reply":"OK"}"#), "{out}");
    let run = cluster.rcli(["pipe", "-q", "--summary"]).stdin(input).status(1);
    run.reports_among(&[told, "4 commands, 4 replies, 1 errors"]).run();
    cluster.rcli(["DEL", "bar"]).prints("1\n").run();
    cluster
        .rcli(["pipe", "--on-error", "stop", "--window", "1"])
        .stdin(input)
        .status(1)
        .prints_among(&["OK\nCROSSSLOT "])
        .reports_among(&[told, "2 commands answered, 0 sent and unanswered; resume with --skip 2\n"])
        .run();
    assert_eq!(cluster.ask_owner("bar", "EXISTS bar"), "0");
}

#[test]
fn an_error_that_stops_leaves_no_gap() {
    let cluster = Cluster::start();
    cluster.rcli(["SET", "foo", "x"]).prints("OK\n").run();
    let input = format!("{}INCR foo\n{}", incrs(5_000, 100), incrs(400_000, 100));
    let run = cluster.rcli(["pipe", "--on-error", "stop"]).stdin(input).status(1).any_stdout().any_stderr().run();
    let answered = run.out().lines().count();
    assert!((5_001..405_001).contains(&answered), "{answered}");
    assert!(run.err().contains(&format!("{answered} commands answered, 0 sent and unanswered")), "{}", run.err());
    assert!(run.err().contains(&format!("resume with --skip {answered}\n")), "{}", run.err());
    assert_eq!(applied(&cluster, 100, 0), answered - 1);
}

#[test]
fn slots_that_migrate_meanwhile_lose_and_double_nothing() {
    let cluster = Cluster::start();
    let keys = 60;
    let mut run = cluster.rcli(["pipe", "--json"]).interactive().any_stdout().start();
    feed_while(&mut run, keys, || {
        let begin = Instant::now();
        for key in (0..keys).cycle() {
            let name = format!("k{key}");
            let to = (cluster.owner(&name) + 1) % 3;
            cluster.begin_migration(&name, to);
            std::thread::sleep(Duration::from_millis(5));
            cluster.move_key(&name, cluster.owner(&name), to);
            std::thread::sleep(Duration::from_millis(5));
            cluster.end_migration(&name, to);
            if begin.elapsed() > Duration::from_secs(3) {
                break;
            }
        }
    });
    let run = run.finish();
    let answered = assert_counted(&run, keys);
    assert_eq!(applied(&cluster, keys, 0), answered);
    assert!(cluster.nodes.iter().any(|node| node.ask("INFO errorstats").contains("ASK")), "no slot was met on its way");
}

#[test]
fn slots_that_leave_the_only_owner_lose_and_double_nothing() {
    let cluster = Cluster::with_one_owner();
    let keys = 60;
    let mut run = cluster.rcli(["pipe", "--json"]).interactive().any_stdout().start();
    // It has met the only owner before anything moves.
    run.send(incrs(keys, keys));
    run.wait_for_lines(keys);
    feed_while(&mut run, keys, || {
        for name in (0..keys).map(|key| format!("k{key}")) {
            cluster.begin_migration(&name, 1);
            cluster.move_key(&name, 0, 1);
            cluster.end_migration(&name, 1);
        }
    });
    let run = run.finish();
    let answered = assert_counted(&run, keys);
    assert_eq!(applied(&cluster, keys, 0), answered);
    assert!(cluster.nodes[0].ask("INFO errorstats").contains("MOVED"), "no slot was met where it had been");
}

#[test]
fn what_the_only_owner_cannot_be_given_has_its_place_all_the_same() {
    let cluster = Cluster::with_one_owner();
    let lines = "INCR a\nMSET b 1 c 2\nINCR a\n\"INCR\" a\nSELECT 0\nINCR\nINCR a\n";
    let run = cluster.rcli(["pipe"]).stdin(lines).status(1).any_stdout();
    let run = run.reports_among(&["stdin:2: MSET b 1 c 2: CROSSSLOT", "stdin:6: INCR: ERR"]).run();
    let out = run.out();
    let words: Vec<&str> = out.lines().map(|line| line.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(words, ["1", "CROSSSLOT", "2", "3", "OK", "ERR", "4"]);
    let run = cluster.rcli(["pipe"]).stdin("INCR a\nPING\n").prints("5\n").status(2);
    run.complains(&["stdin:2", "no key", "; 1 command before it was answered"]).run();
}

#[test]
fn a_slot_met_on_its_way_keeps_its_order_without_being_remembered() {
    let cluster = Cluster::start();
    cluster.rcli(["SET", "foo", "0"]).prints("OK\n").run();
    cluster.begin_migration("foo", 0);
    let mut input = String::new();
    for number in 0..3_000 {
        let _ = writeln!(input, "RPUSH {{foo}}list {number}\nINCR foo");
    }
    let run = cluster.rcli(["pipe"]).stdin(input).any_stdout().run();
    for (index, pair) in run.out().lines().collect::<Vec<_>>().chunks(2).enumerate() {
        let number = (index + 1).to_string();
        assert_eq!(pair, [number.as_str(), number.as_str()]);
    }
    assert_eq!(cluster.nodes[2].ask("GET foo"), "3000");
}

#[test]
fn tryagain_is_waited_out_in_its_place() {
    let cluster = Cluster::start();
    cluster.rcli(["MSET", "{foo}a", "1", "{foo}b", "2"]).prints("OK\n").run();
    cluster.begin_migration("foo", 0);
    cluster.move_key("{foo}a", 2, 0);
    let run = cluster.rcli(["pipe"]).stdin("MGET {foo}a {foo}b\nSET bar 1\n").prints("1\n2\nOK\n").start();
    cluster.nodes[2].wait_until("INFO errorstats", |stats| stats.contains("TRYAGAIN"));
    cluster.end_migration("foo", 0);
    run.finish();
}

#[test]
fn a_failover_that_is_asked_for_loses_and_doubles_nothing() {
    let cluster = Cluster::with_replicas();
    let keys = 90;
    let mut run = cluster.rcli(["pipe", "--json"]).interactive().any_stdout().start();
    feed_while(&mut run, keys, || {
        for replica in 3..6 {
            assert_eq!(cluster.nodes[replica].ask("CLUSTER FAILOVER"), "OK");
            cluster.nodes[replica].wait_until("ROLE", |role| role.contains("master"));
            std::thread::sleep(Duration::from_millis(300));
        }
    });
    let run = run.finish();
    let answered = assert_counted(&run, keys);
    assert_eq!(applied(&cluster, keys, 3), answered);
}

/// The number before these words.
fn number_before(text: &str, words: &str) -> usize {
    let before = text.split(words).next().unwrap().trim_end();
    before.rsplit(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("no number before {words:?} in {text}"))
}

#[test]
fn a_killed_primary_ends_it_with_the_exact_truth() {
    let mut cluster = Cluster::with_replicas();
    let keys = 90;
    let mut run = cluster.rcli(["pipe", "--json"]).interactive().status(3).any_stdout().any_stderr().start();
    // A node that does not answer, and what is sent to it, are lost together.
    run.send(incrs(9_000, keys));
    run.wait_for_lines(9_000);
    // What was answered before is with the replica: that a failover may lose it is not the matter here.
    let offset = |node: usize, name: &str| {
        let info = cluster.nodes[node].ask("INFO replication");
        info.lines().find_map(|line| line.strip_prefix(name)).map(|offset| offset.trim().to_owned())
    };
    wait_for("the copy", || offset(1, "master_repl_offset:") == offset(4, "slave_repl_offset:"));
    cluster.nodes[1].ask("CLIENT PAUSE 20000 WRITE");
    // So many that all of a node's are in flight at once.
    run.send(incrs(4_500, keys));
    for node in [0, 2] {
        let own = (0..keys).filter(|key| cluster.owner(&format!("k{key}")) == node).count();
        let calls = format!("cmdstat_incr:calls={},", own * 13_500 / keys);
        cluster.nodes[node].wait_until("INFO commandstats", |stats| stats.contains(&calls));
    }
    cluster.nodes[1].kill_nine();
    let run = run.finish_with_open_stdin();
    let answered = assert_counted(&run, keys);
    let told = run.err();
    assert_eq!(number_before(&told, " commands answered"), answered, "{told}");
    assert!(told.contains(&format!("resume with --skip {answered}, which runs those")), "{told}");
    let later = number_before(&told, " later ones answered");
    let unanswered = number_before(&told, " sent and unanswered");
    assert_eq!(answered + later + unanswered, 13_500, "{told}");
    cluster.nodes[4].wait_until("ROLE", |role| role.contains("master"));
    cluster.nodes[0].wait_until("CLUSTER INFO", |info| info.contains("cluster_state:ok"));
    // Replies that were written and replies that were not: what they tell of has run, each once.
    assert_eq!(applied(&cluster, keys, 0), answered + later);
}

#[test]
fn a_primary_killed_while_nothing_is_sent_to_it_costs_nothing() {
    let mut cluster = Cluster::with_replicas();
    let mut run = cluster.rcli(["pipe"]).interactive().prints("1\n1\n2\n").start();
    run.send("INCR foo\nINCR bar\n");
    run.wait_for_lines(2);
    wait_for("the copy", || cluster.nodes[5].ask("DBSIZE") == "1");
    cluster.nodes[2].kill_nine();
    run.send_line("INCR foo");
    run.wait_for_lines(3);
    run.finish();
}

#[test]
fn a_node_that_comes_back_is_found_while_its_commands_wait() {
    let mut cluster = Cluster::start();
    cluster.nodes[2].kill_nine();
    let mut run = cluster.rcli(["pipe"]).interactive().prints("1\n1\n").start();
    run.send("INCR bar\nINCR foo\n");
    run.wait_for_lines(1);
    cluster.nodes[2].restart();
    run.finish();
}

#[test]
fn after_a_loss_nodes_that_stay_silent_are_not_waited_for() {
    let mut cluster = Cluster::start();
    let run = cluster.rcli(["pipe"]).interactive().prints("1\n1\n").status(3);
    let mut run = run.complains(&["connection lost", "2 commands answered, 2 sent and unanswered"]).start();
    run.send("INCR foo\nINCR c\n");
    run.wait_for_lines(2);
    cluster.nodes[1].hang();
    run.send("INCR c\nBLPOP {foo}none 0\n");
    cluster.nodes[2].wait_until("INFO clients", |info| info.contains("blocked_clients:1"));
    cluster.nodes[2].kill_nine();
    run.finish_with_open_stdin();
}

#[test]
fn memory_does_not_grow_while_one_node_is_much_slower() {
    let cluster = Cluster::start();
    let value = "v".repeat(200);
    let mut input = String::new();
    for line in 0..250_000 {
        let _ = writeln!(input, "SET k{} {value}", line % 300);
    }
    cluster.nodes[1].ask("CLIENT PAUSE 1500 WRITE");
    // 53 MB of input do not fit into this much memory.
    cluster.rcli(["pipe", "-q"]).stdin(input).through_sh("ulimit -d 40000; exec \"$0\" \"$@\"").run();
}
