//! The command line, read from left to right: options, the command or subcommand, and its options. The last word that
//! says something counts, wherever it stands: all global options become one line of words, and clap reads that once.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write as _};

use clap::FromArgMatches as _;
use clap::error::ErrorKind;

use super::compat::translate;
use super::definition::{Globals, definition, definition_of};
use super::option_set::{OptionSet, PUSHES, in_order, is_yes_or_no, parse};
use super::verbs::{ExecArgs, ExecOptions, Verb};
use super::{Cli, ConnectionOptions, describe, prompt};
use crate::exit::{Exit, Failure, Outcome};
use crate::stdio;

/// The options that were typed, and what reads them.
pub(super) struct Line {
    options: OptionSet,
    words: Vec<OsString>,
}

impl Cli {
    /// Reads the command line. Help and the version are written to stdout, and end the run well.
    pub fn read() -> Outcome<Self> {
        let options = OptionSet::new();
        let mut words = translate(&options, env::args_os().skip(1).collect())?;
        spell_help(&options, &mut words);
        let mut cli = read(options, &words);
        // A host is missing behind it: as the last word it asks for help.
        if cli.is_err()
            && let Some(last) = words.last_mut().filter(|last| *last == "-h")
        {
            *last = "-?".into();
            cli = read(OptionSet::new(), &words);
        }
        cli.map_err(|wrong| wrong.complain(&words, "rcli "))
    }

    /// Reads a subcommand that is typed at the prompt, with its options and their values.
    pub fn read_at_prompt(words: &[OsString]) -> Outcome<Self> {
        read(OptionSet::new(), words).map_err(|wrong| {
            match (wrong.error.kind(), words.first().and_then(|word| word.to_str())) {
                // What holds for every subcommand is the session's here.
                (ErrorKind::DisplayHelp, Some(verb)) => {
                    let _ = io::stdout().write_all(prompt::help(verb).unwrap_or_default().as_bytes());
                    Failure::quiet(Exit::Done)
                }
                _ => wrong.complain(words, ""),
            }
        })
    }

    /// One of which nothing was typed.
    pub fn empty() -> Outcome<Self> {
        Self::read_at_prompt(&[])
    }

    /// What reads the options.
    pub fn options(&self) -> &OptionSet {
        &self.line.options
    }

    /// The same, to read with.
    pub fn options_mut(&mut self) -> &mut OptionSet {
        &mut self.line.options
    }

    /// The same command line with these words before all others.
    pub fn over(self, mut words: Vec<OsString>) -> Outcome<Self> {
        words.extend(self.line.words);
        assemble(self.line.options, words, self.verb).map_err(|wrong| Failure::usage(describe(&wrong.error)))
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
        match OptionSet::new().parse(before) {
            Err(error) => error.into(),
            Ok(_) => Self { verb: self.verb.or_else(|| verb.map(str::to_owned)), ..self },
        }
    }

    /// Says what is wrong, or prints what was asked for: the help is that of the whole definition. `program` is typed
    /// before a subcommand.
    fn complain(self, words: &[OsString], program: &str) -> Failure {
        if self.error.use_stderr() {
            let verb = self.verb.filter(|verb| verb != "help").map(|verb| format!("{verb} ")).unwrap_or_default();
            return Failure::usage(format!("{}; see {program}{verb}--help", describe(&self.error)));
        }
        let error = parse(&mut definition(), words).err().unwrap_or(self.error);
        let printed = match error.kind() {
            _ if stdio::is_stdout_closed() => Err(stdio::closed()),
            ErrorKind::DisplayVersion => write!(io::stdout(), "{}", definition().render_version()),
            _ => error.print(),
        };
        // A reader that went away has seen enough.
        let printed = printed.and_then(|()| io::stdout().flush());
        printed.err().map_or_else(|| Failure::quiet(Exit::Done), Failure::output)
    }
}

fn read(options: OptionSet, words: &[OsString]) -> Result<Cli, Wrong> {
    let (before, rest) = options.split(words);
    let before = &join_pushes(before);
    let verb = rest.first().and_then(|word| word.to_str()).filter(|word| is_verb(word));
    read_verb(&options, verb, rest)
        .and_then(|(verb, behind)| assemble(options, [before.as_slice(), &behind].concat(), verb))
        .map_err(|wrong| wrong.blame(before, verb))
}

/// redis-cli takes its own `help` in any case, and `?` for it.
fn spell_help(options: &OptionSet, words: &mut [OsString]) {
    let is_help = |word: &OsString| word == "?" || word.eq_ignore_ascii_case("help");
    if words.iter().any(is_help) {
        let at = words.len() - options.split(words).1.len();
        words[at..].iter_mut().take(1).filter(|word| is_help(word)).for_each(|word| *word = "help".into());
    }
}

fn is_verb(word: &str) -> bool {
    matches!(word, "exec" | "help") || Verb::others().any(|verb| verb == word)
}

/// `--show-pushes` with its value in one word, where the next one is a value: clap would take any (contract section 1).
fn join_pushes(words: &[OsString]) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::with_capacity(words.len());
    let mut is_open = true;
    for word in words {
        is_open &= word != "--";
        match joined.last_mut() {
            Some(last) if is_open && last == PUSHES && is_yes_or_no(word) => {
                last.push("=");
                last.push(word);
            }
            _ => joined.push(word.clone()),
        }
    }
    joined
}

/// The subcommand, and the global options behind it.
fn read_verb(
    options: &OptionSet,
    name: Option<&str>,
    words: &[OsString],
) -> Result<(Option<Verb>, Vec<OsString>), Wrong> {
    let exec = |command: &[OsString]| {
        (!command.is_empty())
            .then(|| Verb::Exec(ExecArgs { options: ExecOptions::default(), command: command.to_vec() }))
    };
    let Some(name) = name else { return Ok((exec(words), Vec::new())) };
    if name == "exec"
        && let (behind, command @ [_, ..]) = options.split(&words[1..])
    {
        return Ok((exec(command), join_pushes(behind)));
    }
    let topic: Vec<String> = words[1..].iter().map(|word| word.to_string_lossy().into_owned()).collect();
    if name == "help" && topic.first().is_some_and(|word| !word.starts_with('-') && !is_verb(word)) {
        return Ok((Some(Verb::Help(topic)), Vec::new()));
    }
    let matches = parse(&mut definition_of(name), &join_pushes(words))?;
    let behind = matches.subcommand().map(|(_, matches)| options.words_of(matches)).unwrap_or_default();
    Ok((Some(Verb::from_arg_matches(&matches)?), behind))
}

/// A command line of these options and this verb.
fn assemble(mut options: OptionSet, words: Vec<OsString>, mut verb: Option<Verb>) -> Result<Cli, Wrong> {
    let mut matches = options.parse(&words)?;
    let order = in_order(&matches);
    let (mut globals, mut exec) = (Globals::default(), ExecOptions::default());
    globals.update_from_arg_matches_mut(&mut matches)?;
    exec.update_from_arg_matches_mut(&mut matches)?;
    let Globals { connection, output, general, repl } = globals;
    match &mut verb {
        Some(Verb::Run(args)) => args.repetition.take_from(&mut exec.repetition),
        Some(Verb::Stat(args)) => args.interval = args.interval.or(exec.repetition.interval.take()),
        _ => {}
    }
    match &mut verb {
        Some(Verb::Exec(args)) => args.options = exec,
        _ if exec.is_empty() => {}
        _ => {
            let reason = "-x, -X, -r, -i and --quoted-input go with one command: rcli [OPTIONS] CMD [ARG]...";
            let error = definition().error(ErrorKind::ArgumentConflict, reason);
            return Err(Wrong { error, verb: Some("exec".to_owned()) });
        }
    }
    let connection = ConnectionOptions { order, ..connection };
    Ok(Cli { connection, output, general, repl, verb, label: None, line: Line { options, words } })
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;

    #[test]
    fn every_other_subcommand_is_known() {
        let whole = definition();
        let names = whole.get_subcommands().map(Command::get_name).filter(|name| *name != "exec");
        assert!(names.eq(Verb::others()));
    }

    #[test]
    fn a_subcommand_alone_takes_what_it_takes_in_the_whole_definition() {
        let mut whole = definition();
        whole.build();
        for name in Verb::others() {
            let mut alone = definition_of(name);
            alone.build();
            assert_eq!(alone.get_subcommands().filter(|verb| verb.get_name() != "help").count(), 1, "{name}");
            let taken = |definition: &Command| {
                let arguments = definition.find_subcommand(name).into_iter().flat_map(Command::get_arguments);
                let plain = |arg: &Arg| format!("{:?}", arg.clone().global(false).display_order(0));
                let mut taken: Vec<String> = arguments.map(plain).collect();
                taken.sort();
                taken
            };
            assert!(taken(&alone) == taken(&whole), "{name}");
        }
    }
}
