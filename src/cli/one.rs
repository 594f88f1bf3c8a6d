//! One command, `rcli CMD` or `rcli exec CMD`, or the REPL: read without the options of every other subcommand, whose
//! building would take longer than all else until the command is sent. The options themselves are `cli`'s.

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use super::{Cli, ConnectionOptions, ExecArgs, ExecOptions, GeneralOptions, OutputOptions, ReplOptions, Verb};

/// The subcommands that are read by the whole definition.
const OTHERS: [&str; 10] =
    ["pipe", "sub", "psub", "ssub", "monitor", "txn", "profiles", "completions", "generate", "help"];

#[derive(Parser)]
#[command(
    name = "rcli",
    version,
    disable_help_flag = true,
    disable_version_flag = true,
    propagate_version = true,
    disable_help_subcommand = true
)]
struct One {
    #[command(flatten)]
    connection: ConnectionOptions,
    #[command(flatten)]
    output: OutputOptions,
    #[command(flatten)]
    general: GeneralOptions,
    #[command(flatten)]
    repl: ReplOptions,
    #[command(flatten)]
    exec: ExecOptions,
    #[command(subcommand)]
    verb: Option<OneVerb>,
}

#[derive(Subcommand)]
enum OneVerb {
    Exec(ExecArgs),
    #[command(external_subcommand)]
    Command(Vec<OsString>),
}

/// The command line, if it is one command or none; anything else, and every complaint, is for the whole definition.
pub fn read() -> Option<Cli> {
    let One { connection, output, general, repl, exec, verb } = One::try_parse().ok()?;
    let verb = match verb {
        Some(OneVerb::Exec(args)) => Some(Verb::Exec(args)),
        Some(OneVerb::Command(words)) if words.first().is_some_and(|word| OTHERS.iter().any(|other| word == other)) => {
            return None;
        }
        Some(OneVerb::Command(words)) => Some(Verb::Command(words)),
        None => None,
    };
    Some(Cli { connection, output, general, repl, exec, verb })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_other_subcommand_is_known() {
        let mut names: Vec<String> = Cli::command()
            .get_subcommands()
            .map(|verb| verb.get_name().to_owned())
            .filter(|name| name != "exec")
            .collect();
        names.push("help".to_owned());
        assert_eq!(names, OTHERS);
    }
}
