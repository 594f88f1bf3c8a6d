//! What every verb with a MULTI … EXEC block needs: the check before queueing, the run, and the words for what went
//! wrong (contract sections 5, 6 and 7), be it in a block or not.

use std::collections::HashMap;

use redis::Value;

use crate::command::request::Request;
use crate::command::request::secrets::without_quoted;
use crate::command::table::Table;
use crate::exit::{Exit, Failure, Outcome};
use crate::memory;
use crate::net::{Lost, LostBlock, Note, Server, Transacted};
use crate::reply::{ErrorReply, Frame, OwnedFrame};
use crate::report::report;

/// The server's command table, asked for command by command: only what a block uses.
#[derive(Debug, Default)]
pub struct BlockCheck {
    /// By lower-case name.
    known: HashMap<Vec<u8>, Known>,
}

/// What the server says of a command.
#[derive(Debug)]
enum Known {
    /// How it is called.
    Described(Table),
    /// It does not know it.
    Unknown,
    /// It may not be asked.
    Untold,
}

impl Known {
    fn read(info: &Value) -> Self {
        match info {
            Value::Array(entries) if matches!(entries.as_slice(), [Value::Nil]) => Self::Unknown,
            Value::Array(_) => Table::from_replies(info, None).map_or(Self::Untold, Self::Described),
            _ => Self::Untold,
        }
    }
}

impl BlockCheck {
    /// The error that the server would answer while queueing: an unknown name, or a wrong number of arguments.
    /// Without a server it is told from what was asked before, else from the built-in table: a name that this does not
    /// have may be a module's, and is the server's to judge.
    pub fn refusal(&mut self, server: Option<&mut Server>, request: &Request) -> Result<Option<String>, Lost> {
        let name = request.arg(0).to_ascii_lowercase();
        if let (Some(server), false) = (server, self.known.contains_key(&name)) {
            let info = server.ask(redis::cmd("COMMAND").arg("INFO").arg(&name))?;
            self.known.insert(name.clone(), Known::read(&info));
        }
        let args: Vec<&[u8]> = request.args().collect();
        let checked = match self.known.get(&name) {
            Some(Known::Described(table)) => table.check(&args),
            Some(Known::Unknown) => Err(Table::builtin().describe_unknown(&args)),
            _ if Table::builtin().find(&args).is_none() => Ok(()),
            _ => Table::builtin().check(&args),
        };
        Ok(checked.err().map(|words| format!("ERR {words}")))
    }
}

/// What came of a block. Its errors are already said on stderr.
#[derive(Debug)]
pub enum Ran {
    /// EXEC's reply, an item a command, and whether errors stand in it.
    Executed(OwnedFrame, bool),
    /// A watched key had changed: nothing was run. Not said yet.
    Aborted,
    /// The block was not run: the error that the server answered to EXEC, or to MULTI.
    Refused(OwnedFrame),
}

/// Adds a command to a block that is read, if memory has room for it; `place` tells where it stands.
pub fn push<T>(block: &mut Vec<T>, command: T, place: impl FnOnce() -> String) -> Outcome<()> {
    if !memory::may_grow(block) {
        return Err(Failure::failed(format!("{}: {}; {NOTHING_RAN}", place(), no_room(block.len()))));
    }
    block.push(command);
    Ok(())
}

/// What is said where memory has no room for one more command behind so many.
pub fn no_room(count: usize) -> String {
    format!("memory has no room for a block of more than {count} commands")
}

/// Refuses a block that a cluster cannot run, before anything of it is sent: a line in it has keys in another slot.
pub fn check_block(server: &mut Server, commands: &[(&str, &Request)]) -> Outcome<()> {
    let block: Vec<&Request> = commands.iter().map(|(_, request)| *request).collect();
    match server.check_block(&block) {
        Ok(Ok(())) => Ok(()),
        Ok(Err((index, reason))) => {
            let (source, request) = commands[index];
            Err(Failure::usage(format!("{source}:{}: {reason}; nothing was run", request.line)))
        }
        Err(lost) => Err(lost.into_failure(&server.place())),
    }
}

/// Runs the commands, each with the name of its input, as one block. `place` is where EXEC stands.
pub fn run_block(server: &mut Server, commands: &[(&str, &Request)], place: &str) -> Outcome<Ran> {
    let transacted = transact(server, commands, place)?;
    Ok(conclude(transacted, commands, place, server.is_cluster()))
}

/// The same, and says nothing yet of what came of it: [`conclude`] does.
pub fn transact(server: &mut Server, commands: &[(&str, &Request)], place: &str) -> Outcome<Transacted> {
    let block: Vec<&Request> = commands.iter().map(|(_, request)| *request).collect();
    server.transact(&block).map_err(|lost| describe_lost_block(lost, &format!("{place}: {}", server.place())))
}

/// Says what went wrong with a block.
pub fn conclude(transacted: Transacted, commands: &[(&str, &Request)], place: &str, is_cluster: bool) -> Ran {
    match transacted {
        Transacted::Executed(replies) => {
            let mut had_errors = false;
            for ((source, request), reply) in commands.iter().zip(replies.frame().children()) {
                had_errors |= report_errors(source, request, reply, is_cluster);
            }
            Ran::Executed(replies, had_errors)
        }
        Transacted::Aborted => Ran::Aborted,
        Transacted::Refused(errors, error) => {
            for (index, error) in errors {
                let (source, request) = commands[index];
                report_errors(source, request, error.to_frame().frame(), is_cluster);
            }
            refuse_block(&error, place, NOTHING_RAN);
            Ran::Refused(error.to_frame())
        }
        Transacted::Denied(error) => {
            refuse_block(&error, place, NOTHING_RAN);
            Ran::Refused(error.to_frame())
        }
        Transacted::Unbound(error) => {
            refuse_block(&error, place, RAN_APART);
            Ran::Refused(error.to_frame())
        }
    }
}

/// What ran of a block that was refused.
pub const NOTHING_RAN: &str = "nothing was run";
/// The same where MULTI was refused too late.
pub const RAN_APART: &str = "MULTI was refused after the block had been sent: its commands ran one by one";

/// Says that EXEC, or MULTI, was refused.
pub fn refuse_block(error: &ErrorReply, place: &str, what_ran: &str) {
    report(&format!("{place}: EXEC: {what_ran}: {error}"));
}

/// Says that a watched key had changed.
pub fn report_aborted(place: &str, note: &str) {
    report(&format!("{place}: EXEC: aborted, a watched key has changed; nothing was run{note}"));
}

/// The end of a run whose block was lost with the connection; `place` is where EXEC stands, and the server's address.
pub fn describe_lost_block(lost: LostBlock, place: &str) -> Failure {
    let LostBlock { lost, may_have_run } = lost;
    let outcome = if may_have_run {
        "outcome unknown: the block may have run, and is not sent again"
    } else {
        "nothing was run: the server did not get EXEC"
    };
    match lost {
        Lost::Interrupted(signal) if may_have_run => {
            report(&format!("{place}: EXEC: interrupted: {outcome}"));
            Failure::quiet(Exit::Signal(signal))
        }
        Lost::Interrupted(signal) => Failure::quiet(Exit::Signal(signal)),
        Lost::Refused { message, .. } | Lost::Unreached(message) if !may_have_run => {
            Failure::failed(format!("{message}; nothing was run"))
        }
        lost => Failure::failed(format!("{place}: EXEC: connection lost: {}: {outcome}", lost.reason())),
    }
}

/// What is said where a primary has become a replica, and another command may come.
pub fn describe_replica(place: &str) -> String {
    format!("{place} is a replica now: the next command asks the sentinels for the primary")
}

/// Says which nodes of a cluster did what others did not: the error of one of them is the reply.
pub fn report_partial(server: &mut Server) {
    for note in server.take_notes() {
        if let Note::Partial(words) = note {
            report(&words);
        }
    }
}

/// Says on stderr which command the server answered with errors (contract section 2); whether there were any.
pub fn report_errors(source: &str, request: &Request, frame: Frame<'_>, is_cluster: bool) -> bool {
    let has_errors = frame.errors().next().is_some();
    describe_errors(source, request, frame, is_cluster).for_each(|told| report(&told));
    has_errors
}

/// What there is to say of the errors in a reply.
pub fn describe_errors(
    source: &str,
    request: &Request,
    frame: Frame<'_>,
    is_cluster: bool,
) -> impl Iterator<Item = String> {
    const SHOWN: usize = 100;
    frame.errors().map(move |error| {
        let error = ErrorReply::new(error);
        let said = without_quoted(request, error.advised(is_cluster));
        format!("{source}:{}: {}: {said}", request.line, request.shown(SHOWN))
    })
}
