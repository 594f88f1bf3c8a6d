//! The global options as a profile sets them: its keys are their long names, its values become arguments. There is no
//! second list of options, so a new global one is a key as well (contract section 12).

use std::env;
use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory as _, FromArgMatches as _, ValueHint};

use super::{Cli, describe};
use crate::exit::{Failure, Outcome};

/// Only one of each of these can hold: the last one typed. clap does not tell which options override each other.
const RIVALS: [&[&str]; 3] = [&["json", "raw", "human"], &["resp2", "resp3"], &["verify", "insecure"]];

/// Options about the conversation with a server, whichever that is. All others on connecting are about one server.
const ABOUT_ANY_SERVER: [&str; 5] = ["connect-timeout", "read-timeout", "resp2", "resp3", "no-auth-warning"];

/// What stands at a key of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `true` or `false`.
    Flag(bool),
    /// A decimal number, as it is written.
    Number(String),
    /// A string.
    Text(String),
    /// A list of them.
    List(Vec<String>),
}

/// The keys that a profile may have.
pub fn keys() -> Vec<String> {
    Cli::command().get_arguments().filter_map(key).collect()
}

/// Whether an option says which server is meant, or who we are there.
pub fn is_about_server(name: &str) -> bool {
    !ABOUT_ANY_SERVER.contains(&name)
        && find(&Cli::command(), name).is_some_and(|arg| arg.get_help_heading() == Some("Connection"))
}

/// Whether an option takes the path of a file or directory.
pub fn is_path(name: &str) -> bool {
    find(&Cli::command(), name)
        .is_some_and(|arg| matches!(arg.get_value_hint(), ValueHint::FilePath | ValueHint::DirPath))
}

/// An option set by a profile, as arguments. The error says why it cannot be set so.
pub fn arguments(name: &str, value: &Value) -> Result<Vec<OsString>, String> {
    let command = Cli::command();
    let arg = find(&command, name).ok_or("unknown key")?;
    let option = match (arg.get_long(), arg.get_short()) {
        (Some(long), _) => format!("--{long}"),
        (None, Some(short)) => format!("-{short}"),
        (None, None) => return Err("unknown key".to_owned()),
    };
    let arguments = match (value, arg.get_action()) {
        (Value::Flag(true), ArgAction::SetTrue) => vec![option.into()],
        (Value::Flag(false), ArgAction::SetTrue) => Vec::new(),
        // An option that may do without its value.
        (Value::Flag(is_on), _) if arg.get_num_args().is_some_and(|count| count.min_values() == 0) => {
            if *is_on {
                vec![option.into()]
            } else {
                Vec::new()
            }
        }
        (_, ArgAction::SetTrue) => return Err(format!("'{name}' is true or false")),
        (Value::Flag(_), _) => return Err(format!("'{name}' is a string or a number")),
        (Value::Text(text) | Value::Number(text), _) => vec![format!("{option}={text}").into()],
        (Value::List(items), ArgAction::Append) => items.iter().map(|item| format!("{option}={item}").into()).collect(),
        (Value::List(_), _) => return Err(format!("'{name}' is one value, not a list")),
    };
    refuse_together(&arguments)?;
    Ok(arguments)
}

/// Says why these arguments cannot stand together.
pub fn refuse_together(arguments: &[OsString]) -> Result<(), String> {
    let program = OsString::from("rcli");
    match Cli::command().try_get_matches_from([&program].into_iter().chain(arguments)) {
        Ok(_) => Ok(()),
        Err(error) => Err(describe(&error)),
    }
}

/// What was typed, to be laid over a profile.
pub struct Typed {
    command: Command,
    names: Vec<String>,
}

impl Typed {
    /// Reads the command line again; it has been found good.
    pub fn read() -> Outcome<Self> {
        let command = Cli::command();
        let matches = command.clone().try_get_matches_from(env::args_os()).map_err(|error| refused(&error))?;
        let names = command.get_arguments().filter(|arg| is_typed(&matches, arg)).filter_map(key).collect();
        Ok(Self { command, names })
    }

    /// Whether this option was typed.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|typed| typed == name)
    }

    /// Whether something was typed that this option cannot stand beside, the same option included.
    pub fn overrides(&self, name: &str) -> bool {
        let is_rival = |typed: &str| RIVALS.iter().any(|rivals| rivals.contains(&name) && rivals.contains(&typed));
        self.names.iter().any(|typed| typed == name || is_rival(typed) || self.is_conflict(typed, name))
    }

    fn is_conflict(&self, one: &str, other: &str) -> bool {
        let (Some(one), Some(other)) = (find(&self.command, one), find(&self.command, other)) else { return false };
        let names = |from: &Arg, to: &Arg| {
            self.command.get_arg_conflicts_with(from).iter().any(|arg| arg.get_id() == to.get_id())
        };
        names(one, other) || names(other, one)
    }

    /// The command line with these arguments before what was typed.
    pub fn over(self, arguments: Vec<OsString>) -> Outcome<Cli> {
        let mut typed = env::args_os();
        let line: Vec<OsString> = typed.next().into_iter().chain(arguments).chain(typed).collect();
        let matches = self.command.try_get_matches_from(line).map_err(|error| refused(&error))?;
        Cli::from_arg_matches(&matches).map_err(|error| refused(&error))
    }
}

fn refused(error: &clap::Error) -> Failure {
    Failure::usage(describe(error))
}

fn is_typed(matches: &ArgMatches, arg: &Arg) -> bool {
    matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
}

/// The key for an option: its long name, or what it is called here where it has none.
fn key(arg: &Arg) -> Option<String> {
    let is_setting = arg.is_global_set()
        && !matches!(arg.get_action(), ArgAction::Help | ArgAction::Version)
        && arg.get_id() != "profile";
    is_setting.then(|| arg.get_long().map_or_else(|| arg.get_id().as_str().replace('_', "-"), str::to_owned))
}

fn find<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| key(arg).as_deref() == Some(name))
}
