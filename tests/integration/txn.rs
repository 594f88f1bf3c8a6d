//! `txn` with commands from a file or stdin: one MULTI/EXEC block, guarded and tried again (contract section 7).

use crate::peer::{close, peer, send};
use crate::rcli::rcli;
use crate::running::Running;
use crate::server::Server;
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// What EXEC answers when a watched key had changed.
const NIL: &str = "*-1\r\n";

/// Waits until the run holds its watch, and changes the key.
fn change_watched(server: &Server, key: &str) {
    server.wait_until("CLIENT LIST", |list| list.contains("cmd=watch"));
    server.ask(&format!("SET {key} theirs"));
}

/// Ends a run by SIGINT; its standard input stays open.
fn interrupt(run: Running) {
    run.wait_until_it_catches_sigint();
    run.signal(Signal::INT);
    run.finish_with_open_stdin();
}

#[test]
fn an_exec_that_does_not_answer_each_command_is_status_3() {
    for answer in ["*1\r\n:1\r\n", "*3\r\n:1\r\n:2\r\n:3\r\n", ":1\r\n", "$3\r\n\x01\x02\x03\r\n"] {
        for args in [&["txn"][..], &["pipe", "--atomic"]] {
            let peer = peer().exec(send(answer)).start();
            let run = peer.rcli(args).stdin("SET a 1\nINCR a\n").status(3);
            run.complains(&["EXEC", "no array of 2 replies", "outcome unknown"]).run();
        }
    }
}

#[test]
fn the_result_is_execs_reply_as_one_array() {
    let server = Server::start();
    let input = "SET k v\nGET k\nGET none\nRPUSH l a b\nLRANGE l 0 -1\n";
    server.rcli(["txn", "--json"]).stdin(input).prints("[\"OK\",\"v\",null,2,[\"a\",\"b\"]]\n").run();
    server.rcli(["txn", "--raw"]).stdin("GET k\nGET none\nLRANGE l 0 -1\n").prints("v\n\na\nb\n").run();
    server.rcli(["txn", "--human"]).stdin("GET k\nLLEN l\n").prints("1) \"v\"\n2) (integer) 2\n").run();
}

#[test]
fn the_commands_come_from_a_file_or_from_stdin() {
    let server = Server::start();
    server.rcli(["txn", "--json", "block.txt"]).file("block.txt", "INCR n\n# note\n\nINCR n\n").prints("[1,2]\n").run();
    server.rcli(["txn", "--json", "-"]).stdin("[\"INCR\",\"n\"]\n").prints("[3]\n").run();
    server.rcli(["txn", "--json"]).stdin("*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n").prints("[4]\n").run();
    server.rcli(["txn", "none.txt"]).status(2).complains(&["none.txt: "]).run();
}

#[test]
fn the_block_is_one_write_once_its_multi_was_answered() {
    let peer = peer().patient().answers([send("+OK\r\n")]).exec(send("*2\r\n+OK\r\n:1\r\n")).start();
    peer.rcli(["txn", "--watch", "a", "--watch", "b c"]).stdin("SET k v\nINCR n\n").prints("OK\n1\n").run();
    let batches: Vec<_> = peer.batches().into_iter().filter(|batch| !batch.is_empty()).collect();
    assert_eq!(batches, [vec!["WATCH a b c"], vec!["MULTI"], vec!["SET k v", "INCR n", "EXEC"]]);
}

#[test]
fn an_error_inside_stands_in_its_place_and_is_reported_with_its_line() {
    let server = Server::start();
    let report = "rcli: stdin:3: INCR s: ERR value is not an integer or out of range\n";
    server
        .rcli(["txn", "--json"])
        .stdin("SET s v\n\nINCR s\nGET s\n")
        .status(1)
        .prints(
            "[\"OK\",{\"error\":{\"code\":\"ERR\",\"message\":\"value is not an integer or out of range\"}},\"v\"]\n",
        )
        .reports(report)
        .run();
    server
        .rcli(["txn", "--human", "f"])
        .file("f", "SET s v\nINCR s\nGET s\n")
        .status(1)
        .prints("1) OK\n2) (error) ERR value is not an integer or out of range\n3) \"v\"\n")
        .reports("rcli: f:2: INCR s: ERR value is not an integer or out of range\n")
        .run();
}

#[test]
fn a_command_refused_while_queueing_is_named_and_nothing_is_run() {
    let server = Server::start();
    let run = server
        .rcli(["txn", "--json"])
        .stdin("SET k v\nNOSUCHCOMMAND x\nSET j\n")
        .status(1)
        .prints_among(&["{\"error\":{\"code\":\"EXECABORT\","])
        .reports_among(&[
            "rcli: stdin:2: NOSUCHCOMMAND x: ERR unknown command",
            "rcli: stdin:3: SET j: ERR wrong number of arguments",
            "EXEC: nothing was run: EXECABORT",
        ])
        .run();
    assert_eq!(run.stdout.iter().filter(|&&byte| byte == b'\n').count(), 1);
    assert_eq!(server.ask("EXISTS k j"), "0");
}

#[test]
fn a_bad_line_means_that_nothing_is_even_sent() {
    let peer = peer().exec(send("*0\r\n")).start();
    for (input, place) in [("SET k v\nGET 'k\n", "stdin:2: "), ("SET k v\n\n[\"GET\",]\n", "stdin:3: ")] {
        peer.rcli(["txn"]).stdin(input).status(2).reports_among(&["rcli: ", place, "^"]).run();
    }
    assert_eq!(peer.connections(), 0);
}

#[test]
fn what_cannot_stand_in_a_block_is_a_bad_line() {
    let peer = peer().exec(send("*0\r\n")).start();
    for command in [
        "MULTI",
        "exec",
        "DISCARD",
        "WATCH k",
        "UNWATCH",
        "SUBSCRIBE c",
        "MONITOR",
        "RESET",
        "QUIT",
        "HELLO 3",
        "CLIENT REPLY OFF",
        "PSYNC ? -1",
    ] {
        let name = command.split(' ').next().unwrap().to_uppercase();
        let input = format!("SET k v\n{command}\n");
        peer.rcli(["txn"]).stdin(input).status(2).complains(&["stdin:2: ", &name]).run();
    }
    assert_eq!(peer.connections(), 0);
}

#[test]
fn a_watched_key_that_changed_aborts_and_that_is_nil_and_status_4() {
    let server = Server::start();
    for (format, nil) in [("--json", "null\n"), ("--raw", "\n"), ("--human", "(nil)\n")] {
        let mut run = server
            .rcli(["txn", format, "--watch", "other", "--watch", "k"])
            .interactive()
            .status(4)
            .prints(nil)
            .reports("rcli: stdin:2: EXEC: aborted, a watched key has changed; nothing was run\n")
            .start();
        change_watched(&server, "k");
        run.send("SET j mine\nSET k mine\n");
        run.finish();
        assert_eq!(server.ask("GET k"), "theirs");
        assert_eq!(server.ask("EXISTS j"), "0");
    }
}

#[test]
fn a_watched_key_that_did_not_change_does_no_harm() {
    let server = Server::start();
    let mut run = server.rcli(["txn", "--watch", "k"]).interactive().prints("OK\n").start();
    change_watched(&server, "another");
    run.send_line("SET k mine");
    run.finish();
    assert_eq!(server.ask("GET k"), "mine");
}

#[test]
fn an_abort_is_tried_again_as_often_as_asked_and_by_default_not_at_all() {
    for (args, tries) in [(&[][..], 1), (&["--retries", "0"], 1), (&["--retries", "3"], 4)] {
        let peer = peer().otherwise(send("+OK\r\n")).exec(send(NIL)).start();
        peer.rcli(["txn", "--json", "--watch", "k", "--watch-delay", "0"])
            .args(args)
            .stdin("SET k v\n")
            .status(4)
            .prints("null\n")
            .complains(&["stdin:1: EXEC: aborted"])
            .run();
        let commands = peer.ordinary();
        let count = |name: &str| commands.iter().filter(|command| *command == name).count();
        assert_eq!((count("EXEC"), count("WATCH k"), count("SET k v")), (tries, tries, tries));
        assert_eq!(peer.connections(), 1);
    }
}

#[test]
fn a_try_after_an_abort_runs_the_same_block() {
    let server = Server::start();
    let mut run = server.rcli(["txn", "--watch", "k", "--retries", "1"]).interactive().prints("OK\n").start();
    change_watched(&server, "k");
    run.send_line("SET k mine");
    run.finish();
    assert_eq!(server.ask("GET k"), "mine");
}

#[test]
fn the_pauses_between_tries_are_doubled_each_time() {
    let peer = peer().otherwise(send("+OK\r\n")).exec(send(NIL)).start();
    let begin = Instant::now();
    peer.rcli(["txn", "--watch", "k", "--retries", "5", "--watch-delay", "0.02"])
        .stdin("PING\n")
        .status(4)
        .prints("\n")
        .complains(&["(6 tries)"])
        .run();
    // Half of 20 + 40 + 80 + 160 + 320 ms at least; five equal pauses would be 150 ms at most.
    assert!(begin.elapsed() >= Duration::from_millis(310), "{:?}", begin.elapsed());
}

#[test]
fn a_pause_can_be_interrupted() {
    let peer = peer().otherwise(send("+OK\r\n")).exec(send(NIL)).start();
    // EXEC's answer may be on its way when the signal comes: then that is said.
    let run = peer
        .rcli(["txn", "--watch", "k", "--retries", "1", "--watch-delay", "600"])
        .stdin("PING\n")
        .status(130)
        .any_stderr()
        .start();
    // WATCH, MULTI, PING, EXEC.
    peer.wait_for_commands(4);
    interrupt(run);
}

#[test]
fn waiting_for_input_can_be_interrupted() {
    let server = Server::start();
    for args in [&["txn"][..], &["txn", "--watch", "k"]] {
        let mut run = server.rcli(args).interactive().status(130).start();
        run.send_line("SET k v");
        if args.len() > 1 {
            server.wait_until("CLIENT LIST", |list| list.contains("cmd=watch"));
        }
        interrupt(run);
        assert_eq!(server.ask("EXISTS k"), "0");
    }
}

#[test]
fn an_empty_input_is_an_empty_block() {
    let server = Server::start();
    server.rcli(["txn", "--json"]).prints("[]\n").run();
    server.rcli(["txn", "--human"]).stdin("# nothing\n").prints("(empty array)\n").run();
}

#[test]
fn a_connection_lost_during_exec_is_outcome_unknown_and_never_tried_again() {
    let peer = peer().otherwise(send("+OK\r\n")).exec(close("")).start();
    peer.rcli(["txn", "--json", "--watch", "k", "--retries", "5"])
        .stdin("SET k v\nINCR n\n")
        .status(3)
        .complains(&["stdin:2: ", "EXEC: connection lost", "outcome unknown"])
        .run();
    assert_eq!(peer.connections(), 1);
    assert_eq!(peer.ordinary().iter().filter(|command| *command == "EXEC").count(), 1);
}

#[test]
fn a_connection_lost_while_the_input_is_written_ends_the_run() {
    let server = Server::start();
    let run = server.rcli(["txn", "--watch", "k"]).interactive().status(3).complains(&["connection lost"]).start();
    server.wait_until("CLIENT LIST", |list| list.contains("cmd=watch"));
    server.ask("CLIENT KILL TYPE normal SKIPME yes");
    run.finish_with_open_stdin();
}

#[test]
fn a_refused_multi_or_watch_runs_nothing() {
    let server = Server::start();
    server.ask("ACL SETUSER nomulti on >p ~* +@all -multi");
    server.ask("ACL SETUSER other on >p ~other +@all");
    for (user, command) in [("nomulti", "SET k v\n"), ("other", "SET other v\n")] {
        let run = ["--user", user, "txn", "--json", "--watch", "k"];
        server
            .rcli(run)
            .env("REDISCLI_AUTH", "p")
            .stdin(command)
            .status(1)
            .prints_among(&["{\"error\":{\"code\":\"NOPERM\""])
            .complains(&["nothing was run: NOPERM"])
            .run();
    }
    assert_eq!(server.ask("EXISTS k other"), "0");
}

#[test]
fn a_file_and_a_program_do_not_go_together() {
    rcli(["txn", "file", "--", "true"]).status(2).complains(&["cannot be used with"]).run();
    rcli(["txn", "--retries", "many"]).status(2).complains(&["--retries"]).run();
    rcli(["txn", "--watch-delay", "1e30"]).status(2).complains(&["--watch-delay"]).run();
}
