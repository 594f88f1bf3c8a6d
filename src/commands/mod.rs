//! The verbs: one file each. Here the command line is told apart, and what several verbs share is kept.

mod bar;
pub mod completions;
mod exec;
mod generate;
mod help;
mod hints;
pub mod listen;
mod ls;
mod pipe;
mod profiles;
mod rdb;
mod run;
mod stat;

mod stdin;
mod tail;
mod txn;

use std::io::{self, IsTerminal as _};

use crate::cli::Verb;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::text::describe_io;
use crate::{repl, signal};

/// Runs what was typed.
pub fn run(context: &Context, verb: Option<&Verb>) -> Outcome<Exit> {
    if !matches!(verb, Some(Verb::Exec(_))) {
        heed_signals()?;
    }
    match verb {
        Some(Verb::Exec(args)) => exec::run(context, args),
        Some(Verb::Pipe(args)) => pipe::run(context, args),
        Some(Verb::Sub(args)) => listen::sub(context, args),
        Some(Verb::Psub(args)) => listen::psub(context, args),
        Some(Verb::Ssub(args)) => listen::ssub(context, args),
        Some(Verb::Monitor(args)) => listen::monitor(context, args),
        Some(Verb::Tail(args)) => tail::run(context, args),
        Some(Verb::Txn(args)) => txn::run(context, args),
        Some(Verb::Ls(args)) => ls::run(context, args),
        Some(Verb::Run(args)) => run::run(context, args),
        Some(Verb::Stat(args)) => stat::run(context, args),
        Some(Verb::Rdb(args)) => rdb::run(context, args),
        Some(Verb::Profiles(args)) => profiles::run(context, args),
        Some(Verb::Completions(args)) => completions::run(args),
        Some(Verb::Generate(args)) => generate::run(context, args),
        Some(Verb::Hints(args)) => hints::run(context, args),
        Some(Verb::Help(topic)) => help::run(context, topic),
        // With stdout elsewhere the prompt and the colours would be in somebody's data.
        None if io::stdin().is_terminal() && io::stdout().is_terminal() => repl::run(context, run),
        None if context.config.guise.fakes_prompt => stdin::prompted::run(context),
        None => stdin::run(context),
    }
}

/// From here on a signal lets what runs end by itself, and does not end the process at once.
fn heed_signals() -> Outcome<()> {
    signal::install().map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::WouldBlock => "; ulimit -u, -v and -d say how many threads there may be",
            _ => "",
        };
        Failure::failed(format!("cannot handle signals: {}{hint}", describe_io(&error)))
    })
}

/// Whether stderr is a terminal, where a bar can move.
fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}
