//! A primary that becomes a replica and keeps its connections: it is left with the first answer that shows it, and what
//! it refused so is not lost (contract section 12).

use crate::peer::Peer;
use crate::rcli::Rcli;
use crate::running::Running;
use crate::sentinel::{asking, sentinel_naming};
use crate::server::Server;

const READONLY: &str = "READONLY You can't write against a read only replica.";

/// The primary, the one that is the next, and a sentinel that names each: who is a replica is not believed.
struct Pair {
    old: Server,
    new: Server,
    sentinels: [Peer; 2],
}

impl Pair {
    fn start() -> Self {
        let (old, new) = (Server::start(), Server::start());
        let sentinels = [sentinel_naming(old.port()), sentinel_naming(new.port())];
        Self { old, new, sentinels }
    }

    fn rcli(&self, args: &[&str]) -> Rcli {
        asking(&self.sentinels.each_ref().map(Peer::port)).args(args)
    }

    fn demote(&self) {
        self.old.ask(&format!("REPLICAOF 127.0.0.1 {}", self.new.port()));
    }
}

/// A run that has connected, and whose first line was answered by OK.
fn begin(run: Rcli) -> Running {
    let mut run = run.interactive().any_stdout().start();
    run.send_line("SET a 1");
    assert_eq!(run.next_line(), "OK");
    run
}

#[test]
fn lines_end_with_the_one_that_shows_it() {
    let pair = Pair::start();
    let lost = format!("rcli: stdin:2: {}: connection lost: the primary has become a replica", pair.old.address());
    let told = [&format!("rcli: stdin:2: SET b 2: {READONLY}"), lost.as_str()];
    let mut run = begin(pair.rcli(&["--raw"]).status(3).reports_among(&told));
    pair.demote();
    run.send_line("SET b 2");
    assert_eq!(run.next_line(), READONLY);
    run.finish_with_open_stdin();
}

#[test]
fn a_command_or_a_script_that_is_repeated_ends_too() {
    for args in [&["exec", "-r", "-1", "-i", "0.05", "SET", "a", "1"][..], &["run", "-r", "-1", "-i", "0.05", "s.lua"]]
    {
        let pair = Pair::start();
        let lost = format!("rcli: {}: connection lost: the primary has become a replica", pair.old.address());
        let run = pair.rcli(args).file("s.lua", "return redis.call('SET', 'a', '1')").status(3);
        let mut run = run.any_stdout().reports_among(&[READONLY.trim_end_matches('.'), &lost]).start();
        run.wait_for_lines(1);
        pair.demote();
        run.finish();
    }
}

#[test]
fn by_the_name_of_redis_cli_the_next_line_goes_to_the_new_primary() {
    let pair = Pair::start();
    let told = ["connection lost: the primary has become a replica", "connected again"];
    let run = pair.rcli(&["--raw"]).called("redis-cli").status(3).reports_among(&told);
    let mut run = begin(run);
    pair.demote();
    for (line, answer) in [("SET b 2", READONLY), ("SET c 3", ""), ("GET c", "OK"), ("GET b", "3")] {
        run.send_line(line);
        assert_eq!(run.next_line(), answer);
    }
    run.finish();
    assert_eq!(pair.new.ask("EXISTS b"), "0");
}

#[test]
fn a_pipeline_says_how_to_go_on_with_what_was_refused() {
    let pair = Pair::start();
    let told = "rcli: connection lost: the primary has become a replica: 1 commands answered, 3 sent and unanswered \
                (stdin:2 to stdin:4); resume with --skip 1";
    let mut run = begin(pair.rcli(&["pipe", "--window", "100"]).status(3).complains(&[told]));
    pair.demote();
    run.send("SET b 2\nGET a\nSET c 3\n");
    assert_eq!(run.finish_with_open_stdin().out(), "OK\n");
    pair.rcli(&["pipe", "--skip", "1"]).stdin("SET a 1\nSET b 2\nGET a\nSET c 3\n").prints("OK\n\nOK\n").run();
    assert_eq!(pair.new.ask("MGET a b c"), "[nil, 2, 3]");
}

#[test]
fn a_pipeline_whose_reads_go_to_replicas_does_too() {
    let pair = Pair::start();
    let told = "the primary has become a replica: 1 commands answered, 2 sent and unanswered";
    let run = pair.rcli(&["--read-from-replicas", "pipe"]).status(3);
    let mut run = begin(run.complains(&[&pair.old.address(), told, "resume with --skip 1"]));
    pair.demote();
    run.send("SET b 2\nSET c 3\n");
    assert_eq!(run.finish_with_open_stdin().out(), "OK\n");
}

#[test]
fn a_block_of_a_pipeline_is_said_not_to_have_run() {
    for is_late in [false, true] {
        let pair = Pair::start();
        let did_not = "resume with --skip 1 (before the MULTI of stdin:2: its block did not run)";
        let mut run = begin(pair.rcli(&["pipe"]).status(3).complains(&["has become a replica: ", did_not]));
        if !is_late {
            pair.demote();
        }
        run.send("MULTI\nSET b 2\n");
        if is_late {
            assert_eq!([run.next_line(), run.next_line()], ["OK", "QUEUED"]);
            pair.demote();
        }
        run.send("EXEC\n");
        run.finish_with_open_stdin();
    }
}

#[test]
fn a_transaction_with_retries_goes_to_the_new_primary() {
    for (retries, status) in [("1", 0), ("0", 1)] {
        let pair = Pair::start();
        let run = pair.rcli(&["txn", "--watch", "k", "--retries", retries]).status(status).any_stdout().any_stderr();
        let mut run = run.interactive().start();
        pair.old.wait_until("INFO commandstats", |stats| stats.contains("cmdstat_watch"));
        pair.demote();
        run.send_line("SET b 2");
        let finished = run.finish();
        let expected =
            if status == 0 { "OK\n" } else { "EXECABORT Transaction discarded because of previous errors.\n\n" };
        assert_eq!(finished.out(), expected);
        assert_eq!(pair.new.ask("EXISTS b"), if status == 0 { "1" } else { "0" });
    }
}
