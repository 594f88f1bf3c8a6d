//! `tail`: which entries it writes, how, and when it ends (contract section 15).

use crate::bounds::memory;
use crate::peer::{peer, send};
use crate::resp::bulk;
use crate::server::Server;
use rustix::process::Signal;

/// Waits until somebody waits for entries.
pub fn wait_for_readers(server: &Server, count: usize) {
    server.wait_until("INFO clients", |info| info.contains(&format!("blocked_clients:{count}\r\n")));
}

/// A server with a stream `s` of the entries `1-0` to this one, each with its number as `n`.
pub fn server_with(entries: usize) -> Server {
    let server = Server::start();
    add(&server, 1..=entries);
    server
}

/// Adds entries.
pub fn add(server: &Server, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        assert_eq!(server.ask(&format!("XADD s {number}-0 n {number}")), format!("{number}-0"));
    }
}

/// The lines of entries with these numbers.
pub fn lines_of(numbers: impl IntoIterator<Item = usize>, behind: &str) -> String {
    let line = |n: usize| format!("{{\"stream\":\"s\",\"id\":\"{n}-0\",\"fields\":{{\"n\":\"{n}\"}}{behind}}}\n");
    numbers.into_iter().map(line).collect()
}

#[test]
fn what_there_is_and_what_comes_is_written_line_by_line_in_both_versions_of_resp() {
    for protocol in ["-2", "-3"] {
        let server = server_with(2);
        let mut run = server.rcli(["tail", protocol, "s", "--from", "0"]).any_stdout().status(130).start();
        run.wait_for_lines(2);
        wait_for_readers(&server, 1);
        add(&server, 3..=4);
        assert_eq!(run.interrupt_after(4).out(), lines_of(1..=4, ""));
    }
}

#[test]
fn by_default_only_what_comes_is_written() {
    let server = server_with(3);
    let run = server.rcli(["tail", "s", "--count", "2"]).prints(lines_of(4..=5, "")).start();
    wait_for_readers(&server, 1);
    add(&server, 4..=6);
    run.finish();
}

#[test]
fn a_stream_that_is_not_there_yet_is_waited_for() {
    let server = Server::start();
    let run = server.rcli(["tail", "s", "--count", "1"]).prints(lines_of([1], "")).start();
    wait_for_readers(&server, 1);
    add(&server, [1]);
    run.finish();
}

#[test]
fn reading_begins_behind_an_id_and_ends_with_one() {
    let server = server_with(5);
    server.ask("XADD s 6-5 n 6");
    let run = |args: &[&str]| server.rcli(["tail", "s"]).args(args);
    run(&["--from", "2-0", "--count", "1"]).prints(lines_of([3], "")).run();
    run(&["--from", "2", "--until", "4-0"]).prints(lines_of(3..=4, "")).run();
    run(&["--from", "0", "--until", "$", "--raw"]).prints("1\n2\n3\n4\n5\n6\n").run();
    // What there is behind the last id ends it too, and an id without a number is the last of its millisecond.
    run(&["--from", "3-0", "--until", "5-9"]).prints(lines_of(4..=5, "")).run();
    server.ask("XADD s 7-0 n 7");
    run(&["--from", "5-0", "--until", "6", "--raw"]).prints("6\n").run();
    server.ask("XDEL s 7-0");
    // Nothing comes any more of what is not there.
    server.ask("XDEL s 6-5");
    run(&["--from", "5-0", "--until", "6-5"]).prints("").run();
    run(&["--from", "$", "--until", "$"]).prints("").run();
    // What is behind 9-0 is behind 7 too, whatever is added.
    run(&["--from", "9-0", "--until", "7"]).prints("").run();
    run(&["--from", "0", "--until", "$", "--count", "9"]).prints(lines_of(1..=5, "")).run();
}

#[test]
fn a_last_id_that_is_to_come_is_waited_for() {
    let server = server_with(1);
    let run = server.rcli(["tail", "s", "--until", "3-0"]).prints(lines_of(2..=3, "")).start();
    wait_for_readers(&server, 1);
    add(&server, 2..=4);
    run.finish();
}

#[test]
fn several_streams_are_read_each_in_its_order() {
    let server = Server::start();
    for number in 1..=3000 {
        server.ask(&format!("XADD {} {number}-0 n {number}", ["a", "b", "c"][number % 3]));
    }
    let finished = server.rcli(["tail", "a", "b", "c", "a", "--from", "0", "--until", "$"]).any_stdout().run();
    let out = finished.out();
    assert_eq!(out.lines().count(), 3000);
    for (place, stream) in ["a", "b", "c"].into_iter().enumerate() {
        let begin = format!("{{\"stream\":\"{stream}\",\"id\":\"");
        let ids = out.lines().filter_map(|line| line.strip_prefix(&begin)?.split("-0").next());
        let expected = (1..=3000).filter(|number| number % 3 == place).map(|number| number.to_string());
        assert!(ids.eq(expected.collect::<Vec<_>>()), "{stream}");
    }
}

#[test]
fn fields_are_an_object_in_order_or_pairs_where_they_cannot_be() {
    let server = Server::start();
    let add = |id: &str, fields: &[&[u8]]| {
        let argv = [&[&b"XADD"[..], b"s", id.as_bytes()], fields].concat();
        server.call(&argv);
    };
    add("1-0", &[b"b", b"1", b"a", b"\xff\"", b"", b""]);
    add("2-0", &[b"a", b"1", b"b", b"2", b"a", b"3"]);
    add("3-0", &[b"\xff", b"1", b"a", b"2"]);
    let many: Vec<String> = (0..20).flat_map(|number| [format!("f{number}"), number.to_string()]).collect();
    let many: Vec<&[u8]> = many.iter().map(String::as_bytes).collect();
    add("4-0", &many);
    add("5-0", &[many.as_slice(), &[b"f0", b"x"]].concat());
    let object: Vec<String> = (0..20).map(|number| format!("\"f{number}\":\"{number}\"")).collect();
    let pairs: Vec<String> = (0..20).map(|number| format!("[\"f{number}\",\"{number}\"]")).collect();
    let lines = [
        "{\"b\":\"1\",\"a\":{\"base64\":\"/yI=\"},\"\":\"\"}".to_owned(),
        "[[\"a\",\"1\"],[\"b\",\"2\"],[\"a\",\"3\"]]".to_owned(),
        "[[{\"base64\":\"/w==\"},\"1\"],[\"a\",\"2\"]]".to_owned(),
        format!("{{{}}}", object.join(",")),
        format!("[{},[\"f0\",\"x\"]]", pairs.join(",")),
    ];
    let line = |(id, fields)| format!("{{\"stream\":\"s\",\"id\":\"{id}-0\",\"fields\":{fields}}}\n");
    let all: String = (1..).zip(&lines).map(line).collect();
    server.rcli(["tail", "s", "--from", "0", "--until", "$"]).prints(all).run();
    let run = server.rcli(["tail", "s", "--from", "0", "--count", "1", "--encoding", "base64"]);
    run.prints(
        "{\"stream\":{\"base64\":\"cw==\"},\"id\":\"1-0\",\"fields\":[[{\"base64\":\"Yg==\"},{\"base64\":\"MQ==\"}],\
         [{\"base64\":\"YQ==\"},{\"base64\":\"/yI=\"}],[{\"base64\":\"\"},{\"base64\":\"\"}]]}\n",
    )
    .run();
}

#[test]
fn values_alone_and_readable_lines() {
    let server = Server::start();
    server.call(&[b"XADD", b"s", b"1-0", b"item", b"an apple", b"raw", b"\x1b[2J\xff"]);
    let run = |args: &[&str]| server.rcli(["tail", "s", "--from", "0", "--count", "1"]).args(args);
    run(&["--raw"]).prints(b"an apple\n\x1b[2J\xff\n").run();
    run(&["--raw", "-d", ",", "-D", ";"]).prints(b"an apple,\x1b[2J\xff;").run();
    run(&["--human"]).prints("s 1-0\n1# \"item\" => \"an apple\"\n2# \"raw\" => \"\\x1b[2J\\xff\"\n").run();
    run(&["--csv"]).prints("\"s\",\"1-0\",\"item\",\"an apple\",\"raw\",\"\\x1b[2J\\xff\"\n").run();
    let at = run(&["--time"]).any_stdout().run().out();
    let time = at.trim_end().strip_suffix('}').unwrap().rsplit("\"time\":").next().unwrap().to_owned();
    let (seconds, micros) = time.split_once('.').unwrap();
    assert!(seconds.parse::<u64>().unwrap() > 1_700_000_000 && micros.len() == 6, "{at}");
}

#[test]
fn values_that_are_json_are_nested_where_that_is_asked_for() {
    let server = Server::start();
    server.call(&[b"XADD", b"s", b"1-0", b"a", b"{\"x\": [1,\n2.50]}", b"b", b"{x", b"c", b"7"]);
    let run = server.rcli(["tail", "s", "--from", "0", "--count", "1", "--data-json"]);
    run.prints("{\"stream\":\"s\",\"id\":\"1-0\",\"fields\":{\"a\":{\"x\": [1,2.50]},\"b\":\"{x\",\"c\":7}}\n").run();
}

#[test]
fn limits_of_time_end_it() {
    let server = server_with(1);
    server.rcli(["tail", "s", "--from", "0", "--idle", "0.2"]).prints(lines_of([1], "")).run();
    server.rcli(["tail", "s", "--from", "0", "--timeout", "0.2"]).prints(lines_of([1], "")).run();
    let run = server.rcli(["tail", "s", "--from", "0", "--timeout", "0.2", "--count", "2"]).prints(lines_of([1], ""));
    run.status(5).complains(&["--timeout", "1 of 2"]).run();
}

#[test]
fn what_cannot_be_asked_for_is_said() {
    let server = server_with(1);
    let usage = |args: &[&str], parts: &[&str]| {
        server.rcli(["tail"]).args(args).status(2).complains(parts).run();
    };
    usage(&[], &["STREAM", "tail --help"]);
    usage(&["s", "--from", "x"], &["--from x", "an id is expected"]);
    usage(&["s", "--from", "1-"], &["--from 1-"]);
    usage(&["s", "--until", "1-2-3"], &["--until 1-2-3"]);
    usage(&["s", "--group", "g"], &["--consumer"]);
    usage(&["s", "--create"], &["--group"]);
    usage(&["s", "--ack", "never"], &["--group"]);
    usage(&["s", "--group", "g", "--consumer", "c", "--ack", "handled"], &["--handler"]);
    usage(&["s", "--handler", ""], &["the command is empty"]);
    usage(&["s", "--handler-jobs", "2"], &["--handler"]);
    usage(&["s", "--raw", "--time"], &["--time goes with JSON"]);
    usage(&["s", "--human", "--events"], &["--events goes with JSON"]);
    usage(&["s", "--raw", "--data-json"], &["--data-json goes with JSON"]);
}

#[test]
fn refusals_are_said_with_the_stream_and_are_status_1() {
    let server = server_with(1);
    server.ask("SET k v");
    server.ask("ACL SETUSER reader on nopass ~* &* +xread +hello +select +client");
    server.ask("ACL SETUSER nobody on nopass ~* &* +hello +select +client");
    let refused = |args: &[&str]| server.rcli(["tail"]).args(args).status(1);
    refused(&["k"]).complains(&["k: WRONGTYPE", &server.address()]).run();
    // What the others gave is written all the same.
    let run = refused(&["s", "k", "--from", "0"]).any_stdout().any_stderr().run();
    assert!(run.err().contains("k: WRONGTYPE"), "{}", run.err());
    refused(&["s", "--group", "g", "--consumer", "c"]).complains(&["s: NOGROUP", "--create"]).run();
    refused(&["s", "--user", "nobody", "--pass", "x", "--no-auth-warning", "--from", "0"])
        .complains(&["s: NOPERM"])
        .run();
    let reader = ["--user", "reader", "--pass", "x", "--no-auth-warning"];
    refused(&reader).args(["s"]).complains(&["s: NOPERM", "XINFO STREAM tells what $ is", "--from"]).run();
    // Who may not look may read.
    server.rcli(["tail", "s", "--from", "0", "--count", "1"]).args(reader).prints(lines_of([1], "")).run();
}

#[test]
fn a_stream_that_becomes_something_else_ends_it_after_what_came() {
    let server = server_with(1);
    let mut run = server.rcli(["tail", "s", "--from", "0"]).prints(lines_of([1], "")).status(1);
    run = run.complains(&["s: WRONGTYPE"]);
    let mut run = run.start();
    run.wait_for_lines(1);
    wait_for_readers(&server, 1);
    server.ask("SET s v");
    run.finish();
}

#[test]
fn a_read_that_is_ended_from_outside_is_asked_again() {
    let server = server_with(1);
    for how in ["ERROR", "TIMEOUT"] {
        let run = server.rcli(["tail", "s", "--count", "1"]).any_stdout().start();
        wait_for_readers(&server, 1);
        let list = server.ask("CLIENT LIST");
        let reader = list.lines().find(|line| line.contains("cmd=xread")).unwrap();
        let id = reader.split("id=").nth(1).unwrap().split(' ').next().unwrap();
        assert_eq!(server.ask(&format!("CLIENT UNBLOCK {id} {how}")), "1");
        wait_for_readers(&server, 1);
        server.ask("XADD s * n 1");
        run.finish();
    }
}

#[test]
fn a_server_that_is_loading_is_said_at_the_start_and_waited_for_later() {
    let loading = || send("-LOADING Redis is loading the dataset in memory\r\n");
    let peer = peer().always("XINFO", loading()).start();
    peer.rcli(["tail", "s"]).status(1).complains(&["s: LOADING"]).run();
    let absent = || send("-ERR no such key\r\n");
    let parts: [&[u8]; 7] =
        [b"*1\r\n*2\r\n", &bulk("s"), b"*1\r\n*2\r\n", &bulk("1-0"), b"*2\r\n", &bulk("n"), &bulk("1")];
    let peer = crate::peer::peer().answers([absent(), absent(), send(parts.concat()), absent(), loading()]).start();
    let run = peer.rcli(["tail", "s", "--no-reconnect"]).prints(lines_of([1], "")).status(3);
    run.complains(&["connection lost: LOADING"]).run();
}

#[test]
fn a_reader_that_goes_away_is_a_good_end() {
    let server = server_with(3);
    let run =
        server.rcli(["tail", "s", "--from", "0"]).through_sh("\"$0\" \"$@\" | head -1; test ${PIPESTATUS:-0} = 0");
    run.prints(lines_of([1], "")).run();
    let script = "{ \"$0\" \"$@\"; echo $? > status; } | head -1";
    let run = server.rcli(["tail", "s", "--from", "0"]).through_sh(script).prints(lines_of([1], "")).run();
    let status = std::fs::read_to_string(run.home.path().join("status")).unwrap();
    assert_eq!(status, "0\n");
}

#[test]
fn signals_end_it_after_what_was_received() {
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let server = server_with(5);
        let mut run = server.rcli(["tail", "s", "--from", "0"]).prints(lines_of(1..=5, "")).status(status).start();
        run.wait_for_lines(5);
        run.signal(signal);
        run.finish();
    }
}

#[test]
fn entries_of_any_size_are_read_without_growing_memory() {
    let server = Server::start();
    let large = vec![b'x'; 2 << 20];
    for number in 1..=40 {
        server.call(&[b"XADD", b"s", format!("{number}-0").as_bytes(), b"n", &large]);
    }
    let mut client = server.client();
    for _ in 0..20 {
        let adds = "for i = 1, 5000 do redis.call('XADD', 's', '*', 'n', i) end";
        client.call(&[b"EVAL", adds.as_bytes(), b"0"]).unwrap();
    }
    let mut run = server.rcli(["tail", "s", "--from", "0", "--raw"]).any_stdout().status(130).start();
    run.wait_for_lines(100_040);
    let peak = memory(&run, "VmHWM");
    assert!(peak < 40_000, "{peak} kB");
    run.signal(Signal::INT);
    run.finish();
}

#[test]
fn an_answer_that_memory_has_no_room_for_ends_it_with_its_size() {
    let absent = send("-ERR no such key\r\n");
    let begun = "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nn\r\n$104857600\r\nxyz";
    let peer = peer().always("XINFO", absent).always("XREAD", send(begun)).start();
    let run = peer.rcli(["tail", "s"]).through_sh("ulimit -v 100000; exec \"$0\" \"$@\"").status(3);
    run.complains(&["memory has no room for a string of 104857600 bytes"]).run();
}

#[test]
fn what_is_no_reply_to_a_read_loses_the_connection() {
    let peer = peer().always("XINFO", send("-ERR no such key\r\n")).always("XREAD", send("+what\r\n")).start();
    let run = peer.rcli(["tail", "s", "--no-reconnect", "--from", "0"]).status(3);
    run.complains(&["the server sent what belongs to no stream of entries"]).run();
}

#[test]
fn nothing_of_an_entry_can_drive_a_terminal() {
    let server = Server::start();
    server.call(&[b"XADD", b"s", b"1-0", "n\u{1b}".as_bytes(), "\u{9b}2J\u{202e}".as_bytes()]);
    for format in ["--json", "--raw", "--human"] {
        let mut terminal = server.rcli(["tail", "s", "--from", "0", "--count", "1", format]).on_terminal(80);
        assert_eq!(terminal.status(), 0);
        let seen = String::from_utf8_lossy(&terminal.bytes()).into_owned();
        assert!(seen.contains("2J"));
        assert!(!seen.contains('\u{9b}') && !seen.contains('\u{202e}'), "{format}: {seen:?}");
    }
}
