//! The command line, read from left to right: options, the command or subcommand, and its options. The last word that
//! says something counts, wherever it stands: all global options become one line of words, and clap reads that.
//!
//! The front is read without the options of the subcommands: building those would take longer than all else until a
//! command is sent.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use super::{
    Cli, ConnectionOptions, ExecArgs, ExecOptions, GeneralOptions, OutputOptions, ReplOptions, Verb, describe,
};
use crate::exit::{Exit, Failure, Outcome};

/// The subcommands that are read by the whole definition.
const OTHERS: [&str; 10] =
    ["pipe", "sub", "psub", "ssub", "monitor", "txn", "profiles", "completions", "generate", "help"];

/// The options that are accepted before and behind a command.
#[derive(Args)]
struct Globals {
    #[command(flatten)]
    connection: ConnectionOptions,
    #[command(flatten)]
    output: OutputOptions,
    #[command(flatten)]
    general: GeneralOptions,
    #[command(flatten)]
    repl: ReplOptions,
}

/// The options before a command, and the command unread.
#[derive(Parser)]
#[command(
    name = "rcli",
    version,
    disable_help_flag = true,
    disable_version_flag = true,
    disable_help_subcommand = true,
    args_override_self = true
)]
struct Front {
    #[command(flatten)]
    globals: Globals,
    #[command(flatten)]
    exec: ExecOptions,
    #[command(subcommand)]
    rest: Option<Rest>,
}

#[derive(Subcommand)]
enum Rest {
    #[command(external_subcommand)]
    Words(Vec<OsString>),
}

/// `exec` and what stands behind it.
#[derive(Parser)]
#[command(version, disable_help_flag = true, disable_version_flag = true, args_override_self = true)]
struct Exec {
    #[command(flatten)]
    globals: Globals,
    #[command(flatten)]
    args: ExecArgs,
}

/// The definition of the global options.
pub(super) fn definition() -> Command {
    Front::command()
}

impl Cli {
    /// Reads the command line. Help and the version are written to stdout, and end the run well.
    pub fn read() -> Outcome<Self> {
        let mut words: Vec<OsString> = env::args_os().skip(1).collect();
        let mut line = read(&words);
        // A host is missing behind it: as the last word it asks for help.
        if line.is_err()
            && let Some(last) = words.last_mut().filter(|last| *last == "-h")
        {
            *last = "-?".into();
            line = read(&words);
        }
        line.map_err(|wrong| wrong.complain(&words))
    }

    /// The same command line with these options before all others.
    pub fn over(self, mut options: Vec<OsString>) -> Outcome<Self> {
        options.extend(self.options);
        assemble(options, self.verb).map_err(|error| Failure::usage(describe(&error)))
    }

    /// The names of the global options that were typed.
    pub fn typed(&self) -> Outcome<Vec<String>> {
        let matches = parse(definition(), &self.options).map_err(|error| Failure::usage(describe(&error)))?;
        Ok(in_order(&matches))
    }
}

/// A command line that cannot be read.
struct Wrong {
    error: clap::Error,
    /// The subcommand whose options are to blame.
    verb: Option<String>,
}

impl From<clap::Error> for Wrong {
    fn from(error: clap::Error) -> Self {
        Self { error, verb: None }
    }
}

impl Wrong {
    /// Says what is wrong, or prints what was asked for: the help is that of the whole definition.
    fn complain(self, words: &[OsString]) -> Failure {
        if self.error.use_stderr() {
            let verb = self.verb.filter(|verb| verb != "help").map(|verb| format!("{verb} ")).unwrap_or_default();
            return Failure::usage(format!("{}; see rcli {verb}--help", describe(&self.error)));
        }
        let error = parse(Cli::command(), words).err().unwrap_or(self.error);
        // A reader that went away has seen enough.
        let _ = match error.kind() {
            ErrorKind::DisplayVersion => write!(io::stdout(), "{}", Cli::command().render_version()),
            _ => error.print(),
        };
        Failure::quiet(Exit::Done)
    }
}

fn read(words: &[OsString]) -> Result<Cli, Wrong> {
    let matches = parse(Front::command(), words)?;
    let Front { globals: Globals { connection, output, general, repl }, exec, rest } =
        Front::from_arg_matches(&matches)?;
    let rest = rest.map_or_else(Vec::new, |Rest::Words(rest)| rest);
    let mut options = words[..words.len() - rest.len()].to_vec();
    options.pop_if(|last| *last == "--");
    let (verb, later) = read_verb(rest)?;
    if !later.is_empty() {
        options.extend(later);
        return Ok(assemble(options, verb)?);
    }
    let connection = ConnectionOptions { order: in_order(&matches), ..connection };
    Ok(Cli { connection, output, general, repl, exec, verb, options })
}

/// The command or subcommand, and the global options behind it.
fn read_verb(words: Vec<OsString>) -> Result<(Option<Verb>, Vec<OsString>), Wrong> {
    let Some(name) = words.first().and_then(|word| word.to_str()).map(str::to_owned) else {
        return Ok(((!words.is_empty()).then_some(Verb::Command(words)), Vec::new()));
    };
    let blame = |error| Wrong { error, verb: Some(name.clone()) };
    if name == "exec" {
        let matches = parse(Exec::command(), &words[1..]).map_err(blame)?;
        let Exec { args, .. } = Exec::from_arg_matches(&matches).map_err(blame)?;
        return Ok((Some(Verb::Exec(args)), global_options(&matches)));
    }
    if OTHERS.contains(&name.as_str()) {
        let matches = parse(Cli::command(), &words).map_err(blame)?;
        let verb = Cli::from_arg_matches(&matches).map_err(blame)?.verb;
        return Ok((verb, global_options(&matches)));
    }
    Ok((Some(Verb::Command(words)), Vec::new()))
}

/// A command line of these global options and this verb.
fn assemble(options: Vec<OsString>, verb: Option<Verb>) -> Result<Cli, clap::Error> {
    let matches = parse(Front::command(), &options)?;
    let Front { globals: Globals { connection, output, general, repl }, exec, .. } = Front::from_arg_matches(&matches)?;
    let connection = ConnectionOptions { order: in_order(&matches), ..connection };
    Ok(Cli { connection, output, general, repl, exec, verb, options })
}

pub(super) fn parse(command: Command, words: &[OsString]) -> Result<ArgMatches, clap::Error> {
    command.try_get_matches_from([OsStr::new("rcli")].into_iter().chain(words.iter().map(OsString::as_os_str)))
}

/// The names of the options that were typed, in the order of their last words.
fn in_order(matches: &ArgMatches) -> Vec<String> {
    let is_typed = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let ids = matches.ids().map(clap::Id::as_str).filter(|id| is_typed(id));
    let mut placed: Vec<(usize, String)> = ids.filter_map(|id| Some((matches.index_of(id)?, id.to_owned()))).collect();
    placed.sort();
    placed.into_iter().map(|(_, id)| id).collect()
}

/// The global options that were typed, as words, in their order.
fn global_options(matches: &ArgMatches) -> Vec<OsString> {
    let typed = in_order(matches);
    if typed.is_empty() {
        return Vec::new();
    }
    let definition = definition();
    let find = |id: &String| definition.get_arguments().find(|arg| arg.is_global_set() && arg.get_id() == id.as_str());
    typed.iter().filter_map(find).map(|arg| word_of(arg, matches.get_raw(arg.get_id().as_str()))).collect()
}

/// An option with its values as one word.
fn word_of<'v>(arg: &Arg, values: Option<impl Iterator<Item = &'v OsStr>>) -> OsString {
    let values = values.filter(|_| !matches!(arg.get_action(), ArgAction::SetTrue));
    let values: Option<Vec<&OsStr>> = values.map(Iterator::collect);
    word(arg, values.map(|values| values.join(OsStr::new(","))).as_deref())
}

/// An option as it is typed: with its value, or alone.
pub(super) fn word(arg: &Arg, value: Option<&OsStr>) -> OsString {
    let mut word: OsString = match (arg.get_long(), arg.get_short()) {
        (Some(long), _) => format!("--{long}"),
        (None, short) => short.map(|short| format!("-{short}")).unwrap_or_default(),
    }
    .into();
    if let Some(value) = value {
        word.push("=");
        word.push(value);
    }
    word
}

#[cfg(test)]
mod tests {
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
