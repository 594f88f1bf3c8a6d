//! What the resume line of `pipe` promises: nothing that was answered is run again, and what is run runs in the state
//! that the connection had (contract section 6).

use crate::peer::{Answer, close, peer, send};
use crate::rcli::rcli;
use crate::running::Finished;
use crate::server::{Server, wait_for};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::JoinHandle;

/// Everything that a pipeline can do to its connection, and a list a database that tells what ran there, once each.
const MIXED: &str = "\
RPUSH log a
SELECT 3
RPUSH log b
CLIENT SETNAME first
MULTI
RPUSH log c
SELECT 5
RPUSH log d
EXEC
RPUSH log e
SELECT 99
RPUSH log f
MULTI
SELECT 6
RPUSH log never
DISCARD
RPUSH log g
MULTI
SELECT 7
NOSUCH x
EXEC
RPUSH log h
RPUSH log i
AUTH bob pw
RPUSH log j
WATCH w
GET w
MULTI
SELECT 8
RPUSH log k
EXEC
RPUSH log l
MULTI
SELECT 9
MULTI
RPUSH log m
EXEC
RPUSH log n
EXEC
DISCARD
WATCH w
UNWATCH
CLIENT SETNAME last
SELECT 2
RPUSH log o
MULTI
RPUSH log p
EXEC
RPUSH log q
";

/// Lines with a block that its WATCH aborts, which only the answers tell.
const ABORTED: &str = "\
SELECT 1
RPUSH log a
WATCH w
SET w 1
MULTI
SELECT 4
RPUSH log never
EXEC
RPUSH log b
MULTI
SELECT 5
RPUSH log c
EXEC
RPUSH log d
";

/// The state at the end, as far as it can be asked for.
const STATE: &str = "CLIENT GETNAME\nACL WHOAMI\n";

/// A server with a user bob.
fn server() -> Server {
    let server = Server::start();
    assert_eq!(server.ask("ACL SETUSER bob on >pw +@all ~* &*"), "OK");
    server
}

/// The port of something between a client and the server that passes on so many answers and then hangs up, before the
/// next command reaches the server; with `late` the server runs that one, and its answer is lost.
fn cut_after(server: &Server, answers: usize, late: bool) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let to = server.port();
    let thread = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut server = TcpStream::connect(("127.0.0.1", to)).unwrap();
        let (mut asked, mut answered) = (Vec::new(), Vec::new());
        for number in 0.. {
            let Some(command) = read_frame(&mut client, &mut asked) else { return };
            if number == answers && !late {
                break;
            }
            server.write_all(&command).unwrap();
            let answer = read_frame(&mut server, &mut answered).unwrap();
            if number == answers {
                break;
            }
            client.write_all(&answer).unwrap();
        }
        // To close it with something unread would reset it, and could lose the last answers.
        client.shutdown(Shutdown::Write).unwrap();
        let _ = client.read_to_end(&mut Vec::new());
    });
    (port, thread)
}

/// The next whole command or reply of a stream; none at its end.
fn read_frame(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut chunk = [0; 4096];
    loop {
        if let Some(length) = frame_length(buffer) {
            return Some(buffer.drain(..length).collect());
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return None,
            Ok(count) => buffer.extend_from_slice(&chunk[..count]),
        }
    }
}

/// The length of the frame of RESP2 at the start, if it is whole.
fn frame_length(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let number = || std::str::from_utf8(&bytes[1..line]).unwrap().parse::<i64>().unwrap();
    let mut end = line + 2;
    match bytes[0] {
        b'$' if number() >= 0 => end += usize::try_from(number()).unwrap() + 2,
        b'*' => {
            for _ in 0..number() {
                end += frame_length(bytes.get(end..)?)?;
            }
        }
        _ => {}
    }
    (bytes.len() >= end).then_some(end)
}

/// What every database of the server holds.
fn data(server: &Server) -> Vec<String> {
    let mut client = server.client();
    let mut ask = |argv: &[&str]| {
        let argv: Vec<&[u8]> = argv.iter().map(|arg| arg.as_bytes()).collect();
        client.call(&argv).unwrap().to_string()
    };
    (0..16)
        .map(|db: usize| {
            ask(&["SELECT", &db.to_string()]);
            format!("{db}: {} {}", ask(&["LRANGE", "log", "0", "-1"]), ask(&["GET", "w"]))
        })
        .collect()
}

/// A run over a connection that ends after so many answers.
fn run_cut(server: &Server, input: &str, options: &[&str], answers: usize, late: bool) -> Finished {
    let (port, thread) = cut_after(server, answers, late);
    let run = crate::rcli::rcli(["-p", &port.to_string(), "-2", "--json", "pipe", "cmds.txt"]);
    let run = run.args(options).file("cmds.txt", input).status(3).any_stdout().any_stderr().run();
    thread.join().unwrap();
    run
}

/// The options that the resume line gives; without `--not-run` if that is not to be heeded.
fn options_of(run: &Finished, heeds_not_run: bool) -> Vec<String> {
    let err = run.err();
    let told = err.split("resume with ").nth(1).unwrap_or_else(|| panic!("no way to resume:\n{err}"));
    let count = if heeds_not_run && told.contains("--not-run") { 4 } else { 2 };
    let word = |word: &str| word.trim_end_matches([',', ';']).to_owned();
    told.split_whitespace().take(count).map(word).collect()
}

/// The data and the last two replies of a run that nothing cuts.
fn uncut(server: &Server, input: &str) -> (Vec<String>, String) {
    server.ask("FLUSHALL");
    let run = server.rcli(["-2", "--json", "pipe", "cmds.txt"]).file("cmds.txt", input);
    let out = run.status_among(&[0, 1, 4]).any_stdout().any_stderr().run().out();
    let state: Vec<&str> = out.lines().rev().take(2).collect();
    (data(server), state.join(" "))
}

/// Cuts a file at every single answer, goes on as told, and compares.
fn assert_resumes(input: &str, options: &[&str], heeds_not_run: bool) {
    let server = server();
    let input = format!("{input}{STATE}");
    let expected = uncut(&server, &input);
    for answers in 0..input.lines().count() {
        server.ask("FLUSHALL");
        let cut = run_cut(&server, &input, options, answers, false);
        let told = cut.err();
        assert_eq!(cut.out().lines().count(), answers, "{told}");
        assert!(told.contains(&format!("{answers} commands answered, ")), "{told}");
        let rest = server.rcli(["-2", "--json", "pipe", "cmds.txt"]).args(options_of(&cut, heeds_not_run));
        let rest = rest.file("cmds.txt", &input).status_among(&[0, 1, 4]).any_stdout().any_stderr().run();
        // Whether a watched key had changed before is lost with the connection, and said to be.
        if input == format!("{ABORTED}{STATE}") && rest.err().contains("it guards only from now on") {
            continue;
        }
        let out = rest.out();
        let state: Vec<&str> = out.lines().rev().take(2).collect();
        assert_eq!(data(&server), expected.0, "cut after {answers}: {told}\n{}", rest.err());
        if state.len() == 2 {
            assert_eq!(state.join(" "), expected.1, "cut after {answers}: {told}\n{}", rest.err());
        }
    }
}

#[test]
fn a_skip_beyond_the_end_is_said() {
    let server = Server::start();
    for args in [&["pipe"][..], &["pipe", "--check"], &["pipe", "--atomic"]] {
        server
            .rcli(args.iter().copied())
            .args(["--skip", "3"])
            .stdin("SET a 1\nSET b 2\n")
            .status(2)
            .complains(&["--skip 3: the input has only 2 commands"])
            .run();
        server.rcli(args.iter().copied()).args(["--skip", "2"]).stdin("SET a 1\nSET b 2\n").run();
    }
}

#[test]
fn a_file_cut_at_every_single_answer_comes_to_the_same_data() {
    assert_resumes(MIXED, &["--window", "1"], false);
}

#[test]
fn so_does_one_with_more_in_flight() {
    assert_resumes(MIXED, &["--window", "7"], false);
}

#[test]
fn a_block_that_was_aborted_is_not_taken_for_run() {
    assert_resumes(ABORTED, &["--window", "1"], true);
}

#[test]
fn a_block_that_memory_had_no_room_for_is_not_taken_for_run() {
    let server = server();
    let input = "SELECT 1\nMULTI\nSELECT 3\nSET k v\nEXEC\nSET after 1\n";
    let mut run = server.rcli(["pipe", "--on-error", "stop", "--window", "1"]).interactive().status(1);
    run = run
        .prints_among(&["OK\nOK\nQUEUED\nQUEUED\nEXECABORT "])
        .reports_among(&["resume with --skip 5 --not-run 5\n"]);
    let mut run = run.start();
    let (queued, rest) = input.split_at(input.find("EXEC").unwrap());
    run.send(queued);
    run.wait_for_lines(4);
    server.ask("CONFIG SET maxmemory 1");
    run.send(rest);
    run.finish();
    server.ask("CONFIG SET maxmemory 0");
    server.rcli(["pipe", "--skip", "5", "--not-run", "5"]).stdin(input).prints("OK\n").run();
    server.rcli(["-n", "1", "GET", "after"]).prints("1\n").run();
    assert_eq!(server.ask("DBSIZE"), "0");
}

#[test]
fn a_file_cut_again_and_again_comes_to_its_end() {
    let server = server();
    let input = format!("{ABORTED}{MIXED}");
    let expected = uncut(&server, &input).0;
    // Behind the block that was aborted, which each run has to tell the next one.
    for answers in [12, 17] {
        server.ask("FLUSHALL");
        let mut options = vec!["--window".to_owned(), "1".to_owned()];
        let mut runs = 0;
        loop {
            let (port, _) = cut_after(&server, answers + 7 * runs, false);
            let run = crate::rcli::rcli(["-p", &port.to_string(), "-2", "--json", "pipe", "cmds.txt"]);
            let run = run.args(&options).file("cmds.txt", &input).status_among(&[0, 1, 3, 4]);
            let run = run.any_stdout().any_stderr().run();
            runs += 1;
            if run.code != 3 {
                break;
            }
            options.truncate(2);
            options.extend(options_of(&run, true));
        }
        assert!(runs > 2, "{runs} runs");
        assert_eq!(data(&server), expected, "{answers} answers a run");
    }
}

#[test]
fn what_may_have_run_is_said() {
    let server = server();
    let cut = |answers: usize, input: &str, window: &str| {
        server.ask("FLUSHALL");
        run_cut(&server, input, &["--window", window], answers, true).err()
    };
    let lost = "rcli: connection lost: ";
    assert_eq!(
        cut(1, "SET a 1\nSET b 2\n", "1"),
        format!(
            "{lost}1 commands answered, 1 sent and unanswered (cmds.txt:2 to cmds.txt:2); resume with --skip 1; \
             the unanswered one may have run\n"
        )
    );
    assert_eq!(
        cut(1, "SET a 1\nSET b 2\nSET c 3\n", "9"),
        format!(
            "{lost}1 commands answered, 2 sent and unanswered (cmds.txt:2 to cmds.txt:3); resume with --skip 1; \
             the unanswered may have run (--window 1 makes that one command at most)\n"
        )
    );
    let block = "SET a 1\n\nMULTI\nSET b 2\nEXEC\nSET c 3\n";
    assert_eq!(
        cut(2, block, "1"),
        format!(
            "{lost}2 commands answered, 1 sent and unanswered (cmds.txt:4 to cmds.txt:4); resume with --skip 1 \
             (before the MULTI of cmds.txt:3: its block did not run)\n"
        )
    );
    assert_eq!(
        cut(3, block, "1"),
        format!(
            "{lost}3 commands answered, 1 sent and unanswered (cmds.txt:5 to cmds.txt:5); resume with --skip 1 \
             (before the MULTI of cmds.txt:3: the block to cmds.txt:5 may have run, its EXEC was sent and not answered)\n"
        )
    );
    assert_eq!(server.ask("GET b"), "2", "it did");
    assert!(
        cut(3, block, "9").contains("may have run, its EXEC was sent and not answered); the unanswered may have run")
    );
    assert!(cut(4, block, "1").contains("; resume with --skip 4; the unanswered one may have run\n"));
}

#[test]
fn what_was_skipped_is_sent_again_in_order_and_a_watch_that_has_ended_is_not() {
    let peer = peer().otherwise(send("+OK\r\n")).exec(send("*0\r\n")).start();
    peer.rcli(["pipe", "--skip", "11"])
        .stdin(
            "WATCH a\nMULTI\nEXEC\nWATCH b\nSELECT 3\nUNWATCH\nCLIENT SETNAME x\nSELECT 4\nWATCH c\nSET k v\n\
             CLIENT NO-TOUCH on\nGET k\n",
        )
        .prints("OK\n")
        .complains(&["stdin:9: WATCH c: sent again to resume, it guards only from now on"])
        .run();
    assert_eq!(peer.commands(), ["SELECT 3", "CLIENT SETNAME x", "SELECT 4", "WATCH c", "CLIENT NO-TOUCH on", "GET k"]);
}

#[test]
fn what_is_refused_again_is_reported_and_a_refused_user_or_watch_ends_the_run() {
    let server = server();
    server
        .rcli(["pipe", "--skip", "2"])
        .stdin("SELECT 99\nSELECT 3\nSET k v\n")
        .status(1)
        .prints("OK\n")
        .complains(&["stdin:1: SELECT 99: ERR DB index is out of range"])
        .run();
    assert!(data(&server).iter().all(|line| line.ends_with("[] nil")));
    let mut client = server.client();
    client.call(&[b"SELECT", b"3"]).unwrap();
    assert_eq!(client.call(&[b"GET", b"k"]).unwrap().to_string(), "v");
    for (line, told) in [
        ("AUTH bob wrong", "stdin:1: AUTH (arguments not shown): refused when it was sent again to resume: WRONGPASS"),
        ("WATCH", "stdin:1: WATCH: refused when it was sent again to resume: ERR wrong number"),
    ] {
        server
            .rcli(["pipe", "--skip", "1"])
            .stdin(format!("{line}\nSET never v\n"))
            .status(3)
            .complains(&[told, "0 commands answered, 0 sent and unanswered; resume with --skip 1"])
            .run();
        assert_eq!(server.ask("EXISTS never"), "0");
    }
}

#[test]
fn on_error_stop_and_an_interrupt_in_a_block_go_back_before_it() {
    let server = server();
    let told = "resume with --skip 1 (before the MULTI of cmds.txt:2: its block did not run)";
    server
        .rcli(["pipe", "--on-error", "stop", "--window", "1", "cmds.txt"])
        .file("cmds.txt", "SELECT 3\nMULTI\nNOSUCH\nSET k v\nEXEC\n")
        .status(1)
        .prints_among(&["OK\nOK\nERR unknown command"])
        .reports_among(&["rcli: stopped after an error: 3 commands answered, 0 sent and unanswered; ", told])
        .run();
    let mut run = server.rcli(["pipe"]).interactive().status(130).prints("OK\nOK\nQUEUED\n");
    run = run.complains(&[
        "interrupted: 3 commands answered, 0 sent and unanswered; resume with --skip 1 (before the MULTI",
    ]);
    let mut run = run.start();
    run.send("SELECT 3\nMULTI\nSET k v\n");
    run.wait_for_lines(3);
    run.signal(Signal::INT);
    run.finish_with_open_stdin();
}

#[test]
fn an_answer_that_cannot_be_decoded_in_a_block_goes_back_before_it() {
    let (ok, queued) = (|| send("+OK\r\n"), || send("+QUEUED\r\n"));
    let run = |answers: Vec<Answer>, told: &str| {
        let peer = peer().answers(answers).start();
        let run = peer.rcli(["pipe", "--window", "1"]).stdin("SET a 1\nMULTI\nSET b 2\nEXEC\nSET c 3\n");
        run.status(3).any_stdout().complains(&["the answer could not be decoded", told]).run();
    };
    let garbage = || close("garbage\r\n");
    run(vec![ok(), garbage()], "resume with --skip 1 (before the MULTI of stdin:2: its block did not run)");
    run(vec![ok(), ok(), garbage()], "resume with --skip 1 (before the MULTI of stdin:2: its block did not run)");
    run(vec![ok(), ok(), queued(), garbage()], "resume with --skip 4, which skips this command too");
}

#[test]
fn a_skip_that_lies_inside_a_block_names_it() {
    let server = server();
    let input = "SET a 1\nMULTI\nSELECT 3\nSET b 2\nEXEC\n";
    for skip in ["2", "3", "4"] {
        let told = format!("--skip {skip} lies inside the block that MULTI opens at stdin:2: --skip 1 is before it");
        server.rcli(["pipe", "--skip", skip]).stdin(input).status(2).complains(&[&told]).run();
        crate::rcli::rcli(["pipe", "--check", "--skip", skip])
            .stdin(input)
            .status(2)
            .complains(&["lies inside the block that MULTI opens at stdin:2"])
            .run();
    }
    server.rcli(["pipe", "--skip", "9"]).stdin("MULTI\nSET a 1\n").status(2).complains(&["inside the block"]).run();
    server.rcli(["pipe", "--skip", "5"]).stdin(input).run();
    let told = "stdin:1: WATCH w: sent again to resume, it guards only from now on";
    let guarded = "WATCH w\nAUTH bob pw\nMULTI\nSET a 1\nEXEC\n";
    server.rcli(["pipe", "-q", "--skip", "2"]).stdin(guarded).complains(&[told]).run();
    server.rcli(["pipe", "-q", "--skip", "3"]).stdin(guarded).status(2).complains(&["--skip 2 is before it"]).run();
    // Where MULTI is refused there is no block.
    server.ask("ACL SETUSER bob -multi");
    let bob = ["--user", "bob", "-a", "pw", "--no-auth-warning", "pipe", "--skip", "3"];
    server.rcli(bob).stdin(input).status(1).prints_among(&["OK\n"]).complains(&["ERR EXEC without MULTI"]).run();
    assert_eq!(data(&server)[3], "3: [] nil");
    let mut client = server.client();
    client.call(&[b"SELECT", b"3"]).unwrap();
    assert_eq!(client.call(&[b"GET", b"b"]).unwrap().to_string(), "2");
    server.rcli(["pipe", "-q", "--skip", "3"]).stdin(guarded).status(1).reports_among(&[told, "EXEC without"]).run();
    let discarded = "AUTH bob pw\nMULTI\nSELECT 4\nDISCARD\nSET b 2\n";
    server.rcli(["pipe", "-q", "--skip", "4"]).stdin(discarded).run();
    client.call(&[b"SELECT", b"4"]).unwrap();
    assert_eq!(client.call(&[b"GET", b"b"]).unwrap().to_string(), "2");
}

#[test]
fn blocks_and_settings_go_over_files_and_come_in_resp() {
    let server = server();
    server
        .rcli(["pipe", "--skip", "4", "one.txt", "two.txt"])
        .file("one.txt", "MULTI\nSELECT 3\n")
        .file("two.txt", "EXEC\nSELECT 99\nSET k v\n")
        .status(1)
        .prints("OK\n")
        .complains(&["two.txt:2: SELECT 99: "])
        .run();
    server
        .rcli(["pipe", "one.txt", "two.txt"])
        .file("one.txt", "SET a 1\nMULTI\n")
        .file("two.txt", "SET k v\n")
        .status(2)
        .prints("OK\nOK\nQUEUED\n")
        .complains(&["one.txt:2: MULTI: the input ends without its EXEC"])
        .run();
    let resp = |words: &[&str]| String::from_utf8(crate::resp::pack(words)).unwrap();
    let input = [resp(&["SELECT", "4"]), resp(&["SET", "a", "1"]), resp(&["SET", "b", "1"])].concat();
    server.rcli(["pipe", "--skip", "2"]).stdin(input).prints("OK\n").run();
    for (db, key) in [(b"3", b"k"), (b"4", b"b")] {
        let mut client = server.client();
        client.call(&[b"SELECT", db]).unwrap();
        assert_eq!(client.call(&[b"EXISTS", key]).unwrap().to_string(), "1");
    }
}

#[test]
fn an_atomic_pipeline_runs_in_the_state_of_what_it_skips() {
    let server = server();
    server.rcli(["pipe", "--atomic", "--skip", "2"]).stdin("SELECT 3\nSET a 1\nSET b 2\n").prints("OK\n").run();
    let mut client = server.client();
    client.call(&[b"SELECT", b"3"]).unwrap();
    assert_eq!(client.call(&[b"EXISTS", b"a", b"b"]).unwrap().to_string(), "1");
}

#[test]
fn an_exec_that_a_dead_connection_did_not_take_leaves_no_doubt() {
    let server = Server::start();
    let (reader, mut input) = std::io::pipe().unwrap();
    let socket = server.socket().display().to_string();
    let told = "2 commands answered, 0 sent and unanswered; resume with --skip 1 \
        (before the MULTI of stdin:2: its block did not run)";
    let run = rcli(["-s", &socket, "pipe"]).stdin_from(reader).status(3).prints("OK\nOK\n");
    let mut run = run.complains(&[told]).start();
    input.write_all(b"SET a 1\nMULTI\n").unwrap();
    run.wait_for_lines(2);
    // Both are there when it looks: the end of the connection, and more input, which it packs first.
    run.signal(Signal::STOP);
    let status = format!("/proc/{}/status", run.pid());
    wait_for("a stopped run", || std::fs::read_to_string(&status).unwrap().contains("State:\tT"));
    server.ask("CLIENT KILL TYPE normal SKIPME yes");
    server.wait_until("CLIENT LIST", |list| list.lines().count() == 1);
    input.write_all(b"SET a 2\nEXEC\n").unwrap();
    run.signal(Signal::CONT);
    run.finish_with_open_stdin();
    assert_eq!(server.ask("GET a"), "1");
}
