//! What Tab offers, and the rest of the syntax beside the cursor: both from the command table and the words typed.

use super::local;
use super::suggestions::Question;
use super::tokens::{Word, Words};
use crate::command::request::shown_arg;
use crate::command::table::{Expected, Kind, Table};

/// What may stand at a place.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Where in the line it begins.
    pub start: usize,
    /// What may stand there.
    pub candidates: Vec<String>,
}

/// What may stand where a line ends that is being typed. `ask` asks the server.
pub fn complete(line: &str, table: &Table, ask: impl Fn(Question) -> Vec<Vec<u8>>) -> Offer {
    let words = Words::of(line);
    let current = words.current();
    let start = current.map_or(line.len(), |word| word.span.start);
    let prefix = current.map_or(b"".as_slice(), |word| &word.text);
    let before = words.before();
    let mut candidates = match before.first() {
        None => first_words(table, prefix),
        Some(name) if is_word(name, "help") => topics(table, before, prefix),
        Some(name) if is_word(name, ":set") => settings(before, prefix),
        Some(name) => next_words(table, name, before, prefix, ask),
    };
    if let [only] = candidates.as_mut_slice() {
        only.push(' ');
    }
    Offer { start, candidates }
}

/// The rest of the syntax after a line that is being typed, with the space before it.
pub fn hint(line: &str, table: &Table) -> Option<String> {
    let words = Words::of(line);
    // What is typed inside a quote is not syntax.
    if words.trouble.is_some() {
        return None;
    }
    let argv = words.argv();
    let name = argv.first()?;
    let local = local::WORDS.iter().find(|(word, _)| name.eq_ignore_ascii_case(word.as_bytes()));
    let rest = match local {
        Some((_, usage)) if argv.len() == 1 => (*usage).to_owned(),
        Some(_) => return None,
        None => table.rest(&argv),
    };
    if rest.is_empty() {
        return None;
    }
    Some(if words.ends_in_space { rest } else { format!(" {rest}") })
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
    }
    found.sort();
    found
}

fn topics(table: &Table, before: &[Word], prefix: &[u8]) -> Vec<String> {
    match before {
        [_] if prefix.first() == Some(&b'@') => {
            table.groups().into_iter().filter(|group| begins_with(group, prefix)).collect()
        }
        [_] => fixed(table.names(), prefix, is_lower(prefix)),
        [_, container] => fixed(table.subcommand_names(&container.text), prefix, is_lower(&container.text)),
        _ => Vec::new(),
    }
}

fn settings(before: &[Word], prefix: &[u8]) -> Vec<String> {
    let words: &[&str] = match before {
        [_] => &["output"],
        [_, what] if is_word(what, "output") => &["human", "json", "raw"],
        _ => &[],
    };
    fixed(words.iter().copied(), prefix, true)
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
