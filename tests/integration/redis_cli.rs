//! redis-cli's own spellings, typed to rcli (contract section 1): what each becomes, and what is refused by name.

use crate::rcli::rcli;
use crate::server::Server;

#[test]
fn options_that_rcli_grants_unasked_change_nothing() {
    let server = Server::start();
    server.rcli(["-e", "--verbose", "SET", "k", "v"]).prints("OK\n").run();
    server.rcli(["--verbose", "-n", "0", "-e", "GET", "k"]).prints("v\n").run();
    // redis-cli's -e: an error goes to stderr in every format, as a raw one does without it.
    for format in ["--no-raw", "--json", "--csv"] {
        server.rcli(["-e", format, "INCR", "k"]).status(1).complains(&["ERR value is not an integer"]).run();
    }
    server.rcli(["-e"]).stdin("GET k\n").prints("v\n").run();
    // Behind the first word of a command they are its arguments.
    server.rcli(["ECHO", "-e"]).prints("-e\n").run();
    server.rcli(["--", "ECHO", "--scan"]).prints("--scan\n").run();
}

#[test]
fn what_rcli_does_not_do_is_refused_by_its_name_and_never_run() {
    let server = Server::start();
    let address = server.address();
    for (line, tool) in [
        (vec!["--cluster", "create", &address, "--cluster-replicas", "1"], "redis-cli --cluster"),
        (vec!["--cluster", "info", &address], "redis-cli --cluster"),
        (vec!["--cluster", "INFO", "127.0.0.1", "6379"], "redis-cli --cluster"),
        (vec!["--cluster", "call", &address, "FLUSHALL"], "redis-cli --cluster"),
        (vec!["--cluster", "help"], "redis-cli --cluster"),
        (vec!["--cluster-yes"], "redis-cli --cluster"),
        (vec!["--keystats", "--cursor", "5"], "redis-cli --keystats --cursor"),
        (vec!["--ldb", "--eval", "file"], "redis-cli --ldb"),
        (vec!["--ldb-sync-mode", "--eval", "file"], "redis-cli --ldb"),
        (vec!["--lru-test", "100"], "redis-cli --lru-test"),
        (vec!["--intrinsic-latency", "1"], "redis-cli --intrinsic-latency"),
        (vec!["--replica"], "redis-cli --replica"),
        (vec!["--slave"], "redis-cli --replica"),
        (vec!["--tls-ciphers", "DEFAULT", "PING"], "redis-cli"),
        (vec!["--tls-ciphersuites", "DEFAULT", "PING"], "redis-cli"),
    ] {
        let option = line.iter().find(|word| tool.contains(*word) || word.starts_with("--tls")).unwrap_or(&line[0]);
        server.rcli(&line).stdin("PING\n").status(2).complains(&[option, tool]).run();
    }
}

#[test]
fn the_cluster_option_before_a_command_is_rclis_own() {
    let server = Server::start();
    server.rcli(["--cluster", "GET", "host:1"]).prints("\n").run();
    let info = server.rcli(["--cluster", "INFO", "server"]).any_stdout().run().stdout;
    assert!(info.starts_with(b"# Server"), "{info:?}");
}

#[test]
fn pipe_ends_with_the_words_that_scripts_look_for() {
    let server = Server::start();
    let good = "*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n";
    let words = |errors, replies| {
        format!(
            "All data transferred. Waiting for the last reply...\nLast reply received from server.\n\
             errors: {errors}, replies: {replies}\n"
        )
    };
    server.rcli(["--pipe"]).stdin(good).prints(words(0, 2)).run();
    let bad = format!("{good}*2\r\n$4\r\nINCR\r\n$1\r\ns\r\n");
    server.call(&[b"SET", b"s", b"text"]);
    server.rcli(["--pipe"]).stdin(bad).prints(words(1, 3)).status(1).complains(&["INCR s: ERR value is not"]).run();
    server.rcli(["--pipe"]).stdin("").prints(words(0, 0)).run();
    server.rcli(["--pipe", "--pipe-timeout", "0"]).stdin("PING\r\n").prints(words(0, 1)).run();
    assert_eq!(server.ask("GET n"), "2");
}

#[test]
fn pipe_waits_so_long_for_replies_once_the_input_has_ended() {
    let server = Server::start();
    let run = server.rcli(["--pipe", "--pipe-timeout", "0.2"]).stdin("SET a 1\nBLPOP l 0\n");
    run.status(3).complains(&["0.2 s", "1 commands answered", "--skip 1"]).run();
    // A shorter limit on every answer is not taken back by that.
    let run = server.rcli(["--pipe", "--read-timeout", "0.2"]).stdin("SET a 1\nBLPOP l 0\n");
    run.status(3).complains(&["0.2 s", "1 commands answered"]).run();
    // While there may be more input, no limit holds.
    let mut run = server.rcli(["--pipe", "--pipe-timeout", "0.2"]).interactive().any_stdout().start();
    run.send_line("BLPOP l 0");
    server.wait_until("INFO clients", |info| info.contains("blocked_clients:1"));
    std::thread::sleep(std::time::Duration::from_millis(300));
    server.call(&[b"RPUSH", b"l", b"x"]);
    run.finish();
}

#[test]
fn pushes_are_asked_for_with_a_word_only_where_it_is_yes_or_no() {
    let server = Server::start();
    server.call(&[b"SET", b"s", b"v"]);
    for word in ["yes", "no", "Y", "n"] {
        server.rcli(["--show-pushes", word, "GET", "s"]).prints("v\n").run();
    }
    server.rcli(["--show-pushes", "GET", "s"]).prints("v\n").run();
    let tracked = "CLIENT TRACKING ON\nGET s\nSET s w\n";
    let run = |args: &[&str]| server.rcli(["-3", "--json"]).args(args).stdin(tracked);
    run(&["--show-pushes", "yes"]).prints("\"OK\"\n\"v\"\n\"OK\"\n{\"push\":[\"invalidate\",[\"s\"]]}\n").run();
    server.call(&[b"SET", b"s", b"v"]);
    // The last one wins.
    run(&["--show-pushes", "yes", "--show-pushes", "no"]).prints("\"OK\"\n\"v\"\n\"OK\"\n").run();
}

#[test]
fn options_of_a_mode_need_it_and_a_mode_takes_no_command() {
    rcli(["--pattern", "x", "GET", "k"]).status(2).complains(&["--pattern goes with --scan"]).run();
    rcli(["--pipe-timeout", "5", "PING"]).status(2).complains(&["--pipe-timeout goes with --pipe"]).run();
    rcli(["--pipe", "--top", "5"]).status(2).complains(&["--top does not go with --pipe"]).run();
    rcli(["--pipe", "SET", "a", "b"]).status(2).complains(&["--pipe takes no command: SET"]).run();
    rcli(["--pipe", "--scan"]).status(2).complains(&["--pipe and --scan cannot stand together"]).run();
    rcli(["--pipe", "--pipe-timeout"]).status(2).complains(&["--pipe-timeout: a value is missing"]).run();
    for (mode, option, value) in [
        ("--scan", "--count", "abc"),
        ("--scan", "--count", "0"),
        ("--hotkeys", "--hotkeys-count", "-1"),
        ("--memkeys", "--memkeys-samples", "1.5"),
    ] {
        let told = format!("rcli: {option}: a whole number of ");
        rcli([mode, option, value]).status(2).complains(&[&told, value]).run();
    }
    rcli(["--pipe", "--pipe-timeout", "-1"]).status(2).complains(&["'-1' for '--pipe-timeout <SECS>'"]).run();
}

#[test]
fn the_complaints_about_stdin_options_have_redis_clis_words() {
    rcli(["-x", "-X", "tag"]).status(2).complains(&["-x and -X are mutually exclusive"]).run();
    rcli(["-X"]).status(2).complains(&["Unrecognized option or bad number of args for: '-X'"]).run();
    let run = rcli(["-X", "wrong", "SET", "key", "tag"]).stdin("v");
    run.status(2).complains(&["-X wrong", "tag not match"]).run();
}

#[test]
fn a_walk_of_the_keys_pauses_between_two_scans_as_it_is_told() {
    let server = Server::start();
    for number in 0..100 {
        server.call(&[b"SET", format!("k{number}").as_bytes(), b"v"]);
    }
    for option in ["--scan", "--bigkeys"] {
        let begun = std::time::Instant::now();
        server.rcli([option, "--count", "40", "-i", "0.1"]).any_stdout().run();
        // Three of them at least.
        assert!(begun.elapsed() >= std::time::Duration::from_millis(200), "{option}");
    }
}

#[test]
fn what_leaves_no_subscription_is_confirmed_as_by_redis_cli() {
    let server = Server::start();
    server.rcli(["UNSUBSCRIBE", "a", "b"]).prints("unsubscribe\na\n0\nunsubscribe\nb\n0\n").run();
    server.rcli(["-3", "punsubscribe"]).prints("punsubscribe\n\n0\n").run();
    server.rcli(["-r", "2", "UNSUBSCRIBE"]).prints("unsubscribe\n\n0\n".repeat(2)).run();
    server.rcli(["--no-raw", "SUNSUBSCRIBE"]).prints("1) \"sunsubscribe\"\n2) (nil)\n3) (integer) 0\n").run();
    server.rcli(["--csv", "UNSUBSCRIBE", "a"]).prints("\"unsubscribe\",\"a\",0\n").run();
    let json = "{\"type\":\"unsubscribe\",\"pattern\":null,\"channel\":null,\"data\":0}\n";
    server.rcli(["--json", "UNSUBSCRIBE"]).prints(json).run();
    server.call(&[b"ACL", b"SETUSER", b"default", b"-unsubscribe"]);
    server.rcli(["UNSUBSCRIBE", "a"]).status(1).complains(&["NOPERM"]).run();
}

#[test]
fn scan_quotes_keys_where_replies_are_for_people() {
    let server = Server::start();
    server.call(&[b"SET", b"k", b"v"]);
    for (format, line) in [("--raw", "k\n"), ("--no-raw", "\"k\"\n"), ("--csv", "\"k\"\n"), ("--json", "\"k\"\n")] {
        server.rcli([format, "--scan"]).prints(line).run();
    }
    server.rcli(["--scan"]).prints("k\n").run();
    server.rcli(["--scan"]).env("FAKETTY", "1").prints("\"k\"\n").run();
    server.rcli(["--human", "ls"]).prints("k\n").run();
    server.call(&[b"RENAME", b"k", b"\x01\"\xff"]);
    server.rcli(["--no-raw", "--scan"]).prints("\"\\x01\\\"\\xff\"\n").run();
}

#[test]
fn a_word_that_does_not_go_with_a_mode_names_the_verb_that_has_it() {
    let run = rcli(["--stat", "--count", "1"]).status(2);
    run.complains(&["--count does not go with --stat: use rcli stat --count 1"]).run();
}

#[test]
fn large_keys_are_told_in_redis_clis_own_lines() {
    let server = Server::start();
    let begin = "\n# Scanning the entire keyspace to find biggest keys as well as\n# average sizes per key type.  You can use \
                 -i 0.1 to sleep 0.1 sec\n# per 100 SCAN commands (not usually needed).\n\n";
    let none = "0 lists with 0 items (00.00% of keys, avg size 0.00)\n0 hashs with 0 fields (00.00% of keys, avg size \
                0.00)\n0 strings with 0 bytes (00.00% of keys, avg size 0.00)\n0 streams with 0 entries (00.00% of keys, avg \
                size 0.00)\n0 sets with 0 members (00.00% of keys, avg size 0.00)\n0 zsets with 0 members (00.00% of keys, \
                avg size 0.00)\n";
    let empty = format!(
        "{begin}\n-------- summary -------\n\nSampled 0 keys in the keyspace!\nTotal key length in bytes is 0 (avg len \
         0.00)\n\n\n{none}"
    );
    server.rcli(["--bigkeys"]).prints(&empty).run();
    // What is empty is the largest where nothing is larger.
    server.call(&[b"SET", b"no", b""]);
    let found =
        ["[00.00%] Biggest string found so far \"no\" with 0 bytes\n", "Biggest string found \"no\" has 0 bytes\n"];
    server.rcli(["--bigkeys"]).prints_among(&found).run();
    server.call(&[b"SET", b"a\"b", b"12345"]);
    server.call(&[b"RPUSH", b"li", b"1", b"2"]);
    let finished = server.rcli(["--bigkeys"]).any_stdout().run();
    let out = finished.out();
    for line in [
        "%] Biggest string found so far \"a\\\"b\" with 5 bytes\n",
        "%] Biggest list   found so far \"li\" with 2 items\n",
        "\n-------- summary -------\n\nSampled 3 keys in the keyspace!\nTotal key length in bytes is 7 (avg len 2.33)\n\n\
         Biggest   list found \"li\" has 2 items\nBiggest string found \"a\\\"b\" has 5 bytes\n\n1 lists with 2 items \
         (33.33% of keys, avg size 2.00)\n",
        "\n2 strings with 5 bytes (66.67% of keys, avg size 2.50)\n",
    ] {
        assert!(out.contains(line), "{line}: {out}");
    }
    server.rcli(["--bigkeys", "--no-raw"]).prints_among(&["Biggest   list found"]).run();
    server.rcli(["--bigkeys", "--pattern", "l*"]).prints_among(&["Sampled 1 keys"]).run();
    server.rcli(["--memkeys"]).prints_among(&["Biggest   list found \"li\" has ", " bytes\n"]).run();
    server.rcli(["--memkeys-samples", "1"]).prints_among(&["Biggest   list found"]).run();
    // What has a form of its own keeps it.
    server.rcli(["--json", "--bigkeys"]).prints_among(&["{\"keys\":3,\"by\":\"length\""]).run();
    server.rcli(["--bigkeys", "--top", "1"]).prints_among(&["length  type", "largest"]).run();
}

#[test]
fn hot_keys_are_told_in_redis_clis_own_lines() {
    let server = Server::with_args(["--maxmemory-policy", "allkeys-lfu"]);
    server.call(&[b"SET", b"k", b"v"]);
    let finished = server.rcli(["--hotkeys"]).any_stdout().run();
    let out = finished.out();
    assert!(out.contains("find hot keys as well as\n"), "{out}");
    assert!(out.contains("[00.00%] Hot key \"k\" found so far with counter "), "{out}");
    assert!(out.contains("Sampled 1 keys in the keyspace!\nhot key found with counter: "), "{out}");
    assert!(out.ends_with("\tkeyname: \"k\"\n"), "{out}");
}

#[test]
fn hints_are_compared_with_those_of_a_file_as_redis_clis_tests_do() {
    let server = Server::start();
    let file = "# comment\n\n\"XRANGE k 4 2 COU\" \"[COUNT count]\"\n\"BLMOVE a b LEFT \" \"LEFT|RIGHT timeout\"\n\"unclosed\n\
                \"BITFIELD_RO k GET x 1 \" \"[GET encoding offset ...]]\"\n\"GET k \" \"\"\n";
    for args in [&["--test_hint_file", "f"][..], &["-p", "1", "--test_hint_file", "f"]] {
        server.rcli(args.iter().copied()).file("f", file).prints("SUCCESS: 4/4 passed\n").run();
    }
    let run = server.rcli(["--test_hint_file", "f"]).file("f", "\"GET \" \"key\"\n\"GET \" \"keys\"\n");
    run.status(1).prints("FAILURE: 1/2 passed\n").complains(&["'GET ': expected 'keys', got 'key'"]).run();
    server.rcli(["--test_hint", "MGET k "]).prints("[key ...]\n").run();
    server.rcli(["--test_hint_file", "nothing"]).status(2).complains(&["nothing: No such file"]).run();
}
