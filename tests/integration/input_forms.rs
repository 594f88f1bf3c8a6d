//! The other two forms of input: JSON lines and raw RESP (contract section 3).

use crate::rcli::rcli;
use crate::resp::{Reply, pack};
use crate::server::Server;

/// Feeds JSON lines to `pipe` and gives back the value then stored at `k`.
fn stored(line: &str) -> Reply {
    let server = Server::start();
    server.rcli(["pipe"]).stdin(format!("{line}\n")).prints("OK\n").run();
    server.call(&[b"GET", b"k"])
}

/// Runs `pipe --check` on bad input and wants this line number named.
fn assert_bad(input: impl AsRef<[u8]>, line: usize) {
    rcli(["pipe", "--check", "bad.txt"])
        .file("bad.txt", input)
        .status(2)
        .reports_among(&[&format!("rcli: bad.txt:{line}: ")])
        .run();
}

#[test]
fn a_line_that_begins_with_a_bracket_is_a_json_array() {
    let server = Server::start();
    server
        .rcli(["pipe", "--json"])
        .stdin("[\"HSET\",\"user:1\",\"name\",\"Ada\"]\nHGET user:1 name\n[ \"HGET\" , \"user:1\", \"name\" ]\r\n")
        .prints("1\n\"Ada\"\n\"Ada\"\n")
        .run();
}

#[test]
fn json_strings_are_unescaped() {
    assert_eq!(stored(r#"["SET","k","a\"b\\\n\u00e9\ud83d\ude00\u0000"]"#), Reply::Bulk("a\"b\\\né😀\0".into()));
    assert_eq!(stored("[\"SET\",\"k\",\"é 😀\"]"), Reply::Bulk("é 😀".into()));
    assert_eq!(stored(r#"["SET","k",""]"#), Reply::Bulk(Vec::new()));
}

#[test]
fn json_numbers_become_their_text() {
    for number in ["0", "-7", "1.5", "12345678901234567890123"] {
        assert_eq!(stored(&format!("[\"SET\",\"k\",{number}]")), Reply::Bulk(number.into()));
    }
}

#[test]
fn a_base64_object_gives_exact_bytes() {
    assert_eq!(stored(r#"["SET","k",{"base64":"AP/+Cg=="}]"#), Reply::Bulk(b"\0\xff\xfe\n".to_vec()));
}

#[test]
fn a_bad_json_line_is_named_with_its_reason_and_a_caret() {
    for bad in [
        r#"["SET","k""#,
        r#"["SET" "k"]"#,
        r#"["SET","k"] x"#,
        r#"["SET",null]"#,
        r#"["SET",true]"#,
        r#"["SET",["k"]]"#,
        r#"["SET",{"base64":"***"}]"#,
        r#"["SET",{"other":"x"}]"#,
        r#"["SET",{"base64":1}]"#,
        "[]",
        r#"["SET","\ud83d"]"#,
        "[",
    ] {
        let run = rcli(["pipe", "--check"]).stdin(format!("PING\n{bad}\n")).status(2).any_stderr().run();
        let err = run.err();
        let lines: Vec<&str> = err.lines().collect();
        assert_eq!(lines.len(), 3, "{bad}: {err}");
        assert!(lines[0].starts_with("rcli: stdin:2: ") && lines[0].len() > 16, "{bad}: {err}");
        assert_eq!(lines[1], format!("  {bad}"));
        let column = lines[2].find('^').unwrap_or_else(|| panic!("{bad}: {err}"));
        assert!(column <= lines[1].len(), "{bad}: {err}");
    }
}

#[test]
fn invalid_utf8_in_a_json_line_is_a_bad_line() {
    assert_bad(b"PING\n[\"SET\",\"k\",\"\xff\"]\n", 2);
}

#[test]
fn input_whose_first_byte_is_a_star_is_resp() {
    let server = Server::start();
    let input = [pack(&["SET", "k", "a\nb"]), pack(&["GET", "k"]), pack(&["SET", "bin"])].concat();
    let binary = [pack::<&[u8]>(&[b"SET", b"k\xff\0", b"v\r\n"]), pack::<&[u8]>(&[b"GET", b"k\xff\0"])].concat();
    server
        .rcli(["pipe", "--json"])
        .stdin(&input)
        .status(1)
        .prints_among(&["\"OK\"\n\"a\\nb\"\n{\"error\":"])
        .complains(&["stdin:", "SET bin: ERR wrong number of arguments"])
        .run();
    server.rcli(["pipe", "--json"]).stdin(&binary).prints("\"OK\"\n\"v\\r\\n\"\n").run();
}

#[test]
fn resp_is_taken_on_stdin_without_a_subcommand_too() {
    let server = Server::start();
    server.rcli([""; 0]).stdin([pack(&["SET", "k", "v"]), pack(&["GET", "k"])].concat()).prints("OK\nv\n").run();
}

#[test]
fn what_redis_cli_pipe_takes_gives_the_same_data() {
    let server = Server::start();
    let input: Vec<u8> = (0..500).flat_map(|i| pack(&["RPUSH".to_owned(), "l".to_owned(), format!("v{i}")])).collect();
    server.rcli(["pipe", "-q"]).stdin(&input).run();
    assert_eq!(server.ask("LLEN l"), "500");
    assert_eq!(server.ask("LINDEX l 499"), "v499");
}

#[test]
fn the_line_of_a_resp_command_is_that_of_its_first_byte() {
    let server = Server::start();
    server.ask("SET s v");
    // Each command of three arguments takes seven lines.
    let input = [pack(&["SET", "a", "1"]), pack(&["LPUSH", "s", "x"])].concat();
    server.rcli(["pipe"]).stdin(input).status(1).any_stdout().complains(&["rcli: stdin:8: LPUSH s x: WRONGTYPE"]).run();
}

#[test]
fn resp_that_is_cut_short_is_a_bad_line() {
    let server = Server::start();
    let whole = pack(&["SET", "k", "value"]);
    for length in [1, 2, 4, 10, whole.len() - 4, whole.len() - 1] {
        let input = [pack(&["INCR", "n"]), whole[..length].to_vec()].concat();
        server.rcli(["pipe", "-q"]).stdin(input).status(2).reports_among(&["rcli: stdin:6: "]).run();
    }
    assert_eq!(server.ask("GET n"), "6");
    assert_eq!(server.ask("EXISTS k"), "0");
}

#[test]
fn resp_with_wrong_lengths_is_a_bad_line_and_allocates_nothing() {
    for bad in [
        "*1\r\n$-5\r\nPING\r\n",
        "*-3\r\n",
        "*2\r\n+PING\r\n",
        "*1\r\n$99999999999999999999\r\nPING\r\n",
        "*1\r\n$2000000000\r\nPING\r\n",
        "*2000000000\r\n$4\r\nPING\r\n",
        "*1\r\n$4\r\nPINGxx",
        "*x\r\n",
        "*\r\n",
    ] {
        rcli(["pipe", "--check"])
            .stdin(bad)
            .through_sh("ulimit -v 600000; exec \"$0\" \"$@\"")
            .status(2)
            .reports_among(&["rcli: stdin:1: "])
            .run();
    }
}

#[test]
fn text_after_resp_is_a_bad_line() {
    assert_bad([pack(&["PING"]), b"PING\n".to_vec()].concat(), 4);
}

#[test]
fn a_literal_line_end_in_resp_is_named() {
    for (bad, spelled, line) in [
        (r"*1\r\n$4\r\nPING\r\n", r"\r\n", 1),
        (r"*1\n$4\nPING\n", r"\n", 1),
        ("*1\r\n$4\\r\\nPING\\r\\n", r"\r\n", 1),
        ("*1\r\n$4\r\nPING\\r\\n", r"\r\n", 1),
        ("*1\r\n$4\r\nPING\\n", r"\n", 1),
        ("*1\r\n$4\r\nPING\r\n*1\\r\\n", r"\r\n", 4),
    ] {
        for end in ["", "\n"] {
            let told = format!("rcli: stdin:{line}: bad RESP: a literal {spelled} stands where a line end belongs");
            rcli(["pipe", "--check"]).stdin(format!("{bad}{end}")).status(2).complains(&[&told]).run();
        }
    }
    // As data it may stand anywhere.
    let server = Server::start();
    server.rcli(["pipe"]).stdin(pack(&["ECHO", r"\r\n"])).prints("\\r\\n\n").run();
}

#[test]
fn a_literal_line_end_is_named_before_the_input_ends() {
    let mut run = rcli(["pipe", "--check"]).interactive().status(2).complains(&["a literal \\r\\n"]).start();
    run.send(r"*1\r\n$4\r\nPING\r\n");
    run.finish_with_open_stdin();
}

#[test]
fn what_no_server_takes_is_named_before_the_input_ends() {
    let endless = format!("*1\r\n${}", "1".repeat(32));
    for (bad, told) in
        [("*2147483648\r\n", "a server takes 2147483647 at most"), (endless.as_str(), "a length is too long")]
    {
        let mut run = rcli(["pipe", "--check"]).interactive().status(2).complains(&[told]).start();
        run.send(bad);
        run.finish_with_open_stdin();
    }
}

#[test]
fn resp_in_single_bytes_is_the_same_commands() {
    let server = Server::start();
    let input =
        [pack(&["SET", "k", "a\r\n$1\r\n"]), b"\r\n*0\r\n".to_vec(), pack(&["GET", "k"]), pack(&["DEL", "k", ""])];
    let mut run = server.rcli(["--json", "pipe"]).interactive().prints("\"OK\"\n\"a\\r\\n$1\\r\\n\"\n1\n").start();
    for byte in input.concat() {
        run.send([byte]);
    }
    run.finish();
}

/// A run that may take this much time of a processor: what grows with the square of its input takes many times that.
pub fn linear(run: crate::rcli::Rcli) -> crate::rcli::Rcli {
    run.through_sh("ulimit -t 20; exec \"$0\" \"$@\"")
}

#[test]
fn the_work_for_a_large_resp_command_does_not_grow_with_its_square() {
    let mut many = b"*1001\r\n$3\r\nDEL\r\n".to_vec();
    for _ in 0..1000 {
        many.extend_from_slice(b"$160000\r\n");
        many.resize(many.len() + 160_000, b'x');
        many.extend_from_slice(b"\r\n");
    }
    linear(rcli(["pipe", "--check"])).stdin(many).run();
    let blank = [pack(&["PING"]), vec![b'\n'; 60_000_000], pack(&["PING"])].concat();
    linear(rcli(["pipe", "--check"])).stdin(blank).run();
}

#[test]
fn a_resp_command_may_have_more_than_a_million_arguments() {
    let server = Server::start();
    let input = [b"*1100001\r\n$3\r\nDEL\r\n".to_vec(), b"$1\r\nk\r\n".repeat(1_100_000)].concat();
    linear(server.rcli(["pipe"])).stdin(input).prints("0\n").run();
}

#[test]
fn what_is_wrong_in_json_is_said_in_words_of_our_own() {
    for (line, said) in [
        ("[1,2", "the line ends before the array does"),
        ("[\"SET\",nul]", "a string, a number or {\"base64\""),
        ("[\"SET\",{\"hex\":\"QQ\"}]", "the only object that can be an argument is {\"base64\":"),
        ("[\"SET\",{\"base64\":1}]", "the value of base64 is a string"),
        ("[\"SET\" \"a\"]", "a comma or the end of the array is expected"),
        ("[\"SET\",]", "nothing follows a comma"),
        ("[\"SET\"] x", "something follows the array"),
        ("[\"SET\",1e]", "no such number"),
        ("[\"SET\",\"\\q\"]", "no such escape"),
    ] {
        let run = rcli(["pipe", "--check"]).stdin(format!("{line}\n")).status(2).any_stdout();
        run.reports_among(&["stdin:1: bad JSON: ", said]).run();
    }
    let said = "rcli: stdin:1: bad JSON: a string is UTF-8: other bytes are written {\"base64\":\"…\"}\n  [\"\\xff\"]\n    ^\n";
    rcli(["pipe", "--check"]).stdin(b"[\"\xff\"]\n".as_slice()).status(2).reports(said).run();
}
