//! Commands that would change how replies are counted: which they are, and what to use instead (contract sections 4 and 6).

use crate::request::Request;

/// Why a command cannot run where one reply a command is expected; none if it can.
pub fn refuse_uncounted(request: &Request) -> Option<String> {
    let name = String::from_utf8_lossy(request.arg(0)).to_ascii_uppercase();
    let stream = |verb: &str| Some(format!("{name} turns the connection into a stream: use `rcli {verb}`"));
    match name.as_str() {
        "SUBSCRIBE" => stream("sub"),
        "PSUBSCRIBE" => stream("psub"),
        "SSUBSCRIBE" => stream("ssub"),
        "MONITOR" => stream("monitor"),
        "UNSUBSCRIBE" | "PUNSUBSCRIBE" | "SUNSUBSCRIBE" => {
            Some(format!("{name} has no subscription to end here: `rcli sub`, `psub` and `ssub` end theirs themselves"))
        }
        "SYNC" | "PSYNC" => Some(format!("{name} is for replicas: it turns the connection into a stream")),
        "CLIENT" if request.is(1, "REPLY") => {
            Some("CLIENT REPLY changes how replies are counted: --quiet writes none".to_owned())
        }
        _ => None,
    }
}

/// Why a command cannot run in a pipeline, whose replies are all in one version of RESP; none if it can.
pub fn refuse_in_pipeline(request: &Request) -> Option<String> {
    if request.is(0, "HELLO") {
        return Some("HELLO changes how replies are written: choose the version of RESP with -2 or -3".to_owned());
    }
    refuse_uncounted(request)
}

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
