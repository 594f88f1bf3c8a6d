//! Servers that fail: contract section 1's statuses, and the faults an answer can have, seen from `exec`.

use crate::peer::{Answer, close, peer, send};
use crate::rcli::rcli;
use crate::server::{Server, free_port};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

#[test]
fn no_server_is_one_line_with_the_address_and_status_3() {
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    for args in [&["PING"][..], &["pipe"], &["--json", "PING"], &["--human", "exec", "PING"], &[]] {
        rcli(["-p", &port.to_string()]).args(args).stdin("PING\n").status(3).complains(&[&address, "refused"]).run();
    }
}

#[test]
fn a_connection_closed_without_an_answer_is_status_3() {
    let peer = peer().answers([close("")]).start();
    peer.rcli(["GET", "k"]).status(3).complains(&[&format!("127.0.0.1:{}", peer.port())]).run();
    assert_eq!(peer.ordinary(), ["GET k"], "nothing is sent again");
}

#[test]
fn half_a_reply_then_the_end_is_status_3() {
    for half in ["$10\r\nhalf", "*3\r\n:1\r\n", "+O", "$", "$10", "*1\r\n$3\r\nab"] {
        let peer = peer().answers([close(half)]).start();
        peer.rcli(["--json", "GET", "k"]).status(3).complains(&[]).run();
    }
}

#[test]
fn half_a_reply_then_silence_ends_at_the_read_timeout() {
    for half in ["", "$10\r\nhalf", "*3\r\n:1\r\n"] {
        for args in [&["GET", "k"][..], &["pipe"], &[]] {
            let peer = peer().answers([send(half)]).start();
            let begin = Instant::now();
            peer.rcli(["--read-timeout", "0.2"]).args(args).stdin("GET k\n").status(3).complains(&[]).run();
            assert!(begin.elapsed() < Duration::from_secs(5), "{args:?} took {:?}", begin.elapsed());
        }
    }
}

#[test]
fn a_read_timeout_that_does_not_pass_changes_nothing() {
    let server = Server::start();
    server.rcli(["--read-timeout", "30", "PING"]).prints("PONG\n").run();
    server.rcli(["--read-timeout", "0.2", "BLPOP", "none", "0"]).status(3).complains(&[&server.address()]).run();
}

#[test]
fn what_never_stops_coming_is_no_silence() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let (reader, writer) = std::io::pipe().unwrap();
    let run = rcli(["-2", "--json", "--show-pushes", "--read-timeout", "0.5", "-p", &port, "X"]);
    let run = run.stdout_to(writer).start();
    let (mut stream, _) = listener.accept().unwrap();
    stream.read_exact(&mut [0; 11]).unwrap();
    // As much as waits between here and there: then more is there whenever the client looks, which has a line to write
    // for each.
    let push = format!(">1\r\n+{}\r\n", "x".repeat(1000));
    stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut sent = 0;
    let rest = loop {
        match stream.write(&push.as_bytes()[sent % push.len()..]) {
            Ok(count) => sent += count,
            Err(_) => break push[sent % push.len()..].to_owned() + "+OK\r\n",
        }
    };
    let mut lines = BufReader::new(reader).lines();
    let whole = sent / push.len();
    for at in 0..whole {
        assert!(lines.next().unwrap().unwrap().starts_with("{\"push\":"));
        if at % (whole / 10) == 0 {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    stream.write_all(rest.as_bytes()).unwrap();
    assert_eq!(lines.last().unwrap().unwrap(), "\"OK\"");
    run.finish();
}

#[test]
fn rubbish_is_status_3() {
    for rubbish in [
        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\0\u{1}\u{2}\u{3}",
        "\r\n",
        ":12x\r\n",
        ",abc\r\n",
        "#x\r\n",
        "$99999999999999999999\r\n",
        "=2\r\nab\r\n",
        "$3\r\nabcdef\r\n",
    ] {
        for format in ["--json", "--raw", "--human"] {
            let peer = peer().answers([close(rubbish)]).start();
            let run = peer.rcli([format, "exec", "X"]).status(3).any_stdout().complains(&[]).run();
            assert!(!run.err().contains('\0'), "{rubbish:?}");
        }
    }
}

#[test]
fn a_negative_length_is_nil_or_the_end() {
    for negative in ["$-2\r\n", "*-5\r\n", "%-1\r\n", "~-1\r\n", "=-1\r\n"] {
        let peer = peer().answers([close(negative)]).start();
        let run = peer.rcli(["--json", "exec", "X"]).status_among(&[0, 3]).any_stdout().any_stderr().run();
        assert!(run.out() == "null\n" || run.err().starts_with("rcli: "), "{negative:?}: {}{}", run.out(), run.err());
    }
}

#[test]
fn rubbish_in_place_of_the_greeting_is_status_3() {
    for rubbish in ["HTTP/1.1 400 Bad Request\r\n\r\n", "\0\0\0", "%1\r\n", "+OK\r\n*", "$5\r\nabc"] {
        let peer = peer().hello(close(rubbish)).start();
        peer.rcli(["--json", "PING"]).status(3).complains(&[]).run();
        assert_eq!(peer.ordinary(), [""; 0]);
    }
}

#[test]
fn a_line_that_does_not_end_is_status_3() {
    let peer = peer().answers([send("+".repeat(65 << 20))]).start();
    let run = peer.rcli(["--json", "X"]).through_sh("ulimit -d 100000; exec \"$0\" \"$@\"");
    run.status(3).complains(&["a line does not end"]).run();
}

#[test]
fn an_answer_of_too_many_levels_to_a_question_of_rclis_own_is_told_in_words() {
    let peer = peer().hello(send("*1\r\n".repeat(200) + ":1\r\n")).start();
    let run = peer.rcli(["--json", "PING"]).status(3).complains(&["more than 100 levels"]).run();
    assert!(!run.err().contains("Parse"), "{}", run.err());
}

#[test]
fn nesting_of_any_depth_is_shown() {
    for depth in [101, 5000, 100_000] {
        let arrays = send(format!("{}:1\r\n", "*1\r\n".repeat(depth)));
        let server = peer().answers([arrays.clone(), arrays]).start();
        server.rcli(["--json", "X"]).prints(format!("{}1{}\n", "[".repeat(depth), "]".repeat(depth))).run();
        server.rcli(["--raw", "X"]).prints("1\n").run();
        let maps = send(format!("{}:1\r\n", "%1\r\n:0\r\n".repeat(depth)));
        let server = peer().answers([maps.clone(), maps]).start();
        server.rcli(["--json", "X"]).prints(format!("{}1{}\n", "{\"0\":".repeat(depth), "}".repeat(depth))).run();
        let human = server.rcli(["--human", "X"]).any_stdout().run();
        assert_eq!(human.out().matches("(integer) 0 => ").count(), depth);
    }
}

#[test]
fn nesting_that_a_server_really_makes_is_shown() {
    let depth = 30;
    let peer = peer().answers([send(format!("{}:1\r\n", "*1\r\n".repeat(depth)))]).start();
    peer.rcli(["--json", "X"]).prints(format!("{}1{}\n", "[".repeat(depth), "]".repeat(depth))).run();
}

#[test]
fn a_huge_declared_length_allocates_nothing_that_has_not_arrived() {
    for declared in [
        "$2000000000\r\nabc",
        "*2000000000\r\n:1\r\n",
        "%1000000000\r\n",
        "=2000000000\r\ntxt:",
        "~2000000000\r\n",
        ">2000000000\r\n",
    ] {
        let peer = peer().answers([close(declared)]).start();
        peer.rcli(["--json", "X"]).through_sh("ulimit -v 600000; exec \"$0\" \"$@\"").status(3).complains(&[]).run();
        let peer = crate::peer::peer().answers([send(declared)]).start();
        peer.rcli(["--json", "--read-timeout", "0.2", "X"])
            .through_sh("ulimit -v 600000; exec \"$0\" \"$@\"")
            .status(3)
            .complains(&[])
            .run();
    }
}

#[test]
fn pushes_that_nobody_asked_to_see_take_no_memory() {
    let push = format!(">2\r\n+note\r\n$1000000\r\n{}\r\n", "x".repeat(1_000_000));
    let answer = format!("{}+done\r\n", push.repeat(300));
    let peer = peer().answers([send(answer)]).start();
    peer.rcli(["X"]).through_sh("ulimit -v 200000; exec \"$0\" \"$@\"").prints("done\n").run();
}

#[test]
fn a_reply_that_comes_in_single_bytes_is_a_reply() {
    let peer = peer().answers([Answer::Silence]).start();
    let reply = b"*2\r\n$5\r\nhello\r\n%1\r\n+k\r\n,1.5\r\n";
    let run = peer.rcli(["--json", "X"]).prints("[\"hello\",{\"k\":1.5}]\n").start();
    peer.wait_for_commands(1);
    for byte in reply {
        peer.say(&[*byte]);
    }
    run.finish();
}

#[test]
fn a_full_disk_is_status_3_with_a_message() {
    let server = Server::start();
    for args in [&["exec", "PING"][..], &["--json", "PING"], &["--human", "PING"], &[]] {
        server
            .rcli(args)
            .stdin("PING\n")
            .stdout_to(crate::pipe_faults::full_disk())
            .status(3)
            .complains(&["No space left"])
            .run();
    }
}

#[test]
fn a_full_disk_for_the_help_is_no_panic() {
    rcli(["--help"]).stdout_to(crate::pipe_faults::full_disk()).status_among(&[0, 3]).any_stderr().run();
    rcli(["completions", "bash"]).stdout_to(crate::pipe_faults::full_disk()).status_among(&[0, 3]).any_stderr().run();
}

#[test]
fn messages_say_where() {
    let mut server = Server::start();
    let address = server.address();
    let socket = server.socket().display().to_string();
    server.kill_nine();
    server.rcli(["PING"]).status(3).complains(&[&address]).run();
    rcli(["-s", &socket, "PING"]).status(3).complains(&[&socket]).run();
}

#[test]
fn a_server_that_answers_more_than_it_was_asked_does_not_confuse_exec() {
    let peer = peer().answers([send("+one\r\n+two\r\n")]).start();
    peer.rcli(["X"]).prints("one\n").run();
}

#[test]
fn a_pause_of_the_producer_is_no_read_timeout() {
    let server = Server::start();
    for args in [&["pipe"][..], &[]] {
        let mut run = server.rcli(["--read-timeout", "0.5"]).args(args).interactive().prints("PONG\nPONG\n").start();
        run.send_line("PING");
        run.wait_for_lines(1);
        // The rule is about time: longer than the limit, with nothing in flight.
        std::thread::sleep(Duration::from_millis(700));
        run.send_line("PING");
        run.wait_for_lines(2);
        run.finish();
    }
}
