//! The command line, read from left to right: options, the command or subcommand, and its options. The last word that
//! says something counts, wherever it stands: all global options become one line of words, and clap reads that once.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches as _};

use super::definition::{Globals, definition, options};
use super::verbs::{ExecArgs, ExecOptions, Verb};
use super::{Cli, ConnectionOptions, describe};
use crate::exit::{Exit, Failure, Outcome};

/// The subcommands that are read by the whole definition: all but `exec`, whose options are those before a command.
const OTHERS: [&str; 10] =
    ["pipe", "sub", "psub", "ssub", "monitor", "txn", "profiles", "completions", "generate", "help"];

/// The options that were typed, and what reads them.
pub(super) struct Line {
    definition: Command,
    words: Vec<OsString>,
}

impl Cli {
    /// Reads the command line. Help and the version are written to stdout, and end the run well.
    pub fn read() -> Outcome<Self> {
        let mut words: Vec<OsString> = env::args_os().skip(1).collect();
        let mut cli = read(&words);
        // A host is missing behind it: as the last word it asks for help.
        if cli.is_err()
            && let Some(last) = words.last_mut().filter(|last| *last == "-h")
        {
            *last = "-?".into();
            cli = read(&words);
        }
        cli.map_err(|wrong| wrong.complain(&words))
    }

    /// The same command line with these options before all others.
    pub fn over(self, mut options: Vec<OsString>) -> Outcome<Self> {
        let Line { definition, words } = self.line;
        options.extend(words);
        assemble(definition, options, self.verb).map_err(|wrong| Failure::usage(describe(&wrong.error)))
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
    /// The options before a subcommand are to blame, if they are wrong; else what stands behind it.
    fn blame(self, before: &[OsString], verb: Option<&str>) -> Self {
        match parse(&mut options(), before) {
            Err(error) => error.into(),
            Ok(_) => Self { verb: self.verb.or_else(|| verb.map(str::to_owned)), ..self },
        }
    }

    /// Says what is wrong, or prints what was asked for: the help is that of the whole definition.
    fn complain(self, words: &[OsString]) -> Failure {
        if self.error.use_stderr() {
            let verb = self.verb.filter(|verb| verb != "help").map(|verb| format!("{verb} ")).unwrap_or_default();
            return Failure::usage(format!("{}; see rcli {verb}--help", describe(&self.error)));
        }
        let error = parse(&mut definition(), words).err().unwrap_or(self.error);
        // A reader that went away has seen enough.
        let _ = match error.kind() {
            ErrorKind::DisplayVersion => write!(io::stdout(), "{}", definition().render_version()),
            _ => error.print(),
        };
        Failure::quiet(Exit::Done)
    }
}

fn read(words: &[OsString]) -> Result<Cli, Wrong> {
    let options = options();
    let (before, rest) = split(&options, words);
    let verb = rest.first().and_then(|word| word.to_str()).filter(|word| *word == "exec" || OTHERS.contains(word));
    read_verb(&options, verb, rest)
        .and_then(|(verb, behind)| assemble(options, [before, &behind].concat(), verb))
        .map_err(|wrong| wrong.blame(before, verb))
}

/// The options at the beginning, with their values, and what follows them. `--` ends them, and says nothing more.
fn split<'w>(options: &Command, words: &'w [OsString]) -> (&'w [OsString], &'w [OsString]) {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        match word.as_bytes() {
            b"--" => return (&words[..at], &words[at + 1..]),
            [b'-', _, ..] => at += 1 + usize::from(takes_next(options, word)),
            _ => break,
        }
    }
    words.split_at(at.min(words.len()))
}

/// Whether the value of an option is the next word. What is no option is left to clap.
fn takes_next(options: &Command, word: &OsStr) -> bool {
    let has_value = |arg: &&Arg| {
        let may_do_without = arg.get_num_args().is_some_and(|count| count.min_values() == 0);
        arg.get_action().takes_values() && !may_do_without
    };
    let Some(word) = word.to_str() else { return false };
    if let Some(long) = word.strip_prefix("--") {
        let has_name = |arg: &&Arg| {
            arg.get_long() == Some(long) || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&long))
        };
        return options.get_arguments().find(has_name).is_some_and(|arg| has_value(&arg));
    }
    // Of several letters the first one with a value has all that follows for it.
    let named = |letter: char| options.get_arguments().find(|arg| arg.get_short() == Some(letter)).filter(has_value);
    let letters = &word[1..];
    let found = letters.char_indices().find(|(_, letter)| named(*letter).is_some());
    found.is_some_and(|(at, letter)| at + letter.len_utf8() == letters.len())
}

/// The subcommand, and the global options behind it.
fn read_verb(
    options: &Command,
    name: Option<&str>,
    words: &[OsString],
) -> Result<(Option<Verb>, Vec<OsString>), Wrong> {
    let exec = |command: &[OsString]| {
        (!command.is_empty())
            .then(|| Verb::Exec(ExecArgs { options: ExecOptions::default(), command: command.to_vec() }))
    };
    let Some(name) = name else { return Ok((exec(words), Vec::new())) };
    if name == "exec"
        && let (behind, command @ [_, ..]) = split(options, &words[1..])
    {
        return Ok((exec(command), behind.to_vec()));
    }
    let matches = parse(&mut definition(), words)?;
    Ok((Some(Verb::from_arg_matches(&matches)?), global_options(options, &matches)))
}

/// A command line of these options and this verb.
fn assemble(mut definition: Command, words: Vec<OsString>, mut verb: Option<Verb>) -> Result<Cli, Wrong> {
    let mut matches = parse(&mut definition, &words)?;
    let order = in_order(&matches);
    let Globals { connection, output, general, repl } = Globals::from_arg_matches_mut(&mut matches)?;
    let exec = ExecOptions::from_arg_matches_mut(&mut matches)?;
    match &mut verb {
        Some(Verb::Exec(args)) => args.options = exec,
        _ if exec.is_empty() => {}
        _ => {
            let reason = "-x, -X, -r, -i and --quoted-input go with one command: rcli [OPTIONS] CMD [ARG]...";
            let error = definition.error(ErrorKind::ArgumentConflict, reason);
            return Err(Wrong { error, verb: Some("exec".to_owned()) });
        }
    }
    let connection = ConnectionOptions { order, ..connection };
    Ok(Cli { connection, output, general, repl, verb, line: Line { definition, words } })
}

pub(super) fn parse(command: &mut Command, words: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let words = words.iter().map(OsString::as_os_str);
    command.try_get_matches_from_mut([OsStr::new("rcli")].into_iter().chain(words))
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
fn global_options(options: &Command, matches: &ArgMatches) -> Vec<OsString> {
    let find = |id: &String| options.get_arguments().find(|arg| arg.get_id() == id.as_str());
    let typed = in_order(matches);
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
        let mut names: Vec<String> = definition()
            .get_subcommands()
            .map(|verb| verb.get_name().to_owned())
            .filter(|name| name != "exec")
            .collect();
        names.push("help".to_owned());
        assert_eq!(names, OTHERS);
    }

    #[test]
    fn options_end_at_the_first_word_that_is_none_and_no_value() {
        let options = options();
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
            assert_eq!(split(&options, &words).1.join(OsStr::new(" ")), command, "{line}");
        }
    }
}
