//! Which words of an argv are keys, as the server itself finds them (`getKeysFromCommand` in Redis's `db.c`), so
//! that a command goes to the node that has its slot. Slots and nodes are left to the cluster.

use super::{BeginSearch, Entry, FindKeys, KeySpec, Table};
use crate::text;

/// Commands whose options decide whether they write to their key.
const MAY_ONLY_READ: [&str; 2] = ["BITFIELD", "GETEX"];

/// Why the keys of an argv cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysError {
    /// The table does not have the command, or the container does not have the subcommand.
    UnknownCommand,
    /// It has too few words, or too many.
    WrongArity,
    /// The server would refuse its arguments as well: a number of keys that is none, or is too large.
    BadArguments,
    /// Its keys move in a way only the server knows (COMMAND GETKEYS): some commands of modules.
    AskServer,
}

impl Table {
    /// The positions of the keys in an argv, in the server's order; none for a command without keys.
    pub fn keys<A: AsRef<[u8]>>(&self, argv: &[A]) -> Result<Vec<usize>, KeysError> {
        let entry = self.find(argv).ok_or(KeysError::UnknownCommand)?;
        if !entry.accepts(argv.len()) {
            return Err(KeysError::WrongArity);
        }
        if let Some(positions) = keys_by_specs(entry, argv) {
            // XREAD without STREAMS: it takes keys, and there are none.
            let refused = positions.is_empty() && !entry.is_keyless() && !entry.has_flag("no_mandatory_keys");
            return if refused { Err(KeysError::BadArguments) } else { Ok(positions) };
        }
        let mut positions = match entry.name.as_str() {
            "SORT" => keys_and_stores(argv, 2, &["STORE"], &[("LIMIT", 2), ("GET", 1), ("BY", 1)]),
            // Its other spec is about patterns, which are no keys.
            "SORT_RO" => vec![1],
            "MIGRATE" => migrate_keys(argv)?,
            // Its key specs say the same, unless that key is itself called STORE.
            "GEORADIUS" | "GEORADIUSBYMEMBER" => keys_and_stores(argv, 5, &["STORE", "STOREDIST"], &[]),
            // EVAL and FCALL take no keys at all as often as not; a bad number the server refuses itself.
            _ if entry.has_flag("no_mandatory_keys") => Vec::new(),
            _ if entry.is_evaluable() => return Err(KeysError::BadArguments),
            _ => return Err(KeysError::AskServer),
        };
        // A live table's arity is only what a server says it is.
        positions.retain(|at| *at < argv.len());
        Ok(positions)
    }

    /// The positions of the keys that an argv writes to, unless it does nothing; none where the table does not tell, or
    /// where it may only read.
    pub fn written_keys<A: AsRef<[u8]>>(&self, argv: &[A]) -> Vec<usize> {
        let is_sure = |entry: &&Entry| entry.has_flag("write") && !MAY_ONLY_READ.contains(&entry.name.as_str());
        let Some(entry) = self.find(argv).filter(is_sure) else { return Vec::new() };
        let mut positions = Vec::new();
        let writes = |spec: &&KeySpec| spec.flags.iter().any(|flag| matches!(flag.as_str(), "OW" | "RW" | "RM"));
        for spec in entry.key_specs.iter().filter(writes) {
            if spec.find_positions(argv, &mut positions).is_none() {
                return Vec::new();
            }
        }
        positions
    }

    /// The positions of the words that are routed by slot like keys and are none: the shard channels of SPUBLISH,
    /// SSUBSCRIBE and SUNSUBSCRIBE.
    pub fn shard_channels<A: AsRef<[u8]>>(&self, argv: &[A]) -> Vec<usize> {
        let Some(entry) = self.find(argv).filter(|entry| entry.has_flag("pubsub")) else {
            return Vec::new();
        };
        let mut positions = Vec::new();
        for spec in entry.key_specs.iter().filter(|spec| spec.is_not_key()) {
            if spec.find_positions(argv, &mut positions).is_none() {
                return Vec::new();
            }
        }
        positions
    }
}

impl Entry {
    /// Whether its key specs tell the whole truth, so that finding nothing is the fault of the arguments.
    fn is_evaluable(&self) -> bool {
        let unknown = |spec: &KeySpec| {
            spec.begin == BeginSearch::Unknown
                || spec.find == FindKeys::Unknown
                || spec.flags.iter().any(|flag| flag == "incomplete")
        };
        !self.key_specs.is_empty() && !self.key_specs.iter().any(unknown)
    }
}

/// Follows the key specs; `None` when they do not say, or do not fit the argv.
fn keys_by_specs<A: AsRef<[u8]>>(entry: &Entry, argv: &[A]) -> Option<Vec<usize>> {
    if entry.key_specs.is_empty() && entry.has_flag("movablekeys") {
        return None;
    }
    let mut positions = Vec::new();
    for spec in entry.key_specs.iter().filter(|spec| !spec.is_not_key()) {
        spec.find_positions(argv, &mut positions)?;
        if spec.flags.iter().any(|flag| flag == "incomplete") {
            return None;
        }
    }
    Some(positions)
}

impl KeySpec {
    /// Adds the positions this spec finds; `None` when it does not fit the argv.
    fn find_positions<A: AsRef<[u8]>>(&self, argv: &[A], positions: &mut Vec<usize>) -> Option<()> {
        let end = i64::try_from(argv.len()).ok()?;
        let begin = match &self.begin {
            BeginSearch::Index(at) => *at,
            BeginSearch::Keyword(word, from) => match find_keyword(argv, word, *from) {
                Some(at) => at,
                // The keyword is an option that was not used.
                None => return Some(()),
            },
            BeginSearch::Unknown => return None,
        };
        let (first, last, step) = self.find.bounds(argv, begin, end)?;
        // `PFMERGE d` has no sources, and is d's all the same; COMMAND GETKEYS refuses it.
        let open_end = matches!(self.find, FindKeys::Range { last, limit: 0, .. } if last < 0);
        if open_end && last.checked_add(1) == Some(first) {
            return Some(());
        }
        if last >= end || last < first || first < 0 || step < 1 {
            return None;
        }
        let positions_found = usize::try_from(first).ok()?..=usize::try_from(last).ok()?;
        positions.extend(positions_found.step_by(usize::try_from(step).ok()?));
        Some(())
    }
}

impl FindKeys {
    /// The first key, the last and the step between two, in an argv that ends before `end`.
    fn bounds<A: AsRef<[u8]>>(&self, argv: &[A], begin: i64, end: i64) -> Option<(i64, i64, i64)> {
        let (first, last, step) = match *self {
            Self::Range { last, step, .. } if last >= 0 => (begin, begin.checked_add(last)?, step),
            Self::Range { last, step, limit } if limit <= 1 => (begin, end.checked_add(last)?, step),
            Self::Range { last, step, limit } => {
                let part = end.checked_sub(begin)?.checked_div(limit)?;
                (begin, begin.checked_add(part)?.checked_add(last)?, step)
            }
            Self::Keynum { count, first, step } => {
                let number = number_at(argv, begin.checked_add(count)?)?;
                let first = begin.checked_add(first)?;
                let span = number.checked_sub(1)?.checked_mul(step)?;
                (first, first.checked_add(span)?, step)
            }
            Self::Unknown => return None,
        };
        Some((first, last, step))
    }
}

/// Whether there is this word at a position of an argv, in any case.
fn is<A: AsRef<[u8]>>(argv: &[A], at: usize, word: &str) -> bool {
    argv.get(at).is_some_and(|arg| arg.as_ref().eq_ignore_ascii_case(word.as_bytes()))
}

/// The position after a keyword, looked for from a position forwards, or from a negative one backwards.
fn find_keyword<A: AsRef<[u8]>>(argv: &[A], word: &str, from: i64) -> Option<i64> {
    let is_word = |at: &usize| is(argv, *at, word);
    let at = if from > 0 {
        (usize::try_from(from).ok()?..argv.len()).find(is_word)
    } else {
        let from = argv.len().checked_sub(usize::try_from(from.checked_neg()?).ok()?)?;
        (2..=from).rev().find(is_word)
    };
    i64::try_from(at? + 1).ok()
}

/// The number at a position of an argv.
fn number_at<A: AsRef<[u8]>>(argv: &[A], at: i64) -> Option<i64> {
    text::number(argv.get(usize::try_from(at).ok()?)?.as_ref())
}

/// The first word, and what the last of these options names. The words that other options take may look like one.
fn keys_and_stores<A: AsRef<[u8]>>(argv: &[A], from: usize, stores: &[&str], others: &[(&str, usize)]) -> Vec<usize> {
    let (mut at, mut store) = (from, None);
    while at < argv.len() {
        if let Some((_, taken)) = others.iter().find(|(word, _)| is(argv, at, word)) {
            at += taken;
        } else if at + 1 < argv.len() && stores.iter().any(|word| is(argv, at, word)) {
            at += 1;
            store = Some(at);
        }
        at += 1;
    }
    std::iter::once(1).chain(store).collect()
}

/// MIGRATE's keys: the third word, or, when that is empty, everything after KEYS.
fn migrate_keys<A: AsRef<[u8]>>(argv: &[A]) -> Result<Vec<usize>, KeysError> {
    let mut at = 6;
    while at < argv.len() {
        if is(argv, at, "KEYS") {
            if argv.get(3).is_some_and(|key| !key.as_ref().is_empty()) {
                return Err(KeysError::BadArguments);
            }
            return Ok((at + 1..argv.len()).collect());
        }
        // A password may read like an option.
        at += if is(argv, at, "AUTH2") {
            3
        } else if is(argv, at, "AUTH") {
            2
        } else {
            1
        };
    }
    Ok(vec![3])
}
