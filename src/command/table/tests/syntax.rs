//! The syntax as text, what of it remains, and the words that may come next.

use super::super::{Expected, Kind, Table, syntax};
use super::argv;

const EXPIRATION: &str =
    "[EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]";

#[test]
fn syntax_reads_as_on_redis_io() {
    let set = format!("SET key value [NX | XX] [GET] {EXPIRATION}");
    let cases = [
        ("SET", set.as_str()),
        ("DEL", "DEL key [key ...]"),
        ("MSET", "MSET key value [key value ...]"),
        ("PING", "PING [message]"),
        ("EXEC", "EXEC"),
        ("CONFIG", "CONFIG subcommand [arg ...]"),
        ("COMMAND", "COMMAND [subcommand [arg ...]]"),
        ("CONFIG GET", "CONFIG GET parameter [parameter ...]"),
        ("EVAL", "EVAL script numkeys [key [key ...]] [arg [arg ...]]"),
        (
            "SORT",
            "SORT key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA] \
             [STORE destination]",
        ),
        (
            "ZUNIONSTORE",
            "ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] \
             [AGGREGATE <SUM | MIN | MAX>]",
        ),
        ("XTRIM", "XTRIM key <MAXLEN | MINID> [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]"),
        (
            "MIGRATE",
            "MIGRATE host port <key | \"\"> destination-db timeout [COPY] [REPLACE] \
             [AUTH password | AUTH2 username password] [KEYS key [key ...]]",
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(Table::builtin().find(&argv(line)).map(syntax).as_deref(), Some(expected));
    }
}

#[test]
fn rest_advances_with_the_words() {
    let set = format!("value [NX | XX] [GET] {EXPIRATION}");
    let cases = [
        ("set k", set.as_str()),
        ("SET k v NX GET", EXPIRATION),
        ("SET k v EX", "seconds [NX | XX] [GET]"),
        ("SET k v ex 10", "[NX | XX] [GET]"),
        ("SET k v EX 10 GET NX", ""),
        ("SET k v NOSUCH", ""),
        ("GET k", ""),
        ("GET k too-many", ""),
        ("NOSUCH", ""),
        ("CONFIG", "subcommand [arg ...]"),
        ("CONFIG NOSUCH", ""),
        ("CONFIG SET a", "value [parameter value ...]"),
        ("CONFIG SET a b", "[parameter value ...]"),
        ("DEL a", "[key ...]"),
        ("ZADD k NX", "[GT | LT] [CH] [INCR] score member [score member ...]"),
        ("ZADD k NX 1", "member [score member ...]"),
        ("ZADD k 1 a", "[score member ...]"),
        ("ZADD k 1 a no-score", ""),
        ("HRANDFIELD k 3", "[WITHVALUES]"),
        ("HRANDFIELD k no-count", ""),
        ("MODULE LOADEX p ARGS a CONFIG", "name value [CONFIG name value ...]"),
        ("XADD k MAXLEN ~ 9 *", "field value [field value ...]"),
        ("XADD k * f", "value [field value ...]"),
        ("XREAD COUNT 1", "[BLOCK milliseconds] STREAMS key [key ...] id [id ...]"),
        (
            "SORT k GET a LIMIT 0",
            "count [BY pattern] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA] [STORE destination]",
        ),
        ("ZUNION 1 a WEIGHTS 1 AGGREGATE", "<SUM | MIN | MAX> [WITHSCORES]"),
        (
            "GEOSEARCH k FROMLONLAT 1",
            "latitude <BYRADIUS radius <M | KM | FT | MI> | BYBOX width height <M | KM | FT | MI>> [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
        ),
        (
            "BITFIELD k OVERFLOW SAT",
            "<SET encoding offset value | INCRBY encoding offset increment> [<GET encoding offset | [OVERFLOW <WRAP | SAT \
             | FAIL>] <SET encoding offset value | INCRBY encoding offset increment>> ...]",
        ),
        (
            "MIGRATE h 1 \"\" 0",
            "timeout [COPY] [REPLACE] [AUTH password | AUTH2 username password] [KEYS key [key ...]]",
        ),
        ("MODULE LOADEX p CONFIG a b ARGS", "args [args ...] [CONFIG name value [CONFIG name value ...]]"),
    ];
    for (line, expected) in cases {
        assert_eq!(Table::builtin().rest(&argv(line)), expected, "{line}");
    }
}

#[test]
fn rest_counts_what_numkeys_announced() {
    let cases = [
        ("EVAL s 0", "[arg [arg ...]]"),
        ("EVAL s 2", "key key [arg [arg ...]]"),
        ("EVAL s 2 a", "key [arg [arg ...]]"),
        ("EVAL s 2 a b", "[arg [arg ...]]"),
        ("EVAL s 2 a b c", "[arg ...]"),
        ("EVAL s 9", "key [key ...] [arg [arg ...]]"),
        ("LMPOP 2 a b", "<LEFT | RIGHT> [COUNT count]"),
        ("HEXPIRE k 9 FIELDS 1 f", ""),
        ("HSETEX k FIELDS 2 f 1", "field value"),
        ("MSETEX 1 a 1 NX", EXPIRATION),
    ];
    for (line, expected) in cases {
        assert_eq!(Table::builtin().rest(&argv(line)), expected, "{line}");
    }
}

#[test]
fn options_are_those_valid_at_the_place() {
    let cases: [(&str, &[&str]); 14] = [
        ("SET k v", &["NX", "XX", "GET", "EX", "PX", "EXAT", "PXAT", "KEEPTTL"]),
        ("SET k v NX EX 1", &["GET"]),
        ("SET k v EX", &[]),
        ("SET k", &[]),
        ("config", &["GET", "HELP", "RESETSTAT", "REWRITE", "SET"]),
        ("GEOSEARCH k FROMMEMBER m", &["BYRADIUS", "BYBOX"]),
        ("LMPOP 1 a", &["LEFT", "RIGHT"]),
        ("ZUNION 1 a WEIGHTS 1", &["AGGREGATE", "WITHSCORES"]),
        ("SORT k GET a", &["GET", "BY", "LIMIT", "ASC", "DESC", "ALPHA", "STORE"]),
        ("SORT k GET a BY b", &["LIMIT", "GET", "ASC", "DESC", "ALPHA", "STORE"]),
        ("CLIENT KILL TYPE", &["NORMAL", "MASTER", "SLAVE", "REPLICA", "PUBSUB"]),
        ("REPLICAOF NO", &["ONE"]),
        ("MIGRATE h 1", &[]),
        ("NOSUCH", &[]),
    ];
    for (line, expected) in cases {
        assert_eq!(Table::builtin().options(&argv(line)), expected, "{line}");
    }
}

#[test]
fn keys_and_other_values_are_told_apart() {
    let table = Table::builtin();
    let expects_key = |line: &str| {
        let expected = table.expected(&argv(line));
        expected.iter().any(|next| matches!(next, Expected::Value(argument) if argument.kind == Kind::Key))
    };
    for line in ["GET", "DEL a", "EVAL s 1", "XREAD STREAMS", "SORT k STORE", "OBJECT ENCODING", "BITOP AND d"] {
        assert!(expects_key(line), "{line}");
    }
    for line in ["SET k", "CONFIG", "CONFIG GET", "PUBLISH", "EVAL s 1 a", "PING", "NOSUCH"] {
        assert!(!expects_key(line), "{line}");
    }
    let next = table.expected(&argv("CONFIG GET"));
    assert!(matches!(next[..], [Expected::Value(argument)] if argument.name == "parameter"), "{next:?}");
}

#[test]
fn hints_are_those_of_the_list() {
    let mut count = 0;
    for line in include_str!("../../../../tests/hints.txt").lines() {
        let Some((typed, expected)) = line.split_once('|').filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let words: Vec<&str> = typed.split_whitespace().collect();
        let hint = Table::builtin().hint(&words, !typed.ends_with(' '));
        match expected.strip_suffix("...") {
            Some(begin) => assert!(hint.starts_with(begin), "{typed}: {hint}"),
            None => assert_eq!(hint, expected, "{typed}"),
        }
        count += 1;
    }
    assert!(count > 120, "{count} lines");
}
