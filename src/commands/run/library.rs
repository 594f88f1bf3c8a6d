//! A library is loaded where the server's is not the same: at the server, or at every primary of a cluster.

use redis::Value;

use super::script::Script;
use crate::command::request::Request;
use crate::exit::{Failure, Outcome};
use crate::net::{Cluster, Lost, Server, Session};
use crate::reply::{ErrorReply, OwnedFrame, field_of, text_of, value_of};

/// Loads a library of this name; what FUNCTION LOAD answers, or would: the name, or an error, which names the node of
/// a cluster. Under --read-only one that is not there as it stands in the file is status 2.
pub fn load(server: &mut Server, script: &Script, name: &str, is_read_only: bool) -> Outcome<OwnedFrame> {
    let answered = match server {
        Server::One(session, _) => load_at(session, script, name, is_read_only),
        Server::Cluster(cluster) => load_everywhere(cluster, script, name, is_read_only),
    };
    match answered.map_err(|lost| lost.into_failure(&server.place()))? {
        Some(answer) => Ok(answer),
        None => Err(Failure::usage(format!(
            "{}: the server's library {name} is another or missing, and --read-only loads none",
            script.name
        ))),
    }
}

fn load_everywhere(
    cluster: &mut Cluster,
    script: &Script,
    name: &str,
    is_read_only: bool,
) -> Result<Option<OwnedFrame>, Lost> {
    let mut answer = OwnedFrame::nil();
    for node in cluster.map().primaries().cloned().collect::<Vec<_>>() {
        let mut session = cluster.lend_session(&node)?;
        match load_at(&mut session, script, name, is_read_only)? {
            Some(loaded) => answer = loaded,
            None => return Ok(None),
        }
        if let Some(error) = ErrorReply::of(answer.frame()) {
            return Ok(Some(OwnedFrame::error(&format!("{error} (at {node})"))));
        }
    }
    Ok(Some(answer))
}

/// None where it is not the same and may not be loaded.
fn load_at(session: &mut Session, script: &Script, name: &str, is_read_only: bool) -> Result<Option<OwnedFrame>, Lost> {
    let known = session.call(&Request::new(["FUNCTION", "LIST", "LIBRARYNAME", name, "WITHCODE"]))?;
    if let Some(own) = same_name(&known, script, name) {
        return Ok(Some(own));
    }
    if is_read_only {
        return Ok(None);
    }
    session.call(&script.load()).map(Some)
}

/// The name of the library, where it has this code. What is asked for is a pattern of names.
fn same_name(known: &OwnedFrame, script: &Script, name: &str) -> Option<OwnedFrame> {
    let is_same = |library: &Value| {
        let code = match field_of(library, "library_code") {
            Some(Value::BulkString(code)) => code.as_slice(),
            code => text_of(code?)?.as_bytes(),
        };
        (field_of(library, "library_name").and_then(text_of) == Some(name) && code == script.code).then_some(())
    };
    let libraries = value_of(known.frame()).ok()?;
    libraries.as_sequence()?.iter().find_map(is_same)?;
    Some(OwnedFrame::bulk(name.as_bytes()))
}
