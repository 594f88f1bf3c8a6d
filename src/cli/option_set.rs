//! The options that stand before a command, the global ones and those of `exec`: where they end in a line of words, what
//! they say, and how they are written. clap's definition of them is built once for every reading.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::definition::options;
use super::verbs::EXEC_HEADING;

/// The option whose value may be the next word, if that is one of a few.
pub(super) const PUSHES: &str = "--show-pushes";

pub(super) fn is_yes_or_no(word: &OsStr) -> bool {
    ["yes", "no", "y", "n"].iter().any(|value| word.eq_ignore_ascii_case(value))
}

/// clap's definition of the options.
pub struct OptionSet(Command);

impl OptionSet {
    /// The options, without the subcommands: to build those takes longer than all else until a command is sent.
    ///
    /// A flag that is not typed stays as it is: clap would read a `false` for each of them, half of what it takes to read
    /// a line.
    pub fn new() -> Self {
        let mut definition = options();
        definition.build();
        Self(definition.mut_args(|arg| arg.default_value(None)))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arg> {
        self.0.get_arguments()
    }

    /// Reads words that are options and their values.
    pub(super) fn parse(&mut self, words: &[OsString]) -> Result<ArgMatches, clap::Error> {
        parse(&mut self.0, words)
    }

    /// The options at the beginning, with their values, and what follows them. `--` ends them, and says nothing more.
    pub(super) fn split<'w>(&self, words: &'w [OsString]) -> (&'w [OsString], &'w [OsString]) {
        let mut at = 0;
        while let Some(word) = words.get(at) {
            match word.as_bytes() {
                b"--" => return (&words[..at], &words[at + 1..]),
                [b'-', _, ..] => {
                    let is_pushes = word == PUSHES && words.get(at + 1).is_some_and(|next| is_yes_or_no(next));
                    at += 1 + usize::from(is_pushes || self.takes_next(word));
                }
                _ => break,
            }
        }
        words.split_at(at.min(words.len()))
    }

    /// The option of this name, `-x` or `--name`.
    pub(super) fn find(&self, name: &str) -> Option<&Arg> {
        self.all().find(|arg| match (name.strip_prefix("--"), name.strip_prefix('-')) {
            (Some(long), _) => {
                arg.get_long() == Some(long) || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&long))
            }
            (None, Some(letter)) => arg.get_short().is_some_and(|short| letter.chars().eq([short])),
            (None, None) => false,
        })
    }

    /// Whether the value of an option is the next word. What is no option is left to clap.
    pub(super) fn takes_next(&self, word: &OsStr) -> bool {
        let has_value = |arg: &Arg| arg.get_action().takes_values() && !may_stand_alone(arg);
        let Some(word) = word.to_str() else { return false };
        if word.starts_with("--") {
            return self.find(word).is_some_and(has_value);
        }
        // Of several letters the first one with a value has all that follows for it.
        let letters = &word[1..];
        let is_it = |letter: char| self.all().any(|arg| arg.get_short() == Some(letter) && has_value(arg));
        let found = letters.char_indices().find(|(_, letter)| is_it(*letter));
        found.is_some_and(|(at, letter)| at + letter.len_utf8() == letters.len())
    }

    /// The global options that were typed, as words, in their order.
    pub(super) fn words_of(&self, matches: &ArgMatches) -> Vec<OsString> {
        let is_global = |arg: &&Arg| arg.get_help_heading() != Some(EXEC_HEADING);
        let find = |id: &String| self.all().filter(is_global).find(|arg| arg.get_id() == id.as_str());
        let typed = in_order(matches);
        typed.iter().filter_map(find).map(|arg| word_of(arg, matches.get_raw(arg.get_id().as_str()))).collect()
    }
}

/// Whether an option needs no value: one that it has stands behind a `=`.
pub(super) fn may_stand_alone(option: &Arg) -> bool {
    option.get_num_args().is_some_and(|count| count.min_values() == 0)
}

/// Reads words by a definition.
pub(super) fn parse(definition: &mut Command, words: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let words = words.iter().map(OsString::as_os_str);
    definition.try_get_matches_from_mut([OsStr::new("rcli")].into_iter().chain(words))
}

/// The names of the options that were typed, in the order of their last words.
pub(super) fn in_order(matches: &ArgMatches) -> Vec<String> {
    let is_typed = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let ids = matches.ids().map(clap::Id::as_str).filter(|id| is_typed(id));
    let mut placed: Vec<(usize, String)> = ids.filter_map(|id| Some((matches.index_of(id)?, id.to_owned()))).collect();
    placed.sort();
    placed.into_iter().map(|(_, id)| id).collect()
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
    fn options_end_at_the_first_word_that_is_none_and_no_value() {
        let options = OptionSet::new();
        for (line, command) in [
            ("PING", "PING"),
            ("-p 1 PING", "PING"),
            ("-p1 PING", "PING"),
            ("-p=1 --port 2 --port=3 PING -p", "PING -p"),
            ("-p exec PING", "PING"),
            ("-xr 3 PING", "PING"),
            ("-xr3 PING", "PING"),
            ("-2ca -3 GET k", "GET k"),
            ("--json --no-raw --sandbox cluster", "cluster"),
            ("--sandbox=cluster -- -p", "-p"),
            ("-", "-"),
            ("--nosuch -Z PING", "PING"),
            ("-r -1 PING", "PING"),
            ("-p", ""),
            ("--", ""),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(options.split(&words).1.join(OsStr::new(" ")), command, "{line}");
        }
    }
}
