//! Nodes of a cluster that answer what no sane node does, or the same for ever: an error in words, in time (contract
//! sections 1 and 11).

use crate::cluster_databases::two_nodes;
use crate::peer::{Answer, Peer, Script, close, peer, send};
use crate::rcli::Rcli;
use crate::running::Running;
use crate::server::{pause, wait_for};
use std::time::{Duration, Instant};

/// A key, and a shard channel, of slot 12182.
const KEY: &str = "foo";

/// A peer that has an id, and this slot map.
fn node(slots: &str) -> Script {
    peer().always("CLUSTER MYID", send("$2\r\nid\r\n")).always("CLUSTER SLOTS", send(resp(slots)))
}

/// A peer that owns all slots, as it says, and answers PING.
fn owner() -> Peer {
    let peer = node("*0 ").always("PING", send("+PONG\r\n")).start();
    peer.set("CLUSTER SLOTS", send(resp(&format!("*1 *3 :0 :16383 *3 $9 127.0.0.1 :{} $2 id ", peer.port()))));
    peer
}

/// RESP whose line ends are written as spaces.
fn resp(text: &str) -> String {
    text.replace(' ', "\r\n")
}

/// A run with `-c` that has little patience: 3 s for a cluster.
fn hasty(peer: &Peer, args: &[&str]) -> Rcli {
    peer.rcli(["-c", "-t", "0.75"]).args(args)
}

/// Every way to send the one command, all at the same time: each ends with status 1 and is told this.
fn every_way(peer: &Peer, told: &str) -> Vec<Running> {
    let exec = hasty(peer, &["INCR", KEY]).status(1).complains(&[told]).start();
    let others = [&["pipe"][..], &["txn"], &["txn", "--watch", KEY]].map(|args| {
        let run = hasty(peer, args).stdin(format!("INCR {KEY}\n"));
        run.status(1).any_stdout().reports_among(&["rcli: ", told]).start()
    });
    [exec].into_iter().chain(others).collect()
}

/// Waits for the ends of all of them.
fn finish(runs: Vec<Running>) {
    for run in runs {
        run.finish();
    }
}

/// From now on the peer answers every command about the key so.
fn answer_all(peer: &Peer, answer: &str) {
    for name in ["INCR", "WATCH", "EXEC"] {
        peer.set(name, send(format!("-{answer}\r\n")));
    }
    for name in ["MULTI", "DISCARD", "ASKING"] {
        peer.set(name, send("+OK\r\n"));
    }
}

#[test]
fn a_reply_that_is_no_slot_map_ends_the_run() {
    let peer = node("+OK ").start();
    for (slots, told) in [
        ("+OK ", "is not an array"),
        ("$-1 ", "is not an array"),
        ("%1 +a +b ", "is not an array"),
        ("*1 :7 ", "a range"),
        ("*1 *1 :0 ", "a range"),
        ("*1 *3 +a +b *2 $1 h :1 ", "a range"),
        ("*1 *3 :0 :99999 *2 $1 h :1 ", "are no slots"),
        ("*1 *3 :-1 :5 *2 $1 h :1 ", "are no slots"),
        ("-ERR nothing for you ", "no slot map: ERR"),
        ("-NOAUTH Authentication ", "give the user and the password"),
        ("?what ", "could not be decoded"),
    ] {
        peer.set("CLUSTER SLOTS", send(resp(slots)));
        let address = format!("127.0.0.1:{}", peer.port());
        for args in
            [&["GET", KEY][..], &["--all-nodes", "PING"], &["pipe"], &["ssub", KEY], &["sub", "c"], &["monitor"]]
        {
            hasty(&peer, args).stdin("GET foo\n").status(3).complains(&[&address, told]).run();
        }
    }
    // One command with a key does without the map then (contract section 11).
    peer.set("CLUSTER SLOTS", close("*1\r\n*3\r\n:0"));
    hasty(&peer, &["--all-nodes", "PING"]).status(3).complains(&["closed the connection"]).run();
}

#[test]
fn slots_that_nobody_serves_are_waited_for_within_the_limit() {
    let maps = ["*0 ", "*1 *2 :0 :16383 ", "*1 *3 :0 :16383 :7 ", "*1 *3 :0 :16383 *2 $1 h :99999 "];
    let peers: Vec<Peer> = maps.iter().map(|slots| node(slots).start()).collect();
    let mut runs = Vec::new();
    for peer in &peers {
        runs.push(hasty(peer, &["GET", KEY]).complains(&["slot 12182 is not served by any node"]));
        let told = ["slot 12182: no node serves it", "0 commands answered"];
        runs.push(hasty(peer, &["pipe"]).stdin("GET foo\n").complains(&told));
        // The address stands there once.
        let told = format!("rcli: stdin:1: 127.0.0.1:{}: slot 12182 is not served by any node\n", peer.port());
        runs.push(hasty(peer, &[]).stdin("GET foo\n").reports(told));
        let told = ["foo not regained with 1 try", "no node serves"];
        runs.push(hasty(peer, &["ssub", KEY, "--max-retries", "1"]).reports_among(&told));
    }
    runs.push(hasty(&peers[0], &["monitor"]).complains(&["no node serves a slot"]));
    finish(runs.into_iter().map(|run| run.status(3).start()).collect());
}

#[test]
fn an_error_that_leads_nowhere_is_the_commands_own() {
    let peer = owner();
    for error in [
        "MOVED",
        "MOVED abc",
        "MOVED 99999 h:1",
        "MOVED -1 h:1",
        "MOVED 12182 127.0.0.1:99999",
        "MOVED 12182 :0",
        "ASK 12182 h",
        "READONLY You can't write against a read only replica.",
    ] {
        answer_all(&peer, error);
        finish(every_way(&peer, error));
    }
}

#[test]
fn a_node_that_sends_scan_elsewhere_is_not_walked_for_ever() {
    let peer = owner();
    peer.set("CLUSTER NODES", send("$50\r\nid 127.0.0.1:1@1 myself,master - 0 0 1 up 0-16383\n\r\n"));
    peer.set("INFO", send("$10\r\nrun_id:x\r\n\r\n"));
    peer.set("SCAN", send("-MOVED 1 127.0.0.1:1\r\n"));
    hasty(&peer, &["ls"]).status(1).complains(&["MOVED 1 127.0.0.1:1"]).run();
}

#[test]
fn nodes_that_send_a_command_around_are_left_in_time() {
    let pairs = [("MOVED", owner(), owner()), ("ASK", owner(), owner())];
    let mut runs = Vec::new();
    for (code, one, two) in &pairs {
        for (peer, other) in [(one, two), (two, one)] {
            answer_all(peer, &format!("{code} 12182 127.0.0.1:{}", other.port()));
        }
        runs.extend(every_way(one, &format!("{code} 12182")));
    }
    finish(runs);
    // Four ways, each of them sends a few commands 4 times at once and then about 20 times in 3 s.
    for (code, one, two) in &pairs {
        let sent = one.ordinary().len() + two.ordinary().len();
        assert!(sent < 1000, "{code}: {sent}");
    }
}

#[test]
fn what_is_not_served_just_now_is_told_when_patience_ends() {
    let errors = ["TRYAGAIN Multiple keys", "CLUSTERDOWN The cluster is down", "LOADING Redis is loading"];
    let peers = errors.map(|error| (error, owner()));
    let mut runs = Vec::new();
    for (error, peer) in &peers {
        answer_all(peer, error);
        runs.extend(every_way(peer, error));
    }
    finish(runs);
    let tries = |peer: &Peer| peer.ordinary().iter().filter(|command| *command == "INCR foo").count();
    assert!(peers.iter().all(|(_, peer)| tries(peer) > 10));
}

#[test]
fn a_block_under_a_watch_that_is_not_served_is_refused_and_not_said_to_be_aborted() {
    let peer = owner();
    for name in ["WATCH", "MULTI"] {
        peer.set(name, send("+OK\r\n"));
    }
    peer.set("SET", send("-MASTERDOWN Link with MASTER is down\r\n"));
    peer.set("EXEC", send("-EXECABORT Transaction discarded\r\n"));
    let tries = || peer.ordinary().iter().filter(|command| *command == "EXEC").count();
    let told = ["SET foo 1: MASTERDOWN", "EXEC: nothing was run: EXECABORT"];
    let refused = "EXECABORT Transaction discarded\n\n";
    let program = ["--watch", KEY, "--", "echo", "MULTI\nSET foo 1"];
    hasty(&peer, &["txn"]).args(program).status(1).prints(refused).reports_among(&told).run();
    assert_eq!(tries(), 2);
    hasty(&peer, &["txn", "--watch", KEY]).stdin("SET foo 1\n").status(1).prints(refused).reports_among(&told).run();
    assert_eq!(tries(), 3);
    let lines = format!("WATCH {KEY}\nMULTI\nSET foo 1\nEXEC\n");
    hasty(&peer, &[]).stdin(lines).status(1).prints(format!("OK\nOK\nQUEUED\n{refused}")).reports_among(&told).run();
}

#[test]
fn a_slot_is_waited_for_once_by_a_pipeline() {
    let peer = owner();
    answer_all(&peer, "CLUSTERDOWN The cluster is down");
    let errors = "CLUSTERDOWN The cluster is down\n".repeat(500);
    hasty(&peer, &["pipe"]).stdin("INCR foo\n".repeat(500)).status(1).prints(errors).any_stderr().run();
}

#[test]
fn a_node_that_is_cut_off_is_left_for_the_one_that_took_over() {
    let map =
        |half: u16, whole: u16| format!(":0 :8191 *2 $9 127.0.0.1 :{half} *3 :8192 :16383 *2 $9 127.0.0.1 :{whole} ");
    for error in ["CLUSTERDOWN The cluster is down", "LOADING Redis is loading"] {
        let other = node("*0 ").exec(send("*1\r\n:1\r\n")).otherwise(send(":1\r\n")).start();
        other.set("CLUSTER SLOTS", send(resp(&format!("*2 *3 {}", map(other.port(), other.port())))));
        let cut_off = owner();
        // It does not know what it has lost.
        cut_off.set("CLUSTER SLOTS", send(resp(&format!("*2 *3 {}", map(other.port(), cut_off.port())))));
        answer_all(&cut_off, error);
        // One after the other: a peer that is in a block is so for all.
        for args in [&["INCR", KEY][..], &["pipe"], &["txn"], &[]] {
            hasty(&cut_off, args).stdin(format!("INCR {KEY}\n")).prints("1\n").run();
        }
        cut_off.set("SSUBSCRIBE", send(format!("-{error}\r\n")));
        let message = resp(">3 $10 ssubscribe $3 foo :1 >3 $8 smessage $3 foo $1 x ");
        other.set("SSUBSCRIBE", send(message));
        let run = hasty(&cut_off, &["ssub", KEY, "--count", "1", "-m"]).prints_among(&["\"data\":\"x\"", "127.0.0.1"]);
        run.any_stderr().run();
        assert!(!cut_off.ordinary().is_empty());
    }
}

#[test]
fn a_channel_that_nobody_gives_is_told_and_heard_when_somebody_does() {
    let peer = owner();
    for error in ["MOVED abc", "ERR no", "NOPERM no"] {
        peer.set("SSUBSCRIBE", send(format!("-{error}\r\n")));
        hasty(&peer, &["ssub", KEY]).status(3).complains(&["SSUBSCRIBE foo was refused", error]).run();
    }
    for error in ["CLUSTERDOWN The cluster is down".to_owned(), format!("MOVED 12182 127.0.0.1:{}", peer.port())] {
        peer.set("SSUBSCRIBE", send(format!("-{error}\r\n")));
        let run = hasty(&peer, &["ssub", KEY, "--events"]).any_stdout().status(130);
        let mut run = run.reports_among(&["SSUBSCRIBE foo was refused", &error, "reconnected after"]).start();
        let line = run.next_line();
        assert!(line.contains("\"type\":\"disconnected\"") && line.contains(&error), "{line}");
        peer.set("SSUBSCRIBE", send(">3\r\n$10\r\nssubscribe\r\n$3\r\nfoo\r\n:1\r\n"));
        run.wait_for_lines(3);
        run.signal(rustix::process::Signal::INT);
        run.finish();
    }
}

/// A peer that says that another one owns all slots.
fn naming(owner: u16) -> Peer {
    node(&format!("*1 *3 :0 :16383 *3 $9 127.0.0.1 :{owner} $2 it ")).start()
}

#[test]
fn a_node_that_takes_nobody_is_tried_after_pauses_however_many_slots_wait_for_it() {
    let absent = peer().hello(close("")).start();
    let seed = naming(absent.port());
    let run = hasty(&seed, &["--json", "pipe"]).interactive().status(3).complains(&["closed the connection"]);
    let (begin, mut run) = (Instant::now(), run.start());
    // One after the other: each slot is waited for in a time of its own.
    for number in 0..300 {
        run.send_line(&format!("INCR k{number}"));
        pause();
    }
    run.finish_with_open_stdin();
    // Every 0.1 s, and the slot map no more often.
    let most = begin.elapsed().as_millis() / 100 + 2;
    let tried = absent.connections() as u128;
    let asked = seed.ordinary().iter().filter(|command| *command == "CLUSTER SLOTS").count() as u128;
    assert!(tried <= most && asked <= most, "{tried} and {asked}, not {most}");
}

#[test]
fn a_node_that_hangs_takes_no_more_than_half_of_the_time() {
    let hung = peer().hello(Answer::Silence).start();
    let seed = naming(hung.port());
    let begin = Instant::now();
    seed.rcli(["-c", "-t", "1", "--json", "pipe"]).stdin("INCR k\n").status(3).complains(&["no answer"]).run();
    // A try takes 1 s, and so does the pause behind it.
    let most = begin.elapsed().as_millis() / 2000 + 1;
    assert!(hung.connections() as u128 <= most, "{}, not {most}", hung.connections());
}

#[test]
fn a_replica_that_cannot_be_had_is_done_without_for_a_second_and_then_used() {
    let replica = peer().hello(close("")).always("GET", send("$7\r\nreplica\r\n")).always("READONLY", send("+OK\r\n"));
    let replica = replica.always("PING", send("+PONG\r\n")).start();
    let primary = node("*0 ").always("GET", send("$7\r\nprimary\r\n")).always("PING", send("+PONG\r\n")).start();
    let (one, other) = (primary.port(), replica.port());
    let nodes = format!("*3 $9 127.0.0.1 :{one} $2 id *3 $9 127.0.0.1 :{other} $2 it ");
    primary.set("CLUSTER SLOTS", send(resp(&format!("*1 *4 :0 :16383 {nodes}"))));
    let mut run = hasty(&primary, &["--json", "--read-from-replicas", "pipe"]).interactive().any_stdout().start();
    let mut read = || {
        run.send_line("GET k");
        run.next_line()
    };
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(1500) {
        assert_eq!(read(), "\"primary\"");
    }
    let (tried, most) = (replica.connections() as u64, begin.elapsed().as_secs() + 1);
    assert!(tried <= most, "{tried}, not {most}");
    replica.set("HELLO", send("%0\r\n"));
    wait_for("a read at the replica", || read() == "\"replica\"");
    run.finish();
}

#[test]
fn what_every_primary_is_asked_waits_for_one_that_cannot_be_reached() {
    for (args, reply) in [(&["DBSIZE"][..], "2\n"), (&["--json", "--all-nodes", "DBSIZE"], "\":2}\n"), (&[], "2\n")] {
        let absent = peer().hello(close("")).start();
        let seed = node("*0 ").always("PING", send("+PONG\r\n")).always("DBSIZE", send(":2\r\n")).start();
        let map = |half: u16| {
            let owner = seed.port();
            resp(&format!("*2 *3 :0 :8191 *2 $9 127.0.0.1 :{owner} *3 :8192 :16383 *2 $9 127.0.0.1 :{half} "))
        };
        seed.set("CLUSTER SLOTS", send(map(absent.port())));
        let run = hasty(&seed, args).stdin("DBSIZE\n").prints_among(&[reply]).start();
        absent.wait_for_connection();
        // It has not been sent anywhere until all are there.
        assert!(!seed.ordinary().contains(&"DBSIZE".to_owned()));
        seed.set("CLUSTER SLOTS", send(map(seed.port())));
        run.finish();
        // Where nobody takes over, it is told in time.
        seed.set("CLUSTER SLOTS", send(map(absent.port())));
        let told = format!("127.0.0.1:{}", absent.port());
        seed.rcli(["-c", "-t", "0.2"]).args(args).stdin("DBSIZE\n").status(3).complains(&[&told]).run();
    }
}

#[test]
fn a_replica_that_hangs_up_before_it_is_read_from_is_done_without() {
    let replica = node("*0 ").always("PING", send("+PONG\r\n")).always("READONLY", close("")).start();
    let primary = node("*0 ").always("GET", send("$7\r\nprimary\r\n")).always("PING", send("+PONG\r\n")).start();
    let (one, other) = (primary.port(), replica.port());
    let nodes = format!("*3 $9 127.0.0.1 :{one} $2 id *3 $9 127.0.0.1 :{other} $2 it ");
    primary.set("CLUSTER SLOTS", send(resp(&format!("*1 *4 :0 :16383 {nodes}"))));
    for args in [&["GET", "k"][..], &["pipe"], &[]] {
        let run = hasty(&primary, &["--read-from-replicas"]).args(args).stdin("GET k\n");
        run.prints("primary\n").run();
    }
    assert_eq!(replica.ordinary().iter().filter(|command| *command == "READONLY").count(), 3);
}

#[test]
fn an_answer_that_cannot_be_decoded_skips_no_older_command_of_another_node() {
    let nodes = two_nodes();
    nodes[0].set("GET", Answer::Silence);
    nodes[1].set("GET", send("?\r\n"));
    let address = format!("127.0.0.1:{}", nodes[1].port());
    let told = [
        &format!("stdin:2: GET foo: {address}: the answer could not be decoded"),
        "0 commands answered, 2 sent and unanswered (stdin:1 to stdin:2); resume with --skip 0; the unanswered may have run",
    ];
    nodes[0].rcli(["-c", "pipe"]).stdin("GET bar\nGET foo\n").status(3).complains(&told).run();
    // The oldest one is skipped.
    nodes[1].set("GET", send("$1\r\nv\r\n"));
    nodes[0].set("GET", send("?\r\n"));
    let told = ["stdin:1: GET bar: ", "resume with --skip 1, which skips this command too"];
    nodes[0].rcli(["-c", "pipe"]).stdin("GET bar\nGET foo\n").status(3).complains(&told).run();
}

#[test]
fn a_slot_that_has_moved_waits_for_its_commands_at_the_node_before() {
    let (old, new) = (owner(), owner());
    new.set("CLUSTER MYID", send("$2\r\nit\r\n"));
    new.set("CLUSTER SLOTS", send(resp(&format!("*1 *3 :0 :16383 *3 $9 127.0.0.1 :{} $2 it ", new.port()))));
    old.set("GET foo", send(format!("-MOVED 12182 127.0.0.1:{}\r\n", new.port())));
    old.set("GET bar", Answer::Silence);
    new.set("GET", send("$1\r\nv\r\n"));
    let told = ["1 commands answered, 1 sent and unanswered (stdin:2 to stdin:2), 1 later ones answered (stdin:4 to"];
    let mut run = old.rcli(["-c", "pipe"]).interactive().prints("v\n").status(3).complains(&told).start();
    wait_for("the slot map", || old.ordinary().contains(&"CLUSTER SLOTS".to_owned()));
    // A slot map that was just read is not read again.
    let begin = Instant::now();
    wait_for("its age", || begin.elapsed() > Duration::from_millis(300));
    run.send("GET foo\nGET bar\n");
    run.wait_for_lines(1);
    // By now the other slot is known to have moved too.
    run.send("GET bar\nGET foo\n");
    let sent = |line: &str| new.ordinary().iter().filter(|command| *command == line).count();
    wait_for("the command behind it", || sent("GET foo") == 2);
    assert_eq!(sent("GET bar"), 0);
    old.hang_up();
    run.finish_with_open_stdin();
}
