//! What stands behind the cursor in the REPL: the rest of the syntax, and the history's lines. Contract section 10.

use crate::pty::Terminal;
use crate::server::Server;

const CTRL_U: &str = "\x15";

/// A REPL on this server, so wide, and its prompt.
fn open(server: &Server, columns: u16) -> (Terminal, String) {
    let terminal = server.rcli([""; 0]).on_terminal(columns);
    let prompt = format!("{}>", server.address());
    terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
    (terminal, prompt)
}

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
    let (terminal, prompt) = open(&server, 300);
    let list = include_str!("../hints.txt");
    let lines = list.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('|'));
    for (typed, hint) in lines {
        hints(&terminal, &prompt, typed, hint);
    }
    terminal.leave();
}
