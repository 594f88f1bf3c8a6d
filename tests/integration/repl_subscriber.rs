//! The subscriber above the prompt: all background subscriptions are one, as redis-py's PubSub object. Contract section
//! 10.

use crate::cluster_nodes::Cluster;
use crate::pty::{Terminal, open};
use crate::server::Server;

fn confirmation(kind: &str, channel: &str, count: usize) -> String {
    format!("{{\"type\":\"{kind}\",\"pattern\":null,\"channel\":\"{channel}\",\"data\":{count}}}")
}

/// Types a line, and waits until the screen ends with these rows and the prompt.
fn answers(terminal: &Terminal, prompt: &str, line: &str, rows: &[&str]) {
    terminal.line(line);
    terminal.ends_with(&[rows, &[prompt]].concat());
}

/// How many connections are subscribed.
fn subscribers(server: &Server) -> usize {
    server.ask("CLIENT LIST TYPE pubsub").matches("cmd=").count()
}

#[test]
fn what_is_subscribed_in_the_background_is_one_subscriber_with_the_servers_counts() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    let told = |kind: &str, name: &str, count| confirmation(kind, name, count);
    answers(&terminal, &prompt, "SUBSCRIBE a b &", &[&told("subscribe", "a", 1), &told("subscribe", "b", 2)]);
    answers(&terminal, &prompt, "psubscribe p* &", &["[1] psubscribe p*", &told("psubscribe", "p*", 3)]);
    // redis-py's count of shard channels is theirs alone, too.
    answers(&terminal, &prompt, "ssub s &", &["[1] ssub s", &told("ssubscribe", "s", 1)]);
    // Once more is confirmed once more, and counts once.
    answers(&terminal, &prompt, "SUBSCRIBE b c &", &[&told("subscribe", "b", 3), &told("subscribe", "c", 4)]);
    assert_eq!(subscribers(&server), 1);
    terminal.run(&prompt, "jobs", &["[1] SUBSCRIBE a b c; PSUBSCRIBE p*; SSUBSCRIBE s"]);
    answers(&terminal, &prompt, "UNSUBSCRIBE a", &[&told("unsubscribe", "a", 3)]);
    server.ask("PUBLISH a nobody");
    server.ask("PUBLISH p1 somebody");
    terminal
        .ends_with(&["{\"type\":\"pmessage\",\"pattern\":\"p*\",\"channel\":\"p1\",\"data\":\"somebody\"}", &prompt]);
    assert!(!terminal.rows().iter().any(|row| row.contains("nobody")), "{:?}", terminal.rows());
    terminal.run(&prompt, "jobs", &["[1] SUBSCRIBE b c; PSUBSCRIBE p*; SSUBSCRIBE s"]);
    terminal.line("UNSUBSCRIBE");
    server.wait_until("PUBSUB CHANNELS", |channels| channels == "[]");
    terminal.wait("the pattern's count", |rows| {
        rows.iter().any(|row| row.contains("\"unsubscribe\"") && row.ends_with(":1}"))
    });
    terminal.run(&prompt, "jobs", &["[1] PSUBSCRIBE p*; SSUBSCRIBE s"]);
    answers(&terminal, &prompt, "SUNSUBSCRIBE s", &[&told("sunsubscribe", "s", 0)]);
    // With the last one it ends.
    answers(&terminal, &prompt, "PUNSUBSCRIBE p*", &[&told("punsubscribe", "p*", 0), "rcli: [1] subscriptions: ended"]);
    server.wait_until("CLIENT LIST TYPE pubsub", |list| !list.contains("id="));
    terminal.run(&prompt, "jobs", &[]);
    answers(&terminal, &prompt, "SUBSCRIBE again &", &["[2] SUBSCRIBE again", &told("subscribe", "again", 1)]);
}

#[test]
fn to_unsubscribe_from_what_nobody_has_says_so() {
    let server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    let nothing = "rcli: nothing is subscribed in the background; jobs shows what runs";
    for line in ["UNSUBSCRIBE a", "unsubscribe", "PUNSUBSCRIBE p*", "SUNSUBSCRIBE"] {
        terminal.run(&prompt, line, &[nothing]);
    }
    answers(&terminal, &prompt, "SUBSCRIBE a &", &["[1] SUBSCRIBE a", &confirmation("subscribe", "a", 1)]);
    terminal.line("UNSUBSCRIBE a x");
    terminal.shows("rcli: not subscribed to x; jobs shows what is");
    terminal.shows(&confirmation("unsubscribe", "x", 0));
    terminal.shows("[1] subscriptions: ended");
}

#[test]
fn what_the_server_refuses_is_said_and_not_shown_as_subscribed() {
    let server = Server::start();
    server.ask("ACL SETUSER default resetchannels &open");
    let (terminal, prompt) = open(&server, &[]);
    terminal.line("SUBSCRIBE closed &");
    terminal.shows("NOPERM");
    terminal.wait("its end", |rows| rows.last() == Some(&prompt));
    terminal.run(&prompt, "jobs", &[]);
    terminal.line("clear");
    answers(&terminal, &prompt, "SUBSCRIBE open &", &["[2] SUBSCRIBE open", &confirmation("subscribe", "open", 1)]);
    terminal.line("SUBSCRIBE closed &");
    terminal.wait("the refusal", |rows| rows.last() == Some(&prompt) && rows.iter().any(|row| row.contains("NOPERM")));
    terminal.run(&prompt, "jobs", &["[2] SUBSCRIBE open"]);
}

#[test]
fn a_lost_connection_comes_back_with_what_is_subscribed_then() {
    let mut server = Server::start();
    let (terminal, prompt) = open(&server, &[]);
    answers(
        &terminal,
        &prompt,
        "SUBSCRIBE a b &",
        &[&confirmation("subscribe", "a", 1), &confirmation("subscribe", "b", 2)],
    );
    answers(&terminal, &prompt, "SUBSCRIBE c &", &[&confirmation("subscribe", "c", 3)]);
    answers(&terminal, &prompt, "UNSUBSCRIBE a", &[&confirmation("unsubscribe", "a", 2)]);
    server.kill_nine();
    terminal.shows("[1] subscriptions: ");
    terminal.shows("connection lost");
    // What is changed meanwhile is changed then.
    terminal.line("SUBSCRIBE d &");
    terminal.line("UNSUBSCRIBE b");
    server.restart();
    terminal.shows("reconnected after");
    server.wait_until("PUBSUB CHANNELS", |channels| {
        ["c", "d"].iter().all(|name| channels.contains(name)) && !channels.contains('a') && !channels.contains('b')
    });
    server.ask("PUBLISH d hello");
    terminal.shows("\"channel\":\"d\",\"data\":\"hello\"");
    terminal.line("jobs");
    terminal.shows("[1] SUBSCRIBE c d");
}

#[test]
fn each_server_has_a_subscriber_of_its_own() {
    let (first, second) = (Server::start(), Server::start());
    let (terminal, prompt) = open(&first, &[]);
    answers(&terminal, &prompt, "SUBSCRIBE a &", &[&confirmation("subscribe", "a", 1)]);
    terminal.line(&format!("connect {}", second.url()));
    let other = format!("{}>", second.address());
    terminal.wait("the prompt", |rows| rows.last() == Some(&other));
    terminal.run(&other, "UNSUBSCRIBE a", &["rcli: nothing is subscribed in the background; jobs shows what runs"]);
    answers(&terminal, &other, "SUBSCRIBE b &", &["[2] SUBSCRIBE b", &confirmation("subscribe", "b", 1)]);
    terminal.run(&other, "jobs", &[&format!("[1] SUBSCRIBE a at {}", first.address()), "[2] SUBSCRIBE b"]);
    assert_eq!(second.ask("PUBSUB CHANNELS a"), "[]");
    terminal.line(&format!("connect {}", first.url()));
    terminal.wait("the prompt", |rows| rows.last() == Some(&prompt));
    answers(&terminal, &prompt, "SUBSCRIBE c &", &["[1] SUBSCRIBE c", &confirmation("subscribe", "c", 2)]);
    terminal.run(&prompt, "jobs", &["[1] SUBSCRIBE a c", &format!("[2] SUBSCRIBE b at {}", second.address())]);
}

#[test]
fn in_a_cluster_shard_channels_are_added_at_their_nodes() {
    let cluster = Cluster::start();
    let terminal = cluster.nodes[0].rcli(["-c"]).on_terminal(160);
    terminal.wait("the prompt", |rows| rows.last().is_some_and(|row| row.ends_with(" cluster>")));
    // One at each node.
    for (number, channel) in ["foo", "bar", "hello"].into_iter().enumerate() {
        terminal.line(&format!("SSUBSCRIBE {channel} &"));
        terminal.wait("its confirmation", |rows| {
            rows.iter().any(|row| row.contains("ssubscribe") && row.contains(&format!("\"{channel}\"")))
        });
        terminal.line("clear");
        terminal.line("jobs");
        let expected = format!("[1] SSUBSCRIBE {}", ["foo", "bar", "hello"][..=number].join(" "));
        terminal.shows(&expected);
    }
    terminal.line("SUNSUBSCRIBE bar");
    terminal.wait("it is left", |rows| rows.iter().any(|row| row.contains("sunsubscribe") && row.contains("\"bar\"")));
    terminal.line("clear");
    terminal.line("jobs");
    terminal.shows("[1] SSUBSCRIBE foo hello");
    terminal.line("stop 1");
    terminal.shows("[1] ended");
}
