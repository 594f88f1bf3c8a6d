//! The global options as a profile sets them: its keys are their long names, its values become arguments. There is no
//! second list of options, so a new global one is a key as well (contract section 12).

use std::ffi::{OsStr, OsString};

use clap::{Arg, ArgAction, Command, ValueHint};

use super::definition::options;
use super::describe;
use super::line::{parse, word};
use super::verbs;

/// Keys that say the same of a server in different ways: each with those that it cannot stand beside.
const RIVALS: [(&[&str], &[&str]); 6] = [
    (&["socket"], &["host", "port", "url"]),
    (&["url"], &["host", "port"]),
    (&["sentinel", "master"], &["host", "port", "socket", "url"]),
    (&["pass"], &["pass-file", "password_command", "askpass"]),
    (&["pass-file"], &["password_command", "askpass"]),
    (&["password_command"], &["askpass"]),
];

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
    options().get_arguments().filter_map(key).collect()
}

/// Whether an option says which server is meant, or who we are there.
pub fn is_about_server(name: &str) -> bool {
    !ABOUT_ANY_SERVER.contains(&name)
        && find(&options(), name).is_some_and(|arg| arg.get_help_heading() == Some("Connection"))
}

/// Whether an option takes the path of a file or directory.
pub fn is_path(name: &str) -> bool {
    find(&options(), name).is_some_and(|arg| matches!(arg.get_value_hint(), ValueHint::FilePath | ValueHint::DirPath))
}

/// An option set by a profile, as arguments. The error says why it cannot be set so.
pub fn arguments(name: &str, value: &Value) -> Result<Vec<OsString>, String> {
    let mut command = options();
    let arg = find(&command, name).ok_or("unknown key")?;
    let arguments = match (value, arg.get_action()) {
        (Value::Flag(true), ArgAction::SetTrue) => vec![word(arg, None)],
        (Value::Flag(false), ArgAction::SetTrue) => Vec::new(),
        // An option that may do without its value.
        (Value::Flag(is_on), _) if arg.get_num_args().is_some_and(|count| count.min_values() == 0) => {
            if *is_on {
                vec![word(arg, None)]
            } else {
                Vec::new()
            }
        }
        (_, ArgAction::SetTrue) => return Err(format!("'{name}' is true or false")),
        (Value::Flag(_), _) => return Err(format!("'{name}' is a string or a number")),
        (Value::Text(text) | Value::Number(text), _) => vec![word(arg, Some(OsStr::new(text)))],
        (Value::List(items), _) if arg.get_value_delimiter().is_some() => {
            vec![word(arg, Some(OsStr::new(&items.join(","))))]
        }
        (Value::List(_), _) => return Err(format!("'{name}' is one value, not a list")),
    };
    match parse(&mut command, &arguments) {
        Ok(_) => Ok(arguments),
        Err(error) => Err(describe(&error)),
    }
}

/// Says why these keys cannot stand in one profile: there no word is later than another.
pub fn refuse_together(keys: &[&str]) -> Result<(), String> {
    for (rivals, others) in RIVALS {
        let found = |names: &[&str]| keys.iter().find(|key| names.contains(key)).map(|key| (*key).to_owned());
        if let (Some(one), Some(other)) = (found(rivals), found(others)) {
            return Err(format!("--{one} and --{other} cannot stand together"));
        }
    }
    Ok(())
}

/// The key for an option: its long name, or what it is called here where it has none.
fn key(arg: &Arg) -> Option<String> {
    let is_setting = arg.get_help_heading() != Some(verbs::EXEC_HEADING)
        && !matches!(arg.get_action(), ArgAction::Help | ArgAction::Version)
        && arg.get_id() != "profile";
    is_setting.then(|| arg.get_long().map_or_else(|| arg.get_id().as_str().replace('_', "-"), str::to_owned))
}

fn find<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| key(arg).as_deref() == Some(name))
}
