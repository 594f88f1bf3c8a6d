//! The table is found in, whatever the name, and passed over quickly where a name is in no row.

use super::*;

fn request(line: &str) -> Request {
    Request::new(line.split(' '))
}

#[test]
fn every_row_is_found_in_any_case() {
    assert!(ROWS.is_sorted_by_key(|row| row.name), "in alphabetical order");
    for row in &ROWS {
        let found = [row.name.to_ascii_lowercase(), row.name.to_owned()].map(|name| find(name.as_bytes()));
        assert!(found.iter().all(|found| found.is_some_and(|found| found.name == row.name)), "{}", row.name);
    }
    for name in ["", "SET", "GETS", "INCR", "AUTHS", "ÄUTH", "[UTH", "@UTH", "EXIT", "SUBSCRIBERS", "RESE", "SETBIT"] {
        assert!(find(name.as_bytes()).is_none(), "{name}");
    }
}

#[test]
fn what_is_refused_depends_on_the_place() {
    let refused = |line: &str| {
        let request = request(line);
        [refuse_uncounted, refuse_in_pipeline, refuse_before_block, refuse_in_block, refuse_in_cluster]
            .map(|refuse| refuse(&request).is_some())
    };
    for (line, expected) in [
        ("set a 1", [false; 5]),
        ("subscribe c", [true, true, true, true, false]),
        ("client reply off", [true, true, true, true, false]),
        ("client list", [false; 5]),
        ("hello 3", [false, true, true, true, true]),
        ("quit", [false, true, true, true, false]),
        ("reset", [false, true, true, true, true]),
        ("auth p", [false, false, true, false, true]),
        ("exec", [false, false, true, true, false]),
        ("watch k", [false, false, false, true, false]),
        ("readonly", [false, false, false, false, true]),
        ("redis://:p@h", [true; 5]),
    ] {
        assert_eq!(refused(line), expected, "{line}");
        assert!(expected == [false; 5] || !is_ordinary(request(line).arg(0)), "{line}");
    }
}

#[test]
fn what_destroys_asks_first() {
    for line in ["flushall", "DEBUG SLEEP 1", "debug", "FUNCTION flush async", "cluster reset", "REPLICAOF no one"] {
        assert!(asks_first(&request(line)), "{line}");
    }
    for line in ["GET k", "DEBUG object k", "FUNCTION LIST", "FUNCTION", "SCRIPT LOAD x", "CLUSTER INFO"] {
        assert!(!asks_first(&request(line)), "{line}");
    }
}

#[test]
fn every_command_with_a_secret_is_known() {
    for words in [
        "auth pw",
        "AUTH user pw",
        "HELLO 3 AUTH u p",
        "acl setuser bob on >pw",
        "config set requirepass pw",
        "CONFIG SET maxmemory 0 masterauth pw",
        "CONFIG SET primaryuser u",
        "config set tls-key-file-pass pw port 1",
        "FT.CONFIG SET OSS_GLOBAL_PASSWORD pw",
        "MIGRATE h 1 k 0 9 AUTH pw",
        "migrate h 1 k 0 9 auth2 u pw",
        "sentinel set m down-after-milliseconds 1 auth-pass pw",
        "SENTINEL CONFIG SET sentinel-pass pw",
        "connect redis://u:p@host",
        "connect unix:///s?pass=pw",
        "connect unix:///s?password=pw",
        "connect unix://:pw@/s",
        "redis://u:pw@h",
    ] {
        assert!(holds_secret(&request(words)), "{words}");
    }
    for words in [
        "GET auth",
        "AUTH",
        "SET k v",
        "HELLO 3",
        "ACL GETUSER bob",
        "CONFIG GET requirepass",
        "CONFIG SET save 60",
        "SENTINEL MASTERS",
        "connect localhost 6380",
    ] {
        assert!(!holds_secret(&request(words)), "{words}");
    }
}

#[test]
fn effects_are_told_by_names_in_any_case() {
    for (line, effect) in [
        ("select 3", Effect::Sets(Setting::Database)),
        ("AUTH pw", Effect::Sets(Setting::User)),
        ("Client SetName x", Effect::Sets(Setting::Name)),
        ("CLIENT SETINFO lib-ver 1", Effect::Sets(Setting::LibraryVersion)),
        ("CLIENT SETINFO LIB-NAME x", Effect::Sets(Setting::LibraryName)),
        ("CLIENT NO-TOUCH on", Effect::Sets(Setting::NoTouch)),
        ("READWRITE", Effect::Sets(Setting::Replica)),
        ("watch k", Effect::Watch),
        ("unwatch", Effect::Unwatch),
        ("multi", Effect::Multi),
        ("exec", Effect::Exec),
        ("discard", Effect::Discard),
        ("reset", Effect::Reset),
        ("hello 3", Effect::Hello),
    ] {
        assert_eq!(effect_of(&request(line)), effect, "{line}");
        assert!(!is_ordinary(request(line).arg(0)), "{line}");
    }
    for line in ["SET k v", "CLIENT LIST", "CLIENT", "EVAL", "SELECTS 3", "CONFIG SET a b", "SINTER a", ""] {
        assert_eq!(effect_of(&request(line)), Effect::None, "{line}");
    }
}
