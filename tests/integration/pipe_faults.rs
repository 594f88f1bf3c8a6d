//! `pipe` with input and output that are large, closed, full or odd.

use crate::rcli::rcli;
use crate::resp::Reply;
use crate::server::{Server, wait_for};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

/// A file that every write fails on, as on a full disk.
pub fn full_disk() -> File {
    OpenOptions::new().write(true).open("/dev/full").expect("/dev/full")
}

#[test]
fn an_empty_file_is_no_command_and_no_error() {
    let server = Server::start();
    server.rcli(["pipe", "empty.txt"]).file("empty.txt", "").run();
    server.rcli(["pipe"]).stdin("").run();
    server.rcli(["pipe", "--json", "--atomic"]).stdin("").run();
}

#[test]
fn a_stdin_that_is_closed_is_no_panic() {
    let server = Server::start();
    for args in [&["pipe"][..], &[], &["exec", "-x", "SET", "k"]] {
        server.rcli(args).through_sh("exec \"$0\" \"$@\" <&-").status_among(&[0, 2, 3]).any_stdout().any_stderr().run();
    }
}

#[test]
fn a_stdout_that_is_closed_is_no_panic() {
    let server = Server::start();
    for args in [&["pipe"][..], &["exec", "PING"]] {
        server.rcli(args).stdin("PING\n").through_sh("exec \"$0\" \"$@\" >&-").status_among(&[0, 3]).any_stderr().run();
    }
}

#[test]
fn a_directory_as_input_is_named_with_status_2() {
    let server = Server::start();
    server.rcli(["pipe", "/"]).status(2).complains(&["/"]).run();
}

#[test]
fn a_reader_that_closes_stdout_ends_it_quietly_with_status_0() {
    let server = Server::start();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let run = server.rcli(["pipe"]).stdin("INCR n\n".repeat(200_000)).stdout_to(writer).status(0).start();
    let mut first = String::new();
    let mut reader = BufReader::new(reader);
    reader.read_line(&mut first).expect("a line");
    assert_eq!(first, "1\n");
    drop(reader);
    run.finish();
}

#[test]
fn a_closed_stdout_ends_a_pipe_whose_producer_is_still_open() {
    let server = Server::start();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut run = server.rcli(["pipe"]).interactive().stdout_to(writer).status(0).start();
    run.send_line("PING");
    let mut first = String::new();
    let mut reader = BufReader::new(reader);
    reader.read_line(&mut first).expect("a line");
    drop(reader);
    // A process that another test is just starting may hold the reader's end a moment longer.
    wait_for("the end", || {
        run.send_line("PING");
        !run.is_running()
    });
    run.finish_with_open_stdin();
}

#[test]
fn a_full_disk_is_status_3_with_a_message() {
    let server = Server::start();
    server
        .rcli(["pipe"])
        .stdin("PING\n".repeat(10))
        .stdout_to(full_disk())
        .status(3)
        .reports_among(&["rcli: ", "No space left"])
        .run();
    let many = "PING\n".repeat(100_000);
    server
        .rcli(["pipe", "--json"])
        .stdin(many)
        .stdout_to(full_disk())
        .status(3)
        .reports_among(&["rcli: ", "No space left"])
        .run();
}

#[test]
fn a_line_of_100_megabytes_passes() {
    let server = Server::start();
    let mut input = b"SET k ".to_vec();
    input.resize(input.len() + (100 << 20), b'v');
    input.extend_from_slice(b"\nSTRLEN k\n");
    server.rcli(["pipe"]).stdin(input).prints(format!("OK\n{}\n", 100 << 20)).run();
}

#[test]
fn a_large_reply_passes_whole() {
    let server = Server::start();
    server.call(&[b"SETRANGE", b"k", b"20000000", b"x"]);
    let run = server.rcli(["pipe", "--raw"]).stdin("GET k\nPING\n").any_stdout().run();
    assert_eq!(run.stdout.len(), 20_000_001 + "\nPONG\n".len());
    let run = server.rcli(["pipe", "--json"]).stdin("GET k\n").any_stdout().run();
    assert_eq!(run.stdout.len(), 20_000_000 * "\\u0000".len() + "\"x\"\n".len());
}

#[test]
fn a_million_elements_are_one_json_line() {
    let server = Server::start();
    server.call(&[
        b"EVAL",
        b"for i=1,1000 do local t={} for j=1,1000 do t[j]=j end redis.call('RPUSH','l',unpack(t)) end",
        b"0",
    ]);
    let run = server.rcli(["--json", "LRANGE", "l", "0", "-1"]).any_stdout().run();
    assert_eq!(run.stdout.iter().filter(|&&byte| byte == b'\n').count(), 1);
    assert_eq!(run.stdout.iter().filter(|&&byte| byte == b',').count(), 999_999);
}

#[test]
fn memory_does_not_grow_with_the_input() {
    let server = Server::start();
    let line = format!("SET key {}\n", "v".repeat(240));
    // 50 MB of input do not fit into this much memory.
    server.rcli(["pipe", "-q"]).stdin(line.repeat(200_000)).through_sh("ulimit -d 32000; exec \"$0\" \"$@\"").run();
}

/// The most that the server holds for a `pipe` whose reader takes this many bytes of large replies and then stops.
fn held_by_the_server(taken: usize) -> usize {
    let server = Server::start();
    server.call(&[b"SETRANGE", b"k", b"9999", b"x"]);
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let run = server.rcli(["pipe"]).stdin("GET k\n".repeat(20_000)).stdout_to(writer).start();
    reader.read_exact(&mut vec![0; taken]).expect("replies");
    // The replies come to 200 MB and the pipe holds little: wait until the server has no more to do.
    let mut before = String::new();
    wait_for("the pipe to be full", || {
        std::thread::sleep(Duration::from_millis(150));
        let calls = field(&server.ask("INFO commandstats"), "cmdstat_get:calls=").unwrap_or_default();
        std::mem::replace(&mut before, calls.clone()) == calls && !calls.is_empty()
    });
    let clients = server.ask("CLIENT LIST");
    drop(reader);
    run.finish();
    clients.lines().filter_map(|line| field(line, "omem=")?.parse().ok()).max().expect("our client in the list")
}

#[test]
fn a_reader_that_stops_does_not_move_the_memory_into_the_server() {
    // 16 MB is the goal; what the socket's buffers hold back moves the figure. Without a bound it comes to 80 MB, once
    // so many replies are read that the window is as wide as it gets.
    for taken in [0, 3_000_000, 40_000_000] {
        let held = held_by_the_server(taken);
        assert!(held <= 32 << 20, "after {taken} bytes the server holds {held} for us");
    }
}

/// The value of a `name=value` field.
fn field(line: &str, name: &str) -> Option<String> {
    let rest = &line[line.find(name)? + name.len()..];
    Some(rest.split_whitespace().next()?.to_owned())
}

#[test]
fn binary_replies_pass_raw_unchanged() {
    let server = Server::start();
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(server.call(&[b"SET", b"k", &bytes]), Reply::Status("OK".to_owned()));
    server.rcli(["pipe", "-D", ""]).stdin("GET k\n").prints(&bytes).run();
    server.rcli(["-D", "", "GET", "k"]).prints(&bytes).run();
}

#[test]
fn input_that_cannot_be_read_is_no_end_of_input() {
    rcli(["pipe"]).stdin_from(File::open("/").expect("a directory")).status_among(&[2, 3]).complains(&[]).run();
}

#[test]
fn a_named_pipe_is_a_file_like_any_other() {
    // Its writer comes once: opening the pipe twice would lose what was written, on most of these runs.
    let server = Server::start();
    for _ in 0..8 {
        server
            .rcli(["pipe", "fifo"])
            .through_sh("mkfifo fifo && { printf 'PING\\n' > fifo & } && exec \"$0\" \"$@\"")
            .prints("PONG\n")
            .run();
    }
}

#[test]
fn a_missing_file_is_said_before_anything_runs() {
    let server = Server::start();
    server.rcli(["pipe", "one.txt", "two.txt"]).file("one.txt", "INCR n\n").status(2).complains(&["two.txt"]).run();
    assert_eq!(server.ask("EXISTS n"), "0");
}
