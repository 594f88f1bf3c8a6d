//! What a prompt tells somebody who is typing a command: the rest of its syntax, and the words that may come next.
//! Where these stand in the line, and names of keys, are left to the REPL.

use super::walk::{Expected, Tail, follow, is_word};
use super::{Table, syntax};

impl Table {
    /// What is shown behind these words while they are typed: the rest of the syntax, with the blank before it. A last
    /// word that `is_typed` only in part is completed to the first option or subcommand that begins so. Empty when
    /// nothing is left, and when a word fits nowhere.
    pub fn hint<A: AsRef<[u8]>>(&self, argv: &[A], is_typed: bool) -> String {
        let words: Vec<&[u8]> = argv.iter().map(AsRef::as_ref).collect();
        let gap = |rest: String| if rest.is_empty() { rest } else { format!(" {rest}") };
        let (typed, before) = match words.split_last() {
            Some((typed, before)) if is_typed && !before.is_empty() && !typed.is_empty() => (*typed, before),
            _ if is_typed => return gap(self.rest(&words)),
            _ => return self.rest(&words),
        };
        let options = self.options(before);
        let begins = |word: &&String| word.get(..typed.len()).is_some_and(|begin| is_word(typed, begin));
        let Some(word) = options.iter().find(|word| is_word(typed, word)).or_else(|| options.iter().find(begins))
        else {
            return gap(self.rest(&words));
        };
        let rest = self.rest(&[before, &[word.as_bytes()]].concat());
        let is_lower = typed.iter().any(u8::is_ascii_lowercase) && !typed.iter().any(u8::is_ascii_uppercase);
        let end = if is_lower { word[typed.len()..].to_ascii_lowercase() } else { word[typed.len()..].to_owned() };
        format!("{end}{}", gap(rest))
    }

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
