//! Subcommands at the prompt: on the session's settings, in the foreground and above the prompt. Contract section 10.

use crate::peer::{peer, send};
use crate::pty::{Terminal, open};
use crate::server::{Server, wait_for};
use rustix::process::Signal;
use std::fs;

const CTRL_C: &str = "\x03";
const CTRL_U: &str = "\x15";

/// A file in the terminal's directory.
fn file(terminal: &Terminal, name: &str, content: &str) {
    fs::write(terminal.home().join(name), content).unwrap();
}

fn message(channel: &str, data: &str) -> String {
    format!("{{\"type\":\"message\",\"pattern\":null,\"channel\":\"{channel}\",\"data\":\"{data}\"}}")
}

#[test]
fn verbs_run_on_the_database_of_the_session() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    file(&terminal, "cmds.txt", "SET a 1\nINCR a\n");
    terminal.line("SELECT 2");
    let prompt = format!("{}[2]>", prompt.trim_end_matches('>'));
    terminal.ends_with(&["OK", &prompt]);
    terminal.run(&prompt, "pipe --progress never cmds.txt", &["OK", "(integer) 2"]);
    terminal.run(&prompt, "txn cmds.txt", &["1) OK", "2) (integer) 2"]);
    let program = "txn --watch a -- sh -c 'echo GET a; read -r n; echo MULTI; echo INCRBY a $n'";
    terminal.run(&prompt, program, &["1) (integer) 4"]);
    terminal.run(&prompt, "exec -r 2 INCR a", &["(integer) 5", "(integer) 6"]);
    terminal.run(&prompt, "exec -n 0 EXISTS a", &["(integer) 0"]);
    assert_eq!(server.ask("EXISTS a"), "0");
    terminal.line("completions bash");
    terminal.shows("RCLI_COMPLETE");
    terminal.line("profiles");
    terminal.shows("no profiles: there is no");
    terminal.leave();
}

#[test]
fn verbs_follow_the_session_to_another_server_with_its_credentials() {
    let (first, second) = (Server::start(), Server::with_password("pw"));
    let (terminal, _) = open(&first, &[]);
    let (host, port) =
        second.address().rsplit_once(':').map(|(host, port)| (host.to_owned(), port.to_owned())).unwrap();
    terminal.line(&format!("connect {host} {port}"));
    let prompt = format!("{}>", second.address());
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.line("AUTH pw");
    terminal.ends_with(&["OK", &prompt]);
    file(&terminal, "cmds.txt", "SET here yes\n");
    terminal.run(&prompt, "pipe --progress never cmds.txt", &["OK"]);
    terminal.line("sub news --count 1");
    terminal.shows("\"type\":\"subscribe\"");
    let mut client = second.client();
    client.call(&[b"AUTH", b"pw"]).unwrap();
    client.call(&[b"PUBLISH", b"news", b"x"]).unwrap();
    terminal.ends_with(&[&message("news", "x"), &prompt]);
    terminal.run(&prompt, "GET here", &["\"yes\""]);
}

#[test]
fn views_stay_where_they_were_started_and_jobs_says_where() {
    let (first, second) = (Server::start(), Server::start());
    let (terminal, _) = open(&first, &[]);
    terminal.line("sub news --time &");
    terminal.shows("\"type\":\"subscribe\"");
    let (host, port) =
        second.address().rsplit_once(':').map(|(host, port)| (host.to_owned(), port.to_owned())).unwrap();
    terminal.line(&format!("connect {host} {port}"));
    let prompt = format!("{}>", second.address());
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.run(&prompt, "jobs", &[&format!("[1] sub news --time at {}", first.address())]);
    first.ask("PUBLISH news there");
    terminal.shows("\"channel\":\"news\",\"data\":\"there\",\"time\":");
}

#[test]
fn the_output_is_that_of_the_session_and_what_is_typed_comes_first() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &["-2"]);
    file(&terminal, "cmds.txt", "HSET h f v\nHGETALL h\n");
    terminal.line(":set output json");
    terminal.run(&prompt, "pipe --progress never cmds.txt", &["1", "[\"f\",\"v\"]"]);
    terminal.run(&prompt, "pipe --progress never --raw cmds.txt", &["0", "f", "v"]);
    terminal.run(&prompt, "pipe --progress never -3 cmds.txt", &["0", "{\"f\":\"v\"}"]);
    terminal.line(":set output raw");
    terminal.line("sub news --count 1");
    server.wait_until("PUBSUB CHANNELS", |channels| channels.contains("news"));
    server.ask("PUBLISH news payload");
    terminal.ends_with(&["payload", &prompt]);
}

#[test]
fn what_is_wrong_with_a_verb_is_one_line_and_help_is_shown() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    file(&terminal, "bad.txt", "SET a 1\nGET \"b\n");
    let wrong = "rcli: unexpected argument '--cont' found; a similar argument exists: '--count'; see sub --help";
    terminal.run(&prompt, "sub --cont", &[wrong]);
    let wrong =
        "rcli: bad.txt:2: a quote is not closed; 1 command before it was answered; mend it and resume with --skip 1";
    terminal.run(&prompt, "pipe --progress never bad.txt", &["OK", wrong, "  GET \"b", "      ^"]);
    for (line, reason) in [
        ("pipe", "pipe: name a file; at the prompt there is no input to read"),
        ("pipe bad.txt -", "pipe: name a file; at the prompt there is no input to read"),
        ("txn", "txn: name a file, or a program behind --; at the prompt there is no input to read"),
        ("exec -x SET k", "-x and -X read standard input; at the prompt there is none"),
        ("sub -h other x", "--host: the session says which server is meant; connect goes to another one"),
        ("sub --profile other x", "--profile: the session says which server is meant; connect goes to another one"),
        ("exec --all-nodes DBSIZE", "--all-nodes goes with a cluster, and this is none"),
        ("pipe bad.txt &", "pipe cannot run above the prompt: leave out the &"),
    ] {
        terminal.run(&prompt, line, &[&format!("rcli: {reason}")]);
    }
    terminal.line("psub --help");
    terminal.shows("rcli psub 'news.*' 'weather.?'");
    terminal.line("clear");
    terminal.line("help psub");
    terminal.shows("Usage: psub [OPTIONS] [PATTERN]...");
    assert!(!terminal.rows().iter().any(|row| row.contains("--cacert")), "{:?}", terminal.rows());
    terminal.leave();
}

#[test]
fn only_small_letters_without_quotes_are_verbs_and_exec_alone_is_the_servers() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    for line in ["PIPE x", "\"pipe\" x", "[\"pipe\",\"x\"]"] {
        terminal.line(line);
        terminal.wait("the server's answer", |rows| {
            rows.last() == Some(&prompt) && rows.iter().any(|row| row.to_lowercase().contains("unknown command 'pipe'"))
        });
        terminal.line("clear");
        terminal.wait("an empty screen", |rows| rows == [prompt.clone()]);
    }
    terminal.line("multi");
    terminal.line("incr n");
    let block = format!("{}(TX 1)>", prompt.trim_end_matches('>'));
    terminal.ends_with(&["QUEUED", &block]);
    // Beside the block, on a connection of its own.
    terminal.run(&block, "exec EXISTS n", &["(integer) 0"]);
    terminal.line("exec");
    terminal.ends_with(&["1) incr n", "   (integer) 1", &prompt]);
    server.ask("SET kept 1");
    terminal.line("exec FLUSHALL");
    terminal.shows("run it? (y/N)");
    terminal.line("n");
    terminal.shows("not run");
    assert_eq!(server.ask("EXISTS kept"), "1");
}

#[test]
fn a_command_of_the_server_wins_over_a_verb_of_its_name() {
    let entry = "*1\r\n*6\r\n$3\r\nsub\r\n:-2\r\n*0\r\n:0\r\n:0\r\n:0\r\n";
    let script = peer().always("COMMAND", send(entry)).always("COMMAND DOCS", send("*0\r\n"));
    let peer = script.always("sub", send("+the server's\r\n")).start();
    let terminal = peer.rcli([""; 0]).on_terminal(120);
    terminal.wait("the prompt", |rows| rows.last().is_some_and(|row| row.ends_with('>')));
    terminal.keys("sub");
    // The server's table takes a moment to come: until then the hint is the verb's.
    terminal.wait_pressing("\x7fb", |rows| rows.last().is_some_and(|row| row.ends_with("> sub arg [arg [arg ...]]")));
    terminal.line(" x");
    terminal.shows("the server's");
    terminal.leave();
}

#[test]
fn a_verb_in_the_foreground_ends_at_ctrl_c_and_gives_the_prompt() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    for (line, listening) in
        [("sub news", "cmd=subscribe"), ("monitor --only SET", "flags=O"), ("exec -r -1 -i 60 PING", "cmd=ping")]
    {
        terminal.line(line);
        server.wait_until("CLIENT LIST", |list| list.contains(listening));
        terminal.keys(CTRL_C);
        terminal
            .wait("the prompt", |rows| rows.iter().any(|row| row.starts_with("^C")) && rows.last() == Some(&prompt));
        server.wait_until("CLIENT LIST", |list| !list.contains(listening) || line.starts_with("exec"));
        terminal.line("clear");
        terminal.wait("an empty screen", |rows| rows == [prompt.clone()]);
    }
    terminal.leave();
}

#[test]
fn a_stream_in_the_background_says_that_it_has_ended_and_ctrl_c_is_not_for_it() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.line("sub news --count 2 &");
    terminal.shows("[1] sub news --count 2");
    terminal.shows("\"type\":\"subscribe\"");
    server.ask("PUBLISH news one");
    terminal.ends_with(&[&message("news", "one"), &prompt]);
    terminal.line("BLPOP q 0");
    server.wait_until("CLIENT LIST", |list| list.contains("cmd=blpop"));
    terminal.keys(CTRL_C);
    terminal.shows("connected again");
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    // What was counted before counts.
    server.ask("PUBLISH news two");
    terminal.ends_with(&[&message("news", "two"), "rcli: [1] sub news --count 2: ended", &prompt]);
    terminal.run(&prompt, "jobs", &[]);
    terminal.line("monitor --only SET &");
    terminal.shows("[2] monitor --only SET");
    server.wait_until("CLIENT LIST", |list| list.contains("cmd=monitor"));
    server.ask("GET k");
    server.ask("SET k v");
    terminal.wait("the one line", |rows| {
        rows.iter().any(|row| row.contains("\"SET k v\"")) && !rows.iter().any(|row| row.contains("\"GET k\""))
    });
    terminal.line("stop 2");
    terminal.shows("[2] ended");
    server.wait_until("CLIENT LIST", |list| !list.contains("flags=O"));
    terminal.line("sub news --count 2 --timeout 0.01 &");
    terminal.shows("rcli: [3] sub news --count 2 --timeout 0.01: --timeout: 0.01 s have passed with 0 of 2 messages");
}

#[test]
fn tail_and_stat_run_above_the_prompt_and_ls_and_run_in_the_foreground() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    file(&terminal, "pair.lua", "return {KEYS[1], ARGV[1]}");
    terminal.line("tail orders --from 0 --count 1 &");
    terminal.shows("[1] tail orders --from 0 --count 1");
    server.ask("XADD orders 1-1 item apple");
    terminal.ends_with(&[
        "{\"stream\":\"orders\",\"id\":\"1-1\",\"fields\":{\"item\":\"apple\"}}",
        "rcli: [1] tail orders --from 0 --count 1: ended",
        &prompt,
    ]);
    terminal.line("tail orders --from 0 --handler 'cat >> handled' &");
    let entry = "{\"stream\":\"orders\",\"id\":\"1-1\",\"fields\":{\"item\":\"apple\"}}\n";
    wait_for("the handler", || fs::read_to_string(terminal.home().join("handled")).is_ok_and(|text| text == entry));
    terminal.run(&prompt, "stop 2", &["[2] ended"]);
    terminal.line("stat -i 0.05 &");
    terminal.wait("two lines", |rows| rows.iter().filter(|row| row.contains("(+")).count() > 1);
    terminal.line("stop 3");
    terminal.shows("[3] ended");
    terminal.line("clear");
    terminal.run(&prompt, "ls ord*", &["orders"]);
    terminal.run(&prompt, "run pair.lua k , v", &["1) \"k\"", "2) \"v\""]);
    terminal.run(&prompt, "run -", &["rcli: run: name a file; at the prompt there is no input to read"]);
    terminal.run(&prompt, "ls &", &["rcli: ls cannot run above the prompt: leave out the &"]);
    let control = "rcli: --control reads standard input; at the prompt SUBSCRIBE and UNSUBSCRIBE do what its lines do";
    terminal.run(&prompt, "sub --control", &[control]);
    terminal.keys("tail or\t");
    terminal.shows("tail orders");
}

#[test]
fn handlers_take_messages_in_the_background_and_in_the_foreground() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    let handled = |name: &str| fs::read_to_string(terminal.home().join(name)).unwrap_or_default();
    for (line, ends) in
        [("sub jobs --handler 'jobs=cat >> one' &", "stop 1"), ("sub jobs --handler 'jobs=cat >> two'", CTRL_C)]
    {
        terminal.line(line);
        server.wait_until("PUBSUB CHANNELS", |channels| channels.contains("jobs"));
        server.ask("PUBLISH jobs hello");
        let name = if ends == CTRL_C { "two" } else { "one" };
        wait_for("the handler", || handled(name) == format!("{}\n", message("jobs", "hello")));
        if ends == CTRL_C {
            terminal.keys(CTRL_C);
        } else {
            terminal.line(ends);
        }
        server.wait_until("PUBSUB CHANNELS", |channels| !channels.contains("jobs"));
    }
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.line("sub bad --handler 'bad=exit 3' &");
    server.wait_until("PUBSUB CHANNELS", |channels| channels.contains("bad"));
    server.ask("PUBLISH bad x");
    terminal.ends_with(&["rcli: [2] sub bad --handler \"bad=exit 3\": handler for bad: exit status 3", &prompt]);
}

#[test]
fn leaving_waits_for_handlers_that_run() {
    let server = Server::start();
    let (mut terminal, _) = open(&server, &[]);
    let script = "touch begun; while [ ! -e go ]; do sleep 0.02; done; touch done";
    terminal.line(&format!("sub jobs --handler 'jobs={script}' &"));
    server.wait_until("PUBSUB CHANNELS", |channels| channels.contains("jobs"));
    server.ask("PUBLISH jobs x");
    wait_for("the handler", || terminal.home().join("begun").exists());
    terminal.line("exit");
    terminal.shows("waiting for 1 handlers to finish");
    file(&terminal, "go", "");
    assert_eq!(terminal.status(), 0);
    assert!(terminal.home().join("done").exists());
}

#[test]
fn a_signal_that_ends_the_prompt_waits_for_handlers_that_run() {
    let server = Server::start();
    let (mut terminal, _) = open(&server, &[]);
    let script = "touch begun; while [ ! -e go ]; do sleep 0.02; done; touch done";
    terminal.line(&format!("sub jobs --handler 'jobs={script}' &"));
    server.wait_until("PUBSUB CHANNELS", |channels| channels.contains("jobs"));
    server.ask("PUBLISH jobs x");
    wait_for("the handler", || terminal.home().join("begun").exists());
    terminal.signal(Signal::TERM);
    file(&terminal, "go", "");
    assert_eq!(terminal.status(), 143);
    assert!(terminal.home().join("done").exists());
}

#[test]
fn a_second_ctrl_c_ends_handlers_in_the_foreground() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.line("sub jobs --handler 'jobs=touch begun; exec sleep 600'");
    server.wait_until("PUBSUB CHANNELS", |channels| channels.contains("jobs"));
    server.ask("PUBLISH jobs x");
    wait_for("the handler", || terminal.home().join("begun").exists());
    terminal.keys(CTRL_C);
    terminal.shows("waiting for 1 handlers to finish");
    terminal.keys(CTRL_C);
    terminal.shows("ended with 1 message received and not handled");
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.run(&prompt, "PING", &["PONG"]);
    terminal.leave();
}

#[test]
fn tab_and_hints_know_what_a_verb_takes() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    file(&terminal, "commands one.txt", "PING\n");
    let completes = |typed: &str, line: &str| {
        terminal.keys(typed);
        terminal.keys("\t");
        let expected = format!("{prompt} {line}");
        terminal.wait(&format!("{expected:?}"), |rows| rows.last().is_some_and(|row| row.starts_with(&expected)));
        terminal.keys(CTRL_U);
        terminal.wait("an empty line", |rows| rows.last() == Some(&prompt));
    };
    completes("profi", "profiles");
    completes("pipe --ate", "pipe --ate");
    completes("pipe --ato", "pipe --atomic");
    completes("pipe --on-error s", "pipe --on-error stop");
    completes("pipe com", "pipe \"commands one.txt\"");
    completes("completions po", "completions powershell");
    completes("sub x --json --handler-j", "sub x --json --handler-jobs N");
    completes("exec hgeta", "exec hgetall");
    completes("help psu", "help psu");
    terminal.keys("sub --idle");
    terminal.ends_with(&[&format!("{prompt} sub --idle SECS")]);
    terminal.keys(CTRL_U);
    terminal.keys("txn ");
    terminal.ends_with(&[&format!("{prompt} txn [OPTIONS] [FILE] [-- <PROGRAM>...]")]);
    terminal.keys(CTRL_U);
    server.ask("PING");
    terminal.line("SUBSCRIBE some.channel &");
    terminal.shows("\"type\":\"subscribe\"");
    completes("sub some", "sub some.channel");
}
