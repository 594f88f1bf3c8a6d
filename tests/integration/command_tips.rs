//! What rcli knows of commands without keys in a cluster, against the tips that the server of the tests gives (contract
//! section 10).

use crate::server::Server;
use serde_json::Value;
use std::collections::BTreeMap;

const TABLE: &str = include_str!("../../src/command/policies.rs");

/// Commands that rcli treats in another way than a server says, and why.
const DIFFERENT: [(&str, &str); 6] = [
    ("PING", "a sign of life, which is answered while one node of many is gone"),
    ("RANDOMKEY", "one key is enough; Redis 7.0 says all shards and not what becomes of their replies"),
    ("LATENCY RESET", "a number: Redis 7.0 gives the policy of a status"),
    ("SCRIPT EXISTS", "a logical and over 0 and 1 is the least of them"),
    ("CLIENT SETNAME", "a state of connections, which every connection gets that is used"),
    ("CLIENT SETINFO", "the same"),
];

/// By command: to which nodes the table sends it, and what it makes of their replies.
fn ours() -> BTreeMap<String, (String, String)> {
    let mut rows = BTreeMap::new();
    for line in TABLE.lines().filter(|line| line.trim_start().starts_with("(\"")) {
        let words: Vec<&str> = line.split('"').collect();
        let [_, name, _, word, rest] = words.as_slice() else { panic!("a row: {line}") };
        let name = format!("{name} {word}").trim().to_owned();
        let end = |of: &str| {
            let rest = rest.split(of).nth(1).expect("a policy");
            rest.chars().take_while(char::is_ascii_alphabetic).collect::<String>()
        };
        rows.insert(name, (end("Nodes::"), end("Combine::")));
    }
    rows
}

/// By command without keys: request_policy and response_policy, as far as there are any; of its subcommands too.
fn add_theirs(entry: &Value, theirs: &mut BTreeMap<String, (String, String)>) {
    let name = entry[0].as_str().expect("a name").to_uppercase().replace('|', " ");
    let policy = |of: &str| {
        let mut tips = entry[7].as_array().into_iter().flatten().filter_map(Value::as_str);
        tips.find_map(|tip| tip.strip_prefix(of)).unwrap_or_default().to_owned()
    };
    if entry[8].as_array().is_none_or(Vec::is_empty) {
        theirs.insert(name, (policy("request_policy:"), policy("response_policy:")));
    }
    entry[9].as_array().into_iter().flatten().for_each(|entry| add_theirs(entry, theirs));
}

#[test]
fn the_policies_of_keyless_commands_are_those_that_the_server_tells() {
    let server = Server::start();
    let reply = server.rcli(["-2", "--json", "COMMAND"]).any_stdout().run().stdout;
    let reply: Value = serde_json::from_slice(&reply).expect("JSON");
    let mut theirs = BTreeMap::new();
    reply.as_array().expect("an array").iter().for_each(|entry| add_theirs(entry, &mut theirs));
    assert!(theirs.len() > 100, "{}", theirs.len());
    let ours = ours();
    assert!(ours.len() > 20, "{}", ours.len());
    let mut wrong = Vec::new();
    for (name, (request, response)) in theirs {
        let nodes = match request.as_str() {
            "all_shards" => "Primaries",
            "all_nodes" => "All",
            _ => "",
        };
        let combine = match response.as_str() {
            "all_succeeded" => "AllSucceeded",
            "one_succeeded" => "OneSucceeded",
            "agg_sum" => "Sum",
            "agg_min" => "Least",
            "" => "Union",
            // One node answers what only a person could put together.
            _ => "special",
        };
        // A server that gives no tips says nothing against ours.
        let is_told = !request.is_empty() || !response.is_empty();
        let expected = (!nodes.is_empty() && combine != "special").then(|| (nodes.to_owned(), combine.to_owned()));
        let is_known = DIFFERENT.iter().any(|(other, _)| *other == name);
        if is_told && !is_known && ours.get(&name) != expected.as_ref() {
            wrong.push(format!("{name}: {request} {response}, ours {:?}", ours.get(&name)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
