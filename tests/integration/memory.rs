//! Replies that memory has no room for: status 3 with the size that was declared, never an abort (contract section 1).

use crate::peer::{Answer, Peer, close, peer, send};
use crate::rcli::Rcli;
use crate::server::Server;

/// A run that may have this much memory, in KiB.
fn within(memory: u32, run: Rcli) -> Rcli {
    run.through_sh(&format!("ulimit -v {memory}; exec \"$0\" \"$@\""))
}

/// Replies that declare more than there can be, and what is said of them.
const IMPOSSIBLE: &[(&str, &str)] = &[
    ("$500000000000\r\nabc", "a string of 500000000000 bytes"),
    ("=500000000000\r\ntxt:abc", "a string of 500000000000 bytes"),
    ("!500000000000\r\nERR abc", "a string of 500000000000 bytes"),
    ("*2000000000\r\n:1\r\n", "an array of 2000000000 elements"),
    ("~2000000000\r\n:1\r\n", "a set of 2000000000 elements"),
    ("%2000000000\r\n:1\r\n", "a map of 2000000000 pairs"),
    (">2000000000\r\n+note\r\n", "a push of 2000000000 elements"),
    ("|2000000000\r\n+note\r\n", "an attribute of 2000000000 pairs"),
    ("*3\r\n:1\r\n$500000000000\r\nabc", "a string of 500000000000 bytes in an array of 3 elements"),
    ("*9223372036854775807\r\n", "an array of 9223372036854775807 elements"),
];

/// A peer that answers so, and leaves the connection open.
fn declaring(reply: &str) -> Peer {
    peer().answers([send(reply)]).start()
}

#[test]
fn what_was_declared_is_told_at_once() {
    for (reply, what) in IMPOSSIBLE {
        for args in [&["--json", "X"][..], &["--raw", "exec", "X"], &["pipe"], &["pipe", "--envelope"], &["--human"]] {
            let peer = declaring(reply);
            let run = peer.rcli(args).stdin("X\n").status(3);
            within(600_000, run).complains(&[&format!("memory has no room for {what}")]).run();
        }
    }
}

#[test]
fn a_pipeline_writes_what_was_answered_and_says_how_to_go_on() {
    let peer = peer().answers([send("+one\r\n"), Answer::Send(b"$500000000000\r\nabc".to_vec())]).start();
    let run = peer.rcli(["pipe"]).stdin("A\nB\nC\n").status(3).prints("one\n");
    let told = ["stdin:2: B: ", "a string of 500000000000 bytes", "1 commands answered", "resume with --skip 2"];
    within(600_000, run).complains(&told).run();
}

#[test]
fn an_answer_to_exec_that_is_too_large_is_an_unknown_outcome() {
    let peer = peer().exec(send("*1\r\n$500000000000\r\nabc")).start();
    for verb in [&["txn"][..], &["pipe", "--atomic"]] {
        let run = peer.rcli(verb).stdin("GET k\n").status(3);
        within(600_000, run).complains(&["a string of 500000000000 bytes", "outcome unknown"]).run();
    }
}

#[test]
fn an_answer_to_a_program_that_is_too_large_ends_the_run() {
    let peer = peer().exec(send("*0\r\n")).otherwise(send("$500000000000\r\nabc")).start();
    let run = peer.rcli(["txn", "--", "sh", "-c", "echo GET k; read -r v; echo MULTI"]).status(3);
    within(600_000, run).complains(&["sh:1: ", "a string of 500000000000 bytes", "was not run"]).run();
}

#[test]
fn the_handshake_may_declare_nothing_impossible_either() {
    let peer = peer().hello(close("%2000000000\r\n+server\r\n")).start();
    within(600_000, peer.rcli(["PING"]).env("RCLI_FORMAT", "json").status(3))
        .complains(&["a map of 2000000000 pairs"])
        .run();
}

#[test]
fn the_prompt_says_it_and_goes_on() {
    let answers = [send("$9000000000000000000\r\nabc"), send("+back\r\n")];
    let peer = peer().answers(answers).otherwise(send("+OK\r\n")).start();
    let terminal = peer.rcli([""; 0]).on_terminal(200);
    let prompt = format!("127.0.0.1:{}>", peer.port());
    terminal.ends_with(&[&prompt]);
    terminal.line("GET large");
    terminal.shows("memory has no room for a string of 9000000000000000000 bytes");
    terminal.line("GET small");
    terminal.shows("back");
    terminal.leave();
}

/// Far less than any of the replies that [`large`] makes.
const LITTLE: u32 = 50_000;

/// A server with replies that are large: commands, and what is said of each.
fn large() -> (Server, [(&'static str, &'static str); 6]) {
    let server = Server::start();
    server.call(&[b"SETRANGE", b"k", b"99999999", b"x"]);
    let fill = "for i = 1, 200 do local t, u = {}, {} for j = 1, 2000 do t[j] = i .. ':' .. j u[j] = t[j] end
        redis.call('RPUSH', 'l', unpack(t)) redis.call('HSET', 'h', unpack(u)) end";
    server.call(&[b"EVAL", fill.as_bytes(), b"0"]);
    let commands = [
        ("GET k", "a string of 100000000 bytes"),
        ("LRANGE l 0 -1", "an array of 400000 elements"),
        ("HGETALL h", "a map of 200000 pairs"),
        ("EVAL \"return redis.status_reply(string.rep('x', 30000000))\" 0", "a line of more than "),
        ("EVAL \"return redis.error_reply(string.rep('x', 30000000))\" 0", "a line of more than "),
        ("EVAL \"local t = {} for i = 1, 400000 do t[i] = {} end return t\" 0", "an array of 400000 elements"),
    ];
    (server, commands)
}

#[test]
fn a_reply_that_really_comes_ends_with_its_size() {
    let (server, commands) = large();
    for (at, (command, what)) in commands.into_iter().enumerate() {
        let ways = [&["--json"][..], &["--human", "-3", "pipe"], &["--json", "txn"]];
        for args in [ways[at % 3], ways[(at + 1) % 3]] {
            let run = server.rcli(args).stdin(format!("{command}\n")).status(3);
            within(LITTLE, run).complains(&["memory has no room for ", what]).run();
        }
    }
}
