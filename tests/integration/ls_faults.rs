//! `rcli ls` when connections, servers, readers and people end it or get in its way (contract section 16).

use crate::ls::{fill, server_with, sorted};
use crate::peer::{close, peer, send};
use crate::rcli::{Rcli, rcli};
use crate::running::Running;
use crate::sentinel::naming;
use crate::sentinels::replicated;
use crate::server::{Server, wait_for};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::io::{PipeReader, Read as _};

/// As many keys as no pipe takes at once, with long names.
const MANY: usize = 20_000;

/// Names that are long enough.
pub fn long(prefix: &str) -> String {
    format!("{prefix}{}:", "x".repeat(100))
}

/// A run whose output nobody reads beyond its first bytes: it is in the middle of its walk.
pub fn stuck(run: Rcli) -> (Running, PipeReader, Vec<u8>) {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let run = run.stdout_to(writer).start();
    let mut first = vec![0; 10];
    reader.read_exact(&mut first).expect("the first bytes");
    (run, reader, first)
}

/// All that such a run writes.
pub fn rest(run: Running, mut reader: PipeReader, mut out: Vec<u8>) -> (Vec<u8>, String) {
    reader.read_to_end(&mut out).expect("the rest");
    (out, run.finish().err())
}

fn names(prefix: &str, count: usize) -> BTreeSet<String> {
    (0..count).map(|number| format!("{prefix}{number}")).collect()
}

#[test]
fn a_connection_that_is_cut_goes_on_at_its_cursor() {
    let server = Server::start();
    let prefix = long("key");
    fill(&server, &prefix, MANY);
    for args in [&["ls"][..], &["ls", "--with", "ttl,type"], &["ls", "--with", "length"]] {
        let (run, reader, first) =
            stuck(server.rcli(args).reports_among(&["connected again, and going on from there"]));
        server.ask("CLIENT KILL TYPE normal SKIPME yes");
        let (out, err) = rest(run, reader, first);
        let keys = sorted(&out).into_iter().map(|line| line.rsplit('\t').next().unwrap().to_owned());
        assert_eq!(sorted(&out).len(), MANY, "each once: {err}");
        assert!(keys.collect::<BTreeSet<_>>() == names(&prefix, MANY), "{args:?}");
        assert_eq!(err.lines().count(), 1, "{err}");
    }
}

#[test]
fn in_a_server_that_was_restarted_the_walk_begins_again() {
    let prefix = long("key");
    for args in [&["ls"][..], &["ls", "--unique", "--with", "type"]] {
        let mut server = Server::start();
        fill(&server, &prefix, MANY);
        // What it comes back with.
        assert_eq!(server.ask("SAVE"), "OK");
        let said = ["it is another server process now: beginning again, keys that were given may come again"];
        let (run, reader, first) = stuck(server.rcli(args).reports_among(&said));
        server.kill_nine();
        server.restart();
        let (out, err) = rest(run, reader, first);
        let lines = sorted(&out);
        let keys: BTreeSet<String> = lines.iter().map(|line| line.rsplit('\t').next().unwrap().to_owned()).collect();
        assert!(keys == names(&prefix, MANY), "{} keys: {err}", keys.len());
        assert!(lines.len() > MANY || args.contains(&"--unique") && lines.len() == MANY, "{}", lines.len());
    }
}

/// A server whose second page never ends; the key of the first takes 3 bytes.
fn endless() -> crate::peer::Script {
    peer()
        .always("SCAN 0", send("*2\r\n$1\r\n7\r\n*1\r\n$1\r\na\r\n"))
        .always("SCAN 7", send("*2\r\n$1\r\n9\r\n*0\r\n"))
        .always("TYPE a", send("+list\r\n"))
        .always("MEMORY USAGE a", send(":3\r\n"))
        .always("INFO", send("$10\r\nrun_id:x\r\n\r\n"))
}

#[test]
fn a_ranking_counts_no_key_of_a_process_that_is_gone() {
    let server = endless().start();
    let run = server.rcli(["--json", "ls", "--top", "1"]);
    let run = run.prints_among(&["{\"keys\":1,"]).reports_among(&["beginning again"]).start();
    wait_for("the second page", || server.commands().iter().any(|command| command.starts_with("SCAN 9")));
    server.set("INFO", send("$10\r\nrun_id:y\r\n\r\n"));
    server.set("SCAN 9", send("*2\r\n$1\r\n0\r\n*0\r\n"));
    server.hang_up();
    run.finish();
}

#[test]
fn a_server_that_says_nothing_of_itself_is_walked_from_the_beginning() {
    let one = "*2\r\n$1\r\n7\r\n*1\r\n$1\r\na\r\n";
    let server = peer()
        .always("INFO", send("-NOPERM no\r\n"))
        .always("SCAN 0", send(one))
        .answers([close("")])
        .otherwise(send("*2\r\n$1\r\n0\r\n*1\r\n$1\r\nb\r\n"))
        .start();
    server.rcli(["ls"]).prints("a\na\nb\n").complains(&["note: ", "beginning again"]).run();
}

#[test]
fn a_reply_that_is_no_cursor_with_keys_ends_it() {
    for reply in
        ["*1\r\n*1\r\n*1\r\n:1\r\n", "*2\r\n$1\r\nx\r\n*0\r\n", "*2\r\n$0\r\n\r\n*0\r\n", "*3\r\n:0\r\n*0\r\n:1\r\n"]
    {
        let server = peer().always("INFO", send("$10\r\nrun_id:x\r\n\r\n")).otherwise(send(reply)).start();
        server.rcli(["ls"]).status(3).complains(&["SCAN answers a cursor and keys"]).run();
    }
}

#[test]
fn a_server_that_does_not_come_back_is_status_3() {
    let mut server = Server::start();
    fill(&server, &long("key"), MANY);
    let run = server.rcli(["-t", "0.2", "ls"]).status(3).complains(&["cannot connect to 127.0.0.1"]);
    let (run, reader, first) = stuck(run);
    server.kill_nine();
    rest(run, reader, first);
}

#[test]
fn a_server_that_ends_every_connection_is_given_up() {
    let server = peer()
        .always("INFO", send("$10\r\nrun_id:x\r\n\r\n"))
        .always("SCAN", close(""))
        .always("PING", send("+PONG\r\n"))
        .start();
    server
        .rcli(["-t", "0.3", "ls"])
        .status(3)
        .reports_among(&["rcli: 127.0.0.1:", "the server closed the connection"])
        .run();
}

#[test]
fn what_cannot_be_answered_yet_is_asked_again() {
    let server = peer()
        .always("INFO", send("$10\r\nrun_id:x\r\n\r\n"))
        .answers([send("-LOADING Redis is loading the dataset in memory\r\n")])
        .otherwise(send("*2\r\n$1\r\n0\r\n*1\r\n$1\r\nb\r\n"))
        .start();
    let said = format!(
        "rcli: note: 127.0.0.1:{}: LOADING Redis is loading the dataset in memory; trying again\n",
        server.port()
    );
    server.rcli(["ls"]).prints("b\n").reports(said).run();
}

#[test]
fn what_is_never_answered_is_told_once_and_given_up() {
    let server = peer()
        .always("INFO", send("$10\r\nrun_id:x\r\n\r\n"))
        .otherwise(send("-MASTERDOWN Link with MASTER is down\r\n"))
        .start();
    let why = format!("127.0.0.1:{}: MASTERDOWN Link with MASTER is down", server.port());
    server.rcli(["-t", "0.2", "ls"]).status(1).reports(format!("rcli: note: {why}; trying again\nrcli: {why}\n")).run();
}

#[test]
fn a_signal_ends_it_with_what_was_received_written() {
    let server = peer()
        .always("INFO", send("$-1\r\n"))
        .always("SCAN 0", send("*2\r\n$1\r\n7\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"))
        .start();
    let run = server.rcli(["ls"]).status(130).prints("a\nb\n").start();
    run.interrupt_after(2);
    let run = server.rcli(["ls"]).status(143).prints("a\nb\n").start();
    let mut run = run;
    run.wait_for_lines(2);
    run.signal(Signal::TERM);
    run.finish();
}

#[test]
fn a_ranking_that_is_interrupted_shows_what_was_counted() {
    let server = endless().start();
    let run = server.rcli(["--json", "ls", "--top", "1"]).status(130);
    let run = run.prints_among(&["{\"key\":\"a\",\"type\":\"list\",\"memory\":3}"]).start();
    // What is answered before that is read before the sleep that the signal ends.
    wait_for("the second page", || server.commands().iter().any(|command| command.starts_with("SCAN 9")));
    run.signal(Signal::INT);
    run.finish_with_open_stdin();
}

#[test]
fn a_reader_that_goes_away_ends_it_well() {
    let server = Server::start();
    fill(&server, &long("key"), MANY);
    for args in [&["ls"][..], &["ls", "--with", "type"], &["ls", "--as", "DEL {}"]] {
        let (run, reader, _) = stuck(server.rcli(args));
        drop(reader);
        run.finish();
    }
}

#[test]
fn a_reader_that_goes_away_is_noticed_while_no_key_is_found() {
    let server = endless().start();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let run = server.rcli(["ls"]).stdout_to(writer).start();
    reader.read_exact(&mut [0; 2]).unwrap();
    drop(reader);
    run.finish();
}

#[test]
fn output_that_cannot_be_written_is_status_3() {
    let server = server_with(&["SET k v"]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    server.rcli(["ls"]).stdout_to(full).status(3).complains(&["cannot write the output"]).run();
}

#[test]
fn a_server_that_hangs_is_left_after_the_read_limit() {
    let server = peer().always("INFO", send("$-1\r\n")).start();
    server.rcli(["--read-timeout", "0.2", "ls"]).status(3).complains(&["no answer within 0.2 s"]).run();
}

#[test]
fn elements_go_on_at_their_cursor_too() {
    let server = Server::start();
    let prefix = long("member");
    let lines: String = (0..MANY).map(|number| format!("SADD s {prefix}{number}\n")).collect();
    server.rcli(["pipe", "-q"]).stdin(lines).run();
    let (run, reader, first) = stuck(server.rcli(["ls", "--in", "s"]).reports_among(&["going on from there"]));
    server.ask("CLIENT KILL TYPE normal SKIPME yes");
    let (out, _) = rest(run, reader, first);
    let lines = sorted(&out);
    assert!(lines.len() == MANY && lines.into_iter().collect::<BTreeSet<_>>() == names(&prefix, MANY));
}

#[test]
fn under_a_sentinel_the_walk_begins_again_at_the_new_primary() {
    let (mut primary, replica) = replicated();
    let prefix = long("key");
    fill(&primary, &prefix, MANY);
    replica.wait_until("DBSIZE", |size| size == MANY.to_string());
    let sentinel = peer().otherwise(naming(primary.port())).start();
    let address = format!("127.0.0.1:{}", sentinel.port());
    let run = rcli(["--sentinel", &address, "--master", "mymaster", "ls", "--unique"]);
    let (run, reader, first) = stuck(run.reports_among(&["beginning again"]));
    sentinel.set("SENTINEL", naming(replica.port()));
    assert_eq!(replica.ask("REPLICAOF NO ONE"), "OK");
    primary.kill_nine();
    let (out, err) = rest(run, reader, first);
    assert!(sorted(&out).into_iter().collect::<BTreeSet<_>>() == names(&prefix, MANY), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
}
