//! The connection lost in the middle of a pipe: the exact count, the resume line, nothing sent twice (section 6).

use crate::peer::{close, peer, send};
use crate::rcli::rcli;
use crate::server::Server;
use std::io::Write;

/// The numbers of the line that tells of the loss: answered, unanswered, first line, last line, resume at.
fn numbers(err: &str) -> Vec<usize> {
    let line = err
        .lines()
        .find(|line| line.starts_with("rcli: connection lost: "))
        .unwrap_or_else(|| panic!("no such line:\n{err}"));
    let line = line.split("; the unanswered").next().unwrap();
    line.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

#[test]
fn the_line_tells_what_was_answered_what_was_not_and_how_to_resume() {
    let peer = peer().patient().answers([send("+a\r\n"), send("+b\r\n"), close("+c\r\n")]).start();
    peer.rcli(["pipe", "cmds.txt"])
        .file("cmds.txt", "# a note\nA\nB\nC\n\nD\nE\n")
        .status(3)
        .prints("a\nb\nc\n")
        .reports(
            "rcli: connection lost: 3 commands answered, 2 sent and unanswered (cmds.txt:6 to cmds.txt:7); \
             resume with --skip 3; the unanswered may have run (--window 1 makes that one command at most)\n",
        )
        .run();
    assert_eq!(peer.ordinary(), ["A", "B", "C", "D", "E"]);
    assert_eq!(peer.connections(), 1, "nothing is sent again");
}

#[test]
fn the_resume_count_includes_what_was_skipped() {
    let peer = peer().patient().answers([send("+c\r\n"), close("")]).start();
    peer.rcli(["pipe", "--skip", "2"])
        .stdin("A\nB\nC\nD\n")
        .status(3)
        .prints("c\n")
        .complains(&["rcli: connection lost: 1 commands answered, 1 sent and unanswered (stdin:4 to stdin:4); resume with --skip 3"])
        .run();
}

#[test]
fn the_commands_unanswered_may_lie_in_two_files() {
    let peer = peer().patient().answers([close("+a\r\n")]).start();
    peer.rcli(["pipe", "one.txt", "two.txt"])
        .file("one.txt", "A\nB\n")
        .file("two.txt", "C\n")
        .status(3)
        .prints("a\n")
        .complains(&["1 commands answered, 2 sent and unanswered (one.txt:2 to two.txt:1); resume with --skip 1"])
        .run();
}

#[test]
fn half_a_reply_is_no_reply() {
    let peer = peer().patient().answers([send("+a\r\n"), close("$10\r\nhalf")]).start();
    peer.rcli(["pipe"])
        .stdin("A\nB\n")
        .status(3)
        .prints("a\n")
        .complains(&[
            "connection lost: 1 commands answered, 1 sent and unanswered (stdin:2 to stdin:2); resume with --skip 1",
        ])
        .run();
}

#[test]
fn a_connection_lost_while_nothing_is_in_flight_ends_the_run() {
    let peer = peer().answers([send("+a\r\n")]).start();
    let mut run = peer
        .rcli(["pipe"])
        .interactive()
        .status(3)
        .prints("a\n")
        .complains(&["connection lost: 1 commands answered"])
        .start();
    run.send_line("A");
    assert_eq!(run.next_line(), "a");
    peer.hang_up();
    run.send_line("B");
    run.finish_with_open_stdin();
    assert_eq!(peer.connections(), 1, "nothing is sent again");
}

#[test]
fn a_server_killed_in_the_middle_gives_an_exact_count() {
    let mut server = Server::start();
    // Half a megabyte of commands at first, then as long as it takes.
    let mut run = server.rcli(["pipe"]).interactive().status(3).any_stdout().any_stderr().start();
    run.send("INCR n\n".repeat(20_000));
    run.wait_for_lines(20_000);
    run.send("INCR n\n".repeat(8000));
    server.kill_nine();
    run.send("INCR n\n".repeat(100));
    let run = run.finish_with_open_stdin();
    let out = run.out();
    for (index, line) in out.lines().enumerate() {
        assert_eq!(line, (index + 1).to_string());
    }
    let found = numbers(&run.err());
    assert_eq!(found[0], out.lines().count(), "the count is the number of replies written");
    assert_eq!(*found.last().unwrap(), found[0], "and the number to resume at");
    if found[1] > 0 {
        assert_eq!(found[2..4], [found[0] + 1, found[0] + found[1]], "{}", run.err());
    }
}

#[test]
fn resuming_where_it_says_runs_every_command_at_most_once() {
    let server = Server::start();
    let all = "INCR n\n".repeat(30_000);
    let mut run = server.rcli(["pipe"]).interactive().status(3).any_stdout().any_stderr().start();
    run.send("INCR n\n".repeat(10_000));
    run.wait_for_lines(10_000);
    run.send("INCR n\n".repeat(8000));
    server.ask("CLIENT KILL TYPE normal SKIPME yes");
    run.send("INCR n\n".repeat(1000));
    let run = run.finish_with_open_stdin();
    let found = numbers(&run.err());
    let answered = run.out().lines().count();
    let applied: usize = server.ask("GET n").parse().unwrap();
    assert_eq!(found[0], answered);
    assert!(
        (answered..=answered + found[1]).contains(&applied),
        "{answered} answered, {} in doubt, {applied} applied",
        found[1]
    );
    let resumed = server.rcli(["pipe", "--skip", &answered.to_string()]).stdin(&all).any_stdout().run();
    assert_eq!(resumed.out().lines().count(), 30_000 - answered);
}

#[test]
fn an_answer_that_cannot_be_decoded_ends_the_run_and_is_skipped_on_resume() {
    let peer = peer().patient().answers([send("+a\r\n"), send(":x\r\n"), send("+c\r\n")]).start();
    let run =
        peer.rcli(["pipe"]).stdin("A\nB\nC\n").status(3).prints("a\n").reports_among(&["rcli: ", "--skip 2"]).run();
    let err = run.err();
    assert!(err.contains("1 commands answered"), "{err}");
    assert!(err.contains("stdin:2"), "the command whose answer it was: {err}");
}

#[test]
fn rubbish_instead_of_a_reply_ends_the_run() {
    for rubbish in ["HTTP/1.1 400 Bad Request\r\n\r\n", "\0\0\0\0", ":not a number\r\n", "%1\r\n"] {
        let peer = peer().patient().answers([send("+a\r\n"), close(rubbish)]).start();
        peer.rcli(["pipe"])
            .stdin("A\nB\n")
            .status(3)
            .prints("a\n")
            .reports_among(&["rcli: ", "1 commands answered"])
            .run();
    }
}

#[test]
fn a_producer_that_never_ends_does_not_hide_a_lost_connection() {
    let peer = peer().answers([close("+a\r\n")]).start();
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let run = peer.rcli(["pipe"]).stdin_from(reader).status(3).prints("a\n").any_stderr().start();
    writer.write_all(b"A\n").expect("rcli reads");
    peer.wait_for_commands(1);
    std::thread::spawn(move || while writer.write_all(b"B\n").is_ok() {});
    run.finish();
}

#[test]
fn a_server_that_dies_at_start_is_one_line_and_status_3() {
    let peer = peer().hello(close("")).start();
    peer.rcli(["pipe", "--json"]).stdin("PING\n").status(3).complains(&[&format!("127.0.0.1:{}", peer.port())]).run();
    let port = crate::server::free_port();
    rcli(["-p", &port.to_string(), "pipe"]).stdin("PING\n").status(3).complains(&[&format!("127.0.0.1:{port}")]).run();
}
