//! Which monitored commands are shown: `--only`, `--client`, `--in-db` (contract section 9).

use crate::reply::MonitorLine;

/// What a monitored command must be to be shown; everything by default.
#[derive(Debug, Default)]
pub struct Filter {
    /// Each command, and its subcommand where only that one is meant.
    only: Vec<(String, Option<String>)>,
    client: Option<String>,
    db: Option<u64>,
}

impl Filter {
    /// Only these commands (all if there are none), this client, and this database.
    pub fn new(only: &[String], client: Option<&str>, db: Option<u64>) -> Self {
        let words = |only: &String| match only.split_once(' ') {
            Some((command, subcommand)) => (command.to_owned(), Some(subcommand.to_owned())),
            None => (only.clone(), None),
        };
        Self { only: only.iter().map(words).collect(), client: client.map(str::to_owned), db }
    }

    /// Whether the command is to be shown.
    pub fn lets(&self, line: &MonitorLine<'_>) -> bool {
        self.db.is_none_or(|db| db == line.db)
            && self.client.as_deref().is_none_or(|client| is_client(client, line))
            && (self.only.is_empty() || {
                let name = line.name();
                let is_subcommand = |wanted: &String| line.args().nth(1).is_some_and(|word| is_word(&word, wanted));
                let is_it = |(command, subcommand): &(String, Option<String>)| {
                    is_word(&name, command) && subcommand.as_ref().is_none_or(is_subcommand)
                };
                self.only.iter().any(is_it)
            })
    }
}

/// Whether it is this word, in any case.
fn is_word(word: &[u8], wanted: &str) -> bool {
    *word == *wanted.as_bytes() || word.eq_ignore_ascii_case(wanted.as_bytes())
}

/// Whether the client is the one asked for: by its address, with or without IPv6's brackets, or address and port.
fn is_client(wanted: &str, line: &MonitorLine<'_>) -> bool {
    let is_address = |wanted: &[u8]| bare(wanted).eq(bare(line.address));
    let wanted = wanted.as_bytes();
    let address = wanted.strip_suffix(line.port).and_then(|rest| rest.strip_suffix(b":"));
    is_address(wanted) || !line.port.is_empty() && address.is_some_and(is_address)
}

/// An address without brackets.
fn bare(address: &[u8]) -> impl Iterator<Item = &u8> {
    address.iter().filter(|byte| !matches!(byte, b'[' | b']'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends by panicking")]
mod tests {
    use super::*;
    use crate::reply::ArgPlaces;

    fn lets(filter: &Filter, client: &str, command: &str) -> bool {
        let text = format!("1.000000 [3 {client}] {command}");
        filter.lets(&MonitorLine::parse(text.as_bytes(), &mut ArgPlaces::default()).unwrap())
    }

    #[test]
    fn a_client_is_named_by_address_or_address_and_port() {
        for (wanted, client, expected) in [
            ("127.0.0.1", "127.0.0.1:60866", true),
            ("127.0.0.1:60866", "127.0.0.1:60866", true),
            ("127.0.0.1:6086", "127.0.0.1:60866", false),
            ("127.0.0.1:866", "127.0.0.1:60866", false),
            ("127.0.0.2", "127.0.0.1:60866", false),
            ("::1", "[::1]:60866", true),
            ("[::1]", "[::1]:60866", true),
            ("[::1]:60866", "[::1]:60866", true),
            ("::1:60866", "[::1]:60866", true),
            ("unix", "unix:/tmp/s", true),
            ("unix:/tmp/s", "unix:/tmp/s", true),
            ("unix:/tmp/t", "unix:/tmp/s", false),
            ("lua", "lua", true),
            ("lua", "127.0.0.1:1", false),
        ] {
            let filter = Filter::new(&[], Some(wanted), None);
            assert_eq!(lets(&filter, client, "\"get\""), expected, "{wanted} {client}");
        }
    }

    #[test]
    fn commands_and_databases_are_chosen() {
        let only = Filter::new(&["SET".to_owned(), "del".to_owned()], None, Some(3));
        assert!(lets(&only, "lua", "\"set\" \"k\" \"v\""));
        assert!(lets(&only, "lua", "\"DEL\" \"k\""));
        assert!(!lets(&only, "lua", "\"setex\" \"k\""));
        let only = Filter::new(&["config GET".to_owned()], None, None);
        assert!(lets(&only, "lua", "\"CONFIG\" \"get\" \"port\""));
        assert!(!lets(&only, "lua", "\"CONFIG\" \"SET\" \"port\"") && !lets(&only, "lua", "\"CONFIG\""));
        assert!(!lets(&Filter::new(&[], None, Some(0)), "lua", "\"set\""));
        assert!(lets(&Filter::default(), "lua", "\"set\""));
    }
}
