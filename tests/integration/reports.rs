//! INFO, CLIENT LIST and their kind as JSON objects, wherever they are answered (contract section 2).

use crate::cluster_nodes::Cluster;
use crate::peer::{peer, send};
use crate::pty::open;
use crate::rcli::Rcli;
use crate::server::Server;
use serde_json::{Value, json};

/// The lines of JSON that a run writes.
fn lines(run: Rcli) -> Vec<Value> {
    let out = run.any_stdout().run().out();
    out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn filled() -> Server {
    let server = Server::start();
    server.ask("SET a 1");
    server
}

#[test]
fn info_is_an_object_of_sections() {
    let server = filled();
    for version in ["-2", "-3"] {
        let [info] = &lines(server.rcli([version, "--json", "INFO"]))[..] else { panic!("one line") };
        assert!(info["memory"]["used_memory"].is_u64(), "{info}");
        assert_eq!(info["keyspace"]["db0"]["keys"], 1);
        assert_eq!(info["server"]["tcp_port"], server.port());
        for identity in ["redis_version", "run_id"] {
            assert!(info["server"][identity].is_string(), "{identity}");
        }
        assert!(info["replication"]["master_replid2"].is_string());
    }
    let [all] = &lines(server.rcli(["--json", "info", "everything"]))[..] else { panic!("one line") };
    assert!(all["commandstats"]["cmdstat_set"]["calls"].is_u64(), "{all}");
    assert!(all["latencystats"]["latency_percentiles_usec_set"]["p50"].is_number(), "{all}");
    assert_eq!(lines(server.rcli(["--json", "INFO", "nosuch"])), [json!({})]);
}

#[test]
fn clients_are_objects() {
    let server = Server::start();
    let held = server.client();
    let [list] = &lines(server.rcli(["--json", "CLIENT", "LIST"]))[..] else { panic!("one line") };
    assert_eq!(list.as_array().map(Vec::len), Some(2), "{list}");
    assert!(list[0]["id"].is_u64() && list[0]["addr"].is_string() && list[0]["name"].is_string(), "{list}");
    let [client] = &lines(server.rcli(["--json", "CLIENT", "INFO"]))[..] else { panic!("one line") };
    assert_eq!((&client["cmd"], &client["db"]), (&json!("client|info"), &json!(0)));
    assert_eq!(lines(server.rcli(["--json", "CLIENT", "LIST", "ID", "999"])), [json!([])]);
    drop(held);
}

#[test]
fn it_goes_by_the_command_so_in_pipes_and_blocks_too() {
    let server = filled();
    let keys = json!({"keyspace": {"db0": server_keyspace(&server)}});
    let block = "MULTI\nGET a\nINFO keyspace\nECHO x\nEXEC\nINFO keyspace\nECHO \"x\\n\"\n";
    let expected = |executed: &Value| {
        let queued = json!("QUEUED");
        vec![json!("OK"), queued.clone(), queued.clone(), queued, executed.clone(), keys.clone(), json!("x\n")]
    };
    let executed = json!(["1", keys, "x"]);
    assert_eq!(lines(server.rcli(["--json", "pipe"]).stdin(block)), expected(&executed));
    assert_eq!(lines(server.rcli(["--json"]).stdin(block)), expected(&executed));
    let enveloped = lines(server.rcli(["pipe", "--envelope"]).stdin(block));
    assert_eq!((&enveloped[4]["reply"], &enveloped[5]["reply"]), (&executed, &keys));
    let plain = "GET a\nINFO keyspace\nECHO x\n";
    assert_eq!(lines(server.rcli(["--json", "txn"]).stdin(plain)), std::slice::from_ref(&executed));
    let atomic = lines(server.rcli(["--json", "pipe", "--atomic"]).stdin(plain));
    assert_eq!(atomic, *executed.as_array().unwrap());
    // What only looks so is no report, and a block that is refused has none.
    server.call(&[b"SET", b"t", b"# Keyspace\r\nx:1\r\n"]);
    assert_eq!(lines(server.rcli(["--json", "pipe"]).stdin("GET t\n")), [json!("# Keyspace\r\nx:1\r\n")]);
    let program = ["--json", "txn", "--", "sh", "-c", "echo INFO keyspace; read -r r; echo MULTI; echo \"ECHO '$r'\""];
    let [answered] = &lines(server.rcli(program))[..] else { panic!("one line") };
    let read: Value = serde_json::from_str(answered[0].as_str().unwrap()).unwrap();
    assert_eq!(read["keyspace"]["db0"]["keys"], 2, "{answered}");
}

/// What INFO says of the first database.
fn server_keyspace(server: &Server) -> Value {
    let info = server.ask("INFO keyspace");
    let fields = info.lines().find_map(|line| line.trim().strip_prefix("db0:").map(str::to_owned)).unwrap();
    let pairs = fields.split(',').map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, number)| (name.to_owned(), json!(number.parse::<u64>().unwrap()))).collect()
}

#[test]
fn text_is_given_where_it_is_asked_for() {
    let server = filled();
    for run in [
        server.rcli(["--json", "--reports", "text", "INFO", "keyspace"]),
        server
            .rcli(["--json", "INFO", "keyspace"])
            .args(Vec::<String>::new())
            .file(".config/rcli/config.toml", "[profile.p]\njson = true\nreports = 'text'\n")
            .env("RCLI_PROFILE", "p"),
    ] {
        let [text] = &lines(run)[..] else { panic!("one line") };
        assert!(text.as_str().unwrap().starts_with("# Keyspace"), "{text}");
    }
    server.rcli(["--reports", "xml", "PING"]).status(2).complains(&["--reports", "xml"]).run();
    let raw = server.rcli(["--raw", "INFO", "keyspace"]).any_stdout().run().out();
    assert!(raw.starts_with("# Keyspace"), "{raw}");
}

#[test]
fn nodes_answer_objects_too() {
    let cluster = Cluster::start();
    let [nodes] = &lines(cluster.rcli(["--json", "CLUSTER", "NODES"]))[..] else { panic!("one line") };
    let nodes = nodes.as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    for node in nodes {
        let keys: Vec<&String> = node.as_object().unwrap().keys().collect();
        assert_eq!(keys.len(), 10, "{node}");
        assert!(node["slots"][0][1].is_u64() && node["primary"].is_null() && node["link"] == "connected", "{node}");
    }
    let [info] = &lines(cluster.rcli(["--json", "CLUSTER", "INFO"]))[..] else { panic!("one line") };
    assert_eq!((&info["cluster_state"], &info["cluster_size"]), (&json!("ok"), &json!(3)));
    let [all] = &lines(cluster.rcli(["--json", "--all-nodes", "INFO", "server"]))[..] else { panic!("one line") };
    for node in &cluster.nodes {
        assert_eq!(all[node.address()]["server"]["tcp_port"], node.port(), "{all}");
    }
}

#[test]
fn whatever_the_server_sends_is_valid_json() {
    let texts: [&[u8]; 5] =
        [b"# A\nx\n:\n\xff:\xfe\n1:2\n1:3\n", b"\x00\x01\n", b"no line end", b"\n\n", b"# \"\n\"\\:\"\n"];
    for (command, text) in ["INFO", "CLIENT LIST", "CLUSTER NODES"].iter().flat_map(|it| texts.map(|text| (it, text))) {
        let reply = [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat();
        let peer = peer().answers([send(reply)]).start();
        let words: Vec<&str> = command.split(' ').collect();
        assert_eq!(lines(peer.rcli(["--json", "-2"]).args(words)).len(), 1, "{command} {}", text.escape_ascii());
    }
    let peer = peer().answers([send("-ERR no\r\n"), send(":1\r\n")]).start();
    let found = lines(peer.rcli(["--json", "-2", "pipe"]).stdin("INFO\nINFO\n").status(1).any_stderr());
    assert_eq!(found, [json!({"error": {"code": "ERR", "message": "no"}}), json!(1)]);
}

#[test]
fn the_prompt_shows_them_in_json() {
    let server = filled();
    let (terminal, prompt) = open(&server, &["--json"]);
    terminal.run_until(&prompt, "INFO keyspace", |rows| {
        rows.iter().any(|row| row.starts_with("{\"keyspace\":{\"db0\":{\"keys\":1"))
    });
    terminal.leave();
}
