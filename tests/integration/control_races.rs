//! `--control` in a cluster whose nodes answer at the worst moment: a slot moves, or a node goes, between a line and its
//! answer. Each line is confirmed once, and what is heard is what was asked for (contract section 8).

use crate::cluster_streams::lines_until;
use crate::peer::{Answer, Peer, Script, close, peer, send};
use crate::running::Running;
use crate::server::wait_for;

/// Events of keys, which every primary is asked for.
const EVENTS: &str = "__keyevent@0__:set";

/// A node that answers PING, and everything about subscriptions by these answers in order.
fn node(answers: impl IntoIterator<Item = Answer>) -> Script {
    peer().always("CLUSTER MYID", send("$2\r\nid\r\n")).always("PING", send("+PONG\r\n")).answers(answers)
}

/// Has all of them say that the first has the lower half of the slots, the second the rest: `foo` is of slot 12182. Of
/// one alone it has all.
fn share_slots(peers: &[&Peer]) {
    let range = |bounds: &str, peer: &Peer| {
        let port = peer.port();
        format!("*3 {bounds} *3 $9 127.0.0.1 :{port} $5 {port} ").replace(' ', "\r\n")
    };
    let slots = match peers {
        [all] => format!("*1\r\n{}", range(":0 :16383", all)),
        [low, high, ..] => format!("*2\r\n{}{}", range(":0 :8191", low), range(":8192 :16383", high)),
        [] => String::new(),
    };
    for peer in peers {
        peer.set("CLUSTER SLOTS", send(&slots));
        // Who belongs to the cluster: a server before version 7 cannot tell.
        peer.set("CLUSTER SHARDS", send("-ERR unknown subcommand\r\n"));
    }
}

/// A push about a channel.
fn told(kind: &str, channel: &str, count: u32) -> String {
    format!(">3\r\n${}\r\n{kind}\r\n${}\r\n{channel}\r\n:{count}\r\n", kind.len(), channel.len())
}

fn moved(to: &Peer) -> String {
    format!("-MOVED 12182 127.0.0.1:{}\r\n", to.port())
}

/// `sub --control` at the first of the nodes, which hears of losses too.
fn controlled(peer: &Peer) -> Running {
    peer.rcli(["-c", "sub", "--control", "--events"]).interactive().any_stdout().any_stderr().start()
}

/// The kinds of the lines, but for the PING that shows that there are no more, with who told of each.
fn kinds(run: &mut Running) -> Vec<String> {
    run.send_line("PING over");
    let mut lines = lines_until(run, &["pong", "over"]);
    lines.pop();
    lines.iter().map(|line| line.split('"').nth(3).unwrap_or_default().to_owned()).collect()
}

/// How often it was asked that.
fn asked(peer: &Peer, command: &str) -> usize {
    peer.ordinary().iter().filter(|sent| *sent == command).count()
}

#[test]
fn what_has_moved_is_confirmed_before_it_is_left() {
    let new = node([send(told("ssubscribe", "foo", 1)), send(told("sunsubscribe", "foo", 0))]).start();
    let old = node([send(moved(&new))]).start();
    share_slots(&[&old]);
    share_slots(&[&new]);
    let mut run = controlled(&old);
    run.send_line("SSUBSCRIBE foo\nSUNSUBSCRIBE foo");
    lines_until(&mut run, &["\"ssubscribe\"", &format!(":{}\"", new.port())]);
    lines_until(&mut run, &["\"sunsubscribe\"", &format!(":{}\"", new.port())]);
    assert_eq!(kinds(&mut run), [""; 0]);
    // The same where all are left.
    let new = node([send(told("ssubscribe", "foo", 1)), send(told("sunsubscribe", "foo", 0))]).start();
    share_slots(&[&new]);
    old.set("SSUBSCRIBE", send(moved(&new)));
    let mut run = controlled(&old);
    run.send_line("SSUBSCRIBE foo\nSUNSUBSCRIBE");
    lines_until(&mut run, &["\"ssubscribe\"", &format!(":{}\"", new.port())]);
    lines_until(&mut run, &["\"sunsubscribe\"", &format!(":{}\"", new.port())]);
    run.finish();
}

#[test]
fn what_is_told_to_be_nowhere_is_left_at_once() {
    let old = node([]).start();
    share_slots(&[&old]);
    old.set("SSUBSCRIBE", send(moved(&old)));
    let mut run = controlled(&old);
    run.send_line("SSUBSCRIBE foo\nSUNSUBSCRIBE foo");
    let lines = lines_until(&mut run, &["\"sunsubscribe\"", "\"foo\"", "\"data\":0"]);
    assert!(lines[0].starts_with("{\"type\":\"disconnected\"") && lines.len() == 2, "{lines:?}");
    assert_eq!(asked(&old, "SUNSUBSCRIBE foo"), 0);
    run.finish();
}

#[test]
fn a_node_that_ends_a_subscription_and_refuses_to_leave_it_is_heard_once() {
    let other = node([]).start();
    let gone = told("sunsubscribe", "foo", 0);
    // In either order, as versions differ; and the slot was away and is back.
    for answer in [gone.clone() + &moved(&other), moved(&other) + &gone, gone.clone() + &gone, gone] {
        let subscribed = send(told("ssubscribe", "foo", 1));
        let node = node([subscribed.clone(), send(&answer), subscribed, send(told("sunsubscribe", "foo", 0))]).start();
        share_slots(&[&node]);
        let mut run = controlled(&node);
        run.send_line("SSUBSCRIBE foo\nSUNSUBSCRIBE foo\nSSUBSCRIBE foo\nSUNSUBSCRIBE foo");
        let expected = ["ssubscribe", "sunsubscribe"].repeat(2);
        run.wait_for_lines(4);
        assert_eq!(kinds(&mut run), expected, "{answer}");
        assert_eq!(asked(&node, "SSUBSCRIBE foo"), 2, "{answer}");
        run.finish();
    }
}

#[test]
fn a_channel_that_went_and_came_back_before_it_is_asked_for_again_is_there() {
    let (on, off) = (told("ssubscribe", "foo", 1), told("sunsubscribe", "foo", 0));
    let node = node([send(&on), send(off.clone() + &on), send(&off)]).start();
    share_slots(&[&node]);
    let mut run = controlled(&node);
    run.send_line("SSUBSCRIBE foo\nSSUBSCRIBE foo");
    run.wait_for_lines(4);
    assert_eq!(kinds(&mut run), ["ssubscribe", "ssubscribe", "disconnected", "reconnected"]);
    // It is left where it is.
    run.send_line("SUNSUBSCRIBE foo");
    lines_until(&mut run, &["\"sunsubscribe\"", &format!(":{}\"", node.port())]);
    assert_eq!((asked(&node, "SSUBSCRIBE foo"), asked(&node, "SUNSUBSCRIBE foo")), (2, 1));
    run.finish();
}

#[test]
fn a_channel_that_goes_before_it_is_asked_for_again_is_confirmed_where_it_is_then() {
    let new = node([send(told("ssubscribe", "foo", 1))]).start();
    share_slots(&[&new]);
    let old = node([send(told("ssubscribe", "foo", 1)), send(told("sunsubscribe", "foo", 0) + &moved(&new))]).start();
    share_slots(&[&old]);
    let mut run = controlled(&old);
    run.send_line("SSUBSCRIBE foo\nSSUBSCRIBE foo");
    lines_until(&mut run, &["\"ssubscribe\"", &format!(":{}\"", old.port())]);
    let lines = lines_until(&mut run, &["\"ssubscribe\"", &format!(":{}\"", new.port())]);
    let events = kinds(&mut run);
    assert_eq!((lines.len() + events.len(), asked(&new, "SSUBSCRIBE foo")), (2, 1), "{lines:?} {events:?}");
    run.finish();
}

#[test]
fn a_node_that_goes_before_it_confirms_is_not_waited_for() {
    let (one, two) = (node([send(told("subscribe", EVENTS, 1))]).start(), node([]).start());
    share_slots(&[&one, &two]);
    two.set("SUBSCRIBE", close(""));
    let mut run = controlled(&one);
    run.send_line(&format!("SUBSCRIBE {EVENTS}\nPING after"));
    let lines = lines_until(&mut run, &["pong", "after"]);
    assert_eq!(lines.iter().filter(|line| line.contains("\"subscribe\"")).count(), 1, "{lines:?}");
    two.set("SUBSCRIBE", send(told("subscribe", EVENTS, 1)));
    lines_until(&mut run, &["\"reconnected\"", &two.port().to_string()]);
    assert_eq!(kinds(&mut run), [""; 0]);
    run.finish();
}

#[test]
fn a_primary_that_leaves_before_it_confirms_is_not_waited_for() {
    let (one, two) = (node([send(told("subscribe", EVENTS, 1))]).start(), node([Answer::Silence]).start());
    share_slots(&[&one, &two]);
    let mut run = controlled(&one);
    run.send_line(&format!("SUBSCRIBE {EVENTS}\nPING after"));
    wait_for("both to be asked", || asked(&two, &format!("SUBSCRIBE {EVENTS}")) == 1);
    share_slots(&[&one]);
    let lines = lines_until(&mut run, &["pong", "after"]);
    assert_eq!(lines.iter().filter(|line| line.contains("\"subscribe\"")).count(), 1, "{lines:?}");
    run.finish();
}

#[test]
fn events_of_keys_that_are_asked_for_again_are_confirmed_before_they_are_left() {
    let on_off = || [send(told("subscribe", EVENTS, 1)), send(told("subscribe", EVENTS, 1))];
    let (one, two) = (node(on_off()).start(), node(on_off()).patient().start());
    share_slots(&[&one, &two]);
    for peer in [&one, &two] {
        peer.set("UNSUBSCRIBE", send(told("unsubscribe", EVENTS, 0)));
    }
    let mut run = controlled(&one);
    run.send_line(&format!("SUBSCRIBE {EVENTS}"));
    lines_until(&mut run, &["\"subscribe\""]);
    two.hang_up();
    wait_for("it to be asked again", || asked(&two, &format!("SUBSCRIBE {EVENTS}")) == 2);
    run.send_line(&format!("UNSUBSCRIBE {EVENTS}"));
    let lines = lines_until(&mut run, &["\"unsubscribe\""]);
    assert!(lines.iter().all(|line| !line.contains("\"subscribe\"")), "{lines:?}");
    run.finish();
}
