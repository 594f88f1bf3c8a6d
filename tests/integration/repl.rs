//! The REPL as a person meets it: prompt, answers, blocks, lost connections, and leaving. Contract section 10.

use crate::peer::{close, peer, send};
use crate::pty::Terminal;
use crate::server::{Server, free_port, wait_for};
use rustix::process::Signal;

const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";

/// A REPL on this server, and its prompt; the greeting has been seen.
fn open(server: &Server, args: &[&str]) -> (Terminal, String) {
    let terminal = server.rcli(args).on_terminal(160);
    let prompt = format!("{}>", server.address());
    terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
    (terminal, prompt)
}

/// Types a line and waits until the screen ends with it, these rows, and the prompt.
fn run(terminal: &Terminal, prompt: &str, line: &str, answer: &[&str]) {
    terminal.line(line);
    let typed = format!("{prompt} {line}");
    let expected: Vec<&str> = [typed.as_str()].into_iter().chain(answer.iter().copied()).chain([prompt]).collect();
    terminal.ends_with(&expected);
}

#[test]
fn the_first_line_says_server_version_and_how_to_leave_and_nothing_else_does() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    let rows = terminal.rows();
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows[0].contains("7.") || rows[0].contains("8.") || rows[0].contains("9."), "{rows:?}");
    assert!(rows[0].contains(&server.address()) && rows[0].contains("Ctrl-D"), "{rows:?}");
    run(&terminal, &prompt, "PING", &["PONG"]);
    terminal.leave();
}

#[test]
fn ctrl_d_exit_and_quit_leave_with_status_0() {
    let server = Server::start();
    for way in [CTRL_D, "exit\r", "quit\r", "QUIT\r"] {
        let (mut terminal, _) = open(&server, &[]);
        terminal.keys(way);
        assert_eq!(terminal.status(), 0, "{way:?}");
    }
}

#[test]
fn the_prompt_shows_the_database_and_the_length_of_the_block() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    let place = prompt.trim_end_matches('>');
    terminal.line("SELECT 2");
    terminal.ends_with(&["OK", &format!("{place}[2]>")]);
    terminal.line("MULTI");
    terminal.ends_with(&["OK", &format!("{place}[2](TX 0)>")]);
    terminal.line("SET k v");
    terminal.ends_with(&["QUEUED", &format!("{place}[2](TX 1)>")]);
    terminal.line("DISCARD");
    terminal.ends_with(&["OK", &format!("{place}[2]>")]);
    terminal.line("SELECT 0");
    terminal.ends_with(&["OK", &prompt]);
}

#[test]
fn errors_are_shown_with_their_code() {
    let server = Server::start();
    server.ask("SET s v");
    let (terminal, prompt) = open(&server, &[]);
    let wrong = "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
    run(&terminal, &prompt, "LPUSH s x", &[wrong]);
}

#[test]
fn ctrl_c_cancels_the_line_and_never_ends_it() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.keys("SET k ");
    terminal.shows("SET k value");
    terminal.keys(CTRL_C);
    terminal.ends_with(&[&format!("{prompt} SET k"), &prompt]);
    terminal.keys(CTRL_C);
    terminal.signal(Signal::INT);
    terminal.signal(Signal::INT);
    run(&terminal, &prompt, "EXISTS k", &["(integer) 0"]);
    terminal.leave();
}

#[test]
fn ctrl_c_cancels_the_command_that_is_waited_for_and_its_connection_is_closed() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.line("BLPOP q 0");
    server.wait_until("CLIENT LIST", |list| list.contains("cmd=blpop"));
    terminal.keys(CTRL_C);
    terminal.shows("cancelled: BLPOP q 0");
    terminal.wait("a new connection", |rows| {
        rows.iter().any(|row| row.contains("connected again")) && rows.last() == Some(&prompt)
    });
    assert!(!server.ask("CLIENT LIST").contains("cmd=blpop"), "the old connection is still there");
    run(&terminal, &prompt, "RPUSH q x", &["(integer) 1"]);
    run(&terminal, &prompt, "LRANGE q 0 -1", &["1) \"x\""]);
    terminal.leave();
}

#[test]
fn ctrl_c_pressed_many_times_ends_nothing() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    for _ in 0..3 {
        terminal.line("BLPOP q 0");
        server.wait_until("CLIENT LIST", |list| list.contains("cmd=blpop"));
        terminal.keys(&CTRL_C.repeat(3));
        server.wait_until("CLIENT LIST", |list| !list.contains("cmd=blpop"));
    }
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.line("ECHO alive");
    terminal.ends_with(&["\"alive\"", &prompt]);
}

#[test]
fn an_open_quote_goes_on_in_the_next_line() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.line("SET k \"one");
    terminal.line("two\"");
    terminal.ends_with(&["OK", &prompt]);
    assert_eq!(server.ask("GET k"), "one\ntwo");
}

#[test]
fn a_bad_quote_has_a_caret_below_it() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.line("SET k \"a\"b");
    terminal.wait("the caret", |rows| {
        rows.iter().any(|row| row.starts_with("rcli: a closing quote must be followed"))
            && rows.iter().any(|row| row == "           ^")
            && rows.last() == Some(&prompt)
    });
}

#[test]
fn pasted_lines_run_one_by_one() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    let lines: Vec<String> = (1..=10).map(|n| format!("RPUSH l {n}")).collect();
    terminal.paste(&lines.join("\n"));
    terminal.keys("\r");
    terminal.ends_with(&[
        &format!("{prompt} RPUSH l 9"),
        "(integer) 9",
        &format!("{prompt} RPUSH l 10"),
        "(integer) 10",
        &prompt,
    ]);
    assert_eq!(server.ask("LLEN l"), "10");
    // A terminal that does not bracket what is pasted.
    terminal.keys(&lines.join("\r"));
    terminal.keys("\r");
    terminal.ends_with(&[
        &format!("{prompt} RPUSH l 9"),
        "(integer) 19",
        &format!("{prompt} RPUSH l 10"),
        "(integer) 20",
        &prompt,
    ]);
}

#[test]
fn a_pasted_error_does_not_stop_the_lines_after_it_but_ctrl_c_does() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.paste("SET a 1\nNOSUCH\nSET b \"x\"y\nSET c 3\nBLPOP q 0\nSET d 4\n");
    terminal.keys("\r");
    server.wait_until("CLIENT LIST", |list| list.contains("cmd=blpop"));
    terminal.keys(CTRL_C);
    terminal.shows("the 1 pasted lines after it were not run");
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    assert_eq!(server.ask("EXISTS a c"), "2");
    assert_eq!(server.ask("EXISTS b d"), "0");
}

#[test]
fn a_slow_command_says_how_long_it_took() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.line("BLPOP q 0.6");
    terminal.wait("the time", |rows| {
        rows.len() > 2
            && rows[rows.len() - 2].starts_with("(0.")
            && rows[rows.len() - 2].ends_with("s)")
            && rows.last() == Some(&prompt)
    });
    run(&terminal, &prompt, "BLPOP q 0.1", &["(nil)"]);
}

#[test]
fn a_block_is_checked_as_it_is_typed_and_sent_only_by_exec() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    let place = prompt.trim_end_matches('>');
    terminal.line("MULTI");
    terminal.ends_with(&["OK", &format!("{place}(TX 0)>")]);
    terminal.line("NOSUCH x");
    terminal.shows("(error) ERR unknown command 'NOSUCH'");
    terminal.line("SET k");
    terminal.ends_with(&["(error) ERR wrong number of arguments for 'set' command", &format!("{place}(TX 0)>")]);
    terminal.line("SET k v");
    terminal.ends_with(&["QUEUED", &format!("{place}(TX 1)>")]);
    assert_eq!(server.ask("EXISTS k"), "0");
    assert!(!server.ask("CLIENT LIST").contains("multi=1"), "the server knows the block already");
    terminal.line("LPUSH k x");
    terminal.line("LRANGE none 0 -1");
    terminal.ends_with(&["QUEUED", &format!("{place}(TX 3)>")]);
    terminal.line("EXEC");
    terminal.ends_with(&[
        "1) SET k v",
        "   OK",
        "2) LPUSH k x",
        "   (error) WRONGTYPE Operation against a key holding the wrong kind of value",
        "3) LRANGE none 0 -1",
        "   (empty array)",
        &prompt,
    ]);
    assert_eq!(server.ask("GET k"), "v");
}

#[test]
fn a_nil_exec_says_that_a_watched_key_changed() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    run(&terminal, &prompt, "WATCH k", &["OK"]);
    server.ask("SET k other");
    terminal.line("MULTI");
    terminal.line("SET k mine");
    terminal.line("EXEC");
    terminal.ends_with(&["(nil)", "rcli: EXEC: a watched key has changed; nothing was run", &prompt]);
    assert_eq!(server.ask("GET k"), "other");
}

#[test]
fn discard_ends_the_watch_too() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    run(&terminal, &prompt, "WATCH k", &["OK"]);
    terminal.line("MULTI");
    terminal.line("DISCARD");
    terminal.ends_with(&["OK", &prompt]);
    server.ask("SET k other");
    terminal.line("MULTI");
    terminal.line("SET k mine");
    terminal.line("EXEC");
    terminal.ends_with(&["1) SET k mine", "   OK", &prompt]);
}

#[test]
fn a_server_that_was_restarted_is_found_again_with_the_database_and_said_so() {
    let mut server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    let place = prompt.trim_end_matches('>');
    terminal.line("SELECT 3");
    terminal.ends_with(&["OK", &format!("{place}[3]>")]);
    server.kill_nine();
    server.restart();
    terminal.line("INCR n");
    terminal.wait("the answer", |rows| {
        rows.iter().any(|row| *row == format!("rcli: connected again to {place}, database 3"))
            && rows[rows.len() - 2..] == ["(integer) 1".to_owned(), format!("{place}[3]>")]
    });
    terminal.line("SELECT 0");
    terminal.ends_with(&["OK", &prompt]);
    run(&terminal, &prompt, "EXISTS n", &["(integer) 0"]);
}

#[test]
fn a_server_that_is_gone_is_said_in_the_prompt_and_the_repl_goes_on() {
    let mut server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    server.kill_nine();
    terminal.line("PING");
    terminal.wait("no connection", |rows| rows.last().is_some_and(|row| row == "not connected>"));
    terminal.shows("PING was not sent");
    server.restart();
    terminal.line("PING");
    terminal.ends_with(&["PONG", &prompt]);
    terminal.leave();
}

#[test]
fn a_command_whose_answer_was_lost_is_not_sent_again() {
    let peer = peer().answers([send(":1\r\n"), close("")]).otherwise(send(":7\r\n")).start();
    let terminal = peer.rcli([""; 0]).on_terminal(160);
    terminal.wait("the prompt", |rows| rows.last().is_some_and(|row| row.ends_with('>')));
    terminal.line("INCR a");
    terminal.shows("(integer) 1");
    terminal.line("INCR b");
    terminal.shows("INCR b had no answer: it may have run, and is not sent again");
    terminal.line("INCR c");
    terminal.shows("(integer) 7");
    assert_eq!(peer.ordinary(), ["INCR a", "INCR b", "INCR c"]);
}

#[test]
fn a_connection_lost_inside_a_block_loses_nothing() {
    let mut server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    let place = prompt.trim_end_matches('>');
    terminal.line("MULTI");
    terminal.line("SET a 1");
    terminal.ends_with(&["QUEUED", &format!("{place}(TX 1)>")]);
    server.kill_nine();
    // Also while nobody is there.
    terminal.line("SET b 2");
    terminal.ends_with(&["not connected(TX 2)>"]);
    terminal.shows("connection lost");
    terminal.line("EXEC");
    terminal.shows("EXEC was not sent");
    terminal.ends_with(&["not connected(TX 2)>"]);
    server.restart();
    terminal.line("EXEC");
    terminal.ends_with(&["1) SET a 1", "   OK", "2) SET b 2", "   OK", &prompt]);
    assert_eq!(server.ask("MGET a b"), "[1, 2]");
}

#[test]
fn a_watch_lost_with_its_connection_makes_exec_refuse() {
    let mut server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    run(&terminal, &prompt, "WATCH k", &["OK"]);
    terminal.line("MULTI");
    terminal.line("SET k mine");
    server.kill_nine();
    server.restart();
    terminal.line("EXEC");
    terminal.shows("EXEC: refused, nothing was run: the WATCH was lost");
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    assert_eq!(server.ask("EXISTS k"), "0");
    // The next block has no watch to lose.
    terminal.line("MULTI");
    terminal.line("SET k mine");
    terminal.line("EXEC");
    terminal.ends_with(&["1) SET k mine", "   OK", &prompt]);
}

#[test]
fn auth_and_protocol_survive_a_reconnect() {
    let mut server = Server::with_password("secret");
    let (terminal, prompt) = open(&server, &[]);
    terminal.line("GET k");
    terminal.shows("(error) NOAUTH");
    run(&terminal, &prompt, "AUTH secret", &["OK"]);
    // RESP3, which the server refused before AUTH.
    terminal.line("HGETALL none");
    terminal.ends_with(&["(empty hash)", &prompt]);
    terminal.line("HELLO 2");
    terminal.shows("\"proto\"");
    server.kill_nine();
    server.restart();
    terminal.line("HGETALL none");
    terminal.ends_with(&["(empty array)", &prompt]);
    terminal.shows("connected again");
}

#[test]
fn a_refused_password_at_the_start_is_status_3() {
    let server = Server::with_password("secret");
    let mut terminal = server.rcli(["-a", "wrong", "--no-auth-warning"]).on_terminal(160);
    assert_eq!(terminal.status(), 3);
    terminal.shows("WRONGPASS");
}

#[test]
fn a_server_that_is_not_there_yet_does_not_end_it() {
    let port = free_port().to_string();
    let terminal = crate::rcli::rcli(["-p", &port]).on_terminal(160);
    terminal.wait("no connection", |rows| rows.last().is_some_and(|row| row == "not connected>"));
    terminal.shows("Connection refused");
    terminal.leave();
}

#[test]
fn dangerous_commands_ask_first() {
    let server = Server::start();
    server.ask("SET k v");
    let (terminal, prompt) = open(&server, &[]);
    for command in ["FLUSHALL", "flushdb", "SHUTDOWN NOSAVE", "SWAPDB 0 1", "DEBUG SLEEP 0", "KEYS *"] {
        terminal.line(command);
        terminal.wait("the question", |rows| rows.last().is_some_and(|row| row.ends_with("run it? (y/N)")));
        terminal.keys("\r");
        terminal.ends_with(&["rcli: not run", &prompt]);
    }
    terminal.line("FLUSHALL");
    terminal.wait("the question", |rows| rows.last().is_some_and(|row| row.ends_with("run it? (y/N)")));
    terminal.keys(CTRL_C);
    terminal.ends_with(&["rcli: not run", &prompt]);
    assert_eq!(server.ask("EXISTS k"), "1");
    terminal.line("FLUSHALL");
    terminal.wait("the question", |rows| rows.last().is_some_and(|row| row.ends_with("run it? (y/N)")));
    terminal.line("y");
    terminal.ends_with(&["OK", &prompt]);
    assert_eq!(server.ask("EXISTS k"), "0");
}

#[test]
fn yes_asks_nothing() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &["--yes"]);
    run(&terminal, &prompt, "FLUSHALL", &["OK"]);
}

#[test]
fn a_signal_to_end_leaves_the_terminal_as_it_was_and_the_history_on_disk() {
    let server = Server::start();
    let (mut terminal, prompt) = open(&server, &[]);
    run(&terminal, &prompt, "PING", &["PONG"]);
    terminal.keys("SET k");
    terminal.shows("SET k");
    let raw = terminal.settings();
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.status(), 143);
    assert_ne!(terminal.settings(), raw, "the terminal is still raw");
    assert!(terminal.settings().contains("ECHO"), "{}", terminal.settings());
    let bytes = terminal.bytes();
    let text = String::from_utf8_lossy(&bytes);
    let (on, off) = (text.rfind("\x1b[?2004h"), text.rfind("\x1b[?2004l"));
    assert!(off > on, "what is pasted is still bracketed");
    let history = std::fs::read_to_string(terminal.home().join(".local/state/rcli/history")).unwrap();
    assert_eq!(history, "#V2\nPING\n");
}

#[test]
fn a_signal_to_end_during_a_command_ends_it_too() {
    let server = Server::start();
    let (mut terminal, _) = open(&server, &[]);
    terminal.line("BLPOP q 0");
    server.wait_until("CLIENT LIST", |list| list.contains("cmd=blpop"));
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.status(), 143);
}

#[test]
fn shutdown_is_said_and_the_repl_goes_on() {
    let mut server = Server::start();
    let (terminal, _) = open(&server, &["--yes"]);
    terminal.line("SHUTDOWN NOSAVE");
    terminal.shows("has stopped");
    terminal.wait("no connection", |rows| rows.last().is_some_and(|row| row == "not connected>"));
    server.kill_nine();
    terminal.leave();
}

#[test]
fn commands_that_would_break_the_conversation_are_refused() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    for command in ["CLIENT REPLY OFF", "SYNC", "PSYNC ? -1"] {
        terminal.line(command);
        terminal.wait("the refusal", |rows| {
            rows.len() > 1 && rows[rows.len() - 2].starts_with("rcli: ") && rows.last() == Some(&prompt)
        });
    }
    run(&terminal, &prompt, "PING", &["PONG"]);
}

#[test]
fn set_output_changes_the_format() {
    let server = Server::start();
    server.ask("HSET h f v");
    let (terminal, prompt) = open(&server, &[]);
    run(&terminal, &prompt, "HGETALL h", &["1# \"f\" => \"v\""]);
    run(&terminal, &prompt, ":set output json", &[]);
    run(&terminal, &prompt, "HGETALL h", &["{\"f\":\"v\"}"]);
    terminal.line("MULTI");
    terminal.line("HLEN h");
    terminal.line("EXEC");
    terminal.ends_with(&["{\"index\":1,\"line\":1,\"command\":[\"HLEN\",\"h\"],\"reply\":1}", &prompt]);
    run(&terminal, &prompt, ":set output raw", &[]);
    run(&terminal, &prompt, "HGETALL h", &["f v"]);
    run(&terminal, &prompt, ":set output", &["output raw"]);
    run(&terminal, &prompt, ":set output human", &[]);
    run(&terminal, &prompt, "HGET h f", &["\"v\""]);
    run(&terminal, &prompt, ":set output xml", &["rcli: usage: :set output json|human|raw"]);
}

#[test]
fn connect_goes_to_another_server() {
    let (here, there) = (Server::start(), Server::start());
    there.ask("SET who there");
    let (terminal, prompt) = open(&here, &[]);
    let other = format!("{}>", there.address());
    terminal.line(&format!("connect 127.0.0.1 {}", there.port()));
    terminal.ends_with(&[&other]);
    run(&terminal, &other, "GET who", &["\"there\""]);
    terminal.line("MULTI");
    terminal.line(&format!("connect {}", here.url()));
    terminal.shows("EXEC or DISCARD it first");
    terminal.line("DISCARD");
    terminal.line(&format!("connect {}", here.url()));
    terminal.ends_with(&[&prompt]);
    run(&terminal, &prompt, "GET who", &["(nil)"]);
    terminal.line("connect nowhere");
    terminal.ends_with(&["rcli: usage: connect HOST PORT, or connect URL", &prompt]);
}

#[test]
fn a_dumb_terminal_has_a_prompt_and_no_escape_sequences() {
    let server = Server::start();
    let terminal = server.rcli([""; 0]).env("TERM", "dumb").on_terminal(160);
    let prompt = format!("{}>", server.address());
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    run(&terminal, &prompt, "PING", &["PONG"]);
    terminal.line("SET k \"one");
    terminal.ends_with(&["..."]);
    terminal.line("two\"");
    terminal.ends_with(&["OK", &prompt]);
    terminal.keys("half a line");
    terminal.keys(CTRL_C);
    terminal.ends_with(&[&prompt]);
    terminal.line("ECHO alive");
    terminal.ends_with(&["\"alive\"", &prompt]);
    terminal.line("BLPOP q 0");
    server.wait_until("CLIENT LIST", |list| list.contains("cmd=blpop"));
    terminal.keys(CTRL_C);
    terminal.ends_with(&[&prompt]);
    assert!(!terminal.bytes().contains(&0x1b), "escape sequences on a dumb terminal");
    terminal.leave();
}

#[test]
fn no_color_has_no_colours() {
    let server = Server::start();
    let terminal = server.rcli([""; 0]).env("NO_COLOR", "1").on_terminal(160);
    let prompt = format!("{}>", server.address());
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.line("SET k \"12\"");
    terminal.ends_with(&["OK", &prompt]);
    terminal.line("NOSUCH");
    terminal.wait("the error", |rows| rows.last() == Some(&prompt));
    let text = String::from_utf8_lossy(&terminal.bytes()).into_owned();
    let colored = text
        .match_indices("\x1b[")
        .any(|(at, _)| text[at + 2..].trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'));
    assert!(!colored, "{text:?}");
}

#[test]
fn a_sandbox_is_gone_when_the_repl_has_ended() {
    let terminal = crate::rcli::rcli(["--sandbox"]).on_terminal(160);
    terminal.wait("the prompt", |rows| rows.last().is_some_and(|row| row.ends_with("socket>")));
    terminal.line("SET k v");
    terminal.wait("the answer", |rows| rows.iter().any(|row| row == "OK"));
    let home = terminal.leave();
    wait_for("an empty directory", || {
        std::fs::read_dir(home.path())
            .unwrap()
            .all(|entry| !entry.unwrap().file_name().to_string_lossy().contains("sandbox"))
    });
}
