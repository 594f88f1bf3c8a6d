//! `--sandbox`: a throw-away server, and nothing left of it (contract section 13).

use crate::rcli::{Rcli, rcli};
use crate::running::{Finished, Running};
use crate::server::wait_for;
use rustix::process::{Pid, Signal, test_kill_process};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A run with `--sandbox` first, on the same server binary as the other tests.
fn sandbox(args: &[&str]) -> Rcli {
    rcli(["--sandbox"]).args(args).env("RCLI_SERVER_BIN", server_binary())
}

/// Whether a process is there.
fn is_alive(pid: i32) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok())
}

/// What is in the directory for temporary files of a run.
fn leftovers(home: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(home.join("tmp")).expect("the directory").map(|entry| entry.unwrap().path()).collect()
}

/// The process id in the text of INFO server.
fn server_pid(info: &str) -> i32 {
    let line = info
        .lines()
        .find_map(|line| line.trim_matches('"').strip_prefix("process_id:"))
        .unwrap_or_else(|| panic!("{info}"));
    line.trim().parse().expect("a process id")
}

/// Asserts that neither server nor directory of a finished run is left.
fn assert_nothing_left(run: &Finished, pid: i32) {
    wait_for("the server to be gone", || !is_alive(pid));
    wait_for("its directory to be gone", || leftovers(run.home.path()).is_empty());
}

#[test]
fn every_subcommand_runs_on_a_server_of_its_own() {
    sandbox(&["SET", "k", "v"]).prints("OK\n").run();
    sandbox(&["exec", "--json", "DBSIZE"]).prints("0\n").run();
    sandbox(&["pipe"]).stdin("SET k v\nGET k\n").prints("OK\nv\n").run();
    sandbox(&[]).stdin("INCR n\nINCR n\n").prints("1\n2\n").run();
    rcli(["pipe", "--sandbox", "--json"]).stdin("INCR n\n").prints("1\n").run();
}

#[test]
fn the_status_is_that_of_the_subcommand() {
    sandbox(&["NOSUCHCOMMAND"]).status(1).complains(&["ERR unknown command"]).run();
    sandbox(&["pipe"]).stdin("GET 'x\n").status(2).reports_among(&["stdin:1"]).run();
}

#[test]
fn the_server_listens_on_a_private_socket_only_and_keeps_nothing() {
    let run = sandbox(&["--json", "pipe"])
        .stdin("CONFIG GET port\nCONFIG GET save\nCONFIG GET appendonly\nCONFIG GET unixsocket\n")
        .any_stdout()
        .run();
    let out = run.out();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[..3], [r#"{"port":"0"}"#, r#"{"save":""}"#, r#"{"appendonly":"no"}"#]);
    assert!(lines[3].contains(run.home.path().to_str().unwrap()), "the socket is not in TMPDIR: {out}");
}

#[test]
fn its_directory_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let mut run = sandbox(&[]).interactive().any_stdout().start();
    run.send("CONFIG GET dir\n");
    assert_eq!(run.next_line(), "dir");
    let dir = run.next_line();
    let mode = std::fs::metadata(&dir).expect("the directory").permissions().mode();
    assert_eq!(mode & 0o077, 0, "{dir} has mode {mode:o}");
    run.finish();
}

#[test]
fn server_and_directory_are_gone_after_the_end() {
    let run = sandbox(&["INFO", "server"]).any_stdout().run();
    let pid = server_pid(&run.out());
    assert!(!is_alive(pid), "the server is still there");
    assert_eq!(leftovers(run.home.path()), Vec::<PathBuf>::new());
}

/// The server that sandboxes are made of in these tests.
fn server_binary() -> OsString {
    std::env::var_os("RCLI_TEST_SERVER").unwrap_or_else(|| "redis-server".into())
}

/// A script that stands for the server: its binary is `$SERVER`. Written by another process, for a file that this one
/// has just written may be too busy to be run.
fn script(text: &str) -> (TempDir, PathBuf) {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("server");
    let text = format!("#!/bin/sh\nSERVER={}\n{text}\n", server_binary().display());
    let mut write = Command::new("sh");
    write.args(["-euc", "printf %s \"$1\" > \"$0\"; chmod 755 \"$0\""]).arg(&path).arg(text);
    assert!(write.status().expect("sh").success());
    (dir, path)
}

/// Starts a sandbox that waits, ends it as told, and looks for what is left.
fn assert_gone_after(status: i32, own_group: bool, kill: impl Fn(&Running)) {
    assert_gone(sandbox(&[]), status, own_group, kill);
}

fn assert_gone(run: Rcli, status: i32, own_group: bool, kill: impl Fn(&Running)) {
    let run = run.interactive().status(status).any_stdout().any_stderr();
    let mut run = if own_group { run.in_own_group() } else { run }.start();
    run.send("INFO server\nECHO ready\n");
    let mut info = String::new();
    loop {
        let line = run.next_line();
        if line == "ready" {
            break;
        }
        info += &line;
        info.push('\n');
    }
    let pid = server_pid(&info);
    assert!(is_alive(pid));
    kill(&run);
    let run = run.finish_with_open_stdin();
    assert_nothing_left(&run, pid);
}

#[test]
fn server_and_directory_are_gone_after_sigint_and_sigterm() {
    assert_gone_after(130, false, |run| run.signal(Signal::INT));
    assert_gone_after(143, false, |run| run.signal(Signal::TERM));
}

#[test]
fn server_and_directory_are_gone_after_ctrl_c_in_a_terminal() {
    // A terminal sends SIGINT to the server too, if it is in the same process group.
    assert_gone_after(130, true, |run| run.signal_group(Signal::INT));
}

#[test]
fn server_and_directory_are_gone_after_kill_9() {
    assert_gone_after(137, false, |run| run.signal(Signal::KILL));
}

#[test]
fn a_server_that_a_script_started_is_gone_too() {
    let waits = script("\"$SERVER\" \"$@\"; exit 0");
    let leaves = script("\"$SERVER\" \"$@\" & exit 0");
    let becomes = script("exec \"$SERVER\" \"$@\"");
    for (_, script) in [&waits, &leaves, &becomes] {
        let run = || rcli(["--sandbox"]).env("RCLI_SERVER_BIN", script);
        assert_gone(run(), 143, false, |run| run.signal(Signal::TERM));
        assert_gone(run(), 137, false, |run| run.signal(Signal::KILL));
    }
    // The script itself is told to end before it is killed.
    let (dir, polite) = script("trap 'touch \"${0%/*}/told\"; exit' TERM\n\"$SERVER\" \"$@\" & sleep 600 & wait");
    rcli(["--sandbox", "PING"]).env("RCLI_SERVER_BIN", &polite).prints("PONG\n").run();
    assert!(dir.path().join("told").exists());
    let (dir, stubborn) = script("trap '' TERM; echo $$ > \"${0%/*}/pid\"; \"$SERVER\" \"$@\"; sleep 600 & wait");
    rcli(["--sandbox", "PING"]).env("RCLI_SERVER_BIN", &stubborn).prints("PONG\n").run();
    let pid = leading_number(&std::fs::read_to_string(dir.path().join("pid")).unwrap());
    assert!(!is_alive(pid), "the script is still there");
    let run = rcli(["--sandbox=cluster", "--all-nodes", "--json", "INFO", "server"]).env("RCLI_SERVER_BIN", &waits.1);
    let run = run.any_stdout().run();
    let pids: Vec<i32> = run.out().split("\"process_id\":").skip(1).map(leading_number).collect();
    assert_eq!(pids.len(), 3, "{}", run.out());
    assert!(!pids.into_iter().any(is_alive), "a node is still there");
}

/// The number that a text begins with.
fn leading_number(text: &str) -> i32 {
    text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().expect("a number")
}

#[test]
fn a_server_that_dies_at_once_is_told_at_once_with_its_last_words() {
    let misled = script("exec \"$SERVER\" \"$@\" --no-such-option 1");
    let broken = script("echo 'libserver.so: not found' >&2; exit 127");
    let killed = script("kill -9 $$");
    let begin = Instant::now();
    for kind in ["--sandbox", "--sandbox=cluster"] {
        for ((_, script), told) in [(&misled, "no-such-option"), (&broken, "libserver.so: not found"), (&killed, "9")] {
            let name = script.to_str().unwrap();
            let run = rcli([kind, "PING"]).env("RCLI_SERVER_BIN", script).status(3).complains(&[name, told]).run();
            assert_eq!(leftovers(run.home.path()), Vec::<PathBuf>::new());
        }
    }
    assert!(begin.elapsed() < Duration::from_secs(9), "it was waited for");
}

#[test]
fn a_server_that_takes_no_connections_is_not_waited_for_for_ever() {
    let (_dir, mute) = script("echo 'still thinking'; exec sleep 600");
    let begin = Instant::now();
    let run = rcli(["--sandbox", "PING"]).env("RCLI_SERVER_BIN", &mute).status(3);
    let run = run.complains(&["takes no connections", "still thinking"]).run();
    assert!(begin.elapsed() > Duration::from_secs(9), "a slow start is no failure");
    assert_eq!(leftovers(run.home.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_path_too_long_for_a_socket_is_not_used() {
    let long = TempDir::with_prefix("x".repeat(100)).unwrap();
    for kind in ["--sandbox", "--sandbox=cluster"] {
        rcli([kind, "PING"]).env("RCLI_SERVER_BIN", server_binary()).env("TMPDIR", long.path()).prints("PONG\n").run();
    }
    let long = long.path().join("socket");
    rcli(["-s", long.to_str().unwrap(), "PING"]).status(3).complains(&["too long for a socket"]).run();
}

#[test]
fn a_signal_while_a_command_blocks_ends_the_sandbox_too() {
    let run = sandbox(&["DEBUG", "SLEEP", "0"]).status_among(&[0, 1]).any_stdout().any_stderr().run();
    assert_eq!(leftovers(run.home.path()), Vec::<PathBuf>::new());
    let run = sandbox(&["BLPOP", "none", "0"]).status(130).any_stderr().start();
    let temporary = run.home().join("tmp");
    wait_for("the sandbox's directory", || {
        std::fs::read_dir(&temporary).is_ok_and(|mut entries| entries.next().is_some())
    });
    run.signal(Signal::INT);
    let run = run.finish();
    wait_for("its directory to be gone", || leftovers(run.home.path()).is_empty());
}

#[test]
fn rcli_server_bin_names_the_binary() {
    rcli(["--sandbox", "PING"])
        .env("RCLI_SERVER_BIN", "/no/such/server")
        .status_among(&[2, 3])
        .complains(&["/no/such/server"])
        .run();
}

#[test]
fn a_server_binary_that_is_none_is_one_line() {
    for binary in ["/bin/false", "/bin/true"] {
        let run = rcli(["--sandbox", "PING"]).env("RCLI_SERVER_BIN", binary).status(3).complains(&[binary]).run();
        assert_eq!(leftovers(run.home.path()), Vec::<PathBuf>::new());
    }
}

#[test]
fn without_a_server_binary_one_line_says_what_to_install() {
    rcli(["--sandbox", "PING"])
        .env("PATH", "/nonexistent")
        .status(3)
        .complains(&["install", "valkey-server", "redis-server"])
        .run();
}

#[test]
fn a_second_sandbox_shares_nothing_with_the_first() {
    let mut first = sandbox(&[]).interactive().prints("OK\n").start();
    first.send_line("SET k v");
    first.wait_for_lines(1);
    sandbox(&["EXISTS", "k"]).prints("0\n").run();
    first.finish();
}

#[test]
fn the_environments_server_is_not_touched_by_a_sandbox() {
    let server = crate::server::Server::start();
    sandbox(&["SET", "k", "v"]).env("RCLI_URL", server.url()).prints("OK\n").run();
    assert_eq!(server.ask("EXISTS k"), "0");
}
