//! Replies that memory has no room for: status 3 with the size that was declared, never an abort (contract section 1).

use crate::cluster_nodes::Cluster;
use crate::peer::{Answer, Peer, close, peer, send};
use crate::rcli::Rcli;
use crate::server::Server;

/// A run that may have this much memory, in KiB.
fn within(memory: u32, run: Rcli) -> Rcli {
    run.through_sh(&format!("ulimit -v {memory}; exec \"$0\" \"$@\""))
}

/// The same where no thread takes 64 MB for itself beforehand, as the C library has it if there is room.
fn within_exactly(memory: u32, run: Rcli) -> Rcli {
    within(memory, run.env("MALLOC_ARENA_MAX", "1"))
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
    let fill = "for i = 1, 200 do local t, u = {}, {} for j = 1, 2000 do t[j] = i .. ':' .. j .. string.rep('x', 200) u[j] = t[j] end
        redis.call('RPUSH', 'l', unpack(t)) redis.call('HSET', 'h', unpack(u)) end";
    server.call(&[b"EVAL", fill.as_bytes(), b"0"]);
    let commands = [
        ("GET k", "a string of 100000000 bytes"),
        ("LRANGE l 0 -1", "an array of 400000 elements"),
        ("HGETALL h", "a map of 200000 pairs"),
        ("EVAL \"return redis.status_reply(string.rep('x', 30000000))\" 0", "a line of more than "),
        ("EVAL \"return redis.error_reply(string.rep('x', 30000000))\" 0", "a line of more than "),
        (
            "EVAL \"local t = {} for i = 1, 70000 do t[i] = {string.rep('x', 900)} end return t\" 0",
            "an array of 70000 elements",
        ),
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

#[test]
fn what_a_program_or_a_handler_is_given_ends_with_its_size_too() {
    let server = Server::start();
    let length = 30_000_000;
    server.call(&[b"SET", b"k", "x".repeat(length).as_bytes()]);
    server.call(&[b"CONFIG", b"SET", b"client-output-buffer-limit", b"pubsub 0 0 0"]);
    // From what takes the string once to what takes it as often as it is held.
    let mut statuses = Vec::new();
    for memory in [75_000, 90_000, 105_000, 120_000, 135_000, 400_000] {
        let program = "echo GET k; head -c 9 > /dev/null; echo MULTI; echo PING";
        let run = server.rcli(["txn", "--", "sh", "-c", program]);
        let run = within_exactly(memory, run).status_among(&[0, 3]).any_stdout().any_stderr().run();
        let told = run.err();
        assert!(run.code == 0 || told.contains("sh:1: ") && told.contains("a string of 30000000 bytes"), "{told}");
        statuses.push(run.code);
        let run = server.rcli(["sub", "c", "--count", "1", "--no-reconnect", "--handler", "c=cat > /dev/null"]);
        let run = within_exactly(memory, run).status_among(&[0, 3]).any_stdout().any_stderr().interactive().start();
        server.wait_until("PUBSUB NUMSUB c", |count| count.contains('1'));
        server.call(&[b"EVAL", b"return redis.call('PUBLISH', 'c', redis.call('GET', 'k'))", b"0"]);
        let run = run.finish();
        assert!(run.code == 0 || run.err().contains("memory has no room for "), "{memory}: {}", run.err());
    }
    assert!(statuses.contains(&3) && statuses.last() == Some(&0), "{statuses:?}");
}

#[test]
fn a_reply_that_cannot_wait_for_its_turn_ends_a_pipeline_with_its_size() {
    let cluster = Cluster::start();
    let fill = b"return redis.call('SET', KEYS[1], string.rep('x', 10000000))";
    cluster.nodes[2].call(&[b"EVAL", fill, b"1", b"foo"]);
    let told = ["stdin:3: GET foo: ", "a string of 10000000 bytes", "resume with --skip "];
    let mut runs = Vec::new();
    // Each step is smaller than one of the copies that are held at once.
    for memory in (55_000..120_000).step_by(5_000).chain([400_000]) {
        for args in [&["pipe"][..], &["--json", "pipe", "--envelope"]] {
            let run = cluster.rcli(args).stdin("GET none\nBLPOP bar 1\nGET foo\n");
            let run = within_exactly(memory, run).status_among(&[0, 3]).any_stdout().any_stderr().start();
            runs.push((memory, run));
        }
    }
    for (memory, run) in runs {
        let run = run.finish();
        assert!(run.code == 0 || told.iter().all(|told| run.err().contains(told)), "{memory}: {}", run.err());
        assert!(memory < 400_000 || run.code == 0, "{}", run.err());
    }
}

#[test]
fn what_is_shown_is_not_held_twice() {
    let server = Server::start();
    let length = 30_000_000;
    let fill = format!("local x = string.rep('x', {length}) redis.call('SET', 'k', x) redis.call('HSET', 'h', 'f', x)");
    server.call(&[b"EVAL", fill.as_bytes(), b"0"]);
    // What rcli itself takes, and the string once.
    let enough = 80_000;
    for (args, around) in [
        (&["--human", "GET", "k"][..], "\"\"\n"),
        (&["--human", "-3", "HGETALL", "h"], "1# \"f\" => \"\"\n"),
        (&["--raw", "GET", "k"], "\n"),
        (&["--json", "GET", "k"], "\"\"\n"),
        (&["--json", "HGETALL", "h"], "{\"f\":\"\"}\n"),
    ] {
        let run = within(enough, server.rcli(args)).any_stdout().run();
        assert_eq!(run.stdout.len(), length + around.len(), "{args:?}");
    }
}

#[test]
fn input_that_memory_has_no_room_for_is_named_with_its_size() {
    let server = Server::start();
    let text = |begin: &str, middle: &str, count: usize, end: &str| format!("{begin}{}{end}", middle.repeat(count));
    for (input, what) in [
        (text("SET k ", "x", 30_000_000, "\n"), "a line of "),
        (text("SET k \"", "\\x41", 8_000_000, "\"\n"), "a line of "),
        (text("DEL ", "k ", 1_500_000, "\n"), "a line of 3000004 bytes"),
        (text("[\"SET\",\"k\",\"", "\\u0041", 5_000_000, "\"]\n"), "a line of "),
        (text("[\"DEL\"", ",\"k\"", 700_000, "]\n"), "a line of 2800007 bytes"),
        (
            text("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$30000000\r\n", "x", 30_000_000, "\r\n"),
            "a RESP command of 30000033 bytes",
        ),
        (
            text("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$500000000000\r\n", "x", 200_000, ""),
            "a RESP command of 500000000037 bytes",
        ),
        (text("*1000000\r\n$3\r\nDEL\r\n", "$1\r\nk\r\n", 999_999, ""), "a RESP command of 7000012 bytes"),
    ] {
        for args in [&["pipe"][..], &["pipe", "--check"], &[], &["txn"], &["pipe", "--atomic"]] {
            let run = server.rcli(args).stdin(&input).status(3);
            within(LITTLE, run).complains(&["stdin:1: memory has no room for ", what]).run();
        }
    }
    assert_eq!(server.ask("DBSIZE"), "0");
}

/// What is made of a command after it was read takes memory too: whatever there is, it runs or is told.
fn never_aborts(input: Vec<u8>, memories: impl IntoIterator<Item = u32>) {
    let server = Server::start();
    for memory in memories {
        let run = server.rcli(["txn", "input"]).file("input", &input).status_among(&[0, 3]);
        within(memory, run.any_stdout().any_stderr()).run();
    }
}

#[test]
fn a_large_line_runs_or_is_told_whatever_memory_there_is() {
    never_aborts(format!("SET k {}\n", "x".repeat(20_000_000)).into_bytes(), (80_000..140_000).step_by(10_000));
}

#[test]
fn a_large_resp_command_behind_a_larger_one_runs_or_is_told_whatever_memory_there_is() {
    let first = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$20000000\r\n{}\r\n", "x".repeat(20_000_000));
    // The room that the first was read into has the second in one piece.
    let second = format!("*1400000\r\n$3\r\nDEL\r\n{}", "$1\r\nk\r\n".repeat(1_399_999));
    let memories = (140_000..160_000).chain(270_000..320_000).step_by(10_000);
    never_aborts([first, second].concat().into_bytes(), memories);
}

#[test]
fn what_stands_before_such_a_line_was_run_and_answered() {
    let server = Server::start();
    let input = format!("INCR n\nINCR n\nSET k {}\nINCR n\n", "x".repeat(30_000_000));
    for (args, count) in [(&["pipe"][..], "1\n2\n"), (&[], "3\n4\n")] {
        let run = server.rcli(args).stdin(&input).status(3).prints(count);
        within(LITTLE, run).complains(&["stdin:3: memory has no room for a line of "]).run();
    }
    assert_eq!(server.ask("GET n"), "4");
}

#[test]
fn the_work_for_a_long_line_of_a_server_does_not_grow_with_its_square() {
    for (begin, status) in [("+", 0), ("-ERR ", 1), ("(1", 0), (",1", 0)] {
        let peer = peer().otherwise(Answer::Silence).start();
        let run = peer.rcli(["--json", "pipe"]).stdin("X\n").status(status).any_stdout().any_stderr();
        let run = run.through_sh("ulimit -t 20; exec \"$0\" \"$@\"").start();
        peer.wait_for_commands(1);
        peer.say(begin.as_bytes());
        let piece = [b'1'; 1000];
        for _ in 0..40_000 {
            peer.say(&piece);
        }
        peer.say(b"\r\n");
        assert!(run.finish().stdout.len() > 40_000_000, "{begin}");
    }
}
