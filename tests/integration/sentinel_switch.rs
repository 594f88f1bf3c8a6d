//! A stream hears from its sentinels that another server is the primary, and goes there (contract section 8).

use crate::cluster_streams::lines_until;
use crate::peer::{Peer, peer, send};
use crate::rcli::rcli;
use crate::resp::{Reply, pack};
use crate::running::Running;
use crate::sentinel::{asking, naming};
use crate::sentinels::{SentinelSet, replicated};
use crate::server::{DEADLINE, Server, wait_for};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// A scripted sentinel that names this port, and lets others subscribe to +switch-master.
fn sentinel(port: u16) -> Peer {
    let confirmation = "*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n";
    peer().always("SUBSCRIBE", send(confirmation)).otherwise(naming(port)).start()
}

/// Waits until that many listen to a scripted sentinel.
fn wait_for_listeners(sentinel: &Peer, count: usize) {
    wait_for("a listener", || {
        sentinel.ordinary().iter().filter(|command| *command == "SUBSCRIBE +switch-master").count() == count
    });
}

/// Tells everybody that a primary of this name has been replaced.
fn tell_switch(sentinel: &Peer, name: &str) {
    sentinel.say(&pack(&["message", "+switch-master", &format!("{name} 127.0.0.1 1 127.0.0.1 2")]));
}

/// How often a scripted sentinel was asked for the primary.
fn searches(sentinel: &Peer) -> usize {
    sentinel.ordinary().iter().filter(|command| command.starts_with("SENTINEL GET-MASTER")).count()
}

/// A message that is published there is heard.
fn hear(run: &mut Running, server: &Server, data: &str) {
    assert_eq!(server.ask(&format!("PUBLISH news {data}")), "1");
    let line = run.next_line();
    assert!(line.contains(&format!("\"data\":\"{data}\"")), "{line}");
}

/// The seconds that an event says were not heard.
fn gap(event: &str) -> f64 {
    event.split("\"gap\":").nth(1).and_then(|rest| rest.split(',').next()).expect("a gap").parse().expect("a number")
}

#[test]
fn a_planned_failover_moves_a_stream_at_once() {
    let set = SentinelSet::start();
    // The old primary is left alone for long, as it is where nobody hurries the sentinels.
    for sentinel in &set.sentinels {
        assert_eq!(sentinel.ask("SENTINEL DEBUG PUBLISH-PERIOD 10000"), "OK");
    }
    let (old, new) = (set.primary.address(), set.replica.address());
    let run = rcli(["--sentinel", &set.list(), "--master", "mymaster", "sub", "--events", "news"]).any_stdout();
    let told = [format!("rcli: {old}: connection lost: {new} is the primary now"), format!("{new}: reconnected after")];
    let mut run = run.status(130).reports_among(&[&told[0], &told[1]]).start();
    run.wait_for_lines(1);
    for sentinel in &set.sentinels {
        wait_for("a listener", || sentinel.ask("CLIENT LIST").contains("cmd=subscribe"));
    }
    assert_eq!(set.sentinels[2].ask("SENTINEL FAILOVER mymaster"), "OK");
    let lost = lines_until(&mut run, &["\"type\":\"disconnected\""]).pop().unwrap();
    assert!(lost.contains(&old) && lost.contains("is the primary now"), "{lost}");
    let back = lines_until(&mut run, &["\"type\":\"reconnected\""]).pop().unwrap();
    assert!(back.contains(&new) && gap(&back) < 5.0, "{back}");
    hear(&mut run, &set.replica, "two");
    run.signal(Signal::INT);
    run.finish();
}

#[test]
fn lines_that_change_a_subscription_during_a_failover_are_all_confirmed_and_make_it_what_they_say() {
    const KEPT: usize = 10;
    let set = SentinelSet::start();
    let run = rcli(["--sentinel", &set.list(), "--master", "mymaster", "sub", "--control", "--events", "first"]);
    let mut run = run.interactive().any_stdout().any_stderr().start();
    run.wait_for_lines(1);
    for sentinel in &set.sentinels {
        // In a busy hour the others would take back what one has begun to promote.
        assert_eq!(sentinel.ask("SENTINEL DEBUG PUBLISH-PERIOD 10000"), "OK");
        wait_for("a listener", || sentinel.ask("CLIENT LIST").contains("cmd=subscribe"));
    }
    // One of every KEPT channels stays, and all of the patterns but one of as many.
    let tell = |run: &mut Running, at: usize| {
        let left = if at.is_multiple_of(KEPT) { format!("PUNSUBSCRIBE p{at}") } else { format!("UNSUBSCRIBE c{at}") };
        run.send(format!("SUBSCRIBE c{at}\nPSUBSCRIBE p{at}\n{left}\n"));
    };
    let mut count = 0;
    let mut tell_more = |run: &mut Running| {
        tell(run, count);
        count += 1;
    };
    tell_more(&mut run);
    assert_eq!(set.sentinels[2].ask("SENTINEL FAILOVER mymaster"), "OK");
    let back = format!("{}: reconnected after", set.replica.address());
    let begin = Instant::now();
    while !run.err_so_far().contains(&back) {
        assert!(begin.elapsed() < DEADLINE, "{}", run.err_so_far());
        tell_more(&mut run);
        // Faster, the lines would keep the servers from answering the sentinels in time.
        std::thread::sleep(Duration::from_millis(10));
    }
    tell_more(&mut run);
    run.send_line("UNSUBSCRIBE first");
    run.send_line("PING end");
    let lines = lines_until(&mut run, &["\"pong\"", "\"end\""]);
    let confirmed = |kind: &str| -> Vec<String> {
        let begin = format!("{{\"type\":\"{kind}\",\"pattern\":null,\"channel\":\"");
        lines.iter().filter_map(|line| Some(line.strip_prefix(&begin)?.split('"').next()?.to_owned())).collect()
    };
    let (kept, left): (Vec<usize>, Vec<usize>) = (0..count).partition(|at| at.is_multiple_of(KEPT));
    let named =
        |initial: &str, numbers: &[usize]| numbers.iter().map(|at| format!("{initial}{at}")).collect::<Vec<_>>();
    assert_eq!(confirmed("unsubscribe"), [named("c", &left), vec!["first".to_owned()]].concat());
    assert_eq!(confirmed("punsubscribe"), named("p", &kept));
    // What was subscribed when the old primary went is confirmed by the new one too, but not what was to be left by then.
    for (kind, initial) in [("subscribe", "c"), ("psubscribe", "p")] {
        let told = confirmed(kind);
        for at in 0..count {
            let name = format!("{initial}{at}");
            let gone = format!("{{\"type\":\"un{kind}\",\"pattern\":null,\"channel\":\"{name}\",\"data\":0}}");
            let gone = gone.replace("unpsub", "punsub");
            match told.iter().filter(|told| **told == name).count() {
                1 | 2 => {}
                0 if lines.contains(&gone) => {}
                count => panic!("{name} is confirmed {count} times: {lines:#?}"),
            }
        }
    }
    let sorted = |mut names: Vec<String>| {
        names.sort();
        format!("[{}]", names.join(", "))
    };
    let Reply::Array(channels) = set.replica.call(&[b"PUBSUB", b"CHANNELS", b"[cf]*"]) else { panic!("no channels") };
    let channels = channels.iter().map(ToString::to_string).collect();
    assert_eq!(sorted(channels), sorted(named("c", &kept)));
    assert_eq!(set.replica.ask("PUBSUB NUMPAT"), left.len().to_string());
    // A pattern without wildcards is one name.
    for (name, heard) in [("c0", "1"), ("c1", "0"), ("p1", "1"), ("p0", "0"), ("first", "0")] {
        assert_eq!(set.replica.ask(&format!("PUBLISH {name} x")), heard, "{name}");
    }
    run.close_stdin();
    run.finish();
}

#[test]
fn what_a_sentinel_tells_only_starts_a_search_for_a_primary() {
    let (primary, replica) = replicated();
    let sentinel = sentinel(primary.port());
    let run = asking(&[sentinel.port()]).args(["sub", "--events", "news"]).any_stdout().status(130);
    let mut run = run.reports_among(&["is the primary now", "reconnected after"]).start();
    assert!(run.next_line().contains("\"subscribe\""));
    wait_for_listeners(&sentinel, 1);
    // Of another primary.
    tell_switch(&sentinel, "other");
    // The same as before.
    tell_switch(&sentinel, "mymaster");
    wait_for("a search", || searches(&sentinel) == 2);
    hear(&mut run, &primary, "one");
    // A replica.
    sentinel.set("SENTINEL GET-MASTER", naming(replica.port()));
    tell_switch(&sentinel, "mymaster");
    replica.wait_until("INFO commandstats", |stats| stats.contains("cmdstat_role"));
    hear(&mut run, &primary, "two");
    // It is searched for until there is one.
    replica.ask("REPLICAOF NO ONE");
    let lost = lines_until(&mut run, &["\"type\":\"disconnected\""]);
    assert_eq!(lost.len(), 1, "{lost:?}");
    lines_until(&mut run, &["\"type\":\"reconnected\"", &replica.address()]);
    hear(&mut run, &replica, "three");
    run.signal(Signal::INT);
    run.finish();
}

#[test]
fn each_sentinel_is_heard_and_asked_first_about_what_it_has_told() {
    let (old, new) = (Server::start(), Server::start());
    let (stale, fresh) = (sentinel(old.port()), sentinel(old.port()));
    let run = asking(&[stale.port(), fresh.port()]).args(["sub", "--events", "news"]).any_stdout().status(130);
    let mut run = run.reports_among(&["is the primary now", "reconnected after"]).start();
    run.wait_for_lines(1);
    wait_for_listeners(&stale, 1);
    wait_for_listeners(&fresh, 1);
    // The old one still says that it is a primary, and the first sentinel still names it.
    fresh.set("SENTINEL GET-MASTER", naming(new.port()));
    tell_switch(&fresh, "mymaster");
    lines_until(&mut run, &["\"type\":\"reconnected\"", &new.address()]);
    hear(&mut run, &new, "one");
    run.signal(Signal::INT);
    run.finish();
}

#[test]
fn a_sentinel_that_comes_back_is_heard_again() {
    let (old, new) = (Server::start(), Server::start());
    let sentinel = sentinel(old.port());
    let run = asking(&[sentinel.port()]).args(["monitor", "--events", "--only", "ECHO"]).any_stdout().status(130);
    let mut run = run.reports_among(&["is the primary now", "reconnected after"]).start();
    wait_for_listeners(&sentinel, 1);
    sentinel.hang_up();
    wait_for_listeners(&sentinel, 2);
    old.wait_until("CLIENT LIST", |list| list.contains("cmd=monitor"));
    sentinel.set("SENTINEL GET-MASTER", naming(new.port()));
    tell_switch(&sentinel, "mymaster");
    lines_until(&mut run, &["\"type\":\"reconnected\"", &new.address()]);
    new.ask("ECHO here");
    lines_until(&mut run, &["here"]);
    run.signal(Signal::INT);
    run.finish();
}

#[test]
fn a_switch_ends_a_stream_that_is_not_to_connect_again() {
    let (old, new) = (Server::start(), Server::start());
    let sentinel = sentinel(old.port());
    let run = asking(&[sentinel.port()]).args(["sub", "news", "--no-reconnect"]).any_stdout().status(3);
    let told = format!("{}: connection lost: {} is the primary now", old.address(), new.address());
    let mut run = run.complains(&[&told]).start();
    run.wait_for_lines(1);
    wait_for_listeners(&sentinel, 1);
    sentinel.set("SENTINEL GET-MASTER", naming(new.port()));
    tell_switch(&sentinel, "mymaster");
    run.finish();
}

/// Waits until the sentinel was sent so many commands that begin so, and asserts that it took their pauses at least.
fn assert_pauses(sentinel: &Peer, command: &str, count: usize, pauses: &[u64], begin: Instant) {
    wait_for("as many tries", || sentinel.ordinary().iter().filter(|sent| sent.starts_with(command)).count() >= count);
    let least = Duration::from_millis(pauses.iter().sum());
    assert!(begin.elapsed() >= least, "{command}: {:?}", begin.elapsed());
}

#[test]
fn sentinels_that_know_no_primary_or_let_nobody_listen_are_asked_after_growing_pauses() {
    let server = Server::start();
    let start = |sentinel: &Peer| {
        let run = asking(&[sentinel.port()]).args(["sub", "news"]).any_stdout().status(130);
        let mut run = run.start();
        run.wait_for_lines(1);
        run
    };
    let end = |run: Running| {
        run.signal(Signal::INT);
        run.finish();
    };
    let lost = sentinel(server.port());
    let run = start(&lost);
    wait_for_listeners(&lost, 1);
    lost.set("SENTINEL GET-MASTER", send("-ERR no\r\n"));
    let begin = Instant::now();
    tell_switch(&lost, "mymaster");
    assert_pauses(&lost, "SENTINEL GET-MASTER", 1 + 5, &[100, 200, 400, 800], begin);
    end(run);
    let refusing = peer().always("SUBSCRIBE", send("-NOPERM no\r\n")).otherwise(naming(server.port())).start();
    let begin = Instant::now();
    let run = start(&refusing);
    assert_pauses(&refusing, "SUBSCRIBE", 5, &[100, 200, 400, 800], begin);
    end(run);
}
