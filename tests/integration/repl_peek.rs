//! `peek` of every type: what it is and the first of what is in it, on one screen. Contract section 10.

use crate::cluster_nodes::Cluster;
use crate::peer::{peer, send};
use crate::pty::{Terminal, open};
use crate::server::Server;

/// Waits until the rows below a line satisfy the check, the prompt being the last.
fn shows(terminal: &Terminal, prompt: &str, key: &str, check: impl Fn(&str, &[&str]) -> bool) {
    let line = format!("peek {key}");
    terminal.line(&line);
    let typed = format!("{prompt} {line}");
    terminal.wait(&line, |rows| {
        let Some(at) = rows.iter().rposition(|row| *row == typed) else { return false };
        let shown: Vec<&str> = rows[at + 1..].iter().map(String::as_str).collect();
        let [head, body @ .., last] = shown.as_slice() else { return false };
        *last == prompt && check(head, body)
    });
}

#[test]
fn each_encoding_is_told() {
    let server = Server::start();
    let long = "x".repeat(100);
    for command in [
        "SET int 12345",
        "SET emb hello",
        "SET raw hell",
        "APPEND raw o",
        "SADD intset 1 2 3",
        "SADD packed a b",
        &format!("ZADD skiplist 1 {long}"),
        &format!("HSET table {long} v"),
        "SETBIT bits 7 1",
        "PFADD hll a b c",
    ] {
        server.ask(command);
    }
    server.call(&[b"SET", b"\xff\0", b"\x01"]);
    let (terminal, prompt) = open(&server, &[]);
    let shows = |key: &str, head: &str, body: &str| {
        shows(&terminal, &prompt, key, |first, rows| first.starts_with(head) && rows == [body]);
    };
    shows("int", "string, int, 5 bytes, no expiry", "  \"12345\"");
    shows("emb", "string, embstr, 5 bytes", "  \"hello\"");
    shows("raw", "string, raw, 5 bytes", "  \"hello\"");
    shows("skiplist", "zset, skiplist, 1 member", &format!("  {}  1", &long));
    shows("table", "hash, hashtable, 1 field", &format!("  {long}  v"));
    shows("bits", "string, raw, 1 byte", "  \"\\x01\"");
    shows("\"\\xff\\x00\"", "string, ", "  \"\\x01\"");
    // It only reads: PFCOUNT would write the number that it reckons.
    shows("hll", "string, ", "  (a HyperLogLog: PFCOUNT tells of how many)");
    server.ask("PFCOUNT hll");
    shows("hll", "string, ", "  (a HyperLogLog of about 3)");
    terminal.leave();
}

#[test]
fn what_is_huge_takes_one_screen_and_is_asked_for_in_part() {
    let server = Server::start();
    server.ask("SETRANGE string 67108863 x");
    for _ in 0..2 {
        server.call(&[b"RPUSH", b"large", &vec![b'x'; 10 << 20]]);
    }
    let many: Vec<String> = (0..1000).map(|number| format!("{number} m{number}")).collect();
    server.ask(&format!("ZADD z {}", many.join(" ")));
    let (terminal, prompt) = open(&server, &[]);
    for (rows, columns) in [(24, 80), (12, 40)] {
        terminal.resize(rows, columns);
        for (key, last) in [("string", "  ... of 67108864 bytes"), ("z", "  ... of 1000 members")] {
            terminal.line(&format!("peek {key}"));
            let typed = format!("{prompt} peek {key}");
            terminal.wait("one screen", |shown| {
                let [.., note, end] = shown else { return false };
                note == last && *end == prompt && shown.contains(&typed) && shown.len() <= usize::from(rows)
            });
        }
    }
    terminal.run(&prompt, "CONFIG RESETSTAT", &["OK"]);
    terminal.line("peek large");
    terminal.ends_with(&["  (too large to be shown)", &prompt]);
    assert!(!server.ask("INFO commandstats").contains("cmdstat_lrange"));
    terminal.leave();
}

#[test]
fn what_the_server_does_not_tell_is_left_out_or_said() {
    let server = Server::start();
    server.ask("RPUSH l a");
    server.ask("ACL SETUSER few on nopass ~* +type +llen +lrange +pttl +hello +info +command");
    server.ask("ACL SETUSER fewer on nopass ~* +type +llen +hello +info +command");
    server.ask("ACL SETUSER none on nopass ~other* +@all");
    let peek = |user: &str, expected: &[&str]| {
        let (terminal, prompt) = open(&server, &["--user", user, "--pass", "x", "--no-auth-warning"]);
        terminal.line("peek l");
        let typed = format!("{prompt} peek l");
        terminal.wait("what is told", |rows| {
            let Some(at) = rows.iter().rposition(|row| *row == typed) else { return false };
            let [shown @ .., last] = &rows[at + 1..] else { return false };
            *last == prompt
                && shown.len() == expected.len()
                && shown.iter().zip(expected).all(|(row, part)| row.contains(part))
        });
        terminal.leave();
    };
    peek("few", &["list, 1 element, no expiry", "  a"]);
    peek("fewer", &["list, 1 element", "  (not shown: NOPERM "]);
    peek("none", &["(error) NOPERM "]);
}

#[test]
fn a_key_of_another_node_is_shown_too() {
    let cluster = Cluster::start();
    let keys = ["a", "b", "c", "d"];
    for key in keys {
        cluster.ask_owner(key, &format!("RPUSH {key} {key}{key}"));
    }
    let terminal = cluster.rcli(["-c"]).on_terminal(120);
    let prompt = format!("{} cluster>", cluster.nodes[0].address());
    terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
    for key in keys {
        let body = format!("  {key}{key}");
        shows(&terminal, &prompt, key, |head, rows| head.starts_with("list, ") && rows == [body.as_str()]);
    }
    terminal.leave();
}

/// What a string is in RESP.
fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

#[test]
fn a_key_that_expires_meanwhile_is_no_empty_key() {
    let script = peer()
        .always("TYPE", send("+list\r\n"))
        .always("OBJECT", send("$-1\r\n"))
        .always("MEMORY", send("$-1\r\n"))
        .always("LLEN", send(":0\r\n"))
        .always("LRANGE", send("*0\r\n"))
        .always("PTTL", send(":-2\r\n"));
    let peer = script.start();
    let terminal = peer.rcli([""; 0]).on_terminal(80);
    let prompt = format!("127.0.0.1:{}>", peer.port());
    terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
    terminal.run(&prompt, "peek k", &["there is no such key"]);
    terminal.leave();
}

#[test]
fn fields_that_expire_say_when() {
    let scanned = format!("*2\r\n$1\r\n0\r\n*4\r\n{}{}{}{}", bulk("a"), bulk("1"), bulk("b"), bulk("2"));
    let script = peer()
        .always("TYPE", send("+hash\r\n"))
        .always("OBJECT", send(bulk("listpackex")))
        .always("MEMORY", send(":100\r\n"))
        .always("HLEN", send(":2\r\n"))
        .always("HSCAN", send(scanned))
        .always("HPTTL", send("*2\r\n:3600000\r\n:-1\r\n"))
        .always("PTTL", send(":-1\r\n"));
    let peer = script.start();
    let terminal = peer.rcli([""; 0]).on_terminal(80);
    let prompt = format!("127.0.0.1:{}>", peer.port());
    terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
    let head = "hash, listpackex, 2 fields, no expiry, 100 bytes of memory";
    terminal.run(&prompt, "peek k", &[head, "  a  1  (expires in 1 h)", "  b  2"]);
    terminal.leave();
    assert!(peer.commands().iter().any(|command| command == "HPTTL k FIELDS 2 a b"), "{:?}", peer.commands());
}

#[test]
fn values_of_modules_are_shown_by_what_their_modules_tell() {
    let document = "{\"name\":\"Ada\",\"tags\":[\"a\"]}";
    let filter = "*4\r\n+Capacity\r\n:100\r\n+Number of filters\r\n:1\r\n";
    let script = peer()
        .always("TYPE doc", send("+ReJSON-RL\r\n"))
        .always("TYPE large", send("+ReJSON-RL\r\n"))
        .always("TYPE bloom", send("+MBbloom--\r\n"))
        .always("TYPE other", send("+graphdata\r\n"))
        .always("OBJECT", send("$3\r\nraw\r\n"))
        .always("MEMORY USAGE", send(":405\r\n"))
        .always("MEMORY USAGE large", send(":4050000\r\n"))
        .always("JSON.GET doc", send(bulk(document)))
        .always("BF.INFO bloom", send(filter))
        .always("PTTL", send(":-1\r\n"));
    let peer = script.start();
    let terminal = peer.rcli([""; 0]).on_terminal(80);
    let prompt = format!("127.0.0.1:{}>", peer.port());
    terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
    let pretty = ["  {", "    \"name\": \"Ada\",", "    \"tags\": [", "      \"a\"", "    ]", "  }"];
    let head = ["JSON (ReJSON-RL), no expiry, 405 bytes of memory"];
    terminal.run(&prompt, "peek doc", &[&head[..], &pretty].concat());
    let head = "JSON (ReJSON-RL), no expiry, 3.9 MB of memory";
    terminal.run(&prompt, "peek large", &[head, "  (too large to be shown)"]);
    let head = "Bloom filter (MBbloom--), no expiry, 405 bytes of memory";
    terminal.run(&prompt, "peek bloom", &[head, "  Capacity           100", "  Number of filters  1"]);
    terminal.run(&prompt, "peek other", &["graphdata, no expiry, 405 bytes of memory"]);
    terminal.run(&prompt, ":set pretty on", &[]);
    terminal.run(&prompt, "JSON.GET doc", &["{", "  \"name\": \"Ada\",", "  \"tags\": [", "    \"a\"", "  ]", "}"]);
    terminal.leave();
}
