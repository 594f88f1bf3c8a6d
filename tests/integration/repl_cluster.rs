//! The REPL in a cluster: commands at their owners, blocks in one slot, what becomes of it when nodes go and slots
//! move, completion over all primaries. Contract sections 10 and 11.

use crate::cluster_nodes::Cluster;
use crate::pty::Terminal;
use crate::server::Server;

const CTRL_C: &str = "\x03";
const CTRL_U: &str = "\x15";

/// A REPL on the first node, and its prompt, which has been seen.
fn open(cluster: &Cluster, args: &[&str]) -> (Terminal, String) {
    let terminal = cluster.rcli(args).on_terminal(200);
    let prompt = prompt_at(&cluster.nodes[0]);
    terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
    (terminal, prompt)
}

fn prompt_at(node: &Server) -> String {
    format!("{} cluster>", node.address())
}

/// Lets the nodes that are left serve their slots when others are gone.
fn serve_in_part(cluster: &Cluster) {
    for node in &cluster.nodes {
        node.ask("CONFIG SET cluster-require-full-coverage no");
    }
}

#[test]
fn commands_go_to_the_owners_of_their_keys_also_when_a_slot_has_moved() {
    let cluster = Cluster::start();
    let (terminal, prompt) = open(&cluster, &[]);
    assert!(terminal.rows()[0].starts_with("cluster of "), "{:?}", terminal.rows());
    terminal.run(&prompt, "SET foo 1", &["OK"]);
    terminal.run(&prompt, "SET bar 2", &["OK"]);
    terminal.run(&prompt, "EVAL \"return redis.call('GET', KEYS[1])\" 1 foo", &["\"1\""]);
    let crossed = "(error) CROSSSLOT the keys are in several slots: \"foo\" in slot 12182, \"bar\" in slot 5061; keys with \
                   the same {tag} share a slot";
    terminal.run(&prompt, "MGET foo bar", &[crossed]);
    terminal.line("SELECT 1");
    terminal.wait("the server's refusal", |rows| {
        rows.last() == Some(&prompt) && rows[rows.len() - 2].starts_with("(error) ERR ")
    });
    cluster.migrate("foo", 0);
    terminal.run(&prompt, "INCR foo", &["(integer) 2"]);
    assert_eq!(cluster.nodes[0].ask("GET foo"), "2");
    terminal.leave();
}

#[test]
fn a_block_takes_the_keys_of_one_slot_and_goes_where_that_is() {
    let cluster = Cluster::start();
    let (terminal, prompt) = open(&cluster, &[]);
    let place = prompt.trim_end_matches('>');
    terminal.line("MULTI");
    terminal.line("PING");
    terminal.line("INCR foo");
    terminal.line("INCR bar");
    terminal.wait("the refusal", |rows| rows.iter().any(|row| row.starts_with("(error) CROSSSLOT")));
    terminal.ends_with(&[&format!("{place}(TX 2)>")]);
    terminal.line("INCR {foo}b");
    terminal.ends_with(&["QUEUED", &format!("{place}(TX 3)>")]);
    cluster.migrate("foo", 1);
    terminal.line("EXEC");
    terminal.ends_with(&["2) INCR foo", "   (integer) 1", "3) INCR {foo}b", "   (integer) 1", &prompt]);
    assert_eq!(cluster.ask_owner("bar", "EXISTS bar"), "0");
    // What is watched counts too.
    terminal.run(&prompt, "WATCH foo", &["OK"]);
    terminal.line("MULTI");
    terminal.line("clear");
    terminal.wait("an empty screen", |rows| rows == [format!("{place}(TX 0)>")]);
    terminal.line("INCR bar");
    terminal.wait("the refusal", |rows| rows.len() > 1 && rows[1].starts_with("(error) CROSSSLOT"));
    terminal.line("INCR foo");
    terminal.ends_with(&["QUEUED", &format!("{place}(TX 1)>")]);
    cluster.ask_owner("foo", "SET foo 7");
    terminal.line("EXEC");
    terminal.ends_with(&["(nil)", "rcli: EXEC: a watched key has changed; nothing was run", &prompt]);
}

#[test]
fn a_watch_that_is_lost_with_its_node_is_said_and_exec_refuses() {
    let mut cluster = Cluster::start();
    let (terminal, prompt) = open(&cluster, &[]);
    terminal.run(&prompt, "WATCH foo", &["OK"]);
    let owner = cluster.nodes[2].address();
    cluster.nodes[2].kill_nine();
    let lost = format!("rcli: {owner}: connection lost: the server closed the connection; the WATCH was lost with it");
    terminal.line("MULTI");
    terminal.shows(&lost);
    terminal.ends_with(&[&prompt.replace('>', "(TX 0)>")]);
    terminal.line("EXEC");
    terminal.shows("EXEC: refused, nothing was run: the WATCH was lost");
}

#[test]
fn a_command_for_a_node_that_is_gone_is_said_not_to_have_been_sent() {
    let mut cluster = Cluster::start();
    serve_in_part(&cluster);
    let (terminal, prompt) = open(&cluster, &["-t", "0.5"]);
    terminal.run(&prompt, "SET foo 1", &["OK"]);
    let owner = cluster.nodes[2].address();
    cluster.nodes[2].kill_nine();
    terminal.line("GET foo");
    let refused = format!("rcli: cannot connect to {owner}: Connection refused; GET foo was not sent");
    terminal.shows(&refused);
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    assert!(!terminal.rows().iter().any(|row| row.contains("may have run")), "{:?}", terminal.rows());
}

#[test]
fn what_was_sent_to_a_node_that_dies_names_that_node_and_is_not_sent_again() {
    let mut cluster = Cluster::start();
    let (terminal, prompt) = open(&cluster, &[]);
    for is_killed in [false, true] {
        terminal.line("BLPOP foo 0");
        cluster.nodes[2].wait_until("INFO clients", |info| info.contains("blocked_clients:1"));
        if is_killed {
            let owner = cluster.nodes[2].address();
            cluster.nodes[2].kill_nine();
            terminal.shows(&format!(
                "{owner}: connection lost: the server closed the connection; BLPOP foo 0 had no answer"
            ));
        } else {
            terminal.keys(CTRL_C);
            terminal.shows("cancelled: BLPOP foo 0");
            cluster.nodes[2].wait_until("INFO clients", |info| info.contains("blocked_clients:0"));
        }
        terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    }
}

#[test]
fn the_prompt_goes_on_at_another_node_when_its_own_is_gone() {
    let mut cluster = Cluster::start();
    serve_in_part(&cluster);
    let (terminal, prompt) = open(&cluster, &[]);
    terminal.run(&prompt, "SET foo 1", &["OK"]);
    let gone = cluster.nodes[0].address();
    cluster.nodes[0].kill_nine();
    terminal.line("SUBSCRIBE news &");
    // It has an open connection there.
    let other = cluster.nodes[2].address();
    terminal.shows(&format!("rcli: {gone} is gone; going on at {other}"));
    let prompt = prompt_at(&cluster.nodes[2]);
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.shows("\"type\":\"subscribe\"");
    terminal.run(&prompt, "GET foo", &["\"1\""]);
    completes(&terminal, &prompt, "GET fo", "GET foo");
    cluster.nodes[1].ask("PUBLISH news hello");
    terminal.shows("\"data\":\"hello\"");
    terminal.line("stop 1");
    // Now it has none where it is.
    terminal.line("BLPOP {foo}list 0");
    cluster.nodes[2].wait_until("INFO clients", |info| info.contains("blocked_clients:1"));
    terminal.keys(CTRL_C);
    terminal.shows("cancelled: BLPOP {foo}list 0");
    cluster.nodes[2].kill_nine();
    terminal.line("PING");
    let last = cluster.nodes[1].address();
    terminal.ends_with(&[&format!("rcli: {other} is gone; going on at {last}"), "PONG", &prompt_at(&cluster.nodes[1])]);
}

#[test]
fn a_cluster_that_is_gone_is_not_connected_until_it_is_back() {
    let mut cluster = Cluster::start();
    let (terminal, prompt) = open(&cluster, &["-t", "0.5"]);
    terminal.run(&prompt, "SET foo 1", &["OK"]);
    cluster.nodes.iter_mut().for_each(Server::kill_nine);
    terminal.line("PING");
    terminal.wait("the news", |rows| rows.iter().any(|row| row.ends_with("Connection refused; PING was not sent")));
    terminal.wait("no connection", |rows| rows.last().is_some_and(|row| row.ends_with(" (not connected)>")));
    assert!(!terminal.rows().iter().any(|row| row.contains("going on")), "{:?}", terminal.rows());
    cluster.nodes.iter_mut().for_each(Server::restart);
    terminal.line("PING");
    terminal.wait("the answer", |rows| rows.iter().any(|row| row == "PONG"));
    terminal.wait("a prompt", |rows| rows.last().is_some_and(|row| row.ends_with(" cluster>")));
}

/// Types this, then Tab until the line begins so: the first one may come before the connections are there.
fn completes(terminal: &Terminal, prompt: &str, typed: &str, line: &str) {
    let expected = format!("{prompt} {line}");
    terminal.keys(typed);
    terminal.wait_pressing("\t", |rows| rows.last().is_some_and(|row| row.starts_with(&expected)));
    terminal.keys(CTRL_U);
    terminal.wait("an empty line", |rows| rows.last().is_some_and(|row| row == prompt));
}

#[test]
fn tab_completes_keys_and_channels_of_all_nodes() {
    let cluster = Cluster::start();
    let mut listeners = Vec::new();
    for (node, key) in ["bar", "c", "foo"].into_iter().enumerate() {
        assert_eq!(cluster.nodes[node].ask(&format!("SET {{{key}}}thing:{node} v")), "OK");
        let channel = format!("{{{key}}}listen:{node}");
        let mut client = cluster.nodes[node].client();
        client.call(&[b"SSUBSCRIBE", channel.as_bytes()]).expect("a confirmation");
        listeners.push(client);
        let mut client = cluster.nodes[node].client();
        client.call(&[b"SUBSCRIBE", format!("news:{node}x").as_bytes()]).expect("a confirmation");
        listeners.push(client);
    }
    let (terminal, prompt) = open(&cluster, &[]);
    for (node, key) in ["bar", "c", "foo"].into_iter().enumerate() {
        completes(&terminal, &prompt, &format!("GET {{{key}}}t"), &format!("GET {{{key}}}thing:{node}"));
        cluster.nodes[node].ask(&format!("HSET {{{key}}}hash field{node}x v"));
        let hash = format!("HGET {{{key}}}hash field{node}");
        completes(&terminal, &prompt, &hash, &format!("{hash}x"));
        completes(&terminal, &prompt, &format!("SPUBLISH {{{key}}}l"), &format!("SPUBLISH {{{key}}}listen:{node}"));
        completes(&terminal, &prompt, &format!("PUBLISH news:{node}"), &format!("PUBLISH news:{node}x"));
    }
}

#[test]
fn connect_goes_from_a_cluster_to_a_lone_server_and_back() {
    let (cluster, lone) = (Cluster::start(), Server::start());
    let (terminal, _) = open(&cluster, &[]);
    let alone = format!("{}>", lone.address());
    terminal.line(&format!("connect 127.0.0.1 {}", lone.port()));
    terminal.ends_with(&[&alone]);
    terminal.line("SELECT 2");
    terminal.ends_with(&["OK", &alone.replace('>', "[2]>")]);
    terminal.line(&format!("connect {}", cluster.nodes[1].url()));
    let prompt = prompt_at(&cluster.nodes[1]);
    terminal.ends_with(&[&prompt]);
    terminal.run(&prompt, "SET foo 1", &["OK"]);
    assert_eq!(cluster.nodes[2].ask("GET foo"), "1");
}

#[test]
fn views_survive_a_migration_and_the_death_of_a_primary() {
    let mut cluster = Cluster::with_replicas();
    let (terminal, prompt) = open(&cluster, &[]);
    terminal.line("SSUBSCRIBE foo bar &");
    terminal.shows("[1] SSUBSCRIBE foo bar");
    terminal.wait("both confirmations", |rows| rows.iter().filter(|row| row.contains("\"ssubscribe\"")).count() == 2);
    terminal.line("psub n* --max-retries 1000 &");
    terminal.shows("\"psubscribe\"");
    cluster.migrate("foo", 0);
    terminal.shows(&format!("foo: moved from {} to {}", cluster.nodes[2].address(), cluster.nodes[0].address()));
    assert_eq!(cluster.nodes[0].ask("SPUBLISH foo one"), "1");
    terminal.shows("\"data\":\"one\"");
    cluster.nodes[0].kill_nine();
    let promoted = cluster.nodes[3].address();
    terminal.shows(&format!("bar: moved from {} to {promoted}", cluster.nodes[0].address()));
    terminal.shows(&format!("foo: moved from {} to {promoted}", cluster.nodes[0].address()));
    cluster.nodes[3].ask("SPUBLISH foo two");
    terminal.shows("\"data\":\"two\"");
    terminal.wait("the other view", |rows| rows.iter().any(|row| row.contains("[2]") && row.contains("reconnected")));
    cluster.nodes[1].ask("PUBLISH news three");
    terminal.shows("\"data\":\"three\"");
    terminal.line("PING");
    terminal.wait("the answer", |rows| rows.iter().any(|row| row == "PONG") && rows.last() != Some(&prompt));
}

#[test]
fn what_client_commands_set_holds_at_every_node_and_survives_a_reconnect() {
    let cluster = Cluster::start();
    let names = |node: usize| cluster.nodes[node].ask("CLIENT LIST").matches("name=me ").count();
    let kept = |node: usize| cluster.nodes[node].ask("CLIENT LIST").matches("flags=e ").count();
    let (terminal, prompt) = open(&cluster, &[]);
    terminal.run(&prompt, "SET foo 1", &["OK"]);
    terminal.run(&prompt, "CLIENT SETNAME other", &["OK"]);
    terminal.run(&prompt, "CLIENT SETNAME me", &["OK"]);
    terminal.line("MULTI");
    terminal.line("CLIENT NO-EVICT on");
    terminal.line("EXEC");
    terminal.ends_with(&["1) CLIENT NO-EVICT on", "   OK", &prompt]);
    terminal.run(&prompt, "GET foo", &["\"1\""]);
    assert_eq!((names(0), names(2)), (1, 1));
    assert_eq!((kept(0), kept(2)), (1, 1));
    cluster.nodes[2].ask("CLIENT KILL TYPE normal SKIPME yes");
    assert_eq!(names(2), 0);
    terminal.run(&prompt, "GET foo", &["\"1\""]);
    assert_eq!((names(2), kept(2)), (1, 1));
    // A node that refuses it is used all the same, and that is told once.
    cluster.nodes[1].ask("ACL SETUSER default -client|setname");
    let place = cluster.nodes[1].address();
    terminal.line("SET c 1");
    terminal.shows(&format!("CLIENT SETNAME me was refused by {place}: NOPERM"));
    terminal.wait("the answer", |rows| rows.contains(&"OK".to_owned()) && rows.last() == Some(&prompt));
    terminal.line("clear");
    terminal.wait("an empty screen", |rows| rows == [prompt.clone()]);
    terminal.run(&prompt, "GET c", &["\"1\""]);
    assert_eq!((names(1), kept(1)), (0, 1));
    // The node that stood for the cluster too.
    cluster.nodes[0].ask("CLIENT KILL TYPE normal SKIPME yes");
    let prompt = prompt_at(&cluster.nodes[1]);
    terminal.line("GET bar");
    terminal.ends_with(&["(nil)", &prompt]);
    assert_eq!((names(0), kept(0)), (1, 1));
    terminal.leave();
}
