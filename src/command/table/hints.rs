//! What a prompt tells somebody who is typing a command: the rest of its syntax, and the words that may come next.
//! Where these stand in the line, and names of keys, are left to the REPL.

use super::walk::{Expected, Tail, follow};
use super::{Table, syntax};

impl Table {
    /// The part of the syntax that is still to come after these words, the last of which is complete. Empty when
    /// nothing is left, and when a word fits nowhere.
    pub fn rest<A: AsRef<[u8]>>(&self, argv: &[A]) -> String {
        match self.find(argv) {
            Some(entry) if !entry.subcommands.is_empty() => syntax::subcommand_text(entry),
            _ => self.walk(argv).text.join(" "),
        }
    }

    /// What may be typed after these words, the last of which is complete, in the order of the documentation.
    pub fn expected<A: AsRef<[u8]>>(&self, argv: &[A]) -> Vec<Expected<'_>> {
        match self.find(argv) {
            Some(entry) if !entry.subcommands.is_empty() => {
                entry.subcommands.iter().map(|sub| Expected::Word(sub.word())).collect()
            }
            _ => self.walk(argv).expected,
        }
    }

    /// The words, options and subcommands, that may be typed after these words. Values are not among them.
    pub fn options<A: AsRef<[u8]>>(&self, argv: &[A]) -> Vec<String> {
        let mut options: Vec<String> = Vec::new();
        for expected in self.expected(argv) {
            match expected {
                // MIGRATE has an empty one, which nobody wants completed.
                Expected::Word(word) if !word.is_empty() && !options.iter().any(|o| o == word) => {
                    options.push(word.to_owned());
                }
                _ => {}
            }
        }
        options
    }

    /// What is left after the words; nothing when they do not fit.
    fn walk<A: AsRef<[u8]>>(&self, argv: &[A]) -> Tail<'_> {
        let Some(entry) = self.find(argv) else {
            return Tail::default();
        };
        let words: Vec<&[u8]> = argv.iter().skip(entry.name_words()).map(AsRef::as_ref).collect();
        follow(&entry.arguments, &words)
    }
}
