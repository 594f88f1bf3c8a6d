//! Finding commands, refusing wrong ones, listing groups.

use super::super::Table;
use super::argv;

#[test]
fn builtin_table_has_the_commands_of_all_three_servers() {
    let names: Vec<&str> = Table::builtin().names().collect();
    assert!(names.len() > 250, "{} commands", names.len());
    // Of every server, of Redis 8 only, of Valkey 9 only.
    for name in ["GET", "EXEC", "XDELEX", "DELIFEQ", "MSETEX"] {
        assert!(names.contains(&name), "{name}");
    }
    assert!(names.is_sorted());
    // What comes with Redis 8 as a module, but no other module's.
    assert!(names.contains(&"VADD") && names.contains(&"VSIM") && !names.iter().any(|name| name.contains('.')));
    assert_eq!(Table::builtin().keys(&argv("vsim k ele x")), Ok(vec![1]));
    assert!(Table::builtin().find(&["vsim"]).is_some_and(super::super::Entry::is_readonly));
}

#[test]
fn builtin_data_is_one_sorted_command_a_line() {
    let lines: Vec<&str> = super::super::BUILTIN.lines().collect();
    assert_eq!((lines.first(), lines.last()), (Some(&"["), Some(&"]")));
    for (line, entry) in lines[1..].iter().zip(&Table::builtin().entries) {
        let written = serde_json::to_string(entry).expect("an entry can be written");
        assert_eq!(line.trim_end_matches(','), written);
        assert!(entry.subcommands.iter().map(|sub| &sub.name).is_sorted(), "{}", entry.name);
    }
    assert_eq!(lines.len(), Table::builtin().entries.len() + 2);
}

#[test]
fn find_gives_the_subcommand_whatever_its_case() {
    let name = |line| Table::builtin().find(&argv(line)).map(|entry| entry.name.as_str());
    assert_eq!(name("get k"), Some("GET"));
    assert_eq!(name("Config gEt x"), Some("CONFIG GET"));
    assert_eq!(name("CONFIG"), Some("CONFIG"));
    assert_eq!(name("CONFIG NOSUCH"), None);
    assert_eq!(name("NOSUCH"), None);
    assert_eq!(name("\"\""), None);
    assert_eq!(Table::builtin().find::<&str>(&[]), None);
}

#[test]
fn check_uses_the_words_of_the_server() {
    let long = "z".repeat(200);
    let cases = [
        ("nosuch".to_owned(), "unknown command 'nosuch', with args beginning with: ".to_owned()),
        ("No a b".to_owned(), "unknown command 'No', with args beginning with: 'a' 'b' ".to_owned()),
        ("a\r\nb".to_owned(), "unknown command 'a  b', with args beginning with: ".to_owned()),
        (format!("x {long} y"), format!("unknown command 'x', with args beginning with: '{}' ", &long[..128])),
        (long.clone(), format!("unknown command '{}', with args beginning with: ", &long[..128])),
        ("config noSub x".to_owned(), "unknown subcommand 'noSub'. Try CONFIG HELP.".to_owned()),
        ("CONFIG".to_owned(), "wrong number of arguments for 'config' command".to_owned()),
        ("config GET".to_owned(), "wrong number of arguments for 'config|get' command".to_owned()),
        ("GET".to_owned(), "wrong number of arguments for 'get' command".to_owned()),
        ("get a b".to_owned(), "wrong number of arguments for 'get' command".to_owned()),
    ];
    for (line, expected) in cases {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(Table::builtin().check(&words), Err(expected), "{line}");
    }
}

#[test]
fn check_accepts_what_the_server_queues() {
    for line in ["GET a", "SET a b EX", "DEL a b c", "CONFIG GET x y", "COMMAND", "PING", "PING x", "LATENCY RESET"] {
        assert_eq!(Table::builtin().check(&argv(line)), Ok(()), "{line}");
    }
}

#[test]
fn check_survives_bytes_that_are_no_text() {
    let argv: [&[u8]; 2] = [b"\xff\0", b"\xfe"];
    let refusal = Table::builtin().check(&argv).expect_err("there is no such command");
    assert!(refusal.starts_with("unknown command '\\xff\0'"), "{refusal}");
    assert!(Table::builtin().check::<&[u8]>(&[]).is_err());
}

#[test]
fn flags_say_what_a_command_does() {
    let find = |line| Table::builtin().find(&argv(line)).expect("a known command");
    assert!(find("SET").has_flag("write") && !find("SET").is_readonly());
    assert!(find("GET").is_readonly() && !find("GET").has_flag("write"));
    assert!(!find("EVAL").has_flag("write") && !find("EVAL").is_readonly());
    assert!(find("BLPOP").has_flag("blocking"));
    for (line, keyless) in [("PING", true), ("SSUBSCRIBE", true), ("GET", false), ("EVAL", false), ("SORT", false)] {
        assert_eq!(find(line).is_keyless(), keyless, "{line}");
    }
}

#[test]
fn key_types_are_those_of_scan() {
    let kind = |line| Table::builtin().find(&argv(line)).and_then(super::super::Entry::key_type);
    let cases = [
        ("HSET", Some("hash")),
        ("LPUSH", Some("list")),
        ("SADD", Some("set")),
        ("ZADD", Some("zset")),
        ("GEOADD", Some("zset")),
        ("XADD", Some("stream")),
        ("XGROUP CREATE", Some("stream")),
        ("GET", Some("string")),
        ("SETBIT", Some("string")),
        ("PFADD", Some("string")),
        ("DEL", None),
        ("OBJECT ENCODING", None),
    ];
    for (line, expected) in cases {
        assert_eq!(kind(line), expected, "{line}");
    }
}

#[test]
fn groups_are_listed_and_found_in_any_spelling() {
    let table = Table::builtin();
    let groups = table.groups();
    assert!(groups.contains(&"@string".to_owned()) && groups.contains(&"@sorted-set".to_owned()), "{groups:?}");
    assert!(groups.is_sorted() && groups.iter().all(|group| table.in_group(group).next().is_some()));
    for spelling in ["@sorted-set", "sorted_set", "@SortedSet"] {
        assert!(table.in_group(spelling).any(|entry| entry.name == "ZADD"), "{spelling}");
    }
    assert!(table.in_group("@set").all(|entry| entry.name != "ZADD"));
    assert_eq!(table.in_group("@").count() + table.in_group("@nosuch").count(), 0);
}

#[test]
fn subcommands_are_listed() {
    let names = |container: &str| Table::builtin().subcommand_names(container.as_bytes()).collect::<Vec<_>>();
    assert_eq!(names("config"), ["GET", "HELP", "RESETSTAT", "REWRITE", "SET"]);
    // Only Valkey has it, in a container that Redis has too.
    assert!(names("CLIENT").contains(&"IMPORT-SOURCE"));
    assert!(names("GET").is_empty() && names("nosuch").is_empty());
}

#[test]
fn one_command_alone_is_what_it_is_in_the_whole_table() {
    for entry in &Table::builtin().entries {
        let alone = Table::builtin_only(entry.name.to_lowercase().as_bytes());
        assert_eq!(alone.entries, std::slice::from_ref(entry));
    }
    for name in ["NOSUCH", "", "CONFIG GET", "GET\",\"arity\":2"] {
        assert!(Table::builtin_only(name.as_bytes()).entries.is_empty(), "{name}");
    }
}
