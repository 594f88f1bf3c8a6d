//! What Tab offers, from the command table and the words typed.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::hints::is_verb;
use super::local;
use super::suggestions::Question;
use super::tokens::{Word, Words};
use super::verbs::is_verb_name;
use crate::cli::prompt::{self, ValueSyntax, names as verb_names};
use crate::command::request::shown_arg;
use crate::command::table::{Expected, Kind, Table};
use crate::config::ReplSettings;
use crate::config::profile::Profiles;

/// What may stand at a place.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Where in the line it begins.
    pub start: usize,
    /// What may stand there.
    pub candidates: Vec<String>,
}

/// So many files are offered at most.
const MOST_FILES: usize = 100;

/// What may stand where a line ends that is being typed. `ask` asks the server.
pub fn complete(line: &str, table: &Table, ask: impl Fn(Question) -> Vec<Vec<u8>>) -> Offer {
    let words = Words::of(line);
    let current = words.current();
    let start = current.map_or(line.len(), |word| word.span.start);
    let prefix = current.map_or(b"".as_slice(), |word| &word.text);
    let before = words.before();
    let mut candidates = match before.first() {
        Some(name) if is_verb(name, line, table) => return verb_words(line, before, (start, prefix), table, ask),
        None => first_words(table, prefix),
        Some(name) if is_word(name, "help") => topics(table, before, prefix),
        Some(name) if is_word(name, "connect") && before.len() == 1 => profiles(prefix),
        Some(name) if is_word(name, ":set") => settings(before, prefix),
        Some(name) => next_words(table, name, before, prefix, ask),
    };
    if let [only] = candidates.as_mut_slice() {
        only.push(' ');
    }
    Offer { start, candidates }
}

/// What may stand behind a subcommand: a command behind `exec`, else the options, their values and files.
fn verb_words(
    line: &str,
    before: &[Word],
    (start, prefix): (usize, &[u8]),
    table: &Table,
    ask: impl Fn(Question) -> Vec<Vec<u8>>,
) -> Offer {
    let name = &before[0].text;
    let is_option = |text: &[u8]| text.starts_with(b"-");
    if name == b"exec" && !is_option(prefix) && !before.iter().any(|word| is_option(&word.text)) {
        let from = before[0].span.end;
        let offer = complete(&line[from..], table, ask);
        return Offer { start: from + offer.start, ..offer };
    }
    let Some(syntax) = prompt::syntax(name) else { return Offer { start, candidates: Vec::new() } };
    let argv: Vec<&[u8]> = before[1..].iter().map(|word| word.text.as_slice()).collect();
    let mut is_file = false;
    let mut candidates: Vec<String> = if is_option(prefix) && syntax.awaits_value(&argv).is_none() {
        fixed(syntax.options.iter().map(|option| option.long.as_str()), prefix, false)
    } else {
        let expected = syntax.expected(&argv);
        is_file = expected.is_some_and(|value| value.is_file);
        expected.map_or_else(Vec::new, |value| values(value, prefix, ask))
    };
    if let [only] = candidates.as_mut_slice()
        && !(is_file && only.ends_with('/'))
    {
        only.push(' ');
    }
    Offer { start, candidates }
}

/// What an argument of a subcommand may be: one of its words, a file, or what the server has of that kind.
fn values(value: &ValueSyntax, prefix: &[u8], ask: impl Fn(Question) -> Vec<Vec<u8>>) -> Vec<String> {
    if value.is_file {
        return files(prefix);
    }
    if !value.words.is_empty() {
        return fixed(value.words.iter().map(String::as_str), prefix, false);
    }
    let prefix = prefix.to_vec();
    let question = match value.name.as_str() {
        "CHANNEL" => Question::Channels(prefix),
        "SHARD_CHANNEL" => Question::ShardChannels(prefix),
        "STREAM" => Question::Keys(prefix, Some("stream")),
        "KEY" => Question::Keys(prefix, None),
        "CMD" => return fixed(Table::builtin().names().filter(|name| !name.contains(' ')), &prefix, is_lower(&prefix)),
        _ => return Vec::new(),
    };
    ask(question).iter().map(|value| shown_arg(value)).collect()
}

/// The files whose names begin so.
fn files(prefix: &[u8]) -> Vec<String> {
    let at = prefix.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    let (directory, begin) = prefix.split_at(at);
    let place = if directory.is_empty() { Path::new(".") } else { Path::new(OsStr::from_bytes(directory)) };
    let mut found = Vec::new();
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.as_bytes();
        let is_hidden = name.starts_with(b".") && !begin.starts_with(b".");
        if name.starts_with(begin) && !is_hidden {
            let end: &[u8] = if entry.path().is_dir() { b"/" } else { b"" };
            found.push(shown_arg(&[directory, name, end].concat()));
        }
    }
    found.sort();
    found.truncate(MOST_FILES);
    found
}

fn is_word(word: &Word, text: &str) -> bool {
    word.text.eq_ignore_ascii_case(text.as_bytes())
}

fn begins_with(word: &str, prefix: &[u8]) -> bool {
    word.len() >= prefix.len() && word.as_bytes()[..prefix.len()].eq_ignore_ascii_case(prefix)
}

/// Fixed words that begin so, in the case that is being typed.
fn fixed<'a>(words: impl Iterator<Item = &'a str>, prefix: &[u8], is_lower: bool) -> Vec<String> {
    words
        .filter(|word| begins_with(word, prefix))
        .map(|word| if is_lower { word.to_ascii_lowercase() } else { word.to_owned() })
        .collect()
}

fn is_lower(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_lowercase) && !text.iter().any(u8::is_ascii_uppercase)
}

fn first_words(table: &Table, prefix: &[u8]) -> Vec<String> {
    let mut found = fixed(table.names(), prefix, is_lower(prefix));
    if !prefix.is_empty() {
        found.extend(
            local::WORDS.iter().map(|(word, _)| *word).filter(|word| begins_with(word, prefix)).map(str::to_owned),
        );
        let is_free = |name: &&str| is_verb_name(name.as_bytes(), table);
        found
            .extend(verb_names().filter(is_free).filter(|name| name.as_bytes().starts_with(prefix)).map(str::to_owned));
    }
    found.sort();
    found.dedup();
    found
}

fn topics(table: &Table, before: &[Word], prefix: &[u8]) -> Vec<String> {
    match before {
        [_] if prefix.first() == Some(&b'@') => {
            table.groups().into_iter().filter(|group| begins_with(group, prefix)).collect()
        }
        [_] => {
            let verbs = verb_names().filter(|name| !prefix.is_empty() && name.as_bytes().starts_with(prefix));
            let mut found = fixed(table.names(), prefix, is_lower(prefix));
            found.extend(verbs.map(str::to_owned));
            found.sort();
            found.dedup();
            found
        }
        [_, container] => fixed(table.subcommand_names(&container.text), prefix, is_lower(&container.text)),
        _ => Vec::new(),
    }
}

/// The profiles whose names begin so.
fn profiles(prefix: &[u8]) -> Vec<String> {
    let Ok(file) = Profiles::load() else { return Vec::new() };
    file.names().filter(|name| name.as_bytes().starts_with(prefix)).map(|name| shown_arg(name.as_bytes())).collect()
}

fn settings(before: &[Word], prefix: &[u8]) -> Vec<String> {
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

/// Options in the order of the documentation, then values that the server knows.
fn next_words(
    table: &Table,
    name: &Word,
    before: &[Word],
    prefix: &[u8],
    ask: impl Fn(Question) -> Vec<Vec<u8>>,
) -> Vec<String> {
    let argv: Vec<&[u8]> = before.iter().map(|word| word.text.as_slice()).collect();
    let is_lower = is_lower(if prefix.is_empty() { &name.text } else { prefix });
    let options = table.options(&argv);
    let mut found = fixed(options.iter().map(String::as_str), prefix, is_lower);
    let mut asked: Vec<Question> = Vec::new();
    for expected in table.expected(&argv) {
        if let Expected::Value(argument) = expected
            && let Some(question) = question(table, &argv, argument.kind, &argument.name, prefix)
            && !asked.contains(&question)
        {
            asked.push(question);
        }
    }
    // One question fits into the time that there is.
    if let Some(question) = asked.into_iter().next() {
        found.extend(ask(question).iter().map(|value| shown_arg(value)));
    }
    found
}

/// What to ask the server for where such an argument may stand.
fn question(table: &Table, argv: &[&[u8]], kind: Kind, name: &str, prefix: &[u8]) -> Option<Question> {
    let entry = table.find(argv)?;
    let prefix = prefix.to_vec();
    Some(match name {
        _ if kind == Kind::Key => Question::Keys(prefix, entry.key_type()),
        "channel" => Question::Channels(prefix),
        "shardchannel" => Question::ShardChannels(prefix),
        "parameter" if entry.name.starts_with("CONFIG ") => Question::Parameters(prefix),
        _ => return None,
    })
}
