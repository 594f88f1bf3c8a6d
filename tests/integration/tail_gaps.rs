//! `tail`: what is lost and what is not: lost connections, trimmed and deleted streams (contract sections 8 and 15).

use crate::peer::{close, peer, send};
use crate::resp::bulk;
use crate::running::Running;
use crate::sentinels::SentinelSet;
use crate::server::{Server, wait_for};
use crate::tail::{add, lines_of, server_with, wait_for_readers};
use rustix::process::Signal;

/// The lines of entries among all.
fn entries(out: &str) -> String {
    out.lines().filter(|line| line.starts_with("{\"stream\"")).map(|line| format!("{line}\n")).collect()
}

/// The line of an event, once it is there.
fn event(run: &mut Running, kind: &str) -> String {
    loop {
        let line = run.next_line();
        if line.starts_with(&format!("{{\"type\":\"{kind}\"")) {
            return line;
        }
    }
}

/// Ends the connections that wait for entries.
fn kill_readers(server: &Server) {
    server.ask("CLIENT KILL TYPE normal SKIPME yes");
}

#[test]
fn a_lost_connection_leaves_nothing_out_and_brings_nothing_twice() {
    let server = server_with(3);
    let run = server.rcli(["tail", "s", "--from", "0", "--events"]).any_stdout().status(130);
    let mut run = run.reports_among(&["connection lost", "reconnected after", "nothing is left out"]).start();
    run.wait_for_lines(3);
    for round in 1..=3 {
        wait_for_readers(&server, 1);
        kill_readers(&server);
        add(&server, 3 * round + 1..=3 * round + 3);
        event(&mut run, "reconnected");
    }
    let finished = run.interrupt_after(18);
    assert_eq!(entries(&finished.out()), lines_of(1..=12, ""));
    let out = finished.out();
    let events = out.lines().filter(|line| line.starts_with("{\"type\"")).map(|line| line.split('"').nth(3).unwrap());
    assert_eq!(events.collect::<Vec<_>>(), ["disconnected", "reconnected"].repeat(3));
}

#[test]
fn a_loss_before_the_first_entry_leaves_no_gap() {
    let server = server_with(3);
    let mut run = server.rcli(["tail", "s"]).any_stdout().any_stderr().status(130).start();
    wait_for_readers(&server, 1);
    let mut client = server.client();
    for command in ["MULTI", "CLIENT KILL TYPE normal SKIPME yes", "XADD s 4-0 n 4", "EXEC"] {
        client.call(&command.split(' ').map(str::as_bytes).collect::<Vec<_>>()).unwrap();
    }
    run.wait_for_lines(1);
    assert_eq!(run.interrupt_after(1).out(), lines_of([4], ""));
}

#[test]
fn a_server_that_restarts_with_its_data_goes_on() {
    let mut server = Server::with_args(["--appendonly", "yes", "--appendfsync", "always"]);
    add(&server, 1..=3);
    let mut run = server.rcli(["tail", "s", "--from", "0"]).prints(lines_of(1..=5, "")).status(130);
    run = run.reports_among(&["connection lost", "nothing is left out"]);
    let mut run = run.start();
    run.wait_for_lines(3);
    server.kill_nine();
    wait_for("the loss", || run.err_so_far().contains("connection lost"));
    server.restart();
    add(&server, 4..=5);
    run.wait_for_lines(5);
    run.signal(Signal::INT);
    run.finish();
}

#[test]
fn retries_are_limited_as_for_messages() {
    for (option, told) in [(&["--no-reconnect"][..], "connection lost"), (&["--max-retries", "2"], "with 2 tries")] {
        let server = server_with(1);
        // What --wait says is for the first connection.
        let run = server.rcli(["--wait", "3600", "tail", "s", "--from", "0"]).args(option);
        let run = run.prints(lines_of([1], "")).status(3);
        let mut run = run.reports_among(&[told]).start();
        run.wait_for_lines(1);
        wait_for_readers(&server, 1);
        drop(server);
        run.finish();
    }
}

#[test]
fn a_program_is_told_of_a_loss() {
    let server = server_with(1);
    let run =
        server.rcli(["tail", "s", "--from", "0", "--count", "2", "--on-disconnect", "echo $RCLI_EVENT; cat >> told"]);
    let mut run = run.any_stdout().any_stderr().start();
    run.wait_for_lines(1);
    wait_for_readers(&server, 1);
    kill_readers(&server);
    run.wait_for_lines(3);
    add(&server, [2]);
    let finished = run.finish();
    let out = finished.out();
    assert_eq!(entries(&out), lines_of(1..=2, ""));
    assert!(out.contains("disconnected\n") && out.contains("reconnected\n"), "{out}");
    let told = std::fs::read_to_string(finished.home.path().join("told")).unwrap();
    assert!(told.starts_with("{\"type\":\"disconnected\",\"reason\":"), "{told}");
}

#[test]
fn a_server_that_hangs_is_found() {
    let absent = || send("-ERR no such key\r\n");
    // It answers no read.
    let hanging = peer().always("XINFO", absent()).always("XREAD", crate::peer::Answer::Silence).start();
    let run = hanging.rcli(["tail", "s", "--read-timeout", "0.3", "--no-reconnect"]).status(3);
    run.complains(&["no answer within 0.3 s"]).run();
}

#[test]
fn what_was_delivered_to_a_consumer_and_did_not_arrive_comes_again() {
    let server = server_with(3);
    server.ask("XGROUP CREATE s g 0");
    let run = server.rcli(["tail", "s", "--group", "g", "--consumer", "c"]).any_stdout().any_stderr().status(130);
    let mut run = run.start();
    run.wait_for_lines(3);
    wait_for_readers(&server, 1);
    // Delivered over a connection that is gone, as far as the server knows.
    let mut client = server.client();
    for command in
        ["MULTI", "CLIENT KILL TYPE normal SKIPME yes", "XADD s 4-0 n 4", "XREADGROUP GROUP g c STREAMS s >", "EXEC"]
    {
        client.call(&command.split(' ').map(str::as_bytes).collect::<Vec<_>>()).unwrap();
    }
    run.wait_for_lines(4);
    add(&server, [5]);
    run.wait_for_lines(5);
    let out = run.interrupt_after(5).out();
    let again = lines_of([4], ",\"deliveries\":2");
    let once = ",\"deliveries\":1";
    assert_eq!(out, [lines_of(1..=3, once), again, lines_of([5], once)].concat());
    assert!(server.ask("XPENDING s g").starts_with("[0,"), "{}", server.ask("XPENDING s g"));
}

#[test]
fn an_acknowledgement_that_was_lost_is_sent_again_and_its_entry_does_not_come_again() {
    let id = |id: &str| bulk(id);
    let entry = |number: &str| {
        [&b"*1\r\n*2\r\n"[..], &bulk("s"), b"*1\r\n*2\r\n", &id(number), b"*2\r\n", &bulk("n"), &bulk("1")].concat()
    };
    let nothing = || send(b"*1\r\n*2\r\n$1\r\ns\r\n*0\r\n");
    let peer = peer()
        .always("XINFO", send("-NOPERM no\r\n"))
        .always("XPENDING", send("*0\r\n"))
        .answers([nothing(), send(entry("1-0")), close("")])
        .start();
    peer.set("XACK", close(""));
    let run = peer.rcli(["tail", "s", "--group", "g", "--consumer", "c"]).any_stdout().any_stderr().status(130);
    let mut run = run.start();
    run.wait_for_lines(1);
    wait_for("the first", || peer.ordinary().iter().any(|command| command.starts_with("XACK s g 1-0")));
    peer.set("XACK", send(":1\r\n"));
    peer.set("XREADGROUP GROUP g c COUNT", nothing());
    wait_for("the second", || peer.ordinary().iter().filter(|command| *command == "XACK s g 1-0").count() > 1);
    // What is looked for lies behind what has come.
    wait_for("a read", || peer.ordinary().iter().any(|command| command.ends_with("STREAMS s 1-0")));
    let out = run.interrupt_after(1).out();
    assert_eq!(out.lines().count(), 1, "{out}");
}

#[test]
fn a_stream_that_begins_again_with_lower_ids_is_a_gap_and_read_from_its_beginning() {
    let server = server_with(3);
    let run = server.rcli(["tail", "s", "--events", "--from", "0"]).any_stdout().status(130);
    let told = "s: gap: it was deleted and has begun again with lower ids: 3-0 was read last, 2-0 is its last one";
    let mut run = run.reports_among(&[told]).start();
    run.wait_for_lines(3);
    wait_for_readers(&server, 1);
    server.ask("DEL s");
    add(&server, 1..=2);
    let gap = event(&mut run, "gap");
    let expected = format!(
        "{{\"type\":\"gap\",\"stream\":\"s\",\"reason\":\"begun_again\",\"after\":\"3-0\",\"before\":\"2-0\",\"server\":\"{}\"}}",
        server.address()
    );
    assert_eq!(gap, expected);
    add(&server, [3]);
    let out = run.interrupt_after(7).out();
    assert_eq!(entries(&out), lines_of((1..=3).chain(1..=3), ""));
}

#[test]
fn a_stream_that_begins_again_and_passes_what_was_read_is_read_from_its_beginning_and_nothing_twice() {
    // Of the new one there were fewer entries, or there are some before all that the old one had.
    for (trim, old, new, told) in [("3", 1..=3, &[1, 4][..], &[4, 1][..]), ("1", 3..=3, &[1, 2, 4, 5], &[4, 5, 1, 2])] {
        let server = server_with(3);
        server.ask(&format!("XTRIM s MAXLEN {trim}"));
        let run = server.rcli(["tail", "s", "--events", "--from", "0"]).any_stdout().status(130);
        let mut run = run.reports_among(&["s: gap: it was deleted and has begun again with lower ids"]).start();
        let count = old.clone().count();
        run.wait_for_lines(count);
        wait_for_readers(&server, 1);
        let adds: String = new.iter().map(|id| format!("XADD s {id}-0 n {id}\n")).collect();
        server.rcli(["pipe", "--quiet"]).stdin(format!("MULTI\nDEL s\n{adds}EXEC\n")).run();
        event(&mut run, "gap");
        run.wait_for_lines(count + 1 + told.len());
        add(&server, [9]);
        let out = run.interrupt_after(count + 2 + told.len()).out();
        assert_eq!(entries(&out), lines_of(old.chain(told.iter().copied()).chain([9]), ""));
    }
}

#[test]
fn a_stream_that_came_and_went_between_two_looks_is_a_gap_too() {
    let server = Server::start();
    let told = "s: gap: it was deleted and has begun again with lower ids: 5-0 was read last, 2-0 is its last one";
    let run = server.rcli(["tail", "s", "--events"]).any_stdout().status(130).reports_among(&[told]);
    let mut run = run.start();
    wait_for_readers(&server, 1);
    // In one write: the reader is given the first, and then finds another stream.
    let script = "XADD s 5-0 n 5\nDEL s\nXADD s 1-0 n 1\nXADD s 2-0 n 2\n";
    server.rcli(["pipe", "--quiet"]).stdin(script).run();
    event(&mut run, "gap");
    assert_eq!(entries(&run.interrupt_after(4).out()), lines_of([5, 1, 2], ""));
}

#[test]
fn a_stream_that_was_away_and_begins_again_with_higher_ids_is_no_gap() {
    let server = server_with(3);
    let mut run = server.rcli(["tail", "s", "--events", "--from", "0"]).prints(lines_of(1..=5, "")).status(130).start();
    run.wait_for_lines(3);
    server.ask("DEL s");
    wait_for("a look", || {
        let stats = server.ask("INFO commandstats");
        stats.lines().any(|line| line.starts_with("cmdstat_xinfo") && !line.contains("failed_calls=0"))
    });
    add(&server, 4..=5);
    run.wait_for_lines(5);
    run.signal(Signal::INT);
    run.finish();
}

#[test]
fn a_group_goes_with_its_stream_and_is_made_again_with_it() {
    let server = server_with(3);
    let run = server.rcli(["tail", "s", "--events", "--from", "0", "--group", "g", "--consumer", "c", "--create"]);
    let mut run = run.any_stdout().reports_among(&["begun again with lower ids", "made again behind 0-0"]).status(130);
    run = run.args(["--timeout", "30"]);
    let mut run = run.start();
    run.wait_for_lines(3);
    wait_for_readers(&server, 1);
    let mut client = server.client();
    for command in ["MULTI", "DEL s", "XADD s 1-0 n 1", "EXEC"] {
        client.call(&command.split(' ').map(str::as_bytes).collect::<Vec<_>>()).unwrap();
    }
    event(&mut run, "gap");
    event(&mut run, "group_made");
    add(&server, [2]);
    let out = run.interrupt_after(7).out();
    assert_eq!(entries(&out), lines_of((1..=3).chain(1..=2), ",\"deliveries\":1"));
}

#[test]
fn a_stream_that_begins_again_with_higher_ids_is_no_gap() {
    let server = server_with(3);
    let run = server.rcli(["tail", "s", "--events", "--from", "0"]).prints(lines_of(1..=5, "")).status(130);
    let mut run = run.start();
    run.wait_for_lines(3);
    wait_for_readers(&server, 1);
    server.ask("DEL s");
    add(&server, 4..=5);
    run.wait_for_lines(5);
    wait_for_readers(&server, 1);
    run.signal(Signal::INT);
    run.finish();
}

#[test]
fn what_was_trimmed_before_it_was_read_is_a_gap_with_its_ids_and_its_number() {
    for grouped in [false, true] {
        let server = server_with(3);
        let mut run = server.rcli(["tail", "s", "--events", "--from", "0"]).any_stdout().status(130);
        if grouped {
            run = run.args(["--group", "g", "--consumer", "c", "--create"]);
        }
        let told = "s: gap: 3 entries behind 3-0 and before 7-0 were trimmed or deleted before they were read";
        let mut run = run.reports_among(&[told]).start();
        run.wait_for_lines(3);
        wait_for_readers(&server, 1);
        // What comes while it is away is not delivered to anybody.
        run.signal(Signal::STOP);
        kill_readers(&server);
        add(&server, 4..=8);
        server.ask("XTRIM s MINID 7-0");
        run.signal(Signal::CONT);
        let gap = event(&mut run, "gap");
        let expected = format!(
            "{{\"type\":\"gap\",\"stream\":\"s\",\"reason\":\"trimmed\",\"after\":\"3-0\",\"before\":\"7-0\",\"lost\":3,\"server\":\"{}\"}}",
            server.address()
        );
        assert_eq!(gap, expected);
        run.wait_for_lines(8);
        let deliveries = if grouped { ",\"deliveries\":1" } else { "" };
        assert_eq!(entries(&run.interrupt_after(8).out()), lines_of((1..=3).chain(7..=8), deliveries));
    }
}

#[test]
fn what_was_read_before_it_was_trimmed_is_no_gap() {
    let server = Server::start();
    let run = server.rcli(["tail", "s", "--from", "0"]).prints(lines_of(1..=20, "")).any_stderr().status(130);
    let mut run = run.start();
    wait_for_readers(&server, 1);
    for number in 1..=20 {
        server.ask(&format!("XADD s MAXLEN 1 {number}-0 n {number}"));
        run.wait_for_lines(number);
    }
    wait_for_readers(&server, 1);
    kill_readers(&server);
    wait_for("the return", || run.err_so_far().contains("nothing is left out"));
    wait_for_readers(&server, 1);
    run.signal(Signal::INT);
    let err = run.finish().err();
    assert!(!err.contains("gap"), "{err}");
}

#[test]
fn what_went_while_a_read_was_waiting_is_told_afterwards() {
    let server = server_with(2);
    let told = "s: gap: 4 entries behind 2-0 and before 7-0 were trimmed or deleted before they were read";
    let run = server.rcli(["tail", "s", "--events"]).any_stdout().reports_among(&[told]).status(130);
    let mut run = run.start();
    wait_for_readers(&server, 1);
    let adds = "for i = 3, 7 do redis.call('XADD', 's', 'MAXLEN', '1', i .. '-0', 'n', i) end";
    server.call(&[b"EVAL", adds.as_bytes(), b"0"]);
    let gap = event(&mut run, "gap");
    assert!(gap.contains("\"after\":\"2-0\",\"before\":\"7-0\",\"lost\":4"), "{gap}");
    assert_eq!(entries(&run.interrupt_after(2).out()), lines_of([7], ""));
}

#[test]
fn a_failover_under_sentinels_goes_on_with_the_new_primary() {
    let mut set = SentinelSet::start();
    let run =
        crate::rcli::rcli(["--sentinel", &set.list(), "--master", "mymaster", "tail", "s", "--events", "--from", "0"]);
    let mut run = run.any_stdout().any_stderr().status(130).start();
    add(&set.primary, 1..=3);
    run.wait_for_lines(3);
    set.replica.wait_until("XLEN s", |length| length == "3");
    set.primary.kill_nine();
    event(&mut run, "reconnected");
    add(&set.replica, 4..=5);
    run.wait_for_lines(7);
    let out = run.interrupt_after(7).out();
    assert_eq!(entries(&out), lines_of(1..=5, ""));
}
