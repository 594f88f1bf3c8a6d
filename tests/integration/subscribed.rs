//! SUBSCRIBE and its kind, and MONITOR, as commands: in redis-cli's own form, alone and on standard input (contract
//! sections 4 and 5).

use crate::peer::{Answer, peer, send};
use crate::rcli::Rcli;
use crate::running::Running;
use crate::server::Server;
use rustix::process::Signal;

/// The output so far, once it has so many lines.
fn lines(run: &mut Running, count: usize) -> Vec<String> {
    (0..count).map(|_| run.next_line()).collect()
}

fn publish(server: &Server, channel: &str, text: &str) {
    server.wait_until("PUBSUB NUMPAT", |_| {
        server.call(&[b"PUBLISH", channel.as_bytes(), text.as_bytes()]).to_string() != "0"
    });
}

fn subscribed(run: Rcli) -> Running {
    run.interactive().any_stdout().any_stderr().status_among(&[0, 1, 130]).start()
}

#[test]
fn a_command_streams_in_the_form_of_redis_cli() {
    let server = Server::start();
    for (format, expected) in [
        ("--raw", vec!["subscribe", "a", "1", "subscribe", "b", "2", "message", "b", "x y"]),
        (
            "--no-raw",
            vec![
                "1) \"subscribe\"",
                "2) \"a\"",
                "3) (integer) 1",
                "1) \"subscribe\"",
                "2) \"b\"",
                "3) (integer) 2",
                "1) \"message\"",
                "2) \"b\"",
                "3) \"x y\"",
            ],
        ),
        (
            "--json",
            vec![
                r#"{"type":"subscribe","pattern":null,"channel":"a","data":1}"#,
                r#"{"type":"subscribe","pattern":null,"channel":"b","data":2}"#,
                r#"{"type":"message","pattern":null,"channel":"b","data":"x y"}"#,
            ],
        ),
    ] {
        let mut run = server.rcli([format, "subscribe", "a", "b"]).any_stdout().status(130).start();
        let confirmations = expected.len() * 2 / 3;
        let mut found = lines(&mut run, confirmations);
        publish(&server, "b", "x y");
        found.extend(lines(&mut run, expected.len() - confirmations));
        assert_eq!(found, expected, "{format}");
        run.signal(Signal::INT);
        run.finish();
    }
}

#[test]
fn patterns_and_shard_channels_stream_as_commands_too() {
    let server = Server::start();
    let mut run = server.rcli(["PSubscribe", "n*"]).any_stdout().status(143).start();
    assert_eq!(lines(&mut run, 3), ["psubscribe", "n*", "1"]);
    publish(&server, "news", "x");
    assert_eq!(lines(&mut run, 4), ["pmessage", "n*", "news", "x"]);
    run.signal(Signal::TERM);
    run.finish();
    let mut run = server.rcli(["SSUBSCRIBE", "s"]).any_stdout().status(130).start();
    assert_eq!(lines(&mut run, 3), ["ssubscribe", "s", "1"]);
    server.call(&[b"SPUBLISH", b"s", b"x"]);
    assert_eq!(lines(&mut run, 3), ["smessage", "s", "x"]);
    run.signal(Signal::INT);
    run.finish();
}

#[test]
fn a_stream_of_a_command_ends_with_its_connection() {
    let server = Server::start();
    let mut run = server.rcli(["SUBSCRIBE", "a"]).any_stdout().status(3).complains(&["connection"]).start();
    run.wait_for_lines(3);
    server.call(&[b"CLIENT", b"KILL", b"TYPE", b"pubsub"]);
    run.finish();
    server.rcli(["SUBSCRIBE"]).status(2).complains(&["wrong number of arguments for SUBSCRIBE"]).run();
}

#[test]
fn monitor_in_capitals_is_the_servers_own_lines() {
    let server = Server::start();
    let mut run = server.rcli(["MONITOR"]).any_stdout().status(130).start();
    assert_eq!(run.next_line(), "OK");
    server.call(&[b"SET", b"k", b"a b"]);
    let line = run.next_line();
    assert!(line.contains(" [0 unix:") && line.ends_with(" \"SET\" \"k\" \"a b\""), "{line}");
    run.signal(Signal::INT);
    run.finish();
    server.wait_until("CLIENT LIST", |list| !list.contains("cmd=monitor"));
    let mut run = server.rcli(["--json", "MONITOR"]).any_stdout().status(130).start();
    server.wait_until("CLIENT LIST", |list| list.contains("cmd=monitor"));
    server.call(&[b"SET", b"k", b"v"]);
    while !run.next_line().contains(r#""command":"SET k v""#) {}
    run.signal(Signal::INT);
    run.finish();
}

#[test]
fn lines_act_on_the_subscription_and_other_commands_are_the_servers_to_refuse() {
    let server = Server::start();
    let mut run = subscribed(server.rcli(["--raw"]));
    run.send_line("SUBSCRIBE a b");
    assert_eq!(lines(&mut run, 6), ["subscribe", "a", "1", "subscribe", "b", "2"]);
    publish(&server, "b", "x");
    assert_eq!(lines(&mut run, 3), ["message", "b", "x"]);
    run.send_line("GET k");
    assert!(run.next_line().starts_with("ERR Can't execute 'get'"));
    // redis-cli writes an empty line behind an error.
    assert_eq!(run.next_line(), "");
    run.send_line("PING hello");
    assert_eq!(lines(&mut run, 2), ["pong", "hello"]);
    run.send_line("PSUBSCRIBE p*");
    assert_eq!(lines(&mut run, 3), ["psubscribe", "p*", "3"]);
    run.send_line("UNSUBSCRIBE");
    let mut left = [lines(&mut run, 3), lines(&mut run, 3)];
    left.sort_by(|one, other| one[1].cmp(&other[1]));
    assert_eq!([&left[0][1], &left[1][1]], ["a", "b"]);
    run.send_line("PUNSUBSCRIBE p*");
    assert_eq!(lines(&mut run, 3), ["punsubscribe", "p*", "0"]);
    run.send_line("SET k v");
    run.send_line("GET k");
    assert_eq!(lines(&mut run, 2), ["OK", "v"]);
    let finished = run.finish();
    assert_eq!(finished.code, 1);
    let told = String::from_utf8_lossy(&finished.stderr).into_owned();
    assert!(told.starts_with("rcli: stdin:2: GET k: ERR Can't execute"), "{told}");
}

#[test]
fn in_resp3_other_commands_run_and_what_comes_between_is_written() {
    let server = Server::start();
    let mut run = subscribed(server.rcli(["--raw", "-3"]));
    run.send_line("SUBSCRIBE a");
    assert_eq!(lines(&mut run, 3), ["subscribe", "a", "1"]);
    run.send_line("CLIENT TRACKING ON");
    run.send_line("SET k 42");
    run.send_line("GET k");
    assert_eq!(lines(&mut run, 3), ["OK", "OK", "42"]);
    server.call(&[b"DEL", b"k"]);
    assert_eq!(lines(&mut run, 2), ["invalidate", "k"]);
    // Messages are written while a command waits for its reply.
    run.send_line("BLPOP list 0");
    server.wait_until("INFO clients", |info| info.contains("blocked_clients:1"));
    publish(&server, "a", "meanwhile");
    assert_eq!(lines(&mut run, 3), ["message", "a", "meanwhile"]);
    server.call(&[b"RPUSH", b"list", b"x"]);
    assert_eq!(lines(&mut run, 2), ["list", "x"]);
    run.send_line("RESET");
    run.send_line("PING");
    assert_eq!(lines(&mut run, 2), ["RESET", "PONG"]);
    assert_eq!(run.finish().code, 0);
}

#[test]
fn reset_and_quit_end_the_subscription_and_the_end_of_the_input_does_not() {
    let server = Server::start();
    let mut run = subscribed(server.rcli(["--raw", "-n", "3"]));
    run.send_line("SUBSCRIBE a");
    run.send_line("RESET");
    run.send_line("CLIENT INFO");
    let found = lines(&mut run, 5);
    assert_eq!(found[3], "RESET");
    // As at the start: the database is the option's.
    assert!(found[4].contains(" db=3 ") && found[4].contains(" sub=0 "), "{}", found[4]);
    run.send_line("SUBSCRIBE a");
    run.send_line("QUIT");
    run.wait_for_lines(8);
    assert_eq!(run.finish_with_open_stdin().code, 0);

    let mut run = subscribed(server.rcli(["--raw"]));
    run.send_line("SUBSCRIBE a");
    run.close_stdin();
    assert_eq!(lines(&mut run, 3), ["subscribe", "a", "1"]);
    publish(&server, "a", "later");
    assert_eq!(lines(&mut run, 3), ["message", "a", "later"]);
    run.signal(Signal::INT);
    assert_eq!(run.finish().code, 130);
}

#[test]
fn a_refused_subscription_is_an_error_like_any_other() {
    let server = Server::start();
    server.ask("ACL SETUSER u on nopass +@all resetchannels");
    let run = server.rcli(["--raw", "--user", "u", "-a", "x", "--no-auth-warning"]).stdin("SUBSCRIBE a b\nPING\n");
    run.any_stdout().status(1).complains(&["stdin:1: SUBSCRIBE a b: NOPERM"]).run();
    // A server that is no node of a cluster is taken as it is.
    server.rcli(["-c", "--raw"]).stdin("SUBSCRIBE a\nRESET\n").prints("subscribe\na\n1\nRESET\n").run();
}

#[test]
fn as_on_a_terminal_it_says_that_messages_are_read() {
    let server = Server::start();
    let reading = "Reading messages... (press Ctrl-C to quit or any key to type command)\r";
    let run = server.rcli(["-2"]).env("FAKETTY", "1");
    let mut run = run.interactive().any_stdout().any_stderr().status(2).start();
    run.send_line("subscribe a");
    run.wait_for_lines(3);
    run.send_line("get \"k");
    run.send_line("reset");
    run.send_line("ping");
    run.wait_for_lines(6);
    let out = run.finish().stdout;
    let expected = format!(
        "1) \"subscribe\"\n2) \"a\"\n3) (integer) 1\n{reading}\x1b[KInvalid argument(s)\n{reading}\x1b[KRESET\nPONG\n"
    );
    // How often it waits between two lines depends on when they come.
    let squeezed = String::from_utf8_lossy(&out).replace(&format!("{reading}\x1b[K"), "");
    assert_eq!(squeezed, expected.replace(&format!("{reading}\x1b[K"), ""));
    assert!(String::from_utf8_lossy(&out).contains(&format!("(integer) 1\n{reading}\x1b[K")));
}

#[test]
fn a_line_that_comes_in_pieces_changes_nothing_on_the_terminal_before_it_is_whole() {
    let server = Server::start();
    let reading = "Reading messages... (press Ctrl-C to quit or any key to type command)\r";
    let mut run = server.rcli(["-2"]).env("FAKETTY", "1").interactive().any_stdout().start();
    run.send_line("subscribe a");
    run.wait_for_lines(3);
    for (piece, lines) in [("r", 6), ("es", 9), ("e", 12)] {
        run.send(piece);
        server.call(&[b"PUBLISH", b"a", b"m"]);
        run.wait_for_lines(lines);
    }
    run.send("t\n");
    let out = run.finish().stdout;
    let message = "1) \"message\"\n2) \"a\"\n3) \"m\"\n";
    let told = format!("{reading}\x1b[K{message}").repeat(3);
    let expected = format!("1) \"subscribe\"\n2) \"a\"\n3) (integer) 1\n{told}{reading}\x1b[KRESET\n");
    assert_eq!(String::from_utf8_lossy(&out), expected);
}

#[test]
fn a_bare_number_before_a_command_repeats_it() {
    let server = Server::start();
    let run =
        server.rcli(["--raw"]).stdin("3 INCR n\n  2 incr n\nGET n\n\"2\" GET n\n[\"2\",\"GET\",\"n\"]\n0 GET n\n");
    let finished = run.any_stdout().any_stderr().status(1).run();
    let out = String::from_utf8_lossy(&finished.stdout).into_owned();
    assert!(out.starts_with("1\n2\n3\n4\n5\n5\nERR unknown command '2'"), "{out}");
    assert_eq!(server.ask("GET n"), "5");
    // In a block too.
    let run = server.rcli(["--raw"]).stdin("MULTI\n2 INCR m\nEXEC\n");
    run.prints("OK\nQUEUED\nQUEUED\n1\n2\n").run();
}

#[test]
fn what_valkey_cli_tells_of_its_mode_is_told() {
    let server = Server::start();
    let mut run = subscribed(server.rcli(["--raw"]));
    run.send_line(":get pubsub");
    assert_eq!(run.next_line(), "0");
    run.send_line("SSUBSCRIBE s");
    assert_eq!(lines(&mut run, 3), ["ssubscribe", "s", "1"]);
    run.send_line(":get pubsub");
    run.send_line("SUNSUBSCRIBE");
    run.send_line(":get pubsub");
    assert_eq!(lines(&mut run, 5), ["1", "sunsubscribe", "s", "0", "0"]);
    run.finish();
}

#[test]
fn a_fake_terminal_has_the_formats_of_a_real_one() {
    let server = Server::start();
    server.rcli(["SET", "k", "v"]).env("FAKETTY", "1").prints("OK\n").run();
    server.rcli(["GET", "k"]).env("FAKETTY", "1").prints("\"v\"\n").run();
    server.rcli(["--raw", "GET", "k"]).env("FAKETTY", "1").prints("v\n").run();
    server.rcli([""; 0]).env("FAKETTY", "1").stdin("get k\n").prints("\"v\"\n").run();
}

fn confirmation(mark: char) -> String {
    format!("{mark}3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n")
}

fn message(mark: char) -> String {
    format!("{mark}3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n")
}

#[test]
fn a_peer_that_falls_silent_under_a_subscription_of_lines_is_found_within_30_s() {
    let peer = peer().answers([send(confirmation('*')), Answer::Silence]).start();
    let run = peer.rcli(["--raw"]).stdin("SUBSCRIBE a\n").prints("subscribe\na\n1\n").status(3);
    run.complains(&["connection lost: the server has given no sign of life for 25 s"]).run();
    assert_eq!(peer.ordinary(), ["SUBSCRIBE a", "PING"]);
}

#[test]
fn a_sign_of_life_answers_no_line() {
    let pongs =
        [("-3", '>', "+PONG\r\n"), ("-2", '*', "*2\r\n$4\r\npong\r\n$0\r\n\r\n"), ("-2", '*', "-NOPERM no\r\n")];
    let runs = pongs.map(|(protocol, mark, pong)| {
        let heard = [send(message(mark)), send([pong.to_owned(), message(mark)].concat()), send("+RESET\r\n")];
        let peer = peer().answers([send(confirmation(mark)), send("")]).start();
        let mut run = peer.rcli(["--raw", protocol]).interactive().any_stdout().start();
        run.send_line("SUBSCRIBE a");
        assert_eq!(lines(&mut run, 3), ["subscribe", "a", "1"]);
        (run, peer, heard)
    });
    for (mut run, peer, [first, second, reset]) in runs {
        peer.wait_for_commands(2);
        // Nothing but a message has come, and the sign of life is still owed: the line waits for it.
        let Answer::Send(first) = first else { panic!("no answer") };
        peer.say(&first);
        assert_eq!(lines(&mut run, 3), ["message", "a", "x"]);
        peer.set("RESET", reset);
        run.send_line("RESET");
        let Answer::Send(second) = second else { panic!("no answer") };
        peer.say(&second);
        assert_eq!(lines(&mut run, 4), ["message", "a", "x", "RESET"]);
        run.finish();
        assert_eq!(peer.ordinary()[..3], ["SUBSCRIBE a", "PING", "RESET"]);
    }
}

#[test]
fn where_a_server_has_no_hello_messages_are_no_replies() {
    let refused = [message('*').as_str(), "-ERR only (P)SUBSCRIBE allowed\r\n"].concat();
    let peer = peer().hello(send("-ERR unknown command 'HELLO'\r\n")).answers([send(confirmation('*')), send(refused)]);
    let peer = peer.always("UNSUBSCRIBE", send("*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n")).start();
    let run = peer.rcli(["--json"]).stdin("SUBSCRIBE a\nGET k\nUNSUBSCRIBE\n").any_stdout().status(1);
    let out = String::from_utf8_lossy(&run.complains(&["GET k: ERR only"]).run().stdout).into_owned();
    let kinds = ["\"subscribe\"", "\"message\"", "\"error\"", "\"unsubscribe\""];
    assert!(out.lines().count() == 4 && out.lines().zip(kinds).all(|(line, kind)| line.contains(kind)), "{out}");
}

#[test]
fn a_connection_that_is_opened_again_is_subscribed_to_nothing() {
    let server = Server::start();
    let lines = "SUBSCRIBE a\nCLIENT KILL TYPE pubsub SKIPME no\nPING\nPING\n:get pubsub\n";
    let run = server.rcli(["--raw", "-3"]).called("redis-cli").stdin(lines).any_stdout().any_stderr().status(3).run();
    let out = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(out.ends_with("\nPONG\n0\n"), "{out}");
}
