//! What stands behind the cursor in the REPL: the rest of the syntax, and the history's lines. Contract section 10.

use crate::pty::{Terminal, open_at};
use crate::server::Server;

const CTRL_U: &str = "\x15";

/// Types this, and waits until the row is that; an end in `...` leaves open how it goes on.
fn hints(terminal: &Terminal, prompt: &str, typed: &str, hint: &str) {
    terminal.keys(typed);
    let whole = format!("{prompt} {typed}{hint}");
    terminal.wait(&format!("{whole:?}"), |rows| {
        let row = rows.last().map_or("", String::as_str);
        whole.strip_suffix("...").map_or(row == whole.trim_end(), |begin| row.starts_with(begin))
    });
    terminal.keys(CTRL_U);
    terminal.wait("an empty line", |rows| rows.last().is_some_and(|row| row == prompt));
}

#[test]
fn hints_are_those_of_the_list() {
    let server = Server::start();
    let (terminal, prompt) = open_at(&server, &[], 300);
    let list = include_str!("../hints.txt");
    let lines = list.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('|'));
    for (typed, hint) in lines {
        hints(&terminal, &prompt, typed, hint);
    }
    terminal.leave();
}

/// Waits until this stands behind the prompt.
fn row(terminal: &Terminal, prompt: &str, text: &str) {
    let whole = if text.is_empty() { prompt.to_owned() } else { format!("{prompt} {text}") };
    terminal.wait(&format!("{whole:?}"), |rows| rows.last() == Some(&whole));
}

/// Whether this was written in grey.
fn was_grey(terminal: &Terminal, text: &str) -> bool {
    String::from_utf8_lossy(&terminal.bytes()).contains(&format!("\x1b[38;5;244m{text}\x1b[0m"))
}

#[test]
fn a_list_takes_what_stands_behind_the_cursor_off_the_line_above_it() {
    let server = Server::start();
    let (terminal, prompt) = open_at(&server, &[], 100);
    terminal.run(&prompt, "SETEX key:1 9 one", &["OK"]);
    terminal.run(&prompt, "ZRANGEBYSCORE z 0 1", &["(empty array)"]);
    // One of these lengthens the line before the list is written.
    for (typed, above, begin) in
        [("SE", "SE", "SELECT"), ("config re", "config re", "resetstat"), ("ZRANGEB", "ZRANGEBY", "ZRANGEBYLEX")]
    {
        terminal.keys("\x0c");
        terminal.keys(typed);
        terminal.wait("something behind it", |rows| {
            rows.last().is_some_and(|row| row.len() > prompt.len() + 1 + typed.len())
        });
        terminal.keys("\t");
        terminal.wait("the line above the list", |rows| {
            rows.len() > 2 && rows[0] == format!("{prompt} {above}") && rows[1].starts_with(begin)
        });
        // Below it stands what it was.
        terminal.wait("the line below it", |rows| {
            rows.last().is_some_and(|row| row.starts_with(&format!("{prompt} {above}")))
        });
        terminal.keys("\x15");
        row(&terminal, &prompt, "");
    }
    terminal.leave();
}

#[test]
fn the_newest_line_that_begins_so_is_shown_and_taken_over() {
    let server = Server::start();
    let (terminal, prompt) = open_at(&server, &[], 100);
    terminal.run(&prompt, "SET key:1 one", &["OK"]);
    terminal.run(&prompt, "SET key:2 two", &["OK"]);
    terminal.run(&prompt, "GET key:1", &["\"one\""]);
    for key in ["\x1b[C", "\x1b[F", "\x05", "\x06"] {
        terminal.keys("G");
        row(&terminal, &prompt, "GET key:1");
        assert!(was_grey(&terminal, "ET key:1"));
        terminal.keys(key);
        terminal.keys("2");
        row(&terminal, &prompt, "GET key:12");
        terminal.keys(CTRL_U);
        row(&terminal, &prompt, "");
    }
    // A longer beginning finds another line, a shorter one the first again.
    terminal.keys("SET key:");
    terminal.shows("SET key: value");
    terminal.keys(CTRL_U);
    row(&terminal, &prompt, "");
    terminal.keys("GET key:");
    row(&terminal, &prompt, "GET key:1");
    terminal.keys("x");
    row(&terminal, &prompt, "GET key:x");
    terminal.keys("\x7f");
    row(&terminal, &prompt, "GET key:1");
    // Ctrl-Right and Alt-F take over a word.
    terminal.keys(CTRL_U);
    row(&terminal, &prompt, "");
    terminal.keys("SE");
    row(&terminal, &prompt, "SET key:2 two");
    terminal.keys("\x1b[1;5C\x1b[1;5C");
    terminal.keys("9");
    terminal.shows("SET key:29 value");
    terminal.keys(CTRL_U);
    row(&terminal, &prompt, "");
    terminal.keys("GE");
    row(&terminal, &prompt, "GET key:1");
    terminal.keys("\x1bf\x1bf");
    terminal.keys("7");
    row(&terminal, &prompt, "GET key:17");
    terminal.keys(CTRL_U);
    row(&terminal, &prompt, "");
    terminal.keys("GET key:");
    row(&terminal, &prompt, "GET key:1");
    // Enter runs what was typed alone.
    terminal.keys("\r");
    terminal.ends_with(&[&format!("{prompt} GET key:"), "(nil)", &prompt]);
    // In the middle of the line the keys move, and nothing is shown.
    terminal.keys("S");
    row(&terminal, &prompt, "SET key:2 two");
    terminal.keys("\x01G");
    row(&terminal, &prompt, "GS");
    terminal.keys("\x05x");
    row(&terminal, &prompt, "GSx");
    terminal.keys(CTRL_U);
    row(&terminal, &prompt, "");
    terminal.keys(" ");
    row(&terminal, &prompt, "");
    terminal.keys(CTRL_U);
    terminal.leave();
}

#[test]
fn a_line_with_a_secret_is_never_shown_and_no_hints_is_no_lines() {
    let server = Server::start();
    let history = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(history.path(), "#V2\nECHO one\nAUTH topsecret\nCONFIG SET requirepass topsecret\n").unwrap();
    let terminal = server.rcli([""; 0]).env("RCLI_HISTFILE", history.path()).env("NO_COLOR", "1").on_terminal(100);
    let prompt = format!("{}>", server.address());
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.keys("E");
    row(&terminal, &prompt, "ECHO one");
    // Without colours too it is told from what was typed.
    assert!(String::from_utf8_lossy(&terminal.bytes()).contains("\x1b[2mCHO one\x1b[0m"));
    terminal.keys(CTRL_U);
    terminal.keys("AUTH");
    terminal.shows("password");
    terminal.keys(CTRL_U);
    terminal.keys("CONFIG SET requirepass");
    terminal.shows("CONFIG SET requirepass value");
    terminal.keys(CTRL_U);
    row(&terminal, &prompt, "");
    terminal.line(":set hints off");
    terminal.keys("E");
    row(&terminal, &prompt, "E");
    terminal.keys(CTRL_U);
    terminal.leave();
    assert!(!String::from_utf8_lossy(&std::fs::read(history.path()).unwrap()).contains("AUTH x"));
}

#[test]
fn a_search_forward_says_that_nothing_is_newer_or_goes_on_from_a_walk() {
    let server = Server::start();
    let (terminal, prompt) = open_at(&server, &[], 100);
    terminal.keys("\x13");
    terminal.shows("(nothing is newer; Ctrl-R searches back)");
    terminal.keys("P");
    row(&terminal, &prompt, "P");
    terminal.keys(CTRL_U);
    for line in ["ECHO one", "ECHO two", "PING three", "ECHO four"] {
        terminal.line(line);
    }
    terminal.ends_with(&["\"four\"", &prompt]);
    terminal.keys("E");
    terminal.keys("\x13");
    terminal.shows("E  (nothing is newer");
    terminal.keys(CTRL_U);
    for _ in 0..3 {
        terminal.keys("\x1b[A");
    }
    row(&terminal, &prompt, "ECHO two");
    terminal.keys("\x13");
    terminal.shows("(forward-i-search)`': ECHO two");
    terminal.keys("e");
    terminal.shows("(forward-i-search)`e': PING three");
    terminal.keys("\x13");
    terminal.shows("(forward-i-search)`e': ECHO four");
    terminal.keys("\x12");
    terminal.shows("(reverse-i-search)`e': PING three");
    terminal.keys("\r");
    terminal.ends_with(&[&format!("{prompt} PING three"), "\"three\"", &prompt]);
    terminal.leave();
}

#[test]
fn any_key_leaves_a_search_with_nothing_of_it_on_the_screen() {
    let server = Server::start();
    let (terminal, prompt) = open_at(&server, &[], 100);
    terminal.run(&prompt, "ECHO hello", &["\"hello\""]);
    // Tab, Shift-Tab, Down, Page Up, F5, Ctrl-K, Ctrl-T.
    for key in ["\t", "\x1b[Z", "\x1b[B", "\x1b[5~", "\x1b[15~", "\x0b", "\x14"] {
        terminal.keys("\x12hel");
        terminal.shows("(reverse-i-search)`hel': ECHO hello");
        terminal.keys(key);
        row(&terminal, &prompt, "ECHO hello");
        terminal.keys("x");
        row(&terminal, &prompt, "ECHO hellox");
        terminal.keys(CTRL_U);
        row(&terminal, &prompt, "");
    }
    terminal.keys("\x12ECHO");
    terminal.shows("(reverse-i-search)`ECHO': ECHO hello");
    terminal.keys(CTRL_U);
    row(&terminal, &prompt, "");
    terminal.leave();
}

#[test]
fn a_command_in_json_shows_where_it_is_wrong() {
    let server = Server::start();
    let (terminal, prompt) = open_at(&server, &[], 100);
    terminal.keys("[\"SET\",\"k\",1]");
    row(&terminal, &prompt, "[\"SET\",\"k\",1]");
    terminal.keys("\r");
    terminal.ends_with(&["OK", &prompt]);
    let seen = String::from_utf8_lossy(&terminal.bytes()).into_owned();
    assert!(seen.contains("[\x1b[38;5;28m\"SET\"\x1b[0m,\x1b[38;5;28m\"k\"\x1b[0m,\x1b[35m1\x1b[0m]"), "{seen:?}");
    assert!(!seen.contains("\x1b[38;5;167m"), "{seen:?}");
    terminal.keys("[\"SET\" 1]");
    row(&terminal, &prompt, "[\"SET\" 1]");
    assert!(String::from_utf8_lossy(&terminal.bytes()).contains("\x1b[38;5;167m1]\x1b[0m"));
    terminal.keys("\r");
    terminal.ends_with(&["  [\"SET\" 1]", "         ^", &prompt]);
    terminal.leave();
}

#[test]
fn a_file_in_the_home_directory_is_found_by_its_tilde() {
    let server = Server::start();
    let (terminal, prompt) = open_at(&server, &[], 100);
    let home = terminal.home().to_owned();
    std::fs::write(home.join("commands"), "SET tilde yes\n").unwrap();
    terminal.line("pipe ~/commands");
    terminal.shows("1 replies, 0 errors");
    terminal.run(&prompt, "GET tilde > ~/out", &[]);
    terminal.run(&prompt, "GET tilde >> ~/out", &[]);
    assert_eq!(std::fs::read_to_string(home.join("out")).unwrap(), "yes\nyes\n");
    terminal.run(&prompt, "source ~/commands", &["OK"]);
    terminal.run(&prompt, "txn --json ~/commands", &["[\"OK\"]"]);
    // Elsewhere it is data.
    terminal.run(&prompt, "exec ECHO ~/x", &["\"~/x\""]);
    terminal.leave();
}

#[test]
fn narrow_screens_and_wide_characters_have_room_for_what_is_typed() {
    const COLUMNS: u16 = 40;
    let server = Server::start();
    let (terminal, prompt) = open_at(&server, &[], COLUMNS);
    let wide = "世界".repeat(12);
    terminal.line(&format!("GET {wide}"));
    terminal.ends_with(&["(nil)", &prompt]);
    // What is shown stays in the row, with its end cut.
    terminal.keys("G");
    terminal.wait("a line that is cut", |rows| {
        rows.last().is_some_and(|row| row.starts_with(&format!("{prompt} GET 世界")) && row.ends_with("..."))
    });
    // What is taken over has as many rows as it needs.
    terminal.keys("\x05");
    terminal.wait("all of it", |rows| rows[rows.len() - 2..].concat().ends_with(&format!("> GET {wide}")));
    terminal.keys("x");
    terminal.wait("one more", |rows| rows[rows.len() - 2..].concat().ends_with(&format!("> GET {wide}x")));
    terminal.keys(CTRL_U);
    row(&terminal, &prompt, "");
    // A hint behind wide characters, too, and none where no room is left.
    let left = usize::from(COLUMNS) - prompt.len() - 1;
    terminal.keys("SET 世界");
    terminal.wait("a hint in the row", |rows| {
        rows.last().is_some_and(|row| row.starts_with(&format!("{prompt} SET 世界 va")) && row.ends_with("..."))
    });
    let rest = "世".repeat((left - "SET wide".len()) / 2 - 1);
    terminal.keys(&rest);
    row(&terminal, &prompt, &format!("SET 世界{rest}"));
    terminal.keys(CTRL_U);
    row(&terminal, &prompt, "");
    // A line that was continued is shown by its first row, and taken over whole.
    terminal.begin("ECHO \"a");
    terminal.keys("b\"\r");
    terminal.ends_with(&["\"a\\nb\"", &prompt]);
    terminal.keys("EC");
    row(&terminal, &prompt, "ECHO \"a...");
    terminal.keys("\x1b[C");
    terminal.ends_with(&[&format!("{prompt} ECHO \"a"), "b\""]);
    terminal.keys("\r");
    terminal.ends_with(&["\"a\\nb\"", &prompt]);
    terminal.leave();
}
