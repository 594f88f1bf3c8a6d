//! What `rcli ls --as` is for: deleting by pattern, and copying a data set, compared key by key (contract section 16).

use crate::cluster_nodes::Cluster;
use crate::ls::ODD;
use crate::rcli::Rcli;
use crate::resp::{Reply, pack};
use crate::server::Server;
use std::collections::BTreeMap;

/// How many keys are copied; `RCLI_TEST_COPY` says another number.
fn size() -> usize {
    std::env::var("RCLI_TEST_COPY").ok().and_then(|count| count.parse().ok()).unwrap_or(6000)
}

/// RESP that makes a data set: all types, some small and some not, odd names, and times to live.
fn data() -> Vec<u8> {
    let mut out = Vec::new();
    let mut put = |argv: &[&[u8]]| out.extend(pack(argv));
    for number in 0..size() {
        let odd = ODD[number % ODD.len()];
        let key = [odd, b":", number.to_string().as_bytes()].concat();
        let large = number % 500 == 0;
        let value = if large { vec![b'\xfe'; 5000] } else { number.to_string().into_bytes() };
        let elements: Vec<Vec<u8>> =
            (0..if large { 300 } else { 3 }).map(|at| format!("{number}:{at}").into_bytes()).collect();
        let all = |command: &'static [u8]| {
            [&[command, key.as_slice()][..], &elements.iter().map(Vec::as_slice).collect::<Vec<_>>()].concat()
        };
        match number % 6 {
            0 => put(&[b"SET", &key, &value]),
            1 => put(&all(b"RPUSH")),
            2 => put(&all(b"SADD")),
            3 => elements.iter().for_each(|element| put(&[b"ZADD", &key, b"1.5", element])),
            4 => elements.iter().for_each(|element| put(&[b"HSET", &key, element, &value])),
            _ => elements.iter().for_each(|element| put(&[b"XADD", &key, b"*", b"f", element])),
        }
        if number % 3 == 0 {
            put(&[b"PEXPIREAT", &key, format!("{}", 4_000_000_000_000_u64 + number as u64).as_bytes()]);
        }
    }
    out
}

/// Of every key the digest of its value and when it expires.
fn contents(nodes: &[&Server]) -> BTreeMap<Vec<u8>, (String, String)> {
    let mut all = BTreeMap::new();
    for node in nodes {
        let mut client = node.client();
        let mut call = |argv: &[&[u8]]| client.call(argv).expect("an answer");
        let Reply::Array(keys) = call(&[b"KEYS", b"*"]) else { panic!("no keys") };
        for key in keys {
            let Reply::Bulk(key) = key else { panic!("no key") };
            let digest = call(&[b"DEBUG", b"DIGEST-VALUE", &key]).to_string();
            let expires = call(&[b"PEXPIRETIME", &key]).to_string();
            all.insert(key, (digest, expires));
        }
    }
    all
}

fn copy(from: Rcli, to: Rcli) {
    let lines = from.args(["ls", "--as", "restore"]).any_stdout().run().stdout;
    to.args(["pipe", "-q"]).stdin(lines).run();
}

/// Fails with the first difference only: there may be many.
fn assert_same(found: &BTreeMap<Vec<u8>, (String, String)>, expected: &BTreeMap<Vec<u8>, (String, String)>) {
    assert_eq!(found.len(), expected.len());
    let different = expected.iter().find(|(key, value)| found.get(*key) != Some(value));
    assert!(different.is_none(), "{different:?} is {:?}", different.and_then(|(key, _)| found.get(key)));
}

#[test]
fn a_data_set_is_copied_whole_from_and_to_servers_and_clusters() {
    let (one, other) = (Server::start(), Server::start());
    let (cluster, second) = (Cluster::start(), Cluster::start());
    one.rcli(["pipe", "-q"]).stdin(data()).run();
    let expected = contents(&[&one]);
    assert_eq!(expected.len(), size());
    let nodes = |cluster: &Cluster| contents(&cluster.nodes.iter().collect::<Vec<_>>());
    copy(one.rcli(["--raw"]), other.rcli(["--raw"]));
    assert_same(&contents(&[&other]), &expected);
    copy(one.rcli(["--raw"]), cluster.rcli(["--raw"]));
    assert_same(&nodes(&cluster), &expected);
    copy(cluster.rcli(["--raw"]), second.rcli(["--raw"]));
    assert_same(&nodes(&second), &expected);
    other.ask("FLUSHALL");
    copy(second.rcli(["--raw"]), other.rcli(["--raw"]));
    assert_same(&contents(&[&other]), &expected);
    // Again over what is there.
    copy(one.rcli(["--raw"]), other.rcli(["--raw"]));
    assert_same(&contents(&[&other]), &expected);
}

#[test]
fn keys_are_deleted_by_pattern_and_no_others() {
    let server = Server::start();
    let cluster = Cluster::start();
    let all: [(&dyn Fn() -> Rcli, Vec<&Server>); 2] =
        [(&|| server.rcli(["--raw"]), vec![&server]), (&|| cluster.rcli(["--raw"]), cluster.nodes.iter().collect())];
    for (rcli, nodes) in all {
        rcli().args(["pipe", "-q"]).stdin(data()).run();
        let before = contents(&nodes);
        let lines = rcli().args(["ls", "*[05]", "--as", "UNLINK {}"]).any_stdout().run().stdout;
        rcli().args(["pipe", "-q"]).stdin(lines).run();
        let left = before.into_iter().filter(|(key, _)| !matches!(key.last(), Some(b'0' | b'5'))).collect();
        assert_same(&contents(&nodes), &left);
    }
}

#[test]
fn a_version_of_dumps_that_the_target_does_not_know_is_told_once() {
    let server = Server::start();
    let lines: String = (0..3)
        .map(|number| {
            format!(
                "[\"RESTORE\",\"k{number}\",\"0\",{{\"base64\":\"AAJ2MWMA////////////\"}},\"REPLACE\",\"ABSTTL\"]\n"
            )
        })
        .collect();
    let run = server.rcli(["pipe", "-q"]).stdin(lines).status(1).any_stderr().run();
    assert_eq!(run.err().matches("DUMP payload version or checksum are wrong").count(), 3, "{}", run.err());
    assert_eq!(run.err().matches("an older version").count(), 1, "{}", run.err());
}
