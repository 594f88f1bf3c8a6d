//! What a block needs and what it sends: MULTI goes alone first on a connection, no other right than MULTI's, EXEC's and
//! its commands' is used, and nothing comes between a WATCH and its block (contract section 7).

use crate::cluster_nodes::Cluster;
use crate::peer::{close, peer, send};
use crate::pty::open;
use crate::rcli::Rcli;
use crate::server::Server;

/// All that a user needs who runs blocks of INCR: no DISCARD, no UNWATCH, no COMMAND.
const NARROW: &str = "~* +ping +incr +get +watch +multi +exec";

const COUNT: &str = "echo GET n; read -r n; echo MULTI; echo INCR n";

fn narrow(run: Rcli) -> Rcli {
    run.env("REDISCLI_AUTH", "p")
}

/// What the peer was sent with each of its answers, without empty rounds.
fn batches(peer: &crate::peer::Peer) -> Vec<Vec<String>> {
    peer.batches().into_iter().filter(|batch| !batch.is_empty()).collect()
}

#[test]
fn a_user_without_discard_runs_blocks_in_every_mode() {
    let server = Server::start();
    server.ask(&format!("ACL SETUSER narrow on >p {NARROW}"));
    let run = |args: &[&str]| narrow(server.rcli(["--user", "narrow", "--json"]).args(args));
    run(&["txn"]).stdin("INCR n\nINCR n\n").prints("[1,2]\n").run();
    run(&["txn", "--watch", "n"]).stdin("INCR n\n").prints("[3]\n").run();
    run(&["txn", "--watch", "n", "--", "sh", "-c", COUNT]).prints("[4]\n").run();
    run(&["pipe", "--atomic"]).stdin("INCR n\n").prints("5\n").run();
    let lines = "WATCH n\nMULTI\nINCR n\nEXEC\nMULTI\nINCR n\nEXEC\n";
    let answers = "\"OK\"\n\"OK\"\n\"QUEUED\"\n[6]\n\"OK\"\n\"QUEUED\"\n[7]\n";
    run(&[]).stdin(lines).prints(answers).run();
}

#[test]
fn a_user_without_discard_runs_blocks_in_the_repl() {
    let server = Server::start();
    server.ask(&format!("ACL SETUSER narrow on >p {NARROW} +info"));
    let (terminal, prompt) = open(&server, &["--user", "narrow", "-a", "p", "--no-auth-warning"]);
    terminal.run(&prompt, "WATCH n", &["OK"]);
    terminal.line("MULTI");
    terminal.line("INCR n");
    terminal.line("EXEC");
    terminal.ends_with(&["1) INCR n", "   (integer) 1", &prompt]);
}

#[test]
fn a_user_without_discard_runs_blocks_in_a_cluster_also_while_their_slot_moves() {
    let cluster = Cluster::start();
    cluster.add_user("narrow", &format!("{NARROW} +cluster|slots +asking"));
    let run = |args: &[&str]| narrow(cluster.rcli(["--user", "narrow", "--json"]).args(args));
    run(&["txn"]).stdin("INCR n\n").prints("[1]\n").run();
    cluster.begin_migration("foo", 0);
    run(&["txn"]).stdin("INCR foo\nINCR foo\n").prints("[1,2]\n").run();
    run(&["txn", "--watch", "foo"]).stdin("INCR foo\n").prints("[3]\n").run();
    run(&[]).stdin("WATCH foo\nMULTI\nINCR foo\nEXEC\n").prints("\"OK\"\n\"OK\"\n\"QUEUED\"\n[4]\n").run();
}

#[test]
fn the_first_multi_goes_alone_and_a_later_block_is_one_write() {
    let peer = peer().patient().exec(send("*1\r\n:1\r\n")).start();
    let lines = "MULTI\nINCR a\nEXEC\nMULTI\nINCR b\nEXEC\n";
    peer.rcli(["--raw"]).stdin(lines).prints("OK\nQUEUED\n1\nOK\nQUEUED\n1\n").run();
    assert_eq!(batches(&peer), [vec!["MULTI"], vec!["INCR a", "EXEC"], vec!["MULTI", "INCR b", "EXEC"]]);
}

#[test]
fn multi_goes_alone_again_for_another_user() {
    let peer = peer().patient().otherwise(send("+OK\r\n")).exec(send("*1\r\n:1\r\n")).start();
    let lines = "MULTI\nINCR a\nEXEC\nAUTH bob secret\nMULTI\nINCR b\nEXEC\n";
    peer.rcli(["--raw"]).stdin(lines).any_stdout().run();
    let expected = [vec!["MULTI"], vec!["INCR a", "EXEC"], vec!["MULTI"], vec!["INCR b", "EXEC"]];
    assert_eq!(batches(&peer), expected);
}

#[test]
fn nothing_that_was_not_typed_comes_between_a_watch_and_its_block() {
    let peer = peer().otherwise(send("+OK\r\n")).exec(send("*2\r\n:1\r\n:1\r\n")).start();
    let lines = "WATCH k\nGET k\nMULTI\nINCR k\nMODULE.COMMAND k\nEXEC\n";
    peer.rcli(["--raw"]).stdin(lines).prints("OK\nOK\nOK\nQUEUED\nQUEUED\n1\n1\n").run();
    assert_eq!(peer.commands(), ["WATCH k", "GET k", "MULTI", "INCR k", "MODULE.COMMAND k", "EXEC"]);
}

#[test]
fn a_wrong_number_of_arguments_is_refused_at_once_under_a_watch_too() {
    let server = Server::start();
    let run = server.rcli(["--json"]).stdin("WATCH k\nMULTI\nSET k\nINCR k\nEXEC\n");
    let run = run.status(1).any_stdout().complains(&["stdin:3: SET k: ERR wrong number of arguments"]).run();
    assert!(run.out().ends_with("\"QUEUED\"\n[1]\n"), "{}", run.out());
}

#[test]
fn a_block_whose_multi_is_refused_runs_nothing_and_keeps_its_watch() {
    let server = Server::start();
    server.ask("ACL SETUSER nomulti on >p ~* +@all -multi");
    for args in [&["txn"][..], &["pipe", "--atomic"]] {
        let run = narrow(server.rcli(["--user", "nomulti", "--raw"]).args(args)).stdin("SET k v\n");
        run.status(1).any_stdout().complains(&["nothing was run: NOPERM"]).run();
    }
    let lines = "WATCH k\nMULTI\nSET k v\nEXEC\nUNWATCH\n";
    let run = narrow(server.rcli(["--user", "nomulti", "--raw"])).stdin(lines);
    run.status(1).any_stdout().complains(&["stdin:4: EXEC: nothing was run: NOPERM"]).run();
    assert_eq!(server.ask("EXISTS k"), "0");
}

#[test]
fn a_multi_that_is_refused_after_another_was_allowed_is_not_called_a_block() {
    let server = Server::start();
    server.ask("ACL SETUSER bob on >p ~* +@all");
    let lines = "MULTI\nSET a 1\nEXEC\nACL SETUSER bob -multi\nMULTI\nSET b 1\nEXEC\n";
    let run = narrow(server.rcli(["--user", "bob", "--raw"])).stdin(lines).status(1).any_stdout();
    run.complains(&["stdin:7: EXEC: MULTI was refused after the block had been sent", "ran one by one", "NOPERM"])
        .run();
    assert_eq!(server.ask("GET b"), "1");
}

#[test]
fn a_connection_lost_before_exec_was_sent_ran_nothing() {
    for args in
        [&["txn"][..], &["pipe", "--atomic"], &["txn", "--watch", "k"], &["txn", "--", "sh", "-c", "echo MULTI"]]
    {
        let peer = peer().otherwise(send("+OK\r\n")).always("MULTI", close("")).start();
        let run = peer.rcli(args).stdin("SET k v\n").status(3);
        let told = format!("127.0.0.1:{}: EXEC: connection lost", peer.port());
        run.complains(&[&told, "nothing was run: the server did not get EXEC"]).run();
        assert_eq!(peer.commands().last().unwrap(), "MULTI");
    }
}

#[test]
fn a_discard_that_cannot_end_the_watch_says_so() {
    let server = Server::start();
    server.ask(&format!("ACL SETUSER narrow on >p {NARROW}"));
    let run = narrow(server.rcli(["--user", "narrow", "--raw"])).stdin("WATCH n\nMULTI\nDISCARD\n");
    run.status(1).any_stdout().complains(&["stdin:3: DISCARD: NOPERM"]).run();
}
