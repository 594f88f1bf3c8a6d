//! `exec` and its shorthand: contract section 4, and the first lines of section 1.

use crate::peer::{peer, send};
use crate::rcli::rcli;
use crate::resp::Reply;
use crate::server::Server;
use rustix::process::Signal;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

#[test]
fn exec_runs_one_command_and_prints_its_reply() {
    let server = Server::start();
    server.rcli(["exec", "SET", "k", "v"]).prints("OK\n").run();
    server.rcli(["exec", "GET", "k"]).prints("v\n").run();
}

#[test]
fn a_first_word_that_names_no_subcommand_is_a_redis_command() {
    let server = Server::start();
    server.rcli(["SET", "k", "v"]).prints("OK\n").run();
    server.rcli(["get", "k"]).prints("v\n").run();
}

#[test]
fn after_the_first_word_everything_belongs_to_the_command() {
    let server = Server::start();
    server.ask("SET -h dash-h");
    server.ask("SET --json dash-json");
    server.ask("SET --help dash-help");
    server.rcli(["GET", "-h"]).prints("dash-h\n").run();
    server.rcli(["exec", "GET", "-h"]).prints("dash-h\n").run();
    server.rcli(["GET", "--json"]).prints("dash-json\n").run();
    server.rcli(["GET", "--help"]).prints("dash-help\n").run();
    server.rcli(["exec", "SET", "--", "-x"]).prints("OK\n").run();
    assert_eq!(server.ask("GET --"), "-x");
}

#[test]
fn global_options_stand_before_and_after_the_subcommand() {
    let server = Server::start();
    let port = server.port().to_string();
    rcli(["-p", &port, "--json", "exec", "PING"]).prints("\"PONG\"\n").run();
    rcli(["exec", "-p", &port, "--json", "PING"]).prints("\"PONG\"\n").run();
    rcli(["-p", &port, "exec", "--json", "PING"]).prints("\"PONG\"\n").run();
}

#[test]
fn x_takes_the_last_argument_from_stdin_byte_for_byte() {
    let server = Server::start();
    let value = b"line 1\r\nline 2\0\xff\n";
    server.rcli(["exec", "-x", "SET", "k"]).stdin(value).prints("OK\n").run();
    assert_eq!(server.call(&[b"GET", b"k"]), Reply::Bulk(value.to_vec()));
}

#[test]
fn a_tag_names_the_argument_that_comes_from_stdin() {
    let server = Server::start();
    server.rcli(["exec", "-X", "body", "SET", "k", "body", "EX", "100"]).stdin(b"a\nb\0\xff\n").prints("OK\n").run();
    assert_eq!(server.call(&[b"GET", b"k"]), Reply::Bulk(b"a\nb\0\xff\n".to_vec()));
    assert_ne!(server.ask("TTL k"), "-1");
}

#[test]
fn r_repeats_the_command() {
    let server = Server::start();
    server.rcli(["exec", "-r", "3", "INCR", "n"]).prints("1\n2\n3\n").run();
}

#[test]
fn r_minus_one_repeats_until_interrupted() {
    let server = Server::start();
    let mut run = server.rcli(["exec", "-r", "-1", "INCR", "n"]).any_stdout().any_stderr().status(130).start();
    for number in 1..=5 {
        assert_eq!(run.next_line(), number.to_string());
    }
    run.signal(Signal::INT);
    let out = run.finish().out();
    for (index, line) in out.lines().enumerate() {
        assert_eq!(line, (index + 1).to_string());
    }
}

#[test]
fn i_pauses_between_repetitions() {
    let server = Server::start();
    let begin = Instant::now();
    server.rcli(["exec", "-r", "3", "-i", "0.15", "INCR", "n"]).prints("1\n2\n3\n").run();
    assert!(begin.elapsed() >= Duration::from_millis(300), "two pauses of 0.15 s took {:?}", begin.elapsed());
}

#[test]
fn the_longest_times_overflow_no_clock() {
    let server = Server::start();
    let longest = ["-t", "1e9", "--read-timeout", "1e9", "-r", "2", "-i", "1e9", "PING"];
    server.rcli(longest).prints("PONG\n").status(130).start().interrupt_after(1);
    for option in ["-t", "--read-timeout", "-i"] {
        server.rcli([option, "1000000001", "PING"]).status(2).complains(&["more than 1000000000 seconds"]).run();
    }
}

#[test]
fn a_repeated_reply_is_written_before_the_pause() {
    let server = Server::start();
    let mut run =
        server.rcli(["exec", "-r", "2", "-i", "600", "INCR", "n"]).prints("1\n").any_stderr().status(130).start();
    assert_eq!(run.next_line(), "1");
    run.signal(Signal::INT);
    run.finish();
}

#[test]
fn redis_cli_option_letters_work_in_the_shorthand() {
    let server = Server::start();
    server.rcli(["-r", "2", "INCR", "n"]).prints("1\n2\n").run();
    server.rcli(["-x", "SET", "k"]).stdin("v").prints("OK\n").run();
    assert_eq!(server.ask("GET k"), "v");
}

#[test]
fn the_options_of_one_command_stand_around_exec_and_the_last_word_counts() {
    let server = Server::start();
    server.rcli(["-r", "5", "exec", "-r", "2", "INCR", "n"]).prints("1\n2\n").run();
    server.rcli(["-r2", "exec", "-2", "INCR", "n"]).prints("3\n4\n").run();
    server.rcli(["exec", "-2xr1", "--", "SET", "-r"]).stdin("5").prints("OK\n").run();
    server.rcli(["exec", "GET", "-r"]).prints("5\n").run();
    // Only the first word names a subcommand, and -r has a value.
    server.rcli(["exec", "exec"]).status(1).complains(&["EXEC without MULTI"]).run();
    server.rcli(["-r", "exec", "INCR", "n"]).status(2).complains(&["'exec'", "see rcli --help"]).run();
    for args in [&["-x", "exec", "-X", "t", "SET", "a", "t"][..], &["-x", "pipe"], &["exec", "-x"]] {
        server.rcli(args.iter().copied()).stdin("").status(2).complains(&["see rcli exec --help"]).run();
    }
}

#[test]
fn quoted_input_unquotes_the_arguments() {
    let server = Server::start();
    server.rcli(["exec", "--quoted-input", "SET", r#""a b\n""#, r"'it\'s'"]).prints("OK\n").run();
    assert_eq!(server.call(&[b"GET", b"a b\n"]), Reply::Bulk(b"it's".to_vec()));
    server.rcli(["exec", "--quoted-input", "SET", "k", r#""\x00\xff\t""#]).prints("OK\n").run();
    assert_eq!(server.call(&[b"GET", b"k"]), Reply::Bulk(b"\0\xff\t".to_vec()));
}

#[test]
fn quoted_input_with_a_bad_quote_is_bad_usage_and_runs_nothing() {
    let server = Server::start();
    server.rcli(["exec", "--quoted-input", "SET", "k", r#""open"#]).status(2).reports_among(&["rcli: "]).run();
    assert_eq!(server.ask("EXISTS k"), "0");
}

#[test]
fn without_quoted_input_arguments_are_taken_as_they_are() {
    let server = Server::start();
    server.rcli(["exec", "SET", "k", r#""\n""#]).prints("OK\n").run();
    assert_eq!(server.call(&[b"GET", b"k"]), Reply::Bulk(br#""\n""#.to_vec()));
}

#[test]
fn binary_arguments_reach_the_server_as_they_are() {
    let server = Server::start();
    let binary = std::ffi::OsStr::from_bytes(b"\xff\xfe\x01");
    server.rcli(["SET", "k"]).args([binary]).prints("OK\n").run();
    assert_eq!(server.call(&[b"GET", b"k"]), Reply::Bulk(b"\xff\xfe\x01".to_vec()));
}

#[test]
fn an_empty_argument_is_an_argument() {
    let server = Server::start();
    server.rcli(["SET", "k", ""]).prints("OK\n").run();
    assert_eq!(server.call(&[b"GET", b"k"]), Reply::Bulk(Vec::new()));
}

/// Runs a command that must be refused with the subcommand to use, without any of it being sent.
fn assert_refused(command: &[&str], subcommand: Option<&str>) {
    let peer = peer().otherwise(send("+OK\r\n")).start();
    let hint = subcommand.unwrap_or(command[0]);
    peer.rcli(["exec"]).args(command).status(2).complains(&[hint]).run();
    assert_eq!(peer.ordinary(), [""; 0], "{command:?} was sent");
}

#[test]
fn exec_refuses_what_is_for_replicas() {
    assert_refused(&["SYNC"], None);
    assert_refused(&["PSYNC", "?", "-1"], None);
}

#[test]
fn a_server_error_goes_to_stderr_only_in_raw_format() {
    let server = Server::start();
    server.ask("SET s v");
    server
        .rcli(["LPUSH", "s", "x"])
        .status(1)
        .complains(&["WRONGTYPE Operation against a key holding the wrong kind of value"])
        .run();
    server.rcli(["exec", "--raw", "NOSUCHCOMMAND"]).status(1).complains(&["ERR unknown command"]).run();
}

#[test]
fn a_server_error_is_a_reply_on_stdout_in_the_other_formats() {
    let server = Server::start();
    server.ask("SET s v");
    server
        .rcli(["--json", "LPUSH", "s", "x"])
        .status(1)
        .prints(
            "{\"error\":{\"code\":\"WRONGTYPE\",\
             \"message\":\"Operation against a key holding the wrong kind of value\"}}\n",
        )
        .run();
    server
        .rcli(["--human", "LPUSH", "s", "x"])
        .status(1)
        .prints("(error) WRONGTYPE Operation against a key holding the wrong kind of value\n")
        .run();
}

#[test]
fn a_repeated_command_that_fails_makes_the_status_1() {
    let server = Server::start();
    server.ask("SET s v");
    server.rcli(["exec", "--json", "-r", "2", "INCR", "s"]).status(1).prints_among(&["not an integer"]).run();
}

#[test]
fn a_blocking_command_waits_without_a_time_limit() {
    let server = Server::start();
    let run = server.rcli(["BLPOP", "queue", "0"]).prints("queue\njob\n").start();
    server.wait_until("INFO clients", |info| info.contains("blocked_clients:1"));
    server.ask("RPUSH queue job");
    run.finish();
}

#[test]
fn exec_without_a_command_is_bad_usage() {
    rcli(["exec"]).status(2).reports_among(&["rcli: "]).run();
}

#[test]
fn exec_does_not_wait_for_stdin_it_was_not_told_to_read() {
    let server = Server::start();
    let run = server.rcli(["PING"]).interactive().prints("PONG\n").start();
    run.finish_with_open_stdin();
}

#[test]
fn a_nested_error_makes_the_status_1_too() {
    let peer = peer().answers([send("*2\r\n+OK\r\n-ERR inner\r\n")]).start();
    peer.rcli(["--json", "exec", "X"])
        .status(1)
        .prints("[\"OK\",{\"error\":{\"code\":\"ERR\",\"message\":\"inner\"}}]\n")
        .run();
}
