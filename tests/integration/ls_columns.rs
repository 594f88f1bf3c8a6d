//! What `rcli ls` tells of keys beside their names, in which order it asks, and which are the largest (contract section
//! 16).

use crate::ls::{ALL_TYPES, server_with, sorted};
use crate::peer::{peer, send};
use crate::resp::Reply;

#[test]
fn a_column_that_is_named_twice_is_told_once() {
    let server = server_with(&["SET string hello"]);
    for twice in [&["--with", "type,ttl,type"][..], &["--with", "type", "--with", "ttl", "--with", "type"]] {
        server
            .rcli(["--json", "ls"])
            .args(twice)
            .prints("{\"key\":\"string\",\"type\":\"string\",\"ttl\":null}\n")
            .run();
    }
}

#[test]
fn a_size_that_may_not_be_asked_is_no_size() {
    let server = server_with(&["SET string hello", "HSET hash f v"]);
    server.ask("ACL SETUSER some on >p ~string +@all");
    let largest = |format: &str| {
        server
            .rcli([format, "--user", "some", "ls", "--top", "3", "--by", "length"])
            .env("REDISCLI_AUTH", "p")
            .status(1)
            .complains(&["TYPE: NOPERM"])
    };
    let expected = concat!(
        "{\"keys\":2,\"by\":\"length\",\"top\":[{\"key\":\"string\",\"type\":\"string\",\"length\":5},",
        "{\"key\":\"hash\",\"type\":\"unknown\",\"length\":null}],",
        "\"types\":{\"string\":{\"keys\":1,\"length\":5,\"largest\":{\"key\":\"string\",\"length\":5}},",
        "\"unknown\":{\"keys\":1,\"length\":null,\"largest\":null}}}\n"
    );
    largest("--json").prints(expected).run();
    largest("--human")
        .prints_among(&["-  unknown   hash\n", "unknown            1               -             -  -\n"])
        .run();
}

#[test]
fn what_is_told_of_a_key_stands_in_the_order_asked_for() {
    let server = server_with(&ALL_TYPES);
    server.ask("EXPIRE hash 1000");
    let rows = sorted(&server.rcli(["--json", "ls", "--with", "length,type,encoding"]).any_stdout().run().stdout);
    let encoding = |key: &str| server.ask(&format!("OBJECT ENCODING {key}"));
    let expected: Vec<String> = [("hash", 3), ("list", 3), ("set", 2), ("stream", 1), ("string", 5), ("zset", 2)]
        .iter()
        .map(|(key, length)| {
            let encoding = encoding(key);
            format!("{{\"key\":\"{key}\",\"length\":{length},\"type\":\"{key}\",\"encoding\":\"{encoding}\"}}")
        })
        .collect();
    assert_eq!(rows, expected);
    let memory = server.ask("MEMORY USAGE hash");
    server
        .rcli(["--json", "ls", "h*", "-l"])
        .prints(format!("{{\"key\":\"hash\",\"type\":\"hash\",\"ttl\":1000,\"length\":3,\"memory\":{memory}}}\n"))
        .run();
    server.rcli(["ls", "hash", "-l"]).prints(format!("hash\t1000\t3\t{memory}\thash\n")).run();
    server.rcli(["ls", "list", "--with", "ttl,type"]).prints("-\tlist\tlist\n").run();
    server.rcli(["--raw", "ls", "list", "--with", "ttl,type", "-d", ";"]).prints("-;list;list\n").run();
    server.rcli(["--json", "ls", "list", "--with", "ttl"]).prints("{\"key\":\"list\",\"ttl\":null}\n").run();
    server.rcli(["ls", "--type", "list", "--with", "length"]).prints("3\tlist\n").run();
}

#[test]
fn memory_is_measured_by_as_many_samples_as_asked_for() {
    let server = peer()
        .always("INFO", send("$-1\r\n"))
        .always("SCAN", send("*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n"))
        .always("MEMORY USAGE k SAMPLES 0", send(":7\r\n"))
        .start();
    server.rcli(["ls", "--with", "memory", "--samples", "0"]).prints("7\tk\n").run();
}

#[test]
fn what_the_eviction_policy_does_not_keep_is_null() {
    let server = server_with(&["SET k v"]);
    let row = |args: &[&str]| server.rcli(["--json", "ls", "--with", "idle,freq"]).args(args).any_stdout().run().out();
    let out = row(&[]);
    assert!(out.starts_with("{\"key\":\"k\",\"idle\":") && out.ends_with(",\"freq\":null}\n"), "{out}");
    assert!(!out.contains("\"idle\":null"), "{out}");
    server.ask("CONFIG SET maxmemory-policy allkeys-lfu");
    server.ask("SET k v");
    let out = row(&[]);
    assert!(out.starts_with("{\"key\":\"k\",\"idle\":null,\"freq\":") && !out.ends_with("null}\n"), "{out}");
}

#[test]
fn idle_is_asked_before_what_touches_a_key() {
    let server = server_with(&["RPUSH k 1"]);
    let dump = server.call(&[b"DUMP", b"k"]);
    let Reply::Bulk(dump) = dump else { panic!("{dump:?}") };
    let all = "length,memory,encoding,ttl,type,idle";
    for with in [all, "length,idle", "idle,length"] {
        for key_type in [&[][..], &["--type", "list"]] {
            server.call(&[b"RESTORE", b"k", b"0", &dump, b"REPLACE", b"IDLETIME", b"500"]);
            let out = server.rcli(["--json", "ls", "--with", with]).args(key_type).any_stdout().run().out();
            // A second may have passed.
            assert!(out.contains("\"idle\":50"), "{with}: {out}");
        }
    }
}

#[test]
fn keys_that_vanish_meanwhile_are_left_out() {
    let two = "*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n";
    let peer = || peer().always("INFO", send("$-1\r\n")).always("SCAN", send(two));
    for (with, gone, there, row) in [
        ("type", ("TYPE a", "+none\r\n"), ("TYPE b", "+set\r\n"), "set\tb\n"),
        ("ttl", ("TTL a", ":-2\r\n"), ("TTL b", ":-1\r\n"), "-\tb\n"),
        ("memory", ("MEMORY USAGE a", "_\r\n"), ("MEMORY USAGE b", ":9\r\n"), "9\tb\n"),
        ("encoding", ("OBJECT ENCODING a", "$-1\r\n"), ("OBJECT ENCODING b", "$3\r\nraw\r\n"), "raw\tb\n"),
        ("idle", ("OBJECT IDLETIME a", "$-1\r\n"), ("OBJECT IDLETIME b", ":3\r\n"), "3\tb\n"),
    ] {
        let server = peer().always(gone.0, send(gone.1)).always(there.0, send(there.1)).start();
        server.rcli(["ls", "--with", with]).prints(row).run();
    }
    // Nothing more is asked about one that is gone.
    let server = peer()
        .always("TYPE a", send("+none\r\n"))
        .always("TYPE b", send("+list\r\n"))
        .always("LLEN b", send(":4\r\n"))
        .start();
    server.rcli(["ls", "--with", "length"]).prints("4\tb\n").run();
    let server = peer()
        .always("PEXPIRETIME a", send(":-2\r\n"))
        .always("DUMP a", send("$-1\r\n"))
        .always("PEXPIRETIME b", send(":-1\r\n"))
        .always("DUMP b", send("$1\r\nx\r\n"))
        .start();
    let line = "[\"RESTORE\",\"b\",\"0\",{\"base64\":\"eA==\"},\"REPLACE\",\"ABSTTL\"]\n";
    server.rcli(["ls", "--as", "restore"]).prints(line).run();
}

#[test]
fn of_servers_that_have_no_time_of_expiry_the_time_to_live_is_restored() {
    let server = |pttl: &str| {
        peer()
            .always("INFO", send("$-1\r\n"))
            .always("COMMAND INFO PEXPIRETIME", send("*1\r\n*-1\r\n"))
            .always("SCAN", send("*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n"))
            .always("PTTL k", send(format!(":{pttl}\r\n")))
            .always("DUMP k", send("$1\r\nx\r\n"))
            .start()
    };
    for (pttl, rest) in [
        ("1500", "\"1500\",{\"base64\":\"eA==\"},\"REPLACE\"]"),
        ("0", "\"1\",{\"base64\":\"eA==\"},\"REPLACE\"]"),
        ("-1", "\"0\",{\"base64\":\"eA==\"},\"REPLACE\",\"ABSTTL\"]"),
    ] {
        server(pttl).rcli(["ls", "--as", "restore"]).prints(format!("[\"RESTORE\",\"k\",{rest}\n")).run();
    }
}

#[test]
fn the_next_page_is_asked_for_before_the_last_is_written() {
    let page = |cursor: &str| send(format!("*2\r\n${}\r\n{cursor}\r\n*1\r\n$1\r\nk\r\n", cursor.len()));
    let server = peer()
        .always("INFO", send("$-1\r\n"))
        .always("SCAN 0", page("1"))
        .always("SCAN 1", page("0"))
        .always("TYPE k", send("+set\r\n"))
        .patient()
        .start();
    server.rcli(["ls", "--with", "type"]).prints("set\tk\nset\tk\n").run();
    let together = server
        .batches()
        .iter()
        .any(|batch| batch.iter().any(|c| c.starts_with("SCAN 1")) && batch.contains(&"TYPE k".to_owned()));
    assert!(together, "{:?}", server.batches());
}

#[test]
fn the_largest_keys_and_a_summary_by_type() {
    let server = server_with(&["SET s:1 x", "SET s:2 xxxx", "RPUSH l a b c d e", "SADD t a b", "SET s:3 xx"]);
    let out = server.rcli(["--json", "ls", "--top", "2", "--by", "length"]).any_stdout().run().out();
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(value["keys"], 5);
    assert_eq!(value["by"], "length");
    assert_eq!(value["top"][0], serde_json::json!({"key": "l", "type": "list", "length": 5}));
    assert_eq!(value["top"][1], serde_json::json!({"key": "s:2", "type": "string", "length": 4}));
    assert_eq!(value["top"].as_array().unwrap().len(), 2);
    let strings = serde_json::json!({"keys": 3, "length": 7, "largest": {"key": "s:2", "length": 4}});
    assert_eq!(value["types"]["string"], strings);
    let out = server.rcli(["ls", "--top", "1", "--by", "length", "s:*"]).any_stdout().run().out();
    let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1], ["4", "string", "s:2"]);
    assert_eq!(lines[4], ["string", "3", "7", "2", "s:2", "(4)"]);
    server.call(&[b"SET", b"big", &[b'x'; 9000]]);
    let memory = server.ask("MEMORY USAGE big");
    let out = server.rcli(["--json", "ls", "--top", "1"]).any_stdout().run().out();
    assert!(out.contains(&format!("\"top\":[{{\"key\":\"big\",\"type\":\"string\",\"memory\":{memory}}}]")), "{out}");
    server.rcli(["ls", "--top", "3", "--by", "freq"]).status(1).complains(&["LFU"]).run();
    server.ask("CONFIG SET maxmemory-policy allkeys-lfu");
    server.rcli(["--json", "ls", "--top", "3", "--by", "freq"]).prints_among(&["\"freq\":"]).run();
}
