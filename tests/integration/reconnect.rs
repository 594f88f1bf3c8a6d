//! Lost connections of streams: found, told, regained with everything subscribed again (contract section 8).

use crate::peer::{Answer, close, peer, send};
use crate::resp::bulk;
use crate::server::{Server, free_port, wait_for};
use rustix::process::Signal;
use std::io::Read as _;
use std::time::{Duration, Instant};

/// A confirmation in RESP3.
fn confirmation() -> Vec<u8> {
    [b">3\r\n", bulk("subscribe").as_slice(), &bulk("c"), b":1\r\n"].concat()
}

/// A message in RESP3.
fn message(data: &str) -> Vec<u8> {
    [b">3\r\n", bulk("message").as_slice(), &bulk("c"), &bulk(data)].concat()
}

/// The data of the messages among the lines.
fn data_of(out: &str) -> Vec<&str> {
    let messages = out.lines().filter(|line| line.starts_with("{\"type\":\"message\""));
    messages.map(|line| line.rsplit("\"data\":\"").next().unwrap().trim_end_matches("\"}")).collect()
}

#[test]
fn a_server_restart_is_told_and_everything_subscribed_again() {
    let mut server = Server::start();
    let run = server.rcli(["sub", "c", "--pattern", "p*", "--events", "--count", "2"]);
    let mut run =
        run.any_stdout().reports_among(&["connection lost", "reconnecting", "reconnected after", "lost"]).start();
    run.wait_for_lines(2);
    server.kill_nine();
    let lost = loop {
        let line = run.next_line();
        if line.contains("disconnected") {
            break line;
        }
    };
    assert!(lost.starts_with("{\"type\":\"disconnected\",\"reason\":\""), "{lost}");
    server.restart();
    run.wait_for_lines(6);
    server.ask("PUBLISH c one");
    server.ask("PUBLISH p1 two");
    let finished = run.finish();
    let out = finished.out();
    let kinds: Vec<&str> = out.lines().map(|line| line.split('"').nth(3).unwrap()).collect();
    let expected =
        ["subscribe", "psubscribe", "disconnected", "subscribe", "psubscribe", "reconnected", "message", "pmessage"];
    assert_eq!(kinds, expected);
    let gap = out.lines().nth(5).unwrap().split("\"gap\":").nth(1).unwrap().split(',').next().unwrap();
    assert!(gap.parse::<f64>().unwrap() > 0.0);
    assert_eq!(finished.err().lines().count(), 2);
}

#[test]
fn a_killed_connection_doubles_no_message() {
    let server = Server::start();
    let mut run = server.rcli(["sub", "c", "--count", "20"]).any_stdout().any_stderr().start();
    run.wait_for_lines(1);
    for number in 0..20 {
        server.ask(&format!("PUBLISH c {number}"));
        if number % 5 == 4 && number < 19 {
            run.wait_for_lines(number + 2 + number / 5);
            server.ask("CLIENT KILL TYPE pubsub");
            // The confirmation of the new connection.
            run.wait_for_lines(number + 3 + number / 5);
        }
    }
    let out = run.finish().out();
    assert_eq!(data_of(&out), (0..20).map(|number: i32| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_new_connection_that_is_lost_before_it_hears_everything_is_part_of_the_same_loss() {
    let confirm = |name: &str| [b">3\r\n", bulk("subscribe").as_slice(), &bulk(name), b":1\r\n"].concat();
    let answers = [
        [send(confirm("c")), close(confirm("d"))],
        [send(confirm("c")), close("")],
        [send(confirm("c")), send([confirm("d"), message("x")].concat())],
    ];
    let peer = peer().answers(answers.concat()).start();
    let run = peer.rcli(["sub", "c", "d", "--events", "--count", "1"]).any_stdout();
    let finished = run.reports_among(&["connection lost", "reconnected after"]).run();
    let out = finished.out();
    let types: Vec<&str> = out.lines().map(|line| line.split('"').nth(3).unwrap()).collect();
    let (twice, once) = (["subscribe"; 2], ["subscribe"; 1]);
    let expected = [&twice[..], &["disconnected"], &once, &twice, &["reconnected", "message"]].concat();
    assert_eq!(types, expected, "{out}");
    assert_eq!((peer.connections(), finished.err().lines().count()), (3, 2), "{}", finished.err());
}

#[test]
fn no_reconnect_ends_with_3() {
    let server = Server::start();
    let run = server.rcli(["sub", "c", "--no-reconnect"]).any_stdout().status(3);
    let mut run = run.complains(&["connection lost", "closed the connection"]).start();
    run.wait_for_lines(1);
    server.ask("CLIENT KILL TYPE pubsub");
    let err = run.finish().err();
    assert!(!err.contains("nothing was read"), "it was read all the while: {err}");
}

#[test]
fn pauses_between_tries_double() {
    let peer = peer().answers([send(confirmation())]).start();
    let run = peer.rcli(["sub", "c", "--max-retries", "4"]).any_stdout().status(3);
    let mut run = run.reports_among(&["not regained with 4 tries"]).start();
    run.wait_for_lines(1);
    peer.set("HELLO", close(""));
    let begin = Instant::now();
    peer.hang_up();
    run.finish();
    assert_eq!(peer.connections(), 5);
    assert!(begin.elapsed() >= Duration::from_millis(100 + 200 + 400 + 800), "{:?}", begin.elapsed());
}

#[test]
fn tries_begin_anew_after_a_connection_that_held_for_a_second() {
    let server = Server::start();
    let run = server.rcli(["sub", "c", "--max-retries", "1"]).any_stdout().status(3);
    let mut run = run.reports_among(&["reconnected after", "not regained with 1 try"]).start();
    for confirmations in 1..=3 {
        run.wait_for_lines(confirmations);
        // Nothing but time makes it a good one.
        std::thread::sleep(Duration::from_millis(1100));
        server.ask("CLIENT KILL TYPE pubsub");
    }
    run.wait_for_lines(4);
    drop(server);
    run.finish();
}

#[test]
fn tries_are_bounded_by_max_retries() {
    let mut server = Server::start();
    let run = server.rcli(["sub", "c", "--max-retries", "2", "--events"]).any_stdout().status(3);
    let mut run = run.reports_among(&["reconnecting", "not regained with 2 tries", "refused"]).start();
    run.wait_for_lines(1);
    server.kill_nine();
    let finished = run.finish();
    assert_eq!(finished.out().lines().count(), 2, "the confirmation and the loss");
}

#[test]
fn the_first_connection_is_not_tried_twice() {
    let port = free_port().to_string();
    for verb in [["sub", "c"].as_slice(), &["monitor"]] {
        let run = crate::rcli::rcli(["-p", &port]).args(verb).status(3);
        run.complains(&["cannot connect to 127.0.0.1"]).run();
    }
}

#[test]
fn a_garbage_frame_is_a_lost_connection() {
    for garbage in [
        "HTTP/1.1 400 Bad\r\n",
        "*2\r\n$7\r\nmessage\r\n$1\r\nc\r\n",
        ">3\r\n$7\r\nmessage\r\n:1\r\n:2\r\n",
        "+hello\r\n",
    ] {
        let answer = [confirmation(), message("good"), garbage.as_bytes().to_vec()].concat();
        let peer = peer().answers([send(answer), send([confirmation(), message("again")].concat())]).start();
        let run = peer.rcli(["sub", "c", "--count", "2"]).any_stdout();
        let finished = run.reports_among(&["connection lost", "reconnected after"]).run();
        assert_eq!(data_of(&finished.out()), ["good", "again"], "{garbage}");
        assert_eq!(peer.connections(), 2);
    }
}

#[test]
fn endless_garbage_uses_up_the_tries() {
    let peer = peer().otherwise(send([confirmation(), b"garbage\r\n".to_vec()].concat())).start();
    let run = peer.rcli(["sub", "c", "--max-retries", "3"]).any_stdout().status(3);
    run.reports_among(&["not regained with 3 tries"]).run();
    assert_eq!(peer.connections(), 4);
    let run = peer.rcli(["sub", "c", "--no-reconnect"]).any_stdout().status(3);
    run.complains(&["connection lost"]).run();
}

#[test]
fn a_server_that_refuses_for_good_is_not_asked_again() {
    let server = Server::start();
    let mut run = server.rcli(["sub", "c"]).any_stdout().status(3).reports_among(&["NOAUTH"]).start();
    run.wait_for_lines(1);
    // A connection that is there already needs no password.
    let mut client = server.client();
    server.ask("CONFIG SET requirepass secret");
    client.call(&[b"CLIENT", b"KILL", b"TYPE", b"pubsub"]).unwrap();
    run.finish();
}

#[test]
fn a_channel_that_is_forbidden_later_ends_with_3() {
    let server = Server::start();
    server.ask("ACL SETUSER bob on >pw +@all resetchannels &c");
    let run = server.rcli(["--user", "bob", "-a", "pw", "--no-auth-warning", "sub", "c"]).any_stdout().status(3);
    let mut run = run.reports_among(&["SUBSCRIBE c", "NOPERM"]).start();
    run.wait_for_lines(1);
    // The server closes the connections of a user that may no longer hear what it subscribed to.
    server.ask("ACL SETUSER bob resetchannels");
    run.finish();
}

#[test]
fn a_signal_ends_the_wait_for_a_server() {
    let mut server = Server::start();
    let mut run = server.rcli(["sub", "c", "--events"]).any_stdout().any_stderr().status(130).start();
    run.wait_for_lines(1);
    server.kill_nine();
    run.wait_for_lines(2);
    run.signal(Signal::INT);
    run.finish();
}

#[test]
fn a_time_limit_holds_while_there_is_no_server() {
    let mut server = Server::start();
    let run = server.rcli(["sub", "c", "--idle", "1", "--count", "1"]).any_stdout().any_stderr().status(5);
    let mut run = run.start();
    run.wait_for_lines(1);
    server.kill_nine();
    run.finish();
}

#[test]
fn a_peer_that_falls_silent_is_found_within_30_s() {
    let peer = peer().answers([send(confirmation()), Answer::Silence]).start();
    let run = peer.rcli(["sub", "c"]).any_stdout().status(130);
    let run = run.reports_among(&["no sign of life for 25 s", "reconnecting"]).start();
    wait_for("a second connection", || peer.connections() == 2);
    assert_eq!(peer.ordinary()[..2], ["SUBSCRIBE c", "PING"]);
    run.signal(Signal::INT);
    run.finish();
}

#[test]
fn signs_of_life_are_not_shown() {
    let answers = [("-3", "+PONG\r\n"), ("-2", "*2\r\n$4\r\npong\r\n$0\r\n\r\n"), ("-3", "-NOPERM no\r\n")];
    let runs = answers.map(|(protocol, pong)| {
        let mark = if protocol == "-3" { ">" } else { "*" };
        let in_protocol = |bytes: Vec<u8>| [mark.as_bytes(), &bytes[1..]].concat();
        let pong_and_message = [pong.as_bytes(), &in_protocol(message("x"))].concat();
        let peer = peer().answers([send(in_protocol(confirmation())), send(pong_and_message)]).start();
        let run = peer.rcli([protocol, "sub", "-m", "c", "--count", "1"]);
        let expected = "{\"type\":\"message\",\"pattern\":null,\"channel\":\"c\",\"data\":\"x\"}\n";
        (run.prints(expected).start(), peer)
    });
    for (run, peer) in runs {
        run.finish();
        assert_eq!(peer.ordinary(), ["SUBSCRIBE c", "PING"]);
    }
}

#[test]
fn a_subscriber_dropped_for_being_slow_comes_back_and_says_so() {
    let server = Server::with_args(["--client-output-buffer-limit", "pubsub", "1mb", "1mb", "1"]);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let run = server.rcli(["sub", "c"]).stdout_to(writer).status(130);
    let run = run.reports_among(&["connection lost", "nothing was read from it for", "reconnected after"]).start();
    server.wait_until("PUBSUB NUMSUB c", |reply| reply == "[c, 1]");
    // Nobody reads the output: the pipe fills, then the socket, then the server's buffer, until it drops us.
    let mut client = server.client();
    let filling = vec![b'x'; 64 * 1024];
    let mut published = 0;
    wait_for("the server to drop the subscriber", || {
        let data = [format!("{published} ").as_bytes(), &filling].concat();
        published += 1;
        client.call(&[b"PUBLISH", b"c", &data]).unwrap().to_string() == "0"
    });
    // A pause in reading is worth telling from one second on.
    std::thread::sleep(Duration::from_millis(1200));
    let reading = std::thread::spawn(move || {
        let mut out = Vec::new();
        reader.read_to_end(&mut out).unwrap();
        out
    });
    server.wait_until("PUBSUB NUMSUB c", |reply| reply == "[c, 1]");
    server.ask("PUBLISH c last");
    run.signal(Signal::INT);
    run.finish();
    let out = String::from_utf8(reading.join().unwrap()).unwrap();
    let data: Vec<&str> = data_of(&out).into_iter().map(|data| data.split(' ').next().unwrap()).collect();
    let (last, before) = data.split_last().unwrap();
    assert_eq!(*last, "last");
    assert!(before.len() > 1, "some were received before");
    assert_eq!(before, (0..before.len()).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_pause_in_reading_that_is_over_has_no_part_in_a_later_loss() {
    let server = Server::start();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let run = server.rcli(["sub", "c"]).stdout_to(writer).status(130).any_stderr().start();
    server.wait_until("PUBSUB NUMSUB c", |reply| reply == "[c, 1]");
    // Nobody reads the output, for longer than is worth telling.
    let filling = vec![b'x'; 64 * 1024];
    (0..8).for_each(|_| drop(server.call(&[b"PUBLISH", b"c", &filling])));
    std::thread::sleep(Duration::from_millis(1200));
    let reading = std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()).unwrap());
    // It has read all there was, and then heard nothing for a while.
    server.wait_until("CLIENT LIST", |list| list.contains("cmd=ping"));
    server.ask("CLIENT KILL TYPE pubsub");
    server.wait_until("PUBSUB NUMSUB c", |reply| reply == "[c, 1]");
    run.signal(Signal::INT);
    let err = run.finish().err();
    assert!(err.contains("connection lost") && !err.contains("nothing was read"), "{err}");
    assert!(reading.join().unwrap() > 8 * 64 * 1024);
}

#[test]
fn monitor_asks_for_a_sign_of_life_that_no_monitor_shows() {
    let answer = "+OK\r\n+1.000000 [0 lua] \"get\" \"k\"\r\n";
    let peer = peer().answers([send("+OK\r\n"), send(answer)]).start();
    peer.rcli(["monitor", "--raw", "--count", "1"]).prints("1.000000 [0 lua] \"get\" \"k\"\n").run();
    assert_eq!(peer.ordinary(), ["MONITOR", "REPLCONF"]);
    // What a real server does with the question: it answers, and shows nothing of it.
    let server = Server::start();
    let run = server.rcli(["monitor"]).status(130).start();
    server.wait_until("CLIENT LIST", |list| list.contains("cmd=monitor"));
    server.wait_until("CLIENT LIST", |list| list.contains("cmd=replconf"));
    run.signal(Signal::INT);
    run.finish();
}
