//! What commands set on a connection: RESET goes back to the start, a reconnect brings it back (contract sections 5
//! and 10). What a resumed pipeline does with it is in `resume`.

use crate::peer::{peer, send};
use crate::pty::open;
use crate::server::Server;

#[test]
fn reset_on_stdin_goes_back_to_the_version_user_and_database_of_the_start() {
    let server = Server::with_password("secret");
    server.ask("ACL SETUSER bob on >pw +@all ~*");
    server.ask("HSET h a 1");
    let script = "SELECT 4\nAUTH bob pw\nCLIENT SETNAME me\nRESET\nACL WHOAMI\nCLIENT GETNAME\nHGETALL h\nSET k v\n";
    server
        .rcli(["--json", "-n", "0"])
        .env("REDISCLI_AUTH", "secret")
        .stdin(script)
        .prints("\"OK\"\n\"OK\"\n\"OK\"\n\"RESET\"\n\"default\"\nnull\n{\"a\":\"1\"}\n\"OK\"\n")
        .run();
    assert_eq!(server.ask("GET k"), "v");
    let script = "SELECT 4\nRESET\nSET k there\n";
    server.rcli(["--json", "-n", "2"]).env("REDISCLI_AUTH", "secret").stdin(script).any_stdout().run();
    let mut client = server.client();
    client.call(&[b"SELECT", b"2"]).unwrap();
    assert_eq!(client.call(&[b"GET", b"k"]).unwrap().to_string(), "there");
}

#[test]
fn an_auth_on_stdin_brings_the_version_of_resp_that_was_refused_without_it() {
    let server = Server::with_password("secret");
    let script = "AUTH secret\nHSET h a 1\nHGETALL h\n";
    server.rcli(["--json"]).stdin(script).prints("\"OK\"\n1\n{\"a\":\"1\"}\n").run();
    server.rcli(["--json", "-2"]).stdin("AUTH secret\nHGETALL h\n").prints("\"OK\"\n[\"a\",\"1\"]\n").run();
    let chosen = "HELLO 2 AUTH default secret\nAUTH secret\nHGETALL h\n";
    let run = server.rcli(["--json"]).stdin(chosen).any_stdout().run();
    assert_eq!(run.out().lines().last(), Some("[\"a\",\"1\"]"));
}

#[test]
fn reset_in_an_open_block_discards_it_and_ends_the_watch() {
    let server = Server::start();
    server
        .rcli(["--json"])
        .stdin("WATCH w\nSET w 1\nMULTI\nSET k v\nRESET\nEXISTS k\nMULTI\nSET k v\nEXEC\n")
        .prints("\"OK\"\n\"OK\"\n\"OK\"\n\"QUEUED\"\n\"RESET\"\n0\n\"OK\"\n\"QUEUED\"\n[\"OK\"]\n")
        .run();
}

#[test]
fn a_start_that_is_refused_after_reset_ends_stdin_with_3() {
    let server = Server::with_password("secret");
    server
        .rcli(["--json"])
        .env("REDISCLI_AUTH", "secret")
        .stdin("CONFIG SET requirepass other\nRESET\nSET k v\n")
        .status(3)
        .prints("\"OK\"\n")
        .complains(&["WRONGPASS"])
        .run();
}

#[test]
fn reset_at_the_prompt_goes_back_to_the_start_and_discards_the_block() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    let place = prompt.trim_end_matches('>');
    terminal.line("SELECT 3");
    terminal.ends_with(&["OK", &format!("{place}[3]>")]);
    terminal.line("MULTI");
    terminal.ends_with(&["OK", &format!("{place}[3](TX 0)>")]);
    terminal.line("SET k v");
    terminal.ends_with(&["QUEUED", &format!("{place}[3](TX 1)>")]);
    terminal.line("RESET");
    terminal.ends_with(&["RESET", &prompt]);
    terminal.run(&prompt, "HGETALL none", &["(empty hash)"]);
    terminal.run(&prompt, "EXISTS k", &["(integer) 0"]);
}

#[test]
fn a_reset_that_is_not_taken_again_is_told_and_the_next_command_connects() {
    let server = Server::with_password("secret");
    let mut client = server.client();
    let terminal = server.rcli(["--pass-file", "pw"]).file("pw", "secret\n").mode("pw", 0o600).on_terminal(160);
    let prompt = format!("{}>", server.address());
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.run(&prompt, "CONFIG SET requirepass other", &["OK"]);
    terminal.line("RESET");
    terminal.shows("WRONGPASS");
    client.call(&[b"CONFIG", b"SET", b"requirepass", b"secret"]).unwrap();
    terminal.line("PING");
    terminal.shows("connected again");
}

#[test]
fn what_client_commands_set_survives_a_reconnect_at_the_prompt() {
    let mut server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.run(&prompt, "CLIENT SETNAME first", &["OK"]);
    terminal.run(&prompt, "CLIENT SETNAME me", &["OK"]);
    terminal.run(&prompt, "CLIENT NO-EVICT on", &["OK"]);
    server.kill_nine();
    server.restart();
    terminal.line("CLIENT GETNAME");
    terminal.ends_with(&["\"me\"", &prompt]);
    assert!(server.ask("CLIENT LIST").contains("flags=e"), "{}", server.ask("CLIENT LIST"));
}

#[test]
fn a_setting_that_a_new_connection_refuses_is_told() {
    let peer = peer().otherwise(send("+PONG\r\n")).start();
    let terminal = peer.rcli([""; 0]).on_terminal(160);
    let prompt = format!("127.0.0.1:{}>", peer.port());
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.run(&prompt, "CLIENT SETNAME me", &["OK"]);
    peer.set("CLIENT SETNAME", send("-ERR no names\r\n"));
    peer.hang_up();
    terminal.line("PING");
    terminal.shows("CLIENT SETNAME me was refused there: ERR no names");
    terminal.wait("the answer", |rows| rows.contains(&"PONG".to_owned()) && rows.last() == Some(&prompt));
}
