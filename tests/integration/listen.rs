//! `sub`, `psub` and `ssub`: dictionaries, options, limits and ends (contract section 8).

use crate::peer::{peer, send};
use crate::resp::bulk;
use crate::running::Running;
use crate::server::{DEADLINE, Server};
use rustix::process::Signal;
use std::io::Read as _;

/// Publishes bytes to a channel; how many got them.
fn publish(server: &Server, channel: &[u8], data: &[u8]) -> String {
    server.call(&[b"PUBLISH", channel, data]).to_string()
}

/// A confirmation, as a line.
fn confirmed(kind: &str, channel: &str, count: u32) -> String {
    format!("{{\"type\":\"{kind}\",\"pattern\":null,\"channel\":\"{channel}\",\"data\":{count}}}\n")
}

#[test]
fn both_protocols_give_the_same_exact_dictionaries() {
    let server = Server::start();
    for protocol in ["-2", "-3"] {
        let expected = [
            r#"{"type":"subscribe","pattern":null,"channel":"news","data":1}"#,
            r#"{"type":"psubscribe","pattern":null,"channel":"n*","data":2}"#,
            r#"{"type":"message","pattern":null,"channel":"news","data":"hello"}"#,
            r#"{"type":"pmessage","pattern":"n*","channel":"news","data":"hello"}"#,
            r#"{"type":"pmessage","pattern":"n*","channel":"nights","data":"é\n\u0000"}"#,
            r#"{"type":"pmessage","pattern":"n*","channel":{"base64":"bv8="},"data":{"base64":"/wA="}}"#,
            "",
        ];
        let run = server.rcli([protocol, "sub", "news", "--pattern", "n*", "--count", "4"]);
        let mut run = run.prints(expected.join("\n")).start();
        run.wait_for_lines(2);
        assert_eq!(publish(&server, b"news", b"hello"), "2");
        publish(&server, b"nights", "é\n\0".as_bytes());
        publish(&server, b"n\xff", b"\xff\0");
        run.finish();
    }
}

#[test]
fn shard_channels_have_their_own_types() {
    let server = Server::start();
    for protocol in ["-2", "-3"] {
        let expected = confirmed("ssubscribe", "orders", 1)
            + "{\"type\":\"smessage\",\"pattern\":null,\"channel\":\"orders\",\"data\":\"{}\"}\n";
        let mut run = server.rcli([protocol, "ssub", "orders", "--count", "1"]).prints(expected).start();
        run.wait_for_lines(1);
        server.ask("SPUBLISH orders {}");
        run.finish();
    }
}

#[test]
fn psub_takes_channels_too_and_a_name_given_twice_counts_once() {
    let server = Server::start();
    let expected =
        confirmed("psubscribe", "a*", 1) + &confirmed("psubscribe", "b*", 2) + &confirmed("subscribe", "c", 3);
    let run = server.rcli(["psub", "a*", "b*", "a*", "--channel", "c"]).prints(expected).status(130);
    run.start().interrupt_after(3);
    let expected = confirmed("subscribe", "c", 1);
    server.rcli(["sub", "c", "c", "--channel", "c"]).status(2).complains(&["--channel"]).run();
    server.rcli(["sub", "c", "c"]).prints(expected).status(130).start().interrupt_after(1);
}

#[test]
fn confirmations_are_left_out_and_do_not_count() {
    let server = Server::start();
    let run = server.rcli(["sub", "-m", "a", "b", "--count", "1"]);
    let run = run.prints("{\"type\":\"message\",\"pattern\":null,\"channel\":\"b\",\"data\":\"x\"}\n").start();
    server.wait_until("PUBSUB NUMSUB b", |reply| reply == "[b, 1]");
    publish(&server, b"b", b"x");
    run.finish();
}

#[test]
fn data_that_is_json_is_nested_and_stays_on_one_line() {
    let server = Server::start();
    let cases = [
        (
            "{\"a\": 1.00, \"b\":\n 123456789012345678901234567890}",
            "{\"a\": 1.00, \"b\": 123456789012345678901234567890}",
        ),
        ("null", "null"),
        ("[1,\r\n2]", "[1,2]"),
        ("{\"a\":", "\"{\\\"a\\\":\""),
        ("NaN", "\"NaN\""),
        ("", "\"\""),
    ];
    let count = cases.len().to_string();
    let mut run = server.rcli(["sub", "c", "--data-json", "--count", &count]).any_stdout().start();
    run.wait_for_lines(1);
    for (data, _) in cases {
        publish(&server, b"c", data.as_bytes());
    }
    let out = run.finish().out();
    for ((_, expected), line) in cases.iter().zip(out.lines().skip(1)) {
        assert_eq!(line, format!("{{\"type\":\"message\",\"pattern\":null,\"channel\":\"c\",\"data\":{expected}}}"));
    }
    assert_eq!(out.lines().count(), cases.len() + 1);
}

#[test]
fn time_is_the_last_key_with_six_decimals() {
    let server = Server::start();
    let out = server.rcli(["sub", "c", "--time"]).any_stdout().status(130).start().interrupt_after(1).out();
    let time =
        out.trim_end().strip_prefix("{\"type\":\"subscribe\",\"pattern\":null,\"channel\":\"c\",\"data\":1,\"time\":");
    let time = time.and_then(|time| time.strip_suffix('}')).expect("the time");
    let (seconds, decimals) = time.split_once('.').expect("decimals");
    assert_eq!(decimals.len(), 6);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(now - seconds.parse::<u64>().unwrap() < 60);
}

#[test]
fn raw_is_payload_only_and_human_is_frames() {
    let server = Server::start();
    let run = server.rcli(["psub", "--raw", "n*", "--count", "2"]).prints(b"a\xff\nb\n").start();
    server.wait_until("PUBSUB NUMPAT", |count| count == "1");
    publish(&server, b"n1", b"a\xff");
    publish(&server, b"n1", b"b");
    run.finish();
    let frames = "1) \"psubscribe\"\n2) \"n*\"\n3) (integer) 1\n1) \"pmessage\"\n2) \"n*\"\n3) \"n1\"\n4) \"a\"\n";
    let mut run = server.rcli(["psub", "--human", "n*", "--count", "1"]).prints(frames).start();
    run.wait_for_lines(3);
    publish(&server, b"n1", b"a");
    run.finish();
}

#[test]
fn the_format_is_json_unless_an_option_or_the_environment_says_otherwise() {
    let server = Server::start();
    let run = || server.rcli(["sub", "c"]).status(130);
    server.rcli(["sub", "c", "--timeout", "0.05"]).env("RCLI_FORMAT", "raw").run();
    let human = run().env("RCLI_FORMAT", "human").prints("1) \"subscribe\"\n2) \"c\"\n3) (integer) 1\n");
    human.start().interrupt_after(3);
    let json = run().env("RCLI_FORMAT", "raw").args(["--json"]).prints(confirmed("subscribe", "c", 1));
    json.start().interrupt_after(1);
    let base64 = "{\"type\":\"subscribe\",\"pattern\":null,\"channel\":{\"base64\":\"Yw==\"},\"data\":1}\n";
    run().args(["--encoding", "base64"]).prints(base64).start().interrupt_after(1);
}

#[test]
fn limits_end_with_0_or_with_5_where_a_count_was_not_reached() {
    let server = Server::start();
    let runs = ["--timeout", "--idle"].map(|limit| {
        let expected = confirmed("subscribe", "c", 1);
        let counted = server.rcli(["sub", "c", limit, "1.25", "--count", "2"]).prints(&expected);
        let counted = counted.status(5).complains(&[limit, "1.25 s", "0 of 2 messages"]);
        [server.rcli(["sub", "c", limit, "1.25"]).prints(expected).start(), counted.start()]
    });
    for run in runs.into_iter().flatten() {
        run.finish();
    }
}

#[test]
fn a_time_limit_holds_while_messages_come_without_a_pause() {
    let peer = peer().start();
    let null = std::fs::OpenOptions::new().write(true).open("/dev/null").unwrap();
    let mut run = peer.rcli(["sub", "c", "--timeout", "0.5"]).stdout_to(null).start();
    peer.wait_for_commands(1);
    peer.say(&[b">3\r\n", bulk("subscribe").as_slice(), &bulk("c"), b":1\r\n"].concat());
    let flood = [b">3\r\n", bulk("message").as_slice(), &bulk("c"), &bulk("x")].concat().repeat(10_000);
    let begin = std::time::Instant::now();
    while run.is_running() {
        assert!(begin.elapsed() < DEADLINE, "the limit is not looked at");
        peer.say(&flood);
    }
    run.finish();
}

#[test]
fn a_message_begins_the_idle_time_anew() {
    let server = Server::start();
    let mut run = server.rcli(["sub", "c", "--idle", "2", "--count", "9"]).status(5).any_stdout().any_stderr().start();
    run.wait_for_lines(1);
    // Early in the idle time, so that a busy machine does not let it pass, and late enough to be seen.
    std::thread::sleep(std::time::Duration::from_millis(300));
    let published = std::time::Instant::now();
    publish(&server, b"c", b"x");
    run.wait_for_lines(2);
    run.finish();
    assert!(published.elapsed().as_secs_f64() >= 2.0);
}

#[test]
fn wrong_usage_is_named() {
    let server = Server::start();
    let cases: [(&[&str], &[&str]); 11] = [
        (&["sub"], &["CHANNEL"]),
        (&["psub"], &["PATTERN"]),
        (&["ssub"], &["SHARD_CHANNEL"]),
        (&["sub", "c", "--count", "0"], &["--count"]),
        (&["sub", "c", "--idle", "x"], &["--idle", "seconds"]),
        (&["sub", "c", "--idle", "1000000001"], &["--idle", "more than 1000000000 seconds"]),
        (&["sub", "c", "--no-reconnect", "--max-retries", "3"], &["--no-reconnect"]),
        (&["sub", "c", "--raw", "--time"], &["--time", "JSON"]),
        (&["sub", "c", "--human", "--data-json"], &["--data-json", "JSON"]),
        (&["sub", "c", "--raw", "--events"], &["--events", "JSON"]),
        (&["sub", "c", "--handler-jobs", "2"], &["--handler"]),
    ];
    for (args, parts) in cases {
        server.rcli(args).status(2).complains(parts).run();
    }
}

#[test]
fn a_refused_channel_is_named() {
    let server = Server::start();
    server.ask("ACL SETUSER bob on >pw +@all resetchannels &open*");
    let bob = ["--user", "bob", "-a", "pw", "--no-auth-warning"];
    let refused = ["refused", "NOPERM", "SUBSCRIBE closed"];
    server.rcli(bob).args(["sub", "closed"]).status(3).complains(&refused).run();
    let run = server.rcli(bob).args(["sub", "open", "closed"]).status(3);
    run.prints(confirmed("subscribe", "open", 1)).complains(&refused).run();
    server.rcli(bob).args(["psub", "c*"]).status(3).complains(&["NOPERM", "PSUBSCRIBE", "c*"]).run();
}

#[test]
fn a_server_without_shard_channels_is_told() {
    let script = peer().answers([send("-ERR unknown command `SSUBSCRIBE`, with args beginning with: `c`, \r\n")]);
    let peer = script.start();
    peer.rcli(["ssub", "c"]).status(3).complains(&["SSUBSCRIBE c", "no shard channels"]).run();
}

#[test]
fn other_pushes_are_shown_only_on_demand() {
    let confirmation = [b">3\r\n", bulk("subscribe").as_slice(), &bulk("c"), b":1\r\n"].concat();
    let push = [b">2\r\n", bulk("moving").as_slice(), b":7\r\n"].concat();
    let message = [b">3\r\n", bulk("message").as_slice(), &bulk("c"), &bulk("x")].concat();
    let answer = [confirmation, push, message].concat();
    for (option, shown) in [(None, ""), (Some("--show-pushes"), "{\"push\":[\"moving\",7]}\n")] {
        let peer = peer().answers([send(&answer)]).start();
        let run = peer.rcli(["sub", "c", "--count", "1"]).args(option);
        let heard = "{\"type\":\"message\",\"pattern\":null,\"channel\":\"c\",\"data\":\"x\"}\n";
        run.prints(confirmed("subscribe", "c", 1) + shown + heard).run();
    }
}

/// A subscriber of `c` that confirmed it.
fn subscribed(server: &Server, args: &[&str]) -> Running {
    let mut run = server.rcli(["sub", "c"]).args(args).any_stdout().start();
    run.wait_for_lines(1);
    run
}

#[test]
fn a_signal_ends_with_every_message_written() {
    let server = Server::start();
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut run = server.rcli(["sub", "c"]).any_stdout().status(status).start();
        run.wait_for_lines(1);
        // Stopped, it has read nothing of it when the signal comes.
        run.signal(Signal::STOP);
        let mut client = server.client();
        for number in 0..2000 {
            client.call(&[b"PUBLISH", b"c", number.to_string().as_bytes()]).unwrap();
        }
        server.wait_until("CLIENT LIST TYPE pubsub", |list| list.contains(" omem=0 "));
        run.signal(signal);
        run.signal(Signal::CONT);
        let out = run.finish().out();
        assert_eq!(out.lines().count(), 2001, "{}", out.lines().last().unwrap_or_default());
    }
}

#[test]
fn a_reader_that_has_enough_ends_it_quietly() {
    let server = Server::start();
    let run = server.rcli(["sub", "c"]).through_sh("{ \"$0\" \"$@\"; echo \"$?\" >&2; } | head -n 3");
    let run = run.any_stdout().reports("0\n").start();
    server.wait_until("PUBSUB NUMSUB c", |reply| reply == "[c, 1]");
    publish(&server, b"c", b"1");
    publish(&server, b"c", b"2");
    assert_eq!(run.finish().out().lines().count(), 3);
    server.wait_until("PUBSUB NUMSUB c", |reply| reply == "[c, 0]");
}

#[test]
fn a_reader_that_goes_away_is_noticed_while_nothing_comes() {
    let server = Server::start();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let run = server.rcli(["sub", "c"]).stdout_to(writer).start();
    let mut first = [0; 10];
    reader.read_exact(&mut first).unwrap();
    drop(reader);
    run.finish();
}

#[test]
fn output_that_cannot_be_written_is_status_3() {
    let server = Server::start();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    server.rcli(["sub", "c"]).stdout_to(full).status(3).complains(&["cannot write the output"]).run();
}

#[test]
fn a_message_of_100_mb_arrives_whole() {
    // By default a server drops a subscriber to whom it owes more than 32 MB.
    let server = Server::with_args(["--client-output-buffer-limit", "pubsub", "0", "0", "0"]);
    let data = vec![b'x'; 100 * 1024 * 1024];
    let run = subscribed(&server, &["--count", "1"]);
    publish(&server, b"c", &data);
    let finished = run.finish();
    let expected = "{\"type\":\"message\",\"pattern\":null,\"channel\":\"c\",\"data\":\"";
    let line = finished.stdout.split(|&byte| byte == b'\n').nth(1).unwrap();
    assert!(line.starts_with(expected.as_bytes()) && line.ends_with(b"x\"}"));
    assert_eq!(line.len(), expected.len() + data.len() + 2);
}

#[test]
fn shard_channels_are_added_to_either() {
    let server = Server::start();
    let ends = |verb: &str, name: &str, kind: &str| {
        let expected = confirmed(kind, name, 1) + &confirmed("ssubscribe", "s", 1) + &confirmed("ssubscribe", "t", 2);
        let run = server.rcli([verb, name, "--shard-channel", "s", "--shard-channel", "t"]).prints(expected);
        run.status(130).start().interrupt_after(3);
    };
    ends("sub", "c", "subscribe");
    ends("psub", "p*", "psubscribe");
    let run = server.rcli(["sub", "--shard-channel", "s", "--count", "1", "-m"]);
    let run = run.prints("{\"type\":\"smessage\",\"pattern\":null,\"channel\":\"s\",\"data\":\"x\"}\n").start();
    server.wait_until("PUBSUB SHARDNUMSUB s", |reply| reply == "[s, 1]");
    server.ask("SPUBLISH s x");
    run.finish();
}
