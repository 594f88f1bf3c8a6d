//! Commands on stdin, line by line: contract section 5.

use crate::peer::{close, peer, send};
use crate::server::Server;

#[test]
fn a_server_that_has_gone_is_named() {
    let mut server = Server::start();
    let mut run = server.rcli(Vec::<&str>::new()).interactive().any_stdout().status(3);
    run =
        run.complains(&[&format!("stdin:2: {}: connection lost: the server closed the connection", server.address())]);
    let mut run = run.start();
    run.send_line("PING");
    run.wait_for_lines(1);
    server.kill_nine();
    run.send_line("PING");
    run.finish();
}

#[test]
fn the_line_behind_a_shutdown_is_named() {
    let server = Server::start();
    let said = format!("rcli: stdin:2: {}: not connected\n", server.address());
    server.rcli([""; 0]).stdin("SHUTDOWN NOSAVE\nGET k\nGET l\n").status(3).reports(said).run();
}

#[test]
fn each_line_is_run_when_it_arrives_and_answered_at_once() {
    let server = Server::start();
    let mut run = server.rcli([""; 0]).interactive().prints("OK\n1\n2\n").start();
    run.send_line("SET k v");
    assert_eq!(run.next_line(), "OK");
    run.send_line("INCR n");
    assert_eq!(run.next_line(), "1");
    run.send("INC");
    run.send("R n\n");
    assert_eq!(run.next_line(), "2");
    run.finish();
}

#[test]
fn a_file_on_stdin_is_answered_line_by_line() {
    let server = Server::start();
    server.rcli(["--json"]).stdin("SET k v\nGET k\nGET none\n").prints("\"OK\"\n\"v\"\nnull\n").run();
}

#[test]
fn empty_input_is_no_command_and_no_error() {
    let server = Server::start();
    server.rcli([""; 0]).stdin("").run();
    server.rcli([""; 0]).stdin("\n\n# nothing\n").run();
}

#[test]
fn the_last_line_needs_no_newline() {
    let server = Server::start();
    server.rcli([""; 0]).stdin("SET k v\nGET k").prints("OK\nv\n").run();
}

#[test]
fn a_server_error_stands_in_its_place_and_is_reported_with_its_line() {
    let server = Server::start();
    let wrong = "WRONGTYPE Operation against a key holding the wrong kind of value";
    server
        .rcli(["--human"])
        .stdin("SET s v\n# a comment\nLPUSH s x\nGET s\n")
        .status(1)
        .prints(format!("OK\n(error) {wrong}\n\"v\"\n"))
        .reports(format!("rcli: stdin:3: LPUSH s x: {wrong}\n"))
        .run();
}

#[test]
fn multi_opens_a_block_that_is_sent_only_by_exec() {
    let server = Server::start();
    let mut run = server.rcli(["--json"]).interactive().prints("\"OK\"\n\"QUEUED\"\n\"QUEUED\"\n[\"OK\",1]\n").start();
    run.send_line("MULTI");
    assert_eq!(run.next_line(), "\"OK\"");
    run.send_line("SET k v");
    assert_eq!(run.next_line(), "\"QUEUED\"");
    run.send_line("INCR n");
    assert_eq!(run.next_line(), "\"QUEUED\"");
    let clients = server.ask("CLIENT LIST");
    assert!(
        !clients.contains("multi=0") && !clients.contains("multi=1") && !clients.contains("multi=2"),
        "the server already knows the block: {clients}"
    );
    run.send_line("EXEC");
    assert_eq!(run.next_line(), "[\"OK\",1]");
    run.finish();
    assert_eq!(server.ask("GET k"), "v");
}

#[test]
fn a_block_goes_to_the_server_in_one_write_once_its_multi_was_answered() {
    let peer = peer().patient().exec(send("*1\r\n+OK\r\n")).start();
    peer.rcli(["--json"]).stdin("MULTI\nSET k v\nEXEC\n").prints("\"OK\"\n\"QUEUED\"\n[\"OK\"]\n").run();
    assert_eq!(peer.batches().last().unwrap(), &["SET k v", "EXEC"]);
}

#[test]
fn discard_drops_the_block() {
    let server = Server::start();
    server
        .rcli(["--json"])
        .stdin("MULTI\nSET k v\nDISCARD\nEXISTS k\n")
        .prints("\"OK\"\n\"QUEUED\"\n\"OK\"\n0\n")
        .run();
}

#[test]
fn a_block_left_open_at_the_end_of_input_runs_nothing() {
    let server = Server::start();
    server
        .rcli(["--json"])
        .stdin("MULTI\nSET k v\n")
        .prints("\"OK\"\n\"QUEUED\"\n")
        .any_stderr()
        .status_among(&[0, 1, 2])
        .run();
    assert_eq!(server.ask("EXISTS k"), "0");
}

#[test]
fn a_command_refused_inside_a_block_leaves_the_block_good() {
    let server = Server::start();
    let run = server
        .rcli(["--json"])
        .stdin("MULTI\nSET k v\nNOSUCHCOMMAND\nSET k\nINCR n\nEXEC\n")
        .status(1)
        .any_stdout()
        .reports_among(&["rcli: stdin:3: ", "rcli: stdin:4: "])
        .run();
    let out = run.out();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 6, "{out}");
    assert!(lines[2].starts_with("{\"error\":") && lines[2].contains("NOSUCHCOMMAND"), "{out}");
    assert!(lines[3].starts_with("{\"error\":"), "{out}");
    assert_eq!(lines[5], "[\"OK\",1]", "{out}");
}

#[test]
fn exec_without_multi_and_nested_multi_are_error_replies() {
    let server = Server::start();
    server
        .rcli(["--json"])
        .stdin("EXEC\n")
        .status(1)
        .prints_among(&["{\"error\":{\"code\":\"ERR\",\"message\":\"EXEC without MULTI\"}}"])
        .complains(&["stdin:1: EXEC: ERR EXEC without MULTI"])
        .run();
    server
        .rcli(["--json"])
        .stdin("MULTI\nMULTI\nSET k v\nEXEC\n")
        .status(1)
        .prints_among(&["[\"OK\"]\n", "\"error\""])
        .complains(&["stdin:2: MULTI: ERR"])
        .run();
}

#[test]
fn an_exec_aborted_by_watch_is_nil_and_said_and_status_4() {
    let server = Server::start();
    let mut run = server
        .rcli(["--json"])
        .interactive()
        .status(4)
        .prints("\"OK\"\n\"OK\"\n\"QUEUED\"\nnull\n")
        .complains(&["stdin:4", "watched key"])
        .start();
    run.send_line("WATCH k");
    run.wait_for_lines(1);
    server.ask("SET k other");
    run.send_line("MULTI");
    run.send_line("SET k mine");
    run.send_line("EXEC");
    run.wait_for_lines(4);
    run.finish();
    assert_eq!(server.ask("GET k"), "other");
}

#[test]
fn an_error_reply_beside_an_aborted_exec_makes_the_status_1() {
    let server = Server::start();
    let mut run = server.rcli(["--json"]).interactive().status(1).any_stdout().any_stderr().start();
    run.send_line("NOSUCHCOMMAND");
    run.send_line("WATCH k");
    run.wait_for_lines(2);
    server.ask("SET k other");
    run.send("MULTI\nSET k mine\nEXEC\n");
    run.wait_for_lines(5);
    run.finish();
}

#[test]
fn errors_inside_exec_stand_in_their_places() {
    let server = Server::start();
    server.ask("SET s v");
    server
        .rcli(["--json"])
        .stdin("MULTI\nINCR s\nSET k v\nEXEC\n")
        .status(1)
        .prints_among(&[
            "[{\"error\":{\"code\":\"ERR\",\"message\":\"value is not an integer or out of range\"}},\"OK\"]",
        ])
        .reports_among(&["rcli: stdin:", "value is not an integer"])
        .run();
}

#[test]
fn a_lost_connection_ends_the_run_with_status_3_naming_the_line() {
    let mut server = Server::start();
    let mut run = server.rcli([""; 0]).interactive().status(3).prints("OK\n").complains(&["stdin:2"]).start();
    run.send_line("SET k v");
    assert_eq!(run.next_line(), "OK");
    server.kill_nine();
    run.send_line("SET k w");
    run.finish_with_open_stdin();
}

#[test]
fn nothing_is_sent_again_after_the_connection_was_lost() {
    let peer = peer().answers([send("+OK\r\n"), close("")]).otherwise(send("+OK\r\n")).start();
    peer.rcli([""; 0])
        .stdin("SET a 1\nSET b 2\nSET c 3\n")
        .status(3)
        .prints("OK\n")
        .complains(&["stdin:2", "connection lost"])
        .run();
    assert_eq!(peer.ordinary(), ["SET a 1", "SET b 2"]);
    assert_eq!(peer.connections(), 1);
}

#[test]
fn a_block_whose_connection_was_lost_is_not_run_outside_its_transaction() {
    let mut server = Server::start();
    let mut run = server.rcli(["--json"]).interactive().status(3).any_stdout().complains(&["stdin:"]).start();
    run.send_line("MULTI");
    run.send_line("SET k v");
    run.wait_for_lines(2);
    server.kill_nine();
    server.restart();
    run.send_line("EXEC");
    run.send_line("SET k outside");
    run.finish();
    assert_eq!(server.ask("EXISTS k"), "0");
}

#[test]
fn a_streaming_command_is_refused_with_its_line() {
    let server = Server::start();
    for command in ["MONITOR", "SYNC"] {
        server
            .rcli([""; 0])
            .stdin(format!("PING\n{command}\nPING\n"))
            .status(2)
            .prints("PONG\n")
            .reports_among(&["rcli: stdin:2: "])
            .run();
    }
}

#[test]
fn a_bad_line_ends_the_run_with_status_2_after_the_lines_before_it() {
    let server = Server::start();
    server
        .rcli([""; 0])
        .stdin("SET k v\nSET k \"open\nSET k w\n")
        .status(2)
        .prints("OK\n")
        .reports_among(&["rcli: stdin:2: "])
        .run();
    assert_eq!(server.ask("GET k"), "v");
}

#[test]
fn exit_and_quit_end_the_input() {
    let server = Server::start();
    for end in ["exit", "quit", "EXIT", "Quit", "\"exit\"", "[\"quit\"]"] {
        server.rcli([""; 0]).stdin(format!("INCR n\n{end}\nINCR n\n\"\n")).any_stdout().run();
    }
    assert_eq!(server.ask("GET n"), "6");
    assert!(!server.ask("INFO commandstats").contains("cmdstat_quit"));
    server.rcli(["--raw"]).stdin("SET k 1\nGET k\nexit").prints("OK\n1\n").run();
    // What was answered before counts, and so does a block that was left open.
    server.rcli(["--raw"]).stdin("LPUSH k x\nexit\n").status(1).any_stdout().complains(&["stdin:1: LPUSH k x"]).run();
    let run = server.rcli(["--raw"]).stdin("MULTI\nSET k 2\nexit\nEXEC\n").status(2).any_stdout();
    run.complains(&["ends inside MULTI", "1 queued"]).run();
    assert_eq!(server.ask("GET k"), "1");
}

#[test]
fn exit_ends_a_coprocess_while_its_input_is_open() {
    let server = Server::start();
    let mut run = server.rcli(["--raw"]).interactive().prints("PONG\n").start();
    run.send_line("PING");
    run.wait_for_lines(1);
    run.send_line("exit");
    run.finish_with_open_stdin();
}

#[test]
fn exit_with_something_behind_it_is_the_servers_to_refuse() {
    let server = Server::start();
    let run = server.rcli(["--raw"]).stdin("exit now\nPING\n").status(1);
    run.prints_among(&["PONG"]).complains(&["stdin:1: exit now: ERR unknown command"]).run();
}
