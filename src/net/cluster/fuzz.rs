//! What is read from the answers of clusters and sentinels, whatever these say.
#![allow(clippy::panic, clippy::missing_panics_doc, reason = "a check ends by panicking")]

use super::holdings::Holdings;
use super::key_slot::SLOTS;
use super::redirects::Redirect;
use super::slot_map::{Announced, Places, SlotMap};
use crate::fuzz::Decisions;
use crate::net::endpoint::Address;
use crate::net::sentinel::{describe_known, named};
use crate::reply::{Framer, OwnedFrame, value_of};

/// The port of the node that was asked.
const ASKED_PORT: u16 = 7000;

/// A reply to CLUSTER SLOTS or CLUSTER SHARDS, or the text of CLUSTER NODES.
pub fn cluster_replies(data: &[u8]) {
    let asked = Address::Tcp("asked".to_owned(), ASKED_PORT);
    if let Ok(text) = std::str::from_utf8(data)
        && let Some(held) = Holdings::read(&asked, text)
    {
        assert!(held.held().iter().all(|slot| held.owned.contains(slot) || held.importing.contains(slot)));
    }
    let Some(reply) = whole_reply(data) else { return };
    let Ok(value) = value_of(reply.frame()) else { return };
    let mut places = Places::default();
    places.learn_id("id", &asked);
    places.learn_aliases(&value, &asked);
    if let Ok(mut map) = SlotMap::read(&value, &asked, &places) {
        let primaries = map.primaries().count();
        assert!(map.nodes().count() >= primaries);
        for slot in 0..SLOTS {
            let owner = map.owner(slot).map(|shard| shard.primary.clone());
            assert!(owner.is_none_or(|owner| map.primaries().any(|primary| *primary == owner)));
        }
        map.move_slot(5, asked.clone());
        assert!(map.owner(5).is_some_and(|shard| shard.primary == asked));
    }
    for is_tls in [false, true] {
        for node in Announced::read_shards(&value, is_tls) {
            assert!(matches!(places.reach(&node, &asked), Address::Tcp(host, 1..) if !host.is_empty()));
        }
    }
}

/// An error that may send a command elsewhere: any text, or one with a slot and a node that are.
pub fn redirects(data: &[u8]) {
    let mut decisions = Decisions(data);
    let code = ["", "MOVED ", "ASK ", "MOVED  ", "TRYAGAIN ", "CLUSTERDOWN "][usize::from(decisions.byte() % 6)];
    let (is_made, port) = (decisions.flag(), u16::from_be_bytes([decisions.byte(), decisions.byte()]));
    // What an error's line cannot hold is not in it.
    let (slot, host) = (port % SLOTS, String::from_utf8_lossy(decisions.0).replace(char::is_control, " "));
    let text = if is_made { format!("{code}{slot} {host}:{port}") } else { format!("{code}{host}") };
    let found = Redirect::of(OwnedFrame::error(&text).frame());
    let asked = Address::Tcp("asked".to_owned(), ASKED_PORT);
    if let Some(Redirect::Moved(slot, node) | Redirect::Ask(slot, node)) = &found {
        assert!(*slot < SLOTS, "{text}");
        let reached = Places::default().reach(node, &asked);
        assert!(matches!(&reached, Address::Tcp(host, 1..) if !host.is_empty()), "{text}: {reached}");
        assert!(!reached.to_string().contains(char::is_control), "{text}");
    }
    if is_made && port > 0 && matches!(code, "MOVED " | "ASK ") && !host.contains('?') {
        let place = Announced::parse(&format!("{host}:{port}"));
        assert!(place.is_some(), "{text}");
        let expected = place.map(|node| match code {
            "MOVED " => Redirect::Moved(slot, node),
            _ => Redirect::Ask(slot, node),
        });
        assert_eq!(found, expected, "{text}");
    }
}

/// The answer of a sentinel that was asked for a primary: any reply, or one of a host and a port; and its list of those
/// that it knows.
pub fn sentinels(data: &[u8]) {
    let mut decisions = Decisions(data);
    let reply = if decisions.flag() { whole_reply(decisions.0) } else { Some(decisions.reply()) };
    let Some(reply) = reply else { return };
    let Ok(value) = value_of(reply.frame()) else { return };
    let _ = describe_known(&value);
    if let Some(primary) = named(value) {
        assert!(matches!(&primary, Address::Tcp(host, 1..) if !host.is_empty()), "{primary}");
    }
    let (host, port) = (decisions.text(20), decisions.byte());
    let answer = redis::Value::Array(vec![
        redis::Value::BulkString(host.to_vec()),
        redis::Value::BulkString(port.to_string().into_bytes()),
    ]);
    let is_address = port > 0 && !host.is_empty() && std::str::from_utf8(host).is_ok();
    assert_eq!(named(answer).is_some(), is_address, "{}:{port}", host.escape_ascii());
}

fn whole_reply(data: &[u8]) -> Option<OwnedFrame> {
    let found = Framer::default().find_end(data).ok()??;
    Some(OwnedFrame::new(data[..found.length].to_vec(), found.has_error()))
}
