//! The verbs: one file each. Here the command line is told apart, and what several verbs share is kept.

pub mod block;
mod exec;
mod generate;
mod guard;
mod handler;
mod lines;
pub mod listen;
mod pipe;
mod profiles;
pub mod refuse;
mod txn;

use std::io::{self, IsTerminal as _};

use crate::cli::Verb;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::repl;
use crate::reply::{ErrorReply, Frame};
use crate::report::report;
use crate::request::Request;

/// Runs what was typed.
pub fn run(context: &Context, verb: Option<&Verb>) -> Outcome<Exit> {
    match verb {
        Some(Verb::Exec(args)) => exec::run(context, args),
        Some(Verb::Pipe(args)) => pipe::run(context, args),
        Some(Verb::Sub(args)) => listen::sub(context, args),
        Some(Verb::Psub(args)) => listen::psub(context, args),
        Some(Verb::Ssub(args)) => listen::ssub(context, args),
        Some(Verb::Monitor(args)) => listen::monitor(context, args),
        Some(Verb::Txn(args)) => txn::run(context, args),
        Some(Verb::Profiles) => profiles::run(context),
        Some(Verb::Completions(args)) => generate::completions(args),
        Some(Verb::Generate(args)) => generate::run(context, args),
        // With stdout elsewhere the prompt and the colours would be in somebody's data.
        None if io::stdin().is_terminal() && io::stdout().is_terminal() => repl::run(context),
        None => lines::run(context),
    }
}

/// What to do about an error reply, to stand behind its words.
pub fn advice(error: &ErrorReply, is_cluster: bool) -> &'static str {
    match error.code() {
        "MOVED" | "ASK" if !is_cluster => "; this server is a node of a cluster: use -c",
        _ => "",
    }
}

/// Says on stderr which command the server answered with errors (contract section 2); whether there were any.
fn report_errors(source: &str, request: &Request, frame: Frame<'_>, is_cluster: bool) -> bool {
    let has_errors = frame.errors().next().is_some();
    describe_errors(source, request, frame, is_cluster).for_each(|told| report(&told));
    has_errors
}

/// What there is to say of the errors in a reply.
fn describe_errors(
    source: &str,
    request: &Request,
    frame: Frame<'_>,
    is_cluster: bool,
) -> impl Iterator<Item = String> {
    const SHOWN: usize = 100;
    frame.errors().map(move |error| {
        let error = ErrorReply::new(error);
        let advice = advice(&error, is_cluster);
        format!("{source}:{}: {}: {error}{advice}", request.line, request.shown(SHOWN))
    })
}

/// Whether stderr is a terminal, where a bar can move.
fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}
