//! `tail --group`: what a consumer gets, in which order, and when it is acknowledged (contract section 15).

use std::time::{Duration, Instant};

use crate::rcli::Rcli;
use crate::server::{Server, wait_for};
use crate::tail::{add, lines_of, server_with, wait_for_readers};
use rustix::process::Signal;

const ONCE: &str = ",\"deliveries\":1";
const TWICE: &str = ",\"deliveries\":2";

/// A server with these entries and the group `g` from the beginning.
fn server_with_group(entries: usize) -> Server {
    let server = server_with(entries);
    assert_eq!(server.ask("XGROUP CREATE s g 0 MKSTREAM"), "OK");
    server
}

/// A consumer of the group `g`.
fn consumer(server: &Server, name: &str) -> Rcli {
    server.rcli(["tail", "s", "--group", "g", "--consumer", name])
}

/// How many entries are pending, and to whom.
fn pending(server: &Server) -> String {
    server.ask("XPENDING s g")
}

/// Reads entries as this consumer and leaves them.
fn leave(server: &Server, name: &str, count: usize) {
    server.ask(&format!("XREADGROUP GROUP g {name} COUNT {count} STREAMS s >"));
}

fn nothing_pending(server: &Server) -> bool {
    pending(server).starts_with("[0,")
}

#[test]
fn the_end_waits_for_the_last_acknowledgement_and_no_longer() {
    let server = server_with_group(9);
    // On a machine with much to do one of them may be slow.
    let is_quick = (1..=9).any(|number| {
        let begun = Instant::now();
        consumer(&server, "c").args(["--count", "1"]).prints(lines_of([number], ONCE)).run();
        begun.elapsed() < Duration::from_millis(450)
    });
    assert!(is_quick && nothing_pending(&server), "{}", pending(&server));
}

#[test]
fn entries_are_shared_counted_and_acknowledged_once_they_are_written() {
    for protocol in ["-2", "-3"] {
        let server = server_with_group(3);
        leave(&server, "other", 1);
        let mut run = consumer(&server, "c").args([protocol]).prints(lines_of(2..=4, ONCE)).status(130).start();
        run.wait_for_lines(2);
        wait_for_readers(&server, 1);
        // That of the other consumer is left.
        assert_eq!(pending(&server), "[1, 1-0, 1-0, [[other, 1]]]");
        add(&server, [4]);
        run.wait_for_lines(3);
        run.signal(Signal::INT);
        run.finish();
        assert_eq!(pending(&server), "[1, 1-0, 1-0, [[other, 1]]]");
    }
}

#[test]
fn pending_entries_come_first_and_tell_how_often_they_were_delivered() {
    let server = server_with_group(5);
    leave(&server, "c", 3);
    server.ask("XREADGROUP GROUP g c COUNT 1 STREAMS s 0");
    let lines = [lines_of([1], ",\"deliveries\":3"), lines_of(2..=3, TWICE), lines_of(4..=5, ONCE)];
    consumer(&server, "c").args(["--until", "$"]).prints(lines.concat()).run();
    assert!(nothing_pending(&server), "{}", pending(&server));
}

#[test]
fn a_pending_entry_that_was_deleted_has_no_fields_and_is_acknowledged() {
    for handler in [false, true] {
        let server = server_with_group(3);
        leave(&server, "c", 3);
        server.ask("XDEL s 2-0");
        let deleted = "{\"stream\":\"s\",\"id\":\"2-0\",\"fields\":null,\"deliveries\":1}\n";
        let lines = [&*lines_of([1], TWICE), deleted, &lines_of([3], TWICE)].concat();
        let run = consumer(&server, "c").args(["--count", "3"]);
        if handler {
            run.args(["--handler", "cat; false"]).prints(lines).any_stderr().run();
            assert!(pending(&server).starts_with("[2, 1-0, 3-0"), "{}", pending(&server));
        } else {
            run.prints(lines).run();
            assert!(nothing_pending(&server), "{}", pending(&server));
        }
    }
}

#[test]
fn many_pending_entries_are_read_block_by_block() {
    let server = server_with_group(0);
    server.ask("EVAL for#i=1,2500#do#redis.call('XADD','s',i..'-0','n',i)#end 0".replace('#', "\t").as_str());
    let adds = "for i = 1, 2500 do redis.call('XADD', 's', i .. '-0', 'n', i) end";
    if server.ask("XLEN s") == "0" {
        server.call(&[b"EVAL", adds.as_bytes(), b"0"]);
    }
    leave(&server, "c", 2500);
    consumer(&server, "c").args(["--idle", "0.5"]).prints(lines_of(1..=2500, TWICE)).run();
    assert!(nothing_pending(&server), "{}", pending(&server));
}

#[test]
fn a_group_is_made_where_it_is_missing() {
    let server = server_with(3);
    let create = |group: &str, from: &[&str]| {
        server.rcli(["tail", "s", "--group", group, "--consumer", "c", "--create"]).args(from)
    };
    create("a", &["--from", "0", "--count", "3"]).prints(lines_of(1..=3, ONCE)).run();
    create("b", &["--from", "2-0", "--count", "1"]).prints(lines_of([3], ONCE)).run();
    // A group that is there knows where it is.
    create("b", &["--from", "0", "--idle", "0.2"]).prints("").run();
    let run = create("d", &["--count", "1"]).prints(lines_of([4], ONCE)).start();
    wait_for_readers(&server, 1);
    add(&server, [4]);
    run.finish();
    let run = server.rcli(["tail", "new", "--group", "g", "--consumer", "c", "--create", "--idle", "0.2"]);
    run.prints("").run();
    assert_eq!(server.ask("TYPE new"), "stream");
    assert_eq!(server.ask("EXISTS other"), "0");
}

#[test]
fn a_group_that_is_gone_is_made_again_at_the_last_id_written() {
    let server = server_with(2);
    let run = server.rcli(["tail", "s", "--group", "g", "--consumer", "c", "--create", "--from", "0", "--events"]);
    let run = run.any_stdout().reports_among(&["s: the group g was gone; made again behind 2-0"]).status(130);
    let mut run = run.start();
    run.wait_for_lines(2);
    wait_for_readers(&server, 1);
    assert_eq!(server.ask("XGROUP DESTROY s g"), "1");
    add(&server, 3..=4);
    let out = run.interrupt_after(5).out();
    let event = format!(
        "{{\"type\":\"group_made\",\"stream\":\"s\",\"after\":\"2-0\",\"group\":\"g\",\"server\":\"{}\"}}\n",
        server.address()
    );
    assert_eq!(out, [&*lines_of(1..=2, ONCE), &event, &lines_of(3..=4, ONCE)].concat());
}

#[test]
fn a_group_that_is_gone_ends_a_run_that_may_not_make_it() {
    let server = server_with_group(1);
    let run = consumer(&server, "c").prints(lines_of([1], ONCE)).complains(&["s: NOGROUP", "--create"]).status(1);
    let mut run = run.start();
    run.wait_for_lines(1);
    wait_for_readers(&server, 1);
    assert_eq!(server.ask("XGROUP DESTROY s g"), "1");
    run.finish();
}

#[test]
fn never_more_is_taken_than_is_wanted() {
    for count in 1..=4 {
        let server = server_with_group(6);
        let run = consumer(&server, "c").args(["--count", &count.to_string(), "--ack", "never"]);
        run.prints(lines_of(1..=count, ONCE)).run();
        assert!(pending(&server).starts_with(&format!("[{count}, 1-0, {count}-0")), "{}", pending(&server));
    }
}

#[test]
fn never_more_is_taken_of_several_streams_than_is_wanted() {
    let server = Server::start();
    let names = ["a", "b", "c"];
    for count in 1..=7 {
        server.ask("FLUSHALL");
        for name in names {
            server.ask(&format!("XGROUP CREATE {name} g 0 MKSTREAM"));
            for number in 1..=9 {
                server.ask(&format!("XADD {name} {number}-0 n 1"));
            }
        }
        let run =
            server.rcli(["tail", "--group", "g", "--consumer", "c", "--ack", "never", "--count", &count.to_string()]);
        let out = run.args(names).any_stdout().run().out();
        assert_eq!(out.lines().count(), count);
        let taken = |name: &&str| {
            server.ask(&format!("XPENDING {name} g"))[1..].split(',').next().unwrap().parse::<usize>().unwrap()
        };
        assert_eq!(names.iter().map(taken).sum::<usize>(), count, "{out}");
    }
}

#[test]
fn one_job_is_taken_from_whichever_stream_has_it() {
    let server = Server::start();
    let names = ["a", "b", "c"];
    for name in names {
        server.ask(&format!("XGROUP CREATE {name} g $ MKSTREAM"));
    }
    for name in names {
        let run = server.rcli(["tail", "--group", "g", "--consumer", "c", "--count", "1"]).args(names);
        let run = run.prints_among(&[&format!("\"stream\":\"{name}\"")]).start();
        wait_for_readers(&server, 1);
        server.ask(&format!("XADD {name} * n 1"));
        run.finish();
    }
}

#[test]
fn who_only_reads_reads_without_a_group() {
    let server = server_with_group(1);
    server.rcli(["--read-only", "tail", "s", "--from", "0", "--count", "1"]).prints(lines_of([1], "")).run();
    consumer(&server, "c").args(["--read-only"]).status(2).complains(&["--read-only", "without --group"]).run();
    assert!(nothing_pending(&server));
}

#[test]
fn entries_are_acknowledged_when_that_is_asked_for() {
    let server = server_with_group(4);
    consumer(&server, "c").args(["--count", "2", "--ack", "never"]).prints(lines_of(1..=2, ONCE)).run();
    assert!(pending(&server).starts_with("[2, 1-0, 2-0"), "{}", pending(&server));
    // A handler's status decides, unless something else is asked for.
    let handler = "test $RCLI_ID = 3-0";
    let run = consumer(&server, "c").args(["--count", "4", "--handler", handler]);
    run.prints("").reports_among(&["handler for s 1-0: exit status 1", "handler for s 4-0: exit status 1"]).run();
    assert!(pending(&server).starts_with("[3, 1-0, 4-0"), "{}", pending(&server));
    let run = consumer(&server, "c").args(["--count", "3", "--ack", "written", "--handler", "false"]);
    run.any_stderr().run();
    assert!(nothing_pending(&server), "{}", pending(&server));
}

#[test]
fn a_handler_gets_the_line_and_the_names() {
    let server = server_with_group(1);
    let script = "echo \"$RCLI_STREAM $RCLI_ID $(cat)\"";
    let run = consumer(&server, "c").args(["--count", "1", "--raw", "--handler", script]);
    run.prints(format!("s 1-0 {}", lines_of([1], ONCE))).run();
    let run = server.rcli(["tail", "s", "--from", "0", "--count", "1", "--handler", script]);
    run.prints(format!("s 1-0 {}", lines_of([1], ""))).run();
}

#[test]
fn entries_are_acknowledged_while_other_handlers_run_and_few_are_taken() {
    let server = server_with_group(9);
    let script = "case $RCLI_ID in 1-0) ;; *) while [ ! -e go ]; do sleep 0.05; done;; esac; echo $RCLI_ID";
    let run = consumer(&server, "c").args(["--count", "9", "--handler", script, "--handler-jobs", "2"]);
    let mut run = run.any_stdout().start();
    run.wait_for_lines(1);
    // Two for each handler that may run.
    server.wait_until("XPENDING s g", |reply| reply == "[4, 2-0, 5-0, [[c, 4]]]");
    std::fs::write(run.home().join("go"), "").unwrap();
    assert_eq!(run.finish().out().lines().count(), 9);
    assert!(nothing_pending(&server), "{}", pending(&server));
}

#[test]
fn a_handler_that_fails_can_end_it_and_the_rest_stays_pending() {
    let server = server_with_group(5);
    let run = consumer(&server, "c").args(["--handler", "test $RCLI_ID != 2-0", "--on-handler-error", "stop"]);
    run.status(1).reports_among(&["handler for s 2-0: exit status 1", "ended by --on-handler-error stop"]).run();
    let left = pending(&server);
    // Two may wait for the handler while it runs, and one more may be taken before its failure is seen.
    let begins = ["[1, 2-0, 2-0", "[2, 2-0, 3-0", "[3, 2-0, 4-0"];
    assert!(begins.iter().any(|begin| left.starts_with(begin)), "{left}");
}

#[test]
fn handlers_that_run_at_a_signal_are_waited_for_and_acknowledged() {
    let server = server_with_group(5);
    let script = "echo $RCLI_ID; while [ ! -e go ]; do sleep 0.05; done";
    let run = consumer(&server, "c").args(["--handler", script]).prints("1-0\n").any_stderr().status(143);
    let mut run = run.start();
    run.wait_for_lines(1);
    run.signal(Signal::TERM);
    wait_for("the signal", || !run.err_so_far().is_empty());
    std::fs::write(run.home().join("go"), "").unwrap();
    run.finish();
    assert!(pending(&server).starts_with("[1, 2-0, 2-0"), "{}", pending(&server));
}

#[test]
fn what_others_have_left_is_taken_over() {
    let server = server_with_group(4);
    leave(&server, "other", 2);
    leave(&server, "c", 1);
    server.ask("XDEL s 2-0");
    let run = consumer(&server, "c").args(["--claim-idle", "0.2", "--count", "3"]).any_stdout().start();
    let out = run.finish().out();
    let mut lines: Vec<&str> = out.lines().collect();
    lines.sort_unstable();
    let expected = [lines_of([1], TWICE), lines_of([3], TWICE), lines_of([4], ONCE)].concat();
    assert_eq!(lines, expected.lines().collect::<Vec<_>>());
    // What is left later is found later; what a live consumer has is not taken.
    add(&server, 5..=6);
    leave(&server, "other", 1);
    let run = consumer(&server, "c")
        .args(["--claim-idle", "0.3", "--count", "2"])
        .prints([lines_of([6], ONCE), lines_of([5], TWICE)].concat());
    run.run();
    assert!(nothing_pending(&server), "{}", pending(&server));
    add(&server, [7]);
    leave(&server, "other", 1);
    consumer(&server, "c").args(["--claim-idle", "60", "--idle", "0.3"]).prints("").run();
}

#[test]
fn many_entries_that_were_left_are_taken_over_no_more_than_are_wanted() {
    let server = server_with_group(250);
    leave(&server, "other", 250);
    let claiming = |name: &str, count: &str| consumer(&server, name).args(["--claim-idle", "0", "--count", count]);
    claiming("c", "120").args(["--ack", "never"]).prints(lines_of(1..=120, TWICE)).run();
    assert_eq!(pending(&server), "[250, 1-0, 250-0, [[c, 120], [other, 130]]]");
    let again = lines_of(1..=120, ",\"deliveries\":3") + &lines_of(121..=250, TWICE);
    claiming("d", "250").prints(again).run();
    assert!(nothing_pending(&server), "{}", pending(&server));
}

#[test]
fn a_consumer_that_is_killed_loses_nothing() {
    let server = server_with_group(300);
    let script = "echo $RCLI_ID >> all; test $RCLI_ID != 5-0 || kill -9 $PPID";
    let run = consumer(&server, "c").args(["--handler", script]).any_stdout().any_stderr().status(137);
    run.start().finish();
    assert!(!nothing_pending(&server));
    let out = consumer(&server, "c").args(["--until", "$"]).any_stdout().run().out();
    let first = out.lines().next().unwrap();
    assert!(first.ends_with(&format!("{TWICE}}}")), "{first}");
    for number in 5..=300 {
        assert_eq!(out.matches(&format!("\"id\":\"{number}-0\"")).count(), 1, "{number}");
    }
    assert!(nothing_pending(&server), "{}", pending(&server));
}

#[test]
fn what_is_delivered_to_a_lost_connection_later_is_read_all_the_same() {
    for args in [&[][..], &["--ack", "never"], &["--handler", "cat"]] {
        let server = server_with_group(1);
        let mut run = consumer(&server, "c").args(args).any_stderr().any_stdout().status(130).start();
        run.wait_for_lines(1);
        wait_for_readers(&server, 1);
        server.ask("CLIENT KILL TYPE normal SKIPME yes");
        wait_for("the loss", || run.err_so_far().contains("reconnected after"));
        wait_for_readers(&server, 1);
        // The server has not seen yet that the connection is gone: whoever reads there gets an entry as the consumer.
        let deliver = "redis.call('XADD', 's', '2-0', 'n', '2') return redis.call('XREADGROUP', 'GROUP', 'g', 'c', \
                       'STREAMS', 's', '>')";
        assert!(server.call(&[b"EVAL", deliver.as_bytes(), b"0"]).to_string().contains("2-0"));
        add(&server, [3]);
        run.wait_for_lines(3);
        run.signal(Signal::INT);
        let out = run.finish().out();
        for id in ["1-0", "2-0", "3-0"] {
            assert_eq!(out.matches(&format!("\"id\":\"{id}\"")).count(), 1, "{id}: {out}");
        }
        assert_eq!(nothing_pending(&server), args != ["--ack", "never"], "{args:?}");
    }
}

#[test]
fn what_a_reader_did_not_take_stays_pending() {
    let server = server_with_group(0);
    for number in 1..=20 {
        let large = vec![b'x'; 100_000];
        server.call(&[b"XADD", b"s", format!("{number}-0").as_bytes(), b"n", &large]);
    }
    let run = consumer(&server, "c").through_sh("\"$0\" \"$@\" | head -c 1000").any_stdout().any_stderr();
    run.run();
    // A pipe holds some that nobody has read.
    assert!(!nothing_pending(&server), "{}", server.ask("XINFO GROUPS s"));
}

#[test]
fn nothing_is_lost_by_kills_at_any_moment_and_what_comes_again_is_told() {
    let server = server_with_group(0);
    let mut written = std::collections::BTreeMap::new();
    let mut take = |out: &str| {
        for line in out.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let id = line.split('"').nth(7).unwrap().to_owned();
            let times: &mut usize = written.entry(id).or_default();
            *times += 1;
            assert!(*times == 1 || !line.ends_with(",\"deliveries\":1}\n"), "{line}");
        }
    };
    let mut client = server.client();
    for round in 0..10 {
        let adds = format!("for i = 1, 500 do redis.call('XADD', 's', ({round} * 500 + i) .. '-0', 'n', i) end");
        client.call(&[b"EVAL", adds.as_bytes(), b"0"]).unwrap();
        let mut run = consumer(&server, "c").any_stdout().any_stderr().status(137).start();
        run.wait_for_lines(1 + round * 53);
        run.signal(Signal::KILL);
        take(&run.finish().out());
    }
    take(&consumer(&server, "c").args(["--until", "$"]).any_stdout().run().out());
    assert_eq!(written.len(), 5000);
    assert!(nothing_pending(&server), "{}", pending(&server));
}

#[test]
fn what_was_written_at_a_signal_is_acknowledged_and_nothing_else() {
    for signal in [Signal::INT, Signal::TERM] {
        let server = server_with_group(0);
        let adds = "for i = 1, 3000 do redis.call('XADD', 's', i .. '-0', 'n', i) end";
        server.call(&[b"EVAL", adds.as_bytes(), b"0"]);
        let mut run = consumer(&server, "c").any_stdout().status_among(&[130, 143]).start();
        run.wait_for_lines(1);
        run.signal(signal);
        let written = run.finish().out().lines().count();
        let left = consumer(&server, "c").args(["--until", "$"]).any_stdout().run().out();
        assert_eq!(written + left.lines().count(), 3000);
        assert!(!left.contains("\"deliveries\":2"), "{left}");
    }
}

#[test]
fn who_may_not_ask_how_often_an_entry_was_delivered_reads_it_all_the_same() {
    let server = server_with_group(2);
    leave(&server, "c", 1);
    server.ask("ACL SETUSER worker on nopass ~* &* +xreadgroup +xack +hello +select +client");
    let run = consumer(&server, "c").args(["--user", "worker", "--pass", "x", "--no-auth-warning", "--count", "2"]);
    run.prints(lines_of([1], ",\"deliveries\":null") + &lines_of([2], ONCE)).run();
    assert!(nothing_pending(&server), "{}", pending(&server));
}
