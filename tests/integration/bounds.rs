//! Bounds that hold although nobody asks for them: what a pipeline keeps in its own memory and in the server's (contract
//! section 6). What is counted is what the other side has been given: without the bound it is given all there is.

use crate::cluster_nodes::Cluster;
use crate::peer::peer;
use crate::running::Running;
use crate::server::{DEADLINE, Server, wait_for};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

/// A number, once it has not moved for a while. A look that is too early, on a busy machine, finds less.
pub fn at_rest(mut number: impl FnMut() -> usize) -> usize {
    let (mut last, mut since) = (0, Instant::now());
    wait_for("a number that does not move", || {
        let now = number();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        last > 0 && since.elapsed() > Duration::from_millis(400)
    });
    last
}

/// How often a server has run a command.
pub fn calls(server: &Server, command: &str) -> usize {
    let stats = server.ask("INFO commandstats");
    let found = stats.split(&format!("cmdstat_{command}:calls=")).nth(1);
    found.and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap_or(0)
}

/// How often one node runs a command before an older one is answered, which another node holds back.
fn run_ahead(command: &str, lines: usize) -> usize {
    let cluster = Cluster::start();
    assert_eq!(cluster.ask_owner("foo", "SETRANGE foo 9999 x"), "10000");
    assert_eq!(cluster.ask_owner("c", "CLIENT PAUSE 600000 WRITE"), "OK");
    let input = format!("INCR c\n{}", format!("{command}\n").repeat(lines));
    let run = cluster.rcli(["pipe"]).stdin(input).any_stdout().start();
    let name = command.split(' ').next().unwrap().to_lowercase();
    let ahead = at_rest(|| calls(&cluster.nodes[2], &name));
    assert_eq!(cluster.ask_owner("c", "CLIENT UNPAUSE"), "OK");
    assert_eq!(run.finish().out().lines().count(), lines + 1);
    ahead
}

/// What a line of the status of a run says of its memory, in kB.
pub fn memory(run: &Running, name: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", run.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).expect("a run that has not ended");
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn replies_that_wait_for_an_older_one_are_bounded_in_bytes() {
    // 6 MB of them here, and 8 MB on their way, are 1,400.
    let ahead = run_ahead("GET foo", 12_000);
    assert!(ahead < 3_000, "{ahead}");
}

#[test]
fn commands_whose_replies_wait_for_an_older_one_are_bounded_in_number_and_bytes() {
    let ahead = run_ahead("SETNX foo 1", 150_000);
    assert!(ahead < 70_000, "{ahead}");
    // 4 MB.
    let ahead = run_ahead(&format!("SETNX foo {}", "x".repeat(1000)), 12_000);
    assert!(ahead < 6_000, "{ahead}");
}

#[test]
fn commands_in_flight_are_bounded_in_bytes_before_any_reply_tells_its_size() {
    let silent = peer().start();
    let line = format!("SET k {}\n", "x".repeat(50_000));
    let run = silent.rcli(["pipe"]).stdin(line.repeat(400)).status(143).any_stderr().start();
    // 4 MB.
    let sent = at_rest(|| silent.ordinary().len());
    assert!(sent < 120, "{sent}");
    run.signal(rustix::process::Signal::TERM);
    run.finish();
}

#[test]
fn commands_in_flight_are_as_many_as_keep_100_ms_busy_at_most() {
    let silent = peer().start();
    let run = silent.rcli(["pipe", "-q"]).stdin("PING\n".repeat(540_000)).status(143).any_stderr().start();
    silent.wait_for_commands(512);
    // The first answer tells how far away the server is: further than any window reaches.
    std::thread::sleep(Duration::from_millis(150));
    silent.say("+OK\r\n".repeat(512).as_bytes());
    let sent = at_rest(|| silent.ordinary().len().saturating_sub(512));
    assert!(sent <= 262_144, "{sent}");
    run.signal(rustix::process::Signal::TERM);
    run.finish();
}

#[test]
fn the_room_that_a_large_command_took_is_given_back() {
    let server = Server::start();
    let mut run = server.rcli(["pipe"]).interactive().prints("OK\n1\nOK\n2\n").start();
    let large = format!("SET k {}\n", "x".repeat(40_000_000));
    for line in [&large, "INCR n\n", &large, "INCR n\n"] {
        run.send(line);
        run.next_line();
    }
    // Room for such a line where it is read, and where it is parsed: 120 MB. What was sent would be as much again.
    assert!(memory(&run, "VmRSS") < 160_000, "{} kB", memory(&run, "VmRSS"));
    run.finish();
}

#[test]
fn a_window_that_was_asked_for_takes_no_memory_while_a_server_does_not_read() {
    let server = Server::start();
    server.hang();
    let line = format!("SET key {}\n", "v".repeat(240));
    let run = server.rcli(["pipe", "-q", "--window", "1000000"]).stdin(line.repeat(200_000)).start();
    // What the kernel takes, of 50 MB.
    let taken = at_rest(|| memory(&run, "VmData"));
    assert!(taken < 32_000, "{taken} kB");
    server.revive();
    run.finish();
}

#[test]
fn what_is_sent_again_to_resume_is_bounded_too() {
    let server = Server::start();
    let lines = 300_000;
    let input = format!("{}INCR n\n", "SELECT 1\n".repeat(lines));
    let run = server.rcli(["pipe", "--skip", &lines.to_string()]).stdin(input).prints("1\n");
    run.through_sh("ulimit -d 32000; exec \"$0\" \"$@\"").run();
    assert_eq!(server.ask("DBSIZE"), "0");
    assert_eq!(calls(&server, "select"), lines);
}

#[test]
fn a_busy_server_is_waited_for_before_replies_are_written() {
    let server = Server::start();
    let lines = 500;
    // Each write is a datagram. Whether a server answers within half a millisecond is the machine's affair too: one
    // run shows it.
    wait_for("several replies in a write", || {
        let (reader, writer) = UnixDatagram::pair().unwrap();
        reader.set_read_timeout(Some(DEADLINE)).unwrap();
        let run = server.rcli(["pipe", "--window", "1"]).stdin("DEBUG SLEEP 0.0001\n".repeat(lines));
        let run = run.stdout_to(OwnedFd::from(writer)).start();
        let (mut length, mut datagrams) = (0, 0);
        while length < lines * "OK\n".len() {
            length += reader.recv(&mut [0; 4096]).unwrap();
            datagrams += 1;
        }
        run.finish();
        datagrams < lines / 2
    });
}
