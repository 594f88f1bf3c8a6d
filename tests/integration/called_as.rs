//! Called by the name of redis-cli or valkey-cli, through a link: what is as there then (contract section 1).

use crate::server::Server;

#[test]
fn bytes_that_are_not_utf_8_stay_in_json_as_they_are() {
    let server = Server::start();
    server.call(&[b"HSET", b"h", b"\xf0\"k", b"\x01\xc3\xa9\xff"]);
    let kept = b"{\"\xf0\\\"k\":\"\\u0001\xc3\xa9\xff\"}\n";
    for name in ["redis-cli", "redis-cli-8", "valkey-cli"] {
        server.rcli(["--json", "-3", "HGETALL", "h"]).called(name).prints(kept).run();
    }
    server.rcli(["--json", "HGETALL", "h"]).env("FAKETTY", "1").prints(kept).run();
    let pairs = "[[{\"base64\":\"8CJr\"},{\"base64\":\"AcOp/w==\"}]]\n";
    server.rcli(["--json", "HGETALL", "h"]).prints(pairs).run();
    server.rcli(["--json", "HGETALL", "h"]).called("my-redis-cli").prints(pairs).run();
}

#[test]
fn an_argument_with_bad_quotes_is_told_where_redis_cli_tells_it() {
    let server = Server::start();
    let run = server.rcli(["--quoted-input", "SET", "k", "\"v"]);
    run.called("redis-cli").status(2).prints("Invalid quoted string\n").run();
    server.rcli(["--quoted-input", "SET", "k", "\"v"]).status(2).any_stderr().run();
    server.rcli([""]).called("redis-cli").status(2).complains(&["the command has no name"]).run();
}

#[test]
fn a_lost_connection_is_opened_again_by_the_line_behind_it() {
    let server = Server::start();
    let mut run = server.rcli(["--raw"]).called("redis-cli").interactive().any_stdout().any_stderr().status(3).start();
    run.send_line("SELECT 3");
    assert_eq!(run.next_line(), "OK");
    server.call(&[b"CLIENT", b"KILL", b"TYPE", b"normal"]);
    run.send_line("INCR lost");
    run.send_line("INCR n");
    assert_eq!(run.next_line(), "1");
    let finished = run.finish();
    assert_eq!(finished.out(), "OK\n1\n");
    assert!(finished.err().contains("stdin:2"), "{}", finished.err());
    assert!(finished.err().contains("connected again"), "{}", finished.err());
    assert_eq!(server.call(&[b"DBSIZE"]), server.call(&[b"EXISTS", b"n", b"lost"]));
    server.rcli(["-n", "3", "GET", "n"]).prints("1\n").run();
}

#[test]
fn small_letters_are_the_servers_commands() {
    let server = Server::start();
    let run = server.rcli(["--raw", "exec"]).called("redis-cli").status(1);
    run.prints("ERR EXEC without MULTI\n\n").run();
    let mut run =
        server.rcli(["--raw", "-t", "5", "monitor"]).called("valkey-cli").any_stdout().any_stderr().status(3).start();
    assert_eq!(run.next_line(), "OK");
    server.call(&[b"CLIENT", b"KILL", b"TYPE", b"normal", b"SKIPME", b"yes"]);
    run.finish();
    server.rcli(["exec"]).status(2).any_stderr().run();
}

#[test]
fn a_quote_may_stand_within_a_word_by_valkey_clis_name() {
    let server = Server::start();
    let lines = "ECHO \"\"k'e'\"y\"s \nECHO 'a'b\"c d\"\n";
    server.rcli(["--raw"]).called("valkey-cli").stdin(lines).prints("keys\nabc d\n").run();
    for name in ["redis-cli", "rcli"] {
        server.rcli(["--raw"]).called(name).stdin(lines).status(2).any_stderr().run();
    }
}

#[test]
fn errors_stand_in_their_places_alone() {
    let server = Server::start();
    let probe = server.rcli(["--raw", "NOSUCH"]).called("redis-cli").any_stdout().status(1).run();
    assert!(probe.out().starts_with("ERR unknown command 'NOSUCH'"), "{}", probe.out());
    let script = server.rcli(["--raw", "--eval", "s.lua"]).file("s.lua", "return redis.error_reply('MY own')");
    script.called("redis-cli").status(1).prints("MY own\n\n").run();
    // What is text in any case has one line end, as with redis-cli.
    let report = server.rcli(["--raw", "CLUSTER", "NODES"]).called("redis-cli").status(1);
    report.prints("ERR This instance has cluster support disabled\n").run();
    server.rcli(["--raw", "-e", "NOSUCH"]).called("redis-cli").status(1).complains(&["unknown command"]).run();
    let run = server.rcli(["--raw"]).called("redis-cli").stdin("INCR a\nLPUSH a b\nMULTI\nLPUSH a b\nEXEC\n");
    let wrong = "WRONGTYPE Operation against a key holding the wrong kind of value\n";
    let finished = run.any_stdout().status(1).run();
    assert_eq!(finished.out().matches(wrong).count(), 2);
    // Of a block too, whoever refuses it: rcli, or a server without memory.
    server.ask("CONFIG SET maxmemory 1");
    for block in ["MULTI\nNOSUCH\nEXEC\n", "MULTI\nSET a b\nEXEC\n"] {
        let run = server.rcli(["--raw"]).called("redis-cli").stdin(block).status(1);
        run.prints_among(&["EXECABORT Transaction discarded because of previous errors."]).run();
    }
}

#[test]
fn a_command_refused_inside_a_block_aborts_it_as_with_redis_cli() {
    let server = Server::start();
    let aborted = "EXECABORT Transaction discarded because of previous errors.";
    let lines = "WATCH k\nMULTI\nSET k v\nINCR n\nSET k\nEXEC\nSET k 1\nMULTI\nINCR k\nEXEC\nMULTI\nNOSUCH\nDISCARD\n";
    let out = server.rcli(["--raw"]).called("redis-cli").stdin(lines).status(1).any_stdout().run().out();
    let answers: Vec<&str> = out.lines().filter(|line| !line.is_empty()).collect();
    assert!(answers[4].starts_with("ERR wrong number"), "{out}");
    // The block behind it is a new one, and the watch has ended.
    assert_eq!(answers[5..10], [aborted, "OK", "OK", "QUEUED", "2"], "{out}");
    assert_eq!(answers.last(), Some(&"OK"), "{out}");
}

#[test]
fn a_database_is_selected_once_a_line_has_said_who_we_are() {
    let server = Server::with_password("pw");
    for protocol in ["-2", "-3"] {
        let lines = "AUTH pw\nCLIENT INFO\n";
        let finished = server.rcli([protocol, "--raw", "-n", "9"]).stdin(lines).any_stdout().run();
        assert!(finished.out().contains(" db=9 "), "{}", finished.out());
    }
    let run = server.rcli(["--raw", "-n", "99"]).stdin("AUTH pw\nGET k\n");
    run.prints("OK\n").status(3).complains(&["refused database 99"]).run();
    // One command cannot say it.
    server.rcli(["-n", "9", "PING"]).status(3).complains(&["refused database 9: NOAUTH"]).run();
}
