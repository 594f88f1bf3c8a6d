//! The figures of docs/limits.md that can be had in a moment: what a mode takes of memory and of descriptors, however
//! much there is to be read.

use std::io::PipeReader;

use crate::bounds::{at_rest, memory};
use crate::rcli::Rcli;
use crate::running::Running;
use crate::server::Server;
use rustix::process::Signal;

/// In kB: more than a build for tests takes with hardly anything to do, and less than what is to be read below.
const LITTLE: usize = 32_000;

/// A run that may have this much data of its own, in kB.
fn within(data: u32, run: Rcli) -> Rcli {
    run.through_sh(&format!("ulimit -d {data}; exec \"$0\" \"$@\""))
}

/// A run whose output nobody reads.
fn unread(server: &Server, args: &[&str]) -> (Running, PipeReader) {
    let (reader, writer) = std::io::pipe().unwrap();
    (server.rcli(args).stdout_to(writer).status(143).any_stderr().start(), reader)
}

/// 60 MB of this command, in strings of 10 KB.
fn send_much(server: &Server, command: &str) {
    let script = format!("local x = string.rep('x', 10000) for i = 1, 600 do redis.call({command}, x) end");
    for _ in 0..10 {
        server.call(&[b"EVAL", script.as_bytes(), b"0"]);
    }
}

#[test]
fn what_nobody_reads_waits_at_the_server() {
    let server = Server::with_args(["--client-output-buffer-limit", "pubsub 0 0 0"]);
    send_much(&server, "'XADD', 's', '*', 'f'");
    let (sub, _first) = unread(&server, &["sub", "c"]);
    let (monitor, _second) = unread(&server, &["monitor", "--only", "PUBLISH"]);
    let (tail, _third) = unread(&server, &["tail", "s", "--from", "0"]);
    server.wait_until("PUBSUB NUMSUB c", |count| count == "[c, 1]");
    server.wait_until("CLIENT LIST", |list| list.contains("flags=O"));
    send_much(&server, "'PUBLISH', 'c'");
    for run in [sub, monitor, tail] {
        let taken = at_rest(|| memory(&run, "VmHWM"));
        assert!(taken < LITTLE, "{taken} kB");
        run.signal(Signal::TERM);
        run.finish();
    }
}

#[test]
fn ten_thousand_patterns_take_little() {
    let server = Server::start();
    let patterns: Vec<String> = (0..10_000).map(|number| format!("pattern:{number}:*")).collect();
    let run = server.rcli(["psub", "-m", "--count", "1"]).args(&patterns);
    let run = run.prints_among(&["\"pattern\":\"pattern:9999:*\""]).start();
    server.wait_until("PUBSUB NUMPAT", |count| count == "10000");
    let taken = memory(&run, "VmHWM");
    assert!(taken < 2 * LITTLE, "{taken} kB");
    server.ask("PUBLISH pattern:9999:x hello");
    run.finish();
}

#[test]
fn an_array_takes_what_its_reply_does() {
    let server = Server::start();
    let fill = "for i = 1, 100 do local t = {} for j = 1, 3000 do t[j] = string.rep('x', 40) end \
                redis.call('RPUSH', 'l', unpack(t)) end";
    server.call(&[b"EVAL", fill.as_bytes(), b"0"]);
    // 14 MB.
    for format in ["--json", "--human", "--raw", "--csv"] {
        let run = within(28_000, server.rcli([format, "LRANGE", "l", "0", "-1"])).any_stdout().run();
        assert!(run.stdout.len() > 300_000 * 40, "{format}");
    }
}

#[test]
fn any_number_of_keys_takes_little() {
    let server = Server::start();
    // 12 MB of names: a server makes none longer here.
    let keys = 100_000;
    server.ask(&format!("DEBUG POPULATE {keys} {}", "k".repeat(113)));
    for args in [&["ls"][..], &["ls", "--with", "type"], &["ls", "--unique"], &["ls", "--top", "3", "--by", "length"]] {
        let lines = if args.contains(&"--top") { 3 } else { keys };
        let run = within(14_000, server.rcli(args)).any_stdout().run();
        assert!(run.out().lines().count() >= lines, "{args:?}");
    }
}

#[test]
fn few_descriptors_are_enough_or_said() {
    let server = Server::start();
    server.ask("XADD s 1-0 f v");
    for args in [
        &["PING"][..],
        &["pipe"],
        &["txn"],
        &["txn", "--", "echo", "PING"],
        &["txn", "input"],
        &["ls"],
        &["tail", "s", "--from", "0", "--count", "1"],
        &["stat", "--count", "1"],
    ] {
        for count in [4, 7, 8, 10, 12, 14, 20] {
            let run = server.rcli(args).stdin("PING\n").file("input", "PING\n").any_stdout().any_stderr();
            let run = run.status_among(&[0, 3]);
            let run = run.through_sh(&format!("ulimit -n {count}; exec \"$0\" \"$@\"")).run();
            assert!(
                run.code == 0 || count < 20 && run.err().contains(": Too many open files"),
                "{args:?}: {}",
                run.err()
            );
        }
    }
}

#[test]
fn whatever_memory_there_is_a_mode_does_its_work_or_says_that_it_cannot() {
    let server = Server::start();
    server.ask("DEBUG POPULATE 5000");
    server.ask("XADD s 1-0 f v");
    let input = "SET k vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv\n".repeat(3_000);
    let modes = [
        &["PING"][..],
        &["-x", "SET", "k"],
        &["pipe", "-q"],
        &["txn"],
        &["ls", "--with", "type"],
        &["ls", "--top", "3"],
        &["tail", "s", "--from", "0", "--count", "1"],
        &["psub", "p*", "--timeout", "0.1"],
        &["stat", "--count", "1"],
        &["--help"],
    ];
    let mut lacking = 0;
    for args in modes {
        // Less is too little for the loader of programs.
        for data in [1500, 2200, 2800, 3400, 4200, 5200, 6600, 24_000] {
            let run = within(data, server.rcli(args)).stdin(&input).any_stdout().any_stderr();
            let run = run.status_among(&[0, 3]).run();
            let told = run.err();
            let is_told = run.code == 0 || told.starts_with("rcli: ") && told.lines().count() == 1;
            assert!(is_told && (data < 24_000 || run.code == 0), "{args:?} within {data} kB: {told}");
            lacking += usize::from(told.contains("memory has no room for "));
        }
    }
    assert!(lacking > 3, "{lacking}");
}

#[test]
fn a_block_that_grows_too_large_ends_with_its_line() {
    let server = Server::start();
    let block = "INCR n\n".repeat(80_000);
    let opened = format!("MULTI\n{block}EXEC\n");
    for (args, input) in [(&["txn"][..], &block), (&["pipe", "--atomic"], &block), (&[], &opened)] {
        let run = within(12_000, server.rcli(args)).stdin(input).status(3).any_stdout();
        run.complains(&["stdin:", ": memory has no room for a block of more than ", " commands; nothing was run"])
            .run();
    }
    let run = within(12_000, server.rcli(["txn", "--", "sh", "-c", "cat input"])).file("input", &opened).status(3);
    run.complains(&["sh:", ": memory has no room for a block of more than ", "; nothing was run"]).run();
    assert_eq!(server.ask("EXISTS n"), "0");
}
