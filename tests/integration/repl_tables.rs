//! Replies of records as tables: in a grid, in blocks where the screen is narrow, and nowhere but on a terminal in human
//! format. Contract section 10.

use crate::cluster_nodes::Cluster;
use crate::peer::{peer, send};
use crate::pty::{Terminal, open};
use crate::server::Server;

/// Waits until the screen ends with a line, rows that satisfy the check, and the prompt.
fn shows(terminal: &Terminal, prompt: &str, line: &str, check: impl Fn(&[&str]) -> bool) {
    terminal.line(line);
    let typed = format!("{prompt} {line}");
    terminal.wait(line, |rows| {
        let Some(at) = rows.iter().rposition(|row| *row == typed) else { return false };
        let shown: Vec<&str> = rows[at + 1..].iter().map(String::as_str).collect();
        shown.last() == Some(&prompt) && check(&shown[..shown.len() - 1])
    });
}

/// A row without what stands in the columns between its words.
fn words(row: &str) -> Vec<&str> {
    row.split("  ").map(str::trim).filter(|word| !word.is_empty()).collect()
}

/// A server with a stream, its groups, functions and a refused command.
fn full() -> Server {
    let server = Server::with_args(["--latency-monitor-threshold", "1"]);
    for command in [
        "XADD st 1-0 f a name b",
        "XADD st 2-0 f c",
        "XGROUP CREATE st g1 0",
        "XGROUP CREATE st g2 $",
        "XREADGROUP GROUP g1 alice COUNT 1 STREAMS st >",
        "ACL SETUSER bob on nopass ~a* +get",
        "ACL LOG RESET",
        "DEBUG SLEEP 0.01",
    ] {
        server.ask(command);
    }
    server.call(&[
        b"FUNCTION",
        b"LOAD",
        b"#!lua name=lib1\nredis.register_function{function_name='f1', callback=function() return 1 end, \
          flags={'no-writes'}, description='the first'}",
    ]);
    server
        .rcli(["--user", "bob", "--pass", "x", "--no-auth-warning", "SET", "b", "1"])
        .status(1)
        .complains(&["NOPERM"])
        .run();
    server
}

#[test]
fn lists_of_records_have_a_row_each() {
    let server = full();
    for args in [&["-3"][..], &["-2"]] {
        let (terminal, prompt) = open(&server, args);
        let shows = |line: &str, check: &dyn Fn(&[&str]) -> bool| shows(&terminal, &prompt, line, check);
        shows("XINFO GROUPS st", &|rows| {
            let [head, first, second] = rows else { return false };
            words(head) == ["group", "consumers", "pending", "last delivered", "lag", "read"]
                && words(first) == ["g1", "1", "1", "1-0", "1", "1"]
                && words(second)[..4] == ["g2", "0", "0", "2-0"]
        });
        shows("XINFO CONSUMERS st g1", &|rows| {
            let [head, row] = rows else { return false };
            words(head)[..3] == ["consumer", "pending", "idle"] && words(row)[..2] == ["alice", "1"]
        });
        shows("XPENDING st g1 - + 10", &|rows| {
            let [head, row] = rows else { return false };
            words(head) == ["id", "consumer", "idle", "deliveries"] && words(row)[..2] == ["1-0", "alice"]
        });
        shows("ACL LOG", &|rows| {
            let [head, row] = rows else { return false };
            words(head) == ["count", "reason", "context", "object", "user", "age", "client"]
                && words(row)[1..5] == ["command", "toplevel", "set", "bob"]
        });
        shows("FUNCTION LIST", &|rows| {
            let [head, row] = rows else { return false };
            words(head) == ["library", "engine", "function", "flags", "description"]
                && words(row) == ["lib1", "LUA", "f1", "no-writes", "the first"]
        });
        shows("LATENCY LATEST", &|rows| {
            words(rows[0])[..4] == ["event", "at", "latest ms", "max ms"] && words(rows[1])[1].len() == 19
        });
        shows("LATENCY HISTORY command", &|rows| words(rows[0]) == ["at", "ms"] && words(rows[1]).len() == 2);
        shows("LATENCY HISTOGRAM xadd", &|rows| {
            let [head, row] = rows else { return false };
            words(head) == ["command", "calls", "50% within", "99% within", "all within"]
                && words(row)[..2] == ["xadd", "2"]
                && row.ends_with(" ms")
        });
        terminal.leave();
    }
}

#[test]
fn commands_have_a_row_each_and_so_have_their_subcommands() {
    let server = Server::start();
    for args in [&["-3"][..], &["-2"]] {
        let (terminal, prompt) = open(&server, args);
        shows(&terminal, &prompt, "COMMAND INFO GET MSET nosuch CLUSTER", |rows| {
            let head = ["command", "arity", "keys", "flags", "categories"];
            words(rows[0])[..5] == head
                && words(rows[1])[..3] == ["get", "2", "1"]
                && words(rows[2])[..4] == ["mset", "-3", "1..-1 by 2", "write denyoom"]
                && words(rows[3]) == ["nosuch", "(unknown)"]
                && rows.iter().any(|row| row.starts_with("cluster|nodes "))
        });
        shows(&terminal, &prompt, "COMMAND DOCS GET", |rows| {
            words(rows[0])[..4] == ["command", "since", "group", "summary"]
                && words(rows[1])[..3] == ["get", "1.0.0", "string"]
        });
        terminal.leave();
    }
}

#[test]
fn names_with_values_have_a_line_each() {
    let server = full();
    let (terminal, prompt) = open(&server, &[]);
    shows(&terminal, &prompt, "ROLE", |rows| rows == ["role    master", "offset  0"]);
    shows(&terminal, &prompt, "XINFO STREAM st", |rows| {
        rows.iter().any(|row| words(row) == ["length", "2"])
            && rows.iter().any(|row| words(row) == ["first-entry", "1-0 f=a name=b"])
    });
    shows(&terminal, &prompt, "MEMORY STATS", |rows| {
        rows.iter().any(|row| row.starts_with("total.allocated ") && row.ends_with("B)"))
            && rows.iter().any(|row| words(row)[0] == "keys.count" && !row.ends_with(')'))
    });
    terminal.leave();
}

#[test]
fn entries_of_several_streams_stand_below_their_names() {
    let server = Server::start();
    server.ask("XADD s1 1-1 item apple");
    server.ask("XADD s2 2-1 item pear");
    server.ask("XGROUP CREATE s1 g 0");
    for args in [&["-3"][..], &["-2"]] {
        let (terminal, prompt) = open(&server, args);
        let read = "XREAD STREAMS s1 s2 0 0";
        let first = ["s1", "  1) 1-1", "     item  \"apple\""];
        let second = ["s2", "  1) 2-1", "     item  \"pear\""];
        terminal.run(&prompt, read, &[first, second].concat());
        server.ask("XGROUP SETID s1 g 0");
        terminal.run(&prompt, "XREADGROUP GROUP g c STREAMS s1 >", &first);
        terminal.run(&prompt, "XCLAIM s1 g c 0 1-1", &["1) 1-1", "   item  \"apple\""]);
        terminal.run(&prompt, "XCLAIM s1 g c 0 1-1 JUSTID", &["1) \"1-1\""]);
        terminal.run(&prompt, "XAUTOCLAIM s1 g c 0 0", &["1) 1-1", "   item  \"apple\"", "next     0-0"]);
        terminal.run(&prompt, "ZADD z 1 a 2 b 3 WITHSCORES", &["(integer) 3"]);
        terminal.run(&prompt, "ZPOPMIN z 2", &["1) \"a\"  1", "2) \"b\"  2"]);
        // A name is no option.
        terminal.run(
            &prompt,
            "ZMSCORE z WITHSCORES a",
            if args == ["-3"] { &["1) (double) 3", "2) (nil)"] } else { &["1) \"3\"", "2) (nil)"] },
        );
        terminal.run(&prompt, "MSET WITHSCORES 1 b 2", &["OK"]);
        terminal.run(&prompt, "MGET b a WITHSCORES b", &["1) \"2\"", "2) (nil)", "3) \"1\"", "4) \"2\""]);
        server.ask("DEL z");
        terminal.leave();
    }
    // An entry that is pending, and was deleted since.
    server.ask("XGROUP SETID s1 g 0");
    server.ask("XREADGROUP GROUP g c STREAMS s1 >");
    server.ask("XDEL s1 1-1");
    let (terminal, prompt) = open(&server, &[]);
    terminal.run(&prompt, "XREADGROUP GROUP g c STREAMS s1 0", &["s1", "  1) 1-1  (deleted)"]);
    terminal.leave();
}

#[test]
fn the_nodes_of_a_cluster_stand_in_the_order_of_their_slots() {
    let cluster = Cluster::with_steady_replicas();
    let terminal = cluster.nodes[0].rcli([""; 0]).on_terminal(160);
    let prompt = format!("{}>", cluster.nodes[0].address());
    terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
    let primary = cluster.nodes[0].address();
    shows(&terminal, &prompt, "CLUSTER NODES", |rows| {
        let rows: Vec<Vec<&str>> = rows.iter().map(|row| words(row)).collect();
        let [head, first, second, ..] = rows.as_slice() else { return false };
        *head == ["address", "flags", "link", "slots", "id", "epoch"]
            && first[0] == primary
            && first[3].starts_with("0-")
            && first[4].len() == 40
            && second[3] == format!("of {primary}")
    });
    shows(&terminal, &prompt, "CLUSTER SLOTS", |rows| {
        // A replica that is not in step yet is not told.
        words(rows[0])[..2] == ["slots", "primary"]
            && words(rows[1])[0].starts_with("0-")
            && words(rows[1])[1] == primary
    });
    shows(&terminal, &prompt, "CLUSTER SHARDS", |rows| {
        words(rows[0]) == ["slots", "address", "role", "health", "offset", "id"]
            && words(rows[1])[1..4] == [primary.as_str(), "master", "online"]
    });
    terminal.leave();
    // Narrow, each node is a block.
    let terminal = cluster.nodes[0].rcli([""; 0]).on_terminal(40);
    terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
    terminal.run(&prompt, ":set pager off", &[]);
    terminal.line("CLUSTER NODES");
    let id = cluster.id(0);
    let (head, rest) = id.split_at(31);
    terminal.wait("blocks", |rows| {
        let node = [format!("address  {primary}"), format!("id       {head}"), format!("         {rest}")];
        rows.last() == Some(&prompt) && node.iter().all(|line| rows.contains(line))
    });
    terminal.leave();
}

#[test]
fn a_narrow_screen_has_blocks_or_fewer_columns() {
    let server = full();
    let terminal = server.rcli([""; 0]).on_terminal(40);
    let prompt = format!("{}>", server.address());
    terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
    server.ask("XGROUP DESTROY st g2");
    let group = ["group           g1", "consumers       1", "pending         1", "last delivered  1-0"];
    shows(&terminal, &prompt, "XINFO GROUPS st", |rows| rows.len() == 6 && rows[..4] == group);
    // Of many rows a part of the columns, and it is said which are not there.
    terminal.line("COMMAND INFO GET SET MGET");
    terminal.wait("what is left out", |rows| {
        let [.., head, get, _, _, note, last] = rows else { return false };
        *last == prompt
            && words(head) == ["command", "arity", "keys", "flags"]
            && words(get) == ["get", "2", "1", "readonly fast"]
            && note.starts_with("(no room for: categories")
    });
    terminal.leave();
}

#[test]
fn what_is_no_such_reply_and_what_is_not_for_a_person_stays_as_it_is() {
    let server = full();
    let (terminal, prompt) = open(&server, &[]);
    terminal.run(&prompt, "LATENCY HISTORY nosuch", &["(empty array)"]);
    terminal.run(&prompt, "XINFO GROUPS nosuch", &["(error) ERR no such key"]);
    // Two a pause; a slow machine has more of them than the one that was made.
    let is_even = |row: &String| row.parse::<usize>().is_ok_and(|lines| lines > 0 && lines % 2 == 0);
    terminal.line("LATENCY HISTORY command | wc -l");
    terminal.wait("two lines a pause", |rows| rows.last() == Some(&prompt) && is_even(&rows[rows.len() - 2]));
    terminal.run(&prompt, "ROLE > role.txt", &[]);
    let written = std::fs::read_to_string(terminal.home().join("role.txt")).expect("the file");
    assert!(written.starts_with("master\n0\n"), "{written:?}");
    for (format, first) in [("json", "[\"master\",0,[]]"), ("raw", "master"), ("csv", "\"master\",0")] {
        terminal.run(&prompt, &format!(":set output {format}"), &[]);
        shows(&terminal, &prompt, "ROLE", |rows| rows.first().is_some_and(|row| row.starts_with(first)));
    }
    terminal.leave();
    server.rcli(["--human", "ROLE"]).prints("1) \"master\"\n2) (integer) 0\n3) (empty array)\n").run();
}

#[test]
fn what_a_server_says_in_a_table_cannot_drive_the_terminal() {
    let modules = "*2\r\n*8\r\n$4\r\nname\r\n$2\r\nbf\r\n$3\r\nver\r\n:20802\r\n$4\r\npath\r\n$9\r\n/l/\x1b[31mo\r\n$4\r\nargs\r\n*0\r\n\
                   *8\r\n$4\r\nname\r\n$6\r\nReJSON\r\n$3\r\nver\r\n:20803\r\n$4\r\npath\r\n$4\r\n/l/r\r\n$4\r\nargs\r\n*2\r\n$1\r\na\r\n$3\r\nb c\r\n";
    let script = peer().always("MODULE LIST", send(modules)).always("ROLE", send("*1\r\n*1\r\n:1\r\n"));
    let peer = script.start();
    let terminal = peer.rcli([""; 0]).on_terminal(80);
    terminal.wait("the first prompt", |rows| rows.last().is_some_and(|row| row.ends_with('>')));
    let prompt = format!("127.0.0.1:{}>", peer.port());
    terminal.run(
        &prompt,
        "MODULE LIST",
        &[
            "name    version  path          arguments",
            "bf      20802    /l/\\x1b[31mo",
            "ReJSON  20803    /l/r          a \"b c\"",
        ],
    );
    terminal.run(&prompt, "ROLE", &["1) 1) (integer) 1"]);
    terminal.leave();
}
