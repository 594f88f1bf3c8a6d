//! Completion in shells (contract section 14): the scripts that `rcli completions` prints, and what a shell that has
//! one asks of rcli while somebody types. The words come from the command line's own definition.

use std::env;
use std::ffi::OsStr;
use std::io::{self, Write as _};

use clap::{Arg, ArgAction, Command};
use clap_complete::engine::ValueCompleter;
use clap_complete::env::{CompleteEnv, EnvCompleter, Shells};
use clap_complete::{ArgValueCompleter, CompletionCandidate, Shell};

use crate::cli::{self, CompletionsArgs};
use crate::command::table::Table;
use crate::config::profile::Profiles;
use crate::exit::{Exit, Failure, Outcome};
use crate::stdio;
use crate::text::describe_io;

/// Names the shell, where a shell asks what may come next.
const VARIABLE: &str = "RCLI_COMPLETE";

/// Answers a shell, where one asks; whether one did.
pub fn answer() -> Outcome<bool> {
    let asked = CompleteEnv::with_factory(completable).var(VARIABLE).bin("rcli").completer("rcli");
    let directory = env::current_dir().ok();
    asked.try_complete(env::args_os(), directory.as_deref()).map_err(|error| Failure::usage(cli::describe(&error)))
}

/// Writes the script of one shell to stdout.
pub fn run(args: &CompletionsArgs) -> Outcome<Exit> {
    let text = script(args.shell).map_err(|error| Failure::failed(describe_io(&error)))?;
    stdio::stdout().and_then(|mut stdout| stdout.write_all(&text)).map_err(Failure::output)?;
    Ok(Exit::Done)
}

/// The script that makes a shell ask rcli.
pub fn script(shell: Shell) -> io::Result<Vec<u8>> {
    let shells = Shells::builtins();
    let name = shell.to_string();
    let completer: &dyn EnvCompleter =
        shells.completer(&name).ok_or_else(|| io::Error::other(format!("no completion for {name}")))?;
    let mut text = Vec::new();
    completer.write_registration(VARIABLE, "rcli", "rcli", "rcli", &mut text)?;
    if shell == Shell::Zsh {
        // As a file of fpath it is run at the first Tab, which is to be answered too.
        text.extend_from_slice(b"if [ \"$funcstack[1]\" = _rcli ]; then _clap_dynamic_completer_rcli \"$@\"; fi\n");
    }
    Ok(text)
}

/// The command line as it is completed: with the names of Redis commands and profiles, so that nothing hidden is offered.
fn completable() -> Command {
    let named = |command: Arg| {
        command.action(ArgAction::Set).num_args(1).trailing_var_arg(false).add(ArgValueCompleter::new(CommandNames))
    };
    // The words behind the name are the server's.
    let rest = || Arg::new("rest").num_args(0..).trailing_var_arg(true).allow_hyphen_values(true);
    cli::definition()
        .arg(named(Arg::new("name")))
        .arg(rest())
        .mut_arg("profile", |profile| profile.add(ArgValueCompleter::new(profiles)))
        .mut_subcommand("exec", |exec| exec.mut_arg("command", named).arg(rest()))
        .mut_args(conceal)
        .mut_subcommands(|verb| {
            let verb = verb.mut_args(conceal);
            let untyped = verb.is_hide_set().then(|| untyped(verb.get_name()));
            if let Some(name) = untyped { verb.name(name) } else { verb }
        })
}

/// What no name begins with: what is hidden is offered where nothing else fits, so its name is put behind this.
const UNTYPED: &str = " ";

fn conceal(arg: Arg) -> Arg {
    if !arg.is_hide_set() || arg.is_positional() {
        return arg;
    }
    let name = untyped(arg.get_id().as_str());
    arg.long(name).short(None)
}

/// A name of its own that nobody types. clap wants names that stay; this process ends with its answer.
fn untyped(name: &str) -> &'static str {
    format!("{UNTYPED}{name}").leak()
}

/// Offers the names of Redis commands.
struct CommandNames;

impl ValueCompleter for CommandNames {
    fn complete(&self, typed: &OsStr) -> Vec<CompletionCandidate> {
        let typed = typed.to_str().unwrap_or("\u{fffd}");
        let is_small = typed.chars().any(|letter| letter.is_ascii_lowercase());
        let names = Table::builtin().names().filter(|name| !name.contains(' '));
        let fits = |name: &&str| name.get(..typed.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(typed));
        let cased = |name: &str| if is_small { name.to_ascii_lowercase() } else { name.to_owned() };
        names.filter(fits).map(|name| CompletionCandidate::new(cased(name))).collect()
    }
}

/// Offers the names of the profiles.
fn profiles(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Ok(file) = Profiles::load() else { return Vec::new() };
    let begins = |name: &&str| typed.to_str().is_some_and(|typed| name.starts_with(typed));
    file.names().filter(begins).map(CompletionCandidate::new).collect()
}
