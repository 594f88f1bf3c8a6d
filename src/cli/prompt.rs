//! The subcommands as they are typed at the prompt (contract section 10): which there are, what each takes, in plain
//! words for completion, hints and help, and which options are the session's to say. All of it is clap's definition.

use std::sync::OnceLock;

use clap::{Arg, ArgAction, Command, ValueHint};

use super::definition::definition;
use super::option_set::may_stand_alone;
use super::{Cli, OptionSet, Verb};
use crate::exit::{Failure, Outcome};

/// What the session does not decide for the verbs that are typed in it; all else about a connection it does.
const OWN: [&str; 8] =
    ["db", "resp2", "resp3", "connect_timeout", "read_timeout", "read_only", "read_from_replicas", "all_nodes"];

/// Options that have no meaning at the prompt, and are not offered there.
const NOT_HERE: [&str; 3] = ["profile", "version", "control"];

/// What a subcommand takes.
#[derive(Debug)]
pub struct VerbSyntax {
    pub name: String,
    /// Everything behind its name: `[OPTIONS] [CHANNEL]...`.
    pub usage: String,
    /// Its own options and those on output.
    pub options: Vec<OptionSyntax>,
    /// Its arguments in their order; the last one may stand for any number.
    pub arguments: Vec<ValueSyntax>,
}

/// An option.
#[derive(Debug)]
pub struct OptionSyntax {
    /// `--count`; what has no such name is not offered.
    pub long: String,
    short: Option<char>,
    /// What it does, in a few words.
    pub help: String,
    /// What follows it as a word of its own; none for a flag.
    pub value: Option<ValueSyntax>,
    /// What may follow it behind a `=`.
    pub behind_equals: Option<ValueSyntax>,
}

/// An argument, or the value of an option.
#[derive(Debug)]
pub struct ValueSyntax {
    /// What it is called: `CHANNEL`.
    pub name: String,
    /// All that it can be; empty where that is not told.
    pub words: Vec<String>,
    pub is_file: bool,
    /// Whether it may be several, with commas between them.
    pub is_list: bool,
}

/// Whether a word is the name of a subcommand that can be typed at the prompt; `help` is the prompt's own there.
pub fn is_verb(word: &[u8]) -> bool {
    word == b"exec" || names().any(|name| name.as_bytes() == word)
}

/// The names of the subcommands but `exec`, which alone is the server's EXEC.
pub fn names() -> impl Iterator<Item = &'static str> {
    Verb::others().filter(|name| !matches!(*name, "generate" | "hints"))
}

/// What the subcommand of this name takes.
pub fn syntax(name: &[u8]) -> Option<&'static VerbSyntax> {
    static ALL: OnceLock<Vec<VerbSyntax>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let mut whole = definition();
        whole.build();
        whole.get_subcommands().filter(|verb| is_verb(verb.get_name().as_bytes())).map(VerbSyntax::of).collect()
    });
    all.iter().find(|verb| verb.name.as_bytes() == name)
}

/// The help of a subcommand without what holds for all of them.
pub fn help(name: &str) -> Option<String> {
    let mut whole = definition();
    whole.build();
    let verb = whole.find_subcommand(name)?.clone();
    let own = |arg: Arg| {
        let is_global = arg.is_global_set();
        arg.hide(is_global)
    };
    Some(
        verb.mut_args(own)
            .override_usage(format!("{name} {}", syntax(name.as_bytes())?.usage))
            .render_help()
            .to_string(),
    )
}

/// Refuses options that say where the server is, or who we are there.
pub fn refuse_session_options(cli: &Cli) -> Outcome<()> {
    let options = OptionSet::new();
    let is_session = |name: &&String| {
        let option = options.all().find(|option| option.get_id() == name.as_str());
        let is_connection = option.is_some_and(|option| option.get_help_heading() == Some("Connection"));
        *name == "profile" || is_connection && !OWN.contains(&name.as_str())
    };
    match cli.connection.order.iter().find(is_session) {
        Some(name) => Err(Failure::usage(format!(
            "--{}: the session says which server is meant; connect goes to another one",
            name.replace('_', "-")
        ))),
        None => Ok(()),
    }
}

impl VerbSyntax {
    fn of(verb: &Command) -> Self {
        let usage = verb.clone().render_usage().to_string();
        let name = verb.get_name().to_owned();
        let behind = usage.split_once(&format!(" {name}")).map_or("", |(_, behind)| behind.trim());
        let shown = |arg: &&Arg| !arg.is_hide_set();
        let takes = |arg: &&Arg| {
            let is_local = !arg.is_global_set() || arg.get_help_heading() == Some("Output");
            is_local && !NOT_HERE.contains(&arg.get_id().as_str())
        };
        Self {
            usage: behind.to_owned(),
            options: verb
                .get_arguments()
                .filter(|arg| !arg.is_positional())
                .filter(shown)
                .filter(takes)
                .filter_map(OptionSyntax::of)
                .collect(),
            arguments: verb.get_positionals().filter(shown).map(ValueSyntax::of).collect(),
            name,
        }
    }

    /// The option of this name, long or short.
    pub fn option(&self, word: &str) -> Option<&OptionSyntax> {
        let short = word.strip_prefix('-').and_then(|rest| rest.chars().next()).filter(|_| word.chars().count() == 2);
        self.options.iter().find(|option| option.long == word || short.is_some() && option.short == short)
    }

    /// What stands behind these words, those between the name and the place.
    pub fn expected(&self, words: &[&[u8]]) -> Option<&ValueSyntax> {
        let (arguments, awaited) = self.read(words);
        awaited.or_else(|| self.arguments.get(arguments.len()).or(self.arguments.last()))
    }

    /// The places of the arguments among these words: what is neither an option nor the value of one.
    pub fn arguments_among(&self, words: &[&[u8]]) -> Vec<usize> {
        self.read(words).0
    }

    /// The places of the arguments, and the value that is awaited behind the words.
    fn read(&self, words: &[&[u8]]) -> (Vec<usize>, Option<&ValueSyntax>) {
        let (mut arguments, mut awaited) = (Vec::new(), None);
        for (at, word) in words.iter().enumerate() {
            let word = String::from_utf8_lossy(word);
            match awaited.take() {
                Some(_) => {}
                None if word.starts_with("--") && word.contains('=') => {}
                None if word.starts_with('-') && word.len() > 1 => {
                    awaited = self.option(&word).and_then(|option| option.value.as_ref());
                }
                None => arguments.push(at),
            }
        }
        (arguments, awaited)
    }

    /// Whether a value is awaited behind these words: the last one is an option that takes one.
    pub fn awaits_value(&self, words: &[&[u8]]) -> Option<&ValueSyntax> {
        self.read(words).1
    }
}

impl OptionSyntax {
    fn of(option: &Arg) -> Option<Self> {
        let may_take_value = matches!(option.get_action(), ArgAction::Set | ArgAction::Append);
        let takes_value = may_take_value && !may_stand_alone(option);
        Some(Self {
            long: format!("--{}", option.get_long()?),
            short: option.get_short(),
            help: option.get_help().map(ToString::to_string).unwrap_or_default(),
            value: takes_value.then(|| ValueSyntax::of(option)),
            behind_equals: may_take_value.then(|| ValueSyntax::of(option)),
        })
    }
}

impl ValueSyntax {
    fn of(arg: &Arg) -> Self {
        let name = arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
        let values = arg.get_possible_values();
        Self {
            name: name.to_owned(),
            words: values
                .iter()
                .filter(|value| !value.is_hide_set())
                .map(|value| value.get_name().to_owned())
                .collect(),
            is_file: matches!(arg.get_value_hint(), ValueHint::FilePath | ValueHint::AnyPath),
            is_list: arg.get_value_delimiter() == Some(','),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_subcommand_takes_is_known() {
        for name in names().chain(["exec"]) {
            let takes = |option| syntax(name.as_bytes()).is_some_and(|verb| verb.option(option).is_some());
            assert!(takes("--json") && !takes("--host"), "{name}");
            assert!(help(name).is_some_and(|help| help.contains("Examples:")), "{name}");
        }
        assert!(syntax(b"nosuch").is_none() && !is_verb(b"generate") && !is_verb(b"hints"));
    }

    #[test]
    fn what_stands_at_a_place_is_told_by_the_words_before_it() {
        let at = |name: &str, words: &[&str]| {
            let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            syntax(name.as_bytes()).and_then(|verb| verb.expected(&words)).map(|value| value.name.as_str())
        };
        assert_eq!(at("sub", &[]), Some("CHANNEL"));
        assert_eq!(at("sub", &["a", "--time", "b"]), Some("CHANNEL"));
        assert_eq!(at("sub", &["a", "--count"]), Some("N"));
        assert_eq!(at("sub", &["a", "--count", "3"]), Some("CHANNEL"));
        assert_eq!(at("sub", &["--count=3"]), Some("CHANNEL"));
        assert_eq!(at("pipe", &["-q"]), Some("FILE"));
        assert_eq!(at("profiles", &[]), None);
    }
}
