//! What only shows on a terminal: the formats and colours chosen there, the question for a password, the bar of `pipe`.

use crate::pty::Terminal;
use crate::rcli::{Rcli, rcli};
use crate::server::Server;

/// Runs to the end on a terminal; the screen and the status.
fn finish(mut terminal: Terminal) -> (String, i32) {
    let status = terminal.status();
    (terminal.rows().join("\n"), status)
}

#[test]
fn human_is_the_default_on_a_terminal() {
    let server = Server::start();
    let (screen, status) = finish(server.rcli(["SET", "k", "v"]).on_terminal(80));
    assert_eq!((screen.as_str(), status), ("OK", 0));
    let (screen, status) = finish(server.rcli(["GET", "k"]).on_terminal(80));
    assert_eq!((screen.as_str(), status), ("\"v\"", 0));
    let (screen, _) = finish(server.rcli(["GET", "k"]).env("RCLI_FORMAT", "raw").on_terminal(80));
    assert_eq!(screen, "v", "the environment goes before the default");
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let server = Server::start();
    let escapes = |terminal: Terminal| {
        let mut terminal = terminal;
        terminal.status();
        terminal.bytes().contains(&0x1b)
    };
    let incr = || server.rcli(["INCR", "n"]);
    assert!(escapes(incr().on_terminal(80)), "a terminal has colours");
    assert!(!escapes(incr().env("NO_COLOR", "1").on_terminal(80)), "NO_COLOR");
    assert!(!escapes(incr().env("TERM", "dumb").on_terminal(80)), "TERM=dumb");
    assert!(!escapes(server.rcli(["--color", "never", "INCR", "n"]).on_terminal(80)), "--color never");
    server.rcli(["--color", "always", "--human", "INCR", "n"]).prints("\x1b[35m(integer) 5\x1b[0m\n").run();
}

#[test]
fn each_stream_has_its_own_colours() {
    let server = Server::start();
    let shown = |run: Rcli, redirection: &str| {
        let mut terminal = run.through_sh(&format!("exec \"$0\" \"$@\" {redirection}")).on_terminal(80);
        terminal.status();
        String::from_utf8_lossy(&terminal.bytes()).into_owned()
    };
    let nil = "\x1b[38;5;244m(nil)\x1b[0m";
    assert_eq!(shown(server.rcli(["GET", "none"]), "2>/dev/null").trim_end(), nil, "stdout alone is a terminal");
    let wrong = || server.rcli(["--human", "--no-such-option"]);
    let is_colored = |text: String| text.starts_with("\x1b[1;38;5;167mrcli:\x1b[0m ");
    assert!(is_colored(shown(wrong(), ">/dev/null")), "stderr alone is a terminal");
    assert!(shown(wrong().env("NO_COLOR", "1").env("CLICOLOR_FORCE", "1"), "").starts_with("rcli: "), "NO_COLOR");
}

#[test]
fn askpass_asks_on_the_terminal_and_shows_nothing_of_the_password() {
    let server = Server::with_password("sesame");
    let terminal = server.rcli(["--askpass", "PING"]).on_terminal(80);
    terminal.shows("Password:");
    terminal.line("sesame");
    let (screen, status) = finish(terminal);
    assert!(screen.ends_with("PONG"), "{screen}");
    assert!(!screen.contains("sesame"), "{screen}");
    assert_eq!(status, 0);
}

#[test]
fn ctrl_c_at_the_question_ends_the_run_and_leaves_the_terminal_as_it_was() {
    let mut terminal = rcli(["--askpass", "PING"]).on_terminal(80);
    terminal.shows("Password:");
    terminal.keys("\x03");
    assert_eq!(terminal.status(), 130);
    assert_eq!(terminal.settings(), terminal.first_settings());
    assert!(terminal.bytes().ends_with(b"\n"), "{:?}", terminal.rows());
}

#[test]
fn a_terminal_has_the_bar_and_the_summary() {
    let server = Server::start();
    let input = "SET k v\n".repeat(50_000);
    let terminal = server.rcli(["pipe", "--quiet", "cmds.txt"]).file("cmds.txt", input).on_terminal(120);
    let (screen, status) = finish(terminal);
    assert!(screen.contains("50000 commands, 50000 replies, 0 errors, "), "{screen}");
    assert_eq!(status, 0);
    let never = server.rcli(["pipe", "--progress", "never", "cmds.txt"]).file("cmds.txt", "SET k v\n");
    assert_eq!(finish(never.on_terminal(120)).0, "OK");
}

#[test]
fn the_bar_tells_bytes_rate_errors_and_the_time_left() {
    let server = Server::start();
    let input = "INCR n\n".repeat(20_000) + &"LPUSH n x\n".repeat(10);
    let done =
        server.rcli(["pipe", "--quiet", "--progress", "always", "cmds.txt"]).file("cmds.txt", input).any_stderr();
    let stderr = String::from_utf8(done.status(1).run().stderr).unwrap();
    let bar = stderr.lines().find(|line| line.contains("KiB")).expect("a line of the bar");
    for part in ["/136.82 KiB", "commands/s", "errors", "left"] {
        assert!(bar.contains(part), "{part} is missing in {bar:?}");
    }
    let last = stderr.lines().last().unwrap();
    assert!(
        last.starts_with("rcli: summary: 20010 commands, 20010 replies, 10 errors, "),
        "the summary is the last line: {last}"
    );
}

#[test]
fn replies_and_the_bar_share_a_terminal() {
    let server = Server::start();
    let terminal = server.rcli(["pipe", "cmds.txt"]).file("cmds.txt", "SET k 1\nINCR k\nGET k\n").on_terminal(120);
    let (screen, status) = finish(terminal);
    assert!(screen.starts_with("OK\n(integer) 2\n\"2\"\nrcli: summary: 3 commands, 3 replies, "), "{screen}");
    assert_eq!(status, 0);
}
