//! What a server says as it turns a connection away is no answer: status 3 in every mode and format, told as what it is
//! with what to do, and no command ran (contract section 1).

use crate::certificates::Certificates;
use crate::cluster_nodes::Cluster;
use crate::peer::{close, peer, send};
use crate::pty;
use crate::rcli::{Rcli, rcli};
use crate::resp::Client;
use crate::server::Server;

/// Redis before version 7, Redis 7 and 8, Valkey 9, and others.
const GREETINGS: [(&str, &str); 9] = [
    ("-ERR max number of clients reached\r\n", "too many clients"),
    ("-ERR max number of clients + cluster connections reached\r\n", "too many clients"),
    ("-ERR max concurrent connections exceeded\r\n", "too many clients"),
    ("-ERR max clients reached\r\n", "too many clients"),
    ("-ERR too many connections\r\n", "too many clients"),
    (
        "-DENIED Redis is running in protected mode because protected mode is enabled, no bind address was specified, \
         no authentication password is requested to clients.\r\n",
        "protected mode",
    ),
    (
        "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the \
         default user. In this mode connections are only accepted from the loopback interface.\r\n",
        "protected mode",
    ),
    (
        "-DENIED Running in protected mode because protected mode is enabled and no password is set for the default \
         user. In this mode connections are only accepted from the loopback interface.\r\n",
        "protected mode",
    ),
    ("-ERR Bad TLS header, double check if you enabled TLS for your client.\r\n", "--tls"),
];

/// Every mode that can be run without a terminal, with two commands to run.
const MODES: [&[&str]; 13] = [
    &["SET", "k", "v"],
    &["exec", "-r", "2", "SET", "k", "v"],
    &[],
    &["pipe"],
    &["pipe", "--window", "1"],
    &["pipe", "--atomic"],
    &["pipe", "--skip", "1"],
    &["txn"],
    &["txn", "--watch", "k"],
    &["txn", "--", "echo", "SET k v"],
    &["sub", "c"],
    &["ssub", "c"],
    &["monitor"],
];

/// A server that one client fills, and that client.
fn full() -> (Server, Client) {
    let server = Server::start();
    let mut only = server.client();
    only.call(&[b"CONFIG", b"SET", b"maxclients", b"1"]).unwrap();
    (server, only)
}

/// A run in every mode, format and version of RESP.
fn every_way(start: impl Fn(&[&str]) -> Rcli, told: &[&str]) {
    for format in [&["--raw"][..], &["--json"], &["--human"], &["--json", "-2"], &["--raw", "-3"]] {
        for mode in MODES {
            start(&[format, mode].concat()).stdin("SET k v\nSET k v\n").status(3).complains(told).run();
        }
    }
}

#[test]
fn too_many_clients_are_told_in_every_mode_and_format_and_no_command_ran() {
    let (server, mut only) = full();
    let told = format!("cannot connect to {}: the server has too many clients (ERR max", server.address());
    every_way(|args| server.rcli(args), &[&told, "close some of them, or raise its maxclients"]);
    assert_eq!(only.call(&[b"DBSIZE"]).unwrap().to_string(), "0");
}

#[test]
fn every_greeting_is_known_whether_it_comes_before_or_after_the_command() {
    for (greeting, told) in GREETINGS {
        let early = peer().greeting(greeting).start();
        let late = peer().hello(close(greeting)).otherwise(close(greeting)).start();
        for peer in [early, late] {
            let place = format!("cannot connect to 127.0.0.1:{}: the server ", peer.port());
            for format in ["--raw", "--json"] {
                for mode in [&["GET", "k"][..], &[], &["pipe"], &["txn"], &["sub", "c"], &["monitor"]] {
                    let run = peer.rcli([format]).args(mode).stdin("GET k\nGET k\n").status(3);
                    run.complains(&[&place, told]).run();
                }
            }
        }
    }
}

#[test]
fn too_many_clients_before_tls_are_guessed() {
    let certificates = Certificates::make();
    let server = Server::with_tls(&certificates, false);
    let mut only = server.client();
    only.call(&[b"CONFIG", b"SET", b"maxclients", b"1"]).unwrap();
    let ca = certificates.ca.display().to_string();
    for format in ["--raw", "--json"] {
        let run = server.rcli(["-h", "localhost", "--tls", "--cacert", &ca, format, "GET", "k"]).status(3);
        run.complains(&["before the TLS handshake", "too many clients"]).run();
    }
}

#[test]
fn the_same_words_as_an_answer_are_an_answer() {
    let server = Server::start();
    for words in ["ERR max number of clients reached", "DENIED protected mode"] {
        let script = format!("return redis.error_reply('{words}')");
        server.rcli(["EVAL", &script, "0"]).status(1).reports(format!("rcli: {words}\n")).run();
        let lines = format!("EVAL \"{script}\" 0\nPING\n");
        for mode in [&[][..], &["pipe"]] {
            let run = server.rcli(mode).stdin(&lines).status(1);
            run.prints(format!("{words}\n{}PONG\n", if mode.is_empty() { "\n" } else { "" })).any_stderr().run();
        }
    }
    // What follows at once says so without a pause.
    let peer = peer().answers([send("-ERR max number of clients reached\r\n"), send("+OK\r\n")]).start();
    let run = peer.rcli(["pipe"]).stdin("GET k\nGET k\n").status(1).any_stderr();
    run.prints("ERR max number of clients reached\nOK\n").run();
}

#[test]
fn a_server_that_answers_with_an_error_is_usable() {
    for error in [
        "LOADING Redis is loading the dataset in memory",
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
        "NOAUTH Authentication required.",
    ] {
        let answer = send(format!("-{error}\r\n"));
        let peer = peer().hello(answer.clone()).answers([answer, send("+OK\r\n")]).start();
        let run = peer.rcli(["pipe", "--json"]).stdin("GET k\nGET k\n").status(1);
        let (code, message) = error.split_once(' ').unwrap();
        let reply = format!("{{\"error\":{{\"code\":\"{code}\",\"message\":\"{message}\"}}}}\n\"OK\"\n");
        run.prints(reply).any_stderr().run();
    }
}

#[test]
fn a_repl_that_is_turned_away_ends_and_one_that_goes_on_stays_where_it_was() {
    let (server, _only) = full();
    for version in ["-2", "-3"] {
        let mut terminal = server.rcli([version]).on_terminal(200);
        assert_eq!(terminal.status(), 3);
        terminal.shows("the server has too many clients");
    }
    let free = Server::start();
    for version in ["-2", "-3"] {
        let (terminal, prompt) = pty::open(&free, &[version]);
        terminal.run(&prompt, "PING", &["PONG"]);
        terminal.line(&format!("connect 127.0.0.1 {}", server.port()));
        terminal.shows("the server has too many clients (ERR max number of clients reached); close some of them");
        terminal.wait("a prompt", |rows| rows.last().is_some_and(|row| row.ends_with('>')));
        terminal.leave();
    }
}

#[test]
fn a_command_at_the_prompt_that_is_turned_away_did_not_run() {
    let server = Server::start();
    for version in ["-2", "-3"] {
        let terminal = server.rcli([version]).on_terminal(250);
        let prompt = format!("{}>", server.address());
        terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
        let mut only = server.client();
        only.call(&[b"CONFIG", b"SET", b"maxclients", b"1"]).unwrap();
        only.call(&[b"CLIENT", b"KILL", b"TYPE", b"normal", b"SKIPME", b"yes"]).unwrap();
        terminal.line("INCR n");
        terminal.shows(if version == "-2" {
            "maxclients; INCR n was not run"
        } else {
            "maxclients; INCR n was not sent"
        });
        only.call(&[b"CONFIG", b"SET", b"maxclients", b"100"]).unwrap();
        terminal.line("INCR n");
        terminal.shows("(integer) 1");
        only.call(&[b"DEL", b"n"]).unwrap();
        terminal.leave();
    }
}

#[test]
fn a_node_of_a_cluster_that_turns_away_ends_the_run_at_once() {
    let cluster = Cluster::start();
    let owner = cluster.owner("foo");
    let mut only = cluster.nodes[owner].client();
    only.call(&[b"CONFIG", b"SET", b"maxclients", b"1"]).unwrap();
    let told = format!("cannot connect to {}: the server has too many clients", cluster.nodes[owner].address());
    let other = (owner + 1) % cluster.nodes.len();
    for seed in [owner, other] {
        for format in ["--raw", "--json"] {
            for mode in [&["GET", "foo"][..], &[], &["pipe"], &["pipe", "--atomic"], &["txn"], &["ssub", "foo"]] {
                let run = cluster.nodes[seed].rcli(["-c", format]).args(mode).stdin("GET foo\n").status(3);
                run.reports_among(&[&told]).run();
            }
        }
    }
}

#[test]
fn sentinels_and_primaries_that_turn_away_are_named() {
    let greeting = "-ERR max number of clients reached\r\n";
    let full = peer().greeting(greeting).start();
    let sentinel = peer().otherwise(send(format!("*2\r\n$9\r\n127.0.0.1\r\n$5\r\n{:05}\r\n", full.port()))).start();
    for (asked, place) in [(full.port(), full.port()), (sentinel.port(), full.port())] {
        for format in ["--raw", "--json"] {
            let list = format!("127.0.0.1:{asked}");
            let run = rcli(["--sentinel", &list, "--master", "m", format, "GET", "k"]).status(3);
            run.complains(&[&format!("cannot connect to 127.0.0.1:{place}: the server has too many clients")]).run();
        }
    }
}

#[test]
fn a_stream_that_is_turned_away_as_it_comes_back_tries_again() {
    let server = Server::start();
    let mut run = server.rcli(["sub", "c", "-2", "--count", "1"]).any_stdout();
    run = run.reports_among(&["reconnected after"]);
    let mut run = run.start();
    run.wait_for_lines(1);
    let mut only = server.client();
    only.call(&[b"CONFIG", b"SET", b"maxclients", b"1"]).unwrap();
    only.call(&[b"CLIENT", b"KILL", b"TYPE", b"pubsub"]).unwrap();
    crate::server::wait_for("a try in vain", || {
        !only.call(&[b"INFO", b"stats"]).unwrap().to_string().contains("rejected_connections:0")
    });
    only.call(&[b"CONFIG", b"SET", b"maxclients", b"100"]).unwrap();
    server.wait_until("PUBSUB NUMSUB c", |reply| reply == "[c, 1]");
    run.wait_for_lines(2);
    server.ask("PUBLISH c x");
    run.finish();
}
