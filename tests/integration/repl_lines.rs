//! Where a reply goes, and where lines come from: a pager, a shell command, a file, `source`, a number before a command.
//! Contract section 10.

use std::fs;
use std::process::Command;

use crate::pty::{Terminal, open};
use crate::server::Server;

/// Puts the numbers up to this into the list l.
fn fill(server: &Server, count: u32) {
    let numbers: Vec<String> = (1..=count).map(|number| number.to_string()).collect();
    server.ask(&format!("RPUSH l {}", numbers.join(" ")));
}

#[test]
fn a_reply_goes_to_a_shell_command() {
    let server = Server::start();
    server.ask("HSET h name Ada born 1815");
    server.ask("SET s v");
    let (terminal, prompt) = open(&server, &[]);
    terminal.run(&prompt, "HGETALL h | sort", &["born 1815", "name Ada"]);
    terminal.run(&prompt, "GET s | tr v w | cat -A", &["w$"]);
    terminal.run(&prompt, "ECHO \"a | b\"", &["\"a | b\""]);
    terminal.run(&prompt, "ECHO 1|2", &["\"1|2\""]);
    terminal.run(&prompt, ":set output json", &[]);
    terminal.run(&prompt, "HGETALL h | jq -r .name", &["Ada"]);
    terminal.run(&prompt, ":set output human", &[]);
    // An error is for whoever typed, and a command that fails is told.
    terminal.run(
        &prompt,
        "LPUSH s x | sed s/^/piped:/",
        &["(error) WRONGTYPE Operation against a key holding the wrong kind of value"],
    );
    terminal.run(&prompt, "GET s | exit 3", &["rcli: the shell command ended with status 3"]);
    terminal.run(&prompt, "PING", &["PONG"]);
    terminal.leave();
}

#[test]
fn a_shell_command_may_stop_reading() {
    let server = Server::start();
    fill(&server, 200_000);
    let (terminal, prompt) = open(&server, &[]);
    terminal.run(&prompt, "LRANGE l 0 -1 | head -2", &["1", "2"]);
    terminal.run(&prompt, "PING", &["PONG"]);
    terminal.leave();
}

#[test]
fn a_stream_goes_to_a_shell_command_line_by_line() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.line("SUBSCRIBE news | jq --unbuffered -r .type");
    terminal.shows("subscribe");
    server.ask("PUBLISH news hello");
    terminal.ends_with(&["subscribe", "message"]);
    terminal.keys("\x03");
    // Whoever ends it so need not be told.
    terminal.run(&prompt, "PING", &["PONG"]);
    assert!(!terminal.rows().join(" ").contains("rcli:"), "{:?}", terminal.rows());
    let expired = "rcli: --timeout: 0.01 s have passed with 0 of 1 messages";
    terminal.run(&prompt, "sub news --count 1 --timeout 0.01 -m | cat", &[expired]);
    // One that has read enough ends the stream, in silence too.
    let subscribed = r#"{"type":"subscribe","pattern":null,"channel":"c","data":1}"#;
    for line in ["SUBSCRIBE c | head -1", "sub c | head -1"] {
        terminal.run(&prompt, line, &[subscribed]);
    }
    terminal.leave();
}

#[test]
fn a_reply_is_written_to_a_file() {
    let server = Server::start();
    server.ask("SET s v");
    let (terminal, prompt) = open(&server, &[]);
    terminal.run(&prompt, "GET s > out.txt", &[]);
    terminal.run(&prompt, "MGET s nosuch >> \"out.txt\"", &[]);
    assert_eq!(fs::read_to_string(terminal.home().join("out.txt")).unwrap(), "v\nv\n\n");
    terminal.run(&prompt, "GET s > out.txt", &[]);
    assert_eq!(fs::read_to_string(terminal.home().join("out.txt")).unwrap(), "v\n");
    terminal.run(
        &prompt,
        "GET s > nosuch/out.txt",
        &["rcli: nosuch/out.txt: No such file or directory; nothing was sent"],
    );
    terminal.run(&prompt, "SET s \">\" EX 100", &["OK"]);
    terminal.run(&prompt, "ECHO \">\"", &["\">\""]);
    // The sign is an id there.
    server.ask("XGROUP CREATE a g 0 MKSTREAM");
    server.ask("XADD a 1-1 f v");
    terminal.line("XREADGROUP GROUP g c COUNT 1 STREAMS a >");
    terminal.shows("1-1");
    terminal.line("XREADGROUP GROUP g c COUNT 1 STREAMS a a > 0");
    terminal.ends_with(&[&prompt]);
    assert!(!terminal.home().join("0").exists());
    terminal.leave();
}

#[test]
fn a_file_is_run_as_if_it_were_typed() {
    let server = Server::start();
    let home = |terminal: &Terminal, name: &str, text: &str| fs::write(terminal.home().join(name), text).unwrap();
    let (terminal, prompt) = open(&server, &[]);
    home(&terminal, "a.txt", "# a comment\nSET n 1\n\nMULTI\nINCR n\nECHO \"two\nlines\"\nEXEC\n");
    terminal.run(
        &prompt,
        "source a.txt",
        &[
            "OK",
            "OK",
            "QUEUED",
            "QUEUED",
            "1) INCR n",
            "   (integer) 2",
            "2) ECHO \"two\\nlines\"",
            "   \"two\\nlines\"",
        ],
    );
    home(&terminal, "loop.txt", "source loop.txt\nINCR n\n");
    terminal.line("source loop.txt");
    terminal.shows("loop.txt: 16 files are being run already, one from within the other");
    terminal.run(&prompt, "GET n", &["\"2\""]);
    terminal.run(&prompt, "source nosuch", &["rcli: nosuch: No such file or directory"]);
    home(&terminal, "wrong.txt", "GET n\n\nLPUSH n x\nSET \"a\"b\nGET n\n");
    terminal.run(
        &prompt,
        "source wrong.txt",
        &[
            "\"2\"",
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
            "rcli: wrong.txt:3: LPUSH n x",
            "rcli: wrong.txt:4: a closing quote must be followed by a space or the end of the line",
            "  SET \"a\"b",
            "         ^",
            "\"2\"",
        ],
    );
    // Of a command of several lines the one is named that is wrong.
    home(&terminal, "quotes.txt", "GET n\nECHO \"x\ny\"z\nGET n\nECHO \"x\ny\" \"z\n\nGET n\n");
    terminal.run(
        &prompt,
        "source quotes.txt",
        &[
            "\"2\"",
            "rcli: quotes.txt:3: a closing quote must be followed by a space or the end of the line",
            "  y\"z",
            "    ^",
            "\"2\"",
            "rcli: quotes.txt:6: a quote is not closed; it takes in 2 more lines",
            "  y\" \"z",
            "     ^",
        ],
    );
    home(&terminal, "ask.txt", "FLUSHALL\nINCR n\n");
    terminal.line("source ask.txt");
    terminal.shows("(y/N)");
    terminal.line("n");
    terminal.shows("ask.txt: not run: the 1 command after it");
    terminal.run(&prompt, "GET n", &["\"2\""]);
    terminal.run(&prompt, "history 1", &["    9  history 1"]);
    terminal.leave();
}

#[test]
fn a_named_pipe_is_waited_for_until_ctrl_c() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    let fifo = terminal.home().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for line in ["source fifo", "pipe fifo", "txn fifo", "run fifo"] {
        terminal.line(line);
        terminal.wait_pressing("\x03", |rows| rows.last().is_some_and(|row| *row == prompt.trim_end()));
        terminal.run(&prompt, "ECHO still", &["\"still\""]);
    }
    // Whoever writes it later is read.
    terminal.line("source fifo");
    fs::write(&fifo, "ECHO written\n").unwrap();
    terminal.shows("\"written\"");
    terminal.leave();
}

#[test]
fn a_shell_command_is_run() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.run(&prompt, "!echo \"it's\" here", &["it's here"]);
    terminal.run(&prompt, "!false", &["rcli: the shell command ended with status 1"]);
    terminal.leave();
}

#[test]
fn a_number_before_a_command_repeats_it() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.run(&prompt, "3 INCR n", &["(integer) 1", "(integer) 2", "(integer) 3"]);
    terminal.run(&prompt, "\"2\" INCR n", &["(error) ERR unknown command '2', with args beginning with: 'INCR' 'n'"]);
    terminal.line("100000000 INCR n");
    server.wait_until("GET n", |n| n.parse::<u64>().is_ok_and(|n| n > 1000));
    terminal.press("\x03");
    terminal.wait("its end", |rows| rows.last() == Some(&prompt));
    terminal.leave();
}

#[test]
fn what_is_taller_than_the_screen_goes_through_a_pager() {
    let server = Server::start();
    fill(&server, 100);
    let terminal = server.rcli([""; 0]).env("PAGER", "sed 's/^/paged:/'").on_terminal(80);
    let prompt = format!("{}>", server.address());
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.line("LRANGE l 0 -1");
    terminal.ends_with(&["paged: 99) \"99\"", "paged:100) \"100\"", &prompt]);
    // What fits the screen is not.
    terminal.line("LRANGE l 0 10");
    terminal.ends_with(&["11) \"11\"", &prompt]);
    // Help and the history are as replies in this.
    terminal.line("help ZADD");
    terminal.ends_with(&["  group: @sorted-set", &prompt]);
    terminal.resize(20, 80);
    terminal.line("help");
    // What stands before each row makes the last one longer than the screen is wide, with the groups of this server.
    let ends_paged = |rows: &[String]| rows.iter().rev().skip(1).take(2).any(|row| row.starts_with("paged:  @"));
    terminal.wait("the end of help", |rows| rows.last() == Some(&prompt) && ends_paged(rows));
    terminal.resize(60, 80);
    // Of what is pasted only the last.
    terminal.paste("LRANGE l 0 -1\nLRANGE l 0 70");
    terminal.press("\r");
    terminal.ends_with(&["paged:71) \"71\"", &prompt]);
    assert!(!String::from_utf8_lossy(&terminal.bytes()).contains("paged:100) \"100\"\r\npaged: 1)"));
    terminal.run(&prompt, ":set pager off", &[]);
    terminal.line("LRANGE l 0 -1");
    terminal.ends_with(&["100) \"100\"", &prompt]);
    // A pager that is not there, or is killed, is no reply without a word.
    terminal.run(&prompt, ":set pager kill -9 $$", &[]);
    let ended = "rcli: the pager kill -9 $$ ended with SIGKILL; :set pager off does without";
    terminal.run(&prompt, "LRANGE l 0 -1", &[ended]);
    // A pager that is left before the end.
    terminal.run(&prompt, ":set pager head -1", &[]);
    terminal.run(&prompt, "LRANGE l 0 -1", &["  1) \"1\""]);
    terminal.leave();
}

/// What is said of bytes that are no text.
const NO_TEXT: &str = r#"rcli: what was typed is not UTF-8, and was left out: in quotes "\xff" is a byte"#;

#[test]
fn what_is_typed_in_another_encoding_is_left_out_with_the_rest_of_its_paste() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    let paste = [&b"\x1b[200~SET k \xff\n"[..], &b"SET k v\n".repeat(5_000), b"\x1b[201~"].concat();
    terminal.press(paste);
    terminal.wait("it told", |rows| rows.last() == Some(&prompt) && rows.iter().any(|row| row.ends_with(NO_TEXT)));
    terminal.keys("SET k ");
    terminal.press(b"caf\xe9\r");
    let typed = format!("{prompt} SET k");
    terminal.wait(
        "it told again",
        |rows| matches!(rows, [.., line, told, last] if line.starts_with(&typed) && told == NO_TEXT && *last == prompt),
    );
    terminal.run(&prompt, "EXISTS k", &["(integer) 0"]);
    terminal.leave();
}

#[test]
fn what_is_typed_in_another_encoding_is_left_out_on_a_dumb_terminal_too() {
    let server = Server::start();
    let terminal = server.rcli([""; 0]).env("TERM", "dumb").on_terminal(160);
    let prompt = format!("127.0.0.1:{}>", server.port());
    terminal.ends_with(&[&prompt]);
    terminal.press(b"SET k caf\xe9\n");
    terminal.ends_with(&[NO_TEXT, &prompt]);
    terminal.press("EXISTS k\n");
    terminal.ends_with(&["(integer) 0", &prompt]);
}
