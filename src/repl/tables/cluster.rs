//! What a cluster says of its nodes: CLUSTER NODES and REPLICAS, SHARDS, SLOTS.

use super::layout;
use super::parts::{elements, number, pairs, plain, shown, string, under};
use super::{Lines, Place};
use crate::command::request::Request;
use crate::reply::Frame;

/// A line of CLUSTER NODES.
struct Node<'a> {
    id: &'a str,
    address: &'a str,
    flags: &'a str,
    primary: &'a str,
    epoch: &'a str,
    link: &'a str,
    slots: Vec<&'a str>,
}

impl<'a> Node<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let mut parts = line.split_ascii_whitespace();
        let mut word = || parts.next();
        let (id, address, flags, primary) = (word()?, word()?, word()?, word()?);
        let (_ping, _pong, epoch, state) = (word()?, word()?, word()?, word()?);
        // Without the port of the bus, the name of the host and what else is said of it.
        let address = address.split(['@', ',']).next()?;
        Some(Self { id, address, flags, primary, epoch, link: state, slots: parts.collect() })
    }

    fn first_slot(&self) -> u32 {
        let digits = |range: &str| range.split('-').next().and_then(|first| first.parse().ok());
        self.slots.first().and_then(|range| digits(range)).unwrap_or(u32::MAX)
    }

    /// Its slots, or of whom it is a replica.
    fn place(&self, nodes: &[Self]) -> String {
        let name = |id: &str| {
            nodes.iter().find(|node| node.id == id).map_or_else(|| id.to_owned(), |node| node.address.to_owned())
        };
        if self.primary != "-" {
            return format!("of {}", name(self.primary));
        }
        // A slot on its way: [93->-ID] leaves, [93-<-ID] comes.
        let slot = |range: &&str| {
            let moving = range.strip_prefix('[').and_then(|range| range.strip_suffix(']'));
            let ways = [("->-", "to"), ("-<-", "from")];
            let way = |range: &str| {
                let told =
                    |(arrow, word)| range.split_once(arrow).map(|(slot, id)| format!("{slot} {word} {}", name(id)));
                ways.into_iter().find_map(told)
            };
            moving.and_then(way).map_or_else(|| (*range).to_owned(), |moving| format!("[{moving}]"))
        };
        self.slots.iter().map(slot).collect::<Vec<_>>().join(" ")
    }
}

/// CLUSTER NODES: the primaries in the order of their slots, each before its replicas.
pub fn nodes<'a>(_: &Request, frame: Frame<'a>, place: Place) -> Option<Lines<'a>> {
    let text = String::from_utf8_lossy(string(frame)?).into_owned();
    table(&text.lines().map(Node::of).collect::<Option<Vec<_>>>()?, place)
}

/// CLUSTER REPLICAS: lines of the same kind, in an array.
pub fn replicas<'a>(_: &Request, frame: Frame<'a>, place: Place) -> Option<Lines<'a>> {
    let line = |line| string(line).map(|line| String::from_utf8_lossy(line).into_owned());
    let lines: Vec<String> = elements(frame)?.map(line).collect::<Option<_>>()?;
    table(&lines.iter().map(|line| Node::of(line)).collect::<Option<Vec<_>>>()?, place)
}

fn table<'a>(nodes: &[Node<'_>], place: Place) -> Option<Lines<'a>> {
    let primary = |node: &Node<'_>| nodes.iter().find(|other| other.id == node.primary).map(Node::first_slot);
    let mut order: Vec<&Node<'_>> = nodes.iter().collect();
    order.sort_by_key(|node| (primary(node).unwrap_or_else(|| node.first_slot()), node.primary != "-", node.address));
    let row = |node: &Node<'_>| {
        [node.address, node.flags, node.link, &node.place(nodes), node.id, node.epoch]
            .map(|cell| plain(cell.as_bytes()))
            .to_vec()
    };
    let rows: Vec<Vec<String>> = order.into_iter().map(row).collect();
    layout::table(&["address", "flags", "link", "slots", "id", "epoch"], &rows, 1, place)
}

/// CLUSTER SLOTS: a range a row.
pub fn slots<'a>(_: &Request, frame: Frame<'a>, place: Place) -> Option<Lines<'a>> {
    let node = |node: Frame<'_>| {
        let mut parts = node.children();
        Some(address(parts.next().and_then(string).unwrap_or_default(), parts.next()?))
    };
    let row = |range: Frame<'_>| {
        let mut parts = range.children();
        let (first, last) = (number(parts.next()?)?, number(parts.next()?)?);
        let primary = node(parts.next()?)?;
        let replicas: Option<Vec<String>> = parts.map(node).collect();
        Some(vec![range_of(first, last), primary, replicas?.join(" ")])
    };
    let rows: Vec<Vec<String>> = elements(frame)?.map(row).collect::<Option<_>>()?;
    layout::table(&["slots", "primary", "replicas"], &rows, 0, place)
}

fn range_of(first: u64, last: u64) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

fn address(host: &[u8], port: Frame<'_>) -> String {
    let port = string(port).map(plain).unwrap_or_default();
    let host = plain(host);
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// CLUSTER SHARDS: a node a row, with the slots of its shard.
pub fn shards<'a>(_: &Request, frame: Frame<'a>, place: Place) -> Option<Lines<'a>> {
    let mut rows = Vec::new();
    for shard in elements(frame)? {
        let shard = pairs(shard)?;
        let bounds: Vec<u64> = under(&shard, "slots")?.children().map(number).collect::<Option<_>>()?;
        let slots: Vec<String> = bounds.chunks_exact(2).map(|pair| range_of(pair[0], pair[1])).collect();
        for node in under(&shard, "nodes")?.children() {
            let node = pairs(node)?;
            let told = |name: &str| under(&node, name).and_then(shown).unwrap_or_default();
            let host = under(&node, "endpoint").or_else(|| under(&node, "ip")).and_then(string)?;
            let port = under(&node, "port").or_else(|| under(&node, "tls-port"))?;
            let offset = told("replication-offset");
            rows.push(vec![slots.join(" "), address(host, port), told("role"), told("health"), offset, told("id")]);
        }
    }
    // In the order of their slots, the primary first; those without any come last.
    rows.sort_by_cached_key(|row: &Vec<String>| {
        let first = row[0].split(['-', ' ']).next().and_then(|first| first.parse().ok()).unwrap_or(u32::MAX);
        (first, row[2] != "master")
    });
    layout::table(&["slots", "address", "role", "health", "offset", "id"], &rows, 1, place)
}
