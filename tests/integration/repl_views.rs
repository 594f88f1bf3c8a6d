//! Streaming views in the REPL: in the foreground until Ctrl-C, and above the prompt. Contract section 10.

use crate::pty::{open, open_at};
use crate::server::{Server, wait_for};

const CTRL_C: &str = "\x03";

fn message(channel: &str, data: &str) -> String {
    format!("{{\"type\":\"message\",\"pattern\":null,\"channel\":\"{channel}\",\"data\":\"{data}\"}}")
}

fn confirmation(kind: &str, channel: &str, count: usize) -> String {
    format!("{{\"type\":\"{kind}\",\"pattern\":null,\"channel\":\"{channel}\",\"data\":{count}}}")
}

#[test]
fn a_view_shows_json_lines_until_ctrl_c_and_the_session_is_as_it_was() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    let place = prompt.trim_end_matches('>');
    terminal.line("SELECT 2");
    terminal.line("WATCH k");
    terminal.line("MULTI");
    terminal.line("SET k v");
    terminal.ends_with(&["QUEUED", &format!("{place}[2](TX 1)>")]);
    terminal.line("SUBSCRIBE news \"two words\"");
    terminal.ends_with(&[
        "{\"type\":\"subscribe\",\"pattern\":null,\"channel\":\"news\",\"data\":1}",
        "{\"type\":\"subscribe\",\"pattern\":null,\"channel\":\"two words\",\"data\":2}",
    ]);
    server.ask("PUBLISH news hello");
    terminal.ends_with(&[&message("news", "hello")]);
    terminal.keys(CTRL_C);
    terminal.ends_with(&["^C", &format!("{place}[2](TX 1)>")]);
    server.wait_until("PUBSUB CHANNELS", |channels| !channels.contains("news"));
    terminal.line("EXEC");
    terminal.ends_with(&["1) SET k v", "   OK", &format!("{place}[2]>")]);
}

#[test]
fn patterns_shard_channels_and_monitor_have_views_too() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    for (command, cause, shown) in [
        (
            "PSUBSCRIBE n*",
            "PUBLISH news a",
            "{\"type\":\"pmessage\",\"pattern\":\"n*\",\"channel\":\"news\",\"data\":\"a\"}",
        ),
        (
            "ssubscribe orders",
            "SPUBLISH orders b",
            "{\"type\":\"smessage\",\"pattern\":null,\"channel\":\"orders\",\"data\":\"b\"}",
        ),
        ("MONITOR", "ECHO seen", "\"command\":\"ECHO seen\",\"args\":[\"ECHO\",\"seen\"]}"),
    ] {
        terminal.line(command);
        let listening = format!("cmd={}", command.split(' ').next().unwrap().to_lowercase());
        server.wait_until("CLIENT LIST", |list| list.contains(&listening));
        server.ask(cause);
        terminal.wait(shown, |rows| rows.iter().any(|row| row.contains(shown)));
        terminal.keys(CTRL_C);
        terminal
            .wait("the prompt", |rows| rows.iter().any(|row| row.starts_with("^C")) && rows.last() == Some(&prompt));
        terminal.line("clear");
        terminal.wait("an empty screen", |rows| rows == [prompt.clone()]);
    }
    terminal.leave();
}

#[test]
fn a_view_in_the_background_writes_above_what_is_being_typed() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.line("SUBSCRIBE news &");
    terminal.shows("[1] SUBSCRIBE news");
    terminal.shows("\"type\":\"subscribe\"");
    terminal.keys("SET k \"half");
    terminal.shows("SET k \"half");
    for n in 1..=5 {
        server.ask(&format!("PUBLISH news m{n}"));
        terminal.ends_with(&[&message("news", &format!("m{n}")), &format!("{prompt} SET k \"half")]);
    }
    terminal.keys(" typed\"\r");
    terminal.ends_with(&["OK", &prompt]);
    assert_eq!(server.ask("GET k"), "half typed");
}

#[test]
fn views_in_the_background_are_listed_and_stopped() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.line("SUBSCRIBE a b &");
    terminal.shows("[1] SUBSCRIBE a b");
    terminal.shows(&confirmation("subscribe", "b", 2));
    terminal.line("MONITOR &");
    terminal.shows("[2] MONITOR");
    terminal.line("sub c --count 9 &");
    terminal.shows("[3] sub c --count 9");
    terminal.shows(&confirmation("subscribe", "c", 1));
    terminal.line("stop 2");
    terminal.shows("[2] ended");
    server.wait_until("CLIENT LIST", |list| !list.contains("flags=O"));
    terminal.run(&prompt, "jobs", &["[1] SUBSCRIBE a b", "[3] sub c --count 9"]);
    terminal.run(&prompt, "stop 1", &["[1] ended"]);
    server.wait_until("PUBSUB CHANNELS", |channels| !channels.contains('a'));
    // What has options of its own is not the subscriber's.
    terminal.run(&prompt, "UNSUBSCRIBE c", &["rcli: nothing is subscribed in the background; jobs shows what runs"]);
    terminal.line("stop 9");
    terminal.shows("no view has the number 9");
}

#[test]
fn ctrl_c_is_for_the_foreground_only() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.line("SUBSCRIBE news &");
    terminal.shows("\"type\":\"subscribe\"");
    terminal.line("BLPOP q 0");
    server.wait_until("CLIENT LIST", |list| list.contains("cmd=blpop"));
    terminal.keys(CTRL_C);
    terminal.shows("connected again");
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    server.ask("PUBLISH news still");
    terminal.ends_with(&[&message("news", "still"), &prompt]);
}

#[test]
fn a_view_survives_the_loss_of_its_server() {
    let mut server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.line("SUBSCRIBE news &");
    terminal.shows("\"type\":\"subscribe\"");
    server.kill_nine();
    terminal.shows("connection lost");
    server.restart();
    terminal.shows("reconnected after");
    server.ask("PUBLISH news again");
    terminal.wait("the message", |rows| rows.contains(&message("news", "again")));
    terminal.line("PING");
    terminal.ends_with(&["PONG", &prompt]);
}

#[test]
fn a_view_that_the_server_refuses_is_said_and_the_repl_goes_on() {
    let server = Server::start();
    server.ask("ACL SETUSER default -monitor");
    let (terminal, prompt) = open(&server, &[]);
    for command in ["MONITOR", "MONITOR &"] {
        terminal.line(command);
        terminal.shows("NOPERM");
        terminal.line("clear");
        terminal.wait("an empty screen", |rows| rows == [prompt.clone()]);
    }
    terminal.line("SUBSCRIBE");
    terminal.ends_with(&["rcli: wrong number of arguments for SUBSCRIBE", &prompt]);
    terminal.line("jobs");
    terminal.ends_with(&[&format!("{prompt} jobs"), &prompt]);
    terminal.leave();
}

#[test]
fn a_flood_above_the_prompt_does_not_stop_the_typing() {
    let server = Server::start();
    let (terminal, _) = open(&server, &[]);
    terminal.line("SUBSCRIBE flood &");
    terminal.shows("\"type\":\"subscribe\"");
    server.call(&[b"EVAL", b"for i = 1, 20000 do redis.call('PUBLISH', 'flood', i) end", b"0"]);
    terminal.line("SET typed yes");
    server.wait_until("GET typed", |value| value == "yes");
    terminal.shows("\"data\":\"20000\"");
    terminal.line("stop 1");
    terminal.shows("[1] ended");
}

#[test]
fn set_output_changes_views_too() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.line(":set output raw");
    terminal.line("SUBSCRIBE news &");
    terminal.shows("[1] SUBSCRIBE news");
    server.wait_until("PUBSUB CHANNELS", |channels| channels.contains("news"));
    server.ask("PUBLISH news payload");
    terminal.ends_with(&["payload", &prompt]);
}

#[test]
fn a_format_that_is_named_at_the_start_is_that_of_views_too() {
    let server = Server::start();
    server.ask("XADD st 1-1 f v");
    let runs: [(&[&str], &str, &str); 4] = [
        (&["--raw"], "", "payload"),
        (&[], "raw", "payload"),
        (&["--csv"], "json", "\"message\",\"news\",\"payload\""),
        (&["--json"], "raw", "{\"type\":\"message\",\"pattern\":null,\"channel\":\"news\",\"data\":\"payload\"}"),
    ];
    for (args, variable, line) in runs {
        let mut run = server.rcli(args);
        if !variable.is_empty() {
            run = run.env("RCLI_FORMAT", variable);
        }
        let terminal = run.on_terminal(160);
        let prompt = format!("{}>", server.address());
        terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
        terminal.line("SUBSCRIBE news &");
        terminal.shows("[1] SUBSCRIBE news");
        server.wait_until("PUBSUB CHANNELS", |channels| channels.contains("news"));
        server.ask("PUBLISH news payload");
        terminal.ends_with(&[line, &prompt]);
        terminal.line("stop 1");
        terminal.shows("[1] ended");
        // A line of JSON where it was asked for alone.
        terminal.line("tail st --from 0 --count 1");
        terminal.wait("the entry", |rows| {
            let [.., entry, last] = rows else { return false };
            *last == prompt && entry.starts_with('{') == (args == ["--json"])
        });
        terminal.leave();
        server.wait_until("PUBSUB CHANNELS", |channels| !channels.contains("news"));
    }
}

#[test]
fn a_terminal_that_becomes_wider_keeps_what_was_printed_above_a_long_line() {
    let server = Server::start();
    let (terminal, prompt) = open_at(&server, &[], 70);
    terminal.resize(12, 70);
    terminal.run(&prompt, ":set hints off", &[]);
    terminal.line("SUBSCRIBE news &");
    terminal.ends_with(&[&confirmation("subscribe", "news", 1), &prompt]);
    let line = format!("SET key {}", "0123456789".repeat(9));
    terminal.keys(&line);
    let typed = format!("{prompt} {line}");
    let mut shown = Vec::new();
    let publish = |data: &str, shown: &mut Vec<String>| {
        server.ask(&format!("PUBLISH news {data}"));
        shown.push(message("news", data));
        terminal.wait("all messages", |rows| {
            let rows = rows.concat();
            let last = &shown[shown.len().saturating_sub(3)..];
            last.iter().all(|message| rows.contains(message)) && rows.ends_with(&typed)
        });
    };
    for data in 0..8 {
        publish(&format!("before-{data}"), &mut shown);
    }
    // What comes before the program has heard of it is drawn as for the width before.
    let rewrap = |columns| {
        let before = terminal.bytes().len();
        terminal.rewrap(columns);
        wait_for("the line drawn anew", || terminal.bytes().len() > before);
        terminal.wait("all of it", |rows| rows.concat().ends_with(&typed));
    };
    rewrap(160);
    publish("wide", &mut shown);
    rewrap(62);
    publish("narrow", &mut shown);
    // The cursor in the first of the line's rows, at the bottom of the screen.
    terminal.press("\x01");
    publish("begin", &mut shown);
    rewrap(160);
    publish("wide-again", &mut shown);
    terminal.keys("\x05\x15");
    terminal.wait("an empty line", |rows| rows.last() == Some(&prompt));
}
