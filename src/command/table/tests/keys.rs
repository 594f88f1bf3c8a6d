//! Key positions, compared with what COMMAND GETKEYS of Valkey 9.1.2 answers to the same words; the two Redis
//! versions answer the same where they know the command.

use super::super::{KeysError, Table};
use super::argv;

/// The words of the keys, in the order of COMMAND GETKEYS.
fn keys(line: &str) -> Result<String, KeysError> {
    let argv = argv(line);
    let positions = Table::builtin().keys(&argv)?;
    Ok(positions.into_iter().map(|at| argv[at]).collect::<Vec<_>>().join(" "))
}

#[test]
fn keys_are_those_the_server_finds() {
    let cases = [
        ("GET a", "a"),
        ("get a", "a"),
        ("SET a b EX 10", "a"),
        ("MSET a 1 b 2 c 3", "a b c"),
        ("MSETNX a 1 b 2", "a b"),
        ("MGET a b c", "a b c"),
        ("DEL a b c", "a b c"),
        ("UNLINK a", "a"),
        ("BITOP AND d a b", "d a b"),
        ("BITOP NOT d a", "d a"),
        ("RENAME a b", "a b"),
        ("COPY a b DB 1", "a b"),
        ("SMOVE a b m", "a b"),
        ("LMOVE a b LEFT RIGHT", "a b"),
        ("BLMOVE a b LEFT RIGHT 0", "a b"),
        ("RPOPLPUSH a b", "a b"),
        ("BLPOP a b 0", "a b"),
        ("BRPOPLPUSH a b 0", "a b"),
        ("EVAL s 0", ""),
        ("EVAL s 0 x y", ""),
        ("EVAL s 2 a b x", "a b"),
        ("EVALSHA h 1 a x", "a"),
        ("EVAL_RO s 1 a", "a"),
        ("FCALL f 2 a b x", "a b"),
        ("FCALL_RO f 0", ""),
        ("XREAD STREAMS a 0", "a"),
        ("XREAD COUNT 1 BLOCK 0 STREAMS a b 0 1", "a b"),
        ("xread streams a b c 0 0 0", "a b c"),
        ("XREADGROUP GROUP g c STREAMS a b > >", "a b"),
        ("XREADGROUP GROUP streams c COUNT 2 NOACK STREAMS a >", "a"),
        ("ZUNION 2 a b WITHSCORES", "a b"),
        ("ZUNIONSTORE d 2 a b WEIGHTS 1 2", "d a b"),
        ("ZINTER 1 a", "a"),
        ("ZINTERSTORE d 3 a b c", "d a b c"),
        ("ZINTERCARD 2 a b LIMIT 1", "a b"),
        ("ZDIFF 2 a b", "a b"),
        ("ZDIFFSTORE d 2 a b", "d a b"),
        ("ZMPOP 2 a b MIN", "a b"),
        ("BZMPOP 0 2 a b MAX COUNT 3", "a b"),
        ("LMPOP 1 a LEFT", "a"),
        ("BLMPOP 0.5 2 a b RIGHT", "a b"),
        ("SINTERCARD 2 a b", "a b"),
        ("SINTERSTORE d a b", "d a b"),
        ("ZRANGESTORE d a 0 -1", "d a"),
        ("SORT a", "a"),
        ("SORT a BY w_* GET # GET o_* LIMIT 0 5 DESC STORE d", "a d"),
        ("SORT a STORE d STORE e", "a e"),
        ("SORT a BY store", "a"),
        ("SORT a GET store STORE d", "a d"),
        ("SORT_RO a BY w_* GET o_*", "a"),
        ("MIGRATE h 1 a 0 100", "a"),
        ("MIGRATE h 1 a 0 100 COPY AUTH keys", "a"),
        ("MIGRATE h 1 \"\" 0 100 KEYS a b", "a b"),
        ("MIGRATE h 1 \"\" 0 100 AUTH keys KEYS a b", "a b"),
        ("MIGRATE h 1 \"\" 0 100 AUTH2 u keys REPLACE KEYS a", "a"),
        ("GEORADIUS a 1 2 3 m", "a"),
        ("GEORADIUS a 1 2 3 m COUNT 1 STORE d", "a d"),
        ("GEORADIUS a 1 2 3 m STOREDIST d", "a d"),
        ("GEORADIUSBYMEMBER a m 3 km ASC STOREDIST store", "a store"),
        ("GEORADIUS_RO a 1 2 3 m", "a"),
        ("GEOSEARCHSTORE d a FROMMEMBER m BYRADIUS 1 m", "d a"),
        ("OBJECT ENCODING a", "a"),
        ("OBJECT freq a", "a"),
        ("MEMORY USAGE a SAMPLES 5", "a"),
        ("XINFO STREAM a FULL", "a"),
        ("XINFO CONSUMERS a g", "a"),
        ("XGROUP CREATE a g $ MKSTREAM", "a"),
        ("XADD a * f v", "a"),
        ("XACK a g 1-1", "a"),
        ("PFCOUNT a b", "a b"),
        ("PFMERGE d a b", "d a b"),
        ("WATCH a b", "a b"),
        ("TOUCH a b", "a b"),
        ("LCS a b", "a b"),
        ("HEXPIRE a 10 FIELDS 1 f", "a"),
        ("RESTORE-ASKING a 0 v", "a"),
        ("DUMP a", "a"),
        ("EXISTS a b", "a b"),
        ("EVAL s 3 a b", ""),
        ("EVAL s x a", ""),
        ("MSETEX 2 a 1 b 2 NX", "a b"),
    ];
    for (line, expected) in cases {
        assert_eq!(keys(line), Ok(expected.to_owned()), "{line}");
    }
}

#[test]
fn commands_without_keys_have_none() {
    let lines = [
        "PING",
        "CONFIG GET x",
        "PUBLISH c m",
        "SPUBLISH c m",
        "SSUBSCRIBE c",
        "CLUSTER KEYSLOT a",
        "SCAN 0",
        "COMMAND GETKEYS GET a",
        "SUNSUBSCRIBE",
    ];
    for line in lines {
        assert_eq!(keys(line), Ok(String::new()), "{line}");
    }
}

#[test]
fn refusals_are_those_of_the_server() {
    let cases = [
        ("GET", KeysError::WrongArity),
        ("GET a b", KeysError::WrongArity),
        ("NOSUCH a", KeysError::UnknownCommand),
        ("CONFIG NOSUCH", KeysError::UnknownCommand),
        ("ZUNION 0 a", KeysError::BadArguments),
        ("ZUNION 3 a b", KeysError::BadArguments),
        ("ZUNION x a", KeysError::BadArguments),
        ("ZUNIONSTORE d 9223372036854775807 a", KeysError::BadArguments),
        ("LMPOP -1 a LEFT", KeysError::BadArguments),
        ("XREAD STREAMS a", KeysError::WrongArity),
        ("XREAD COUNT 1 BLOCK 0", KeysError::BadArguments),
        ("MSET a", KeysError::WrongArity),
        ("MIGRATE h 1 a 0 100 KEYS b", KeysError::BadArguments),
    ];
    for (line, expected) in cases {
        assert_eq!(keys(line), Err(expected), "{line}");
    }
}

#[test]
fn a_lone_destination_is_a_key() {
    // COMMAND GETKEYS refuses it, the command itself runs.
    assert_eq!(keys("PFMERGE d"), Ok("d".to_owned()));
}

#[test]
fn binary_words_may_be_keys() {
    let argv: [&[u8]; 3] = [b"MGET", b"\xff\0", b""];
    assert_eq!(Table::builtin().keys(&argv), Ok(vec![1, 2]));
}

#[test]
fn shard_channels_are_routed_and_are_no_keys() {
    let channels = |line| Table::builtin().shard_channels(&argv(line));
    assert_eq!(channels("SSUBSCRIBE a b"), [1, 2]);
    assert_eq!(channels("SPUBLISH a m"), [1]);
    assert!(channels("SUNSUBSCRIBE").is_empty());
    assert!(channels("PUBLISH a m").is_empty());
    assert!(channels("GET a").is_empty());
}

#[test]
fn empty_argv_is_unknown() {
    assert_eq!(Table::builtin().keys::<&str>(&[]), Err(KeysError::UnknownCommand));
}
