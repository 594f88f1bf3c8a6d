//! `--read-only`: what may change something is refused before anything is sent (contract section 1).

use crate::pty::open;
use crate::rcli::rcli;
use crate::server::{Server, free_port};

#[test]
fn a_command_that_may_write_is_not_sent() {
    let server = Server::start();
    server.ask("SET k v");
    server.rcli(["--read-only", "GET", "k"]).prints("v\n").run();
    server.rcli(["--read-only", "CONFIG", "GET", "port"]).any_stdout().run();
    for command in [&["SET", "k", "w"][..], &["GETDEL", "k"], &["NO.SUCH", "k"], &["CONFIG", "SET", "port", "1"]] {
        server.rcli(["--read-only"]).args(command).status(2).complains(&[command[0], "--read-only"]).run();
    }
    server.rcli(["--read-only", "EVAL", "return 1", "0"]).status(2).complains(&["EVAL_RO"]).run();
    server.rcli(["--read-only", "EVAL_RO", "return 1", "0"]).prints("1\n").run();
    assert_eq!(server.ask("GET k"), "v");
}

#[test]
fn in_every_input_it_is_a_bad_line() {
    let server = Server::start();
    server.ask("SET k v");
    let lines = "GET k\nSET k w\nGET k\n";
    server.rcli(["--read-only"]).stdin(lines).prints("v\n").status(2).complains(&["stdin:2", "SET"]).run();
    server
        .rcli(["--read-only", "pipe"])
        .stdin(lines)
        .prints("v\n")
        .status(2)
        .complains(&["stdin:2: SET", "--read-only", "1 command"])
        .run();
    for args in [&["pipe", "--atomic"][..], &["txn"], &["txn", "--watch", "k"]] {
        server.rcli(["--read-only"]).args(args).stdin(lines).status(2).complains(&["stdin:2", "SET"]).run();
    }
    let program = ["txn", "--watch", "k", "--", "sh", "-c", "echo GET k; read v; echo MULTI; echo SET k $v"];
    server.rcli(["--read-only"]).args(program).status(2).complains(&["sh:3", "SET"]).run();
    let block = "WATCH k\nMULTI\nGET k\nEXEC\n";
    server.rcli(["--read-only", "pipe"]).stdin(block).prints("OK\nOK\nQUEUED\nv\n").run();
    assert_eq!(server.ask("GET k"), "v");
}

#[test]
fn the_check_of_an_input_needs_no_connection() {
    let port = free_port().to_string();
    for args in [&["pipe", "--check"][..], &["-c", "pipe", "--check"], &["pipe", "--check", "--atomic"]] {
        rcli(["-p", &port, "--read-only"])
            .args(args)
            .stdin("GET k\nSET k v\nDEL k\n")
            .status(2)
            .reports_among(&["stdin:2: SET", "stdin:3: DEL"])
            .run();
    }
}

#[test]
fn a_profile_may_say_so_and_another_host_does_not_unsay_it() {
    let server = Server::start();
    let config = "[profile.prod]\nhost = 'prod.invalid'\nread_only = true\n";
    let url = format!("redis://127.0.0.1:{}", server.port());
    rcli(["--profile", "prod", "-u", &url, "SET", "k", "v"])
        .file(".config/rcli/config.toml", config)
        .status(2)
        .complains(&["SET", "--read-only"])
        .run();
}

#[test]
fn at_the_prompt_it_is_refused_and_a_block_stays_good() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &["--read-only"]);
    terminal
        .run_until(&prompt, "SET k v", |rows| rows.iter().any(|row| row.contains("SET is not run under --read-only")));
    terminal.run(&prompt, "EXISTS k", &["(integer) 0"]);
    terminal.leave();
}
