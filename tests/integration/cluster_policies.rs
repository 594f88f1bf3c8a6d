//! Commands without keys in a cluster: at every node that they concern, with one reply (contract sections 10 and 11).

use crate::cluster_nodes::Cluster;

/// A cluster with as many keys at its nodes as these say.
fn filled(cluster: &Cluster) -> usize {
    for key in 0..30 {
        cluster.rcli(["SET", &format!("key:{key}"), "x"]).prints("OK\n").run();
    }
    assert!(cluster.nodes.iter().all(|node| node.ask("DBSIZE") != "0"));
    30
}

#[test]
fn sums_unions_and_what_reaches_all() {
    let cluster = Cluster::start();
    let count = filled(&cluster);
    cluster.rcli(["DBSIZE"]).prints(format!("{count}\n")).run();
    let keys = cluster.rcli(["--json", "KEYS", "key:*"]).any_stdout().run().out();
    let keys: Vec<String> = serde_json::from_str(&keys).unwrap();
    assert_eq!(keys.len(), count);
    cluster.rcli(["PING"]).prints("PONG\n").run();
    cluster.rcli(["PING", "x"]).prints("x\n").run();
    cluster.rcli(["WAIT", "0", "1"]).prints("0\n").run();
    let lines = "CONFIG SET slowlog-max-len 77\nSCRIPT LOAD \"return 7\"\nDBSIZE\nFLUSHALL\nDBSIZE\n";
    let run = cluster.rcli(Vec::<&str>::new()).stdin(lines).any_stdout().run().out();
    let lines: Vec<&str> = run.lines().collect();
    assert_eq!((lines[0], lines[2], lines[3], lines[4]), ("OK", "30", "OK", "0"));
    for node in &cluster.nodes {
        assert!(node.ask("CONFIG GET slowlog-max-len").contains("77"));
        assert_eq!(node.ask(&format!("EVALSHA {} 0", lines[1])), "7");
        assert_eq!(node.ask("DBSIZE"), "0");
    }
    cluster.rcli(["--json", "SCRIPT", "EXISTS", lines[1], "nosuch"]).prints("[1,0]\n").run();
    cluster.nodes[1].ask("SCRIPT FLUSH");
    cluster.rcli(["--json", "SCRIPT", "EXISTS", lines[1], "nosuch"]).prints("[0,0]\n").run();
    cluster.rcli(["ACL", "SETUSER", "u", "on"]).prints("OK\n").run();
    assert!(cluster.nodes.iter().all(|node| node.ask("ACL USERS").contains('u')));
    // Keys in several slots stay an error.
    cluster.rcli(["DEL", "key:1", "key:2"]).status(1).complains(&["CROSSSLOT"]).run();
    cluster.rcli(["--all-nodes", "--json", "DBSIZE"]).prints_among(&[&cluster.nodes[2].address(), ":0"]).run();
}

#[test]
fn replicas_are_reached_where_they_are_concerned() {
    let cluster = Cluster::with_replicas();
    cluster.rcli(["CONFIG", "SET", "slowlog-max-len", "78"]).prints("OK\n").run();
    assert!(cluster.nodes.iter().all(|node| node.ask("CONFIG GET slowlog-max-len").contains("78")));
}

#[test]
fn the_error_of_one_is_the_reply_and_who_did_it_is_told() {
    let cluster = Cluster::start();
    filled(&cluster);
    let [one, two, three] = &cluster.nodes[..] else { panic!("three nodes") };
    three.ask("ACL SETUSER default -flushall");
    let done = format!("refused at {}", three.address());
    cluster
        .rcli(["FLUSHALL"])
        .status(1)
        .reports_among(&["NOPERM", "FLUSHALL was done at ", &one.address(), &two.address(), &done])
        .run();
    let lines = "FLUSHALL\nDBSIZE\n";
    let left = three.ask("DBSIZE");
    cluster
        .rcli(["--json"])
        .stdin(lines)
        .status(1)
        .prints_among(&["\"code\":\"NOPERM\"", &format!("\n{left}\n")])
        .reports_among(&["FLUSHALL was done at ", &done, "stdin:1: FLUSHALL: NOPERM"])
        .run();
    assert_eq!((one.ask("DBSIZE"), two.ask("DBSIZE")), ("0".to_owned(), "0".to_owned()));
}

#[test]
fn the_prompt_names_the_node_that_answered_alone() {
    let cluster = Cluster::start();
    let terminal = cluster.rcli(Vec::<&str>::new()).on_terminal(120);
    let prompt = format!("{} cluster>", cluster.nodes[0].address());
    terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
    terminal.run(&prompt, "DBSIZE", &["(integer) 0"]);
    let answered = format!("answered by {}", cluster.nodes[0].address());
    terminal.run_until(&prompt, "RANDOMKEY", |rows| {
        rows.iter().any(|row| row == "(nil)") && rows.iter().any(|row| row.ends_with(&answered))
    });
    terminal.leave();
}
