//! The introduction: who does not answer within `-t`, who hangs up at HELLO, and answers that no server gives
//! (contract section 1).

use crate::peer::{Peer, Script, close, peer, send};
use crate::rcli::rcli;
use crate::resp::bulk;
use crate::server::Server;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Every mode that can be run without a terminal.
const MODES: [&[&str]; 9] = [
    &["SET", "k", "v"],
    &[],
    &["pipe"],
    &["pipe", "--atomic"],
    &["txn"],
    &["txn", "--watch", "k"],
    &["txn", "--", "echo", "SET k v"],
    &["sub", "c"],
    &["monitor"],
];

#[test]
fn a_server_that_accepts_and_is_silent_is_left_after_t_and_nothing_was_sent() {
    let server = Server::start();
    server.hang();
    let begin = Instant::now();
    let told = format!("cannot connect to {}: no answer within 0.3 s; nothing was sent", server.address());
    let formats = [&["--raw"][..], &["--json"], &["--human"], &["--json", "-2"], &["--raw", "-n", "1"]];
    let start = |args: &[&str]| {
        let run = server.rcli(["-t", "0.3"]).args(args).stdin("SET k v\n").status(3);
        run.complains(&[&told]).start()
    };
    let runs: Vec<_> =
        formats.iter().flat_map(|format| MODES.iter().map(|mode| start(&[format, *mode].concat()))).collect();
    for run in runs {
        run.finish();
    }
    let run = server
        .rcli(["SET", "k", "v"])
        .env("RCLI_PROFILE", "slow")
        .file(".config/rcli/config.toml", "[profile.slow]\nconnect-timeout = 0.3\n");
    run.status(3).complains(&[&told]).run();
    server.rcli(["-c", "-t", "0.3", "SET", "k", "v"]).status(3).complains(&[&told]).run();
    let terminal = server.rcli(["-2", "-t", "0.3"]).on_terminal(160);
    terminal.shows(&format!("rcli: {told}"));
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    server.revive();
    terminal.wait("a prompt", |rows| rows.last().is_some_and(|row| row.ends_with('>')));
    terminal.leave();
    assert_eq!(server.ask("DBSIZE"), "0");
}

#[test]
fn any_answer_to_the_ping_is_a_sign_of_life() {
    for pong in
        ["+PONG", "-LOADING Redis is loading", "-NOAUTH Authentication required.", "-NOPERM no", "-ERR x", "$-1"]
    {
        for mode in [&["GET", "k"][..], &["pipe"], &[]] {
            let peer = peer().answers([send(format!("{pong}\r\n")), send("+v\r\n")]).start();
            peer.rcli(["-t", "5"]).args(mode).stdin("GET k\n").prints("v\n").run();
            assert_eq!(peer.commands(), ["PING", "GET k"]);
        }
    }
}

#[test]
fn a_ping_is_asked_only_where_t_is_given_and_nothing_else_is_answered() {
    let asked = |args: &[&str]| {
        let peer = peer().otherwise(send("+OK\r\n")).start();
        peer.rcli(args.iter().copied()).any_stdout().env("REDISCLI_AUTH", "").run();
        peer.commands()
    };
    assert_eq!(asked(&["GET", "k"]), ["GET k"]);
    assert_eq!(asked(&["-t", "9", "GET", "k"]), ["PING", "GET k"]);
    assert_eq!(asked(&["-t", "9", "-n", "1", "GET", "k"]), ["SELECT 1", "GET k"]);
    assert_eq!(asked(&["-t", "9", "--json", "GET", "k"]), ["HELLO 3", "GET k"]);
    assert_eq!(asked(&["--no-auth-warning", "-a", "pw", "-t", "9", "GET", "k"]), ["AUTH pw", "GET k"]);
}

/// A proxy that hangs up at HELLO and answers all else.
fn proxy() -> Script {
    peer().hello(close("")).always("PING", send("+PONG\r\n"))
}

/// What is said of it.
fn notice(peer: &Peer) -> String {
    let place = format!("127.0.0.1:{}", peer.port());
    format!("rcli: note: {place} closes the connection at HELLO: going on in RESP2, which -2 asks for at once\n")
}

#[test]
fn a_proxy_that_hangs_up_at_hello_is_spoken_to_in_resp2_and_that_is_said_once() {
    let peer = proxy().answers([send("*2\r\n$1\r\na\r\n:1\r\n")]).start();
    peer.rcli(["--json", "GET", "k"]).prints("[\"a\",1]\n").reports(notice(&peer)).run();
    assert_eq!(peer.commands(), ["HELLO 3", "PING", "GET k"]);
    for (mode, out) in [(&[][..], "\"v\"\n"), (&["pipe"], "\"v\"\n"), (&["GET", "k"], "\"v\"\n")] {
        let peer = proxy().otherwise(send("+v\r\n")).start();
        peer.rcli(["--json"]).args(mode).stdin("GET k\n").prints(out).reports(notice(&peer)).run();
    }
}

#[test]
fn credentials_and_database_still_apply_behind_a_proxy() {
    let peer = proxy().otherwise(send("+v\r\n")).start();
    let run = peer.rcli(["--json", "-n", "3", "--user", "bob", "GET", "k"]).env("REDISCLI_AUTH", "pw");
    run.prints("\"v\"\n").reports(notice(&peer)).run();
    assert_eq!(peer.commands(), ["HELLO 3 AUTH bob pw", "SELECT 3", "AUTH bob pw", "SELECT 3", "GET k"]);
    let peer = proxy().auth(send("-ERR invalid password\r\n")).start();
    let run = peer.rcli(["--json", "GET", "k"]).env("REDISCLI_AUTH", "pw").status(3);
    run.complains(&["refused the credentials: ERR invalid password"]).run();
}

#[test]
fn resp3_that_was_asked_for_is_not_given_up_but_the_way_out_is_told() {
    let peer = proxy().otherwise(send("+v\r\n")).start();
    let told = ["closes the connection at HELLO", "-2"];
    peer.rcli(["-3", "GET", "k"]).status(3).complains(&told).run();
    let url = format!("redis://127.0.0.1:{}?protocol=3", peer.port());
    rcli(["-u", &url, "GET", "k"]).status(3).complains(&told).run();
    peer.rcli(["-2", "--json", "GET", "k"]).prints("\"v\"\n").run();
    assert_eq!(peer.ordinary(), ["PING", "PING", "GET k"]);
}

#[test]
fn who_hangs_up_at_everything_is_told_once_and_not_said_to_speak_resp2() {
    let peer = peer().hello(close("")).otherwise(close("")).start();
    for version in [&["--json"][..], &["--json", "-3"]] {
        let told = format!("rcli: cannot connect to 127.0.0.1:{}: the server closed the connection", peer.port());
        peer.rcli(version).args(["GET", "k"]).status(3).complains(&[&told]).run();
    }
    assert!(!peer.ordinary().contains(&"GET k".to_owned()));
}

#[test]
fn a_reset_at_hello_is_a_hang_up_too() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = std::thread::spawn(move || {
        let (mut first, _) = listener.accept().unwrap();
        let _ = first.read(&mut [0; 8]).unwrap();
        // Not all of it was read, and nothing lingers: the peer gets a reset.
        socket2::SockRef::from(&first).set_linger(Some(Duration::ZERO)).unwrap();
        drop(first);
        let (mut second, _) = listener.accept().unwrap();
        for answer in ["+PONG\r\n", "+v\r\n"] {
            read_some(&mut second);
            second.write_all(answer.as_bytes()).unwrap();
        }
        read_some(&mut second);
    });
    rcli(["-p", &port.to_string(), "--json", "GET", "k"]).prints("\"v\"\n").reports_among(&["at HELLO"]).run();
    serving.join().unwrap();
}

fn read_some(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0; 1000]).unwrap();
}

/// How often HELLO was said.
fn hellos(peer: &Peer) -> usize {
    peer.commands().iter().filter(|command| command.starts_with("HELLO")).count()
}

#[test]
fn a_reconnect_does_not_say_hello_again_to_who_hangs_up_at_it() {
    let confirmation = [b"*3\r\n", bulk("subscribe").as_slice(), &bulk("c"), b":1\r\n"].concat();
    let message = [b"*3\r\n", bulk("message").as_slice(), &bulk("c"), &bulk("x")].concat();
    let answers = [send(&confirmation), send([confirmation, message].concat())];
    let peer = proxy().answers(answers).start();
    let run = peer.rcli(["sub", "c", "--count", "1"]).any_stdout();
    let mut run = run.reports_among(&[&notice(&peer), "connection lost", "reconnected after"]).start();
    run.wait_for_lines(1);
    peer.hang_up();
    let finished = run.finish();
    assert_eq!(finished.err().matches("HELLO").count(), 1);
    assert_eq!(hellos(&peer), 1);
}

#[test]
fn the_nodes_of_a_cluster_behind_a_proxy_are_not_asked_one_by_one() {
    let other = proxy().always("CLUSTER MYID", send("$2\r\nid\r\n")).otherwise(send("+v\r\n")).start();
    let seed = proxy().always("CLUSTER MYID", send("$2\r\nme\r\n")).start();
    let slots = format!("*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$9\r\n127.0.0.1\r\n:{}\r\n$2\r\nid\r\n", other.port());
    seed.set("CLUSTER SLOTS", send(slots));
    for mode in [&["GET", "k"][..], &["pipe"]] {
        seed.rcli(["-c", "--json"]).args(mode).stdin("GET k\n").prints("\"v\"\n").reports(notice(&seed)).run();
    }
    assert_eq!((hellos(&seed), hellos(&other)), (2, 0));
}

#[test]
fn who_answered_hello_once_is_not_taken_for_a_proxy_later() {
    let confirmation = [b">3\r\n", bulk("subscribe").as_slice(), &bulk("c"), b":1\r\n"].concat();
    let peer = peer().answers([send(confirmation)]).always("PING", send("+PONG\r\n")).start();
    let run = peer.rcli(["sub", "c", "--max-retries", "2"]).any_stdout().status(3);
    let mut run = run.reports_among(&["not regained with 2 tries: cannot connect"]).start();
    run.wait_for_lines(1);
    peer.set("HELLO", close(""));
    peer.hang_up();
    let finished = run.finish();
    assert!(!finished.err().contains("RESP2"), "{}", finished.err());
    assert_eq!(peer.connections(), 3);
    assert_eq!(peer.ordinary(), ["SUBSCRIBE c"]);
}

#[test]
fn a_repl_behind_a_proxy_says_it_once_over_reconnects() {
    let peer = proxy().otherwise(send("+v\r\n")).start();
    let terminal = peer.rcli([""; 0]).on_terminal(160);
    let place = format!("127.0.0.1:{}", peer.port());
    let prompt = format!("{place}>");
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.run(&prompt, "GET k", &["v"]);
    peer.hang_up();
    terminal.line("GET k");
    terminal.shows(&format!("connected again to {place}"));
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    let said = terminal.rows().iter().filter(|row| row.contains("at HELLO")).count();
    assert_eq!((said, hellos(&peer)), (1, 1), "{:#?}", terminal.rows());
    terminal.leave();
}

#[test]
fn an_answer_to_hello_that_is_no_greeting_is_as_none() {
    for answer in
        ["+OK", "$-1", ":1", "*0", "_", "#t", "*1\r\n-ERR nested", "%1\r\n-ERR key\r\n-ERR value", "=6\r\ntxt:hi"]
    {
        let peer = peer().hello(send(format!("{answer}\r\n"))).otherwise(send("+v\r\n")).start();
        peer.rcli(["--json", "-n", "3", "GET", "k"]).prints("\"v\"\n").run();
        assert_eq!(peer.ordinary(), ["GET k"], "{answer}");
    }
}

#[test]
fn a_server_that_is_out_of_step_is_not_sent_a_command() {
    for answer in ["$-1", ":1", "*0", "+QUEUED", "*1\r\n-ERR nested", ">1\r\n+note\r\n:1"] {
        let answer = send(format!("{answer}\r\n"));
        let peer = peer().auth(answer.clone()).select(answer).start();
        let auth = peer.rcli(["--raw", "GET", "k"]).env("REDISCLI_AUTH", "pw");
        auth.status(3).complains(&["AUTH was answered with something else than OK"]).run();
        for format in ["--raw", "--json"] {
            let select = peer.rcli([format, "-n", "3", "GET", "k"]).status(3);
            select.complains(&["SELECT was answered with something else than OK"]).run();
        }
        assert_eq!(peer.ordinary(), [""; 0]);
    }
}

#[test]
fn a_refusal_in_any_form_is_one_line() {
    for (answer, told) in [
        ("-", "with an error that says nothing"),
        ("- ", "with an error that says nothing"),
        ("-invalid password", "invalid password"),
        ("!8\r\nERR a\r\nb", "ERR a"),
        ("-ERR \u{1b}[2J", "ERR \\x1b[2J"),
        ("-ERR max number of clients reached", "too many clients"),
    ] {
        let answer = send(format!("{answer}\r\n"));
        let peer = peer().hello(answer.clone()).auth(answer.clone()).select(answer).start();
        for args in [&["--json", "GET", "k"][..], &["--raw", "-n", "3", "GET", "k"]] {
            peer.rcli(args.iter().copied()).status(3).complains(&[told]).run();
        }
        let auth = peer.rcli(["--raw", "GET", "k"]).env("REDISCLI_AUTH", "pw");
        auth.status(3).complains(&[told]).run();
        assert_eq!(peer.ordinary(), [""; 0]);
    }
}

#[test]
fn a_push_before_the_greeting_is_shown_where_pushes_are() {
    let hello = send(">2\r\n+note\r\n+x\r\n%0\r\n");
    let peer = peer().hello(hello).otherwise(send("+v\r\n")).start();
    peer.rcli(["--json", "GET", "k"]).prints("\"v\"\n").run();
    peer.rcli(["--json", "--show-pushes", "GET", "k"]).prints("{\"push\":[\"note\",\"x\"]}\n\"v\"\n").run();
}

#[test]
fn a_handshake_in_single_bytes_is_a_handshake() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let run = rcli(["-p", &port, "--json", "GET", "k"]).prints("\"v\"\n").start();
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_nodelay(true).unwrap();
    for answer in ["%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n", "$1\r\nv\r\n"] {
        read_some(&mut stream);
        for byte in answer.as_bytes() {
            stream.write_all(&[*byte]).unwrap();
            crate::server::pause();
        }
    }
    run.finish();
}
