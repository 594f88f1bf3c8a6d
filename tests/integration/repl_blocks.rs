//! Blocks and lost connections in the REPL: nothing is sent twice, nothing is lost unsaid. Contract section 10.

use crate::peer::{close, peer, send};
use crate::pty::open;
use crate::server::{Server, free_port};

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
    terminal.run(&prompt, "WATCH k", &["OK"]);
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
    terminal.run(&prompt, "WATCH k", &["OK"]);
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
    terminal.run(&prompt, "EXISTS n", &["(integer) 0"]);
}

#[test]
fn a_server_that_is_gone_is_said_in_the_prompt_and_the_repl_goes_on() {
    let mut server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    server.kill_nine();
    terminal.line("PING");
    let gone = format!("{} (not connected)>", server.address());
    terminal.wait("no connection", |rows| rows.last() == Some(&gone));
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
    terminal.ends_with(&[&format!("{place} (not connected)(TX 2)>")]);
    terminal.shows("connection lost");
    terminal.line("EXEC");
    terminal.shows("EXEC was not sent");
    terminal.ends_with(&[&format!("{place} (not connected)(TX 2)>")]);
    server.restart();
    terminal.line("EXEC");
    terminal.ends_with(&["1) SET a 1", "   OK", "2) SET b 2", "   OK", &prompt]);
    assert_eq!(server.ask("MGET a b"), "[1, 2]");
}

#[test]
fn a_watch_lost_with_its_connection_makes_exec_refuse() {
    let mut server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.run(&prompt, "WATCH k", &["OK"]);
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
    terminal.shows("rcli: AUTH, --askpass, --pass-file, -a or REDISCLI_AUTH gives the password");
    terminal.run(&prompt, "AUTH secret", &["OK"]);
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
    terminal.wait("no connection", |rows| rows.last().is_some_and(|row| row.ends_with(" (not connected)>")));
    terminal.shows("Connection refused");
    terminal.leave();
}

#[test]
fn shutdown_is_said_and_the_repl_goes_on() {
    let mut server = Server::start();
    let (terminal, _) = open(&server, &["--yes"]);
    terminal.line("SHUTDOWN NOSAVE");
    terminal.shows("has stopped");
    terminal.wait("no connection", |rows| rows.last().is_some_and(|row| row.ends_with(" (not connected)>")));
    server.kill_nine();
    terminal.leave();
}

#[test]
fn a_password_that_was_changed_meanwhile_can_be_given_at_the_prompt() {
    let server = Server::start();
    server.ask("ACL SETUSER u on >one ~* &* +@all");
    let args = ["--no-auth-warning", "--user", "u", "-a", "one", "-n", "3"];
    let terminal = server.rcli(args).on_terminal(160);
    let place = server.address();
    let prompt = format!("{place}[3]>");
    terminal.ends_with(&[&prompt]);
    terminal.run(&prompt, "CLIENT SETNAME me", &["OK"]);
    server.ask("ACL SETUSER u resetpass >two");
    server.ask("CLIENT KILL USER u");
    terminal.line("GET k");
    terminal.shows("GET k was not sent");
    terminal.line("AUTH u three");
    terminal.shows("(error) WRONGPASS");
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.line("AUTH u two");
    terminal.ends_with(&[&format!("rcli: connected again to {place}, database 3"), "OK", &prompt]);
    // What the connection had is there again, and the new password is the one that is kept.
    terminal.run(&prompt, "CLIENT GETNAME", &["\"me\""]);
    server.ask("CLIENT KILL USER u");
    terminal.line("HGETALL nothing");
    terminal.ends_with(&["(empty hash)", &prompt]);
    assert!(server.ask("CLIENT LIST").contains(" name=me "));
    terminal.leave();
}
