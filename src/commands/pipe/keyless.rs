//! Commands that a pipeline over a cluster has no node for (contract section 11).

use crate::command::request::Request;
use crate::command::restrictions::{Effect, effect_of, refuse_in_cluster_pipeline, refuse_in_pipeline};
use crate::net::{Route, Router, Unroutable};

/// Why a command without a key cannot run in a pipeline over a cluster (contract section 11).
pub fn describe_keyless(request: &Request) -> String {
    format!(
        "{} has no key: a pipeline over a cluster needs one; `rcli -c exec` asks one node, `--all-nodes` all",
        request.shown(40)
    )
}

/// Why a command has no place in a pipeline whose reads go to a replica that sentinels name; none if it has.
pub fn refuse_beside_replica(request: &Request) -> Option<String> {
    match effect_of(request) {
        Effect::Multi | Effect::Exec | Effect::Discard | Effect::Watch | Effect::Unwatch => Some(format!(
            "{} cannot stand in a pipeline with --read-from-replicas, whose servers work at once: `rcli txn` runs a block",
            request.shown(40)
        )),
        Effect::Sets(_) => None,
        _ => refuse_in_pipeline(request),
    }
}

/// Why a command has no place in a pipeline over a cluster, as far as can be told without one; none if it has. Keys in
/// several slots are no reason: such a line is answered with an error in its place.
pub fn refuse_unroutable(router: &mut Router, request: &Request) -> Option<String> {
    let refused = refuse_in_cluster_pipeline(request);
    if refused.is_some() || matches!(effect_of(request), Effect::Sets(_)) {
        return refused;
    }
    match router.route(request) {
        Ok(Route::Keyless) => Some(describe_keyless(request)),
        Ok(Route::Slot { .. } | Route::Refused) | Err(Unroutable::CrossSlot(_) | Unroutable::AskServer) => None,
    }
}
