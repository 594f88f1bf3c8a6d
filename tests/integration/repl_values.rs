//! Values that a person can read: `peek`, durations, times, tables, JSON. Contract section 10.

use crate::pty::open;
use crate::server::Server;

/// Whether a line is a local time, `2026-01-31 12:00:00` with brackets around it.
fn ends_in_time(row: &str) -> bool {
    let Some((_, time)) = row.trim_end_matches(')').rsplit_once('(') else { return false };
    time.len() >= 19 && time.as_bytes()[4] == b'-' && time.as_bytes()[13] == b':'
}

#[test]
fn peek_shows_what_a_key_is_and_the_first_of_what_is_in_it() {
    let server = Server::start();
    for command in [
        "SET s hello EX 7300",
        "RPUSH l a b",
        "SADD set 1 2 3",
        "HSET h name Ada born 1815",
        "ZADD z 1.5 one 2 two",
        "XADD st 1-1 item apple qty 2",
    ] {
        server.ask(command);
    }
    let many: Vec<String> = (0..1000).map(|number| format!("e{number}")).collect();
    server.ask(&format!("RPUSH many {}", many.join(" ")));
    let (terminal, prompt) = open(&server, &[]);
    let shows = |key: &str, head: &[&str], body: &[&str]| {
        terminal.line(&format!("peek {key}"));
        terminal.wait(key, |rows| {
            let asked = format!("{prompt} peek {key}");
            let Some(at) = rows.iter().rposition(|row| *row == asked) else { return false };
            let [first, lines @ .., last] = &rows[at + 1..] else { return false };
            *last == prompt && head.iter().all(|part| first.contains(part)) && lines == body
        });
    };
    shows("s", &["string, embstr, 5 bytes, expires in 2 h 1 min"], &["  \"hello\""]);
    shows("l", &["list, ", "2 elements, no expiry", "of memory"], &["  a", "  b"]);
    shows("set", &["set, intset, 3 members"], &["  1", "  2", "  3"]);
    shows("h", &["hash, listpack, 2 fields"], &["  name  Ada", "  born  1815"]);
    shows("z", &["zset, listpack, 2 members"], &["  one  1.5", "  two  2"]);
    shows("st", &["stream, stream, 1 entry"], &["  1-1  item=apple qty=2"]);
    let ten: Vec<String> = (0..10).map(|number| format!("  e{number}")).collect();
    let mut ten: Vec<&str> = ten.iter().map(String::as_str).collect();
    ten.push("  ... of 1000 elements");
    shows("many", &["1000 elements"], &ten);
    terminal.run(&prompt, "peek nosuch", &["there is no such key"]);
    terminal.run(&prompt, "peek", &["rcli: usage: peek KEY"]);
    terminal.run(&prompt, ":set output json", &[]);
    terminal.line("peek l");
    terminal.shows("{\"type\":\"list\",");
    terminal.shows("\"content\":[\"a\",\"b\"]}");
    terminal.leave();
}

#[test]
fn a_number_says_what_it_is() {
    let server = Server::start();
    server.ask("SET k v");
    let (terminal, prompt) = open(&server, &[]);
    server.ask("PEXPIREAT k 4102444800123");
    terminal.line("TTL k");
    terminal.wait("a duration", |rows| {
        let [.., ttl, last] = rows else { return false };
        *last == prompt && ttl.starts_with("(integer) ") && ttl.contains("  (") && ttl.ends_with(" d)")
            || ttl.ends_with("h)")
    });
    terminal.line("PEXPIRETIME k");
    terminal.wait("a time", |rows| rows.len() > 1 && ends_in_time(&rows[rows.len() - 2]));
    terminal.line("TIME");
    terminal.wait("a time", |rows| rows.len() > 1 && ends_in_time(&rows[rows.len() - 2]));
    // A count is a count, and what is short needs no words.
    terminal.run(&prompt, "EXISTS k", &["(integer) 1"]);
    terminal.run(&prompt, "PERSIST k", &["(integer) 1"]);
    terminal.run(&prompt, "TTL k", &["(integer) -1"]);
    terminal.leave();
}

#[test]
fn lists_of_records_are_tables() {
    let server = Server::start();
    server.ask("ZADD z 1.5 one 2 two-words");
    server.ask("XADD st 1-1 item apple quantity 2");
    for args in [&[][..], &["-2"]] {
        let (terminal, prompt) = open(&server, args);
        terminal.run(&prompt, "ZRANGE z 0 -1 WITHSCORES", &["1) \"one\"        1.5", "2) \"two-words\"  2"]);
        terminal.run(&prompt, "ZRANGE z 0 -1", &["1) \"one\"", "2) \"two-words\""]);
        terminal.run(&prompt, "ZRANGE nosuch 0 -1 WITHSCORES", &["(empty array)"]);
        terminal.run(&prompt, "XRANGE st - +", &["1) 1-1", "   item      \"apple\"", "   quantity  \"2\""]);
        terminal.leave();
    }
    let (terminal, prompt) = open(&server, &[]);
    terminal.line("CLIENT LIST");
    terminal.wait("a table", |rows| {
        rows.last() == Some(&prompt)
            && rows.iter().any(|row| row.starts_with("id ") && row.ends_with("cmd"))
            && rows.iter().any(|row| row.ends_with("client|list"))
    });
    server.ask("CONFIG SET slowlog-log-slower-than 0");
    server.ask("SLOWLOG RESET");
    server.ask("ECHO slow");
    terminal.line("SLOWLOG GET 1");
    terminal.wait("a table", |rows| {
        let [.., head, row, last] = rows else { return false };
        *last == prompt && head.starts_with("id ") && head.ends_with("command") && row.contains(" ms ")
    });
    terminal.leave();
}

#[test]
fn text_that_is_json_is_indented_where_that_is_set() {
    let server = Server::start();
    server.call(&[b"SET", b"j", b"{\"a\":[1.10,{}],\"b\":\"\x1b[31m\"}"]);
    server.call(&[b"SET", b"plain", b"text"]);
    let (terminal, prompt) = open(&server, &[]);
    terminal.run(&prompt, "GET plain", &["\"text\""]);
    terminal.run(&prompt, ":set pretty on", &[]);
    // What drives a terminal is no JSON, and stays a string in quotes.
    terminal.run(&prompt, "GET j", &["\"{\\\"a\\\":[1.10,{}],\\\"b\\\":\\\"\\x1b[31m\\\"}\""]);
    server.call(&[b"SET", b"j", b"{\"a\":[1.10,{}],\"b\":\"x\"}"]);
    terminal.run(&prompt, "GET j", &["{", "  \"a\": [", "    1.10,", "    {}", "  ],", "  \"b\": \"x\"", "}"]);
    terminal.run(&prompt, "GET plain", &["\"text\""]);
    let elements =
        ["1) \"text\"", "2) {", "     \"a\": [", "       1.10,", "       {}", "     ],", "     \"b\": \"x\"", "   }"];
    terminal.run(&prompt, "MGET plain j nosuch", &[&elements[..], &["3) (nil)"]].concat());
    terminal.run(&prompt, "MGET plain nosuch", &["1) \"text\"", "2) (nil)"]);
    terminal.leave();
}

/// A compiled zone that is so many seconds before UTC, and is called XYZ.
fn zone(seconds: i32) -> Vec<u8> {
    // The first version's block, of which nothing is read, and the second's are alike here.
    let header = [&b"TZif2"[..], &[0; 15], &[0; 16], &1_u32.to_be_bytes(), &4_u32.to_be_bytes()].concat();
    let block = [&header[..], &seconds.to_be_bytes(), &[0, 0], b"XYZ\0"].concat();
    let (hours, minutes) = (seconds / 3600, seconds % 3600 / 60);
    [&block[..], &block, format!("\nXYZ-{hours}:{minutes:02}\n").as_bytes()].concat()
}

#[test]
fn a_point_in_time_is_told_in_the_zone_that_tz_names_or_spells_out() {
    let server = Server::start();
    server.ask("SET k v EXAT 4102444800");
    let named = server.rcli([""; 0]).file("zones/Far/Away", zone(20_700));
    let terminal = named.env("TZDIR", "zones").env("TZ", "Far/Away").on_terminal(100);
    let prompt = format!("{}>", server.address());
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.run(&prompt, "EXPIRETIME k", &["(integer) 4102444800  (2100-01-01 05:45:00)"]);
    terminal.leave();
    let terminal = server.rcli([""; 0]).env("TZ", "XYZ-8").on_terminal(100);
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    terminal.run(&prompt, "EXPIRETIME k", &["(integer) 4102444800  (2100-01-01 08:00:00)"]);
    terminal.leave();
}
