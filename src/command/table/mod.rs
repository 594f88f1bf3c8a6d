//! The command table: which commands exist, how many words they take, and everything that follows from it. The
//! built-in table is generated from real servers (`commands.json`); a live one is made of a running server's own
//! replies. Asking the server, and showing anything to anybody, is left to the callers.

mod entry;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod hints;
mod keys;
mod replies;
mod syntax;
#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test says what it takes for granted")]
mod tests;
mod walk;

use std::sync::OnceLock;

pub use entry::{Argument, BeginSearch, Entry, FindKeys, KeySpec, Kind};
pub use keys::KeysError;
pub use replies::generate;
pub use syntax::syntax;
pub use walk::Expected;

use crate::text::{Escape, printable_bytes};

/// The union of the commands of Redis and Valkey, one a line; `generate` writes it.
const BUILTIN: &str = include_str!("commands.json");

/// The longest part of a name or of the arguments that a server repeats in an error message, in bytes.
const ECHO_LIMIT: usize = 128;

/// A set of commands, found by name whatever its case.
#[derive(Debug, Default)]
pub struct Table {
    /// Sorted by name, so that looking one up needs no second index.
    entries: Vec<Entry>,
}

impl Table {
    /// The table that is compiled in, parsed at the first call.
    pub fn builtin() -> &'static Self {
        static TABLE: OnceLock<Table> = OnceLock::new();
        // A test parses the same text; should it ever be damaged, a table without commands is still usable.
        TABLE.get_or_init(|| Self::new(serde_json::from_str(BUILTIN).unwrap_or_default()))
    }

    /// The one command of the compiled-in table that has this name, or nothing: all of it takes longer to parse than
    /// many a run takes.
    pub fn builtin_only(name: &[u8]) -> Self {
        let name = String::from_utf8_lossy(name).to_ascii_uppercase();
        let begin = format!("\n{{\"name\":\"{name}\",");
        let at = memchr::memmem::find(BUILTIN.as_bytes(), begin.as_bytes());
        let line = at.and_then(|at| BUILTIN.get(at + 1..)?.lines().next());
        let entry = line.and_then(|line| serde_json::from_str(line.trim_end_matches(',')).ok());
        Self { entries: entry.into_iter().collect() }
    }

    /// The table of a running server, which `ask` asks for it; none where that has no answer, or one that names no command.
    pub fn of_server(mut ask: impl FnMut(&redis::Cmd) -> Option<redis::Value>) -> Option<Self> {
        let command = ask(&redis::cmd("COMMAND"))?;
        let docs = ask(redis::cmd("COMMAND").arg("DOCS"))?;
        Self::from_replies(&command, Some(&docs))
    }

    /// The table of a running server from its replies to COMMAND and, if it has it, COMMAND DOCS, in RESP2 or RESP3.
    /// What the server does not document is taken from the built-in table. `None` when the reply to COMMAND names
    /// no command, as when an ACL forbids it.
    pub fn from_replies(command: &redis::Value, docs: Option<&redis::Value>) -> Option<Self> {
        let mut table = Self::new(replies::read_entries(command, docs));
        for entry in &mut table.entries {
            replies::complete(entry, Self::builtin());
        }
        (!table.entries.is_empty()).then_some(table)
    }

    /// Takes the entries in any order.
    fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Self { entries }
    }

    /// The names of the commands in upper case, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// The subcommands of a container in upper case, sorted; nothing for any other command.
    pub fn subcommand_names(&self, container: &[u8]) -> impl Iterator<Item = &str> {
        let entry = by_word(&self.entries, container);
        entry.into_iter().flat_map(|entry| entry.subcommands.iter().map(Entry::word))
    }

    /// The groups of the documentation as typed after `help`: `@generic`, `@sorted-set`; sorted.
    pub fn groups(&self) -> Vec<String> {
        let mut groups: Vec<String> = self
            .entries
            .iter()
            .filter(|entry| !entry.group.is_empty())
            .map(|entry| format!("@{}", entry.group))
            .collect();
        groups.sort();
        groups.dedup();
        groups
    }

    /// The commands of a group, with or without its `@`; case, `-` and `_` do not matter, so that the ACL spelling
    /// `@sortedset` works too.
    pub fn in_group(&self, group: &str) -> impl Iterator<Item = &Entry> {
        let wanted = plain_group(group);
        self.entries.iter().filter(move |entry| !entry.group.is_empty() && plain_group(&entry.group) == wanted)
    }

    /// The command an argv runs: the subcommand where there is one, the container when nothing follows its name.
    pub fn find<A: AsRef<[u8]>>(&self, argv: &[A]) -> Option<&Entry> {
        let entry = by_word(&self.entries, argv.first()?.as_ref())?;
        match argv.get(1) {
            Some(word) if !entry.subcommands.is_empty() => by_word(&entry.subcommands, word.as_ref()),
            _ => Some(entry),
        }
    }

    /// Whether the server would queue or run this argv, as far as names and numbers of words say.
    ///
    /// # Errors
    ///
    /// The server's own words, without the code, which is always ERR.
    pub fn check<A: AsRef<[u8]>>(&self, argv: &[A]) -> Result<(), String> {
        let Some(entry) = self.find(argv) else {
            return Err(self.describe_unknown(argv));
        };
        if entry.accepts(argv.len()) {
            return Ok(());
        }
        let name = entry.name.to_lowercase().replace(' ', "|");
        Err(format!("wrong number of arguments for '{name}' command"))
    }

    /// The message for an argv that names no command, or no subcommand of its container.
    pub fn describe_unknown<A: AsRef<[u8]>>(&self, argv: &[A]) -> String {
        let word = |at: usize| argv.get(at).map(AsRef::as_ref);
        let name = word(0).unwrap_or_default();
        let text = if let (Some(container), Some(word)) = (by_word(&self.entries, name), word(1)) {
            let word = echo(word, ECHO_LIMIT);
            format!("unknown subcommand '{word}'. Try {} HELP.", container.name)
        } else {
            let name = echo(name, ECHO_LIMIT);
            let mut text = format!("unknown command '{name}', with args beginning with: ");
            let limit = text.len() + ECHO_LIMIT;
            for word in argv.iter().skip(1) {
                if text.len() >= limit {
                    break;
                }
                text = format!("{text}'{}' ", echo(word.as_ref(), limit - text.len()));
            }
            text
        };
        // An error reply is one line.
        text.replace(['\r', '\n'], " ")
    }
}

impl Entry {
    /// Whether an argv of that many words has a fitting length.
    fn accepts(&self, words: usize) -> bool {
        let words = i64::try_from(words).unwrap_or(i64::MAX);
        if self.arity > 0 { words == self.arity } else { words >= self.arity.saturating_neg() }
    }
}

/// Finds the entry whose last word this is, in entries sorted by name.
fn by_word<'t>(entries: &'t [Entry], word: &[u8]) -> Option<&'t Entry> {
    let at =
        entries.binary_search_by(|entry| entry.word().bytes().cmp(word.iter().map(u8::to_ascii_uppercase))).ok()?;
    entries.get(at)
}

/// A group's name without what people and servers spell differently.
fn plain_group(group: &str) -> String {
    group.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// The beginning of a word as text.
fn echo(word: &[u8], limit: usize) -> String {
    printable_bytes(&word[..word.len().min(limit)], Escape::Undecodable).into_owned()
}
