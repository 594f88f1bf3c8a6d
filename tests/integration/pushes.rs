//! `--show-pushes`: a push is written when it comes, whatever is waited for (contract section 1).

use crate::cluster_nodes::Cluster;
use crate::peer::{Answer, peer, send};
use crate::pty::open;
use crate::rcli::Rcli;
use crate::server::{Server, wait_for};
use rustix::process::Signal;

/// What a client is told that tracks the key `k`, once that is set.
const PUSH: &str = "{\"push\":[\"invalidate\",[\"k\"]]}";

/// A run with JSON, RESP3 and pushes.
fn showing(server: &Server, args: &[&str]) -> Rcli {
    server.rcli(["--json", "--show-pushes"]).args(args)
}

#[test]
fn a_push_is_written_while_a_line_or_more_input_is_waited_for() {
    let server = Server::start();
    for verb in [&[][..], &["pipe"]] {
        let run = showing(&server, verb).interactive();
        let mut run = run.prints(format!("\"OK\"\nnull\n{PUSH}\n\"v\"\n\"OK\"\n{PUSH}\n")).start();
        run.send("CLIENT TRACKING ON\nGET k\n");
        run.wait_for_lines(2);
        server.ask("SET k v");
        run.wait_for_lines(3);
        run.send("GET k\n");
        run.wait_for_lines(4);
        // One that comes together with a reply is not left waiting behind it.
        run.send("SET k w\n");
        run.wait_for_lines(6);
        run.finish();
        server.ask("DEL k");
    }
}

#[test]
fn a_push_is_written_while_a_reply_is_waited_for() {
    let server = Server::start();
    let run = showing(&server, &[]).interactive();
    let mut run = run.prints(format!("\"OK\"\nnull\n{PUSH}\n[\"l\",\"x\"]\n")).start();
    run.send("CLIENT TRACKING ON\nGET k\nBLPOP l 0\n");
    server.wait_until("INFO clients", |info| info.contains("blocked_clients:1"));
    server.ask("SET k v");
    run.wait_for_lines(3);
    server.ask("RPUSH l x");
    run.finish();
    // One command cannot have it told beforehand that it tracks.
    let peer = peer().answers([Answer::Silence]).start();
    let mut run =
        peer.rcli(["--json", "--show-pushes", "BLPOP", "l", "0"]).prints("{\"push\":[\"note\"]}\n1\n").start();
    peer.wait_for_commands(1);
    peer.say(b">1\r\n+note\r\n");
    run.wait_for_lines(1);
    peer.say(b":1\r\n");
    run.finish();
}

#[test]
fn a_push_is_written_while_a_command_is_not_yet_repeated() {
    let server = Server::start();
    let run = showing(&server, &["exec", "-r", "-1", "-i", "600", "CLIENT", "TRACKING", "ON", "BCAST"]);
    let mut run = run.prints(format!("\"OK\"\n{PUSH}\n{PUSH}\n")).status(130).start();
    run.wait_for_lines(1);
    for number in 2..4 {
        server.ask("SET k v");
        run.wait_for_lines(number);
    }
    run.signal(Signal::INT);
    run.finish();
}

#[test]
fn a_push_is_written_while_a_program_of_txn_runs_and_while_its_input_is_waited_for() {
    let server = Server::start();
    let script = "echo CLIENT TRACKING ON; read -r ok; echo GET k; read -r nil; echo ready > ready
        until [ -e go ]; do sleep 0.01; done; echo MULTI; echo GET k";
    let mut run = showing(&server, &["txn", "--", "sh", "-c", script]).prints(format!("{PUSH}\n[\"v\"]\n")).start();
    let home = run.home().to_owned();
    wait_for("the program", || home.join("ready").exists());
    server.ask("SET k v");
    run.wait_for_lines(1);
    std::fs::write(home.join("go"), "").unwrap();
    run.finish();
    let peer = peer().exec(send("*1\r\n+a\r\n")).start();
    let run = peer.rcli(["--json", "--show-pushes", "txn", "--watch", "k"]).interactive();
    peer.set("WATCH", send("+OK\r\n"));
    let mut run = run.prints("{\"push\":[\"note\"]}\n[\"a\"]\n").start();
    wait_for("the WATCH", || peer.ordinary().contains(&"WATCH k".to_owned()));
    peer.say(b">1\r\n+note\r\n");
    run.wait_for_lines(1);
    run.send_line("GET k");
    run.finish();
}

#[test]
fn a_push_of_any_node_is_written_while_nothing_is_asked() {
    let cluster = Cluster::start();
    for verb in [&[][..], &["pipe"]] {
        let run = cluster.rcli(["--json", "--show-pushes"]).args(verb);
        let mut run = run.interactive().any_stdout().start();
        // A node that was asked last is not the only one that has something to say.
        run.send("CLIENT TRACKING ON BCAST\nGET bar\nGET c\nGET foo\n");
        run.wait_for_lines(4);
        let tracking = |node: &Server| node.ask("INFO clients").contains("tracking_clients:1");
        let node = cluster.nodes.iter().position(tracking).expect("a node that tracks");
        let key = ["bar", "c", "foo"][node];
        cluster.nodes[node].ask(&format!("SET {key} v"));
        run.wait_for_lines(5);
        let out = run.finish().out();
        assert_eq!(out, format!("\"OK\"\nnull\nnull\nnull\n{{\"push\":[\"invalidate\",[\"{key}\"]]}}\n"));
        cluster.nodes[node].ask(&format!("DEL {key}"));
    }
}

#[test]
fn a_push_is_written_above_the_line_being_typed() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &["--show-pushes"]);
    terminal.run(&prompt, "CLIENT TRACKING ON", &["OK"]);
    terminal.line("GET k");
    terminal.ends_with(&["(nil)", &prompt]);
    server.ask("SET k v");
    terminal.ends_with(&["(nil)", PUSH, &prompt]);
    terminal.line("GET k");
    terminal.ends_with(&["\"v\"", &prompt]);
    terminal.keys("SET j \"half");
    terminal.ends_with(&[&format!("{prompt} SET j \"half")]);
    server.ask("SET k w");
    terminal.ends_with(&["\"v\"", PUSH, &format!("{prompt} SET j \"half")]);
    terminal.keys("done\"\r");
    terminal.ends_with(&["OK", &prompt]);
    assert_eq!(server.ask("GET j"), "halfdone");
    // While a reply is waited for, and together with one.
    terminal.line("GET k");
    terminal.ends_with(&["\"w\"", &prompt]);
    terminal.line("BLPOP l 0");
    server.wait_until("INFO clients", |info| info.contains("blocked_clients:1"));
    server.ask("SET k x");
    terminal.ends_with(&[&format!("{prompt} BLPOP l 0"), PUSH]);
    server.ask("RPUSH l x");
    terminal.wait("the reply", |rows| rows.iter().any(|row| row == "2) \"x\""));
    terminal.line("GET k");
    terminal.ends_with(&["\"x\"", &prompt]);
    terminal.line("SET k y");
    terminal.ends_with(&["OK", PUSH, &prompt]);
    // A question waits too.
    terminal.line("GET k");
    terminal.ends_with(&["\"y\"", &prompt]);
    terminal.line("FLUSHDB");
    terminal.shows("run it?");
    server.ask("SET k z");
    terminal.wait("the push", |rows| rows.iter().filter(|row| *row == PUSH).count() == 5);
    terminal.keys("n\r");
    terminal.shows("not run");
    terminal.leave();
}

#[test]
fn a_flood_of_pushes_keeps_no_line_and_no_signal_waiting() {
    let peer = peer().start();
    let null = std::fs::OpenOptions::new().write(true).open("/dev/null").unwrap();
    let run = peer.rcli(["--json", "--show-pushes"]).interactive().stdout_to(null).status(143);
    let mut run = run.reports_among(&[]).start();
    run.send_line("X");
    peer.wait_for_commands(1);
    // Two writers of the peer would tear each other's replies.
    peer.say(b"+one\r\n");
    let flood = ">1\r\n+note\r\n".repeat(400_000);
    run.send_line("Y");
    while peer.ordinary().len() < 2 {
        assert!(run.is_running(), "it ended before the second line");
        peer.say(flood.as_bytes());
    }
    // The answer to the second line does not come.
    run.signal(Signal::TERM);
    while run.is_running() {
        peer.say(flood.as_bytes());
    }
    run.finish_with_open_stdin();
}

#[test]
fn bursts_of_pushes_do_not_stop_the_prompt() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &["--show-pushes"]);
    terminal.run(&prompt, "CLIENT TRACKING ON BCAST", &["OK"]);
    let count = |text: &str| {
        text.split("cmdstat_echo:calls=").nth(1).map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
    };
    for number in 1..=20 {
        let mut client = server.client();
        // They come while Enter is pressed, before the next line is typed, and are more than may wait.
        let burst = std::thread::spawn(move || {
            for _ in 0..30 {
                client.call(&[b"SET", &[b'k'; 4000], b"v"]).unwrap();
            }
        });
        terminal.line("ECHO x");
        server.wait_until("INFO commandstats", |text| count(text) == number);
        burst.join().unwrap();
    }
    terminal.leave();
}

#[test]
fn a_server_that_goes_while_pushes_are_heard_is_told_as_ever() {
    let mut server = Server::start();
    let (terminal, prompt) = open(&server, &["--show-pushes"]);
    server.kill_nine();
    terminal.line("PING");
    terminal.shows("connection lost");
    server.restart();
    terminal.line("PING");
    terminal.ends_with(&["PONG", &prompt]);
    terminal.leave();
}

#[test]
fn pushes_that_were_not_asked_for_are_not_written() {
    let server = Server::start();
    let mut run = server.rcli(["--json"]).interactive().prints("\"OK\"\nnull\n\"PONG\"\n").start();
    run.send("CLIENT TRACKING ON\nGET k\n");
    run.wait_for_lines(2);
    server.ask("SET k v");
    run.send("PING\n");
    run.finish();
}
