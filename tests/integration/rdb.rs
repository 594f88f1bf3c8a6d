//! `rdb`: the server's snapshot. Contract section 18.

use crate::certificates::Certificates;
use crate::peer::{close, peer, send};
use crate::pty::open;
use crate::rcli::rcli;
use crate::server::{Server, free_port, pause, wait_for};
use rustix::process::Signal;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A server that tells the length before, and one that sends a mark behind, at once.
const WAYS: [&[&str]; 2] =
    [&["--repl-diskless-sync", "no"], &["--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0"]];
/// Nobody's snapshot comes in this time.
const NEVER: [&str; 4] = ["--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "3600"];

/// What a server holds, in a directory with that and nothing else.
fn filled(server: &Server) -> String {
    server.ask("DEBUG POPULATE 20000 key 100");
    server.ask("EVAL \"for i = 1, 5000 do redis.call('RPUSH', 'list', i .. '\\r\\n') end\" 0");
    server.ask("DEBUG DIGEST")
}

/// What a server holds that begins with this snapshot.
fn digest_of(snapshot: &Path) -> String {
    let mut server = Server::with_args(["--dbfilename", "dump.rdb"]);
    server.kill_nine();
    fs::copy(snapshot, server.socket().with_file_name("dump.rdb")).unwrap();
    server.restart();
    server.ask("DEBUG DIGEST")
}

/// The names of what is in a directory.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A path in a directory, as a word.
fn word(directory: &TempDir, name: &str) -> String {
    directory.path().join(name).to_str().unwrap().to_owned()
}

#[test]
fn a_snapshot_is_fetched_whole_whether_its_length_is_told_or_a_mark_ends_it() {
    for (way, protocol) in WAYS.into_iter().flat_map(|way| ["-2", "-3"].map(|protocol| (way, protocol))) {
        let server = Server::with_args(way);
        let digest = filled(&server);
        let directory = TempDir::new().unwrap();
        let path = word(&directory, "dump.rdb");
        // What was written is told, though nobody watches.
        server.rcli([protocol, "rdb", &path]).complains(&[&format!("rcli: summary: {path}: "), " bytes, "]).run();
        assert_eq!(names(directory.path()), ["dump.rdb"]);
        assert_eq!(digest_of(&directory.path().join("dump.rdb")), digest);
    }
}

#[test]
fn a_snapshot_goes_to_stdout_and_no_byte_more() {
    let server = Server::with_args(WAYS[0]);
    let digest = filled(&server);
    let directory = TempDir::new().unwrap();
    let file = fs::File::create(directory.path().join("out")).unwrap();
    server.rcli(["rdb", "-"]).stdout_to(file).complains(&["summary: stdout: "]).run();
    assert_eq!(digest_of(&directory.path().join("out")), digest);
    // A reader that has enough is no failure.
    server.rcli(["rdb", "--progress", "never", "-"]).through_sh("\"$0\" \"$@\" | head -c 5").any_stdout().run();
}

#[test]
fn functions_alone_are_fetched_without_keys() {
    let server = Server::with_args(["--repl-diskless-sync-delay", "0"]);
    server.call(&[b"SET", b"k", b"v"]);
    server.call(&[b"FUNCTION", b"LOAD", b"#!lua name=lib\nredis.register_function('f', function() return 1 end)"]);
    let directory = TempDir::new().unwrap();
    for (number, args) in [&["rdb", "--functions"][..], &["--functions-rdb"]].into_iter().enumerate() {
        let file = word(&directory, &number.to_string());
        let told = ["summary: ", if number == 0 { "" } else { "Transfer finished with success." }];
        server.rcli(args.iter().copied()).args([&file]).reports_among(&told).run();
        let mut other = Server::with_args(["--dbfilename", "dump.rdb"]);
        other.kill_nine();
        fs::copy(&file, other.socket().with_file_name("dump.rdb")).unwrap();
        other.restart();
        assert_eq!(other.ask("DBSIZE"), "0");
        assert!(other.ask("FUNCTION LIST").contains("lib"));
    }
    // What does not know of them would give all keys.
    let refusing = peer().always("REPLCONF", send("-ERR Unrecognized REPLCONF option\r\n")).start();
    let file = word(&directory, "none");
    refusing.rcli(["rdb", "--functions", &file]).status(1).complains(&["Unrecognized REPLCONF option"]).run();
    assert!(!fs::exists(&file).unwrap());
}

#[test]
fn it_works_with_credentials_tls_and_sockets() {
    let directory = TempDir::new().unwrap();
    let path = word(&directory, "dump.rdb");
    let server = Server::with_password("pw");
    rcli(["-s", server.socket().to_str().unwrap(), "rdb", "--progress", "never", &path])
        .env("REDISCLI_AUTH", "pw")
        .status_among(&[0])
        .run();
    let certificates = Certificates::make();
    let server = Server::with_tls_and_args(&certificates, false, WAYS[1]);
    fs::remove_file(&path).unwrap();
    rcli(["-h", "localhost", "-p", &server.port().to_string(), "--cacert"])
        .args([&certificates.ca])
        .args(["rdb", "--progress", "never", &path])
        .run();
    assert_eq!(names(directory.path()), ["dump.rdb"]);
}

#[test]
fn progress_is_shown_where_it_is_asked_for() {
    let server = Server::with_args(WAYS[0]);
    filled(&server);
    let run = server.rcli(["rdb", "--progress", "always", "dump.rdb"]);
    run.reports_among(&["waiting for the snapshot", "iB", "rcli: summary: ", " bytes, "]).run();
}

#[test]
fn nothing_is_left_of_what_a_signal_ends_and_the_old_file_stays() {
    let server = Server::with_args(NEVER);
    let directory = TempDir::new().unwrap();
    let path = word(&directory, "dump.rdb");
    fs::write(&path, "old").unwrap();
    let run = server.rcli(["rdb", &path]).status(130).start();
    server.wait_until("INFO replication", |info| info.contains("connected_slaves:1"));
    assert_eq!(names(directory.path()).len(), 2);
    run.signal(Signal::INT);
    run.finish();
    assert_eq!(names(directory.path()), ["dump.rdb"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
}

#[test]
fn a_silent_server_is_given_up_where_a_limit_says_so_and_empty_lines_are_life() {
    let silent = peer().always("REPLCONF", send("+OK\r\n")).always("SYNC", send("")).start();
    let run = silent.rcli(["--read-timeout", "0.3", "rdb", "x.rdb"]).status(3);
    run.complains(&["no answer within 0.3 s"]).run();
    let lively = peer().always("REPLCONF", send("+OK\r\n")).always("SYNC", send("")).start();
    let run = lively.rcli(["--read-timeout", "1", "rdb", "--progress", "never", "x.rdb"]).start();
    wait_for("SYNC", || lively.ordinary().iter().any(|command| command.contains("SYNC")));
    let asked = Instant::now();
    while asked.elapsed() < Duration::from_millis(1500) {
        lively.say(b"\n");
        pause();
    }
    lively.say(b"$20\r\nREDIS0011xxx\0\0\0\0\0\0\0\0");
    run.finish();
}

#[test]
fn a_server_that_refuses_is_told_in_its_words() {
    let server = Server::with_args(WAYS[0]);
    server.ask("ACL SETUSER u on nopass ~* +@all -sync");
    let run = server.rcli(["--user", "u", "-a", "x", "--no-auth-warning", "rdb", "x.rdb"]).status(1);
    run.complains(&[&server.address(), "SYNC: NOPERM"]).run();
    let port = free_port().to_string();
    let replica = Server::with_args(["--replicaof", "127.0.0.1", &port]);
    let directory = TempDir::new().unwrap();
    let run = replica.rcli(["rdb", &word(&directory, "x.rdb")]).status(1);
    run.complains(&["SYNC: NOMASTERLINK"]).run();
    assert!(names(directory.path()).is_empty());
}

/// A peer that answers SYNC so.
fn syncing(answer: &[u8]) -> crate::peer::Peer {
    peer().always("REPLCONF", send("+OK\r\n")).always("SYNC", close(answer)).start()
}

#[test]
fn what_is_damaged_or_cut_off_is_told_and_not_kept() {
    let mark = "m".repeat(40);
    let directory = TempDir::new().unwrap();
    for (answer, said) in [
        ("$30\r\nREDIS0011short".to_owned(), "; 14 of 30 bytes of the snapshot had come"),
        (format!("$EOF:{mark}\r\nREDIS0011 {}", "x".repeat(100)), "; 71 bytes of the snapshot had come"),
        ("\n\n$20\r\nREDIS0011xxx12345678".to_owned(), "the snapshot is damaged: its checksum is 3837363534333231"),
        (format!("$EOF:{mark}\r\nREDIS0011xxx12345678{mark}"), "the snapshot is damaged: its checksum is 38373"),
        ("$12\r\nhello, world".to_owned(), "what came is no snapshot"),
        ("$0\r\n".to_owned(), "what came is no snapshot"),
        ("$EOF:short\r\n".to_owned(), "SYNC was answered with no snapshot"),
        ("+OK\r\n".to_owned(), "SYNC was answered with no snapshot"),
        ("-LOADING data\x1b[2J\r\n".to_owned(), "SYNC: LOADING data\\x1b[2J"),
        (String::new(), "connection lost"),
    ] {
        let peer = syncing(answer.as_bytes());
        let run = peer.rcli(["rdb", &word(&directory, "x.rdb")]).status_among(&[1, 3]);
        run.complains(&[said]).run();
        assert!(names(directory.path()).is_empty(), "{answer}");
    }
    // A checksum of 0 is none.
    let peer = syncing(b"$20\r\nREDIS0011xxx\0\0\0\0\0\0\0\0");
    peer.rcli(["rdb", &word(&directory, "x.rdb")]).complains(&["x.rdb: 20 bytes, "]).run();
    assert_eq!(names(directory.path()), ["x.rdb"]);
}

#[test]
fn what_cannot_be_written_is_told() {
    let server = Server::with_args(WAYS[0]);
    server.rcli(["rdb", "nosuch/x.rdb"]).status(3).complains(&["cannot write nosuch/x.rdb: No such file"]).run();
    server.rcli(["rdb", "/"]).status(3).complains(&["cannot write /: "]).run();
    server.rcli(["rdb", "/dev/full"]).status(3).complains(&["cannot write /dev/full: No space left"]).run();
    assert!(!fs::metadata("/dev/full").unwrap().is_file());
    server.rcli(["rdb"]).status(2).complains(&["<FILE>"]).run();
}

#[test]
fn a_file_that_may_not_grow_is_a_write_that_fails() {
    let server = Server::with_args(WAYS[0]);
    filled(&server);
    let directory = TempDir::new().unwrap();
    let limited = "ulimit -f 8; exec \"$0\" \"$@\"";
    let run = server.rcli(["rdb", &word(&directory, "x.rdb")]).through_sh(limited);
    run.status(3).complains(&["cannot write ", "x.rdb: File too large"]).run();
    assert!(names(directory.path()).is_empty());
    let out = fs::File::create(directory.path().join("out")).unwrap();
    let run = server.rcli(["ls"]).through_sh(limited).stdout_to(out);
    run.status(3).complains(&["cannot write the output: File too large"]).run();
}

#[test]
fn a_link_keeps_leading_to_its_file() {
    let server = Server::with_args(WAYS[0]);
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("there"), "old").unwrap();
    std::os::unix::fs::symlink("there", directory.path().join("link")).unwrap();
    server.rcli(["rdb", &word(&directory, "link")]).complains(&["/link: ", " bytes, "]).run();
    assert!(fs::symlink_metadata(directory.path().join("link")).unwrap().is_symlink());
    assert_ne!(fs::read(directory.path().join("there")).unwrap(), b"old");
}

#[test]
fn a_terminal_gets_no_snapshot() {
    let server = Server::with_args(WAYS[0]);
    let mut terminal = server.rcli(["rdb", "-"]).on_terminal(80);
    assert_eq!(terminal.status(), 2);
    terminal.shows("a snapshot is no text for a terminal");
    let (terminal, prompt) = open(&server, &[]);
    terminal.run(&prompt, "rdb -", &["rcli: rdb: name a file; a snapshot is no text for the prompt"]);
    terminal.run_until(&prompt, "rdb --progress never x.rdb", |rows| rows.last() == Some(&prompt));
    wait_for("the snapshot", || terminal.home().join("x.rdb").exists());
    terminal.leave();
}
