//! What every verb with a MULTI … EXEC block needs: the check before queueing, and the words for a connection lost
//! while a block was with the server.

use std::collections::HashMap;

use redis::Value;

use crate::exit::{Exit, Failure};
use crate::request::Request;
use crate::server::{Lost, LostBlock, Server};
use crate::table::Table;

/// The server's command table, asked for command by command: only what a block uses.
#[derive(Debug, Default)]
pub struct BlockCheck {
    /// By lower-case name; none where the server may not be asked.
    known: HashMap<Vec<u8>, Option<Table>>,
}

impl BlockCheck {
    /// The error that the server would answer while queueing: an unknown name, or a wrong number of arguments.
    pub fn refusal(&mut self, server: &mut Server, request: &Request) -> Result<Option<String>, Lost> {
        let name = request.arg(0).to_ascii_lowercase();
        if !self.known.contains_key(&name) {
            let info = server.call(&Request::new([b"COMMAND", b"INFO".as_slice(), &name]))?;
            let table = if matches!(info, Value::Array(_)) { Table::from_replies(&info, None) } else { None };
            self.known.insert(name.clone(), table);
        }
        let args: Vec<&[u8]> = request.args().collect();
        let checked = match self.known.get(&name) {
            Some(Some(table)) => table.check(&args),
            _ => Table::builtin().check(&args),
        };
        Ok(checked.err().map(|words| format!("ERR {words}")))
    }
}

/// The end of a run whose block was lost with the connection; `place` is where EXEC stands.
pub fn describe_lost_block(lost: LostBlock, place: &str) -> Failure {
    let LostBlock { lost, may_have_run } = lost;
    let outcome = if may_have_run {
        "outcome unknown: the block may have run, and is not sent again"
    } else {
        "nothing was run: the server did not get EXEC"
    };
    match lost {
        Lost::Interrupted(signal) if may_have_run => {
            crate::exit::report(&format!("{place}: EXEC: interrupted: {outcome}"));
            Failure::quiet(Exit::Signal(signal))
        }
        Lost::Interrupted(signal) => Failure::quiet(Exit::Signal(signal)),
        lost => Failure::failed(format!("{place}: EXEC: connection lost: {}: {outcome}", lost.reason())),
    }
}
