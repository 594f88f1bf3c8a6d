//! Users of a cluster who may not do everything, or not everywhere: the server's words, and the right status (contract
//! sections 1 and 11).

use crate::cluster_nodes::Cluster;
use crate::rcli::Rcli;

/// A run as this user. Whatever is refused is refused at once: patience would be 120 s.
fn run_as(cluster: &Cluster, user: &str, args: &[&str]) -> Rcli {
    cluster.rcli(["-t", "30", "--user", user]).env("REDISCLI_AUTH", "p").args(args).stdin("INCR bar\nINCR foo\n")
}

#[test]
fn a_user_who_may_not_see_the_slot_map_is_told_so() {
    let cluster = Cluster::start();
    cluster.add_user("blind", "~* &* +@all -cluster");
    let told = ["no slot map: NOPERM", "CLUSTER SLOTS"];
    for args in [&["GET", "foo"][..], &[], &["pipe"], &["txn"], &["sub", "c"], &["ssub", "c"], &["monitor"]] {
        run_as(&cluster, "blind", args).status(3).complains(&told).run();
    }
    for node in &cluster.nodes {
        node.ask("CONFIG SET requirepass secret");
    }
    cluster.rcli(["GET", "foo"]).status(3).complains(&["NOAUTH", "give the user and the password"]).run();
}

#[test]
fn the_slot_map_is_all_that_a_user_needs() {
    let cluster = Cluster::start();
    cluster.add_user("app", "~* &* +@all -@admin -@dangerous -asking -readonly +cluster|slots");
    run_as(&cluster, "app", &[]).prints("1\n1\n").run();
    run_as(&cluster, "app", &["pipe"]).prints("2\n2\n").run();
    run_as(&cluster, "app", &["--json", "txn"]).stdin("INCR foo\n").prints("[3]\n").run();
    run_as(&cluster, "app", &["--read-from-replicas", "GET", "foo"]).prints("3\n").run();
    run_as(&cluster, "app", &["monitor"]).status(3).complains(&["MONITOR was refused: NOPERM"]).run();
}

#[test]
fn keys_and_channels_that_a_user_may_not_touch_are_errors() {
    let cluster = Cluster::start();
    cluster.add_user("keyless", "+@all resetkeys resetchannels");
    run_as(&cluster, "keyless", &["GET", "foo"]).status(1).complains(&["NOPERM"]).run();
    for args in [&[][..], &["pipe"]] {
        let run = run_as(&cluster, "keyless", args).status(1).any_stdout();
        run.reports_among(&["stdin:1: INCR bar: NOPERM", "stdin:2: INCR foo: NOPERM"]).run();
    }
    let txn = run_as(&cluster, "keyless", &["txn"]).stdin("INCR foo\n").status(1).any_stdout();
    txn.reports_among(&["stdin:1: INCR foo: NOPERM", "nothing was run"]).run();
    run_as(&cluster, "keyless", &["sub", "c"]).status(3).complains(&["SUBSCRIBE c was refused: NOPERM"]).run();
    run_as(&cluster, "keyless", &["ssub", "bar", "foo"]).status(3).complains(&["SSUBSCRIBE", "NOPERM"]).run();
}

#[test]
fn a_password_that_one_node_does_not_take_ends_the_run_at_once() {
    let cluster = Cluster::start();
    cluster.add_user("half", "~* &* +@all");
    let third = &cluster.nodes[2];
    third.ask("ACL SETUSER half resetpass >other");
    let address = third.address();
    run_as(&cluster, "half", &["GET", "bar"]).prints("\n").run();
    for args in [&["GET", "foo"][..], &["--all-nodes", "PING"], &["ssub", "bar", "foo"], &["monitor"]] {
        run_as(&cluster, "half", args).status(3).complains(&[&address, "WRONGPASS"]).run();
    }
    run_as(&cluster, "half", &[]).status(3).prints("1\n").complains(&["stdin:2", &address, "WRONGPASS"]).run();
    let told = [&address, "WRONGPASS", "resume with --skip"];
    run_as(&cluster, "half", &["pipe"]).status(3).any_stdout().complains(&told).run();
    run_as(&cluster, "half", &["txn"]).stdin("INCR foo\n").status(3).complains(&["WRONGPASS", "nothing was run"]).run();
    let url = format!("redis://half:other@{address}");
    crate::rcli::rcli(["-c", "--no-auth-warning", "-u", &url, "GET", "foo"]).prints("\n").run();
    for user in ["half", "nobody"] {
        let url = format!("redis://{user}:wrong@{address}");
        crate::rcli::rcli(["-c", "--no-auth-warning", "-u", &url, "GET", "foo"])
            .status(3)
            .complains(&[&address, "WRONGPASS"])
            .run();
    }
}
