//! `run`: scripts and libraries. Contract section 17.

use crate::cluster_nodes::Cluster;
use crate::pty::open;
use crate::server::Server;
use rustix::process::Signal;
use std::fs;

const ECHO: &str = "return {KEYS, ARGV}\n";
const COUNT: &str = "return redis.call('INCRBY', KEYS[1], ARGV[1] or 1)\n";
const LIBRARY: &str = "#!lua name=counters
local function add(keys, args)
  return redis.call('INCRBY', keys[1], args[1])
end
redis.register_function('add', add)
redis.register_function{function_name = 'get', flags = {'no-writes'}, callback = function(keys, args)
  return redis.call('GET', keys[1])
end}
redis.register_function('fail', function(keys, args)
  return nil + 1
end)
";

/// How often the server has run a command.
fn calls(server: &Server, command: &str) -> usize {
    let stats = server.ask("INFO commandstats");
    let row = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    row.map_or(0, |row| row.split(',').next().unwrap().parse().unwrap())
}

/// How many bytes clients have sent to the server.
fn bytes_in(server: &Server) -> usize {
    let stats = server.ask("INFO stats");
    stats.lines().find_map(|line| line.strip_prefix("total_net_input_bytes:")).unwrap().trim().parse().unwrap()
}

#[test]
fn the_first_comma_alone_divides_keys_from_arguments() {
    let server = Server::start();
    for (words, printed) in [
        (vec![], "[[],[]]\n"),
        (vec!["k"], "[[\"k\"],[]]\n"),
        (vec!["k1", "k2", ",", "a", "-1"], "[[\"k1\",\"k2\"],[\"a\",\"-1\"]]\n"),
        (vec!["-1", "--json", "--", ",", ",", "a"], "[[\"-1\",\"--json\",\"--\"],[\",\",\"a\"]]\n"),
        (vec!["k,", "a"], "[[\"k,\",\"a\"],[]]\n"),
        (vec![",", "a"], "[[],[\"a\"]]\n"),
    ] {
        server.rcli(["--json", "run", "echo.lua"]).args(words).file("echo.lua", ECHO).prints(printed).run();
    }
}

#[test]
fn options_stand_before_the_file_and_before_the_subcommand() {
    let server = Server::start();
    let runs =
        [vec!["run", "--json", "-r", "2", "c.lua", "k"], vec!["-r", "2", "--json", "run", "-i", "0.001", "c.lua", "k"]];
    for (words, printed) in runs.into_iter().zip(["1\n2\n", "3\n4\n"]) {
        server.rcli(words).file("c.lua", COUNT).prints(printed).run();
    }
    server.rcli(["-x", "run", "c.lua"]).file("c.lua", COUNT).status(2).complains(&["-x"]).run();
    server.rcli(["run", "--nosuch", "c.lua"]).status(2).complains(&["--nosuch", "see rcli run --help"]).run();
    server.rcli(["run"]).status(2).complains(&["FILE"]).run();
}

#[test]
fn a_script_crosses_a_connection_once_however_often_it_is_run() {
    let server = Server::start();
    let script = format!("-- {}\n{COUNT}", "x".repeat(100_000));
    let before = bytes_in(&server);
    let last = server.rcli(["-r", "500", "run", "c.lua", "k"]).file("c.lua", &script).any_stdout().run();
    assert_eq!(last.out().lines().last(), Some("500"));
    assert!((100_000..200_000).contains(&(bytes_in(&server) - before)), "{}", bytes_in(&server) - before);
    assert_eq!(calls(&server, "eval"), 1);
    // The server knows it now.
    server.rcli(["run", "c.lua", "k"]).file("c.lua", &script).prints("501\n").run();
    assert_eq!(calls(&server, "eval"), 1);
}

#[test]
fn a_script_that_the_server_forgets_is_sent_again_and_every_run_counts_once() {
    let server = Server::start();
    let mut run = server.rcli(["-r", "20000", "run", "c.lua", "k"]).file("c.lua", COUNT).any_stdout().start();
    run.wait_for_lines(1);
    while run.is_running() {
        assert_eq!(server.ask("SCRIPT FLUSH"), "OK");
    }
    let out = run.finish().out();
    assert_eq!((out.lines().count(), out.lines().last()), (20000, Some("20000")));
    assert_eq!(server.ask("GET k"), "20000");
    assert!(calls(&server, "eval") > 1);
}

#[test]
fn a_script_runs_for_ever_until_a_signal_comes_and_what_ran_is_written() {
    let server = Server::start();
    let mut run = server.rcli(["-r", "-1", "run", "c.lua", "k"]).file("c.lua", COUNT).any_stdout().status(130).start();
    run.wait_for_lines(100);
    run.signal(Signal::INT);
    let out = run.finish().out();
    assert!(out.ends_with('\n') && out.lines().count() >= 100);
}

#[test]
fn a_lost_connection_tells_how_many_runs_were_answered() {
    let mut server = Server::start();
    let run = server.rcli(["-r", "-1", "run", "c.lua", "k"]).file("c.lua", COUNT).any_stdout().status(3);
    let mut run = run.complains(&["connection lost: ", " more may have run"]).start();
    run.wait_for_lines(100);
    server.kill_nine();
    let finished = run.finish();
    let told = finished.err();
    let answered = told.split("; ").nth(1).and_then(|told| told.split(' ').next()).unwrap();
    assert_eq!(answered.parse(), Ok(finished.out().lines().count()), "{told}");
}

#[test]
fn a_slow_script_is_not_sent_ahead() {
    let server = Server::start();
    let slow = "local t = redis.call('TIME')
repeat local n = redis.call('TIME') until (n[1] - t[1]) * 1000000 + n[2] - t[2] > 30000
return redis.call('INCR', KEYS[1])";
    let mut run =
        server.rcli(["-r", "1000", "run", "slow.lua", "k"]).file("slow.lua", slow).any_stdout().status(130).start();
    run.wait_for_lines(3);
    run.signal(Signal::INT);
    let told = run.finish().out().lines().count();
    server.wait_until("CLIENT LIST", |list| list.lines().filter(|line| !line.is_empty()).count() == 1);
    let ran: usize = server.ask("GET k").parse().unwrap();
    assert!(ran <= told + 1, "{ran} ran, {told} told");
}

#[test]
fn errors_name_the_line_of_the_file_and_are_no_output_in_raw() {
    let server = Server::start();
    server.ask("SET s x");
    for (script, line, words) in [
        ("local a = 1\nreturn foo", ":2", "ERR Script attempted to access nonexistent global variable 'foo'"),
        ("local a\n\nlocal = 3", ":3", "ERR Error compiling script (new function): '<name>' expected near '='"),
        ("\n\n\nreturn redis.call('INCR', 's')", ":4", "ERR value is not an integer or out of range"),
        ("#!lua flags=no-writes\nlocal a\nreturn redis.call('SET', 's', 'y')", ":3", "ERR Write commands are not"),
        ("return redis.error_reply('MY own')", "", "MY own"),
    ] {
        let run = server.rcli(["run", "dir/x.lua"]).file("dir/x.lua", script).status(1);
        let said = run.complains(&[&format!("rcli: dir/x.lua{line}: {words}")]).run().err();
        assert!(!said.contains("user_script") && !said.contains("script: "), "{said}");
    }
    let run = server.rcli(["--json", "run", "x.lua"]).file("x.lua", "return {1, redis.pcall('INCR', 's'), 2}");
    run.status(1)
        .prints("[1,{\"error\":{\"code\":\"ERR\",\"message\":\"value is not an integer or out of range\"}},2]\n")
        .complains(&["x.lua: ERR value is not an integer"])
        .run();
}

#[test]
fn what_cannot_be_compiled_is_sent_and_told_once() {
    let server = Server::start();
    let run = server.rcli(["-r", "100", "run", "x.lua"]).file("x.lua", "return return");
    run.status(1).complains(&["x.lua:1: ERR Error compiling script"]).run();
    assert_eq!(calls(&server, "eval"), 1);
    // Another error is an answer like any other.
    let run = server.rcli(["-r", "3", "run", "x.lua"]).file("x.lua", "return redis.error_reply('NO x')");
    let said = run.status(1).any_stderr().run().err();
    assert_eq!(said, "rcli: x.lua: NO x\n".repeat(3));
}

#[test]
fn a_script_comes_from_stdin_with_whatever_bytes_it_has() {
    let server = Server::start();
    server.rcli(["run", "-", "k"]).stdin("return KEYS[1]").prints("k\n").run();
    server.rcli(["run", "-"]).stdin(b"return '\xff\xfe'").prints(b"\xff\xfe\n").run();
    server.rcli(["run", "-"]).stdin("\u{feff}return 1").prints("1\n").run();
    server.rcli(["run", "-"]).stdin("\nreturn x").status(1).complains(&["rcli: stdin:2: ERR"]).run();
}

#[test]
fn a_file_that_cannot_be_read_is_status_2_and_nothing_is_sent() {
    let server = Server::start();
    let before = calls(&server, "evalsha");
    server.rcli(["run", "nosuch.lua"]).status(2).complains(&["nosuch.lua: No such file"]).run();
    server.rcli(["run", "/"]).status(2).complains(&["/: is a directory"]).run();
    assert_eq!(calls(&server, "evalsha"), before);
}

#[test]
fn a_library_is_loaded_where_the_servers_is_not_the_same() {
    let server = Server::start();
    let run = |words: &[&str]| server.rcli(words).file("lib.lua", LIBRARY);
    run(&["run", "lib.lua"]).prints("counters\n").run();
    run(&["run", "--human", "lib.lua"]).prints("\"counters\"\n").run();
    run(&["run", "--call", "add", "lib.lua", "k", ",", "5"]).prints("5\n").run();
    run(&["-r", "2", "run", "--call", "add", "lib.lua", "k", ",", "-1"]).prints("4\n3\n").run();
    assert_eq!(calls(&server, "function|load"), 1);
    let other = LIBRARY.replace("INCRBY", "DECRBY");
    server.rcli(["run", "--call", "add", "lib.lua", "k", ",", "1"]).file("lib.lua", other).prints("2\n").run();
    assert_eq!(calls(&server, "function|load"), 2);
}

#[test]
fn errors_of_a_library_name_its_lines() {
    let server = Server::start();
    for (code, said) in [
        ("#!lua name=x\n\nlocal = 3", "lib.lua:3: ERR Error compiling function: '<name>' expected"),
        ("#!lua name=x\nfoo()", "lib.lua:2: ERR Error registering functions: ERR Script attempted"),
        ("#!lua name=a-b\n", "lib.lua: ERR Library names can only contain"),
        ("#!lua name=*\n", "lib.lua: ERR Library names can only contain"),
    ] {
        server.rcli(["run", "lib.lua"]).file("lib.lua", code).status(1).complains(&[said]).run();
    }
    let run = |words: &[&str]| server.rcli(words).file("lib.lua", LIBRARY);
    run(&["run", "--call", "fail", "lib.lua"]).status(1).complains(&["lib.lua:10: ERR attempt to perform"]).run();
    run(&["run", "--call", "nosuch", "lib.lua"]).status(1).complains(&["lib.lua: ERR Function not found"]).run();
}

#[test]
fn under_read_only_nothing_is_changed() {
    let server = Server::start();
    let script = |words: &[&str], code: &str| server.rcli(["--read-only"]).args(words).file("x.lua", code);
    script(&["run", "x.lua", "k"], "return redis.call('EXISTS', KEYS[1])").prints("0\n").run();
    script(&["run", "x.lua", "k"], COUNT).status(1).complains(&["x.lua:1: ERR Write commands are not allowed"]).run();
    assert_eq!((calls(&server, "evalsha_ro"), calls(&server, "eval_ro"), calls(&server, "eval")), (2, 2, 0));
    let get = ["run", "--call", "get", "x.lua", "k"];
    let missing = ["library counters is another or missing, and --read-only loads none"];
    script(&get, LIBRARY).status(2).complains(&missing).run();
    server.call(&[b"FUNCTION", b"LOAD", LIBRARY.as_bytes()]);
    script(&get, LIBRARY).prints("\n").run();
    script(&["run", "x.lua"], LIBRARY).prints("counters\n").run();
    script(&get, &LIBRARY.replace("INCRBY", "DECRBY")).status(2).complains(&missing).run();
    let add = ["run", "--call", "add", "x.lua", "k", ",", "1"];
    script(&add, LIBRARY).status(1).complains(&["x.lua: ERR Can not execute a script with write flag"]).run();
}

#[test]
fn keys_go_to_a_function_and_functions_are_a_librarys() {
    let server = Server::start();
    let run = |words: &[&str]| server.rcli(words).file("lib.lua", LIBRARY).file("c.lua", COUNT).status(2);
    run(&["run", "lib.lua", "k"]).complains(&["lib.lua is a library: --call FUNCTION"]).run();
    run(&["-r", "3", "run", "lib.lua"]).complains(&["lib.lua is a library: --call FUNCTION"]).run();
    run(&["run", "--call", "f", "c.lua"]).complains(&["c.lua: --call goes with a library"]).run();
    assert_eq!(calls(&server, "function|load"), 0);
}

#[test]
fn a_cluster_runs_a_script_where_its_keys_are() {
    let cluster = Cluster::start();
    for key in ["bar", "c", "foo"] {
        let run = cluster.rcli(["-r", "3", "run", "c.lua", key]).file("c.lua", COUNT);
        run.prints("1\n2\n3\n").run();
    }
    let loaded: Vec<usize> = cluster.nodes.iter().map(|node| calls(node, "eval")).collect();
    assert_eq!(loaded, [1, 1, 1]);
    let run = cluster.rcli(["run", "c.lua", "foo", "bar"]).file("c.lua", COUNT).status(1);
    run.complains(&["c.lua: CROSSSLOT the keys are in several slots: \"foo\" in slot 12182, \"bar\" in slot 5061"])
        .run();
}

#[test]
fn a_library_is_loaded_at_every_primary_of_a_cluster() {
    let cluster = Cluster::start();
    let run = |words: &[&str]| cluster.rcli(words).file("lib.lua", LIBRARY);
    cluster.nodes[1].call(&[b"FUNCTION", b"LOAD", LIBRARY.as_bytes()]);
    run(&["run", "lib.lua"]).prints("counters\n").run();
    for key in ["bar", "c", "foo"] {
        run(&["run", "--call", "add", "lib.lua", key, ",", "5"]).prints("5\n").run();
    }
    let loads: Vec<usize> = cluster.nodes.iter().map(|node| calls(node, "function|load")).collect();
    assert_eq!(loads, [1, 1, 1]);
    let wrong = cluster.rcli(["run", "lib.lua"]).file("lib.lua", "#!lua name=x\nfoo()").status(1);
    wrong.complains(&["lib.lua:2: ERR Error registering functions", "(at 127.0.0.1:"]).run();
}

#[test]
fn a_script_runs_at_the_prompt_on_the_sessions_database() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    fs::write(terminal.home().join("c.lua"), COUNT).unwrap();
    terminal.line("SELECT 2");
    let prompt = format!("{}[2]>", prompt.trim_end_matches('>'));
    terminal.ends_with(&["OK", &prompt]);
    terminal.run(&prompt, "run c.lua k , 7", &["(integer) 7"]);
    terminal.run(&prompt, "run -", &["rcli: run: name a file; at the prompt there is no input to read"]);
    assert_eq!(server.ask("EXISTS k"), "0");
    terminal.leave();
}
