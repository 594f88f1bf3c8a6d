//! What is generated from the command line's own definition: completions and man pages (contract section 14).

mod manual;

use std::fs;
use std::io;
use std::path::Path;

use clap::ValueEnum as _;
use clap_complete::{Generator as _, Shell};
use redis::Cmd;

use super::completions::script;
use crate::cli::{self, GenerateArgs};
use crate::config::Elsewhere;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::net::{Endpoint, Protocol, Session};
use crate::text::describe_io;

/// Writes `completions/` and `man/` below a directory; or, where servers are named, the table of commands.
pub fn run(context: &Context, args: &GenerateArgs) -> Outcome<Exit> {
    if args.table.is_empty() { documents(&args.dir) } else { table(context, &args.dir, &args.table) }
}

fn documents(dir: &Path) -> Outcome<Exit> {
    let completions = dir.join("completions");
    fs::create_dir_all(&completions).map_err(|error| failed(&completions, &error))?;
    for shell in Shell::value_variants() {
        let path = completions.join(shell.file_name("rcli"));
        script(*shell).and_then(|text| fs::write(&path, text)).map_err(|error| failed(&path, &error))?;
    }
    let man = dir.join("man");
    fs::create_dir_all(&man).map_err(|error| failed(&man, &error))?;
    // `rcli help VERB` shows what the verb's own page holds.
    let mut command = cli::definition().disable_help_subcommand(true);
    command.build();
    manual::write(&command, &man).map_err(|error| failed(&man, &error))?;
    Ok(Exit::Done)
}

/// Writes `src/command/table/commands.json` below a directory, from the COMMAND and COMMAND DOCS of running servers.
fn table(context: &Context, dir: &Path, urls: &[String]) -> Outcome<Exit> {
    let mut replies = Vec::new();
    for url in urls {
        let (endpoint, _) = context.elsewhere(&Elsewhere::Url(url.clone()), false, None)?;
        let mut session = Session::open(&Endpoint { protocol: Protocol::Resp3, ..endpoint })?;
        let mut ask = |question: &Cmd| session.ask(question).map_err(|lost| lost.into_failure_at("--table"));
        replies.push((ask(&redis::cmd("COMMAND"))?, ask(redis::cmd("COMMAND").arg("DOCS"))?));
    }
    let path = dir.join("src/command/table/commands.json");
    fs::write(&path, crate::command::table::generate(&replies)).map_err(|error| failed(&path, &error))?;
    Ok(Exit::Done)
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("{}: {}", path.display(), describe_io(error)))
}
