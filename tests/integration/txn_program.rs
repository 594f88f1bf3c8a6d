//! `txn -- PROGRAM`: the block is computed, and computed again when a watched key had changed (contract section 7).

use crate::peer::{close, peer, send};
use crate::rcli::Rcli;
use crate::server::{Server, wait_for};
use rustix::process::{Pid, Signal, test_kill_process_group};
use std::path::Path;

/// A run of `txn OPTIONS -- sh -c SCRIPT`; in the script `rcli` runs rcli against the same server.
fn program(server: &Server, options: &[&str], script: &str) -> Rcli {
    let script = format!("rcli() {{ \"{}\" -p {} \"$@\"; }}\n{script}", env!("CARGO_BIN_EXE_rcli"), server.port());
    server.rcli(["txn"]).args(options).args(["--", "sh", "-c", &script]).in_own_group()
}

/// The example of the contract.
const INCREMENT: &str = "echo GET seq; read -r n; echo MULTI; echo \"SET seq $((n + 1))\"";

#[test]
fn a_command_before_multi_is_run_at_once_and_answered() {
    let server = Server::start();
    server.ask("SET seq 41");
    program(&server, &["--watch", "seq"], INCREMENT).prints("OK\n").run();
    assert_eq!(server.ask("GET seq"), "42");
    program(&server, &["--json"], "echo SET a 1; read -r ok; rcli GET a >&2; echo MULTI; echo INCR a")
        .prints("[2]\n")
        .reports("1\n")
        .run();
}

#[test]
fn replies_are_raw_lines() {
    let server = Server::start();
    server.ask("RPUSH l a b");
    server.ask("HSET h f 1");
    let script = "echo GET none; read -r nil; echo LRANGE l 0 -1; read -r a; read -r b
        echo HGETALL h; read -r f; read -r v; echo LLEN l; read -r n; echo INCR l; read -r e
        echo \"[$nil] $a $b $f $v $n $e\" >&2; echo MULTI";
    for (format, result) in [("--raw", "\n"), ("--human", "(empty array)\n")] {
        let run = program(&server, &[format], script).status(1).prints(result).any_stderr().run();
        let err = String::from_utf8(run.stderr).unwrap();
        assert!(err.contains("\n[] a b f 1 2 WRONGTYPE Operation against a key"), "{format}: {err}");
    }
}

#[test]
fn with_json_replies_are_lines_of_json() {
    let server = Server::start();
    let script = "echo GET none; read -r a; echo HGETALL h; read -r b; echo INCR h; read -r c
        echo \"$a $b $c\" >&2; echo MULTI; echo PING";
    server.ask("HSET h f 1");
    program(&server, &["--json"], script)
        .status(1)
        .prints("[\"PONG\"]\n")
        .reports_among(&["\nnull {\"f\":\"1\"} {\"error\":{\"code\":\"WRONGTYPE\",\"message\":\"Operation"])
        .run();
}

#[test]
fn an_error_before_multi_goes_to_the_program_too_is_reported_and_makes_the_status_1() {
    let server = Server::start();
    server.ask("SET s v");
    let error = "ERR value is not an integer or out of range";
    program(&server, &[], "echo GET s; read -r v; echo INCR s; read -r e; echo \"<$e>\" >&2; echo MULTI; echo SET t 1")
        .status(1)
        .prints("OK\n")
        .reports(format!("rcli: sh:2: INCR s: {error}\n<{error}>\n"))
        .run();
    assert_eq!(server.ask("GET t"), "1");
}

#[test]
fn after_multi_nothing_is_answered_and_the_program_sees_the_end() {
    let server = Server::start();
    let script = "echo GET a; read -r a; echo MULTI; echo SET a 1; read -r q && echo \"got $q\" >&2; echo INCR a";
    program(&server, &["--json"], script).prints("[\"OK\",2]\n").run();
}

#[test]
fn the_keys_are_watched_before_the_program_starts() {
    let server = Server::start();
    let script = "[ $RCLI_ATTEMPT -gt 1 ] || rcli SET k theirs >&2; echo MULTI; echo \"SET k $RCLI_ATTEMPT\"";
    program(&server, &["--watch", "j", "--watch", "k"], script).prints("OK\n").reports("OK\n").run();
    assert_eq!(server.ask("GET k"), "2");
}

#[test]
fn the_block_is_one_write() {
    let peer = peer().patient().otherwise(send("$1\r\n5\r\n")).exec(send("*1\r\n+OK\r\n")).start();
    peer.rcli(["txn", "--watch", "seq", "--", "sh", "-c", INCREMENT]).prints("OK\n").run();
    let batches: Vec<_> = peer.batches().into_iter().filter(|batch| !batch.is_empty()).collect();
    let expected = [vec!["WATCH seq"], vec!["GET seq"], vec!["MULTI"], vec!["SET seq 6", "EXEC"]];
    assert_eq!(batches, expected);
}

#[test]
fn on_an_abort_the_program_is_started_afresh() {
    let server = Server::start();
    server.ask("SET seq 0");
    let script = "echo $RCLI_ATTEMPT >&2; echo GET seq; read -r n
        [ $RCLI_ATTEMPT -gt 2 ] || rcli INCRBY seq 10 >/dev/null; echo MULTI; echo \"SET seq $((n + 1))\"";
    program(&server, &["--watch", "seq"], script).prints("OK\n").reports("1\n2\n3\n").run();
    assert_eq!(server.ask("GET seq"), "21");
}

#[test]
fn ten_retries_are_the_default_and_then_the_status_is_4() {
    let server = Server::start();
    let script = "echo $RCLI_ATTEMPT >&2; rcli INCR seq >/dev/null; echo MULTI; echo SET seq 0";
    let counted: String = (1..=11).map(|attempt| format!("{attempt}\n")).collect();
    let aborted = "rcli: sh:2: EXEC: aborted, a watched key has changed; nothing was run";
    program(&server, &["--json", "--watch", "seq", "--watch-delay", "0"], script)
        .status(4)
        .prints("null\n")
        .reports(format!("{counted}{aborted} (11 tries)\n"))
        .run();
    assert_eq!(server.ask("GET seq"), "11");
    program(&server, &["--json", "--watch", "seq", "--retries", "0"], script)
        .status(4)
        .prints("null\n")
        .reports(format!("1\n{aborted}\n"))
        .run();
}

#[test]
fn a_program_that_writes_to_what_is_watched_is_not_tried_for_ever() {
    let server = Server::start();
    server.ask("RPUSH list a");
    let aborted = "EXEC: aborted, a watched key has changed; nothing was run (2 tries): the program writes to a watched \
                   key before MULTI, which can never succeed\n";
    for (watch, line) in [
        (&["--watch", "k"][..], "SET k 1"),
        (&["--watch", "other", "--watch", "k"], "MSET j 1 k 1"),
        (&[], "WATCH k"),
        (&["--watch", "list"], "LMOVE list k LEFT LEFT"),
    ] {
        server.ask("RPUSH list a");
        let script = format!(
            "echo '{line}'; read -r x; [ '{line}' != 'WATCH k' ] || {{ echo INCR k; read -r x; }}; echo MULTI; echo PING"
        );
        program(&server, watch, &script).status(4).prints("\n").complains(&[aborted]).run();
        server.ask("DEL k");
    }
    // What it reads, or leaves as it was, or writes to elsewhere, is no reason to give up: another one has changed it.
    server.ask("SET k 1");
    for line in ["GET k", "SETNX k 2", "COPY k other", "BITFIELD k GET u8 0", "GETEX k", "SELECT 1\\nSET k 1"] {
        let script = format!(
            "printf '{line}\\n'; read -r x; [ $RCLI_ATTEMPT -gt 2 ] || rcli INCR k >/dev/null; echo MULTI; echo PING"
        );
        program(&server, &["--watch", "k", "--watch-delay", "0"], &script).prints("PONG\n").run();
    }
}

#[test]
fn what_the_program_watches_guards_the_block_too() {
    let server = Server::start();
    let script = "echo WATCH k; read -r ok; [ $RCLI_ATTEMPT -gt 1 ] || rcli SET k theirs >/dev/null
        echo MULTI; echo \"SET k $ok$RCLI_ATTEMPT\"";
    program(&server, &[], script).prints("OK\n").run();
    assert_eq!(server.ask("GET k"), "OK2");
}

#[test]
fn a_database_chosen_in_one_try_is_not_chosen_in_the_next() {
    let server = Server::start();
    let script = "[ $RCLI_ATTEMPT -gt 1 ] || { echo SELECT 2; read -r ok; rcli SET k theirs >/dev/null; }
        echo MULTI; echo SET j 1";
    program(&server, &["--watch", "k"], script).prints("OK\n").run();
    assert_eq!(server.ask("GET j"), "1");
}

#[test]
fn a_program_that_says_no_multi_has_an_empty_block() {
    let server = Server::start();
    program(&server, &["--json"], "echo SET a 1; read -r ok").prints("[]\n").run();
    assert_eq!(server.ask("GET a"), "1");
    program(&server, &["--json", "--watch", "a"], "[ $RCLI_ATTEMPT -gt 1 ] || rcli INCR a >&2")
        .prints("[]\n")
        .reports("2\n")
        .run();
}

#[test]
fn any_other_status_runs_nothing_and_is_status_1_with_a_message() {
    let server = Server::start();
    for (end, told) in [
        ("exit 3", "rcli: sh ended with status 3: its block was not run\n"),
        ("kill -9 $$", "rcli: sh was ended by signal 9 (SIGKILL): its block was not run\n"),
        ("kill -TERM $$", "rcli: sh was ended by signal 15 (SIGTERM): its block was not run\n"),
    ] {
        program(&server, &["--json"], &format!("echo MULTI; echo SET k v; {end}")).status(1).reports(told).run();
    }
    assert_eq!(server.ask("EXISTS k"), "0");
}

#[test]
fn a_program_that_fails_while_its_command_blocks_is_not_waited_for() {
    let server = Server::start();
    program(&server, &[], "echo BLPOP none 0; exit 4").status(1).complains(&["sh ended with status 4"]).run();
}

#[test]
fn half_a_line_of_a_program_that_dies_is_not_run() {
    let server = Server::start();
    program(&server, &[], "printf 'SET k hal'; kill -9 $$").status(1).complains(&["SIGKILL"]).run();
    assert_eq!(server.ask("EXISTS k"), "0");
    program(&server, &[], "printf 'MULTI\\nSET k whole'").prints("OK\n").run();
    assert_eq!(server.ask("GET k"), "whole");
}

#[test]
fn a_program_that_cannot_be_started_is_status_2() {
    let server = Server::start();
    server
        .rcli(["txn", "--", "./no-such-program"])
        .status(2)
        .complains(&["./no-such-program: cannot be started"])
        .run();
}

#[test]
fn exec_in_the_output_is_an_error_with_its_line() {
    let server = Server::start();
    // Each goes on for ever: it is ended by rcli.
    for script in ["echo MULTI; echo SET k v; echo EXEC; sleep 1000", "echo; echo; echo exec; sleep 1000"] {
        program(&server, &[], script).status(2).complains(&["rcli: sh:3: EXEC"]).run();
    }
    assert_eq!(server.ask("EXISTS k"), "0");
}

#[test]
fn a_bad_line_is_named_by_its_number_and_runs_nothing() {
    let server = Server::start();
    for (script, told) in [
        ("echo MULTI; echo SET k v; echo \"SET 'k\"; sleep 1000", "rcli: sh:3: a quote is not closed\n  SET 'k\n"),
        ("echo MULTI; echo SET k v; echo MULTI; sleep 1000", "rcli: sh:3: ERR MULTI calls can not be nested\n"),
        ("echo MULTI; echo SET k v; echo WATCH k; sleep 1000", "rcli: sh:3: ERR WATCH inside MULTI is not allowed\n"),
        ("echo MULTI; echo SET k v; echo SUBSCRIBE c; sleep 1000", "rcli: sh:3: SUBSCRIBE "),
        ("echo PING; echo RESET; sleep 1000", "rcli: sh:2: RESET "),
        ("echo MULTI; echo SET k v; echo RESET; sleep 1000", "rcli: sh:3: RESET "),
        ("echo AUTH default x; sleep 1000", "rcli: sh:1: AUTH "),
        ("echo MONITOR; sleep 1000", "rcli: sh:1: MONITOR "),
        ("echo HELLO 3; sleep 1000", "rcli: sh:1: HELLO "),
    ] {
        program(&server, &[], script).status(2).reports_among(&[told]).run();
    }
    assert_eq!(server.ask("EXISTS k"), "0");
}

#[test]
fn a_command_refused_while_queueing_is_named_by_its_line() {
    let server = Server::start();
    program(&server, &["--json"], "echo MULTI; echo SET k v; echo NOSUCHCOMMAND")
        .status(1)
        .prints_among(&["\"EXECABORT\""])
        .reports_among(&["rcli: sh:3: NOSUCHCOMMAND: ERR unknown command", "nothing was run"])
        .run();
    assert_eq!(server.ask("EXISTS k"), "0");
}

#[test]
fn discard_ends_the_attempt_with_nothing_run_and_status_0() {
    let server = Server::start();
    for script in [
        "echo MULTI; echo SET k v; echo DISCARD; echo SET k w; echo EXEC",
        "echo DISCARD; echo SET k w",
        "rcli INCR watched >/dev/null; echo MULTI; echo SET k v; echo DISCARD",
    ] {
        program(&server, &["--json", "--watch", "watched"], script).run();
    }
    assert_eq!(server.ask("EXISTS k"), "0");
}

#[test]
fn a_program_that_reads_no_replies_does_not_stop_the_run() {
    let server = Server::start();
    server.call(&[b"SET", b"big", &[b'x'; 1000]]);
    // More commands than its output pipe takes, and more replies than its input pipe does: 80,000 bytes and 10 MB.
    let ask = "yes GET big | head -n 10000";
    program(&server, &[], &format!("{ask}; echo MULTI; echo SET k v")).prints("OK\n").run();
    // Here it reads them at last, all of them.
    program(&server, &[], &format!("{ask}; echo MULTI; wc -c >&2; echo PING"))
        .prints("PONG\n")
        .reports("10010000\n")
        .run();
}

#[test]
fn a_program_that_closes_its_input_does_not_stop_the_run() {
    let server = Server::start();
    let script = "exec <&-; for i in 1 2 3 4 5 6 7 8; do echo INCR n; done; echo MULTI; echo GET n";
    program(&server, &[], script).prints("8\n").run();
}

#[test]
fn output_of_what_the_program_started_belongs_to_the_block() {
    let server = Server::start();
    let script = "echo MULTI; { read -r gone; rcli GET started >/dev/null; echo SET k late; } & exit 0";
    program(&server, &[], script).prints("OK\n").run();
    assert_eq!(server.ask("GET k"), "late");
}

#[test]
fn a_program_that_hangs_can_be_interrupted_and_nothing_is_left_of_it() {
    let server = Server::start();
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        // Shells and sleeps hold our stderr, of which the end is waited for; one of them ignores TERM.
        let script = "sh -c 'trap : TERM; while :; do sleep 1000; done' & echo MULTI; echo SET k v
            echo ready >ready; sleep 1000; echo SET k w";
        let run = program(&server, &["--watch", "k"], script).status(status).any_stderr().start();
        let ready = run.home().join("ready");
        crate::server::wait_for("the program", || Path::exists(&ready));
        run.signal(signal);
        run.finish();
    }
    assert_eq!(server.ask("EXISTS k"), "0");
}

#[test]
fn a_program_ends_with_a_run_that_is_killed() {
    let server = Server::start();
    // A program that reads and writes nothing notices nothing. Its first command is answered when rcli knows it.
    let script = "echo PING; read -r pong; echo $$ > pid; sleep 600 & sleep 600; true";
    let run = program(&server, &[], script).status(137).start();
    let pid = run.home().join("pid");
    let read = || std::fs::read_to_string(&pid).unwrap_or_default();
    wait_for("the program", || read().ends_with('\n'));
    let group = Pid::from_raw(read().trim().parse().unwrap()).unwrap();
    run.signal(Signal::KILL);
    wait_for("the end of all its processes", || test_kill_process_group(group).is_err());
    run.finish();
}

#[test]
fn a_connection_lost_while_the_program_runs_ends_it_and_runs_nothing() {
    let server = Server::start();
    let script = "echo MULTI; echo SET k v; rcli CLIENT KILL TYPE normal SKIPME yes >/dev/null; sleep 1000";
    program(&server, &[], script).status(3).complains(&["connection lost", "the block of sh was not run"]).run();
    assert_eq!(server.ask("EXISTS k"), "0");
}

#[test]
fn a_connection_lost_during_exec_is_outcome_unknown_and_never_tried_again() {
    let peer = peer().otherwise(send("+OK\r\n")).exec(close("")).start();
    peer.rcli(["txn", "--watch", "k", "--", "sh", "-c", "echo MULTI; echo SET k v"])
        .status(3)
        .complains(&["sh:2: ", "EXEC: connection lost", "outcome unknown"])
        .run();
    assert_eq!(peer.connections(), 1);
    assert_eq!(peer.ordinary().iter().filter(|command| *command == "EXEC").count(), 1);
}

#[test]
fn eight_processes_of_forty_increments_lose_none() {
    let server = Server::start();
    server.ask("SET seq 0");
    let loops: Vec<_> = (0..8)
        .map(|_| {
            let loop_script = "for i in $(seq 40); do \"$0\" \"$@\" || exit; done";
            server
                .rcli(["txn", "--watch", "seq", "--", "sh", "-c", INCREMENT])
                .through_sh(loop_script)
                .prints("OK\n".repeat(40))
                .start()
        })
        .collect();
    for run in loops {
        run.finish();
    }
    assert_eq!(server.ask("GET seq"), "320");
}

#[test]
fn an_error_reply_beside_an_aborted_block_makes_the_status_1() {
    let server = Server::start();
    server.ask("SET s v");
    let script = "echo INCR s; read -r e; rcli INCR k >/dev/null; echo MULTI; echo SET t 1";
    let run = program(&server, &["--watch", "k", "--retries", "0"], script).status(1);
    run.prints("\n").reports_among(&["sh:1: INCR s: ERR", "aborted"]).run();
}

#[test]
fn a_program_that_is_told_to_end_has_time_for_it_but_not_for_ever() {
    let server = Server::start();
    let told = ["sh:1: EXEC", "cleaned up\n"];
    let script = "trap 'sleep 0.1; echo cleaned up >&2; exit' TERM; echo EXEC; while :; do sleep 0.01; done";
    program(&server, &[], script).status(2).reports_among(&told).run();
    let script = "trap '' TERM; echo EXEC; while :; do sleep 0.01; done";
    program(&server, &[], script).status(2).complains(&told[..1]).run();
}
