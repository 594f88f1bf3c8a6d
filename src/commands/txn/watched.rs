//! The keys that are watched while a program runs, and whether it has changed one of them itself, before MULTI: EXEC
//! cannot but be aborted then, in every try (contract section 7).

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use crate::command::request::Request;
use crate::command::table::Table;
use crate::reply::{Frame, Kind};

#[derive(Debug)]
pub struct Watched {
    keys: Vec<Vec<u8>>,
    /// Whether another database was selected, whose keys are others.
    is_elsewhere: bool,
    /// Whether one of them was written, as far as the answers tell: where they leave a doubt it was not.
    pub is_written: bool,
}

impl Watched {
    pub fn new(keys: &[OsString]) -> Self {
        let keys = keys.iter().map(|key| key.as_bytes().to_vec()).collect();
        Self { keys, is_elsewhere: false, is_written: false }
    }

    /// A command of the program was answered.
    pub fn note(&mut self, request: &Request, answer: Frame<'_>) {
        if answer.is_error() {
            return;
        }
        if request.is(0, "WATCH") {
            self.keys.extend(request.args().skip(1).map(<[u8]>::to_vec));
        } else if request.is(0, "UNWATCH") {
            self.keys.clear();
        } else if request.is(0, "SELECT") {
            self.is_elsewhere = true;
        } else if !self.is_elsewhere && !self.keys.is_empty() && tells_of_a_change(answer) {
            let argv: Vec<&[u8]> = request.args().collect();
            let written = Table::builtin_only(argv.first().copied().unwrap_or_default()).written_keys(&argv);
            self.is_written |= written.into_iter().any(|at| self.keys.iter().any(|key| key == argv[at]));
        }
    }
}

/// Whether a command that may write has, by its answer: SETNX, DEL and LPOP answer 0 or nothing where they have not.
fn tells_of_a_change(answer: Frame<'_>) -> bool {
    let head = answer.head();
    match head.kind {
        Kind::Nil => false,
        Kind::Integer => head.text != b"0",
        kind if kind.is_aggregate() => answer.children().next().is_some(),
        _ => true,
    }
}
