//! Human and raw output compared byte for byte with the real redis-cli (contract section 2), for ASCII data.

use crate::server::Server;
use std::io::Write;
use std::process::{Command, Stdio};

/// What redis-cli prints with these arguments and this input. A missing redis-cli fails the test.
pub fn redis_cli(server: &Server, args: &[&str], stdin: &[u8]) -> Vec<u8> {
    let mut child = Command::new("redis-cli")
        .args(["-p", &server.port().to_string()])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-cli is on PATH (Debian: apt-get install redis-tools)");
    child.stdin.take().expect("its input").write_all(stdin).expect("redis-cli reads its input");
    child.wait_with_output().expect("redis-cli ends").stdout
}

/// Data of every type, all ASCII.
const DATA: &str = r#"
SET string "hello world"
SET empty ""
SET number 42
SET controls "tab\there\r\nquote\" backslash\\ bell\a nul\x00 del\x7f"
RPUSH list a b "c d" "" 5
HSET hash name Ada year 1815 "odd key" "v\n"
SADD set one
SADD ints 1 2 3
ZADD zset 1 a 2.5 b 3e30 c
ZADD inf inf top -inf bottom
ZADD odd 3.14 a 0.1 b 1e21 c 1.5e-7 d 1e17 e 123456789.123 f -0 g 1e-300 h
XADD stream 1-1 f v g "w x"
XADD stream 2-1 h i
XGROUP CREATE stream g 0
PFADD hll a b c
GEOADD geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
SETBIT bits 7 1
EXPIRE number 100000
"#;

/// Commands that read, whose reply is the same each time.
const READS: &[&str] = &[
    "PING",
    "PING hello",
    "ECHO x",
    "GET string",
    "GET empty",
    "GET number",
    "GET controls",
    "GET none",
    "STRLEN string",
    "GETRANGE string 0 4",
    "MGET string none number",
    "EXISTS string",
    "TYPE list",
    "LRANGE list 0 -1",
    "LRANGE none 0 -1",
    "LLEN list",
    "LINDEX list 2",
    "LPOS list a",
    "HGETALL hash",
    "HGETALL none",
    "HKEYS hash",
    "HVALS hash",
    "HGET hash none",
    "HMGET hash name none",
    "SMEMBERS set",
    "SMEMBERS none",
    "SMEMBERS ints",
    "SMISMEMBER ints 1 9",
    "SISMEMBER ints 1",
    "ZRANGE zset 0 -1",
    "ZRANGE zset 0 -1 WITHSCORES",
    "ZRANGE inf 0 -1 WITHSCORES",
    "ZRANGE odd 0 -1 WITHSCORES",
    "ZSCORE zset b",
    "ZSCORE zset c",
    "ZSCORE none x",
    "ZMSCORE zset a none",
    "ZRANK zset b",
    "XRANGE stream - +",
    "XLEN stream",
    "XREAD COUNT 1 STREAMS stream 0",
    "XREAD STREAMS none 0",
    "XINFO STREAM stream",
    "XINFO GROUPS stream",
    "XPENDING stream g",
    "PFCOUNT hll",
    "GEOPOS geo Palermo none",
    "GEODIST geo Palermo Catania km",
    "GEOSEARCH geo FROMLONLAT 15 37 BYRADIUS 200 km WITHCOORD WITHDIST",
    "GETBIT bits 7",
    "BITCOUNT bits",
    "BITFIELD bits GET u8 0",
    "SORT ints DESC",
    "SCAN 0 COUNT 1000",
    "HSCAN hash 0",
    "ZSCAN zset 0",
    "OBJECT ENCODING number",
    "OBJECT HELP",
    "DBSIZE",
    "CONFIG GET maxmemory*",
    "CONFIG GET none",
    "COMMAND INFO get",
    "COMMAND INFO nosuch",
    "COMMAND GETKEYS SET a b",
    "COMMAND COUNT",
    "COMMAND DOCS get",
    "ACL WHOAMI",
    "ACL LIST",
    "ACL GETUSER default",
    "ACL CAT string",
    "CLIENT GETNAME",
    "CLIENT NO-EVICT off",
    "SLOWLOG LEN",
    "LATENCY LATEST",
    "MEMORY DOCTOR",
    "LATENCY DOCTOR",
    "INFO modules",
    "INFO replication",
    "INFO cluster",
    "ROLE",
    "SET string again NX",
    "WAIT 0 1",
    "EVAL return{1,2,{3,'four'}} 0",
    "EVAL return{ok='fine'} 0",
    "EVAL return(nil) 0",
    "EVAL return(false) 0",
    "EVAL return(3.99) 0",
    "EVAL redis.setresp(3);return(true) 0",
    "DUMP none",
    "TIME none none",
    "LCS string number",
    "LCS string string IDX",
    "FUNCTION LIST",
    "FUNCTION STATS",
    "SCRIPT EXISTS 0000000000000000000000000000000000000000",
    "DEBUG PROTOCOL string",
    "DEBUG PROTOCOL integer",
    "DEBUG PROTOCOL double",
    "DEBUG PROTOCOL null",
    "DEBUG PROTOCOL array",
    "DEBUG PROTOCOL set",
    "DEBUG PROTOCOL map",
    "DEBUG PROTOCOL verbatim",
    "DEBUG PROTOCOL true",
    "DEBUG PROTOCOL false",
    "DEBUG PROTOCOL push",
    "DEBUG JMAP",
    "NOSUCHCOMMAND x",
    "GET",
    "LPUSH string x",
    "EVAL return(redis.error_reply('MY')) 0",
    "EVALSHA ff 0",
    "SELECT 99",
];

/// A server with the data in it.
fn filled() -> Server {
    let server = Server::start();
    redis_cli(&server, &[], DATA.as_bytes());
    assert_eq!(server.ask("DBSIZE"), "15");
    server
}

/// Runs every read in both programs with these options and lists the differences.
fn compare(options: &[&str], skip: impl Fn(&[u8]) -> bool) {
    let server = filled();
    let mut differences = String::new();
    for command in READS {
        let words: Vec<&str> = command.split(' ').collect();
        let expected = redis_cli(&server, &[options, &words].concat(), b"");
        if skip(&expected) {
            continue;
        }
        let run = server.rcli(options).args(&words).status_among(&[0, 1]).any_stdout().run();
        if run.stdout != expected {
            let (theirs, ours) = (String::from_utf8_lossy(&expected), String::from_utf8_lossy(&run.stdout));
            differences += &format!("{command}\n--- redis-cli\n{theirs}--- rcli\n{ours}");
        }
    }
    assert!(differences.is_empty(), "{options:?} differ:\n{differences}");
}

/// Whether a raw reply is an error: rcli's exec writes those to stderr.
fn is_raw_error(reply: &[u8]) -> bool {
    let text = String::from_utf8_lossy(reply);
    ["ERR ", "WRONGTYPE ", "NOSCRIPT ", "MY", "DENIED "].iter().any(|code| text.starts_with(code))
}

#[test]
fn human_replies_in_resp2_are_redis_clis_bytes() {
    compare(&["-2", "--no-raw"], |_| false);
}

#[test]
fn human_replies_in_resp3_are_redis_clis_bytes() {
    compare(&["-3", "--no-raw"], |_| false);
}

#[test]
fn raw_replies_in_resp2_are_redis_clis_bytes() {
    compare(&["-2", "--raw"], is_raw_error);
}

#[test]
fn raw_replies_in_resp3_are_redis_clis_bytes() {
    compare(&["-3", "--raw"], is_raw_error);
}

#[test]
fn csv_in_resp2_is_redis_clis_bytes() {
    compare(&["--csv"], |_| false);
}

#[test]
fn csv_in_resp3_is_redis_clis_bytes() {
    compare(&["-3", "--csv"], |_| false);
}

#[test]
fn human_is_another_name_for_no_raw() {
    let server = filled();
    for command in ["HGETALL hash", "GET controls", "ZRANGE zset 0 -1 WITHSCORES"] {
        let words: Vec<&str> = command.split(' ').collect();
        let expected = redis_cli(&server, &[&["-3", "--no-raw"][..], &words].concat(), b"");
        server.rcli(["--human"]).args(&words).prints(expected).run();
    }
}

#[test]
fn the_delimiters_of_raw_are_redis_clis() {
    let server = filled();
    for options in [["-d", ","], ["-D", "|"], ["-D", ""], ["-d", ""], ["-d", "\\n"]] {
        for command in
            ["LRANGE list 0 -1", "GET string", "GET none", "HGETALL hash", "XRANGE stream - +", "PING", "DBSIZE"]
        {
            let words: Vec<&str> = command.split(' ').collect();
            let expected = redis_cli(&server, &[&options[..], &words].concat(), b"");
            server.rcli(options).args(&words).prints(expected).run();
        }
    }
}

#[test]
fn text_on_stdin_gives_redis_clis_bytes_in_human_format() {
    let server = filled();
    let input = "GET string\nHGETALL hash\nLRANGE list 0 -1\nGET none\nINCR counter\n";
    for version in ["-2", "-3"] {
        server.ask("DEL counter");
        let expected = redis_cli(&server, &[version, "--no-raw"], input.as_bytes());
        server.ask("DEL counter");
        server.rcli([version, "--no-raw"]).stdin(input).prints(&expected).run();
        server.ask("DEL counter");
        server.rcli(["pipe", version, "--no-raw"]).stdin(input).prints(&expected).run();
    }
}

#[test]
fn client_list_and_its_kind_print_as_text() {
    let server = filled();
    for command in [["CLIENT", "LIST"], ["CLIENT", "INFO"]] {
        let out = server.rcli(["--human"]).args(command).any_stdout().run().out();
        assert!(out.starts_with("id=") && out.ends_with('\n'), "{out}");
    }
    let out = server.rcli(["--human", "INFO", "server"]).any_stdout().run().out();
    assert!(out.starts_with("# Server\r\nredis_version:") || out.starts_with("# Server\nredis_version:"), "{out}");
    server.rcli(["--human", "LATENCY", "DOCTOR"]).prints_among(&["Dave"]).run();
}
