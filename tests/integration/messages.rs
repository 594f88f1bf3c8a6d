//! Messages for people: what to do next, in words, and notices that do not look like errors (contract section 1).

use crate::cluster_nodes::Cluster;
use crate::pty::{Terminal, open};
use crate::rcli::rcli;
use crate::server::{Server, free_port};

const USE_C: &str = "this server is a node of a cluster: use -c";
const CTRL_C: &str = "\x03";

#[test]
fn a_node_of_a_cluster_that_sends_away_says_to_use_c() {
    let cluster = Cluster::start();
    let node = &cluster.nodes[0];
    let moved = format!("MOVED 12182 {}", cluster.nodes[2].address());
    node.rcli(["GET", "foo"]).status(1).reports(format!("rcli: {moved}; {USE_C}\n")).run();
    for format in ["--human", "--json"] {
        node.rcli([format, "GET", "foo"]).status(1).any_stdout().reports(format!("rcli: {moved}; {USE_C}\n")).run();
    }
    let named = format!("rcli: stdin:1: GET foo: {moved}; {USE_C}\n");
    for args in [&[][..], &["pipe"]] {
        node.rcli(args).stdin("GET foo\n").status(1).any_stdout().reports(&named).run();
    }
    for args in [&["txn"][..], &["pipe", "--atomic"]] {
        node.rcli(args).stdin("GET foo\n").status(1).any_stdout().reports_among(&[&named]).run();
    }
    node.rcli([""; 0]).stdin("MULTI\nGET foo\nEXEC\n").status(1).any_stdout().reports_among(&[USE_C]).run();
    node.rcli(["txn", "--watch", "foo"]).status(1).any_stdout().complains(&["nothing was run: MOVED", USE_C]).run();
    let program = "echo GET foo; read -r v; echo MULTI";
    node.rcli(["txn", "--", "sh", "-c", program]).status(1).any_stdout().complains(&["sh:1: GET foo", USE_C]).run();
    node.rcli(["ssub", "foo"]).status(3).complains(&["SSUBSCRIBE foo", "MOVED", "use -c"]).run();
    node.rcli(["-c", "GET", "foo"]).prints("\n").run();
}

#[test]
fn the_prompt_says_it_too() {
    let cluster = Cluster::start();
    let (terminal, prompt) = open(&cluster.nodes[0], &[]);
    terminal.line("GET foo");
    terminal.shows(&format!("rcli: {USE_C}"));
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.line("MULTI");
    terminal.line("GET foo");
    terminal.line("EXEC");
    terminal.wait("the advice", |rows| {
        rows.last() == Some(&prompt) && rows.iter().any(|row| row.contains("GET foo: MOVED") && row.ends_with(USE_C))
    });
}

#[test]
fn where_nobody_listens_other_servers_are_named() {
    let port = free_port().to_string();
    let next = ["Connection refused; -h and -p name another server", "--sandbox starts one"];
    for args in
        [&["PING"][..], &["--json", "PING"], &["-c", "PING"], &[], &["pipe"], &["txn"], &["sub", "c"], &["monitor"]]
    {
        rcli(["-p", &port]).args(args).stdin("PING\n").status(3).complains(&next).run();
    }
    rcli(["-s", "no-such-socket", "PING"]).status(3).complains(&["No such file", "-s a socket"]).run();
    let terminal = rcli(["-p", &port]).on_terminal(200);
    terminal.shows(next[0]);
    terminal.line("clear");
    terminal.line(&format!("connect 127.0.0.1 {port}"));
    terminal.wait("the prompt's own words", |rows| rows.iter().any(|row| row.ends_with("Connection refused")));
    terminal.leave();
}

#[test]
fn errors_of_the_system_are_words_without_numbers() {
    let server = Server::start();
    for (args, status) in [
        (&["--cacert", "none.pem", "PING"][..], 2),
        (&["--cacertdir", "none", "PING"], 2),
        (&["--cert", "none.pem", "--key", "none.pem", "PING"], 2),
        (&["--pass-file", "none", "PING"], 2),
        (&["--pass-file", "/", "PING"], 2),
        (&["pipe", "none"], 2),
        (&["txn", "none"], 2),
        (&["txn", "--", "./none"], 2),
        (&["-s", "none", "PING"], 3),
        (&["-h", "no-such-host.invalid", "PING"], 3),
        (&["-p", "1", "PING"], 3),
    ] {
        let run = server.rcli(args).status(status).any_stderr().run();
        assert!(run.err().starts_with("rcli: ") && !run.err().contains("os error"), "{args:?}: {}", run.err());
    }
    let run = server.rcli(["GET", "k"]).stdout_to(std::fs::File::create("/dev/full").unwrap());
    let run = run.status(3).any_stderr().run();
    assert!(!run.err().contains("os error"), "{}", run.err());
}

/// How the line with this in it begins: the bytes that choose its colours.
fn colours_of(terminal: &Terminal, part: &str) -> String {
    terminal.shows(part);
    let bytes = String::from_utf8_lossy(&terminal.bytes()).into_owned();
    let line = bytes.lines().rfind(|line| line.contains("rcli:") && line.contains(part)).expect("the line").to_owned();
    line[..line.find("rcli:").unwrap()].rsplit('\r').next().unwrap_or_default().to_owned()
}

#[test]
fn notices_do_not_look_like_errors() {
    let mut server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.line("connect nowhere");
    let error = colours_of(&terminal, "no profile 'nowhere'");
    terminal.line("BLPOP k 0");
    server.wait_until("INFO clients", |info| info.contains("blocked_clients:1"));
    terminal.keys(CTRL_C);
    let cancelled = colours_of(&terminal, "cancelled: BLPOP k 0");
    let again = colours_of(&terminal, "connected again to");
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.line("FLUSHALL");
    terminal.shows("run it?");
    terminal.line("n");
    let not_run = colours_of(&terminal, "not run");
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    server.kill_nine();
    terminal.line("PING");
    let lost = colours_of(&terminal, "PING was not sent");
    assert!(error.contains("\x1b[1;38;5;167m"), "{error:?}");
    assert_eq!(lost, error);
    for notice in [cancelled, again, not_run] {
        assert!(notice.contains("\x1b[38;5;244m") && !notice.contains("5;167m"), "{notice:?}");
    }
}

#[test]
fn a_stream_that_goes_on_does_not_call_that_an_error() {
    let server = Server::start();
    let mut run = server.rcli(["sub", "c", "--color", "always", "--count", "1"]).any_stdout().any_stderr().start();
    run.wait_for_lines(1);
    server.ask("CLIENT KILL TYPE pubsub");
    run.wait_for_lines(2);
    server.ask("PUBLISH c x");
    let told = run.finish().err();
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("\x1b[1;38;5;167mrcli:\x1b[0m ") && lines[0].contains("connection lost"), "{told:?}");
    assert!(lines[1].starts_with("\x1b[38;5;244mrcli: ") && lines[1].contains("reconnected"), "{told:?}");
}
