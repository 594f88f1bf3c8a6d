//! Blocks in a cluster: one slot, checked before anything is sent, and whole wherever the slot goes (contract sections
//! 7 and 11).

use crate::cluster_nodes::Cluster;
use crate::server::wait_for;

const COUNT: &str = "echo GET seq; read -r n; echo MULTI; echo \"SET seq $((n + 1))\"";

#[test]
fn a_block_runs_in_one_slot_from_input_and_from_a_program() {
    let cluster = Cluster::start();
    cluster.rcli(["--json", "txn"]).stdin("INCR seq\nINCR {seq}b\n").prints("[1,1]\n").run();
    cluster.rcli(["--json", "pipe", "--atomic"]).stdin("INCR seq\nINCR {seq}b\n").prints("2\n2\n").run();
    cluster.rcli(["txn", "--watch", "seq", "--", "sh", "-c", COUNT]).prints("OK\n").run();
    assert_eq!(cluster.ask_owner("seq", "GET seq"), "3");
    cluster.rcli(["--json"]).stdin("MULTI\nINCR seq\nEXEC\n").prints("\"OK\"\n\"QUEUED\"\n[4]\n").run();
}

#[test]
fn keys_in_other_slots_are_refused_before_anything_is_sent() {
    let cluster = Cluster::start();
    for verb in [&["txn"][..], &["pipe", "--atomic"]] {
        let told = ["stdin:2", "CROSSSLOT", "\"foo\" in slot 12182", "\"bar\" in slot 5061"];
        cluster.rcli(verb).stdin("INCR foo\nINCR bar\n").status(2).complains(&told).run();
    }
    let run = cluster.rcli(["txn", "--watch", "foo"]).stdin("INCR bar\n");
    run.status(2).complains(&["stdin:1", "CROSSSLOT"]).run();
    let run = cluster.rcli(["--raw", "txn", "--watch", "foo", "--watch", "bar"]).stdin("INCR bar\n");
    run.status(1).any_stdout().complains(&["CROSSSLOT"]).run();
    let run = cluster.rcli(["--json"]).stdin("MULTI\nINCR foo\nINCR bar\nEXEC\nWATCH foo\nWATCH bar\n");
    let run = run.status(1).any_stdout().any_stderr().run();
    assert_eq!(run.out().matches("CROSSSLOT").count(), 2, "{}", run.out());
    for key in ["foo", "bar"] {
        assert_eq!(cluster.ask_owner(key, &format!("EXISTS {key}")), "0");
    }
}

#[test]
fn a_block_whose_slot_has_moved_runs_whole_at_the_new_node() {
    let cluster = Cluster::start();
    let mut run = cluster.rcli(["--json"]).interactive().any_stdout().start();
    run.send("INCR foo\nMULTI\nINCR foo\nINCR {foo}b\n");
    run.wait_for_lines(4);
    cluster.migrate("foo", 0);
    run.send("EXEC\n");
    run.wait_for_lines(5);
    let run = run.finish();
    assert!(run.out().ends_with("[2,1]\n"), "{}", run.out());
}

#[test]
fn a_block_on_its_way_runs_whole_at_one_node() {
    let cluster = Cluster::start();
    cluster.begin_migration("foo", 0);
    // No key is at the old node: the block is asked of the new one.
    cluster.rcli(["--json", "txn"]).stdin("INCR foo\nINCR foo\n").prints("[1,2]\n").run();
    cluster.rcli(["--json", "txn", "--watch", "foo"]).stdin("INCR foo\n").prints("[3]\n").run();
    // Several keys have to be at one node first.
    let run = cluster.rcli(["--json", "txn"]).stdin("INCR foo\nINCR {foo}b\n").prints("[4,1]\n").start();
    cluster.nodes[0].wait_until("INFO errorstats", |stats| stats.contains("TRYAGAIN"));
    cluster.end_migration("foo", 0);
    run.finish();
    assert_eq!(cluster.nodes[0].ask("MGET foo {foo}b"), "[4, 1]");
}

#[test]
fn a_watched_slot_that_moves_aborts_and_a_program_tries_again_at_the_new_node() {
    let cluster = Cluster::start();
    cluster.rcli(["SET", "foo", "1"]).prints("OK\n").run();
    let script = "echo GET foo; read -r n; [ -e started ] || { touch started; until [ -e go ]; do sleep 0.01; done; }; \
                  echo MULTI; echo \"SET foo $((n + 1))\"; echo \"SET {foo}try $RCLI_ATTEMPT\"";
    let run = cluster.rcli(["txn", "--watch", "foo", "--", "sh", "-c", script]).prints("OK\nOK\n").start();
    wait_for("the program", || run.home().join("started").exists());
    cluster.migrate("foo", 0);
    std::fs::write(run.home().join("go"), "").unwrap();
    run.finish();
    assert_eq!(cluster.nodes[0].ask("MGET foo {foo}try"), "[2, 2]");

    let mut run =
        cluster.rcli(["--json", "txn", "--watch", "foo"]).interactive().status(4).prints("null\n").any_stderr().start();
    run.send("INCR foo\n");
    cluster.nodes[0].wait_until("INFO commandstats", |stats| stats.contains("cmdstat_watch:calls=2"));
    cluster.migrate("foo", 1);
    run.finish();
    assert_eq!(cluster.nodes[1].ask("GET foo"), "2");
}
