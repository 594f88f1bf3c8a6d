//! `monitor`: the dictionaries, filters, limits and faults (contract section 9).

use crate::peer::{Answer, peer, send};
use crate::server::Server;
use rustix::process::Signal;

/// A line without its time, which must have six decimals.
fn without_time(line: &str) -> String {
    let rest = line.strip_prefix("{\"time\":").unwrap_or_else(|| panic!("no time in {line}"));
    let (time, rest) = rest.split_once(',').unwrap();
    let (seconds, decimals) = time.split_once('.').unwrap();
    assert!(seconds.parse::<u64>().is_ok() && decimals.len() == 6 && decimals.parse::<u32>().is_ok(), "{line}");
    rest.to_owned()
}

#[test]
fn dictionaries_are_exact_in_both_protocols() {
    let server = Server::start();
    for protocol in ["-2", "-3"] {
        let run = server.rcli([protocol, "monitor", "--count", "3"]).any_stdout().start();
        wait_for_monitor(&server);
        // Commands of administration are not shown; these are.
        server.call(&[b"SET", b"k", b"a\"b\\\xff\n"]);
        server.ask("ECHO tail\\ after");
        server.call(&[b"EVAL", b"return redis.call('GET', KEYS[1])", b"1", b"k"]);
        let out = run.finish().out();
        let lines: Vec<String> = out.lines().map(without_time).collect();
        let unix = "\"db\":0,\"client_address\":\"unix\",\"client_port\":\"socket\",\"client_type\":\"unix\"";
        let set = format!(
            "{unix},\"command\":\"SET k a\\\"b\\\\\\\\\\\\xff\\\\n\",\"args\":[\"SET\",\"k\",{{\"base64\":\"YSJiXP8K\"}}]}}"
        );
        assert_eq!(lines[0], set);
        assert!(lines[1].contains("\"EVAL\""), "{}", lines[1]);
        let lua = "\"db\":0,\"client_address\":\"lua\",\"client_port\":\"\",\"client_type\":\"lua\",\"command\":\"GET k\",\"args\":[\"GET\",\"k\"]}";
        assert_eq!(lines[2], lua);
    }
}

#[test]
fn tcp_clients_have_address_and_port() {
    let server = Server::start();
    let run = server.rcli(["monitor", "--only", "echo", "--count", "1"]).any_stdout().start();
    wait_for_monitor(&server);
    server.rcli(["-n", "3", "ECHO", "hi"]).prints("hi\n").run();
    let line = without_time(&run.finish().out());
    assert!(line.starts_with("\"db\":3,\"client_address\":\"127.0.0.1\",\"client_port\":\""), "{line}");
    assert!(
        line.ends_with("\",\"client_type\":\"tcp\",\"command\":\"ECHO hi\",\"args\":[\"ECHO\",\"hi\"]}\n"),
        "{line}"
    );
}

/// Waits until somebody monitors.
fn wait_for_monitor(server: &Server) {
    server.wait_until("CLIENT LIST", |list| list.contains("cmd=monitor"));
}

#[test]
fn filters_choose_commands_clients_and_databases() {
    let server = Server::start();
    for (options, expected) in [
        (["--only", "get,strlen"].as_slice(), ["GET", "strlen"]),
        (&["--in-db", "2"], ["SET", "GET"]),
        (&["--client", "127.0.0.1", "--only", "SET,GET"], ["SET", "GET"]),
        (&["--client", "unix:socket", "--only", "ECHO,STRLEN"], ["ECHO", "strlen"]),
        (&["--client", "lua"], ["TIME", "TIME"]),
    ] {
        let run = server.rcli(["monitor", "--count", "2"]).args(options).any_stdout().start();
        wait_for_monitor(&server);
        server.ask("ECHO x");
        server.rcli(["-n", "2"]).stdin("SET k v\nGET k\n").any_stdout().run();
        server.ask("strlen k");
        for _ in 0..2 {
            server.call(&[b"EVAL", b"redis.call('TIME')", b"0"]);
        }
        let out = run.finish().out();
        let names: Vec<&str> = out.lines().map(|line| line.split("\"args\":[\"").nth(1).unwrap()).collect();
        let names: Vec<&str> =
            names.iter().map(|rest| rest.split('"').next().unwrap()).filter(|name| *name != "SELECT").collect();
        assert!(expected.starts_with(&names), "{options:?}: {names:?}");
    }
}

#[test]
fn raw_is_the_servers_lines() {
    let line = r#"1339518083.107412 [0 127.0.0.1:60866] "keys" "a\"\\\xff""#;
    for option in ["--raw", "--human"] {
        let peer = peer().answers([send(format!("+OK\r\n+{line}\r\n"))]).start();
        peer.rcli(["monitor", option, "--count", "1"]).prints(format!("{line}\n")).run();
    }
}

#[test]
fn limits_end_it_as_other_streams() {
    let server = Server::start();
    server.rcli(["monitor", "--timeout", "0.05"]).run();
    server.rcli(["monitor", "--idle", "0.05", "--count", "1"]).status(5).complains(&["0 of 1"]).run();
    let run = server.rcli(["monitor"]).status(130).start();
    wait_for_monitor(&server);
    run.signal(Signal::INT);
    run.finish();
}

#[test]
fn a_refused_monitor_is_status_3() {
    let server = Server::start();
    server.ask("ACL SETUSER bob on >pw +@all -monitor");
    let run = server.rcli(["--user", "bob", "-a", "pw", "--no-auth-warning", "monitor"]).status(3);
    run.complains(&["MONITOR", "NOPERM"]).run();
}

#[test]
fn a_lost_connection_is_regained() {
    let server = Server::start();
    let run = server.rcli(["monitor", "--only", "echo", "--count", "2", "--events"]).any_stdout();
    let mut run = run.reports_among(&["connection lost", "reconnected after"]).start();
    wait_for_monitor(&server);
    server.ask("ECHO before");
    run.wait_for_lines(1);
    let list = server.ask("CLIENT LIST");
    let monitor = list.lines().find(|line| line.contains("cmd=monitor")).unwrap();
    let id = monitor.split(' ').next().unwrap().strip_prefix("id=").unwrap();
    server.ask(&format!("CLIENT KILL ID {id}"));
    run.wait_for_lines(3);
    server.ask("ECHO after");
    let out = run.finish().out();
    let kinds = ["\"before\"]}", "\"disconnected\"", "\"reconnected\"", "\"after\"]}"];
    assert!(out.lines().zip(kinds).all(|(line, kind)| line.contains(kind)), "{out}");
    assert_eq!(out.lines().count(), 4);
}

#[test]
fn a_command_of_10_mb_is_exact() {
    let server = Server::start();
    let run = server.rcli(["monitor", "--only", "echo", "--count", "1"]).any_stdout().start();
    wait_for_monitor(&server);
    let data: Vec<u8> = (0..10 * 1024 * 1024_u32).map(|number| b"ab\"\\\n"[number as usize % 5]).collect();
    server.call(&[b"ECHO", &data]);
    let out = run.finish().out();
    let args = out.split("\"args\":[\"ECHO\",").nth(1).unwrap().trim_end().strip_suffix("]}").unwrap();
    let told: String = serde_json::from_str(args).unwrap();
    assert!(told.as_bytes() == data);
}

#[test]
fn a_line_that_is_none_is_a_lost_connection() {
    for garbage in ["+hello\r\n", "+1.5 [0 lua] broken\r\n", ":1\r\n", "garbage\r\n"] {
        let peer = peer().answers([send(format!("+OK\r\n{garbage}")), Answer::Silence]).start();
        peer.rcli(["monitor", "--no-reconnect"]).status(3).complains(&["connection lost"]).run();
    }
}
