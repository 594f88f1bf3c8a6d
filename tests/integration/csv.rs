//! CSV output, in every mode that has it (contract section 2). That its bytes are redis-cli's is told in `side_by_side`.

use crate::peer::{peer, send};
use crate::pty::open;
use crate::rcli::rcli;
use crate::server::Server;

#[test]
fn every_type_has_its_form() {
    let pairs: [(&[u8], &str); 13] = [
        (b"+OK\r\n", "\"OK\""),
        (b"$11\r\na\"\\\n\x00\xc3\xa9\xff,\t \r\n", r#""a\"\\\n\x00\xc3\xa9\xff,\t ""#),
        (b":-7\r\n", "-7"),
        (b",1.50\r\n", "1.50"),
        (b",inf\r\n", "inf"),
        (b"(123456789012345678901234567890\r\n", "123456789012345678901234567890"),
        (b"_\r\n", "NULL"),
        (b"#t\r\n", "true"),
        (b"=8\r\ntxt:four\r\n", "\"four\""),
        (b"*0\r\n", ""),
        (b"*3\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n~1\r\n#f\r\n", r#""a",1,NULL,false"#),
        (b"%2\r\n$1\r\nk\r\n:1\r\n$1\r\nl\r\n*0\r\n", r#""k",1,"l","#),
        (b"|1\r\n+ttl\r\n:9\r\n$1\r\nv\r\n", "\"v\""),
    ];
    for (reply, line) in pairs {
        let peer = peer().answers([send(reply)]).start();
        peer.rcli(["-3", "--csv", "X"]).prints(format!("{line}\n")).run();
    }
}

#[test]
fn an_error_stands_in_its_place() {
    let server = Server::start();
    let error = "ERROR,\"WRONGTYPE Operation against a key holding the wrong kind of value\"\n";
    server.ask("SET k v");
    server.rcli(["--csv", "LPUSH", "k", "x"]).prints(error).status(1).run();
    let lines = "LPUSH k x\nGET k\n";
    for args in [&["--csv"][..], &["--csv", "pipe"]] {
        server
            .rcli(args.iter().copied())
            .stdin(lines)
            .prints(format!("{error}\"v\"\n"))
            .complains(&["stdin:1", "WRONGTYPE"])
            .status(1)
            .run();
    }
    let block = format!("{},\"v\"\n", error.trim_end());
    server.rcli(["txn", "--csv"]).stdin(lines).prints(block).complains(&["stdin:1"]).status(1).run();
    server.rcli(["pipe", "--csv", "--atomic"]).stdin("GET k\nECHO x\n").prints("\"v\"\n\"x\"\n").run();
}

#[test]
fn messages_are_redis_clis_lines() {
    let server = Server::start();
    for version in ["-2", "-3"] {
        let mut run = server
            .rcli(["--csv", version, "sub", "c", "--pattern", "p*", "--count", "2"])
            .prints("\"subscribe\",\"c\",1\n\"psubscribe\",\"p*\",2\n\"message\",\"c\",\"x\\\"y\"\n\"pmessage\",\"p*\",\"pq\",\"\"\n")
            .start();
        run.wait_for_lines(2);
        server.call(&[b"PUBLISH", b"c", b"x\"y"]);
        server.call(&[b"PUBLISH", b"pq", b""]);
        run.finish();
    }
    server.rcli(["--csv", "sub", "c", "--time"]).status(2).complains(&["--time", "--csv"]).run();
    let mut run = server
        .rcli(["--csv", "monitor", "--only", "ECHO", "--count", "1"])
        .prints_among(&[r#"] \"echo\" \"x\""#])
        .start();
    server.wait_until("CLIENT LIST", |list| list.contains("flags=O"));
    server.ask("echo x");
    run.next_line();
    run.finish();
}

#[test]
fn keys_are_fields_of_a_line() {
    let server = Server::start();
    server.ask("RPUSH k:1 a b");
    server.rcli(["--csv", "ls"]).prints("\"k:1\"\n").run();
    server.rcli(["--csv", "ls", "--with", "type,ttl,length"]).prints("\"list\",NULL,2,\"k:1\"\n").run();
    server.ask("HSET h f v");
    server.rcli(["--csv", "ls", "--in", "h"]).prints("\"f\",\"v\"\n").run();
}

#[test]
fn a_verb_without_a_csv_form_says_so() {
    rcli(["--csv", "profiles"]).status(2).complains(&["profiles has no CSV form"]).run();
    let server = Server::start();
    server
        .rcli(["--csv", "ls", "--top", "3", "--by", "memory"])
        .status(2)
        .complains(&["ls --top has no CSV form"])
        .run();
    for verb in [&["stat"][..], &["stat", "--latency", "--dist"]] {
        server.rcli(["--csv"]).args(verb.iter().copied()).status(2).complains(&["stat", "has no CSV form"]).run();
    }
    // The round trip is four numbers, in a history too.
    for history in [&["--latency"][..], &["--latency", "--history"]] {
        let run = server.rcli(["--csv", "stat", "-i", "0.1", "--count", "1"]).args(history.iter().copied());
        let line = String::from_utf8(run.any_stdout().run().stdout).expect("text");
        let cells: Vec<&str> = line.trim_end().split(',').collect();
        assert!(cells.len() == 4 && cells.iter().all(|cell| cell.parse::<f64>().is_ok()), "{line}");
    }
    server.rcli(["pipe", "--csv", "--envelope"]).status(2).complains(&["--csv", "--envelope"]).run();
}

#[test]
fn the_environment_a_profile_and_later_words_choose_it() {
    let server = Server::start();
    server.rcli(["ECHO", "x"]).env("RCLI_FORMAT", "csv").prints("\"x\"\n").run();
    server.rcli(["ECHO", "x"]).env("RCLI_FORMAT", "tsv").status(2).complains(&["human, raw, csv or json"]).run();
    server
        .rcli(["--profile", "p", "ECHO", "x"])
        .file(".config/rcli/config.toml", "[profile.p]\ncsv = true\n")
        .prints("\"x\"\n")
        .run();
    server.rcli(["--json", "--csv", "ECHO", "x"]).prints("\"x\"\n").run();
    server.rcli(["--csv", "--raw", "ECHO", "x"]).prints("x\n").run();
    let program = ["--csv", "txn", "--", "sh", "-c", "echo ECHO v; read v; echo MULTI; echo ECHO $v"];
    server.rcli(program).prints("\"v\"\n").run();
}

#[test]
fn the_prompt_writes_it_too() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    terminal.line(":set output csv");
    terminal.run(&prompt, "ECHO a,b", &["\"a,b\""]);
    terminal.line("MULTI");
    terminal.line("ECHO x");
    terminal.run_until(&prompt, "EXEC", |rows| rows.iter().any(|row| row == "\"x\""));
    terminal.leave();
}
