//! The history at the prompt: kept for its owner, without secrets; found by what is typed, in any case; shared by
//! sessions side by side. Contract section 10.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::pty::{Terminal, open};
use crate::rcli::rcli;
use crate::server::Server;

const UP: &str = "\x1b[A";
const DOWN: &str = "\x1b[B";
const CTRL_C: &str = "\x03";
const CTRL_U: &str = "\x15";
const CTRL_R: &str = "\x12";

/// A session whose history is this file, and its prompt.
fn open_with(server: &Server, history: &Path) -> (Terminal, String) {
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
    fs::write(&path, "#V2\nGET old\nSET a 1\nGET new\nPING\n").unwrap();
    let (terminal, prompt) = open_with(&server, &path);
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
    fs::write(&path, "#V2\nSET Key One\nPING\n").unwrap();
    let (terminal, prompt) = open_with(&server, &path);
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
    let (first, prompt) = open_with(&server, &path);
    let (second, _) = open_with(&server, &path);
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
    let kept = fs::read_to_string(&path).unwrap();
    assert_eq!(kept, "#V2\nECHO first\nPING\nhistory 3\nECHO again\nhistory 3\n");
}

#[test]
fn a_history_that_is_thrown_away_or_written_anew_meanwhile_does_no_harm() {
    let server = Server::start();
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("h");
    let (terminal, prompt) = open_with(&server, &path);
    terminal.run(&prompt, "ECHO one", &["\"one\""]);
    fs::remove_file(&path).unwrap();
    terminal.run(&prompt, "ECHO two", &["\"two\""]);
    fs::write(&path, "#V2\n").unwrap();
    terminal.run(&prompt, "ECHO three", &["\"three\""]);
    terminal.run(&prompt, "PING", &["PONG"]);
    terminal.leave();
    assert!(fs::read_to_string(&path).unwrap().ends_with("ECHO three\nPING\n"));
}

#[test]
fn the_history_is_kept_searched_and_for_its_owner_only() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    // From its creation on.
    let fresh = fs::metadata(terminal.home().join(".local/state/rcli/history")).unwrap();
    assert_eq!(fresh.permissions().mode() & 0o777, 0o600);
    terminal.line("SET k one");
    terminal.ends_with(&["OK", &prompt]);
    terminal.begin("ECHO \"two");
    terminal.line("lines\"");
    terminal.ends_with(&["\"two\\nlines\"", &prompt]);
    let home = terminal.leave();
    let path = home.path().join(".local/state/rcli/history");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);

    let terminal = server.rcli([""; 0]).env("RCLI_HISTFILE", &path).on_terminal(120);
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.keys(UP);
    terminal.ends_with(&[&format!("{prompt} ECHO \"two"), "lines\""]);
    terminal.keys(CTRL_C);
    terminal.keys(CTRL_R);
    terminal.keys("SET");
    terminal.shows("(reverse-i-search)`SET': SET k one");
    terminal.keys("\r");
    terminal.ends_with(&["OK", &prompt]);
    terminal.line("history 2");
    terminal.ends_with(&["    3  SET k one", "    4  history 2", &prompt]);
}

#[test]
fn a_history_that_others_could_read_is_closed_to_them() {
    let server = Server::start();
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("h");
    fs::write(&path, "GET old\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let terminal = server.rcli([""; 0]).env("RCLI_HISTFILE", &path).on_terminal(120);
    terminal.wait("the prompt", |rows| rows.last().is_some_and(|row| row.ends_with('>')));
    terminal.keys(UP);
    terminal.shows("GET old");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn secrets_are_not_stored() {
    let server = Server::start();
    let aliases = "[repl.aliases]\nlogin = \"AUTH bob\"\n";
    let terminal = server.rcli([""; 0]).file(".config/rcli/config.toml", aliases).on_terminal(160);
    let prompt = format!("{}>", server.address());
    terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
    for line in [
        "AUTH hunter2",
        "auth bob hunter2",
        "AUTH \"hunter2\"x",
        "HELLO 3 AUTH bob hunter2",
        "ACL SETUSER bob on >hunter2",
        "CONFIG SET requirepass \"\" masterauth hunter2",
        "MIGRATE 127.0.0.1 1 k 0 1 AUTH hunter2",
        "SENTINEL SET m auth-pass hunter2",
        "connect redis://bob:hunter2@127.0.0.1:1/0",
        "[\"AUTH\",\"hunter2\"]",
        "2 AUTH hunter2",
        "exec AUTH hunter2",
        "ls -a hunter2",
        "login hunter2",
    ] {
        terminal.line(line);
        terminal.wait("the prompt", |rows| rows.last().is_some_and(|row| row.ends_with('>')));
    }
    terminal.line(&format!("connect {}", server.url()));
    terminal.line("PING");
    terminal.ends_with(&["PONG", &prompt]);
    terminal.keys(UP);
    terminal.keys(UP);
    terminal.keys(UP);
    terminal.ends_with(&[&format!("{prompt} connect {}", server.url())]);
    terminal.keys(CTRL_C);
    let home = terminal.leave();
    let history = fs::read_to_string(home.path().join(".local/state/rcli/history")).unwrap();
    assert_eq!(history, format!("#V2\nconnect {}\nPING\n", server.url()));
}

#[test]
fn the_history_goes_where_the_environment_says_or_nowhere() {
    let server = Server::start();
    let state = tempfile::TempDir::new().unwrap();
    let prompt = format!("{}>", server.address());
    let run = |name: &str, value: &std::path::Path| {
        let terminal = server.rcli([""; 0]).env(name, value).on_terminal(120);
        terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
        terminal.line("PING");
        terminal.ends_with(&["PONG", &prompt]);
        terminal.leave()
    };
    let home = run("XDG_STATE_HOME", state.path());
    assert_eq!(fs::read_to_string(state.path().join("rcli/history")).unwrap(), "#V2\nPING\n");
    assert!(!home.path().join(".local").exists());
    let home = run("RCLI_HISTFILE", "/dev/null".as_ref());
    assert!(!home.path().join(".local").exists());
    let home = run("RCLI_HISTFILE", &state.path().join("own"));
    assert_eq!(fs::read_to_string(state.path().join("own")).unwrap(), "#V2\nPING\n");
    assert!(!home.path().join(".local").exists());
}

/// A session with this history file by this variable, in which these lines are run; its home directory.
fn session(server: &Server, variable: &str, file: &std::path::Path, lines: &[&str]) -> tempfile::TempDir {
    let terminal = server.rcli([""; 0]).env(variable, file).on_terminal(120);
    let prompt = format!("{}>", server.address());
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    for line in lines {
        terminal.run(&prompt, line, &["PONG"]);
    }
    assert!(terminal.rows().iter().all(|row| !row.starts_with("rcli:")), "{:?}", terminal.rows());
    terminal.leave()
}

#[test]
fn no_history_is_kept_where_the_environment_says_dev_null() {
    let server = Server::start();
    let directory = tempfile::TempDir::new().unwrap();
    let link = directory.path().join("link");
    std::os::unix::fs::symlink("/dev/null", &link).unwrap();
    let mode = || fs::metadata("/dev/null").unwrap().permissions().mode();
    let before = mode();
    for variable in ["RCLI_HISTFILE", "REDISCLI_HISTFILE"] {
        for file in ["/dev/null".as_ref(), "/dev/../dev//null".as_ref(), link.as_path()] {
            let home = session(&server, variable, file, &["PING"]);
            assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "{variable} {file:?}");
        }
    }
    assert_eq!(mode(), before);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn a_history_shared_with_redis_cli_stays_as_redis_cli_writes_it() {
    let server = Server::start();
    let directory = tempfile::TempDir::new().unwrap();
    let (new, old) = (directory.path().join("new"), directory.path().join("old"));
    session(&server, "REDISCLI_HISTFILE", &new, &["PING"]);
    assert_eq!(fs::read_to_string(&new).unwrap(), "PING\n");
    assert_eq!(fs::metadata(&new).unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(&old, "SET k \"\\x00\\n\"\nGET k").unwrap();
    let home = session(&server, "REDISCLI_HISTFILE", &old, &["PING", "ping"]);
    assert_eq!(fs::read_to_string(&old).unwrap(), "SET k \"\\x00\\n\"\nGET k\nPING\nping\n");
    assert!(!home.path().join(".local").exists());
    // rcli's own variable goes before it.
    let terminal = server.rcli([""; 0]).env("REDISCLI_HISTFILE", &old).env("RCLI_HISTFILE", &new).on_terminal(120);
    let prompt = format!("{}>", server.address());
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.keys(UP);
    terminal.wait("the last line", |rows| rows.last().is_some_and(|row| row.starts_with(&format!("{prompt} PING"))));
    terminal.keys(CTRL_U);
    terminal.wait("an empty line", |rows| rows.last() == Some(&prompt));
    // In redis-cli's file a command is a line: one of several has no place there, in rcli's own it has.
    terminal.begin("ECHO \"two");
    terminal.line("\\\\ lines\"");
    terminal.ends_with(&["\"two\\n\\\\ lines\"", &prompt]);
    assert_eq!(fs::read_to_string(&new).unwrap(), "PING\n");
    let own = directory.path().join("own");
    let terminal = server.rcli([""; 0]).env("RCLI_HISTFILE", &own).on_terminal(120);
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.begin("ECHO \"two");
    terminal.line("\\\\ lines\"");
    terminal.ends_with(&["\"two\\n\\\\ lines\"", &prompt]);
    terminal.leave();
    assert_eq!(fs::read_to_string(&own).unwrap(), "#V2\nECHO \"two\\n\\\\\\\\ lines\"\n");
    let terminal = server.rcli([""; 0]).env("RCLI_HISTFILE", &own).on_terminal(120);
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.keys(UP);
    terminal.ends_with(&[&format!("{prompt} ECHO \"two"), "\\\\ lines\""]);
}

#[test]
fn lines_that_begin_with_a_blank_are_not_kept() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.run(&prompt, "PING", &["PONG"]);
    terminal.line(" ECHO private");
    terminal.ends_with(&["\"private\"", &prompt]);
    terminal.keys(UP);
    terminal
        .wait("the line before it", |rows| rows.last().is_some_and(|row| row.starts_with(&format!("{prompt} PING"))));
    terminal.keys(CTRL_U);
    terminal.wait("an empty line", |rows| rows.last() == Some(&prompt));
    terminal.paste(" ECHO one\nECHO two");
    terminal.keys("\r");
    terminal.ends_with(&["\"two\"", &prompt]);
    let home = terminal.leave();
    let history = fs::read_to_string(home.path().join(".local/state/rcli/history")).unwrap();
    assert_eq!(history, "#V2\nPING\nECHO two\n");
}

#[test]
fn sessions_side_by_side_keep_each_others_lines_and_a_long_history_is_cut() {
    let server = Server::start();
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("h");
    let old: String = (0..20_001).map(|number| format!("GET {number}\n")).collect();
    fs::write(&path, format!("#V2\n{old}")).unwrap();
    let prompt = format!("{}>", server.address());
    let sessions = [0, 1].map(|_| {
        let terminal = server.rcli([""; 0]).env("RCLI_HISTFILE", &path).on_terminal(120);
        terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
        terminal
    });
    for (terminal, word) in sessions.iter().zip(["PING", "ping"]) {
        terminal.run(&prompt, word, &["PONG"]);
    }
    let kept = fs::read_to_string(&path).unwrap();
    assert!(kept.starts_with("#V2\nGET 10001\n") && kept.ends_with("GET 20000\nPING\nping\n"), "{} bytes", kept.len());
}

#[test]
fn a_history_that_cannot_be_written_is_said_once_and_stops_nothing() {
    let server = Server::start();
    let terminal = rcli(["-p", &server.port().to_string()]).env("RCLI_HISTFILE", "/proc/none/h").on_terminal(120);
    terminal.wait("the prompt", |rows| rows.last().is_some_and(|row| row.ends_with('>')));
    terminal.shows("commands are not kept");
    terminal.line("PING");
    terminal.shows("PONG");
    terminal.leave();
}
