//! `--on-disconnect`: a command for each thing that happens to a connection (contract section 8).

use crate::rcli::Rcli;
use crate::server::{Server, wait_for};
use rustix::process::Signal;

/// What the command tells of an event: its name, and whether its line is on stdin.
const TELL: &str = "echo \"$RCLI_EVENT <$RCLI_CHANNEL> $(cat)\" >> events";

/// A subscriber of `c` with this command, in a home directory of its own.
fn listening(server: &Server, command: &str) -> Rcli {
    server.rcli(["sub", "-m", "c", "--on-disconnect", command]).any_stderr()
}

fn wait_for_subscriber(server: &Server) {
    server.wait_until("PUBSUB NUMSUB c", |reply| reply == "[c, 1]");
}

#[test]
fn each_event_runs_the_command_in_order_and_messages_are_written() {
    let server = Server::start();
    let run = listening(&server, TELL).args(["--count", "1"]);
    let run = run.prints("{\"type\":\"message\",\"pattern\":null,\"channel\":\"c\",\"data\":\"x\"}\n").start();
    wait_for_subscriber(&server);
    server.ask("CLIENT KILL TYPE pubsub");
    wait_for("both events", || run.err_so_far().contains("reconnected after"));
    wait_for_subscriber(&server);
    server.ask("PUBLISH c x");
    let finished = run.finish();
    let events = std::fs::read_to_string(finished.home.path().join("events")).unwrap();
    let lines: Vec<&str> = events.lines().collect();
    let address = server.address();
    assert_eq!(lines.len(), 2, "{events}");
    let lost = "{\"type\":\"disconnected\",\"reason\":\"the server closed the connection\"";
    assert_eq!(lines[0], format!("disconnected <> {lost},\"server\":\"{address}\"}}"));
    assert!(lines[1].starts_with("reconnected <> {\"type\":\"reconnected\",\"gap\":"), "{events}");
}

#[test]
fn a_command_that_fails_is_reported_or_ends_the_stream() {
    let server = Server::start();
    let failing = |what: &str| {
        let run = server.rcli(["sub", "-m", "c", "--on-disconnect", "exit 3", "--on-handler-error", what]);
        let run = run.args(["--count", "1"]).any_stdout().reports_among(&["rcli: --on-disconnect: exit status 3\n"]);
        let run = if what == "stop" { run.status(1) } else { run };
        let run = run.start();
        wait_for_subscriber(&server);
        server.ask("CLIENT KILL TYPE pubsub");
        run
    };
    failing("stop").finish();
    let run = failing("report");
    wait_for("the second failure", || run.err_so_far().matches("exit status 3").count() == 2);
    wait_for_subscriber(&server);
    server.ask("PUBLISH c x");
    run.finish();
}

#[test]
fn the_end_waits_for_the_command_of_the_last_event() {
    let server = Server::start();
    let run = listening(&server, "sleep 0.3; echo \"$RCLI_EVENT\" > last").args(["--no-reconnect"]);
    let run = run.any_stdout().status(3).start();
    wait_for_subscriber(&server);
    server.ask("CLIENT KILL TYPE pubsub");
    let home = run.finish().home;
    assert_eq!(std::fs::read_to_string(home.path().join("last")).unwrap(), "disconnected\n");
}

#[test]
fn a_signal_waits_for_the_command_that_runs() {
    let server = Server::start();
    let command = "echo > begun; while [ ! -e go ]; do sleep 0.05; done; echo \"$RCLI_EVENT\" >> done";
    let run = listening(&server, command).any_stdout().status(130).start();
    wait_for_subscriber(&server);
    server.ask("CLIENT KILL TYPE pubsub");
    let home = run.home().to_owned();
    wait_for("the command", || home.join("begun").exists());
    run.signal(Signal::INT);
    wait_for("the wait for it", || run.err_so_far().contains("waiting for 1 handlers"));
    std::fs::write(home.join("go"), "").unwrap();
    let finished = run.finish();
    assert_eq!(std::fs::read_to_string(finished.home.path().join("done")).unwrap(), "disconnected\n");
}

#[test]
fn monitor_has_it_too_and_an_empty_command_is_refused() {
    let server = Server::start();
    let run = server.rcli(["monitor", "--only", "SET", "--on-disconnect", TELL, "--count", "1"]);
    let run = run.any_stdout().any_stderr().start();
    server.wait_until("CLIENT LIST", |list| list.contains("cmd=monitor"));
    server.ask("CLIENT KILL TYPE normal");
    wait_for("the second connection", || run.err_so_far().contains("reconnected after"));
    server.ask("SET k v");
    let events = std::fs::read_to_string(run.finish().home.path().join("events")).unwrap();
    assert_eq!(
        events.lines().map(|line| line.split(' ').next().unwrap()).collect::<Vec<_>>(),
        ["disconnected", "reconnected"]
    );
    for verb in ["sub", "monitor"] {
        let channels: &[&str] = if verb == "sub" { &["c"] } else { &[] };
        let run = server.rcli([verb, "--on-disconnect", ""]).args(channels);
        run.status(2).complains(&["--on-disconnect: the command is empty"]).run();
    }
    let stop = server.rcli(["sub", "c", "--on-handler-error", "stop"]).status(2);
    stop.complains(&["--handler", "--on-disconnect"]).run();
}
