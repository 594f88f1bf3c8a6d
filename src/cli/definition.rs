//! The command line's definition for clap: all of it, for help, manual pages and completions, and the small part of it
//! that every run reads.

use clap::{Args, Command, Subcommand as _};

use super::options::{ConnectionOptions, GeneralOptions, OutputOptions, ReplOptions};
use super::verbs::{ExecOptions, Verb};

const EXAMPLES: &str = "\
Examples:
  rcli GET user:1                      one command, as with redis-cli
  rcli --json HGETALL user:1 | jq .    one line of JSON a reply
  rcli pipe < cmds.txt                 a file of commands at the speed of the server
  rcli --sandbox pipe < cmds.txt       the same, on a throw-away server
  rcli txn --watch seq -- ./next.sh    a transaction computed by a program, restarted on conflict";

/// The options that are accepted before and behind a subcommand.
#[derive(Args, Default)]
pub(super) struct Globals {
    #[command(flatten)]
    pub(super) connection: ConnectionOptions,
    #[command(flatten)]
    pub(super) output: OutputOptions,
    #[command(flatten)]
    pub(super) general: GeneralOptions,
    #[command(flatten)]
    pub(super) repl: ReplOptions,
}

/// The whole definition.
pub fn definition() -> Command {
    let globals = Globals::augment_args(base()).mut_args(|arg| arg.global(true));
    Verb::augment_subcommands(ExecOptions::augment_args(globals))
        .about("A command-line REPL and scripting tool for Redis and Valkey")
        .before_help(EXAMPLES)
        .propagate_version(true)
        .override_usage("rcli [OPTIONS] [CMD [ARG]...]\n       rcli [OPTIONS] <SUBCOMMAND>")
        .after_help(
            "A first word that names no subcommand is a Redis command. With no command at all there is a REPL on a \
             terminal; elsewhere commands are read from standard input, one a line.\n\
             Exit status: 0 done, 1 the server answered an error, 2 usage or bad input, 3 connection or output failed, \
             4 aborted by WATCH, 5 a time limit before --count, 130 and 143 interrupted.",
        )
}

/// What reads a subcommand: it alone where it is among [`Verb::OTHERS`], the global options being its own.
/// To make all of them and to give each the options takes longer than all else until a command is sent.
pub(super) fn definition_of(verb: &str) -> Command {
    match Verb::OTHERS.into_iter().find(|(name, _)| *name == verb) {
        Some((name, augment)) => {
            base().propagate_version(true).subcommand(Globals::augment_args(augment(Command::new(name))))
        }
        None => definition(),
    }
}

/// The options that stand before a command, and nothing of the subcommands.
pub(super) fn options() -> Command {
    ExecOptions::augment_args(Globals::augment_args(base())).disable_help_subcommand(true)
}

fn base() -> Command {
    Command::new("rcli")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args_override_self(true)
}
