//! The REPL under sentinels: what it says and does when the primary is lost. Contract sections 10 and 12.

use crate::pty::Terminal;
use crate::rcli::rcli;
use crate::sentinel::{asking, sentinel_naming};
use crate::sentinel_reads::asked;
use crate::sentinels::SentinelSet;
use crate::server::Server;

/// A REPL at the primary, and its prompt, which has been seen.
fn open(set: &SentinelSet) -> (Terminal, String) {
    open_with(set, &[])
}

fn open_with(set: &SentinelSet, args: &[&str]) -> (Terminal, String) {
    let run = rcli(["--sentinel", &set.list(), "--master", "mymaster", "-t", "20"]).args(args.iter().copied());
    let terminal = run.on_terminal(160);
    let prompt = format!("{}>", set.primary.address());
    terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
    (terminal, prompt)
}

#[test]
fn the_prompt_goes_on_at_the_new_primary_and_nothing_is_sent_twice() {
    let mut set = SentinelSet::start();
    let (terminal, _) = open(&set);
    terminal.line("BLPOP q 0");
    set.primary.wait_until("INFO clients", |info| info.contains("blocked_clients:1"));
    let (old, new) = (set.primary.address(), set.replica.address());
    set.primary.kill_nine();
    terminal.shows(&format!("rcli: {old}: connection lost: the server closed the connection; BLPOP q 0 had no answer: it may have run, and is not sent again"));
    terminal.wait("the prompt", |rows| rows.last().is_some_and(|row| row.ends_with(" (not connected)>")));
    terminal.line("INCR n");
    terminal.wait("the new primary", |rows| rows.last().is_some_and(|row| *row == format!("{new}>")));
    terminal.shows(&format!("rcli: connected again to {new}"));
    terminal.shows("(integer) 1");
    assert_eq!(set.replica.ask("GET n"), "1");
}

#[test]
fn a_block_and_a_view_survive_and_each_place_is_named_right() {
    let mut set = SentinelSet::start();
    let (terminal, prompt) = open(&set);
    terminal.line("SUBSCRIBE news &");
    terminal.shows("\"type\":\"subscribe\"");
    terminal.line("MULTI");
    terminal.line("INCR n");
    terminal.ends_with(&["QUEUED", &prompt.replace('>', "(TX 1)>")]);
    let (old, new) = (set.primary.address(), set.replica.address());
    set.primary.kill_nine();
    terminal.shows(&format!("{old}: connection lost"));
    // The view is at the new primary before the prompt notices anything.
    terminal.shows(&format!("{new}: reconnected after"));
    terminal.wait("a second confirmation", |rows| {
        rows.iter().filter(|row| row.contains("\"type\":\"subscribe\"")).count() == 2
    });
    terminal.line("INCR n");
    terminal.shows(&format!("rcli: {old}: connection lost: the server closed the connection"));
    terminal.wait("no connection", |rows| rows.last().is_some_and(|row| row.ends_with(" (not connected)(TX 2)>")));
    terminal.line("EXEC");
    terminal.shows(&format!("rcli: connected again to {new}"));
    terminal.ends_with(&["1) INCR n", "   (integer) 1", "2) INCR n", "   (integer) 2", &format!("{new}>")]);
    set.replica.ask("PUBLISH news two");
    terminal.shows("\"data\":\"two\"");
}

#[test]
fn a_primary_that_becomes_a_replica_without_closing_is_left_when_it_refuses_a_write() {
    let (old, new) = (Server::start(), Server::start());
    let (first, second) = (sentinel_naming(old.port()), sentinel_naming(new.port()));
    let terminal = asking(&[first.port(), second.port()]).on_terminal(160);
    let (at_old, at_new) = (format!("{}>", old.address()), format!("{}>", new.address()));
    let lost = at_old.replace('>', " (not connected)>");
    let left = format!("rcli: {} is a replica now: the next command asks the sentinels for the primary", old.address());
    terminal.ends_with(&[&at_old]);
    old.ask(&format!("REPLICAOF 127.0.0.1 {}", new.port()));
    terminal.line("SET k v");
    terminal.ends_with(&["(error) READONLY You can't write against a read only replica.", &left, &lost]);
    terminal.line("SET k v");
    terminal.ends_with(&[&format!("rcli: connected again to {}", new.address()), "OK", &at_new]);
    assert_eq!(new.ask("GET k"), "v");
}

#[test]
fn connect_leaves_the_sentinels() {
    let (set, mut lone) = (SentinelSet::start(), Server::start());
    let (terminal, _) = open(&set);
    let prompt = format!("{}>", lone.address());
    terminal.line(&format!("connect 127.0.0.1 {}", lone.port()));
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    lone.kill_nine();
    lone.restart();
    terminal.line("SET k v");
    terminal.wait("the answer", |rows| rows.iter().any(|row| row == "OK") && rows.last() == Some(&prompt));
    terminal.shows(&format!("connected again to {}", lone.address()));
    assert_eq!(lone.ask("GET k"), "v");
    assert_eq!(set.primary.ask("EXISTS k"), "0");
}

#[test]
fn the_prompt_reads_from_a_replica_while_there_is_one_and_from_the_primary_what_a_watch_guards() {
    let mut set = SentinelSet::start();
    set.primary.ask("SET k v");
    set.replica.wait_until("GET k", |value| value == "v");
    let (terminal, prompt) = open_with(&set, &["--read-from-replicas"]);
    for server in [&set.primary, &set.replica] {
        server.ask("CONFIG RESETSTAT");
    }
    // Its answer, and the prompt behind it.
    let step = |line: &str, rows: &[&str]| {
        terminal.line("clear");
        terminal.ends_with(&[&prompt]);
        terminal.line(line);
        terminal.ends_with(rows);
    };
    step("GET k", &["\"v\"", &prompt]);
    step("SET a 1", &["OK", &prompt]);
    step("GET k", &["\"v\"", &prompt]);
    let counts = |set: &SentinelSet| (asked(&set.primary, "get"), asked(&set.replica, "get"));
    assert_eq!(counts(&set), (0, 2));
    step("WATCH k", &["OK", &prompt]);
    step("GET k", &["\"v\"", &prompt]);
    step("MULTI", &["OK", &prompt.replace('>', "(TX 0)>")]);
    terminal.line("GET k");
    terminal.ends_with(&["QUEUED", &prompt.replace('>', "(TX 1)>")]);
    terminal.line("EXEC");
    terminal.ends_with(&["   \"v\"", &prompt]);
    assert_eq!(counts(&set), (2, 0));
    // Without it the primary answers, and no notice disturbs.
    set.replica.kill_nine();
    step("GET k", &["\"v\"", &prompt]);
    assert_eq!(asked(&set.primary, "get"), 1);
}
