//! What the prompt takes of memory and time: bounds of what Tab asks, of the history, and of what is written above the
//! line being typed. Contract section 10.

use crate::bounds::at_rest;
use crate::cluster_nodes::Cluster;
use crate::peer::{Answer, GREETING, Peer, Script, close, peer, send};
use crate::pty::{Terminal, open};
use crate::resp::bulk;
use crate::server::{Server, wait_for};
use std::fs;

const CTRL_U: &str = "\x15";

/// A reply of a SCAN that goes on, with these keys.
fn page(keys: impl ExactSizeIterator<Item = String>) -> Vec<u8> {
    let mut reply = format!("*2\r\n$1\r\n1\r\n*{}\r\n", keys.len()).into_bytes();
    keys.for_each(|key| reply.extend(bulk(&key)));
    reply
}

/// A REPL on a peer, so wide, whose prompt has been seen.
fn open_at(peer: &Peer, columns: u16) -> Terminal {
    let terminal = peer.rcli([""; 0]).on_terminal(columns);
    terminal.wait("the prompt", |rows| rows.last().is_some_and(|row| row.ends_with('>')));
    terminal
}

/// How many keys each SCAN looked at.
fn counts(peer: &Peer) -> Vec<usize> {
    let scans = peer.ordinary().into_iter().filter(|command| command.starts_with("SCAN "));
    scans.map(|scan| scan.split(' ').nth(5).and_then(|count| count.parse().ok()).expect("COUNT")).collect()
}

#[test]
fn a_search_for_keys_that_never_ends_is_given_up() {
    let endless = peer().always("SCAN", send(page([].into_iter()))).start();
    let terminal = open_at(&endless, 120);
    terminal.keys("GET k");
    terminal.wait_pressing("\t", |rows| rows.iter().any(|row| row == "(still looking; Tab again)"));
    // It goes on behind, until something else is typed.
    let before = counts(&endless).len();
    wait_for("more of it", || counts(&endless).len() > before + 10);
    terminal.keys("x");
    terminal.shows("GET kx");
    at_rest(|| counts(&endless).len());
    let counts = counts(&endless);
    // The first is quick to answer; the server is not kept from others by a later one.
    assert_eq!(counts[0], 500, "{counts:?}");
    assert!(counts.iter().all(|count| *count <= 8000), "{counts:?}");
}

#[test]
fn no_more_is_asked_for_and_offered_than_helps() {
    let many = peer().always("SCAN", send(page((1000..1700).map(|number| format!("k{number}"))))).start();
    let terminal = open_at(&many, 120);
    terminal.keys("GET k");
    terminal.wait_pressing("\t", |rows| rows.iter().any(|row| row.contains("(at least 400 more; type on)")));
    terminal.keys("x");
    terminal.shows("GET k1x");
    // A second one of the same search would look at more.
    let counts = counts(&many);
    assert!(counts.iter().all(|count| *count == 500), "{counts:?}");
}

#[test]
fn words_that_are_too_long_for_any_screen_are_not_offered() {
    let keys = [format!("k{}", "a".repeat(100_000)), "kshort".to_owned(), format!("k{}", "b".repeat(1000))];
    let peer = peer().always("SCAN", send(page(keys.into_iter()))).start();
    let terminal = open_at(&peer, 120);
    terminal.keys("GET k");
    terminal.wait_pressing("\t", |rows| {
        rows.iter().any(|row| row == "kshort") && rows.iter().all(|row| !row.contains("kbb") && !row.contains("kaa"))
    });
}

#[test]
fn a_server_of_very_many_commands_offers_a_part_of_them() {
    let entry = |number: usize| format!("*6\r\n$6\r\nx{number}\r\n:1\r\n*0\r\n:0\r\n:0\r\n:0\r\n");
    let table: String = (10_000..11_200).map(entry).collect();
    let script = peer().always("COMMAND", send(format!("*1200\r\n{table}")));
    let peer = script.always("COMMAND DOCS", send("*0\r\n")).start();
    let terminal = open_at(&peer, 120);
    terminal.keys("x");
    // The server's table takes a moment to come.
    terminal.wait_pressing("\t", |rows| rows.iter().any(|row| row.contains("(at least 1100 more; type on)")));
}

/// Completes after a server that never answered, by `connect` to one that does.
fn completes_elsewhere(silent: Script, args: &[&str]) {
    let silent = silent.start();
    let server = Server::start();
    server.ask("SET key:there v");
    let terminal = silent.rcli(args).on_terminal(120);
    terminal.wait("the prompt", |rows| rows.last().is_some_and(|row| row.ends_with('>')));
    let before = silent.connections();
    terminal.keys("GET k\t");
    // Somebody asks it.
    wait_for("another connection", || silent.connections() > before);
    terminal.keys(CTRL_U);
    terminal.line(&format!("connect {}", server.url()));
    let prompt = format!("{}>", server.address());
    terminal.ends_with(&[&prompt]);
    terminal.keys("GET k");
    let completed = format!("{prompt} GET key:there");
    terminal.wait_pressing("\t", |rows| rows.last().is_some_and(|row| row.starts_with(&completed)));
}

#[test]
fn a_server_that_never_answers_does_not_end_completion() {
    completes_elsewhere(peer(), &[]);
}

#[test]
fn a_server_that_never_greets_does_not_end_completion() {
    completes_elsewhere(peer().hello(Answer::Silence), &["-t", "0.2"]);
}

#[test]
fn a_primary_that_got_its_first_slot_meanwhile_is_asked_for_keys_too() {
    let cluster = Cluster::with_args(4, &["--cluster-allow-replica-migration", "no"]);
    let prompt = format!("{} cluster>", cluster.nodes[0].address());
    let terminal = cluster.rcli([""; 0]).on_terminal(200);
    terminal.ends_with(&[&prompt]);
    cluster.ask_owner("bar", "SET {bar}old v");
    terminal.keys("GET {bar}");
    terminal.wait_pressing("\t", |rows| rows.last().is_some_and(|row| row.contains("GET {bar}old")));
    terminal.keys(CTRL_U);
    cluster.migrate("foo", 3);
    assert_eq!(cluster.nodes[3].ask("SET {foo}new v"), "OK");
    terminal.keys("GET {foo}");
    terminal.wait_pressing("\t", |rows| rows.last().is_some_and(|row| row.contains("GET {foo}new")));
}

#[test]
fn an_answer_that_came_late_does_not_stand_for_ever() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    server.ask("SET there v");
    terminal.keys("GET th");
    terminal.wait_pressing("\t", |rows| rows.last().is_some_and(|row| row.ends_with("GET there")));
    terminal.keys(CTRL_U);
    terminal.keys("GET n");
    terminal.shows("GET n");
    server.hang();
    // The first column is reached when Tab was waited for.
    terminal.keys("\t\x01");
    let column = || terminal.with_screen(|screen| usize::from(screen.cursor_position().1));
    wait_for("the end of Tab", || column() == prompt.len() + 1);
    terminal.keys("\x05");
    server.revive();
    server.ask("SET new v");
    terminal.wait_pressing("\t", |rows| rows.last().is_some_and(|row| row.ends_with("GET new")));
}

#[test]
fn the_history_in_memory_keeps_its_bound() {
    let server = Server::start();
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("h");
    let old: String = (0..12_000).map(|number| format!("GET {number}\n")).collect();
    fs::write(&path, format!("#V2\n{old}")).unwrap();
    let terminal = server.rcli([""; 0]).env("RCLI_HISTFILE", &path).on_terminal(120);
    let prompt = format!("{}>", server.address());
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.run(&prompt, "PING", &["PONG"]);
    terminal.run(&prompt, "history 2", &[" 9999  PING", "10000  history 2"]);
}

#[test]
fn large_lines_of_the_history_are_bounded_in_bytes() {
    let server = Server::start();
    let directory = tempfile::TempDir::new().unwrap();
    let (own, shared) = (directory.path().join("own"), directory.path().join("shared"));
    let large: String = (10..50).map(|number| format!("ECHO {number}{}\n", "x".repeat(999_992))).collect();
    fs::write(&own, format!("#V2\n{large}")).unwrap();
    fs::write(&shared, &large).unwrap();
    let prompt = format!("{}>", server.address());
    for (variable, path) in [("RCLI_HISTFILE", &own), ("REDISCLI_HISTFILE", &shared)] {
        let terminal = server.rcli([""; 0]).env(variable, path).on_terminal(120);
        terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
        // 16 MB of the 40.
        terminal.run(&prompt, "history 1", &["   17  history 1"]);
        terminal.leave();
    }
    let kept = fs::read_to_string(&own).unwrap();
    assert!(kept.starts_with("#V2\nECHO 34x") && kept.ends_with("x\nhistory 1\n"), "{} bytes", kept.len());
    assert_eq!(fs::metadata(&shared).unwrap().len(), large.len() as u64 + 10);
}

/// How much the server holds back of what this client is to be told, once that does not change any more.
fn held_back(server: &Server, client: &str) -> usize {
    at_rest(|| {
        let list = server.ask("CLIENT LIST");
        let line = list.lines().find(|line| line.contains(client)).expect("the client");
        line.split(" tot-mem=").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok()).expect("its memory")
    })
}

#[test]
fn what_a_full_terminal_does_not_take_of_a_view_stays_with_the_server() {
    let server = Server::with_args(["--client-output-buffer-limit", "pubsub", "0", "0", "0"]);
    let (terminal, _) = open(&server, &[]);
    terminal.line("SUBSCRIBE news &");
    terminal.shows("\"type\":\"subscribe\"");
    let stalled = terminal.stall();
    let flood = "for i = 1, 6000 do redis.call('PUBLISH', 'news', i .. string.rep('x', 10000)) end";
    server.call(&[b"EVAL", flood.as_bytes(), b"0"]);
    // Of 60 MB; what the buffers of the connection hold is not seen.
    let held = held_back(&server, " cmd=subscribe ");
    assert!(held > 10_000_000, "{held}");
    drop(stalled);
}

#[test]
fn what_a_full_terminal_does_not_take_of_pushes_stays_with_the_server() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &["--show-pushes"]);
    terminal.run(&prompt, "CLIENT TRACKING ON BCAST", &["OK"]);
    let stalled = terminal.stall();
    for number in 0..60 {
        // One push of a million bytes.
        let flood = format!("for i = 1, 100 do redis.call('SET', '{number}:' .. i .. string.rep('x', 10000), 1) end");
        server.call(&[b"EVAL", flood.as_bytes(), b"0"]);
    }
    let held = held_back(&server, " flags=tB");
    assert!(held > 10_000_000, "{held}");
    drop(stalled);
}

#[test]
fn a_long_command_is_cut_in_what_is_said_of_it() {
    let long = format!("ECHO {}", "x".repeat(100));
    let cut = format!("ECHO {}...", "x".repeat(55));
    let peer = peer().answers([close("")]).otherwise(send("-ERR no\r\n")).start();
    let terminal = open_at(&peer, 200);
    terminal.line(&long);
    terminal.shows(&format!("; {cut} had no answer"));
    terminal.line(&format!("DEBUG {}", "x".repeat(100)));
    terminal.shows(&format!("DEBUG {}...: at 127.0.0.1:{}, ", "x".repeat(54), peer.port()));
    terminal.shows("an unknown number of keys: run it? (y/N)");
    terminal.keys("\r");
    terminal.line(&format!("CLIENT SETNAME {}", "x".repeat(100)));
    terminal.wait("the answer", |rows| rows.contains(&"OK".to_owned()));
    peer.set("CLIENT SETNAME", send("-ERR no\r\n"));
    peer.hang_up();
    terminal.line("PING");
    terminal.shows(&format!("CLIENT SETNAME {}... was refused there: ERR no", "x".repeat(45)));
}

#[test]
fn a_view_that_connects_is_ended_by_stop_and_not_by_ctrl_c_for_something_else() {
    let peer = peer().start();
    let terminal = peer.rcli(["-t", "600"]).on_terminal(120);
    let prompt = format!("127.0.0.1:{}>", peer.port());
    terminal.ends_with(&[&prompt]);
    // The first key asks for the server's own table, over a connection of its own.
    terminal.keys("S");
    wait_for("the question for the table", || peer.commands().iter().any(|command| command == "COMMAND DOCS"));
    terminal.keys("\x15");
    let before = peer.connections();
    peer.set("HELLO", Answer::Silence);
    terminal.line("SUBSCRIBE news &");
    wait_for("the view's connection", || peer.connections() > before);
    wait_for("its greeting", || peer.commands().iter().filter(|command| command.starts_with("HELLO")).count() > before);
    peer.set("HELLO", send(GREETING));
    for _ in 0..3 {
        let sent = peer.ordinary().len();
        terminal.line("BLPOP q 0");
        peer.wait_for_commands(sent + 1);
        terminal.keys("\x03");
        terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    }
    terminal.run(&prompt, "jobs", &["[1] SUBSCRIBE news"]);
    terminal.run(&prompt, "stop 1", &["[1] ended"]);
    // It would wait for a view that still connects.
    terminal.leave();
}

#[test]
fn a_long_command_of_a_block_is_cut_above_its_reply() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.line("MULTI");
    terminal.line(&format!("SET k {}", "x".repeat(200)));
    terminal.line("EXEC");
    terminal.ends_with(&[&format!("1) SET k {}...", "x".repeat(94)), "   OK", &prompt]);
}

#[test]
fn ctrl_c_ends_the_printing_of_a_reply_and_says_how_much_was_left_out() {
    let server = Server::start();
    let fill = "for i = 1, 300 do local t = {} for j = 1, 1000 do t[j] = 'element-' .. j end redis.call('RPUSH', 'big', unpack(t)) end";
    server.call(&[b"EVAL", fill.as_bytes(), b"0"]);
    server.call(&[b"EVAL", b"return redis.call('SET', 'long', string.rep('y', 30000000))", b"0"]);
    let (terminal, prompt) = open(&server, &[]);
    terminal.run(&prompt, ":set pager off", &[]);
    for (line, begin, told) in [
        ("LRANGE big 0 -1", "element-1", " of 300000 elements were left out"),
        ("GET long", "yyyyyyyy", " bytes of the output were left out"),
    ] {
        terminal.line(line);
        terminal.shows(begin);
        terminal.keys("\x03");
        terminal.wait("what was left out", |rows| {
            rows.len() > 1
                && rows.last() == Some(&prompt)
                && rows[rows.len() - 2].starts_with("rcli: cancelled: ")
                && rows[rows.len() - 2].ends_with(told)
        });
        terminal.line("clear");
        terminal.wait("an empty screen", |rows| rows == [prompt.clone()]);
    }
    terminal.run(&prompt, "LLEN big", &["(integer) 300000"]);
    // What is pasted behind it is not run.
    terminal.paste("LRANGE big 0 -1\nSET after 1\n");
    terminal.keys("\r");
    terminal.shows("element-1");
    terminal.keys("\x03");
    terminal.shows("not run: the 1 pasted line after it");
    assert_eq!(server.ask("EXISTS after"), "0");
}

#[test]
fn ctrl_c_ends_a_reply_that_is_still_coming() {
    let peer = peer().always("LRANGE", send("*1000000\r\n$1\r\na\r\n")).start();
    let terminal = open_at(&peer, 120);
    let before = peer.connections();
    terminal.line("LRANGE big 0 -1");
    peer.wait_for_commands(1);
    terminal.keys("\x03");
    terminal.shows("rcli: cancelled: LRANGE big 0 -1");
    wait_for("a new connection", || peer.connections() > before);
    terminal.leave();
}
