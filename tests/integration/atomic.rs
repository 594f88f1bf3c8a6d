//! `pipe --atomic`: the whole input as one MULTI/EXEC (contract section 6).

use crate::peer::{close, peer, send};
use crate::server::Server;

#[test]
fn the_whole_input_is_one_transaction_and_its_replies_are_one_line_each() {
    let server = Server::start();
    server
        .rcli(["pipe", "--atomic", "--json"])
        .stdin("SET k v\nGET k\n# note\nRPUSH l a b\nLRANGE l 0 -1\n")
        .prints("\"OK\"\n\"v\"\n2\n[\"a\",\"b\"]\n")
        .run();
}

#[test]
fn the_server_sees_multi_the_commands_and_exec() {
    let peer = peer().patient().exec(send("*2\r\n+OK\r\n:1\r\n")).start();
    peer.rcli(["pipe", "--atomic"]).stdin("SET k v\nINCR n\n").prints("OK\n1\n").run();
    assert_eq!(peer.ordinary(), ["MULTI", "SET k v", "INCR n", "EXEC"]);
}

#[test]
fn an_error_inside_stands_in_its_place_and_is_reported_with_its_line() {
    let server = Server::start();
    server
        .rcli(["pipe", "--atomic", "--json"])
        .stdin("SET s v\n\nINCR s\nGET s\n")
        .status(1)
        .prints(
            "\"OK\"\n{\"error\":{\"code\":\"ERR\",\"message\":\"value is not an integer or out of range\"}}\n\"v\"\n",
        )
        .reports("rcli: stdin:3: INCR s: ERR value is not an integer or out of range\n")
        .run();
}

#[test]
fn a_command_refused_while_queueing_means_that_nothing_ran() {
    let server = Server::start();
    server
        .rcli(["pipe", "--atomic", "--json"])
        .stdin("SET k v\nNOSUCHCOMMAND\nSET j w\n")
        .status(1)
        .prints(
            "{\"error\":{\"code\":\"EXECABORT\",\
             \"message\":\"Transaction discarded because of previous errors.\"}}\n",
        )
        .reports_among(&["rcli: stdin:2: NOSUCHCOMMAND", "ERR unknown command"])
        .run();
    assert_eq!(server.ask("EXISTS k j"), "0");
}

#[test]
fn a_refused_block_is_written_as_what_exec_gave() {
    let server = Server::start();
    let run = |options: &[&str]| {
        server.rcli(["pipe", "--atomic"]).args(options).stdin("SET k v\n\nNOSUCH\n").status(1).any_stderr()
    };
    run(&[]).prints("EXECABORT Transaction discarded because of previous errors.\n").run();
    run(&["-q"]).run();
    run(&["--envelope", "--skip", "1"])
        .prints(
            "{\"index\":3,\"line\":3,\"command\":[\"EXEC\"],\"error\":{\"code\":\"EXECABORT\",\
             \"message\":\"Transaction discarded because of previous errors.\"}}\n",
        )
        .run();
    let peer = peer().exec(send("*-1\r\n")).start();
    peer.rcli(["pipe", "--atomic", "--json"])
        .stdin("SET k v\n")
        .status(4)
        .prints("null\n")
        .complains(&["aborted"])
        .run();
}

#[test]
fn a_bad_line_means_that_nothing_ran() {
    let server = Server::start();
    server.rcli(["pipe", "--atomic"]).stdin("SET k v\nGET 'k\n").status(2).reports_among(&["rcli: stdin:2: "]).run();
    assert_eq!(server.ask("EXISTS k"), "0");
}

#[test]
fn an_empty_input_is_no_transaction() {
    let peer = peer().otherwise(send("*0\r\n")).start();
    peer.rcli(["pipe", "--atomic"]).stdin("# nothing\n").run();
}

#[test]
fn a_connection_lost_before_the_answer_of_exec_is_status_3() {
    let peer = peer().exec(close("")).start();
    peer.rcli(["pipe", "--atomic"]).stdin("SET k v\n").status(3).reports_among(&["rcli: ", "connection lost"]).run();
    assert_eq!(peer.connections(), 1, "nothing is sent again");
}

#[test]
fn envelope_skip_and_quiet_work_inside_a_transaction() {
    let server = Server::start();
    server
        .rcli(["pipe", "--atomic", "--envelope", "--skip", "1"])
        .stdin("INCR n\nINCR n\nECHO x\n")
        .prints(
            "{\"index\":2,\"line\":2,\"command\":[\"INCR\",\"n\"],\"reply\":1}\n\
             {\"index\":3,\"line\":3,\"command\":[\"ECHO\",\"x\"],\"reply\":\"x\"}\n",
        )
        .run();
    server.rcli(["pipe", "--atomic", "-q"]).stdin("INCR n\n").run();
    assert_eq!(server.ask("GET n"), "2");
}

#[test]
fn many_commands_fit_in_one_transaction() {
    let server = Server::start();
    let output: String = (1..=5000).map(|i| format!("{i}\n")).collect();
    server.rcli(["pipe", "--atomic"]).stdin("INCR n\n".repeat(5000)).prints(output).run();
}
