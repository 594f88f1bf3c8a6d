//! `stat`: a server at a glance, and the round trip alone. Contract section 18.

use crate::cluster_nodes::Cluster;
use crate::peer::{close, peer, send};
use crate::pty::{Terminal, open};
use crate::rcli::Rcli;
use crate::server::{Server, wait_for};
use rustix::process::Signal;
use serde_json::Value;

/// The lines of a run in JSON.
fn lines(run: Rcli) -> Vec<Value> {
    run.any_stdout().run().out().lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn a_line_tells_what_the_server_says_and_how_long_it_took() {
    let server = Server::start();
    server.ask("SET a 1");
    server.ask("SET b 1");
    let mut blocked = server.client();
    blocked.call(&[b"SELECT", b"3"]).unwrap();
    blocked.call(&[b"SET", b"c", b"1"]).unwrap();
    let mut run = server.rcli(["BLPOP", "q", "0"]).prints("q\nx\n").start();
    server.wait_until("INFO clients", |info| info.contains("blocked_clients:1"));
    let look = || {
        let [line] = &lines(server.rcli(["--json", "stat", "--count", "1"]))[..] else { panic!("one line") };
        line.clone()
    };
    // The server may not have seen yet that those who asked are gone.
    wait_for("the blocked one, the idle one and itself", || look()["clients"] == 3);
    let line = look();
    assert_eq!((&line["keys"], &line["blocked"]), (&3.into(), &1.into()));
    assert!(line["memory"].as_u64() > Some(100_000) && line["requests"].as_u64() > Some(4), "{line}");
    assert!(line["rate"].is_null() && line["connections"].as_u64() >= Some(4), "{line}");
    let trip = &line["round_trip"];
    assert!(trip["min"].as_f64() > Some(0.0) && trip["p99"].as_f64() >= trip["min"].as_f64(), "{line}");
    server.ask("RPUSH q x");
    run.wait_for_lines(2);
    run.finish();
}

#[test]
fn the_rate_is_of_what_others_ask() {
    let server = Server::start();
    let lines = lines(server.rcli(["--json", "stat", "-i", "0.2", "--count", "3"]));
    let rates: Vec<Option<f64>> = lines.iter().map(|line| line["rate"].as_f64()).collect();
    assert_eq!(rates, [None, Some(0.0), Some(0.0)]);
    assert!(lines[2]["requests"].as_u64() > lines[1]["requests"].as_u64());
    assert!(lines[1]["round_trip"]["samples"].as_u64() > Some(1));
    let mut run = server.rcli(["--json", "stat", "-i", "0.2", "--count", "2"]).any_stdout().start();
    run.wait_for_lines(1);
    let mut client = server.client();
    (0..100).for_each(|_| drop(client.call(&[b"PING"])));
    let out = run.finish().out();
    let last: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert!(last["rate"].as_f64() > Some(100.0), "{out}");
}

#[test]
fn the_header_of_the_table_comes_again() {
    let server = Server::start();
    let out = server.rcli(["stat", "-i", "0.01", "--count", "25"]).any_stdout().run().out();
    let headers: Vec<usize> =
        out.lines().enumerate().filter(|(_, line)| line.starts_with("keys ")).map(|(at, _)| at).collect();
    assert_eq!(headers, [1, 23]);
    assert_eq!(out.lines().count(), 25 + 4);
    let row = out.lines().nth(2).unwrap();
    assert_eq!(row.split_whitespace().count(), 11, "{row}");
    assert!(row.contains("(+0)") && row.contains(" - "), "{row}");
}

#[test]
fn a_time_limit_ends_it_well_unless_lines_are_missing() {
    let server = Server::start();
    server.rcli(["-i", "0.1", "stat", "--timeout", "0.3"]).any_stdout().run();
    let run = server.rcli(["stat", "--json", "--timeout", "0.2", "--count", "9"]).any_stdout().status(5);
    run.complains(&["--timeout: 0.2 s have passed with ", " of 9 lines"]).run();
    let run = server.rcli(["stat", "--latency", "--timeout", "0.2", "-i", "9", "--count", "9"]).any_stdout();
    run.status(5).complains(&["of 9 lines"]).run();
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let server = Server::start();
    for (words, said) in [
        (vec!["--history"], "--latency"),
        (vec!["--dist"], "--latency"),
        (vec!["--latency", "--history", "--dist"], "--dist"),
        (vec!["-i", "x"], "a number of seconds"),
        (vec!["--count", "0"], "--count"),
    ] {
        server.rcli(["stat"]).args(words).status(2).complains(&[said]).run();
    }
    server.rcli(["-r", "3", "stat"]).status(2).complains(&["-r"]).run();
}

#[test]
fn a_server_that_goes_away_is_reported_and_waited_for() {
    let mut server = Server::start();
    let mut run = server.rcli(["--json", "stat", "-i", "0.05"]).any_stdout().any_stderr().status(130).start();
    run.wait_for_lines(2);
    server.kill_nine();
    wait_for("the loss", || run.err_so_far().contains("connection lost: "));
    server.restart();
    wait_for("the reconnect", || run.err_so_far().contains("reconnected after "));
    run.wait_for_lines(2);
    run.signal(Signal::INT);
    let said = run.finish().err();
    assert_eq!(said.matches("connection lost").count(), 1, "{said}");
    assert!(said.starts_with(&format!("rcli: {}: connection lost: ", server.address())), "{said}");
}

#[test]
fn a_server_that_turns_it_away_is_no_server_that_was_lost() {
    let full = peer().greeting("-ERR max number of clients reached\r\n").start();
    for format in ["--raw", "--json"] {
        full.rcli([format, "stat"]).status(3).complains(&["the server has too many clients"]).run();
    }
    // One that was there, and takes connections without an answer, is tried for as one where nobody listens.
    let server = peer().always("INFO", send("$0\r\n\r\n")).otherwise(send("+PONG\r\n")).start();
    let run = server.rcli(["--raw", "stat", "-i", "0.05", "--max-retries", "3"]).any_stdout().any_stderr().status(3);
    let mut run = run.start();
    run.wait_for_lines(3);
    server.set("INFO", close(""));
    server.set("PING", close(""));
    let said = run.finish().err();
    assert_eq!(said.matches("connection lost").count(), 2, "{said}");
    assert!(!said.contains("reconnected"), "{said}");
}

#[test]
fn a_server_that_is_busy_is_named() {
    let server = peer().always("INFO", send("-BUSY Redis is busy\r\n")).otherwise(send("+PONG\r\n")).start();
    let said = format!(
        "rcli: note: 127.0.0.1:{}: INFO: BUSY Redis is busy; waiting\n\
         rcli: --timeout: 0.3 s have passed with 0 of 1 lines\n",
        server.port()
    );
    server.rcli(["stat", "-i", "0.05", "--count", "1", "--timeout", "0.3"]).status(5).reports(said).run();
}

#[test]
fn a_lost_connection_ends_it_where_that_is_asked_for() {
    for (option, words) in [("--no-reconnect", "connection lost"), ("--max-retries=1", "cannot connect")] {
        let mut server = Server::start();
        let mut run = server.rcli(["stat", "-i", "0.05", option]).any_stdout().any_stderr().status(3).start();
        run.wait_for_lines(2);
        server.kill_nine();
        let said = run.finish().err();
        assert!(said.lines().last().unwrap().contains(words), "{said}");
    }
}

#[test]
fn a_server_that_hangs_is_lost_where_a_limit_says_so() {
    let server = Server::start();
    let words = ["--read-timeout", "0.5", "stat", "-i", "0.05", "--no-reconnect"];
    let mut run = server.rcli(words).any_stdout().status(3).complains(&["no answer within 0.5 s"]).start();
    run.wait_for_lines(3);
    server.hang();
    run.finish();
    server.revive();
}

#[test]
fn a_server_that_refuses_info_is_named() {
    let server = Server::start();
    server.ask("ACL SETUSER u on nopass ~* +ping +hello +auth");
    let run = server.rcli(["--user", "u", "-a", "x", "--no-auth-warning", "stat"]).status(1);
    run.complains(&[&server.address(), "INFO: NOPERM"]).run();
    // The round trip needs no more than PING.
    let run = server.rcli(["--user", "u", "-a", "x", "--no-auth-warning", "stat", "--latency", "-i", "0.05"]);
    run.any_stdout().run();
}

#[test]
fn a_cluster_has_a_line_for_each_primary_and_one_for_their_sum() {
    let cluster = Cluster::start();
    for key in ["bar", "c", "foo", "{foo}2"] {
        cluster.ask_owner(key, &format!("SET {key} x"));
    }
    let lines = lines(cluster.rcli(["--json", "stat", "-i", "0.2", "--count", "3"]));
    assert_eq!(lines.len(), 12);
    assert_eq!(lines[11]["rate"].as_f64(), Some(0.0), "rcli's own questions count");
    for round in lines.chunks(4) {
        let [nodes @ .., sum] = round else { panic!("{round:?}") };
        assert_eq!((&sum["node"], &sum["keys"]), (&"sum".into(), &4.into()));
        let all: u64 = nodes.iter().map(|node| node["memory"].as_u64().unwrap()).sum();
        assert_eq!(sum["memory"].as_u64(), Some(all));
        for node in &cluster.nodes {
            assert!(nodes.iter().any(|line| line["node"] == node.address()), "{round:?}");
        }
    }
    let out = cluster.rcli(["stat", "--count", "1"]).any_stdout().run().out();
    assert!(out.lines().last().unwrap().starts_with("sum "), "{out}");
}

#[test]
fn latency_off_a_terminal_is_one_line_as_redis_cli_writes_it() {
    let server = Server::start();
    for protocol in ["-2", "-3"] {
        let run = server.rcli([protocol, "-t", "5", "stat", "--latency", "-i", "0.1"]);
        let out = run.any_stdout().run().out();
        let words: Vec<&str> = out.trim_end().split(' ').collect();
        let [min, max, mean, count] = words[..] else { panic!("{out}") };
        assert!(min.parse::<u64>().unwrap() <= max.parse::<u64>().unwrap(), "{out}");
        assert!(mean.split_once('.').unwrap().1.len() == 2 && count.parse::<u64>().unwrap() > 0, "{out}");
    }
    let out = server.rcli(["--csv", "stat", "--latency", "-i", "0.1"]).any_stdout().run().out();
    assert_eq!(out.trim_end().split(',').count(), 4, "{out}");
    server.rcli(["--csv", "stat"]).status(2).complains(&["stat has no CSV form"]).run();
    let out = server.rcli(["--human", "stat", "--latency", "-i", "0.1"]).any_stdout().run().out();
    assert!(out.starts_with("min: 0.") && out.contains(", avg: ") && out.ends_with(" samples)\n"), "{out}");
    let lines = lines(server.rcli(["--json", "stat", "--latency", "-i", "0.1", "--count", "2"]));
    assert_eq!(lines.len(), 2);
    assert!(lines[0]["round_trip"]["samples"].as_u64() > Some(0));
}

#[test]
fn history_and_distribution_have_a_line_an_interval() {
    let server = Server::start();
    let run = server.rcli(["stat", "--latency", "--history", "-i", "0.1", "--count", "2"]);
    let out = run.any_stdout().run().out();
    assert_eq!(out.matches(" seconds range\n").count(), 2, "{out}");
    let run = server.rcli(["stat", "--latency", "--dist", "-i", "0.05", "--count", "21"]);
    let out = run.any_stdout().run().out();
    let letters = |line: &&str| *line == ".-*#123456789ABCDEFGHIJKLMNOPQ?";
    assert_eq!((out.lines().filter(letters).count(), out.lines().count()), (2, 21 + 2 * 9), "{out}");
    let lines = lines(server.rcli(["--json", "stat", "--latency", "--dist", "-i", "0.1", "--count", "1"]));
    let counts: u64 =
        lines[0]["classes"].as_array().unwrap().iter().map(|class| class["count"].as_u64().unwrap()).sum();
    assert_eq!(Some(counts), lines[0]["samples"].as_u64());
}

#[test]
fn latency_on_a_terminal_writes_its_line_over_and_history_has_bars() {
    let server = Server::start();
    let shows = |mut terminal: Terminal, part: &str| {
        terminal.shows(part);
        terminal.keys("\x03");
        assert_eq!(terminal.status(), 130);
        terminal.rows()
    };
    let rows = shows(server.rcli(["stat", "--latency", "-i", "0.1"]).on_terminal(80), "(5");
    assert_eq!(rows.iter().filter(|row| row.contains("min: ")).count(), 1, "{rows:?}");
    let rows = shows(server.rcli(["stat", "--latency", "--history", "-i", "0.2"]).on_terminal(99), "range █");
    assert!(rows[0].starts_with("min: "), "{rows:?}");
    shows(server.rcli(["stat", "--latency", "--dist", "-i", "0.2"]).on_terminal(80), "From 0 to 100%:");
}

#[test]
fn it_runs_at_the_prompt_and_above_it() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.line("stat --count 2 -i 0.1");
    terminal.wait("two lines", |rows| {
        rows.last() == Some(&prompt) && rows.iter().filter(|row| row.contains("(+")).count() == 2
    });
    terminal.line("stat --json --count 2 -i 0.1 &");
    terminal.shows("\"round_trip\"");
    terminal.shows("ended");
    terminal.line("stat --latency");
    terminal.shows("samples)");
    terminal.keys("\x03");
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.leave();
}

#[test]
fn a_line_fits_a_narrow_screen() {
    let server = Server::start();
    for (columns, titles) in [
        (40, "keys       memory    req/s     p99"),
        (80, "keys       memory    clients blocked requests           req/s     p99"),
        (120, "keys       memory    clients blocked requests           req/s     connections min      mean     p99"),
    ] {
        let mut terminal = server.rcli(["stat", "--count", "1"]).on_terminal(columns);
        assert_eq!(terminal.status(), 0);
        let rows = terminal.rows();
        assert!(rows.len() == 3 && rows[1] == titles, "{rows:?}");
    }
}
