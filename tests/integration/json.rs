//! JSON output: every type a server can answer, from a scripted peer and from `DEBUG PROTOCOL` (contract section 2).

use crate::peer::{peer, send};
use crate::server::Server;
use serde_json::Value;

/// The JSON lines for these replies, asked one after the other with these further options.
fn lines(options: &[&str], replies: &[&[u8]], status: i32) -> Vec<String> {
    let peer = peer().answers(replies.iter().map(send)).start();
    let input = "X\n".repeat(replies.len());
    let run = peer.rcli(["pipe", "--json"]).args(options).stdin(input).status(status).any_stdout().any_stderr().run();
    let lines: Vec<String> = run.out().lines().map(str::to_owned).collect();
    for line in &lines {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("not JSON: {error}: {line}"));
    }
    lines
}

/// Each reply must become its line.
fn assert_lines(pairs: &[(&[u8], &str)]) {
    let replies: Vec<&[u8]> = pairs.iter().map(|pair| pair.0).collect();
    let expected: Vec<&str> = pairs.iter().map(|pair| pair.1).collect();
    assert_eq!(lines(&[], &replies, 0), expected);
}

#[test]
fn strings_are_strings() {
    assert_lines(&[
        (b"+OK\r\n", r#""OK""#),
        (b"+\r\n", r#""""#),
        (b"$5\r\nhello\r\n", r#""hello""#),
        (b"$0\r\n\r\n", r#""""#),
        (b"=15\r\ntxt:Some string\r\n", r#""Some string""#),
        (b"=8\r\nmkd:# Hi\r\n", "\"# Hi\""),
        ("$7\r\nhé😀\r\n".as_bytes(), "\"hé😀\""),
        (b"$6\r\na\nb\r\nc\r\n", r#""a\nb\r\nc""#),
        (b"$5\r\n\"\\\t\x00\x1b\r\n", r#""\"\\\t\u0000\u001b""#),
    ]);
}

#[test]
fn strings_that_are_not_utf8_are_base64_objects() {
    assert_lines(&[
        (b"$3\r\n\xff\xfe\x00\r\n", r#"{"base64":"//4A"}"#),
        (b"*1\r\n$2\r\n\xc3(\r\n", r#"[{"base64":"wyg="}]"#),
        (b"=6\r\ntxt:\xff\xfe\r\n", r#"{"base64":"//4="}"#),
    ]);
}

#[test]
fn a_simple_string_that_is_not_utf8_is_an_object_or_the_end() {
    // The contract asks for the object; a status 3 with its resume line is what it allows for what cannot be decoded.
    let peer = peer().answers([send(b"+\xff\r\n")]).start();
    let run = peer.rcli(["--json", "X"]).status_among(&[0, 3]).any_stdout().any_stderr().run();
    assert!(run.out() == "{\"base64\":\"/w==\"}\n" || run.err().starts_with("rcli: "), "{}{}", run.out(), run.err());
}

#[test]
fn with_encoding_base64_every_bulk_string_is_an_object() {
    let found =
        lines(&["--encoding", "base64"], &[b"$5\r\nhello\r\n", b"*2\r\n$0\r\n\r\n:1\r\n", b"+OK\r\n", b"$-1\r\n"], 0);
    assert_eq!(found, [r#"{"base64":"aGVsbG8="}"#, r#"[{"base64":""},1]"#, r#""OK""#, "null"]);
}

#[test]
fn integers_and_big_numbers_keep_every_digit() {
    assert_lines(&[
        (b":0\r\n", "0"),
        (b":-1\r\n", "-1"),
        (b":9223372036854775807\r\n", "9223372036854775807"),
        (b":-9223372036854775808\r\n", "-9223372036854775808"),
        (b"(3492890328409238509324850943850943825024385\r\n", "3492890328409238509324850943850943825024385"),
        (b"(-3492890328409238509324850943850943825024385\r\n", "-3492890328409238509324850943850943825024385"),
    ]);
}

#[test]
fn doubles_keep_the_servers_own_digits() {
    for text in ["10", "10.0", "3.14", "-0.5", "-0", "1e300", "1E5", "1e+20", "13.36138933897018433", "5e-324"] {
        assert_lines(&[(format!(",{text}\r\n").as_bytes(), text)]);
    }
}

#[test]
fn a_double_that_is_no_json_number_is_a_string() {
    for text in ["inf", "-inf", "nan", "-nan", ".5", "5.", "+5", "-.5", "007", "Infinity"] {
        assert_lines(&[(format!(",{text}\r\n").as_bytes(), &format!("\"{text}\""))]);
    }
}

#[test]
fn a_score_can_be_counted_with() {
    let server = Server::start();
    server.rcli(["--json"]).stdin("ZADD z 10 m\nZSCORE z m\n").prints("1\n10\n").run();
    server.rcli(["--json", "ZRANGE", "z", "0", "-1", "WITHSCORES"]).prints("[[\"m\",10]]\n").run();
}

#[test]
fn every_nil_is_null() {
    assert_lines(&[
        (b"$-1\r\n", "null"),
        (b"*-1\r\n", "null"),
        (b"_\r\n", "null"),
        (b"*2\r\n$-1\r\n_\r\n", "[null,null]"),
    ]);
}

#[test]
fn booleans_are_booleans() {
    assert_lines(&[(b"#t\r\n", "true"), (b"#f\r\n", "false")]);
}

#[test]
fn arrays_and_sets_are_arrays() {
    assert_lines(&[
        (b"*0\r\n", "[]"),
        (b"~0\r\n", "[]"),
        (b"*3\r\n:1\r\n+a\r\n*1\r\n$1\r\nb\r\n", r#"[1,"a",["b"]]"#),
        (b"~2\r\n+x\r\n:2\r\n", r#"["x",2]"#),
    ]);
}

#[test]
fn maps_are_objects_in_the_servers_order() {
    assert_lines(&[
        (b"%0\r\n", "{}"),
        (b"%3\r\n+z\r\n:1\r\n$1\r\na\r\n:2\r\n+m\r\n%1\r\n+k\r\n_\r\n", r#"{"z":1,"a":2,"m":{"k":null}}"#),
        (b"%1\r\n$3\r\na\"b\r\n:1\r\n", r#"{"a\"b":1}"#),
    ]);
}

#[test]
fn keys_that_are_numbers_or_booleans_become_their_text() {
    assert_lines(&[
        (b"%2\r\n:1\r\n+a\r\n:-2\r\n+b\r\n", r#"{"1":"a","-2":"b"}"#),
        (b"%2\r\n#t\r\n:1\r\n#f\r\n:0\r\n", r#"{"true":1,"false":0}"#),
        (b"%1\r\n,1.5\r\n:1\r\n", r#"{"1.5":1}"#),
        (b"%1\r\n(123456789012345678901234567890\r\n:1\r\n", r#"{"123456789012345678901234567890":1}"#),
    ]);
}

#[test]
fn a_map_with_a_key_that_is_not_utf8_is_an_array_of_pairs() {
    assert_lines(&[(b"%2\r\n+a\r\n:1\r\n$1\r\n\xff\r\n:2\r\n", r#"[["a",1],[{"base64":"/w=="},2]]"#)]);
}

#[test]
fn a_big_number_that_is_none_is_a_string_and_no_name_where_it_is_not_utf8() {
    assert_lines(&[
        (b"(12x\r\n", "\"12x\""),
        (b"%1\r\n(12x\r\n:1\r\n", "{\"12x\":1}"),
        (b"%1\r\n(\xff\r\n:1\r\n", "[[{\"base64\":\"/w==\"},1]]"),
    ]);
}

#[test]
fn maps_with_odd_keys_are_still_valid_json() {
    let found = lines(
        &[],
        &[
            b"%1\r\n_\r\n:1\r\n",
            b"%1\r\n*1\r\n:1\r\n:2\r\n",
            b"%1\r\n%1\r\n+a\r\n:1\r\n:2\r\n",
            b"%1\r\n$0\r\n\r\n:1\r\n",
        ],
        0,
    );
    assert_eq!(found.len(), 4);
    assert_eq!(found[3], r#"{"":1}"#);
}

#[test]
fn a_map_with_a_name_twice_is_an_array_of_pairs() {
    assert_lines(&[
        (b"%2\r\n+a\r\n:1\r\n+a\r\n:2\r\n", r#"[["a",1],["a",2]]"#),
        (b"%2\r\n$1\r\na\r\n:1\r\n$1\r\na\r\n:2\r\n", r#"[["a",1],["a",2]]"#),
        (b"%3\r\n$1\r\na\r\n:1\r\n+b\r\n:2\r\n+a\r\n:3\r\n", r#"[["a",1],["b",2],["a",3]]"#),
        (b"%2\r\n:1\r\n+a\r\n$1\r\n1\r\n+b\r\n", r#"[[1,"a"],["1","b"]]"#),
        (b"%2\r\n$0\r\n\r\n:1\r\n$0\r\n\r\n:2\r\n", r#"[["",1],["",2]]"#),
        (b"*1\r\n%2\r\n+a\r\n:1\r\n+a\r\n:2\r\n", r#"[[["a",1],["a",2]]]"#),
    ]);
}

#[test]
fn a_name_twice_is_found_in_maps_of_any_size() {
    for size in [2, 7, 8, 9, 10, 1000] {
        let pairs = |last: &str| {
            let keys: String = (1..size).map(|key| format!("+k{key}\r\n:0\r\n")).collect();
            format!("%{size}\r\n{keys}+{last}\r\n:0\r\n").into_bytes()
        };
        let found = lines(&[], &[&pairs("k1"), &pairs("other")], 0);
        assert!(found[0].starts_with("[[\"k1\",0],"), "{size} pairs: {}", found[0]);
        assert!(found[1].starts_with("{\"k1\":0,"), "{size} pairs: {}", found[1]);
    }
}

#[test]
fn an_attribute_is_dropped_and_its_value_stays() {
    assert_lines(&[
        (b"|1\r\n+ttl\r\n:3600\r\n$1\r\nv\r\n", r#""v""#),
        (b"*2\r\n:1\r\n|1\r\n+x\r\n:9\r\n:2\r\n", "[1,2]"),
    ]);
}

#[test]
fn pushes_are_no_part_of_a_reply() {
    assert_lines(&[
        (b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n$1\r\nv\r\n", r#""v""#),
        (b">1\r\n+x\r\n>1\r\n+y\r\n:1\r\n", "1"),
        (b":2\r\n", "2"),
    ]);
}

#[test]
fn show_pushes_writes_them_as_lines() {
    let found = lines(&["--show-pushes"], &[b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n$1\r\nv\r\n"], 0);
    assert_eq!(found, [r#"{"push":["invalidate",["k"]]}"#, r#""v""#]);
}

#[test]
fn show_pushes_takes_the_next_word_only_if_that_is_yes_or_no() {
    let server = Server::start();
    server.ask("SET yes v");
    let is_v = |args: &[&str]| server.rcli(args.iter().copied()).prints("v\n").run();
    is_v(&["--show-pushes", "no", "GET", "yes"]);
    is_v(&["--show-pushes", "Y", "GET", "yes"]);
    is_v(&["--show-pushes", "exec", "--show-pushes", "n", "GET", "yes"]);
    is_v(&["--show-pushes", "GET", "yes"]);
    server.rcli(["pipe", "--show-pushes", "no"]).stdin("GET yes\n").prints("v\n").run();
    server.rcli(["ECHO", "--show-pushes"]).prints("--show-pushes\n").run();
    server.rcli(["--show-pushes=maybe", "PING"]).status(2).complains(&["--show-pushes", "maybe"]).run();
    let push = b">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n$1\r\nv\r\n";
    assert_eq!(lines(&["--show-pushes", "no"], &[push], 0), [r#""v""#]);
    assert_eq!(lines(&["--show-pushes", "no", "--show-pushes", "yes"], &[push], 0).len(), 2);
}

#[test]
fn quoted_json_has_redis_clis_escapes_in_place_of_base64() {
    let server = Server::start();
    let value = b"a\x00\xff\"\\\n\xc3\xa9 ~";
    server.call(&[b"HSET", b"h", b"plain", b"x", b"\xfe", value]);
    let shown = |args: &[&str]| server.rcli(args.iter().copied()).any_stdout().run().out();
    let line = shown(&["--json", "--quoted-json", "HGETALL", "h"]);
    assert_eq!(line, "{\"plain\":\"x\",\"\\\\xfe\":\"a\\\\x00\\\\xff\\\\\\\"\\\\\\\\\\\\n\\\\xc3\\\\xa9 ~\"}\n");
    let json: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(json["\\xfe"], "a\\x00\\xff\\\"\\\\\\n\\xc3\\xa9 ~");
    assert_eq!(shown(&["--quoted-json", "HGET", "h", "plain"]), "\"x\"\n", "it means JSON");
}

#[test]
fn errors_are_objects_with_code_and_message() {
    let found = lines(
        &[],
        &[
            b"-WRONGTYPE Operation against a key\r\n",
            b"-ERR unknown command 'x', with args: \"y\"\r\n",
            b"!21\r\nSYNTAX invalid syntax\r\n",
            b"-LOADING\r\n",
        ],
        1,
    );
    assert_eq!(
        found,
        [
            r#"{"error":{"code":"WRONGTYPE","message":"Operation against a key"}}"#,
            r#"{"error":{"code":"ERR","message":"unknown command 'x', with args: \"y\""}}"#,
            r#"{"error":{"code":"SYNTAX","message":"invalid syntax"}}"#,
            r#"{"error":{"code":"LOADING","message":""}}"#,
        ]
    );
}

#[test]
fn every_error_code_of_a_server_is_kept() {
    let codes = [
        "MOVED 1 127.0.0.1:1",
        "ASK 1 127.0.0.1:1",
        "BUSYGROUP Consumer Group name already exists",
        "NOAUTH Authentication required.",
        "EXECABORT Transaction discarded",
        "READONLY You can't write",
        "NOSCRIPT No matching script",
        "CROSSSLOT Keys",
        "TRYAGAIN x",
        "MISCONF x",
        "OOM x",
        "NOPERM x",
        "BUSY x",
        "MASTERDOWN x",
        "CLUSTERDOWN x",
        "UNKILLABLE x",
        "CODE_2 x",
    ];
    let replies: Vec<Vec<u8>> = codes.iter().map(|code| format!("-{code}\r\n").into_bytes()).collect();
    let replies: Vec<&[u8]> = replies.iter().map(Vec::as_slice).collect();
    for (line, text) in lines(&[], &replies, 1).iter().zip(codes) {
        let (code, message) = text.split_once(' ').unwrap();
        assert_eq!(*line, format!(r#"{{"error":{{"code":"{code}","message":"{message}"}}}}"#));
    }
}

#[test]
fn an_error_without_a_code_keeps_its_first_word_in_the_message() {
    let texts = ["Index already exists", "MyOwn code", "unknown", "Err x", "ERR: x", "", " x", "É x", "-ERR twice"];
    let replies: Vec<Vec<u8>> = texts.iter().map(|text| format!("-{text}\r\n").into_bytes()).collect();
    let replies: Vec<&[u8]> = replies.iter().map(Vec::as_slice).collect();
    for options in [&[][..], &["--envelope"]] {
        for (line, text) in lines(options, &replies, 1).iter().zip(texts) {
            let error = format!(r#""error":{{"code":"","message":"{text}"}}"#);
            assert!(line.ends_with(&format!("{error}}}")), "{line}");
        }
    }
    let server = Server::start();
    server
        .rcli(["--json", "EVAL", "return {redis.error_reply('Index already exists')}", "0"])
        .status(1)
        .prints("[{\"error\":{\"code\":\"\",\"message\":\"Index already exists\"}}]\n")
        .any_stderr()
        .run();
}

#[test]
fn nested_errors_keep_their_place() {
    let found = lines(&[], &[b"*3\r\n:1\r\n-ERR inner\r\n*1\r\n-MOVED 7 host:1\r\n"], 1);
    assert_eq!(
        found,
        [r#"[1,{"error":{"code":"ERR","message":"inner"}},[{"error":{"code":"MOVED","message":"7 host:1"}}]]"#]
    );
}

#[test]
fn debug_protocol_of_a_real_server_gives_json_of_every_type() {
    let server = Server::start();
    let types = [
        "string", "integer", "double", "null", "array", "set", "map", "attrib", "push", "verbatim", "true", "false",
        "bignum",
    ];
    let input: String = types.iter().map(|kind| format!("DEBUG PROTOCOL {kind}\n")).collect();
    server
        .rcli(["pipe", "--json"])
        .stdin(input)
        .prints(concat!(
            "\"Hello World\"\n",
            "12345\n",
            "3.141\n",
            "null\n",
            "[0,1,2]\n",
            "[0,1,2]\n",
            "{\"0\":false,\"1\":true,\"2\":false}\n",
            "\"Some real reply following the attribute\"\n",
            "\"Some real reply following the push reply\"\n",
            "\"This is a verbatim\\nstring\"\n",
            "true\n",
            "false\n",
            "1234567999999999999999999999999999999\n",
        ))
        .run();
}
