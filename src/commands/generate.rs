//! What is generated from the command line's own definition: completions and man pages (contract section 14).

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use clap::builder::PossibleValuesParser;
use clap::{Arg, Command, ValueEnum as _};
use clap_complete::Shell;
use redis::Cmd;

use crate::cli::{self, CompletionsArgs, GenerateArgs};
use crate::command::table::Table;
use crate::config::Elsewhere;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::net::{Endpoint, Protocol, Session};
use crate::text::describe_io;

/// Writes the completions of one shell to stdout.
pub fn completions(args: &CompletionsArgs) -> Outcome<Exit> {
    let shell = args.shell;
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut definition(shell), "rcli", &mut text);
    io::stdout().write_all(&text).map_err(Failure::output)?;
    Ok(Exit::Done)
}

/// Writes `completions/` and `man/` below a directory; or, where servers are named, the table of commands.
pub fn run(context: &Context, args: &GenerateArgs) -> Outcome<Exit> {
    if args.table.is_empty() { documents(&args.dir) } else { table(context, &args.dir, &args.table) }
}

fn documents(dir: &Path) -> Outcome<Exit> {
    let failed =
        |path: &Path, error: &io::Error| Failure::failed(format!("{}: {}", path.display(), describe_io(error)));
    let completions = dir.join("completions");
    fs::create_dir_all(&completions).map_err(|error| failed(&completions, &error))?;
    for shell in Shell::value_variants() {
        clap_complete::generate_to(*shell, &mut definition(*shell), "rcli", &completions)
            .map_err(|error| failed(&completions, &error))?;
    }
    let man = dir.join("man");
    fs::create_dir_all(&man).map_err(|error| failed(&man, &error))?;
    // `rcli help VERB` shows what the verb's own page holds.
    let mut command = cli::definition().disable_help_subcommand(true);
    command.build();
    clap_mangen::generate_to(command, &man).map_err(|error| failed(&man, &error))?;
    Ok(Exit::Done)
}

/// Writes `src/command/table/commands.json` below a directory, from the COMMAND and COMMAND DOCS of running servers.
fn table(context: &Context, dir: &Path, urls: &[String]) -> Outcome<Exit> {
    let mut replies = Vec::new();
    for url in urls {
        let endpoint = context.elsewhere(&Elsewhere::Url(url.clone()), false, None)?;
        let mut session = Session::open(&Endpoint { protocol: Protocol::Resp3, ..endpoint })?;
        let mut ask = |question: &Cmd| session.ask(question).map_err(|lost| lost.into_failure_at("--table"));
        replies.push((ask(&redis::cmd("COMMAND"))?, ask(redis::cmd("COMMAND").arg("DOCS"))?));
    }
    let path = dir.join("src/command/table/commands.json");
    fs::write(&path, crate::command::table::generate(&replies))
        .map_err(|error| Failure::failed(format!("{}: {}", path.display(), describe_io(&error))))?;
    Ok(Exit::Done)
}

/// The command line as a shell is to complete it: with the names of Redis commands after `exec`, which completions
/// know and which are not demanded of a user.
fn definition(shell: Shell) -> Command {
    let names: Vec<&'static str> = Table::builtin().names().filter(|name| !name.contains(' ')).collect();
    let command = cli::definition();
    match shell {
        // Their generators complete subcommands, but no values: there the names are subcommands of `exec`.
        Shell::Elvish | Shell::Fish | Shell::PowerShell => {
            let globals: Vec<Arg> = command
                .get_arguments()
                .filter(|arg| arg.is_global_set())
                .map(|arg| arg.clone().global(false))
                .collect();
            command
                .mut_args(|arg| arg.global(false))
                .mut_subcommands(|verb| verb.args(globals.clone()))
                .mut_subcommand("exec", |exec| exec.subcommands(names.into_iter().map(bare)))
        }
        _ => command.mut_subcommand("exec", |exec| {
            exec.mut_arg("command", |command| command.value_parser(PossibleValuesParser::new(names)))
        }),
    }
}

/// A subcommand of which only the name is known.
fn bare(name: &'static str) -> Command {
    Command::new(name).disable_help_flag(true).disable_version_flag(true).disable_help_subcommand(true)
}
