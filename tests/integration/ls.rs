//! `rcli ls` on one server: which keys are given, in which form, and what is told of them (contract section 16).

use crate::peer::{peer, send};
use crate::pty::open;
use crate::rcli::rcli;
use crate::server::Server;
use std::collections::BTreeSet;

/// A key of each type, and names of every kind.
pub const ODD: [&[u8]; 7] = [b"", b"a b", b"new\nline", b"\xff\xfe", b"nul\0", "é".as_bytes(), b"'\"\\[x]*"];

/// A server with these commands run.
pub fn server_with(commands: &[&str]) -> Server {
    let server = Server::start();
    for command in commands {
        let reply = server.ask(command);
        assert!(!reply.starts_with("error"), "{command}: {reply}");
    }
    server
}

/// The lines of an output in an order of their own.
pub fn sorted(out: &[u8]) -> Vec<String> {
    let mut lines: Vec<String> = String::from_utf8_lossy(out).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Sets `count` keys that begin so.
pub fn fill(server: &Server, prefix: &str, count: usize) {
    let lines: String = (0..count).map(|number| format!("SET {prefix}{number} {number}\n")).collect();
    server.rcli(["pipe", "-q"]).stdin(lines).run();
}

/// One key of each type, by the names of the types.
pub const ALL_TYPES: [&str; 6] = [
    "SET string value",
    "RPUSH list 1 2 3",
    "SADD set a b",
    "ZADD zset 1 a 2.5 b",
    "HSET hash f v g w h x",
    "XADD stream * f v",
];

#[test]
fn every_key_is_a_line() {
    let server = Server::start();
    fill(&server, "key:", 3000);
    for page in [&[][..], &["--page", "7"], &["--page", "100000"]] {
        let out = server.rcli(["ls"]).args(page).any_stdout().run().stdout;
        let expected: BTreeSet<String> = (0..3000).map(|number| format!("key:{number}")).collect();
        assert!(sorted(&out).into_iter().eq(expected), "{page:?}");
    }
}

#[test]
fn keys_are_raw_bytes_and_in_json_strings() {
    for (key, json) in ODD.iter().zip([
        "\"\"",
        "\"a b\"",
        "\"new\\nline\"",
        "{\"base64\":\"//4=\"}",
        "\"nul\\u0000\"",
        "\"é\"",
        "\"'\\\"\\\\[x]*\"",
    ]) {
        let server = Server::start();
        server.call(&[b"SET", key, b"1"]);
        server.rcli(["ls"]).prints([key, &b"\n"[..]].concat()).run();
        server.rcli(["--raw", "ls", "-D", "|"]).prints([key, &b"|"[..]].concat()).run();
        server.rcli(["ls", "-0"]).prints([key, &b"\0"[..]].concat()).run();
        server.rcli(["--json", "ls"]).prints(format!("{json}\n")).run();
        let row = format!("{{\"key\":{json},\"type\":\"string\"}}\n");
        server.rcli(["--json", "ls", "--with", "type"]).prints(row).run();
    }
}

#[test]
fn for_a_person_a_key_is_written_as_it_would_be_typed() {
    let server = server_with(&["SET plain 1"]);
    server.rcli(["--human", "ls"]).prints("plain\n").run();
    server
        .rcli(["--human", "ls", "--with", "type,ttl"])
        .prints("type          ttl  key\nstring          -  plain\n")
        .run();
    server.ask("DEL plain");
    server.call(&[b"SET", b"\x1b[2J\n", b"1"]);
    server.rcli(["--human", "ls"]).prints("\"\\x1b[2J\\n\"\n").run();
}

#[test]
fn a_pattern_is_scans() {
    let server = server_with(&["SET user:1 1", "SET user:2 1", "SET item:1 1"]);
    server.call(&[b"SET", b"user:*", b"1"]);
    let keys = |pattern: &str| sorted(&server.rcli(["ls", pattern]).any_stdout().run().stdout);
    assert_eq!(keys("user:[12]"), ["user:1", "user:2"]);
    assert_eq!(keys("user:\\*"), ["user:*"]);
    assert_eq!(keys("?tem:1"), ["item:1"]);
    assert_eq!(keys(""), [""; 0]);
    assert_eq!(keys("nothing*"), [""; 0]);
}

#[test]
fn only_keys_of_a_type_and_no_more_than_asked_for() {
    let server = server_with(&ALL_TYPES);
    server.rcli(["ls", "--type", "hash"]).prints("hash\n").run();
    server.rcli(["ls", "--type", "ZSET", "z*"]).prints("zset\n").run();
    fill(&server, "key:", 500);
    for limit in [1, 7, 300] {
        let out = server.rcli(["ls", "--limit", &limit.to_string()]).any_stdout().run().out();
        assert_eq!(out.lines().count(), limit);
    }
    assert_eq!(server.rcli(["ls", "--limit", "4", "--with", "type"]).any_stdout().run().out().lines().count(), 4);
    assert_eq!(server.rcli(["ls", "--limit", "4", "--as", "DEL {}"]).any_stdout().run().out().lines().count(), 4);
}

#[test]
fn a_page_is_scans_count_and_grows_to_a_thousand_by_itself() {
    let server = Server::start();
    fill(&server, "key:", 5000);
    let scans = |args: &[&str]| {
        server.ask("CONFIG RESETSTAT");
        server.rcli(["ls"]).args(args).any_stdout().run();
        let stats = server.ask("INFO commandstats");
        let calls = stats.split("cmdstat_scan:calls=").nth(1).and_then(|rest| rest.split(',').next());
        calls.unwrap().parse::<usize>().unwrap()
    };
    assert_eq!(scans(&["--page", "10000"]), 1);
    assert!((40..=70).contains(&scans(&["--page", "100"])));
    assert!((7..=12).contains(&scans(&[])));
}

#[test]
fn pages_are_smaller_where_what_they_lead_to_is_large() {
    let server = Server::start();
    for number in 0..300 {
        server.call(&[b"SET", format!("key:{number}").as_bytes(), &vec![b'x'; 100_000]]);
    }
    server.ask("CONFIG SET rdbcompression no");
    server.ask("CONFIG RESETSTAT");
    let out = server.rcli(["ls", "--as", "restore"]).any_stdout().run().stdout;
    assert_eq!(sorted(&out).len(), 300);
    let stats = server.ask("INFO commandstats");
    let calls = stats.split("cmdstat_scan:calls=").nth(1).and_then(|rest| rest.split(',').next());
    assert!(calls.unwrap().parse::<usize>().unwrap() > 15, "{stats}");
}

#[test]
fn with_unique_no_key_comes_twice() {
    let server = || {
        peer()
            .always("INFO", send("$-1\r\n"))
            .always("SCAN 0", send("*2\r\n$1\r\n7\r\n*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\na\r\n"))
            .always("SCAN 7", send("*2\r\n$1\r\n0\r\n*2\r\n$1\r\nb\r\n$1\r\nc\r\n"))
            .always("TYPE", send("+set\r\n"))
            .start()
    };
    server().rcli(["ls"]).prints("a\nb\na\nb\nc\n").run();
    server().rcli(["ls", "--unique"]).prints("a\nb\nc\n").run();
    server().rcli(["ls", "--unique", "--with", "type"]).prints("set\ta\nset\tb\nset\tc\n").run();
    server()
        .rcli(["ls", "--unique", "--limit", "2", "--as", "GET {}"])
        .prints("[\"GET\",\"a\"]\n[\"GET\",\"b\"]\n")
        .run();
}

#[test]
fn what_is_in_a_key_is_walked() {
    let server = server_with(&ALL_TYPES);
    let elements = |args: &[&str]| sorted(&server.rcli(args).any_stdout().run().stdout);
    assert_eq!(elements(&["ls", "--in", "hash"]), ["f\tv", "g\tw", "h\tx"]);
    assert_eq!(
        elements(&["--json", "ls", "--in", "hash", "[fg]"]),
        ["{\"field\":\"f\",\"value\":\"v\"}", "{\"field\":\"g\",\"value\":\"w\"}"]
    );
    assert_eq!(elements(&["--json", "ls", "--in", "set"]), ["\"a\"", "\"b\""]);
    assert_eq!(elements(&["ls", "--in", "set", "b"]), ["b"]);
    assert_eq!(
        elements(&["--json", "ls", "--in", "zset"]),
        ["{\"member\":\"a\",\"score\":1}", "{\"member\":\"b\",\"score\":2.5}"]
    );
    assert_eq!(elements(&["--human", "ls", "--in", "zset", "--limit", "1", "b"]), ["b  2.5"]);
    assert_eq!(elements(&["ls", "--in", "hash", "--as", "HDEL hash {}", "g"]), ["[\"HDEL\",\"hash\",\"g\"]"]);
    server.ask("ZADD inf inf m");
    server.rcli(["--json", "ls", "--in", "inf"]).prints("{\"member\":\"m\",\"score\":\"inf\"}\n").run();
    server.rcli(["ls", "--in", "no such key"]).prints("").run();
    let members: String = (0..5000).map(|number| format!("SADD large {number}\n")).collect();
    server.rcli(["pipe", "-q"]).stdin(members).run();
    assert_eq!(elements(&["ls", "--in", "large", "--unique"]).len(), 5000);
}

#[test]
fn in_is_for_what_has_elements_to_scan() {
    let server = server_with(&ALL_TYPES);
    for key in ["string", "list", "stream"] {
        let words = ["--in is for a hash, a set or a sorted set", &format!("type {key}")];
        server.rcli(["ls", "--in", key]).status(2).complains(&words).run();
    }
}

#[test]
fn a_template_makes_a_command_for_pipe_of_every_key() {
    let server = Server::start();
    for key in ODD {
        server.call(&[b"SET", key, b"1"]);
    }
    fill(&server, "tmp:", 1000);
    let lines = server.rcli(["ls", "--as", "RENAME {} 'old {}'"]).any_stdout().run().stdout;
    assert_eq!(sorted(&lines).len(), 1000 + ODD.len());
    server.rcli(["pipe", "-q"]).stdin(&lines).run();
    for key in ODD {
        assert_eq!(server.call(&[b"EXISTS", &[b"old ", key].concat()]).to_string(), "1", "{key:?}");
    }
    let lines = server.rcli(["ls", "old tmp:*", "--as", "UNLINK {}"]).any_stdout().run().stdout;
    server.rcli(["pipe", "-q"]).stdin(&lines).run();
    assert_eq!(server.ask("DBSIZE"), ODD.len().to_string());
    for (template, words) in
        [("UNLINK", "there is no {} in it"), ("UNLINK {key}", "{{ is a brace"), ("UNLINK \"{}", "--as: ")]
    {
        let err = server.rcli(["ls", "--as", template]).status(2).any_stderr().run().err();
        assert!(err.contains(words), "{err}");
    }
}

#[test]
fn it_is_told_how_far_the_walk_has_come() {
    let server = Server::start();
    fill(&server, "key:", 5000);
    let run = server.rcli(["ls", "--progress"]).any_stdout().reports_among(&["/5000 keys"]).run();
    assert_eq!(run.out().lines().count(), 5000);
    server.rcli(["ls", "key:1*", "--progress"]).any_stdout().reports_among(&["keys"]).run();
}

#[test]
fn another_database_has_other_keys() {
    let server = server_with(&["SET zero 1"]);
    server.rcli(["-n", "3", "SET", "three", "1"]).prints("OK\n").run();
    server.rcli(["-n", "3", "ls"]).prints("three\n").run();
    server.rcli(["ls", "-n", "0", "--with", "type"]).prints("string\tzero\n").run();
}

#[test]
fn what_a_server_refuses_is_told() {
    let server = server_with(&[
        "SET k v",
        "ACL SETUSER noscan on >p ~* +@all -scan",
        "ACL SETUSER noobject on >p ~* +@all -object",
    ]);
    let user = |name: &str| server.rcli(["--user", name, "-a", "p", "--no-auth-warning"]);
    user("noscan").args(["ls"]).status(1).complains(&["NOPERM", "scan"]).run();
    let row = "{\"key\":\"k\",\"type\":\"string\",\"encoding\":null}\n";
    user("noobject")
        .args(["--json", "ls", "--with", "type,encoding"])
        .status(1)
        .prints(row)
        .complains(&["OBJECT ENCODING: NOPERM"])
        .run();
    fill(&server, "other:", 100);
    server.ask("ACL SETUSER some on >p ~k +@all");
    let run = user("some").args(["ls", "--with", "type"]).status(1).any_stdout().complains(&["TYPE: NOPERM"]).run();
    assert_eq!(run.out().lines().filter(|line| line.starts_with("-\t")).count(), 100, "told once, and gone on");
    user("some")
        .args(["ls", "--as", "restore", "other:*"])
        .status(1)
        .complains(&["PEXPIRETIME: NOPERM"])
        .any_stderr()
        .run();
}

#[test]
fn keys_are_listed_at_the_prompt() {
    let server = server_with(&["SADD here a", "HSET h f v"]);
    let (terminal, prompt) = open(&server, &[]);
    terminal.line("SELECT 1");
    let prompt = format!("{}[1]>", prompt.trim_end_matches('>'));
    terminal.ends_with(&["OK", &prompt]);
    terminal.run(&prompt, "ls", &[]);
    terminal.run(&prompt, "ls -n 0 he*", &["here"]);
    terminal.run(&prompt, "ls -n 0 --in h", &["f  v"]);
    terminal.run(&prompt, "ls -n 0 h --as 'HDEL {} x'", &["[\"HDEL\",\"h\",\"x\"]"]);
    terminal.leave();
}

#[test]
fn as_csv_keys_are_quoted_and_columns_stand_between_commas() {
    let server = server_with(&["RPUSH l 1 2", "ZADD z 1.5 m"]);
    server.rcli(["--csv", "ls", "l"]).prints("\"l\"\n").run();
    let row = server.rcli(["--csv", "ls", "l", "--with", "type,ttl,length"]).any_stdout().run().out();
    assert!(row.contains("\"l\"") && row.contains("\"list\"") && row.matches(',').count() == 3, "{row}");
    server.rcli(["--csv", "ls", "--in", "z"]).prints_among(&["\"m\",", "1.5"]).run();
    server.rcli(["--csv", "ls", "z", "--as", "DEL {}"]).prints("[\"DEL\",\"z\"]\n").run();
}

#[test]
fn options_that_contradict_each_other_are_bad_usage() {
    for args in [
        &["--limit", "0"][..],
        &["--page", "0"],
        &["--by", "memory"],
        &["-l", "--with", "ttl"],
        &["--with", "size"],
        &["--in", "k", "--as", "restore"],
        &["--in", "k", "--with", "ttl"],
        &["--top", "3", "--as", "DEL {}"],
        &["a", "b"],
    ] {
        rcli(["-p", "1", "ls"]).args(args).status(2).any_stderr().run();
    }
}

#[test]
fn a_reply_that_is_no_scans_is_an_error() {
    for answer in ["+OK\r\n", "*1\r\n$1\r\n0\r\n", "*2\r\n$1\r\n0\r\n$1\r\nk\r\n", ":1\r\n"] {
        let server = peer().always("INFO", send("$-1\r\n")).always("SCAN", send(answer)).start();
        server.rcli(["ls"]).status(3).complains(&["could not be decoded"]).run();
    }
}
