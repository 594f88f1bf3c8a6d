//! What Tab offers, from the command table and the words typed.

pub mod list;
mod own;
mod places;

use std::collections::HashSet;

use self::places::{Place, Source};
use super::hints::is_verb;
use super::suggestions::{Answer, Candidate, Question, Topic};
use super::tokens::{Word, Words, begins_with, split_count};
use crate::command::table::{Expected, Table};

/// What may stand at a place.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Where in the line the word begins that is being typed.
    pub start: usize,
    /// What of that word stays before each candidate.
    pub lead: Vec<u8>,
    /// What may stand there.
    pub candidates: Vec<Candidate>,
    /// Whether there are more.
    pub is_cut: bool,
    /// Whether more is being looked for.
    pub is_looking: bool,
}

/// What the prompt itself knows.
#[derive(Debug, Default)]
pub struct Known {
    /// The views in the background: their numbers and what they show.
    pub jobs: Vec<(usize, String)>,
    /// Words that stand for the beginning of a line, and for which.
    pub aliases: Vec<(String, String)>,
}

/// Asks the server.
type Ask<'a> = &'a dyn Fn(Question) -> Answer;

/// A line, up to the place where something may stand.
struct Line<'a> {
    /// Where the word begins that is being typed.
    start: usize,
    /// What of it is settled.
    lead: &'a [u8],
    /// The rest of it.
    prefix: &'a [u8],
    /// The words before it.
    before: &'a [Word],
    table: &'a Table,
    ask: Ask<'a>,
}

impl<'a> Line<'a> {
    fn offer(&self, candidates: Vec<Candidate>) -> Offer {
        Offer { start: self.start, lead: self.lead.to_vec(), candidates, ..Offer::default() }
    }

    fn nothing(&self) -> Offer {
        self.offer(Vec::new())
    }

    /// What the server has of a kind.
    fn ask(&self, topic: Topic) -> Offer {
        let Answer { candidates, is_cut, is_looking } = (self.ask)(Question { topic, prefix: self.prefix.to_vec() });
        Offer { is_cut, is_looking, ..self.offer(candidates) }
    }

    /// The same line with more of the word settled: `prefix` is what is left.
    fn from(&self, settled: usize, prefix: &'a [u8]) -> Line<'a> {
        Line { lead: &self.prefix[..settled], prefix, ..*self }
    }
}

/// What may stand where a line ends that is being typed. `ask` asks the server.
pub fn complete(line: &str, table: &Table, known: &Known, ask: Ask<'_>) -> Offer {
    let (begin, words) = (line.len() - line.trim_start().len(), Words::of(line));
    // JSON, and what a shell runs.
    if line[begin..].starts_with(['[', '!']) {
        return Offer { start: line.len(), ..Offer::default() };
    }
    let is_first = |alias: &str| words.before().first().is_some_and(|word| word.is_typed(line, alias));
    if let Some((alias, text)) = known.aliases.iter().find(|(alias, _)| is_first(alias)) {
        let none = Known { jobs: known.jobs.clone(), aliases: Vec::new() };
        let expanded = format!("{text}{}", &line[begin + alias.len()..]);
        let offer = complete(&expanded, table, &none, ask);
        // What it stands for may have an open quote.
        return match (offer.start + begin + alias.len()).checked_sub(text.len()) {
            Some(start) if start > begin + alias.len() => Offer { start, ..offer },
            _ => Offer { start: line.len(), ..Offer::default() },
        };
    }
    if let Some(from) = inner_command(line, words.before(), table) {
        let offer = complete(&line[from..], table, known, ask);
        return Offer { start: from + offer.start, ..offer };
    }
    let current = words.current();
    let line_so_far = Line {
        start: current.map_or(line.len(), |word| word.span.start),
        lead: b"",
        prefix: current.map_or(b"", |word| &word.text),
        before: words.before(),
        table,
        ask,
    };
    if goes_elsewhere(line, words.before()) {
        return own::files(&line_so_far);
    }
    match words.before().first() {
        None => line_so_far.offer(own::first_words(table, line_so_far.prefix, known)),
        Some(name) if is_verb(name, line, table) => own::verb_words(&line_so_far),
        Some(_) => own::local_words(&line_so_far, known).unwrap_or_else(|| next_words(&line_so_far)),
    }
}

/// Where a command begins within a line, behind these words of another: `exec`, a number that repeats it, and what asks
/// about it.
fn inner_command(line: &str, before: &[Word], table: &Table) -> Option<usize> {
    let word = |at: usize, text: &str| before.get(at).is_some_and(|word| is_word(word, text));
    let [first, ..] = before else { return None };
    let is_exec = first.text == b"exec" && is_verb(first, line, table) && !before[1..].iter().any(is_option);
    let count = if split_count(line).is_some() || is_exec {
        1
    } else if word(0, "COMMAND") && (word(1, "GETKEYS") || word(1, "GETKEYSANDFLAGS")) {
        2
    } else if word(0, "ACL") && word(1, "DRYRUN") {
        3
    } else {
        return None;
    };
    let end = before.get(count - 1)?.span.end;
    // An option of `exec` is being typed.
    (!is_exec || !line[end..].trim_start().starts_with('-')).then_some(end)
}

fn is_option(word: &Word) -> bool {
    word.text.starts_with(b"-")
}

/// Whether these words end in what sends the reply to a file, or to a shell command.
fn goes_elsewhere(line: &str, before: &[Word]) -> bool {
    let is_ids = before.first().is_some_and(|name| is_word(name, "XREADGROUP"));
    let is_last = |sign| before.len() > 1 && before.last().is_some_and(|word| word.is_typed(line, sign));
    is_last(">>") || is_last(">") && !is_ids || before.iter().skip(1).any(|word| word.is_typed(line, "|"))
}

fn is_word(word: &Word, text: &str) -> bool {
    word.text.eq_ignore_ascii_case(text.as_bytes())
}

/// Fixed words that begin so, in the case that is being typed.
fn fixed<'a>(words: impl Iterator<Item = &'a str>, prefix: &[u8], is_lower: bool) -> Vec<Candidate> {
    words
        .filter(|word| begins_with(word.as_bytes(), prefix))
        .map(|word| Candidate::sign(if is_lower { word.to_ascii_lowercase() } else { word.to_owned() }))
        .collect()
}

fn is_lower(text: &[u8]) -> bool {
    text.iter().any(u8::is_ascii_lowercase) && !text.iter().any(u8::is_ascii_uppercase)
}

/// Options in the order of the documentation, then values that the server knows.
fn next_words(line: &Line<'_>) -> Offer {
    let argv: Vec<&[u8]> = line.before.iter().map(|word| word.text.as_slice()).collect();
    let (table, prefix) = (line.table, line.prefix);
    let is_lower = is_lower(if prefix.is_empty() { argv[0] } else { prefix });
    let options = table.options(&argv);
    let mut found = fixed(options.iter().map(String::as_str), prefix, is_lower);
    let Some(entry) = table.find(&argv) else { return line.nothing() };
    if !entry.subcommands.is_empty() {
        for word in &mut found {
            let summary = table.find(&[argv[0], &word.value]).map(|entry| entry.summary.clone());
            word.note = summary.unwrap_or_default();
        }
    }
    let (mut rule, mut asked) = (None, None);
    for expected in table.expected(&argv) {
        let Expected::Value(argument) = expected else { continue };
        for source in (Place { entry, argv: &argv, argument, prefix }).sources() {
            match source {
                Source::Signs(words) => found.extend(fixed(words.iter().copied(), prefix, false)),
                Source::Words(words) => found.extend(fixed(words.iter().copied(), prefix, is_lower)),
                Source::Names => found.extend(command_names(table, prefix, is_lower)),
                Source::Rule => rule = Some(rules(line)),
                // One question fits into the time that there is. Where ids may stand beside keys, they begin as such.
                Source::Ask(topic) if asked.is_none() || matches!(topic, Topic::Entries(_)) => asked = Some(topic),
                Source::Ask(_) => {}
            }
        }
    }
    // What may stand here in more than one way is offered once.
    let mut seen = HashSet::new();
    found.retain(|word| seen.insert(word.value.clone()));
    let mut offer = rule.or_else(|| asked.map(|topic| line.ask(topic))).unwrap_or_else(|| line.nothing());
    if offer.lead.is_empty() {
        found.retain(|word| !offer.candidates.iter().any(|candidate| candidate.value == word.value));
        offer.candidates.splice(0..0, found);
    }
    offer
}

/// The names of commands as COMMAND INFO and ACL rules write them, those of subcommands behind a bar.
fn command_names(table: &Table, prefix: &[u8], is_lower: bool) -> Vec<Candidate> {
    let Some(at) = prefix.iter().position(|byte| *byte == b'|') else {
        return own::named(table, fixed(table.names(), prefix, is_lower));
    };
    let container = String::from_utf8_lossy(&prefix[..at]).to_ascii_uppercase();
    let names: Vec<String> = table.subcommand_names(&prefix[..at]).map(|word| format!("{container}|{word}")).collect();
    fixed(names.iter().map(String::as_str), prefix, is_lower)
}

/// What a rule of ACL SETUSER may be; behind the signs of a password nothing.
fn rules(line: &Line<'_>) -> Offer {
    const WORDS: &str = "on off +@ -@ ~ %R~ %W~ %RW~ & allcommands nocommands allkeys resetkeys allchannels resetchannels \
                         nopass resetpass reset clearselectors sanitize-payload skip-sanitize-payload";
    let prefix = line.prefix;
    let behind = |settled: usize| line.from(settled, &prefix[settled..]);
    if prefix.starts_with(b"+@") || prefix.starts_with(b"-@") {
        return behind(2).ask(Topic::Categories);
    }
    match prefix.first() {
        Some(b'+' | b'-') => {
            let mut offer = behind(1).offer(command_names(line.table, &prefix[1..], true));
            if prefix.len() == 1 {
                offer.candidates.insert(0, Candidate::sign("@"));
            }
            offer
        }
        Some(b'%') if let Some(at) = prefix.iter().position(|byte| *byte == b'~') => {
            behind(at + 1).ask(Topic::Keys(None))
        }
        Some(b'~') => behind(1).ask(Topic::Keys(None)),
        Some(b'&') => behind(1).ask(Topic::Channels),
        _ => line.offer(fixed(WORDS.split(' '), prefix, false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the word begins that is being typed, and what may stand there.
    fn offered(line: &str) -> (usize, Vec<Vec<u8>>) {
        let aliases = [("é", "CONFIG"), ("cut", "SET \"a")].map(|(alias, text)| (alias.to_owned(), text.to_owned()));
        let known = Known { aliases: aliases.to_vec(), ..Known::default() };
        let offer = complete(line, Table::builtin(), &known, &|_| Answer::default());
        (offer.start, offer.candidates.into_iter().map(|candidate| candidate.value).collect())
    }

    #[test]
    fn an_alias_stands_for_its_text_where_it_is_not_quoted() {
        assert_eq!(offered("é resets"), (3, vec![b"resetstat".to_vec()]));
        assert_eq!(offered("\"é\" resets"), (5, Vec::new()));
        assert_eq!(offered("cut b\" N"), (7, Vec::new()));
        assert_eq!(offered("cut b"), (5, Vec::new()));
    }

    #[test]
    fn what_may_stand_in_more_than_one_way_is_offered_once() {
        let words = offered("XADD s ").1;
        assert_eq!(words.iter().filter(|word| *word == b"*").count(), 1, "{words:?}");
    }

    #[test]
    fn any_beginning_of_a_line_is_looked_at() {
        let line = "é SET 5 \"é\\xff\" --with=é, ACL SETUSER é +@é %R~é | > é 'é";
        for end in (0..=line.len()).filter(|end| line.is_char_boundary(*end)) {
            for begin in (0..end).filter(|begin| line.is_char_boundary(*begin)) {
                let part = &line[begin..end];
                assert!(part.is_char_boundary(offered(part).0), "{part}");
            }
        }
    }
}
