//! The history at the prompt: found by what is typed, in any case, and shared by sessions side by side. Contract section
//! 10.

use std::path::Path;

use crate::pty::Terminal;
use crate::server::Server;

const UP: &str = "\x1b[A";
const DOWN: &str = "\x1b[B";
const CTRL_C: &str = "\x03";
const CTRL_R: &str = "\x12";

/// A session whose history is this file, and its prompt.
fn open(server: &Server, history: &Path) -> (Terminal, String) {
    let terminal = server.rcli([""; 0]).env("RCLI_HISTFILE", history).on_terminal(120);
    let prompt = format!("{}>", server.address());
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    (terminal, prompt)
}

#[test]
fn up_and_down_walk_through_the_lines_that_begin_as_the_line_does() {
    let server = Server::start();
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("h");
    std::fs::write(&path, "#V2\nGET old\nSET a 1\nGET new\nPING\n").unwrap();
    let (terminal, prompt) = open(&server, &path);
    // A hint may stand behind it.
    let shows = |text: &str| {
        let (line, hinted) = (format!("{prompt} {text}"), format!("{prompt} {text} ["));
        terminal.wait(text, |rows| rows.last().is_some_and(|row| *row == line || row.starts_with(&hinted)));
    };
    terminal.keys("GET");
    terminal.keys(UP);
    shows("GET new");
    terminal.keys(UP);
    shows("GET old");
    // Above the oldest there is nothing.
    terminal.keys(UP);
    shows("GET old");
    terminal.keys(DOWN);
    shows("GET new");
    terminal.keys(DOWN);
    terminal.keys("!");
    shows("GET!");
    terminal.keys(CTRL_C);
    for line in ["PING", "GET new", "SET a 1"] {
        terminal.keys(UP);
        shows(line);
    }
    // What is found may be changed, and is the beginning of the next search.
    terminal.keys("\x7f\x7f");
    terminal.wait("a line", |rows| rows.last().is_some_and(|row| row.starts_with(&format!("{prompt} SET a "))));
    terminal.keys("\r");
    terminal.wait("an answer", |rows| rows.last() == Some(&prompt));
    terminal.keys("SET");
    terminal.keys(UP);
    terminal.wait("a line", |rows| rows.last().is_some_and(|row| row.starts_with(&format!("{prompt} SET a "))));
    terminal.keys(UP);
    shows("SET a 1");
    terminal.keys(CTRL_C);
    terminal.leave();
}

#[test]
fn ctrl_r_finds_a_line_in_any_case() {
    let server = Server::start();
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("h");
    std::fs::write(&path, "#V2\nSET Key One\nPING\n").unwrap();
    let (terminal, prompt) = open(&server, &path);
    terminal.keys(CTRL_R);
    terminal.keys("key on");
    terminal.shows("(reverse-i-search)`key on': SET Key One");
    terminal.keys("\r");
    terminal.ends_with(&["OK", &prompt]);
    terminal.leave();
}

#[test]
fn sessions_side_by_side_share_what_is_typed_in_one_of_them() {
    let server = Server::start();
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("h");
    let (first, prompt) = open(&server, &path);
    let (second, _) = open(&server, &path);
    first.run(&prompt, "ECHO first", &["\"first\""]);
    first.run(&prompt, " ECHO hidden", &["\"hidden\""]);
    // Known from the next prompt on, before and after a command of its own.
    second.run(&prompt, "PING", &["PONG"]);
    second.keys(UP);
    second.ends_with(&[&format!("{prompt} PING [message]")]);
    second.keys(UP);
    second.ends_with(&[&format!("{prompt} ECHO first")]);
    second.keys(CTRL_C);
    second.run(&prompt, "history 3", &["    1  ECHO first", "    2  PING", "    3  history 3"]);
    first.run(&prompt, "ECHO again", &["\"again\""]);
    first.run(&prompt, "history 3", &["    3  history 3", "    4  ECHO again", "    5  history 3"]);
    first.leave();
    second.leave();
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(kept, "#V2\nECHO first\nPING\nhistory 3\nECHO again\nhistory 3\n");
}

#[test]
fn a_history_that_is_thrown_away_or_written_anew_meanwhile_does_no_harm() {
    let server = Server::start();
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("h");
    let (terminal, prompt) = open(&server, &path);
    terminal.run(&prompt, "ECHO one", &["\"one\""]);
    std::fs::remove_file(&path).unwrap();
    terminal.run(&prompt, "ECHO two", &["\"two\""]);
    std::fs::write(&path, "#V2\n").unwrap();
    terminal.run(&prompt, "ECHO three", &["\"three\""]);
    terminal.run(&prompt, "PING", &["PONG"]);
    terminal.leave();
    assert!(std::fs::read_to_string(&path).unwrap().ends_with("ECHO three\nPING\n"));
}
