//! The global options as a profile sets them: its keys are their long names, its values become arguments. There is no
//! second list of options, so a new global one is a key as well (contract section 12).

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};

use clap::{Arg, ArgAction, ValueHint};

use super::option_set::{OptionSet, may_stand_alone, word};
use super::{describe, verbs};

/// Keys that say the same of a server in different ways: each with those that it cannot stand beside.
const RIVALS: [(&[&str], &[&str]); 7] = [
    (&["socket"], &["host", "port", "url"]),
    (&["url"], &["host", "port"]),
    (&["sentinel", "master"], &["host", "port", "socket", "url"]),
    (&["pass"], &["pass-file", "password_command", "askpass"]),
    (&["pass-file"], &["password_command", "askpass"]),
    (&["password_command"], &["askpass"]),
    (&["ipv4"], &["ipv6"]),
];

/// Options about the conversation with a server, whichever that is. All others on connecting are about one server.
const ABOUT_ANY_SERVER: [&str; 9] =
    ["connect-timeout", "read-timeout", "wait", "ipv4", "ipv6", "read-only", "resp2", "resp3", "no-auth-warning"];

/// What stands at a key of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `true` or `false`.
    Flag(bool),
    /// A decimal number, as it is written.
    Number(String),
    Text(String),
    List(Vec<String>),
}

/// A key that a profile may have.
pub struct Key<'d> {
    /// The option's long name, or what it is called here where it has none.
    pub name: Cow<'d, str>,
    option: &'d Arg,
}

impl OptionSet {
    fn keys(&self) -> impl Iterator<Item = Key<'_>> {
        self.all().filter_map(Key::of)
    }

    /// The key of this name; a `_` is as good as a `-`.
    pub fn key(&self, name: &str) -> Option<Key<'_>> {
        self.keys().find(|key| is_same(&key.name, name))
    }

    /// The key that a name is most like.
    pub fn nearest_key(&self, name: &str) -> Option<Key<'_>> {
        let plain = |name: &str| name.replace('_', "-");
        let likeness = |key: &Key<'_>| strsim::jaro_winkler(&plain(&key.name), &plain(name));
        self.keys().max_by(|one, other| likeness(one).total_cmp(&likeness(other)))
    }

    /// Whether the options take these values, all of them at once. The error says why not.
    pub fn check(&mut self, words: &[OsString]) -> Result<(), String> {
        self.parse(words).map(drop).map_err(|error| describe(&error))
    }
}

fn is_same(key: &str, name: &str) -> bool {
    let plain = |byte: u8| if byte == b'_' { b'-' } else { byte };
    key.bytes().map(plain).eq(name.bytes().map(plain))
}

impl<'d> Key<'d> {
    /// The key for an option; none if no profile may set it.
    fn of(option: &'d Arg) -> Option<Self> {
        let is_key = option.get_help_heading() != Some(verbs::EXEC_HEADING)
            && !matches!(option.get_action(), ArgAction::Help | ArgAction::Version)
            && option.get_id() != "profile";
        let named = || option.get_long().map_or_else(|| option.get_id().as_str().replace('_', "-").into(), Cow::from);
        is_key.then(|| Self { name: named(), option })
    }

    /// Whether it says which server is meant, or who we are there.
    pub fn is_about_server(&self) -> bool {
        self.option.get_help_heading() == Some("Connection") && !ABOUT_ANY_SERVER.contains(&&*self.name)
    }

    /// Whether it takes the path of a file or directory.
    pub fn is_path(&self) -> bool {
        matches!(self.option.get_value_hint(), ValueHint::FilePath | ValueHint::DirPath)
    }

    /// The option with this value as a word of a command line; none if it is switched off. The error says why it
    /// cannot be set so.
    pub fn word(&self, value: &Value) -> Result<Option<OsString>, String> {
        let (name, option) = (&self.name, self.option);
        let is_flag = matches!(option.get_action(), ArgAction::SetTrue);
        match value {
            Value::Flag(is_on) if is_flag || may_stand_alone(option) => Ok(is_on.then(|| word(option, None))),
            _ if is_flag => Err(format!("'{name}' is true or false")),
            Value::Flag(_) => Err(format!("'{name}' is a string or a number")),
            Value::Text(text) | Value::Number(text) => Ok(Some(word(option, Some(OsStr::new(text))))),
            Value::List(items) if option.get_value_delimiter().is_some() => {
                Ok(Some(word(option, Some(OsStr::new(&items.join(","))))))
            }
            Value::List(_) => Err(format!("'{name}' is one value, not a list")),
        }
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
