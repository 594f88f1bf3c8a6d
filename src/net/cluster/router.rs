//! Where a command belongs in a cluster, told by its keys before anything is sent (contract section 11).

use std::fmt::Write as _;

use super::key_slot::{SLOTS, slot_of};
use crate::command::policies::{Owned, owned_of};
use crate::command::request::{Request, quote};
use crate::command::restrictions::is_ordinary;
use crate::command::table::{BeginSearch, Entry, FindKeys, KeysError, Table};

/// Where a command belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// At the owner of this slot.
    Slot {
        /// The slot of all its keys.
        slot: u16,
        /// Whether a replica may answer it.
        is_read: bool,
    },
    /// It has no keys: at any node.
    Keyless,
    /// The server will refuse its arguments: any node says how.
    Refused,
}

/// Why a command cannot be routed yet, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unroutable {
    /// Its keys are in several slots: the server's code, and which keys in which slots.
    CrossSlot(String),
    /// Only a server can tell its keys (COMMAND GETKEYS).
    AskServer,
}

/// What is remembered of a command's name: most pipelines use few of them.
#[derive(Debug)]
enum Plan {
    /// Its one key is at this position.
    OneKey { at: usize, is_read: bool, is_ordinary: bool },
    /// This table is to be asked each time.
    Ask(Table),
}

const REMEMBERED: usize = 8;

/// Tells routes, and remembers what it looked up.
#[derive(Debug, Default)]
pub struct Router {
    /// By the name as it was written, the latest first.
    plans: Vec<(Vec<u8>, Plan)>,
}

impl Router {
    /// Where a command belongs.
    #[inline]
    pub fn route(&mut self, request: &Request) -> Result<Route, Unroutable> {
        match self.plan(request.arg(0)) {
            Plan::OneKey { at, is_read, .. } if *at < request.len() => {
                Ok(Route::Slot { slot: slot_of(request.arg(*at)), is_read: *is_read })
            }
            Plan::OneKey { .. } => Ok(Route::Refused),
            Plan::Ask(table) => look_up(table, request),
        }
    }

    /// Whether a replica may answer a command, whatever its keys are.
    pub fn is_read(&mut self, request: &Request) -> bool {
        match self.plan(request.arg(0)) {
            Plan::OneKey { is_read, .. } => *is_read,
            Plan::Ask(table) => {
                let argv: Vec<&[u8]> = request.args().collect();
                table.find(&argv).is_some_and(Entry::is_readonly)
            }
        }
    }

    /// Whether a command of this name and so many words is an ordinary one with one key, and so a slot.
    #[inline]
    pub fn has_one_key(&mut self, name: &[u8], words: usize) -> bool {
        matches!(self.plan(name), Plan::OneKey { at, is_ordinary: true, .. } if *at < words)
    }

    /// The slot of an ordinary command with one key, by its words; none of any other.
    #[inline]
    pub fn slot_of_words<'w>(&mut self, mut words: impl Iterator<Item = &'w [u8]>) -> Option<u16> {
        // What begins in another way, as JSON and words in quotes do, is no name, and would push out a plan that is needed.
        let name = words.next().filter(|name| name.first().is_some_and(u8::is_ascii_alphabetic))?;
        let Plan::OneKey { at, is_ordinary: true, .. } = self.plan(name) else { return None };
        words.nth(at.checked_sub(1)?).map(slot_of)
    }

    #[inline]
    fn plan(&mut self, name: &[u8]) -> &Plan {
        // Names are short: to call what compares them would take as long again.
        let is_it = |known: &[u8]| known.len() == name.len() && known.iter().zip(name).all(|(one, other)| one == other);
        let known = self.plans.iter().position(|(known, _)| is_it(known));
        let at = known.unwrap_or_else(|| self.remember(name));
        &self.plans[at].1
    }

    #[cold]
    fn remember(&mut self, name: &[u8]) -> usize {
        let table = Table::builtin_only(name);
        let plan = table.find(&[name]).and_then(|entry| one_key(entry, is_ordinary(name))).unwrap_or(Plan::Ask(table));
        self.plans.truncate(REMEMBERED - 1);
        self.plans.insert(0, (name.to_vec(), plan));
        0
    }
}

/// The plan for a command that has exactly one key, always at the same place.
fn one_key(entry: &Entry, is_ordinary: bool) -> Option<Plan> {
    let [spec] = entry.key_specs.as_slice() else { return None };
    match (&spec.begin, &spec.find) {
        (BeginSearch::Index(at), FindKeys::Range { last: 0, .. })
            if !entry.has_flag("movablekeys")
                && entry.subcommands.is_empty()
                && !spec.flags.iter().any(|flag| flag == "incomplete") =>
        {
            Some(Plan::OneKey { at: usize::try_from(*at).ok()?, is_read: entry.is_readonly(), is_ordinary })
        }
        _ => None,
    }
}

fn look_up(table: &Table, request: &Request) -> Result<Route, Unroutable> {
    let argv: Vec<&[u8]> = request.args().collect();
    let is_read = table.find(&argv).is_some_and(Entry::is_readonly);
    match table.keys(&argv) {
        Ok(mut positions) => {
            if positions.is_empty() {
                positions = table.shard_channels(&argv);
            }
            match owned_of(request) {
                Some(Owned::Slot(slot)) if slot < SLOTS => return Ok(Route::Slot { slot, is_read: false }),
                Some(Owned::Key(at)) => positions = vec![at],
                _ => {}
            }
            route_of_keys(positions.into_iter().map(|at| argv[at]), is_read).map_err(Unroutable::CrossSlot)
        }
        Err(KeysError::WrongArity | KeysError::BadArguments) => Ok(Route::Refused),
        Err(KeysError::UnknownCommand | KeysError::AskServer) => Err(Unroutable::AskServer),
    }
}

/// The first key of a command; empty where the table knows none.
pub fn first_key(request: &Request) -> Vec<u8> {
    let argv: Vec<&[u8]> = request.args().collect();
    let table = Table::builtin_only(request.arg(0));
    let keys = table.keys(&argv).unwrap_or_default();
    let at = keys.first().copied().or_else(|| table.shard_channels(&argv).first().copied());
    at.map_or_else(Vec::new, |at| argv[at].to_vec())
}

/// The route of a command with these keys; the error for keys in several slots, which are told.
pub fn route_of_keys<'k>(keys: impl Iterator<Item = &'k [u8]>, is_read: bool) -> Result<Route, String> {
    let mut slots: Vec<(u16, &[u8])> = Vec::new();
    for key in keys {
        let slot = slot_of(key);
        if !slots.iter().any(|(known, _)| *known == slot) {
            slots.push((slot, key));
        }
    }
    match slots.as_slice() {
        [] => Ok(Route::Keyless),
        [(slot, _)] => Ok(Route::Slot { slot: *slot, is_read }),
        several => Err(describe_slots(several)),
    }
}

/// The error for keys in several slots: one key of each of the first few.
pub fn describe_slots(slots: &[(u16, &[u8])]) -> String {
    const SHOWN: usize = 4;
    const KEY_BYTES: usize = 60;
    let mut text = "CROSSSLOT the keys are in several slots: ".to_owned();
    for (index, (slot, key)) in slots.iter().take(SHOWN).enumerate() {
        text.push_str(if index > 0 { ", " } else { "" });
        quote(&key[..key.len().min(KEY_BYTES)], &mut text);
        text.push_str(if key.len() > KEY_BYTES { "... in slot " } else { " in slot " });
        let _ = write!(text, "{slot}");
    }
    if slots.len() > SHOWN {
        let _ = write!(text, " and {} more", slots.len() - SHOWN);
    }
    text.push_str("; keys with the same {tag} share a slot");
    text
}

#[cfg(test)]
#[expect(clippy::panic, clippy::unnecessary_wraps, reason = "a test that fails says where")]
mod tests {
    use super::*;

    fn route(line: &str) -> Result<Route, Unroutable> {
        Router::default().route(&Request::new(line.split(' ')))
    }

    fn slot(key: &str, is_read: bool) -> Result<Route, Unroutable> {
        Ok(Route::Slot { slot: slot_of(key.as_bytes()), is_read })
    }

    #[test]
    fn commands_go_by_their_keys_wherever_these_are() {
        assert_eq!(route("GET k"), slot("k", true));
        assert_eq!(route("set k v"), slot("k", false));
        assert_eq!(route("EVAL s 1 k a"), slot("k", false));
        assert_eq!(route("EVAL_RO s 2 {k}1 {k}2"), slot("k", true));
        assert_eq!(route("XREAD COUNT 1 STREAMS {k}a {k}b 0 0"), slot("k", true));
        assert_eq!(route("ZUNIONSTORE {k}d 2 {k}a {k}b"), slot("k", false));
        assert_eq!(route("SORT k BY w STORE {k}d"), slot("k", false));
        assert_eq!(route("MIGRATE h 1 k 0 5"), slot("k", false));
        assert_eq!(route("MIGRATE h 1 \"\" 0 5"), slot("\"\"", false));
        assert_eq!(route("OBJECT ENCODING k"), slot("k", true));
        assert_eq!(route("SPUBLISH k m"), slot("k", false));
    }

    #[test]
    fn commands_about_what_one_node_has_go_there() {
        assert_eq!(route("cluster countkeysinslot 7"), Ok(Route::Slot { slot: 7, is_read: false }));
        assert_eq!(route("CLUSTER GETKEYSINSLOT 16383 1"), Ok(Route::Slot { slot: 16383, is_read: false }));
        assert_eq!(route("DEBUG OBJECT k"), slot("k", false));
        for line in ["CLUSTER COUNTKEYSINSLOT 16384", "CLUSTER COUNTKEYSINSLOT x", "CLUSTER KEYSLOT 7", "DEBUG SLEEP 0"]
        {
            assert_eq!(route(line), Ok(Route::Keyless), "{line}");
        }
    }

    #[test]
    fn commands_without_keys_go_anywhere() {
        for line in ["PING", "EVAL s 0", "PUBLISH c m", "CONFIG GET x", "DBSIZE"] {
            assert_eq!(route(line), Ok(Route::Keyless), "{line}");
        }
        for line in ["GET", "MSET", "XREAD COUNT 1"] {
            assert_eq!(route(line), Ok(Route::Refused), "{line}");
        }
        assert_eq!(route("NOSUCH k"), Err(Unroutable::AskServer));
    }

    #[test]
    fn the_slot_of_an_ordinary_command_with_one_key_is_told_by_its_words() {
        let mut router = Router::default();
        let mut slot_of_words = |line: &'static str| router.slot_of_words(line.split(' ').map(str::as_bytes));
        for line in ["GET foo", "set foo v", "OBJECT ENCODING foo", "XADD foo * a b", "SPUBLISH foo m"] {
            let expected = if line.starts_with("OBJECT") || line.starts_with("SPUBLISH") { None } else { Some(12182) };
            assert_eq!(slot_of_words(line), expected, "{line}");
        }
        for line in ["GET", "", "PING", "MGET foo", "EVAL s 1 foo", "SELECT 1", "WATCH foo", "NOSUCH foo", "RESTORE"] {
            assert_eq!(slot_of_words(line), None, "{line}");
        }
    }

    #[test]
    fn what_is_no_name_pushes_no_plan_out() {
        let mut router = Router::default();
        for line in ["[\"GET\", \"foo\"]", "\"GET\" foo", "'GET' foo", " GET foo", ""] {
            assert_eq!(router.slot_of_words(line.split(' ').map(str::as_bytes)), None, "{line}");
        }
        assert!(router.plans.is_empty());
    }

    #[test]
    fn keys_in_several_slots_are_named_with_their_slots() {
        let Err(Unroutable::CrossSlot(text)) = route("MSET foo 1 bar 2 {foo}x 3") else { panic!("it was routed") };
        assert_eq!(
            text,
            "CROSSSLOT the keys are in several slots: \"foo\" in slot 12182, \"bar\" in slot 5061; \
             keys with the same {tag} share a slot"
        );
        assert_eq!(route("MSET {foo}a 1 {foo}b 2"), slot("foo", false));
    }

    #[test]
    fn more_names_than_are_remembered_are_still_told_apart() {
        let mut router = Router::default();
        let mut route = |line: &str| router.route(&Request::new(line.split(' ')));
        for line in ["GET k", "SET k v", "INCR k", "DECR k", "TYPE k", "TTL k", "DUMP k", "LLEN k", "SCARD k", "HLEN k"]
        {
            assert!(matches!(route(line), Ok(Route::Slot { .. })), "{line}");
        }
        assert_eq!(route("GET k"), slot("k", true));
        assert_eq!(route("PING"), Ok(Route::Keyless));
    }
}
