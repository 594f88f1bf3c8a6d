//! The REPL as a person meets it: prompt, answers, Ctrl-C, questions, formats, terminals, and leaving. Contract section 10.

use crate::peer::{Answer, peer};
use crate::pty::open;
use crate::rcli::rcli;
use crate::server::{Server, free_port, wait_for};
use rustix::process::Signal;

const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";

#[test]
fn the_first_line_says_server_version_and_how_to_leave_and_nothing_else_does() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    let rows = terminal.rows();
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows[0].contains("7.") || rows[0].contains("8.") || rows[0].contains("9."), "{rows:?}");
    assert!(rows[0].contains(&server.address()) && rows[0].contains("Ctrl-D"), "{rows:?}");
    terminal.run(&prompt, "PING", &["PONG"]);
    terminal.leave();
}

#[test]
fn ctrl_d_exit_and_quit_leave_with_status_0() {
    let server = Server::start();
    for way in [CTRL_D, "exit\r", "quit\r", "QUIT\r", "quit now\r"] {
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
    terminal.run(&prompt, "LPUSH s x", &[wrong]);
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
    // A signal may be seen when the next line is typed already, and cancels that.
    terminal.run_until(&prompt, "EXISTS k", |rows| rows.len() > 1 && rows[rows.len() - 2] == "(integer) 0");
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
    // A busy machine has it come with the next command.
    terminal.wait("a prompt", |rows| rows.last().is_some_and(|row| row.ends_with('>')));
    terminal.line("RPUSH q x");
    terminal.wait("a new connection", |rows| {
        rows.iter().any(|row| row.contains("connected again"))
            && rows[rows.len() - 2] == "(integer) 1"
            && rows.last() == Some(&prompt)
    });
    assert!(!server.ask("CLIENT LIST").contains("cmd=blpop"), "the old connection is still there");
    terminal.run(&prompt, "LRANGE q 0 -1", &["1) \"x\""]);
    terminal.leave();
}

#[test]
fn ctrl_c_gives_the_prompt_though_the_server_is_busy_with_what_was_asked() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.line("BLPOP q 0");
    server.wait_until("CLIENT LIST", |list| list.contains("cmd=blpop"));
    server.hang();
    terminal.keys(CTRL_C);
    let place = server.address();
    terminal.ends_with(&[
        "rcli: cancelled: BLPOP q 0",
        &format!("rcli: {place} is still busy; the next command connects again"),
        &format!("{place} (not connected)>"),
    ]);
    server.revive();
    terminal.line("PING");
    terminal.ends_with(&[&format!("rcli: connected again to {place}"), "PONG", &prompt]);
    terminal.leave();
}

#[test]
fn ctrl_c_while_a_server_is_connected_to_gives_the_prompt() {
    let silent = || peer().hello(Answer::Silence).start();
    let (server, sentinel) = (silent(), silent());
    let sentinels = format!("127.0.0.1:{}", sentinel.port());
    let of_sentinels = rcli(["-t", "600", "--sentinel", &sentinels, "--master", "m"]);
    for (peer, run) in [(&server, server.rcli(["-t", "600"])), (&sentinel, of_sentinels)] {
        let terminal = run.on_terminal(160);
        peer.wait_for_connection();
        terminal.keys(CTRL_C);
        terminal.wait("the prompt", |rows| rows.last().is_some_and(|row| row.ends_with(" (not connected)>")));
        terminal.leave();
    }
}

/// Whether the row before the prompt says how long a command took.
fn tells_the_time(rows: &[String], prompt: &str) -> bool {
    let [.., time, last] = rows else { return false };
    last == prompt && time.starts_with('(') && time.ends_with("s)")
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
        // One that is heard later than the first cancels what is done then: connecting again, or the next command.
        terminal.wait("a prompt", |rows| rows.last().is_some_and(|row| row.ends_with('>')));
        terminal.run_until(&prompt, "ECHO alive", |rows| rows[rows.len() - 2] == "\"alive\"");
    }
    // A run that Ctrl-C ends has a second left; this one goes on after it.
    terminal.run_until(&prompt, "BLPOP q 1.3", |rows| tells_the_time(rows, &prompt));
    terminal.run(&prompt, "ECHO alive", &["\"alive\""]);
}

#[test]
fn an_open_quote_goes_on_in_the_next_line() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.begin("SET k \"one");
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
    terminal.shows("not run: the 1 pasted line after it");
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    assert_eq!(server.ask("EXISTS a c"), "2");
    assert_eq!(server.ask("EXISTS b d"), "0");
}

#[test]
fn a_slow_command_says_how_long_it_took() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.line("BLPOP q 0.6");
    terminal.wait("the time", |rows| tells_the_time(rows, &prompt));
    terminal.run(&prompt, "PING", &["PONG"]);
}

#[test]
fn dangerous_commands_ask_first() {
    let server = Server::start();
    server.ask("SET k v");
    let (terminal, prompt) = open(&server, &[]);
    for command in [
        "FLUSHALL",
        "flushdb",
        "SHUTDOWN NOSAVE",
        "SWAPDB 0 1",
        "DEBUG SLEEP 0",
        "FUNCTION FLUSH",
        "script flush",
        "CLUSTER RESET",
        "REPLICAOF NO ONE",
    ] {
        terminal.line(command);
        terminal.wait("the question", |rows| rows.last().is_some_and(|row| row.ends_with("run it? (y/N)")));
        terminal.keys("\r");
        terminal.ends_with(&["rcli: not run", &prompt]);
    }
    terminal.run(&prompt, "FUNCTION LIST", &["(empty array)"]);
    terminal.line("DEBUG OBJECT none");
    terminal.shows("(error) ");
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
fn the_question_names_server_database_and_number_of_keys() {
    let server = Server::start();
    server.ask("SET k v");
    let (terminal, prompt) = open(&server, &[]);
    terminal.line("SELECT 3");
    let prompt = format!("{}[3]>", prompt.trim_end_matches('>'));
    terminal.ends_with(&["OK", &prompt]);
    terminal.run(&prompt, "MSET a 1 b 2", &["OK"]);
    let place = server.address();
    for (line, question) in [
        ("FLUSHDB", format!("FLUSHDB: at {place}, database 3, 2 keys: run it? (y/N)")),
        ("FLUSHALL", format!("FLUSHALL: at {place}, all databases, 3 keys: run it? (y/N)")),
        ("exec -n 0 FLUSHDB", format!("FLUSHDB: at {place}, database 0, an unknown number of keys: run it? (y/N)")),
    ] {
        terminal.line(line);
        terminal.wait(&question, |rows| rows.last() == Some(&question));
        terminal.line("n");
        terminal.ends_with(&["rcli: not run", &prompt]);
    }
}

#[test]
fn keys_asks_only_where_there_are_very_many() {
    let server = Server::start();
    server.ask("SET k v");
    let (terminal, prompt) = open(&server, &[]);
    terminal.run(&prompt, "KEYS *", &["1) \"k\""]);
    server.call(&[b"EVAL", b"for i = 1, 10000 do redis.call('SET', 'k' .. i, i) end", b"0"]);
    terminal.line("KEYS k");
    let question = format!("KEYS k: at {}, database 0, 10001 keys: run it? (y/N)", server.address());
    terminal.wait("the question", |rows| rows.last() == Some(&question));
    terminal.line("y");
    terminal.ends_with(&["1) \"k\"", &prompt]);
}

#[test]
fn yes_asks_nothing() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &["--yes"]);
    terminal.run(&prompt, "FLUSHALL", &["OK"]);
}

#[test]
fn a_signal_to_end_leaves_the_terminal_as_it_was_and_the_history_on_disk() {
    let server = Server::start();
    let (mut terminal, prompt) = open(&server, &[]);
    terminal.run(&prompt, "PING", &["PONG"]);
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
fn commands_that_would_break_the_conversation_are_refused() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    for command in ["CLIENT REPLY OFF", "SYNC", "PSYNC ? -1"] {
        terminal.line(command);
        terminal.wait("the refusal", |rows| {
            rows.len() > 1 && rows[rows.len() - 2].starts_with("rcli: ") && rows.last() == Some(&prompt)
        });
    }
    terminal.run(&prompt, "PING", &["PONG"]);
}

#[test]
fn set_output_changes_the_format() {
    let server = Server::start();
    server.ask("HSET h f v");
    let (terminal, prompt) = open(&server, &[]);
    terminal.run(&prompt, "HGETALL h", &["1# \"f\" => \"v\""]);
    terminal.run(&prompt, ":set output json", &[]);
    terminal.run(&prompt, "HGETALL h", &["{\"f\":\"v\"}"]);
    terminal.line("MULTI");
    terminal.line("HLEN h");
    terminal.line("EXEC");
    terminal.ends_with(&["{\"index\":1,\"line\":1,\"command\":[\"HLEN\",\"h\"],\"reply\":1}", &prompt]);
    terminal.run(&prompt, ":set output raw", &[]);
    terminal.run(&prompt, "HGETALL h", &["f v"]);
    terminal.run(&prompt, ":set output", &["output raw"]);
    terminal.run(&prompt, ":set output human", &[]);
    terminal.run(&prompt, "HGET h f", &["\"v\""]);
    terminal.run(&prompt, ":set output xml", &["rcli: :set: output is human|json|raw|csv, not 'xml'"]);
}

#[test]
fn connect_goes_to_another_server() {
    let (here, there) = (Server::start(), Server::start());
    there.ask("SET who there");
    let (terminal, prompt) = open(&here, &[]);
    let other = format!("{}>", there.address());
    terminal.line(&format!("connect 127.0.0.1 {}", there.port()));
    terminal.ends_with(&[&other]);
    terminal.run(&other, "GET who", &["\"there\""]);
    terminal.line("MULTI");
    terminal.line(&format!("connect {}", here.url()));
    terminal.shows("EXEC or DISCARD it first");
    terminal.line("DISCARD");
    terminal.line(&format!("connect {}", here.url()));
    terminal.ends_with(&[&prompt]);
    terminal.run(&prompt, "GET who", &["(nil)"]);
    terminal.run(&prompt, "connect", &["rcli: usage: connect HOST PORT, connect URL, or connect PROFILE"]);
}

#[test]
fn a_connect_that_fails_keeps_the_connection_there_was() {
    let (here, silent) = (Server::start(), peer().hello(Answer::Silence).start());
    let (terminal, prompt) = open(&here, &["-t", "0.5"]);
    terminal.line("SELECT 3");
    let prompt = format!("{}[3]>", prompt.trim_end_matches('>'));
    terminal.line("WATCH k");
    terminal.ends_with(&["OK", &prompt]);
    terminal.run(&prompt, "CLIENT SETNAME before", &["OK"]);
    for (line, reason) in [
        (format!("connect 127.0.0.1 {}", free_port()), "Connection refused"),
        (format!("connect 127.0.0.1 {}", silent.port()), "0.5 s"),
        ("connect redis://127.0.0.1:x".to_owned(), "rcli: "),
        ("connect nowhere".to_owned(), "no profile 'nowhere'"),
    ] {
        terminal.line(&line);
        terminal.wait(reason, |rows| {
            rows.last() == Some(&prompt) && rows.len() > 1 && rows[rows.len() - 2].contains(reason)
        });
        // A new connection would have lost the watch.
        terminal.run(&prompt, "CLIENT GETNAME", &["\"before\""]);
    }
    // Ctrl-C too.
    silent.set("HELLO", Answer::Silence);
    terminal.line(&format!("connect redis://127.0.0.1:{}?protocol=3", silent.port()));
    terminal.keys(CTRL_C);
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.run(&prompt, "exec SET k changed", &["OK"]);
    terminal.line("MULTI");
    terminal.line("INCR n");
    terminal.line("EXEC");
    terminal.shows("a watched key has changed");
    assert!(!terminal.rows().iter().any(|row| row.contains("connected again")), "{:?}", terminal.rows());
}

#[test]
fn a_dumb_terminal_has_a_prompt_and_no_escape_sequences() {
    let server = Server::start();
    let terminal = server.rcli([""; 0]).env("TERM", "dumb").on_terminal(160);
    let prompt = format!("{}>", server.address());
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.run(&prompt, "PING", &["PONG"]);
    terminal.line("SET k \"one");
    terminal.ends_with(&["..."]);
    terminal.line("two\"");
    terminal.ends_with(&["OK", &prompt]);
    terminal.keys("half a line");
    terminal.shows("half a line");
    terminal.keys(CTRL_C);
    terminal.ends_with(&[&format!("{prompt} half a line^C"), &prompt]);
    terminal.line("ECHO alive");
    terminal.ends_with(&["\"alive\"", &prompt]);
    terminal.line("BLPOP q 0");
    server.wait_until("CLIENT LIST", |list| list.contains("cmd=blpop"));
    terminal.keys(CTRL_C);
    terminal.shows(&format!("rcli: note: connected again to {}", server.address()));
    terminal.shows("rcli: cancelled: BLPOP q 0");
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
    // A word tells notices from failures then.
    terminal.line("FLUSHALL");
    terminal.wait("the question", |rows| rows.last().is_some_and(|row| row.ends_with("run it? (y/N)")));
    terminal.keys("\r");
    terminal.ends_with(&["rcli: note: not run", &prompt]);
    // Hints are dim all the same: nothing else tells them from what was typed.
    let text = String::from_utf8_lossy(&terminal.bytes()).replace("\x1b[2m", "").replace("\x1b[0m", "");
    let colored = text
        .match_indices("\x1b[")
        .any(|(at, _)| text[at + 2..].trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'));
    assert!(!colored, "{text:?}");
}

#[test]
fn a_sandbox_is_gone_when_the_repl_has_ended() {
    let terminal = rcli(["--sandbox"]).on_terminal(160);
    terminal.wait("the prompt", |rows| rows.last().is_some_and(|row| row == "sandbox>"));
    terminal.line("SET k v");
    terminal.wait("the answer", |rows| rows.iter().any(|row| row == "OK"));
    let home = terminal.leave();
    wait_for("an empty directory", || {
        std::fs::read_dir(home.path())
            .unwrap()
            .all(|entry| !entry.unwrap().file_name().to_string_lossy().contains("sandbox"))
    });
}
