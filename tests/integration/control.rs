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

/// Takes the next line, which is to be an event of this kind.
fn next_event(run: &mut Running, kind: &str) {
    let line = run.next_line();
    assert!(line.starts_with(&format!("{{\"type\":\"{kind}\"")), "{line}");
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
    run.wait_for_lines(9);
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

/// Waits until there are that many subscribers to a channel.
fn wait_for_subscribers(server: &Server, channel: &str, count: usize) {
    server.wait_until(&format!("PUBSUB NUMSUB {channel}"), |reply| reply == format!("[{channel}, {count}]"));
}

#[test]
fn what_is_subscribed_now_is_subscribed_again_and_lines_meanwhile_are_carried_out_then() {
    let mut server = Server::start();
    let run = server.rcli(["sub", "a", "b", "--control", "--events"]).interactive().any_stdout();
    let mut run = run.reports_among(&["connection lost", "reconnected after"]).start();
    run.wait_for_lines(2);
    run.next_line();
    run.next_line();
    tell(&mut run, "UNSUBSCRIBE a", "unsubscribe", "\"a\"", "1");
    tell(&mut run, "PSUBSCRIBE p*", "psubscribe", "\"p*\"", "2");
    server.kill_nine();
    next_event(&mut run, "disconnected");
    run.send("SUBSCRIBE c\nUNSUBSCRIBE b\nPING back\n");
    server.restart();
    let again = [("subscribe", "\"b\"", "1"), ("psubscribe", "\"p*\"", "2")];
    assert_eq!([run.next_line(), run.next_line()].join("\n") + "\n", all_said(&again));
    next_event(&mut run, "reconnected");
    let then = [("subscribe", "\"c\"", "3"), ("unsubscribe", "\"b\"", "2"), ("pong", "null", "\"back\"")];
    assert_eq!([run.next_line(), run.next_line(), run.next_line()].join("\n") + "\n", all_said(&then));
    let channels = server.ask("PUBSUB CHANNELS");
    assert_eq!(channels, "[c]");
    run.close_stdin();
    run.finish();
}

#[test]
fn nothing_subscribed_is_a_connection_all_the_same() {
    let server = Server::start();
    let run = server.rcli(["-2", "sub", "--control", "--events"]).interactive().any_stdout();
    let mut run = run.reports_among(&["connection lost", "reconnected after"]).start();
    tell(&mut run, "UNSUBSCRIBE", "unsubscribe", "null", "0");
    server.ask("CLIENT KILL TYPE normal");
    next_event(&mut run, "disconnected");
    next_event(&mut run, "reconnected");
    tell(&mut run, "SUBSCRIBE a", "subscribe", "\"a\"", "1");
    run.close_stdin();
    run.finish();
    server.rcli(["sub", "--control", "--no-reconnect"]).stdin("").prints("").run();
}

#[test]
fn a_refused_channel_ends_nothing_and_is_not_asked_for_again() {
    let server = Server::start();
    assert_eq!(server.ask("ACL SETUSER u on >p +@all resetchannels &ok*"), "OK");
    let args = ["--user", "u", "-a", "p", "--no-auth-warning", "sub", "ok", "--control", "--events"];
    let run = server.rcli(args).interactive().any_stdout().status(1);
    let mut run = run.reports_among(&["SUBSCRIBE secret was refused: NOPERM"]).start();
    run.wait_for_lines(1);
    run.next_line();
    run.send("SUBSCRIBE secret ok2\n");
    let refused = run.next_line();
    assert!(refused.starts_with("{\"type\":\"refused\",\"reason\":\"SUBSCRIBE secret was"), "{refused}");
    assert!(refused.contains(",\"channel\":\"secret\",\"server\":"), "{refused}");
    assert_eq!(run.next_line() + "\n", said("subscribe", "\"ok2\"", "2"));
    server.ask("CLIENT KILL TYPE pubsub");
    next_event(&mut run, "disconnected");
    assert_eq!(run.next_line() + "\n", said("subscribe", "\"ok\"", "1"));
    assert_eq!(run.next_line() + "\n", said("subscribe", "\"ok2\"", "2"));
    next_event(&mut run, "reconnected");
    tell(&mut run, "UNSUBSCRIBE ok2", "unsubscribe", "\"ok2\"", "1");
    run.close_stdin();
    run.finish();
    // What is named at the start is refused as without --control.
    let run = server.rcli(["--user", "u", "-a", "p", "--no-auth-warning", "sub", "secret", "--control"]);
    run.stdin("").status(3).complains(&["SUBSCRIBE secret was refused: NOPERM"]).run();
}

#[test]
fn keep_goes_on_behind_the_end_of_stdin() {
    let server = Server::start();
    let run = server.rcli(["sub", "--control=keep", "--count", "1"]).stdin("SUBSCRIBE a\n").any_stdout();
    let mut run = run.start();
    run.wait_for_lines(1);
    server.ask("PUBLISH a x");
    assert!(run.finish().out().ends_with("\"data\":\"x\"}\n"));
    server.rcli(["sub", "--control=never"]).stdin("").status(2).complains(&["--control"]).run();
}

#[test]
fn limits_and_formats_hold_as_without_it() {
    let server = Server::start();
    let lines = "SUBSCRIBE a\nPING here\n";
    server.rcli(["sub", "-m", "--control"]).stdin(lines).prints(said("pong", "null", "\"here\"")).run();
    server.rcli(["sub", "--control", "--raw"]).stdin(lines).prints("here\n").run();
    let human = "1) \"subscribe\"\n2) \"a\"\n3) (integer) 1\n1) \"pong\"\n2) \"here\"\n";
    server.rcli(["sub", "--control", "--human"]).stdin(lines).prints(human).run();
    let run = server.rcli(["sub", "--control=keep", "--timeout", "0.3"]).stdin(lines);
    run.any_stdout().run();
    let run = server.rcli(["sub", "--control=keep", "--idle", "0.3", "--count", "1"]).stdin(lines);
    run.any_stdout().status(5).complains(&["--idle"]).run();
    // A bad line counts more than a limit.
    let run = server.rcli(["sub", "--control=keep", "--idle", "0.3", "--count", "1"]).stdin("GET k\n");
    run.any_stdout().status(2).reports_among(&["stdin:1: GET k", "--idle"]).run();
}

#[test]
fn handlers_are_for_names_that_are_subscribed_later_too() {
    let server = Server::start();
    let run = controlled(&server, &["-m", "--count", "2", "--handler", "later=echo \"$RCLI_CHANNEL\" \"$(cat)\""]);
    let mut run = run.start();
    run.send("SUBSCRIBE later other\n");
    wait_for_subscribers(&server, "other", 1);
    server.ask("PUBLISH later x");
    server.ask("PUBLISH other y");
    run.wait_for_lines(2);
    let out = run.finish().out();
    let handled = "later {\"type\":\"message\",\"pattern\":null,\"channel\":\"later\",\"data\":\"x\"}\n";
    assert!(out.contains(handled) && out.contains("\"channel\":\"other\",\"data\":\"y\"}\n"), "{out}");
    assert_eq!(out.lines().count(), 2, "{out}");
}

#[test]
fn a_flood_hides_no_line_and_no_line_loses_a_message() {
    const MESSAGES: usize = 20_000;
    let server = Server::start();
    let mut run = controlled(&server, &["steady"]).start();
    run.wait_for_lines(1);
    let lines: String = (0..500).map(|at| format!("SUBSCRIBE c{at}\nUNSUBSCRIBE c{at}\n")).collect();
    let publisher = std::thread::spawn({
        let mut client = server.client();
        move || {
            let script = b"for at = ARGV[1], ARGV[2] do redis.call('PUBLISH', 'steady', math.floor(at)) end";
            for first in (0..MESSAGES).step_by(200) {
                let (first, last) = (first.to_string(), (first + 199).to_string());
                client.call(&[b"EVAL", script, b"0", first.as_bytes(), last.as_bytes()]).unwrap();
            }
        }
    });
    run.send(lines);
    run.send_line("PING end");
    publisher.join().unwrap();
    run.wait_for_lines(1 + MESSAGES + 1000 + 1);
    run.close_stdin();
    let out = run.finish().out();
    let of = |kind: &str| out.lines().filter(|line| line.starts_with(&format!("{{\"type\":\"{kind}\""))).count();
    assert_eq!([of("message"), of("subscribe"), of("unsubscribe"), of("pong")], [MESSAGES, 501, 500, 1]);
    let numbers: Vec<usize> = out
        .lines()
        .filter(|line| line.starts_with("{\"type\":\"message\""))
        .map(|line| line.rsplit('"').nth(1).unwrap().parse().unwrap())
        .collect();
    assert!(numbers.iter().copied().eq(0..MESSAGES), "a message is lost or out of order");
}

#[test]
fn a_user_who_may_not_ping_changes_a_subscription_all_the_same() {
    let server = Server::start();
    assert_eq!(server.ask("ACL SETUSER u on >p -@all +hello +auth +subscribe +unsubscribe &*"), "OK");
    let run = server.rcli(["--user", "u", "-a", "p", "--no-auth-warning", "sub", "--control"]);
    let run = run.stdin("SUBSCRIBE a\nPING\nUNSUBSCRIBE\nUNSUBSCRIBE\n").status(1);
    run.prints(all_said(&[("subscribe", "\"a\"", "1"), ("unsubscribe", "\"a\"", "0"), ("unsubscribe", "null", "0")]))
        .reports_among(&["PING was refused: NOPERM"])
        .run();
}

#[test]
fn raw_resp_is_read_and_what_is_cut_short_is_named() {
    let server = Server::start();
    let lines = "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n*1\r\n$11\r\nUNSUBSCRIBE\r\n";
    let told = all_said(&[("subscribe", "\"a\"", "1"), ("unsubscribe", "\"a\"", "0")]);
    server.rcli(["sub", "--control"]).stdin(lines).prints(&told).run();
    let run = server.rcli(["sub", "--control"]).stdin(format!("{lines}*2\r\n$9\r\nSUB")).status(2);
    run.prints(&told).complains(&["the input ends inside a RESP command"]).run();
}

#[test]
fn what_a_lost_connection_was_asked_is_answered_by_the_next_or_is_over() {
    let mut server = Server::start();
    let run = server.rcli(["sub", "a", "--control", "--events"]).interactive().any_stdout().any_stderr();
    let mut run = run.start();
    assert_eq!(run.next_line() + "\n", said("subscribe", "\"a\"", "1"));
    tell(&mut run, "PING", "pong", "null", "\"\"");
    server.hang();
    run.send("UNSUBSCRIBE a\nPING still\n");
    // The lines are on their way once rcli has read them, which it does before it looks at the loss.
    std::thread::sleep(std::time::Duration::from_millis(100));
    server.kill_nine();
    server.restart();
    // Whether they were sent before or are carried out after the reconnect: nobody has `a`, and PING is answered.
    let mut lines = Vec::new();
    while !lines.last().is_some_and(|line: &String| line.contains("\"still\"")) {
        lines.push(run.next_line());
    }
    let text = lines.join("\n");
    assert!(text.contains(said("unsubscribe", "\"a\"", "0").trim_end()), "{text}");
    assert_eq!(server.ask("PUBSUB CHANNELS"), "[]");
    run.close_stdin();
    run.finish();
}
