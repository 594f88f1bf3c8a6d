//! Commands that would change how replies are counted: which they are, and what to use instead (contract sections 4 and 6).

use crate::connection_state::{Effect, Setting, effect_of};
use crate::request::Request;
use crate::server::{Route, Router, Unroutable, refuse_in_cluster};

/// A command that needs a word: its name, and why.
type Refused = (&'static str, &'static str);

const UNCOUNTED: [Refused; 10] = [
    ("SUBSCRIBE", "turns the connection into a stream: use `rcli sub`"),
    ("PSUBSCRIBE", "turns the connection into a stream: use `rcli psub`"),
    ("SSUBSCRIBE", "turns the connection into a stream: use `rcli ssub`"),
    ("MONITOR", "turns the connection into a stream: use `rcli monitor`"),
    ("UNSUBSCRIBE", NO_SUBSCRIPTION),
    ("PUNSUBSCRIBE", NO_SUBSCRIPTION),
    ("SUNSUBSCRIBE", NO_SUBSCRIPTION),
    ("SYNC", FOR_REPLICAS),
    ("PSYNC", FOR_REPLICAS),
    ("REPLCONF", FOR_REPLICAS),
];
const NO_SUBSCRIPTION: &str = "has no subscription to end here: `rcli sub`, `psub` and `ssub` end theirs themselves";
const FOR_REPLICAS: &str = "is for replicas: it turns the connection into a stream";

/// Why a command cannot run where one reply a command is expected; none if it can.
pub fn refuse_uncounted(request: &Request) -> Option<String> {
    if is_url(request.arg(0)) {
        return Some("a URL is no command: it goes with -u, or behind `connect` at the prompt".to_owned());
    }
    if request.is(0, "CLIENT") && request.is(1, "REPLY") {
        return Some("CLIENT REPLY changes how replies are counted: `rcli pipe --quiet` writes none".to_owned());
    }
    refuse_among(&UNCOUNTED, request)
}

/// Why a command is refused, if it is one of these. Asked for every command of a pipeline.
fn refuse_among(refused: &[Refused], request: &Request) -> Option<String> {
    let given = request.arg(0);
    let (name, reason) = refused.iter().find(|(name, _)| given.eq_ignore_ascii_case(name.as_bytes()))?;
    Some(format!("{name} {reason}"))
}

/// Whether a command's name is a URL, whose password the server would repeat in its error.
fn is_url(name: &[u8]) -> bool {
    memchr::memchr(b':', name).is_some_and(|at| name[at..].starts_with(b"://"))
}

/// Why a command without a key cannot run in a pipeline over a cluster (contract section 11).
pub fn describe_keyless(request: &Request) -> String {
    format!(
        "{} has no key: a pipeline over a cluster needs one; `rcli -c exec` asks one node, `--all-nodes` all",
        request.shown(40)
    )
}

/// Commands that would end the count of a pipeline's replies, or change their form, and why.
const NOT_IN_PIPELINE: [Refused; 3] = [
    ("HELLO", "changes how replies are written: choose the version of RESP with -2 or -3"),
    ("RESET", "would take away the version of RESP, the user and the database: what is set here, a line sets anew"),
    ("QUIT", "would end the connection before its time: a pipeline ends with its input"),
];

/// The length of the shortest name that is refused in a pipeline, `QUIT`; a URL has no fewer bytes.
const SHORTEST: usize = 4;

/// Why a command cannot run in a pipeline, whose replies are all in one version of RESP; none if it can.
pub fn refuse_in_pipeline(request: &Request) -> Option<String> {
    // Asked for every command: none of these names, and no URL, is as short as most of them are.
    if request.arg(0).len() < SHORTEST {
        return None;
    }
    refuse_among(&NOT_IN_PIPELINE, request).or_else(|| refuse_uncounted(request))
}

/// Why a command can run neither in a pipeline nor in a cluster, as far as its name tells; none if it can. What sets the
/// state of a connection is sent to every node.
pub fn refuse_in_cluster_pipeline(request: &Request) -> Option<String> {
    if request.arg(0).len() < SHORTEST {
        return None;
    }
    let reason = match effect_of(request) {
        Effect::Multi | Effect::Exec | Effect::Discard | Effect::Watch | Effect::Unwatch => Some(format!(
            "{} cannot stand in a pipeline over a cluster, whose nodes work at once: `rcli -c txn` runs a block",
            request.shown(40)
        )),
        Effect::Sets(Setting::Replica) | Effect::None | Effect::Hello | Effect::Reset => refuse_in_pipeline(request),
        Effect::Sets(_) => return None,
    };
    reason.or_else(|| refuse_in_cluster(request))
}

/// The same, and whether it has a node to go to, as far as can be told without one. Keys in several slots are no reason:
/// such a line is answered with an error in its place.
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

/// Why a program of `txn` cannot have a command run before its MULTI; none if it can. What it watches must stay
/// watched.
pub fn refuse_before_block(request: &Request) -> Option<String> {
    if request.is(0, "EXEC") {
        return Some(EXEC_IS_OURS.to_owned());
    }
    ["AUTH", "QUIT", "RESET"]
        .iter()
        .find(|name| request.is(0, name))
        .map(|name| format!("{name} cannot be run here: user and connection stay as rcli's options chose them"))
        .or_else(|| refuse_in_pipeline(request))
}

/// EXEC in the output of a program.
const EXEC_IS_OURS: &str = "EXEC is rcli's to send, when the program has ended with status 0";

/// Why a command cannot stand in a MULTI/EXEC block that rcli opens and executes itself; none if it can.
pub fn refuse_in_block(request: &Request) -> Option<String> {
    let name = String::from_utf8_lossy(request.arg(0)).to_ascii_uppercase();
    match name.as_str() {
        "MULTI" | "EXEC" | "DISCARD" | "WATCH" | "UNWATCH" => {
            Some(format!("{name} cannot stand in the block: rcli sends MULTI and EXEC itself"))
        }
        "RESET" | "QUIT" => Some(format!("{name} would end the transaction before EXEC")),
        _ => refuse_in_pipeline(request),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_that_is_refused_is_passed_over_for_its_length() {
        for (name, _) in UNCOUNTED.iter().chain(&NOT_IN_PIPELINE) {
            assert!(refuse_in_pipeline(&Request::new([name.to_ascii_lowercase()])).is_some(), "{name}");
        }
        assert!(refuse_in_pipeline(&Request::new(["x://"])).is_some());
        assert!(refuse_in_pipeline(&Request::new(["CLIENT", "REPLY", "OFF"])).is_some());
        assert!(refuse_in_pipeline(&Request::new(["SET", "a", "1"])).is_none());
    }
}
