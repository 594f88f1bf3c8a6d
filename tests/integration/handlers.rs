//! Handlers: what they get, in which order, how they fail, and that nothing of a message is ever run (contract section 8).

use crate::peer::peer;
use crate::rcli::Rcli;
use crate::resp::bulk;
use crate::running::Running;
use crate::server::{Server, wait_for};
use rustix::process::{Pid, Signal, test_kill_process_group};
use std::path::Path;

/// Publishes to a channel of `c` and `d` alike.
fn publish(server: &Server, channel: &str, data: &[u8]) {
    server.call(&[b"PUBLISH", channel.as_bytes(), data]);
}

/// A subscriber of `c` without confirmations, its messages handled so.
fn handled(server: &Server, command: &str) -> Rcli {
    server.rcli(["sub", "-m", "c", "--handler", &format!("c={command}")])
}

/// Waits until somebody is subscribed to `c`.
fn wait_for_subscriber(server: &Server) {
    server.wait_until("PUBSUB NUMSUB c", |reply| reply == "[c, 1]");
}

/// Waits until this is said on standard error.
fn wait_for_stderr(run: &Running, text: &str) {
    wait_for(text, || run.err_so_far().contains(text));
}

/// The content of a file in the home directory; empty while there is none.
fn content(home: &Path, name: &str) -> String {
    std::fs::read_to_string(home.join(name)).unwrap_or_default()
}

#[test]
fn a_handler_gets_the_line_and_the_names_and_other_messages_are_written() {
    let server = Server::start();
    let run = server.rcli(["sub", "-m", "c", "d", "--pattern", "p*", "--count", "3"]);
    let run = run.args(["--handler", "c=echo \"$RCLI_TYPE $RCLI_CHANNEL <$RCLI_PATTERN> $(cat)\""]);
    let run = run.args(["--handler", "p*=echo \"$RCLI_TYPE $RCLI_CHANNEL <$RCLI_PATTERN> $(cat)\""]);
    let run = run.any_stdout().start();
    wait_for_subscriber(&server);
    publish(&server, "c", b"one");
    publish(&server, "d", b"two");
    publish(&server, "p1", b"three");
    let out = run.finish().out();
    let mut lines: Vec<&str> = out.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "message c <> {\"type\":\"message\",\"pattern\":null,\"channel\":\"c\",\"data\":\"one\"}",
            "pmessage p1 <p*> {\"type\":\"pmessage\",\"pattern\":\"p*\",\"channel\":\"p1\",\"data\":\"three\"}",
            "{\"type\":\"message\",\"pattern\":null,\"channel\":\"d\",\"data\":\"two\"}",
        ]
    );
}

#[test]
fn nothing_of_a_message_is_run() {
    let server = Server::start();
    let run = server.rcli(["psub", "-m", "*", "--count", "2", "--handler", "*=cat"]).any_stdout().start();
    server.wait_until("PUBSUB NUMPAT", |count| count == "1");
    let evil = b"$(touch evil); `touch evil`; touch evil; ' \" \n touch evil";
    publish(&server, "c", evil);
    server.call(&[b"PUBLISH", evil, b"x"]);
    let finished = run.finish();
    assert!(!finished.home.path().join("evil").exists());
    assert_eq!(finished.out().lines().count(), 2);
}

#[test]
fn names_that_an_environment_cannot_hold_are_left_out() {
    let server = Server::start();
    let run = server.rcli(["psub", "-m", "*", "--count", "2", "--handler", "*=echo \"${RCLI_CHANNEL-unset}\""]);
    let run = run.env("RCLI_CHANNEL", "inherited").prints("unset\nunset\n").start();
    server.wait_until("PUBSUB NUMPAT", |count| count == "1");
    server.call(&[b"PUBLISH", b"a\0b", b"x"]);
    server.call(&[b"PUBLISH", &vec![b'x'; 1024 * 1024], b"x"]);
    run.finish();
}

#[test]
fn handlers_run_one_at_a_time_in_order_unless_more_are_asked_for() {
    let server = Server::start();
    // Each says that it begins, waits for a sign of its own, and says that it ends.
    let command = "n=$(sed 's/.*data\":\"//; s/\".*//'); echo begin $n >> log; until [ -e go$n ]; do sleep 0.01; done; echo end $n >> log";
    let run = handled(&server, command).args(["--count", "3"]).start();
    wait_for_subscriber(&server);
    for number in ["1", "2", "3"] {
        publish(&server, "c", number.as_bytes());
    }
    for number in ["3", "2", "1"] {
        std::fs::write(run.home().join(format!("go{number}")), "").unwrap();
    }
    assert_eq!(content(run.finish().home.path(), "log"), "begin 1\nend 1\nbegin 2\nend 2\nbegin 3\nend 3\n");

    let run = handled(&server, command).args(["--count", "3", "--handler-jobs", "2"]).start();
    wait_for_subscriber(&server);
    for number in ["1", "2", "3"] {
        publish(&server, "c", number.as_bytes());
    }
    let home = run.home().to_owned();
    wait_for("two handlers at once", || content(&home, "log").lines().count() == 2);
    assert!(!content(&home, "log").contains('3'), "a third must wait");
    std::fs::write(home.join("go2"), "").unwrap();
    wait_for("the third handler", || content(&home, "log").contains("begin 3"));
    std::fs::write(home.join("go1"), "").unwrap();
    std::fs::write(home.join("go3"), "").unwrap();
    run.finish();
}

#[test]
fn failures_are_reported_and_change_nothing() {
    let server = Server::start();
    let run = handled(&server, "read -r line; case $line in *bad*) exit 7;; *dead*) kill -9 $$;; esac; echo fine");
    let run = run.args(["--count", "3"]).prints("fine\n");
    let run = run.reports("rcli: handler for c: exit status 7\nrcli: handler for c: ended by signal 9\n").start();
    wait_for_subscriber(&server);
    for data in [b"bad".as_slice(), b"dead", b"good"] {
        publish(&server, "c", data);
    }
    run.finish();
}

#[test]
fn a_failure_can_end_it_after_the_others_have_finished() {
    let server = Server::start();
    let command = "read -r line; case $line in *bad*) until [ -e begun ]; do sleep 0.01; done; exit 7;; esac; touch begun; sleep 0.3; echo finished";
    let run = handled(&server, command).args(["--handler-jobs", "2", "--on-handler-error", "stop"]);
    let run = run.status(1).prints("finished\n");
    let run = run.reports_among(&["handler for c: exit status 7", "--on-handler-error stop", "1 message "]).start();
    wait_for_subscriber(&server);
    let mut client = server.client();
    for data in [b"good".as_slice(), b"bad", b"never"] {
        client.call(&[b"PUBLISH", b"c", data]).unwrap();
    }
    run.finish();
}

#[test]
fn a_handler_for_what_is_not_subscribed_is_bad_usage() {
    let server = Server::start();
    let run = || server.rcli(["sub", "c"]);
    run().args(["--handler", "d=cat"]).status(2).complains(&["--handler", "d is not subscribed to"]).run();
    run().args(["--handler", "c"]).status(2).complains(&["NAME=COMMAND"]).run();
    run().args(["--handler", "c="]).status(2).complains(&["empty"]).run();
    run().args(["--handler", "c=a", "--handler", "c=b"]).status(2).complains(&["twice"]).run();
}

#[test]
fn a_handler_need_not_read_its_message() {
    let server = Server::start();
    let large = vec![b'x'; 8 * 1024 * 1024];
    // One that ends unread, and one that leaves a process behind which holds its stdin open, unread.
    for command in ["true", "exec 3<&0; sleep 600 <&3 >/dev/null 2>&1 & echo $! > pid"] {
        let run = handled(&server, command).args(["--count", "2"]).start();
        wait_for_subscriber(&server);
        publish(&server, "c", &large);
        publish(&server, "c", &large);
        let finished = run.finish();
        if let Ok(pid) = content(finished.home.path(), "pid").trim().parse() {
            let _ = rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), Signal::KILL);
        }
    }
}

#[test]
fn a_large_message_reaches_a_handler_whole() {
    let server = Server::start();
    let run = handled(&server, "wc -c | tr -d ' '").args(["--count", "1"]).prints("20971578\n").start();
    wait_for_subscriber(&server);
    publish(&server, "c", &vec![b'x'; 20 * 1024 * 1024]);
    run.finish();
}

#[test]
fn a_handler_that_runs_is_not_behind() {
    let server = Server::start();
    let run = handled(&server, "sleep 0.3; wc -c | tr -d ' '").args(["--count", "2"]).any_stdout().start();
    wait_for_subscriber(&server);
    // Larger than the backlog: what is given to a handler at once does not wait.
    publish(&server, "c", &vec![b'x'; 3 * 1024 * 1024]);
    publish(&server, "c", b"small");
    run.finish();
}

/// Waits for a handler that writes its process id to `pid`, which is that of its group.
fn wait_for_group(home: &Path) -> Pid {
    wait_for("the handler", || content(home, "pid").ends_with('\n'));
    Pid::from_raw(content(home, "pid").trim().parse().unwrap()).unwrap()
}

/// Waits until nothing is left of a process group.
fn wait_for_end(group: Pid) {
    wait_for("the end of all its processes", || test_kill_process_group(group).is_err());
}

#[test]
fn handlers_that_run_when_a_signal_comes_are_waited_for_and_no_other_is_started() {
    let server = Server::start();
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let command = "echo begun >> log; until [ -e go ]; do sleep 0.01; done; echo done";
        let run = handled(&server, command).args(["--handler-jobs", "2"]).status(status).prints("done\ndone\n");
        let run = run.reports_among(&["ended with 2 messages", "waiting for 2 handlers"]).start();
        wait_for_subscriber(&server);
        for _ in 0..4 {
            publish(&server, "c", b"x");
        }
        wait_for("two handlers", || content(run.home(), "log").lines().count() == 2);
        run.signal(signal);
        wait_for_stderr(&run, "waiting for");
        // Longer than a run without handlers would have.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        std::fs::write(run.home().join("go"), "").unwrap();
        run.finish();
    }
}

#[test]
fn messages_that_never_pause_do_not_keep_a_signal_waiting() {
    let peer = peer().start();
    let command = "c=echo begun > log; until [ -e go ]; do sleep 0.01; done; echo done";
    let run = peer.rcli(["sub", "-m", "c", "--handler", command]).status(143).prints("done\n");
    let run = run.reports_among(&["messages received and not handled"]).start();
    peer.wait_for_commands(1);
    peer.say(&[b">3\r\n", bulk("subscribe").as_slice(), &bulk("c"), b":1\r\n"].concat());
    let flood = [b">3\r\n", bulk("message").as_slice(), &bulk("c"), &bulk("x")].concat().repeat(10_000);
    std::thread::scope(|scope| {
        // Until the connection is closed.
        scope.spawn(|| (0..100_000).for_each(|_| peer.say(&flood)));
        wait_for("a handler", || !content(run.home(), "log").is_empty());
        run.signal(Signal::TERM);
        wait_for_stderr(&run, "waiting for 1 handlers");
        std::fs::write(run.home().join("go"), "").unwrap();
        run.finish();
    });
}

#[test]
fn a_handler_that_fails_after_a_signal_is_reported_all_the_same() {
    let server = Server::start();
    let run = handled(&server, "echo $$ > pid; until [ -e go ]; do sleep 0.01; done; exit 7").status(143);
    let run = run.reports_among(&["handler for c: exit status 7"]).start();
    wait_for_subscriber(&server);
    publish(&server, "c", b"x");
    wait_for_group(run.home());
    run.signal(Signal::TERM);
    wait_for_stderr(&run, "waiting for 1 handlers");
    std::fs::write(run.home().join("go"), "").unwrap();
    assert!(!run.finish().err().contains("not handled"));
}

#[test]
fn a_second_signal_ends_handlers_that_do_not_end() {
    let server = Server::start();
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        for command in ["echo $$ > pid; sleep 600; true", "trap '' INT TERM; echo $$ > pid; sleep 600; true"] {
            let run = handled(&server, command).status(status).reports_among(&["ended with 2 messages"]).start();
            wait_for_subscriber(&server);
            publish(&server, "c", b"1");
            publish(&server, "c", b"2");
            let group = wait_for_group(run.home());
            run.signal(signal);
            wait_for_stderr(&run, "a second signal ends them");
            assert!(test_kill_process_group(group).is_ok(), "it still runs");
            run.signal(signal);
            run.finish();
            wait_for_end(group);
        }
    }
}

#[test]
fn a_hang_up_ends_handlers() {
    let server = Server::start();
    let run = handled(&server, "echo $$ > pid; sleep 600; true")
        .hearing_hang_ups()
        .status(129)
        .reports_among(&["1 message "])
        .start();
    wait_for_subscriber(&server);
    publish(&server, "c", b"1");
    let group = wait_for_group(run.home());
    run.signal(Signal::HUP);
    run.finish();
    wait_for_end(group);
}

#[test]
fn handlers_end_with_a_run_that_is_killed() {
    let server = Server::start();
    let run = handled(&server, "read -r line; echo $$ > pid; sleep 600 & sleep 600; true").status(137).start();
    wait_for_subscriber(&server);
    publish(&server, "c", b"1");
    let group = wait_for_group(run.home());
    run.signal(Signal::KILL);
    wait_for_end(group);
    run.finish();
}

/// The processes that a run has started and that have not ended.
fn children(run: &Running) -> Vec<String> {
    let threads = std::fs::read_dir(format!("/proc/{}/task", run.pid())).unwrap();
    let children = threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("children")).unwrap());
    children.flat_map(|pids| pids.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn what_a_handler_left_behind_stays_when_the_run_is_killed() {
    let server = Server::start();
    let command = "echo $$ > pid; sleep 600 </dev/null >/dev/null 2>&1 &";
    let run = handled(&server, command).status(137).start();
    wait_for_subscriber(&server);
    publish(&server, "c", b"1");
    let group = wait_for_group(run.home());
    // The handler is gone; what would end it with the run is not.
    wait_for("the handler's end", || !children(&run).contains(&group.as_raw_nonzero().to_string()));
    let guards = children(&run);
    assert_eq!(guards.len(), 1, "{guards:?}");
    run.signal(Signal::KILL);
    run.finish();
    wait_for("the guard's end", || !Path::new("/proc").join(&guards[0]).exists());
    rustix::process::kill_process_group(group, Signal::KILL).expect("what it left behind");
}

#[test]
fn a_full_backlog_pauses_reading_and_loses_nothing() {
    let server = Server::start();
    let command = "until [ -e go ]; do sleep 0.01; done; sed 's/.*data\":\"//; s/\".*//' >> log";
    let run = handled(&server, command).args(["--count", "1200", "--handler-jobs", "4"]);
    let run = run.reports_among(&["the handlers are behind"]).start();
    wait_for_subscriber(&server);
    let mut client = server.client();
    for number in 0..1200 {
        client.call(&[b"PUBLISH", b"c", number.to_string().as_bytes()]).unwrap();
    }
    wait_for_stderr(&run, "the handlers are behind");
    std::fs::write(run.home().join("go"), "").unwrap();
    let log = content(run.finish().home.path(), "log");
    let mut numbers: Vec<u32> = log.lines().map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..1200).collect::<Vec<_>>());
}

#[test]
fn large_messages_that_wait_for_a_handler_are_bounded_in_bytes() {
    let server = Server::start();
    let run = handled(&server, "until [ -e go ]; do sleep 0.01; done; wc -c | tr -d ' '").args(["--count", "40"]);
    let run = run.prints("100058\n".repeat(40)).reports_among(&["the handlers are behind"]).start();
    wait_for_subscriber(&server);
    for _ in 0..40 {
        publish(&server, "c", &vec![b'x'; 100_000]);
    }
    wait_for_stderr(&run, "the handlers are behind");
    std::fs::write(run.home().join("go"), "").unwrap();
    run.finish();
}

#[test]
fn what_was_received_is_handled_before_a_time_limit_ends_it() {
    let server = Server::start();
    let run = handled(&server, "sleep 0.2; echo done").args(["--idle", "0.3"]).prints("done\ndone\ndone\n").start();
    wait_for_subscriber(&server);
    server.call(&[b"EVAL", b"for i = 1, 3 do redis.call('PUBLISH', 'c', 'x') end", b"0"]);
    run.finish();
}
