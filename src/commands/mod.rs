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
use std::sync::{Mutex, PoisonError};

use crate::cli::{Cli, Verb};
use crate::config::Config;
use crate::exit::{Exit, Failure, Outcome};
use crate::record::Record;
use crate::render::{self, Renderer, Stdout, Style};
use crate::repl;
use crate::reply::{ErrorReply, Frame};
use crate::report::report;
use crate::request::Request;
use crate::server::PushListener;

/// Runs what was typed.
pub fn run(cli: Cli) -> Outcome<Exit> {
    let Cli { connection, output, repl: repl_options, verb, .. } = cli;
    let decide = || Config::decide(&connection, &output).and_then(write_pushes);
    if connection.all_nodes && !matches!(verb, Some(Verb::Exec(_))) {
        return Err(Failure::usage("--all-nodes goes with one command: rcli -c --all-nodes CMD [ARG]..."));
    }
    match verb {
        Some(Verb::Exec(args)) => exec::run(decide, &args.options, args.command),
        Some(Verb::Pipe(args)) => pipe::run(decide, &args, &connection, &output),
        Some(Verb::Sub(args)) => listen::sub(&connection, &output, &args),
        Some(Verb::Psub(args)) => listen::psub(&connection, &output, &args),
        Some(Verb::Ssub(args)) => listen::ssub(&connection, &output, &args),
        Some(Verb::Monitor(args)) => listen::monitor(&connection, &output, &args),
        Some(Verb::Txn(args)) => txn::run(decide, &args),
        Some(Verb::Profiles) => profiles::run(&output),
        Some(Verb::Completions { shell }) => generate::completions(shell),
        Some(Verb::Generate { dir, table }) if table.is_empty() => generate::run(&dir),
        Some(Verb::Generate { dir, table }) => generate::table(&dir, &table, &connection, &output),
        // With stdout elsewhere the prompt and the colours would be in somebody's data.
        None if io::stdin().is_terminal() && io::stdout().is_terminal() => {
            repl::run(Config::decide(&connection, &output)?, &connection, repl_options.yes)
        }
        None => lines::run(&decide()?),
    }
}

/// A renderer over stdout.
fn open_renderer(style: &Style) -> Outcome<Renderer<Stdout>> {
    let stdout = render::stdout().map_err(Failure::output)?;
    Ok(Renderer::new(stdout, style.clone()))
}

/// Has pushes written when they come, where they are asked for. Where that is not possible, the next reply says so.
fn write_pushes(mut config: Config) -> Outcome<Config> {
    if config.show_pushes {
        let renderer = Mutex::new(open_renderer(&config.style)?);
        config.target.pushes = Some(PushListener::new(move |push| {
            let mut renderer = renderer.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = renderer.write(&Record::Push(push)).and_then(|()| renderer.flush());
        }));
    }
    Ok(config)
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
