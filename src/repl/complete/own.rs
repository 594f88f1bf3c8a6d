//! What may stand behind rcli's own words at the prompt: subcommands with their options and values, settings, profiles,
//! jobs, topics of help, files.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::places::TYPES;
use super::{Known, Line, Offer, begins_with, fixed, is_lower, is_word};
use crate::cli::prompt::{self, ValueSyntax, VerbSyntax, names as verb_names};
use crate::command::table::Table;
use crate::config::ReplSettings;
use crate::config::profile::Profiles;
use crate::repl::local;
use crate::repl::redirect::home;
use crate::repl::suggestions::{Candidate, Topic};
use crate::repl::tokens::Word;
use crate::repl::verbs::is_verb_name;

/// So many files are looked at at most.
const MOST_FILES: usize = 10_000;

/// What may stand behind one of the words of `local`; none if the word is another one.
pub fn local_words(line: &Line<'_>, known: &Known) -> Option<Offer> {
    let (name, prefix) = (line.before.first()?, line.prefix);
    let is = |word| is_word(name, word);
    let candidates = match line.before.len() {
        _ if is("help") || is("?") => topics(line),
        1 if is("connect") => profiles(prefix),
        1 if is("stop") => jobs(known, prefix),
        1 if is("source") => return Some(files(line)),
        1 if is("peek") => return Some(line.ask(Topic::Keys(None))),
        _ if is(":set") => settings(line.before, prefix),
        _ if local::WORDS.iter().any(|(word, _)| is(word)) => Vec::new(),
        _ => return None,
    };
    Some(line.offer(candidates))
}

/// What may stand behind a subcommand: its options, their values, and its arguments.
pub fn verb_words(line: &Line<'_>) -> Offer {
    let Some(syntax) = line.before.first().and_then(|name| prompt::syntax(&name.text)) else { return line.nothing() };
    let argv: Vec<&[u8]> = line.before[1..].iter().map(|word| word.text.as_slice()).collect();
    // Behind the file of `run` stand keys, a comma and arguments.
    let script = syntax.arguments_among(&argv).first().copied().filter(|_| syntax.name == "run");
    if let Some(at) = script {
        let is_key = !argv[at..].contains(&b",".as_slice());
        return if is_key { line.ask(Topic::Keys(None)) } else { line.nothing() };
    }
    // Behind it all is a name, or a program's.
    let has_ended = argv.contains(&b"--".as_slice());
    if line.prefix.starts_with(b"--")
        && let Some(at) = line.prefix.iter().position(|byte| *byte == b'=')
    {
        let (option, value) = (&line.prefix[..at], &line.prefix[at + 1..]);
        let option = std::str::from_utf8(option).ok().and_then(|option| syntax.option(option));
        let Some(expected) = option.and_then(|option| option.behind_equals.as_ref()) else { return line.nothing() };
        return values(&line.from(at + 1, value), syntax, &argv, expected);
    }
    if line.prefix.starts_with(b"-") && !has_ended && syntax.awaits_value(&argv).is_none() {
        let options = syntax.options.iter().filter(|option| option.long.as_bytes().starts_with(line.prefix));
        return line.offer(options.map(|option| Candidate::new(option.long.as_str(), option.help.as_str())).collect());
    }
    syntax.expected(&argv).map_or_else(|| line.nothing(), |expected| values(line, syntax, &argv, expected))
}

/// What an argument of a subcommand may be: one of its words, a file, or what the server has of that kind.
fn values(line: &Line<'_>, verb: &VerbSyntax, argv: &[&[u8]], value: &ValueSyntax) -> Offer {
    if value.is_list
        && let Some(at) = line.prefix.iter().rposition(|byte| *byte == b',')
    {
        let given: Vec<&[u8]> = line.prefix[..at].split(|byte| *byte == b',').collect();
        let mut offer = one_value(&line.from(at + 1, &line.prefix[at + 1..]), verb, argv, value);
        offer.candidates.retain(|candidate| !given.contains(&candidate.value.as_slice()));
        return offer;
    }
    one_value(line, verb, argv, value)
}

fn one_value(line: &Line<'_>, verb: &VerbSyntax, argv: &[&[u8]], value: &ValueSyntax) -> Offer {
    if value.is_file {
        return files(line);
    }
    if !value.words.is_empty() {
        return line.offer(fixed(value.words.iter().map(String::as_str), line.prefix, false));
    }
    let behind = |option: &str| {
        let at = argv.iter().position(|word| *word == option.as_bytes())?;
        Some(argv.get(at + 1)?.to_vec())
    };
    let stream = || verb.arguments_among(argv).first().map(|at| argv[*at].to_vec());
    let topic = match (value.name.as_str(), verb.name.as_str()) {
        ("SHARD_CHANNEL", _) => Topic::ShardChannels,
        ("PATTERN", "ls") => match behind("--in") {
            Some(key) => Topic::AnyElements(key),
            None => Topic::Keys(None),
        },
        ("CHANNEL" | "PATTERN", _) => Topic::Channels,
        ("STREAM", _) => Topic::Keys(Some("stream")),
        ("KEY", _) => Topic::Keys(None),
        ("TYPE", _) => return line.offer(fixed(TYPES.into_iter(), line.prefix, true)),
        ("GROUP", _) => Topic::Groups(stream()),
        ("NAME", "tail") => match behind("--group") {
            Some(group) => Topic::Consumers(stream(), group),
            None => return line.nothing(),
        },
        ("ID", "tail") => {
            let mut offer = stream().map_or_else(|| line.nothing(), |key| line.ask(Topic::Entries(key)));
            let signs = ["$", "0"].into_iter().filter(|sign| sign.as_bytes().starts_with(line.prefix));
            offer.candidates.splice(0..0, signs.map(Candidate::sign));
            return offer;
        }
        ("FUNCTION", _) => Topic::Functions,
        ("ADDR[:PORT]", _) => Topic::Clients("addr"),
        ("CMD", _) => return line.offer(command_names(line.table, line.prefix)),
        _ if argv.last().is_some_and(|word| matches!(*word, b"--in-db" | b"--db" | b"-n")) => Topic::Databases,
        _ => return line.nothing(),
    };
    line.ask(topic)
}

/// The names of commands without their subcommands.
fn command_names(table: &Table, prefix: &[u8]) -> Vec<Candidate> {
    let names = table.names().filter(|name| !name.contains(' '));
    fixed(names, prefix, is_lower(prefix))
}

/// The files whose names begin so.
pub fn files(line: &Line<'_>) -> Offer {
    let prefix = line.prefix;
    let at = prefix.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    let (directory, begin) = prefix.split_at(at);
    let place = if directory.is_empty() { Path::new(".") } else { Path::new(OsStr::from_bytes(directory)) };
    let mut found = Vec::new();
    for entry in fs::read_dir(home(place)).into_iter().flatten().flatten().take(MOST_FILES) {
        let name = entry.file_name();
        let name = name.as_bytes();
        let is_hidden = name.starts_with(b".") && !begin.starts_with(b".");
        if name.starts_with(begin) && !is_hidden {
            let end: &[u8] = if entry.path().is_dir() { b"/" } else { b"" };
            found.push(Candidate::new([directory, name, end].concat(), ""));
        }
    }
    found.sort_by(|one, other| one.value.cmp(&other.value));
    line.offer(found)
}

fn topics(line: &Line<'_>) -> Vec<Candidate> {
    let (table, prefix) = (line.table, line.prefix);
    match line.before {
        [_] if prefix.first() == Some(&b'@') => {
            let groups = table.groups();
            fixed(groups.iter().map(String::as_str), prefix, true)
        }
        [_] => {
            let own = verb_names().chain(local::WORDS.iter().map(|(word, _)| *word));
            let own = own.filter(|name| !prefix.is_empty() && name.as_bytes().starts_with(prefix));
            let mut found = named(table, fixed(table.names(), prefix, is_lower(prefix)));
            found.extend(own.map(|name| Candidate::new(name, "rcli's own")));
            sort(&mut found);
            found
        }
        [_, container] => fixed(table.subcommand_names(&container.text), prefix, is_lower(&container.text)),
        _ => Vec::new(),
    }
}

/// Each once, in the order of the alphabet.
pub fn sort(found: &mut Vec<Candidate>) {
    found.sort_by(|one, other| one.value.cmp(&other.value));
    found.dedup_by(|one, other| one.value == other.value);
}

/// Names of commands with what these do.
pub fn named(table: &Table, mut names: Vec<Candidate>) -> Vec<Candidate> {
    for name in &mut names {
        if let Some(entry) = table.find(&[&name.value]) {
            name.note.clone_from(&entry.summary);
        }
    }
    names
}

/// What a line may begin with.
pub fn first_words(table: &Table, prefix: &[u8], known: &Known) -> Vec<Candidate> {
    let mut found = named(table, fixed(table.names(), prefix, is_lower(prefix)));
    if !prefix.is_empty() {
        let own = local::WORDS.iter().map(|(word, _)| *word).filter(|word| begins_with(word.as_bytes(), prefix));
        found.extend(own.map(|word| Candidate::new(word, "rcli's own")));
        let is_free = |name: &&str| is_verb_name(name.as_bytes(), table);
        let verbs = verb_names().filter(is_free).filter(|name| name.as_bytes().starts_with(prefix));
        found.extend(verbs.map(|name| Candidate::new(name, "a subcommand")));
        let aliases = known.aliases.iter().filter(|(word, _)| word.as_bytes().starts_with(prefix));
        found.extend(aliases.map(|(word, text)| Candidate::new(word.as_str(), format!("alias: {text}"))));
    }
    sort(&mut found);
    found
}

/// The profiles whose names begin so.
fn profiles(prefix: &[u8]) -> Vec<Candidate> {
    let Ok(file) = Profiles::load() else { return Vec::new() };
    fixed(file.names().filter(|name| name.as_bytes().starts_with(prefix)), prefix, false)
}

/// The views in the background.
fn jobs(known: &Known, prefix: &[u8]) -> Vec<Candidate> {
    let jobs = known.jobs.iter().map(|(number, title)| Candidate::new(number.to_string(), title.as_str()));
    jobs.filter(|job| job.value.starts_with(prefix)).collect()
}

fn settings(before: &[Word], prefix: &[u8]) -> Vec<Candidate> {
    let words: Vec<&str> = match before {
        [_] => ReplSettings::NAMES.iter().map(|(name, _)| *name).collect(),
        [_, what] => {
            let values =
                ReplSettings::NAMES.iter().find(|(name, _)| is_word(what, name)).map_or("", |(_, values)| values);
            values.split('|').filter(|value| *value != "COMMAND").collect()
        }
        _ => Vec::new(),
    };
    fixed(words.into_iter(), prefix, true)
}
