//! SIGINT and SIGTERM in each mode, and a stdout whose reader goes away (contract section 1, exit status).

use crate::peer::{peer, send};
use crate::rcli::Rcli;
use crate::running::Running;
use crate::server::{DEADLINE, Server, wait_for};
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Read as _};
use std::time::Instant;

/// The signals and the statuses they end in.
const SIGNALS: [(Signal, i32); 2] = [(Signal::INT, 130), (Signal::TERM, 143)];

/// A run that a signal is going to end; what it says about that is its own affair.
fn doomed(run: Rcli, status: i32) -> Rcli {
    run.status(status).any_stderr()
}

/// Ends a run by a signal; its standard input stays open.
fn end(run: Running, signal: Signal) {
    run.signal(signal);
    run.finish_with_open_stdin();
}

#[test]
fn exec_waiting_for_a_reply_ends() {
    let server = Server::start();
    for (signal, status) in SIGNALS {
        let run = doomed(server.rcli(["BLPOP", "none", "0"]), status).start();
        server.wait_until("INFO clients", |info| info.contains("blocked_clients:1"));
        end(run, signal);
        server.wait_until("INFO clients", |info| info.contains("blocked_clients:0"));
    }
}

#[test]
fn a_signal_that_comes_as_soon_as_it_is_caught_is_told_from_the_others() {
    let peer = peer().start();
    for (signal, status) in [(Signal::TERM, 143), (Signal::HUP, 129)].repeat(10) {
        let run = doomed(peer.rcli(["X"]).hearing_hang_ups(), status).start();
        let begin = Instant::now();
        // Without a pause: the moment after counts.
        while !run.catches(signal) {
            assert!(begin.elapsed() < DEADLINE, "no handler of {signal:?}");
        }
        end(run, signal);
    }
}

#[test]
fn a_pipe_whose_server_sends_pushes_without_a_pause_ends() {
    let peer = peer().answers([send("+one\r\n")]).start();
    let run = peer.rcli(["pipe"]).interactive().prints("one\n").reports_among(&["interrupted: 1 commands answered"]);
    let mut run = run.status(143).start();
    run.send_line("X");
    run.wait_for_lines(1);
    let pushes = ">1\r\n+note\r\n".repeat(400_000);
    peer.say(pushes.as_bytes());
    run.signal(Signal::TERM);
    while run.is_running() {
        peer.say(pushes.as_bytes());
    }
    run.finish_with_open_stdin();
}

#[test]
fn a_hangup_that_is_ignored_stays_ignored_by_handlers_too() {
    let server = Server::start();
    let run = server.rcli(["sub", "c"]).through_sh("trap '' HUP; exec \"$0\" \"$@\"");
    let mut run = doomed(run.prints_among(&["after"]), 143).start();
    run.wait_for_lines(1);
    run.signal(Signal::HUP);
    server.ask("PUBLISH c after");
    run.wait_for_lines(2);
    end(run, Signal::TERM);
    let handler = "c=kill -s HUP $$; echo lives on";
    let run = server.rcli(["sub", "-m", "c", "--count", "1", "--handler", handler]);
    let run = run.through_sh("trap '' HUP; exec \"$0\" \"$@\"").prints("lives on\n").start();
    server.wait_until("PUBSUB NUMSUB c", |reply| reply == "[c, 1]");
    server.ask("PUBLISH c message");
    run.finish();
}

/// Whoever ignores SIGCHLD is not told by the system how a program ended, and neither are its children.
#[test]
fn how_programs_end_is_known_where_their_end_was_ignored() {
    let server = Server::start();
    let ignored = "trap '' CHLD; exec \"$0\" \"$@\"";
    let program = "echo MULTI; echo PING";
    server.rcli(["txn", "--", "sh", "-c", program]).through_sh(ignored).prints("PONG\n").run();
    let said = "rcli: sh ended with status 3: its block was not run\n";
    server.rcli(["txn", "--", "sh", "-c", "exit 3"]).through_sh(ignored).reports(said).status(1).run();
    let handler = ["sub", "-m", "c", "--count", "1", "--handler", "c=exit 3"];
    let run = server.rcli(handler).through_sh(ignored).reports("rcli: handler for c: exit status 3\n").start();
    server.wait_until("PUBSUB NUMSUB c", |reply| reply == "[c, 1]");
    server.ask("PUBLISH c message");
    run.finish();
}

#[test]
fn exec_pausing_between_repetitions_ends() {
    let server = Server::start();
    for (signal, status) in SIGNALS {
        let mut run = doomed(server.rcli(["exec", "-r", "2", "-i", "600", "PING"]).prints("PONG\n"), status).start();
        run.wait_for_lines(1);
        end(run, signal);
    }
}

#[test]
fn stdin_mode_waiting_for_a_line_ends() {
    let server = Server::start();
    for (signal, status) in SIGNALS {
        let mut run = doomed(server.rcli([""; 0]).interactive().prints("PONG\n"), status).start();
        run.send_line("PING");
        run.wait_for_lines(1);
        end(run, signal);
    }
}

#[test]
fn stdin_mode_waiting_for_a_reply_ends() {
    let server = Server::start();
    for (signal, status) in SIGNALS {
        let mut run = doomed(server.rcli([""; 0]).interactive().prints("PONG\n"), status).start();
        run.send("PING\nBLPOP none 0\n");
        server.wait_until("INFO clients", |info| info.contains("blocked_clients:1"));
        end(run, signal);
        server.wait_until("INFO clients", |info| info.contains("blocked_clients:0"));
    }
}

#[test]
fn pipe_waiting_for_a_line_ends() {
    let server = Server::start();
    for (signal, status) in SIGNALS {
        let mut run = doomed(server.rcli(["pipe"]).interactive().prints("PONG\n"), status).start();
        run.send_line("PING");
        run.wait_for_lines(1);
        end(run, signal);
    }
}

#[test]
fn a_named_pipe_that_nobody_writes_keeps_no_signal_waiting() {
    let server = Server::start();
    for (signal, status) in SIGNALS {
        let run = server.rcli(["pipe", "fifo"]).through_sh("mkfifo fifo && exec \"$0\" \"$@\"").interactive();
        let run = doomed(run, status).start();
        // It waits for lines as it does on stdin.
        server.wait_until("CLIENT LIST", |clients| clients.lines().count() == 2);
        end(run, signal);
        server.wait_until("CLIENT LIST", |clients| clients.lines().count() == 1);
    }
}

#[test]
fn pipe_waiting_for_a_reply_ends_with_everything_received_written() {
    for (signal, status) in SIGNALS {
        let peer = peer().answers([send("+a\r\n"), send("+b\r\n"), send("$9\r\nhalf")]).start();
        let mut run = doomed(peer.rcli(["pipe"]).interactive().prints("a\nb\n"), status).start();
        run.send("A\nB\nC\nD\n");
        run.wait_for_lines(2);
        peer.wait_for_commands(4);
        end(run, signal);
    }
}

#[test]
fn pipe_at_full_speed_ends_with_whole_lines_in_order() {
    let server = Server::start();
    for (signal, status) in SIGNALS {
        server.ask("DEL n");
        let mut run = doomed(server.rcli(["pipe"]).interactive().any_stdout(), status).start();
        run.send("INCR n\n".repeat(500_000));
        run.wait_for_lines(1000);
        run.signal(signal);
        let out = run.finish_with_open_stdin().out();
        assert!(out.ends_with('\n'), "half a line at the end");
        for (index, line) in out.lines().enumerate() {
            assert_eq!(line, (index + 1).to_string());
        }
    }
}

#[test]
fn a_reply_already_received_is_written_before_the_end() {
    // The answer is in the socket before the signal comes; it must be on stdout after it.
    for args in [&["pipe"][..], &[]] {
        let peer = peer().answers([send("+a\r\n")]).start();
        let mut run = doomed(peer.rcli(args).interactive().prints("a\n"), 130).start();
        run.send_line("A");
        run.wait_for_lines(1);
        end(run, Signal::INT);
    }
}

#[test]
fn a_pipe_whose_reader_is_slow_ends() {
    let server = Server::start();
    server.call(&[b"SETRANGE", b"k", b"99999", b"x"]);
    for (signal, status) in SIGNALS {
        // A second signal is final, whatever stdout does; after one the run has a second, and no more.
        for is_final in [true, false] {
            // Nobody reads: stdout is full and the program is blocked in a write.
            let (_reader, writer) = std::io::pipe().expect("a pipe");
            let run = doomed(server.rcli(["pipe"]).stdin("GET k\n".repeat(50)).stdout_to(writer), status).start();
            server.wait_until("INFO commandstats", |stats| stats.contains("cmdstat_get:"));
            run.signal(signal);
            if is_final {
                std::thread::sleep(std::time::Duration::from_millis(200));
                let _ = rustix::process::kill_process(
                    rustix::process::Pid::from_raw(i32::try_from(run.pid()).unwrap()).unwrap(),
                    signal,
                );
            }
            run.finish();
            server.ask("CONFIG RESETSTAT");
        }
    }
}

#[test]
fn a_long_reply_of_one_command_is_written_whole_before_the_end() {
    let server = Server::start();
    // More than a pipe holds.
    server.call(&[b"SETRANGE", b"k", b"199999", b"x"]);
    for (signal, status) in SIGNALS {
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let run = doomed(server.rcli(["GET", "k"]).stdout_to(writer), status).start();
        let mut reply = vec![0];
        reader.read_exact(&mut reply).expect("the reply begins");
        let threads = run.threads();
        run.signal(signal);
        // Another one ends what has not ended when the grace is over.
        wait_for("the signal to be heard", || run.threads() > threads);
        reader.read_to_end(&mut reply).expect("the reply ends");
        assert_eq!(reply.len(), 200_001, "{signal:?}");
        run.finish();
    }
}

#[test]
fn a_peer_that_never_accepts_the_handshake_does_not_hold_back_a_signal() {
    for (signal, status) in SIGNALS {
        let peer = peer().hello(crate::peer::Answer::Silence).start();
        let run = doomed(peer.rcli(["-t", "600", "--json", "PING"]), status).start();
        peer.wait_for_connection();
        end(run, signal);
    }
}

/// Runs something that writes without end, reads one line of it and closes: it must end quietly with status 0.
fn assert_ends_when_its_reader_goes(run: Rcli) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let run = run.stdout_to(writer).start();
    let mut reader = BufReader::new(reader);
    let mut line = String::new();
    reader.read_line(&mut line).expect("a line");
    assert!(line.ends_with('\n'), "{line:?}");
    drop(reader);
    run.finish();
}

#[test]
fn a_closed_stdout_is_status_0_and_quiet_in_each_mode() {
    let server = Server::start();
    let many = "PING\n".repeat(100_000);
    assert_ends_when_its_reader_goes(server.rcli(["exec", "-r", "-1", "PING"]));
    assert_ends_when_its_reader_goes(server.rcli([""; 0]).stdin(&many));
    assert_ends_when_its_reader_goes(server.rcli(["pipe"]).stdin(&many));
    assert_ends_when_its_reader_goes(server.rcli(["pipe", "--json"]).stdin(&many));
    assert_ends_when_its_reader_goes(server.rcli(["pipe", "--human"]).stdin(&many));
}

#[test]
fn head_takes_one_line_of_a_shell_pipeline() {
    let server = Server::start();
    let script = "{ \"$0\" \"$@\"; echo \"status $?\" >&2; } | head -n 1";
    let many = "INCR n\n".repeat(50_000);
    server.rcli(["pipe"]).stdin(many).through_sh(script).prints("1\n").reports("status 0\n").run();
}
