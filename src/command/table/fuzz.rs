//! What the table of commands tells of words, whatever these are.
#![allow(clippy::panic, clippy::missing_panics_doc, reason = "a check ends by panicking")]

use std::cell::RefCell;
use std::collections::HashMap;

use redis::Connection;

use super::{KeysError, Table};
use crate::command::request::Request;
use crate::command::restrictions;
use crate::input::parse_line;

/// A line of words: which are keys, and what may follow.
pub fn table(data: &[u8]) {
    let mut request = Request::default();
    let _ = parse_line(data, &mut request);
    let argv: Vec<&[u8]> = request.args().collect();
    let table = Table::builtin();
    for positions in [table.keys(&argv).unwrap_or_default(), table.shard_channels(&argv)] {
        assert!(positions.iter().all(|at| (1..argv.len()).contains(at)), "{positions:?}");
    }
    with_only(request.arg(0), |alone| {
        assert_eq!(alone.keys(&argv), table.keys(&argv), "{}", data.escape_ascii());
    });
    if let Err(reason) = table.check(&argv) {
        assert!(!reason.contains(['\r', '\n']), "{reason}");
    }
    let _ = (table.hint(&argv, true), table.hint(&argv, false), table.expected(&argv), table.options(&argv));
    let _ =
        (restrictions::holds_secret(&request), restrictions::is_report(&request), restrictions::asks_first(&request));
    let _ = (restrictions::effect_of(&request), restrictions::refuse_in_cluster(&request));
}

/// Looks at the table of this command alone. That of a command is made once, since to find it in the whole text takes
/// longer than all the rest; that of none is empty, unless its name could be taken for more of that text than a name.
fn with_only(name: &[u8], look: impl FnOnce(&Table)) {
    thread_local!(static TABLES: RefCell<HashMap<Vec<u8>, Table>> = RefCell::default());
    let is_command = Table::builtin().find(&[name]).is_some();
    if !is_command {
        return look(&if name.contains(&b'"') { Table::builtin_only(name) } else { Table::new(Vec::new()) });
    }
    TABLES.with_borrow_mut(|tables| {
        look(tables.entry(name.to_ascii_uppercase()).or_insert_with(|| Table::builtin_only(name)));
    });
}

/// The arguments of any command that there is: which are keys, as COMMAND GETKEYS has it. Between them stand NULs.
pub fn keys(data: &[u8]) {
    thread_local!(static NAMES: Vec<Vec<&'static str>> = names());
    let Some((number, words)) = data.split_first_chunk::<2>() else { return };
    let number = usize::from(u16::from_be_bytes(*number));
    NAMES.with(|names| check_keys(&names[number % names.len()], words));
}

fn check_keys(name: &[&str], words: &[u8]) {
    let words = words.split(|byte| *byte == 0).filter(|_| !words.is_empty());
    let argv: Vec<&[u8]> = name.iter().map(|word| word.as_bytes()).chain(words).collect();
    let keys = Table::builtin().keys(&argv);
    let positions = keys.as_deref().unwrap_or_default();
    assert!(positions.iter().all(|at| (name.len()..argv.len()).contains(at)), "{name:?}: {positions:?}");
    ask_server(&argv, &keys);
}

/// The names of all commands, with those of their subcommands.
fn names() -> Vec<Vec<&'static str>> {
    let table = Table::builtin();
    let below = |name: &'static str| {
        let mut names: Vec<_> = table.subcommand_names(name.as_bytes()).map(|word| vec![name, word]).collect();
        if names.is_empty() {
            names.push(vec![name]);
        }
        names
    };
    table.names().flat_map(below).collect()
}

/// Compares what are keys here with what they are to COMMAND GETKEYS of the server in `RCLI_FUZZ_SERVER`, if there is
/// one. It refuses commands that it does not know, and some that run all the same.
fn ask_server(argv: &[&[u8]], ours: &Result<Vec<usize>, KeysError>) {
    thread_local!(static SERVER: RefCell<Option<Connection>> = RefCell::new(connect()));
    let answer = SERVER.with_borrow_mut(|server| {
        Some(redis::cmd("COMMAND").arg("GETKEYS").arg(argv).query::<Vec<Vec<u8>>>(server.as_mut()?))
    });
    let Some(Ok(theirs)) = answer else { return };
    // With STORE twice Redis names both, as we do, and Valkey the last.
    let begin = argv[0].get(..9).unwrap_or_default();
    if begin.eq_ignore_ascii_case(b"GEORADIUS") || *ours == Err(KeysError::UnknownCommand) {
        return;
    }
    // A destination of this name takes another one there; the command itself refuses that.
    let is_store = |word: &[u8]| word.eq_ignore_ascii_case(b"STORE");
    if argv.windows(2).any(|pair| is_store(pair[0]) && is_store(pair[1])) {
        return;
    }
    // MIGRATE with KEYS and none of them, EVAL with a number of keys that is none: they run nowhere.
    let entry = Table::builtin().find(argv);
    let is_refused = entry.is_some_and(|entry| entry.name == "MIGRATE" || entry.has_flag("no_mandatory_keys"));
    if is_refused && ours.as_ref().map_or(true, Vec::is_empty) || argv.iter().any(|word| is_read_otherwise(word)) {
        return;
    }
    // Where a destination stands among them differs from one version to the next.
    let sorted = |mut keys: Vec<Vec<u8>>| {
        keys.sort();
        keys
    };
    let ours = ours.as_ref().map(|positions| sorted(positions.iter().map(|at| argv[*at].to_vec()).collect()));
    let shown: Vec<_> = argv.iter().map(|arg| arg.escape_ascii().to_string()).collect();
    assert_eq!(ours, Ok(sorted(theirs)), "{shown:?}");
}

/// Whether it is no number to a command, but one to COMMAND GETKEYS, which looks no further than the last digit; or a
/// word with a NUL, which ends it there.
fn is_read_otherwise(word: &[u8]) -> bool {
    let begins = matches!(word.trim_ascii_start().first(), Some(b'0'..=b'9' | b'+' | b'-' | 0x0b));
    let begins_with_sign = word.starts_with(b"+");
    word.contains(&0)
        || begins_with_sign
        || begins && !std::str::from_utf8(word).is_ok_and(|word| word.parse::<i32>().is_ok())
}

fn connect() -> Option<Connection> {
    let url = std::env::var("RCLI_FUZZ_SERVER").ok()?;
    let connected = redis::Client::open(url).and_then(|client| client.get_connection());
    assert!(connected.is_ok(), "RCLI_FUZZ_SERVER: {:?}", connected.err());
    connected.ok()
}
