//! `pipe` and the options of its table: contract section 6.

use crate::peer::{peer, send};
use crate::rcli::rcli;
use crate::server::{Server, free_port};
use std::fmt::Write;

/// A line with every number in it replaced by `N`.
pub fn shape(line: &str) -> String {
    let mut shape = String::new();
    for c in line.chars() {
        if !c.is_ascii_digit() {
            shape.push(c);
        } else if !shape.ends_with('N') {
            shape.push('N');
        }
    }
    shape
}

#[test]
fn every_reply_is_one_line_in_the_order_of_the_commands() {
    let server = Server::start();
    let (mut input, mut output) = (String::new(), String::new());
    for i in 0..20_000 {
        match i % 4 {
            0 => input += &format!("SET k{i} v{i}\n"),
            1 => input += &format!("GET k{}\n", i - 1),
            2 => input += &format!("RPUSH l{i} a b\n"),
            _ => input += &format!("LRANGE l{} 0 -1\n", i - 1),
        }
        match i % 4 {
            0 => output += "\"OK\"\n",
            1 => writeln!(output, "\"v{}\"", i - 1).unwrap(),
            2 => output += "2\n",
            _ => output += "[\"a\",\"b\"]\n",
        }
    }
    server.rcli(["pipe", "--json"]).stdin(&input).prints(&output).run();
}

#[test]
fn raw_is_the_format_when_stdout_is_no_terminal() {
    Server::start().rcli(["pipe"]).stdin("SET k v\nGET k\nGET none\nINCR n\n").prints("OK\nv\n\n1\n").run();
}

#[test]
fn commands_come_from_files_or_stdin() {
    let server = Server::start();
    server.rcli(["pipe", "a.txt", "b.txt"]).file("a.txt", "INCR n\n").file("b.txt", "INCR n\n").prints("1\n2\n").run();
    server.rcli(["pipe"]).stdin("INCR n\n").prints("3\n").run();
}

#[test]
fn a_slow_producer_is_answered_line_by_line() {
    let server = Server::start();
    let mut run = server.rcli(["pipe"]).interactive().prints("1\n2\n3\n").start();
    for number in 1..=3 {
        run.send_line("INCR n");
        assert_eq!(run.next_line(), number.to_string());
    }
    run.finish();
}

#[test]
fn a_line_still_being_written_does_not_hold_back_those_before_it() {
    let server = Server::start();
    let mut run = server.rcli(["pipe"]).interactive().prints("1\n2\n").start();
    run.send("INCR n\nINC");
    assert_eq!(run.next_line(), "1");
    run.send("R n");
    run.finish();
}

#[test]
fn a_server_error_stands_in_its_place_and_is_reported_with_its_line() {
    let server = Server::start();
    let wrong = "Operation against a key holding the wrong kind of value";
    server
        .rcli(["pipe", "--json", "cmds.txt"])
        .file("cmds.txt", "SET s v\n\nLPUSH s x\nGET s\n")
        .status(1)
        .prints(format!("\"OK\"\n{{\"error\":{{\"code\":\"WRONGTYPE\",\"message\":\"{wrong}\"}}}}\n\"v\"\n"))
        .reports(format!("rcli: cmds.txt:3: LPUSH s x: WRONGTYPE {wrong}\n"))
        .run();
}

#[test]
fn a_raw_error_is_one_line_in_its_place() {
    let server = Server::start();
    server
        .rcli(["pipe"])
        .stdin("SET s v\nINCR s\nGET s\n")
        .status(1)
        .prints("OK\nERR value is not an integer or out of range\nv\n")
        .reports("rcli: stdin:2: INCR s: ERR value is not an integer or out of range\n")
        .run();
}

#[test]
fn the_command_of_an_error_is_cut_at_100_characters_and_cannot_drive_the_terminal() {
    let server = Server::start();
    let run = server.rcli(["pipe", "-q"]).stdin(format!("NOSUCH {}\n", "x".repeat(5000))).status(1).any_stderr().run();
    let err = run.err();
    let command = err.strip_prefix("rcli: stdin:1: ").and_then(|rest| rest.split(": ERR").next()).expect(&err);
    assert!((95..=110).contains(&command.chars().count()), "{} characters: {err}", command.chars().count());
    let run = server.rcli(["pipe", "-q"]).stdin(b"NOSUCH \"\x1b[2J\xc2\x9b\"\n").status(1).any_stderr().run();
    assert!(!run.err().contains(['\u{1b}', '\u{9b}']), "{:?}", run.err());
}

#[test]
fn after_an_error_reply_it_goes_on_by_default() {
    let server = Server::start();
    server.ask("SET s v");
    for options in [&["pipe"][..], &["pipe", "--on-error", "continue"]] {
        server
            .rcli(options)
            .stdin("INCR s\nECHO on\n")
            .status(1)
            .prints_among(&["\non\n"])
            .complains(&["stdin:1"])
            .run();
    }
}

#[test]
fn on_error_stop_sends_nothing_more_and_ends() {
    let server = Server::start();
    server.ask("SET s v");
    let mut run =
        server.rcli(["pipe", "--on-error", "stop", "--json"]).interactive().status(1).any_stdout().any_stderr().start();
    run.send_line("INCR n");
    assert_eq!(run.next_line(), "1");
    run.send_line("INCR s");
    assert!(run.next_line().starts_with("{\"error\":"));
    run.send_line("INCR n");
    let out = run.finish_with_open_stdin().out();
    assert_eq!(out.lines().count(), 2, "{out}");
    assert_eq!(server.ask("GET n"), "1");
}

#[test]
fn on_error_stop_answers_what_is_in_flight() {
    let peer = peer()
        .patient()
        .answers([send("+a\r\n"), send("-ERR no\r\n"), send("+c\r\n")])
        .otherwise(send("+OK\r\n"))
        .start();
    peer.rcli(["pipe", "--on-error", "stop", "--window", "3"])
        .stdin("A\nB\nC\nD\nE\n")
        .status(1)
        .prints("a\nERR no\nc\n")
        .reports_among(&["rcli: stdin:2: B: ERR no\n"])
        .run();
    assert_eq!(peer.ordinary(), ["A", "B", "C"]);
}

#[test]
fn quiet_writes_no_replies_but_errors_to_stderr() {
    let server = Server::start();
    for option in ["-q", "--quiet"] {
        server.rcli(["pipe", option]).stdin("SET s v\nGET s\n").run();
        server.rcli(["pipe", option]).stdin("INCR s\n").status(1).complains(&["stdin:1: INCR s: ERR value"]).run();
    }
}

#[test]
fn an_envelope_is_json_and_asks_for_resp3_as_json_does() {
    let server = Server::start();
    server.ask("HSET h f 1");
    let line = "{\"index\":1,\"line\":1,\"command\":[\"HGETALL\",\"h\"],\"reply\":{\"f\":\"1\"}}\n";
    for format in ["raw", "human", "json", ""] {
        server.rcli(["pipe", "--envelope"]).env("RCLI_FORMAT", format).stdin("HGETALL h\n").prints(line).run();
    }
    let line = line.replace("{\"f\":\"1\"}", "[\"f\",\"1\"]");
    server.rcli(["-2", "pipe", "--envelope"]).stdin("HGETALL h\n").prints(line).run();
}

#[test]
fn an_envelope_has_index_line_command_and_reply_or_error() {
    let server = Server::start();
    server
        .rcli(["pipe", "--envelope"])
        .stdin("# note\nSET a b\n\nINCR a\n[\"ECHO\",{\"base64\":\"/w==\"}]\nGET none\n")
        .status(1)
        .prints(
            "{\"index\":1,\"line\":2,\"command\":[\"SET\",\"a\",\"b\"],\"reply\":\"OK\"}\n\
             {\"index\":2,\"line\":4,\"command\":[\"INCR\",\"a\"],\"error\":{\"code\":\"ERR\",\
             \"message\":\"value is not an integer or out of range\"}}\n\
             {\"index\":3,\"line\":5,\"command\":[\"ECHO\",{\"base64\":\"/w==\"}],\"reply\":{\"base64\":\"/w==\"}}\n\
             {\"index\":4,\"line\":6,\"command\":[\"GET\",\"none\"],\"reply\":null}\n",
        )
        .complains(&["stdin:4: INCR a: ERR"])
        .run();
}

#[test]
fn skip_leaves_out_the_first_commands() {
    let server = Server::start();
    server.rcli(["pipe", "--skip", "2"]).stdin("INCR n\n# note\nINCR n\nINCR n\nINCR n\n").prints("1\n2\n").run();
    server.rcli(["pipe", "--skip", "0"]).stdin("INCR n\n").prints("3\n").run();
    server.rcli(["pipe", "--skip", "1"]).stdin("INCR n\n").run();
    server.rcli(["pipe", "--skip", "9"]).stdin("INCR n\n").status(2).complains(&["only 1 command"]).run();
}

#[test]
fn skip_counts_across_files_and_keeps_index_and_line() {
    Server::start()
        .rcli(["pipe", "--skip", "2", "--envelope", "a.txt", "b.txt"])
        .file("a.txt", "PING\n")
        .file("b.txt", "PING\nECHO x\n")
        .prints("{\"index\":3,\"line\":2,\"command\":[\"ECHO\",\"x\"],\"reply\":\"x\"}\n")
        .run();
}

#[test]
fn check_parses_everything_and_connects_to_nothing() {
    let port = free_port().to_string();
    rcli(["-p", &port, "pipe", "--check"]).stdin("SET a 1\n[\"GET\",\"a\"]\n").run();
    rcli(["-p", &port, "pipe", "--check"])
        .stdin("SET a 1\nGET 'a\n")
        .status(2)
        .reports_among(&["rcli: stdin:2: "])
        .run();
    let peer = peer().start();
    peer.rcli(["pipe", "--check"]).stdin("PING\nSUBSCRIBE c\n").status(2).reports_among(&["rcli: stdin:2: "]).run();
    assert_eq!(peer.connections(), 0);
}

#[test]
fn check_names_what_has_no_place_in_a_cluster_or_in_a_block() {
    rcli(["-c", "pipe", "--check"])
        .stdin("SET a 1\nPING\nREADONLY\nMSET {t}a 1 {t}b 2\nNOSUCH x\nWATCH a\nMULTI\n")
        .status(2)
        .reports_among(&[
            "rcli: stdin:2: PING has no key",
            "rcli: stdin:3: READONLY is not",
            "rcli: stdin:6: WATCH a cannot stand in a pipeline over a cluster",
            "rcli: stdin:7: MULTI cannot stand in",
        ])
        .run();
    // What gets an error in its place is no bad line.
    rcli(["-c", "pipe", "--check"]).stdin("SET a 1\nMSET foo 1 bar 2\nGET\n").run();
    rcli(["-c", "pipe", "--check"]).stdin("SELECT 1\nAUTH me pw\nCLIENT SETNAME me\nSET a 1\n").run();
    rcli(["pipe", "--check", "--atomic"])
        .stdin("SET a 1\nWATCH a\n")
        .status(2)
        .reports_among(&["rcli: stdin:2: WATCH cannot stand in the block"])
        .run();
    rcli(["pipe", "--check"]).stdin("PING\nMSET foo 1 bar 2\nWATCH a\n").run();
    rcli(["pipe", "--check"])
        .stdin("MULTI\nSET a 1\nEXEC\nMULTI\nSET a 1\n")
        .status(2)
        .reports("rcli: stdin:4: MULTI: the input ends without its EXEC, and the block does not run\n")
        .run();
}

#[test]
fn a_block_that_is_not_closed_is_status_2_and_one_that_is_aborted_4() {
    let server = Server::start();
    let unclosed = "stdin:2: MULTI: the input ends without its EXEC, and the block does not run";
    server
        .rcli(["pipe"])
        .stdin("SET a 1\nMULTI\nSET a 2\n")
        .status(2)
        .prints("OK\nOK\nQUEUED\n")
        .complains(&[unclosed])
        .run();
    server.rcli(["pipe", "-q"]).stdin("INCR s x\nMULTI\nSET a 2\n").status(2).reports_among(&[unclosed]).run();
    assert_eq!(server.ask("GET a"), "1");
    // EXECABORT closes it, and a MULTI that is refused opens none.
    server.rcli(["pipe", "-q"]).stdin("MULTI\nNOSUCH\nEXEC\n").status(1).reports_among(&["EXECABORT"]).run();
    server.rcli(["pipe", "-q"]).stdin("MULTI x\nSET a 3\n").status(1).complains(&["stdin:1: MULTI x: ERR"]).run();
    server
        .rcli(["pipe", "--json"])
        .stdin("WATCH w\nSET w 1\nMULTI\nSET a 4\nEXEC\nGET a\n")
        .status(4)
        .prints("\"OK\"\n\"OK\"\n\"OK\"\n\"QUEUED\"\nnull\n\"3\"\n")
        .complains(&["stdin:5: EXEC: aborted, a watched key has changed; nothing was run"])
        .run();
    let aborted = "WATCH w\nSET w 1\nMULTI\nSET a 4\nEXEC\n";
    server.rcli(["pipe", "-q"]).stdin(format!("{aborted}NOSUCH\n")).status(1).any_stderr().run();
    server.rcli(["pipe", "-q"]).stdin(format!("{aborted}MULTI\n")).status(2).any_stderr().run();
    server.rcli(["pipe", "-q"]).stdin(format!("{aborted}GET 'a\n")).status(2).any_stderr().run();
}

#[test]
fn a_bad_line_tells_how_many_commands_before_it_were_answered() {
    let server = Server::start();
    server
        .rcli(["pipe", "-q"])
        .stdin("SET a 1\n\nSET b 2\nGET 'a\nSET c 3\n")
        .status(2)
        .reports(
            "rcli: stdin:4: a quote is not closed; 2 commands before it were answered; mend it and resume with --skip 2\n  \
             GET 'a\n      ^\n",
        )
        .run();
    server
        .rcli(["pipe", "-q", "--skip", "1"])
        .stdin("SET a 1\nMONITOR\n")
        .status(2)
        .complains(&["stdin:2: MONITOR ", "; 0 commands before it were answered; mend it and resume with --skip 1"])
        .run();
    server
        .rcli(["pipe", "-q"])
        .stdin("SUBSCRIBE c\n")
        .status(2)
        .complains(&["; 0 commands before it were answered\n"])
        .run();
    server
        .rcli(["pipe", "-q"])
        .stdin("SELECT 3\nMULTI\nSET d 4\nQUIT\n")
        .status(2)
        .complains(&[
            "3 commands before it were answered; mend it and resume with --skip 1 (before the MULTI of stdin:2",
        ])
        .run();
    server.rcli(["pipe", "--atomic"]).stdin("SET e 5\nQUIT\n").status(2).complains(&["; nothing was run\n"]).run();
}

#[test]
fn window_limits_the_commands_in_flight() {
    let peer = peer().patient().otherwise(send("+OK\r\n")).start();
    peer.rcli(["pipe", "--window", "3"]).stdin("PING\n".repeat(10)).prints("OK\n".repeat(10)).run();
    assert_eq!(peer.ordinary().len(), 10);
    assert!(peer.most_in_flight() <= 3, "{} in flight", peer.most_in_flight());
}

#[test]
fn without_a_window_many_commands_are_in_flight() {
    let peer = peer().patient().otherwise(send("+OK\r\n")).start();
    peer.rcli(["pipe"]).stdin("PING\n".repeat(200)).prints("OK\n".repeat(200)).run();
    assert!(peer.most_in_flight() >= 20, "only {} in flight", peer.most_in_flight());
}

#[test]
fn progress_goes_to_stderr_only_when_asked_or_on_a_terminal() {
    let server = Server::start();
    server.rcli(["pipe", "--progress", "never"]).stdin("PING\n").prints("PONG\n").run();
    server.rcli(["pipe", "--progress", "auto"]).stdin("PING\n").prints("PONG\n").run();
    let err = server
        .rcli(["pipe", "--progress", "always"])
        .stdin("PING\n".repeat(100))
        .prints("PONG\n".repeat(100))
        .any_stderr()
        .run()
        .err();
    assert!(!err.is_empty(), "no bar with --progress always");
    let last = err.lines().last().unwrap_or_default();
    assert!(last.contains("100 commands"), "the summary is on where the bar is: {err:?}");
}

#[test]
fn the_summary_is_the_last_line_on_stderr() {
    let server = Server::start();
    let run = server
        .rcli(["pipe", "--summary"])
        .stdin("SET s v\nINCR s\nGET s\n")
        .status(1)
        .any_stdout()
        .reports_among(&["rcli: summary: 3 commands, 3 replies, 1 errors, "])
        .run();
    let err = run.err();
    let last = err.lines().last().unwrap_or_default();
    assert_eq!(shape(last), "rcli: summary: N commands, N replies, N errors, N.N seconds, N commands/s", "{err}");
}

#[test]
fn a_block_and_a_check_have_a_summary_too() {
    let server = Server::start();
    let lines = "SET a 1\nINCR l\nGET \"x\nLPUSH l v\nMONITOR\n";
    let run = server.rcli(["pipe", "--check", "--summary", "--skip", "1"]).stdin(lines).status(2);
    run.reports_among(&["stdin:3: ", "stdin:5: ", "rcli: summary: 2 commands, 2 errors, "]).run();
    let run = |status| server.rcli(["pipe", "--atomic", "--summary", "-q"]).status(status);
    server.ask("LPUSH l v");
    let told = ["stdin:2: INCR l: WRONGTYPE", "rcli: summary: 3 commands, 3 replies, 1 errors, "];
    run(1).stdin("SET a 1\nINCR l\nGET a\n").reports_among(&told).run();
    let told = ["NOSUCH", "EXEC: nothing was run", "rcli: summary: 2 commands, 0 replies, 1 errors, "];
    run(1).stdin("SET a 1\nNOSUCH\n").reports_among(&told).run();
    let told = ["stdin:2: ", "rcli: summary: 0 commands, 0 replies, 0 errors, "];
    let finished = run(2).stdin("SET a 1\nGET \"x\n").reports_among(&told).run();
    assert!(finished.err().lines().last().unwrap().starts_with("rcli: summary: "), "{}", finished.err());
}

#[test]
fn a_quiet_pipe_still_counts_in_its_summary() {
    let server = Server::start();
    server
        .rcli(["pipe", "-q", "--summary"])
        .stdin("PING\nPING\n")
        .complains(&["rcli: summary: 2 commands, 2 replies, 0 errors, "])
        .run();
}

#[test]
fn commands_that_change_how_replies_are_counted_are_bad_lines() {
    let peer = peer().otherwise(send("+OK\r\n")).start();
    for command in [
        "SUBSCRIBE c",
        "psubscribe p*",
        "SSUBSCRIBE c",
        "UNSUBSCRIBE",
        "PUNSUBSCRIBE",
        "SUNSUBSCRIBE",
        "MONITOR",
        "SYNC",
        "PSYNC ? -1",
        "CLIENT REPLY OFF",
        "client reply skip",
        "HELLO 3",
        "RESET",
        "quit",
        "[\"SUBSCRIBE\",\"c\"]",
        "\"MONI\\x54OR\"",
    ] {
        peer.rcli(["pipe"]).stdin(format!("\n{command}\n")).status(2).reports_among(&["rcli: stdin:2: "]).run();
    }
    peer.rcli(["pipe"]).stdin("*1\r\n$7\r\nMONITOR\r\n").status(2).reports_among(&["rcli: stdin:1: "]).run();
    assert_eq!(peer.ordinary(), [""; 0]);
}

#[test]
fn json_means_resp3_and_raw_means_resp2() {
    let server = Server::start();
    server.ask("HSET h a 1");
    server.rcli(["pipe", "--json"]).stdin("HGETALL h\n").prints("{\"a\":\"1\"}\n").run();
    server.rcli(["pipe", "--json", "-2"]).stdin("HGETALL h\n").prints("[\"a\",\"1\"]\n").run();
    server.rcli(["pipe"]).stdin("HGETALL h\n").prints("a\n1\n").run();
    let peer = peer().otherwise(send("+OK\r\n")).start();
    peer.rcli(["pipe"]).stdin("PING\n").prints("OK\n").run();
    assert!(!peer.commands().iter().any(|command| command.starts_with("HELLO")), "{:?}", peer.commands());
}

#[test]
fn a_file_that_does_not_exist_is_named_with_status_2() {
    let server = Server::start();
    server.rcli(["pipe", "missing.txt"]).status(2).complains(&["missing.txt"]).run();
}
