//! Input with a byte order mark, and input in UTF-16 (contract section 3).

use crate::peer::{peer, send};
use crate::rcli::{Rcli, rcli};
use crate::resp::pack;
use crate::server::Server;

/// The text in UTF-16 and UTF-32, both ways round, with and without a mark; with the name of each.
fn foreign(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let marked = format!("\u{feff}{text}");
    [text, &marked]
        .into_iter()
        .flat_map(|text| {
            [
                ("UTF-16", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
                ("UTF-16", text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
                ("UTF-32", text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect()),
                ("UTF-32", text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect()),
            ]
        })
        .collect()
}

#[test]
fn utf16_is_named_and_nothing_is_sent() {
    let peer = peer().exec(send("*0\r\n")).otherwise(send("+OK\r\n")).start();
    for (encoding, bytes) in foreign("SET a 1\r\nSET b 2\r\n") {
        let told = |place: &str| format!("rcli: {place}:1: the input is in {encoding}: ");
        let run = |args: &[&str]| peer.rcli(args).file("in.txt", &bytes).stdin(&bytes).status(2);
        for args in
            [&[][..], &["pipe"], &["pipe", "--check"], &["pipe", "--atomic"], &["txn"], &["txn", "--watch", "k"]]
        {
            run(args).complains(&[&told("stdin")]).run();
        }
        for args in [&["pipe", "in.txt"][..], &["pipe", "--check", "in.txt"], &["txn", "in.txt"]] {
            run(args).complains(&[&told("in.txt")]).run();
        }
        run(&["txn", "--", "cat", "in.txt"]).complains(&[&told("cat")]).run();
    }
    let sent: Vec<String> = peer.ordinary().into_iter().filter(|command| !command.starts_with("WATCH")).collect();
    assert_eq!(sent, [""; 0]);
}

#[test]
fn a_later_file_in_utf16_is_found_before_the_first_is_run() {
    let server = Server::start();
    for (encoding, bytes) in foreign("SET b 2\n") {
        let run = server.rcli(["pipe", "one.txt", "two.txt"]).file("one.txt", "SET a 1\n").file("two.txt", &bytes);
        run.status(2).complains(&[&format!("two.txt:1: the input is in {encoding}: ")]).run();
    }
    assert_eq!(server.ask("DBSIZE"), "0");
}

#[test]
fn utf16_that_comes_in_single_bytes_is_known_too() {
    let peer = peer().otherwise(send("+OK\r\n")).start();
    for (encoding, bytes) in foreign("SET a 1\n") {
        let mut run = peer.rcli(["pipe"]).interactive().status(2).complains(&[encoding]).start();
        for byte in bytes {
            run.send([byte]);
        }
        run.finish();
    }
    assert_eq!(peer.ordinary(), [""; 0]);
}

/// Runs this input behind a byte order mark in every mode.
fn in_every_mode(server: &Server, input: &[u8], assert: impl Fn(Rcli)) {
    let bytes = [b"\xef\xbb\xbf", input].concat();
    for args in [&[][..], &["pipe"], &["pipe", "in.txt"], &["pipe", "in.txt", "in.txt"], &["pipe", "--atomic"]] {
        server.ask("FLUSHALL");
        assert(server.rcli(args).file("in.txt", &bytes).stdin(&bytes));
    }
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let server = Server::start();
    let resp = [pack(&["SET", "a", "1"]), pack(&["GET", "a"])].concat();
    let json = b"[\"SET\",\"a\",\"1\"]\n[\"GET\",\"a\"]\n";
    for input in [&b"SET a 1\r\nGET a\r\n"[..], &resp, json, b"# a remark\n\nSET a 1\nGET a"] {
        in_every_mode(&server, input, |run| {
            let run = run.any_stdout().run();
            assert!(["OK\n1\n", "OK\n1\nOK\n1\n"].contains(&run.out().as_str()), "{}", run.out());
        });
        let bytes = [b"\xef\xbb\xbf", input].concat();
        server.rcli(["txn"]).stdin(&bytes).prints("OK\n1\n").run();
        server.rcli(["txn", "--", "printf", "\\357\\273\\277MULTI\\nSET a 1\\nGET a\\n"]).prints("OK\n1\n").run();
        rcli(["pipe", "--check"]).stdin(&bytes).run();
    }
}

#[test]
fn a_mark_alone_is_no_command_and_one_in_the_middle_is_data() {
    let server = Server::start();
    in_every_mode(&server, b"", |run| drop(run.run()));
    server.rcli(["--json", "pipe"]).stdin("ECHO \u{feff}a\n").prints("\"\u{feff}a\"\n").run();
    let run = server.rcli(["--json", "pipe"]).stdin("\u{feff}PING\n\u{feff}PING\n").status(1).any_stderr();
    assert!(run.any_stdout().run().out().starts_with("\"PONG\"\n{\"error\""));
}

#[test]
fn a_mark_that_comes_in_pieces_is_skipped_and_lines_are_answered_as_they_come() {
    let server = Server::start();
    for args in [&[][..], &["pipe"]] {
        let mut run = server.rcli(args).interactive().prints("PONG\nPONG\n").start();
        for piece in [&b"\xef"[..], b"\xbb", b"\xbf", b"P", b"ING\n"] {
            run.send(piece);
        }
        run.wait_for_lines(1);
        run.send("PING\n");
        run.wait_for_lines(2);
        run.finish();
    }
}
