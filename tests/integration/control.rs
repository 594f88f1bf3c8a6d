//! `--control`: lines on stdin change a running subscription (contract section 8). The dictionaries are redis-py's for
//! the same calls of its PubSub, in their order.

use crate::rcli::Rcli;
use crate::running::Running;
use crate::server::Server;

/// A line of a dictionary; `channel` as JSON.
fn said(kind: &str, channel: &str, data: &str) -> String {
    format!("{{\"type\":\"{kind}\",\"pattern\":null,\"channel\":{channel},\"data\":{data}}}\n")
}

/// The dictionaries of `(type, channel, data)`.
fn all_said(said_of: &[(&str, &str, &str)]) -> String {
    said_of.iter().map(|(kind, channel, data)| said(kind, channel, data)).collect()
}

/// Sends control lines one by one, and takes the dictionary that each of them gives.
fn tell(run: &mut Running, line: &str, kind: &str, channel: &str, data: &str) {
    run.send_line(line);
    assert_eq!(run.next_line() + "\n", said(kind, channel, data), "{line}");
}

/// `sub --control` that is told lines later, over either protocol.
fn controlled(server: &Server, args: &[&str]) -> Rcli {
    server.rcli(["sub", "--control"]).args(args).interactive().any_stdout()
}

#[test]
fn the_same_calls_give_the_dictionaries_of_redis_py_in_their_order() {
    let server = Server::start();
    let lines = [
        "SUBSCRIBE a b a",
        "psubscribe n* \"d e\"",
        "SUBSCRIBE a",
        "PING",
        "PING \"are you there\"",
        "UNSUBSCRIBE a a never",
        "UNSUBSCRIBE",
        "UNSUBSCRIBE",
        "[\"SSUBSCRIBE\", \"s\"]",
        "PUNSUBSCRIBE \"d e\"",
        "# a comment",
        "",
        "SUNSUBSCRIBE",
        "SUNSUBSCRIBE",
        "PUNSUBSCRIBE",
        "PUNSUBSCRIBE",
        "PING alone",
        "UNSUBSCRIBE x",
    ];
    let expected = all_said(&[
        ("subscribe", "\"a\"", "1"),
        ("subscribe", "\"b\"", "2"),
        ("psubscribe", "\"n*\"", "3"),
        ("psubscribe", "\"d e\"", "4"),
        ("subscribe", "\"a\"", "4"),
        ("pong", "null", "\"\""),
        ("pong", "null", "\"are you there\""),
        ("unsubscribe", "\"a\"", "3"),
        ("unsubscribe", "\"a\"", "3"),
        ("unsubscribe", "\"never\"", "3"),
        ("unsubscribe", "\"b\"", "2"),
        ("unsubscribe", "null", "2"),
        ("ssubscribe", "\"s\"", "1"),
        ("punsubscribe", "\"d e\"", "1"),
        ("sunsubscribe", "\"s\"", "0"),
        ("sunsubscribe", "null", "0"),
        ("punsubscribe", "\"n*\"", "0"),
        ("punsubscribe", "null", "0"),
        ("pong", "null", "\"alone\""),
        ("unsubscribe", "\"x\"", "0"),
    ]);
    for protocol in ["-2", "-3"] {
        for verb in ["sub", "psub", "ssub"] {
            server.rcli([protocol, verb, "--control"]).stdin(lines.join("\n")).prints(&expected).run();
        }
        // One by one, as a person or a coprocess sends them.
        let mut run = server.rcli([protocol, "sub", "--control"]).interactive().prints(&expected).start();
        for line in lines {
            run.send_line(line);
        }
        run.wait_for_lines(20);
        run.close_stdin();
        run.finish();
    }
}

#[test]
fn messages_come_of_what_is_subscribed_now() {
    let server = Server::start();
    let mut run = controlled(&server, &["a", "--count", "3"]).start();
    assert_eq!(run.next_line() + "\n", said("subscribe", "\"a\"", "1"));
    tell(&mut run, "SUBSCRIBE b", "subscribe", "\"b\"", "2");
    server.ask("PUBLISH b 1");
    assert!(run.next_line().contains("\"data\":\"1\""));
    tell(&mut run, "UNSUBSCRIBE b", "unsubscribe", "\"b\"", "1");
    assert_eq!(server.ask("PUBLISH b 2"), "0");
    tell(&mut run, "UNSUBSCRIBE", "unsubscribe", "\"a\"", "0");
    // Nothing is subscribed, and that is no end.
    tell(&mut run, "PING x", "pong", "null", "\"x\"");
    tell(&mut run, "PSUBSCRIBE c*", "psubscribe", "\"c*\"", "1");
    server.ask("PUBLISH c1 3");
    server.ask("PUBLISH c2 4");
    let out = run.finish().out();
    assert!(out.ends_with("\"channel\":\"c2\",\"data\":\"4\"}\n"), "{out}");
}

#[test]
fn a_bad_line_is_named_and_changes_nothing() {
    let server = Server::start();
    let lines = "GET k\nSUBSCRIBE\nSUBSCRIBE \"a\nPING a b\nPSUBSCRIBE ok\nAUTH secret\n";
    let run = server.rcli(["sub", "--control"]).stdin(lines).status(2);
    run.prints(said("psubscribe", "\"ok\"", "1"))
        .reports_among(&[
            "rcli: stdin:1: GET k changes no subscription: SUBSCRIBE, ",
            "rcli: stdin:2: wrong number of arguments for SUBSCRIBE",
            "rcli: stdin:3: a quote is not closed\n  SUBSCRIBE \"a\n            ^\n",
            "rcli: stdin:4: wrong number of arguments for PING",
            "rcli: stdin:6: AUTH ",
        ])
        .run();
}
