//! What is read from the answers of clusters and sentinels, whatever these say.
#![allow(clippy::panic, clippy::missing_panics_doc, reason = "a check ends by panicking")]

use super::key_slot::SLOTS;
use super::redirects::Redirect;
use super::slot_map::{Announced, Places, SlotMap};
use crate::net::endpoint::Address;
use crate::net::sentinel::{describe_known, named};
use crate::reply::{Framer, OwnedFrame, value_of};

/// A reply to CLUSTER SLOTS, CLUSTER SHARDS or SENTINEL, or an error that redirects.
pub fn cluster_replies(data: &[u8]) {
    let Ok(Some(found)) = Framer::default().find_end(data) else { return };
    let reply = OwnedFrame::new(data[..found.length].to_vec(), found.has_error());
    let asked = Address::Tcp("asked".to_owned(), 7000);
    if let Some(Redirect::Moved(slot, _) | Redirect::Ask(slot, _)) = Redirect::of(reply.frame()) {
        assert!(slot < SLOTS);
    }
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
    let _ = (describe_known(&value), named(value));
}
