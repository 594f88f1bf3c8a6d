//! Reports as JSON: the text replies of INFO, CLIENT LIST and their kind as objects (contract section 2). Whatever the
//! text, one value of valid JSON comes of it; what is not of the form that is known stands under `__raw__`, as redis-py
//! has it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Write};

use super::super::{Reports, Style};
use super::scalar::{is_number, string, string_or_base64};
use super::value as plain;
use crate::command::restrictions::Report;
use crate::reply::{Frame, Kind};
use crate::text::{Escape, printable_bytes};

/// Writes a reply in which reports may stand, as was told of its command.
pub fn reported(out: &mut impl Write, style: &Style, frame: Frame<'_>, reports: Reports<'_>) -> io::Result<()> {
    match reports {
        Reports::Whole(kind) => whole(out, style, frame, Some(kind)),
        Reports::OfEach(kind) if frame.kind() == Kind::Map => {
            let children: Vec<Frame<'_>> = frame.children().collect();
            for (index, pair) in children.chunks_exact(2).enumerate() {
                out.write_all(if index == 0 { b"{" } else { b"," })?;
                string(out, &String::from_utf8_lossy(pair[0].head().text))?;
                out.write_all(b":")?;
                whole(out, style, pair[1], Some(kind))?;
            }
            out.write_all(if children.is_empty() { b"{}" } else { b"}" })
        }
        Reports::Items(mut items) if frame.kind() == Kind::Array && !items.is_empty() => {
            out.write_all(b"[")?;
            for (index, child) in frame.children().enumerate() {
                if index > 0 {
                    out.write_all(b",")?;
                }
                let mut kind = None;
                if let [(place, found), rest @ ..] = items
                    && *place == index
                {
                    (kind, items) = (Some(*found), rest);
                }
                whole(out, style, child, kind)?;
            }
            out.write_all(b"]")
        }
        _ => plain(out, style, frame),
    }
}

fn whole(out: &mut impl Write, style: &Style, frame: Frame<'_>, kind: Option<Report>) -> io::Result<()> {
    match (kind, frame.kind()) {
        (Some(kind), Kind::Bulk | Kind::Verbatim) if kind != Report::Text && style.parses_reports => {
            report(out, style, kind, frame.head().text)
        }
        _ => plain(out, style, frame),
    }
}

fn report(out: &mut impl Write, style: &Style, report: Report, text: &[u8]) -> io::Result<()> {
    let node = match report {
        Report::Info | Report::ClusterInfo => sections(text),
        Report::ClientInfo => words(lines(text).next().unwrap_or_default()),
        Report::ClientList => Node::List(lines(text).map(words).collect()),
        Report::ClusterNodes => Node::List(lines(text).map(cluster_node).collect()),
        Report::Text => Node::Text(text),
    };
    node.write(out, style)
}

/// What a report is made of.
enum Node<'a> {
    Text(&'a [u8]),
    /// A number with the server's own digits.
    Number(&'a [u8]),
    Null,
    List(Vec<Node<'a>>),
    Object(Object<'a>),
}

/// Names with what was said under each, in order: once, or more than once.
#[derive(Default)]
struct Object<'a> {
    fields: Vec<(Cow<'a, str>, Vec<Node<'a>>)>,
    places: HashMap<Cow<'a, str>, usize>,
    /// Names that have a list even of one.
    lists: &'static [&'static str],
}

/// What stands where a name belongs, and has no value.
const RAW: &str = "__raw__";

impl<'a> Object<'a> {
    fn of(lists: &'static [&'static str]) -> Self {
        Self { lists, ..Self::default() }
    }

    fn add(&mut self, name: Cow<'a, str>, node: Node<'a>) {
        let place = *self.places.entry(name.clone()).or_insert(self.fields.len());
        match self.fields.get_mut(place) {
            Some((_, nodes)) => nodes.push(node),
            None => self.fields.push((name, vec![node])),
        }
    }

    /// A name as JSON can have it: bytes that are no UTF-8 are shown.
    fn add_bytes(&mut self, name: &'a [u8], node: Node<'a>) {
        self.add(printable_bytes(name, Escape::Undecodable), node);
    }

    fn add_raw(&mut self, text: &'a [u8]) {
        self.add(RAW.into(), Node::Text(text));
    }
}

impl Node<'_> {
    fn write(&self, out: &mut impl Write, style: &Style) -> io::Result<()> {
        match self {
            Self::Text(text) => string_or_base64(out, style, text),
            Self::Number(text) => out.write_all(text),
            Self::Null => out.write_all(b"null"),
            Self::List(nodes) => list(out, style, nodes),
            Self::Object(object) => {
                for (index, (name, nodes)) in object.fields.iter().enumerate() {
                    out.write_all(if index == 0 { b"{" } else { b"," })?;
                    string(out, name)?;
                    out.write_all(b":")?;
                    match nodes.as_slice() {
                        [node] if !object.lists.contains(&&**name) && name != RAW => node.write(out, style)?,
                        nodes => list(out, style, nodes)?,
                    }
                }
                out.write_all(if object.fields.is_empty() { b"{}" } else { b"}" })
            }
        }
    }
}

fn list(out: &mut impl Write, style: &Style, nodes: &[Node<'_>]) -> io::Result<()> {
    out.write_all(b"[")?;
    for (index, node) in nodes.iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        node.write(out, style)?;
    }
    out.write_all(b"]")
}

/// The lines that are not empty.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.filter(|line| !line.is_empty())
}

fn split_at(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(byte, text)?;
    Some((&text[..at], &text[at + 1..]))
}

/// A value under a name: a number, where its text is one in JSON and the name is of no identity.
fn value<'a>(name: &[u8], text: &'a [u8]) -> Node<'a> {
    let is_plain = is_number(text) && !text.iter().any(|byte| matches!(byte, b'e' | b'E'));
    if is_plain && !is_identity(name) { Node::Number(text) } else { Node::Text(text) }
}

/// Whether what a name holds only looks like a number, when it does.
fn is_identity(name: &[u8]) -> bool {
    matches!(name, b"run_id" | b"build_id" | b"redis_git_sha1" | b"user" | b"lib-ver" | b"id_hash")
        || name.ends_with(b"name")
        || name.ends_with(b"version")
        || memchr::memmem::find(name, b"replid").is_some()
}

/// INFO: sections of fields. What stands before the first section belongs to none, as all of CLUSTER INFO.
fn sections(text: &[u8]) -> Node<'_> {
    let mut whole = Object::default();
    let mut open: Option<(Cow<'_, str>, Object<'_>)> = None;
    for line in lines(text) {
        if let [b'#', b' ', title @ ..] = line {
            close(&mut whole, open.take());
            let title = printable_bytes(title, Escape::Undecodable).to_lowercase();
            open = Some((title.into(), Object::of(&["module"])));
            continue;
        }
        field(open.as_mut().map_or(&mut whole, |(_, section)| section), line);
    }
    close(&mut whole, open);
    Node::Object(whole)
}

fn close<'a>(whole: &mut Object<'a>, section: Option<(Cow<'a, str>, Object<'a>)>) {
    if let Some((title, section)) = section {
        whole.add(title, Node::Object(section));
    }
}

/// `name:value`.
fn field<'a>(object: &mut Object<'a>, line: &'a [u8]) {
    match split_at(line, b':') {
        None => object.add_raw(line),
        Some((name, text)) if has_parts(name) && text.contains(&b'=') => {
            object.add_bytes(name, pairs(text.split(|byte| *byte == b',')));
        }
        Some((name, text)) => object.add_bytes(name, value(name, text)),
    }
}

/// Whether a field of INFO has fields of its own.
fn has_parts(name: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 5] = [b"cmdstat_", b"errorstat_", b"latency_percentiles_", b"io_thread_", b"engine_"];
    let is_numbered =
        |word: &[u8]| name.strip_prefix(word).is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit));
    name == b"module"
        || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
        || [&b"db"[..], b"slave", b"listener"].into_iter().any(is_numbered)
}

/// `name=value` parts.
fn pairs<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Node<'a> {
    let mut object = Object::default();
    for part in parts {
        match split_at(part, b'=') {
            None => object.add_raw(part),
            Some((name, text)) => object.add_bytes(name, value(name, text)),
        }
    }
    Node::Object(object)
}

/// A line of CLIENT LIST.
fn words(line: &[u8]) -> Node<'_> {
    pairs(line.split(|byte| *byte == b' ').filter(|word| !word.is_empty()))
}

/// A line of CLUSTER NODES: `id address@bus,hostname flags primary ping pong epoch link slot...`.
fn cluster_node(line: &[u8]) -> Node<'_> {
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).collect();
    let mut object = Object::default();
    let [id, places, flags, primary, sent, received, epoch, state, slots @ ..] = words.as_slice() else {
        object.add_raw(line);
        return Node::Object(object);
    };
    let mut places = places.split(|byte| *byte == b',');
    let address = places.next().unwrap_or_default();
    // Behind the host name other facts may stand, each with its name.
    let hostname = places.next().filter(|name| !name.is_empty() && !name.contains(&b'='));
    let known = |text: &[u8]| text != b"-";
    for (name, node) in [
        ("id", Node::Text(id)),
        ("address", Node::Text(split_at(address, b'@').map_or(address, |(address, _)| address))),
        ("hostname", hostname.map_or(Node::Null, Node::Text)),
        ("flags", Node::List(flags.split(|byte| *byte == b',').map(Node::Text).collect())),
        ("primary", if known(primary) { Node::Text(primary) } else { Node::Null }),
        ("ping_sent", value(b"", sent)),
        ("pong_received", value(b"", received)),
        ("config_epoch", value(b"", epoch)),
        ("link", Node::Text(state)),
        ("slots", Node::List(slots.iter().map(|slot| slot_range(slot)).collect())),
    ] {
        object.add(name.into(), node);
    }
    Node::Object(object)
}

/// The first and the last slot of a range; one that is on its way stays as it is written.
fn slot_range(text: &[u8]) -> Node<'_> {
    let (first, last) = split_at(text, b'-').unwrap_or((text, text));
    if is_number(first) && is_number(last) {
        Node::List(vec![value(b"", first), value(b"", last)])
    } else {
        Node::Text(text)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends by panicking")]
mod tests {
    use super::super::super::Format;
    use super::*;

    fn json(kind: Report, text: &[u8]) -> String {
        let mut out = Vec::new();
        report(&mut out, &Style::plain(Format::Json), kind, text).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn info_is_sections_of_fields() {
        let text = b"# Server\r\nredis_version:7.0\r\nrun_id:12\r\nhz:10\r\nload:0.10\r\nbig:1e5\r\nzero:007\r\n\r\n\
            # Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n# Modules\r\nmodule:name=a,ver=1\r\n\
            # Commandstats\r\ncmdstat_get:calls=1,usec_per_call=2.00\r\n";
        assert_eq!(
            json(Report::Info, text),
            r#"{"server":{"redis_version":"7.0","run_id":"12","hz":10,"load":0.10,"big":"1e5","zero":"007"},"#
                .to_owned()
                + r#""keyspace":{"db0":{"keys":1,"expires":0,"avg_ttl":0}},"modules":{"module":[{"name":"a","ver":1}]},"#
                + r#""commandstats":{"cmdstat_get":{"calls":1,"usec_per_call":2.00}}}"#
        );
        assert_eq!(json(Report::Info, b""), "{}");
    }

    #[test]
    fn what_is_of_no_known_form_is_valid_json_all_the_same() {
        for (text, expected) in [
            (&b"a:1\na:2\nx\n7:8\n"[..], r#"{"a":[1,2],"__raw__":["x"],"7":8}"#),
            (b"# S\nk:v\n# s\n\xff:\xfe\n", r#"{"s":[{"k":"v"},{"\\xff":{"base64":"/g=="}}]}"#),
            (b"# \n:\n", r#"{"":{"":""}}"#),
            (b"db0:=,x,,a=b=c\ndb1:none", r#"{"db0":{"":"","__raw__":["x",""],"a":"b=c"},"db1":"none"}"#),
        ] {
            assert_eq!(json(Report::Info, text), expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn clients_and_nodes_are_objects_of_a_line() {
        let clients = b"id=3 addr=127.0.0.1:5 name=7 age=0 lib-ver=1.0 user=1 events=r junk\nid=4 name=\n";
        assert_eq!(
            json(Report::ClientList, clients),
            r#"[{"id":3,"addr":"127.0.0.1:5","name":"7","age":0,"lib-ver":"1.0","user":"1","events":"r","__raw__":["junk"]},"#
                .to_owned()
                + r#"{"id":4,"name":""}]"#
        );
        assert_eq!(json(Report::ClientInfo, b"id=3 redir=-1\n"), r#"{"id":3,"redir":-1}"#);
        let nodes = b"07c3 127.0.0.1:7000@17000,host,shard-id=9 myself,master - 0 1700 1 connected 0-5 7 [9->-07c3]\n\
            aa :0@0 slave,noaddr 07c3 0 0 0 disconnected\nshort\n";
        assert_eq!(
            json(Report::ClusterNodes, nodes),
            r#"[{"id":"07c3","address":"127.0.0.1:7000","hostname":"host","flags":["myself","master"],"primary":null,"#
                .to_owned()
                + r#""ping_sent":0,"pong_received":1700,"config_epoch":1,"link":"connected","slots":[[0,5],[7,7],"[9->-07c3]"]},"#
                + r#"{"id":"aa","address":":0","hostname":null,"flags":["slave","noaddr"],"primary":"07c3","#
                + r#""ping_sent":0,"pong_received":0,"config_epoch":0,"link":"disconnected","slots":[]},{"__raw__":["short"]}]"#
        );
        assert_eq!(json(Report::ClientList, b""), "[]");
    }
}
