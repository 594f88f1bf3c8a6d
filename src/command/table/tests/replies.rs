//! Tables made of servers' replies: RESP2 and RESP3, servers before 7.0, and replies that make no sense.

use redis::Value;

use super::super::{BeginSearch, FindKeys, KeySpec, KeysError, Kind, Table, generate};
use super::argv;

fn text(text: &str) -> Value {
    Value::BulkString(text.as_bytes().to_vec())
}

fn array(items: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(items.into_iter().collect())
}

/// A map as RESP3 sends it, or as RESP2 does.
fn map<const N: usize>(resp3: bool, pairs: [(&str, Value); N]) -> Value {
    if resp3 {
        return Value::Map(pairs.into_iter().map(|(key, value)| (text(key), value)).collect());
    }
    array(pairs.into_iter().flat_map(|(key, value)| [text(key), value]))
}

/// One element of COMMAND; the last four fields only when there are specs.
fn command(name: &str, arity: i64, flags: &[&str], keys: [i64; 3], specs: Option<Value>, subs: Vec<Value>) -> Value {
    let flags = Value::Set(flags.iter().map(|flag| Value::SimpleString((*flag).to_owned())).collect());
    let mut fields = vec![text(name), Value::Int(arity), flags];
    fields.extend(keys.map(Value::Int));
    if let Some(specs) = specs {
        fields.extend([Value::Set(Vec::new()), array([]), specs, Value::Array(subs)]);
    }
    Value::Array(fields)
}

/// A server with a command of its own, a container and a module: COMMAND and COMMAND DOCS.
fn replies(resp3: bool) -> (Value, Value) {
    let index = map(resp3, [("index", Value::Int(2))]);
    let range = map(resp3, [("lastkey", Value::Int(-1)), ("keystep", Value::Int(2)), ("limit", Value::Int(0))]);
    let spec = map(
        resp3,
        [
            ("flags", array([text("RW")])),
            ("begin_search", map(resp3, [("type", text("index")), ("spec", index)])),
            ("find_keys", map(resp3, [("type", text("range")), ("spec", range)])),
        ],
    );
    let sub = command("box|put", -4, &["write"], [2, -1, 2], Some(array([spec])), Vec::new());
    let container = command("box", -2, &[], [0, 0, 0], Some(array([])), vec![sub]);
    let module = command("MOD.GET", 2, &["module"], [1, 1, 1], Some(array([])), Vec::new());
    let key = map(
        resp3,
        [
            ("name", text("key")),
            ("type", text("key")),
            ("token", text("TO")),
            ("flags", array([text("optional"), text("multiple")])),
        ],
    );
    let put = map(resp3, [("summary", text("Puts.")), ("group", text("generic")), ("arguments", array([key]))]);
    let subs = map(resp3, [("box|put", put)]);
    let docs = map(resp3, [("box", map(resp3, [("group", text("generic")), ("subcommands", subs)]))]);
    (array([container, module]), docs)
}

#[test]
fn live_table_reads_resp2_and_resp3_alike() {
    let tables = [true, false].map(|resp3| {
        let (command, docs) = replies(resp3);
        Table::from_replies(&command, Some(&docs)).expect("the reply has commands")
    });
    assert_eq!(tables[0].entries, tables[1].entries);
    let put = tables[0].find(&argv("BOX put")).expect("the subcommand is there");
    assert_eq!((put.name.as_str(), put.arity, put.summary.as_str()), ("BOX PUT", -4, "Puts."));
    assert!(put.has_flag("write") && put.arguments[0].optional && put.arguments[0].multiple);
    assert_eq!((put.arguments[0].kind, put.arguments[0].token.as_deref()), (Kind::Key, Some("TO")));
    assert_eq!(tables[0].keys(&argv("box put a 1 b 2")), Ok(vec![2, 4]));
    assert_eq!(tables[0].check(&argv("box x")), Err("unknown subcommand 'x'. Try BOX HELP.".to_owned()));
}

#[test]
fn live_table_has_what_the_server_has_and_nothing_else() {
    let (command, docs) = replies(true);
    let table = Table::from_replies(&command, Some(&docs)).expect("the reply has commands");
    assert_eq!(table.names().collect::<Vec<_>>(), ["BOX", "MOD.GET"]);
    assert!(table.check(&argv("GET a")).is_err());
}

#[test]
fn servers_before_seven_get_documentation_and_movable_keys_from_the_builtin_table() {
    let command = array([
        command("get", 2, &["readonly"], [1, 1, 1], None, Vec::new()),
        command("mset", -3, &["write"], [1, -1, 2], None, Vec::new()),
        command("zunionstore", -4, &["write", "movablekeys"], [0, 0, 0], None, Vec::new()),
        command("config", -2, &["admin"], [0, 0, 0], None, Vec::new()),
        command("object", -2, &["readonly"], [2, 2, 1], None, Vec::new()),
        command("mod.scan", -2, &["movablekeys"], [0, 0, 0], None, Vec::new()),
    ]);
    let table = Table::from_replies(&command, None).expect("the reply has commands");
    assert_eq!(table.rest(&argv("get")), "key");
    assert_eq!(table.keys(&argv("mset a 1 b 2")), Ok(vec![1, 3]));
    assert_eq!(table.keys(&argv("zunionstore d 1 a")), Ok(vec![1, 3]));
    assert_eq!(table.keys(&argv("mod.scan x")), Err(KeysError::AskServer));
    assert!(table.entries.iter().all(|entry| entry.is_keyless() == (entry.name == "CONFIG")));
    assert_eq!(table.keys(&argv("object encoding a")), Ok(vec![2]));
    // What subcommands such a server has is for the server to say.
    assert_eq!(table.check(&argv("config nosuch")), Ok(()));
}

#[test]
fn generate_merges_servers_the_first_winning() {
    let newer = (array([command("get", 2, &["first"], [1, 1, 1], None, Vec::new())]), Value::Nil);
    let older = array([
        command("get", 3, &["second"], [1, 1, 1], None, Vec::new()),
        command("box", -2, &[], [0, 0, 0], Some(array([])), Vec::new()),
    ]);
    let json = generate(&[newer, (older, Value::Nil), replies(true)]);
    let lines: Vec<&str> = json.lines().collect();
    assert_eq!(lines.len(), 4, "{json}");
    assert!(lines[1].starts_with(r#"{"name":"BOX","#) && lines[1].contains(r#""name":"BOX PUT""#), "{json}");
    assert!(lines[2].contains(r#""arity":2,"flags":["first"]"#), "{json}");
    assert!(!json.contains("MOD.GET"));
    let table = Table::new(serde_json::from_str(&json).expect("it is JSON"));
    let spec = KeySpec {
        flags: vec!["RW".to_owned()],
        begin: BeginSearch::Index(2),
        find: FindKeys::Range { last: -1, step: 2, limit: 0 },
    };
    assert_eq!(table.find(&argv("box put")).map(|put| put.key_specs.clone()), Some(vec![spec]));
}

#[test]
fn odd_replies_make_no_table_or_a_smaller_one() {
    let odd = [
        Value::Nil,
        Value::Int(1),
        Value::Okay,
        array([]),
        array([Value::Nil, Value::Int(1), array([]), array([Value::Nil])]),
        Value::Map(vec![(Value::Nil, Value::Nil)]),
    ];
    for reply in &odd {
        assert!(Table::from_replies(reply, Some(reply)).is_none(), "{reply:?}");
    }
    // A name alone; then every field of a wrong type.
    let named =
        array([array([text("x")]), array([text("y")].into_iter().chain(odd.iter().cloned().chain(odd.clone())))]);
    for docs in &odd {
        let table = Table::from_replies(&named, Some(docs)).expect("there are names");
        assert_eq!(table.names().collect::<Vec<_>>(), ["X", "Y"]);
        assert_eq!(table.rest(&argv("x a")), "");
        let _ = (table.check(&argv("y a")), table.keys(&argv("y a")), table.options(&argv("y a")));
    }
    let (command, docs) = replies(true);
    let wrapped = Value::Attribute { data: Box::new(command), attributes: Vec::new() };
    assert!(Table::from_replies(&wrapped, Some(&docs)).is_some());
}

#[test]
fn extreme_numbers_in_key_specs_do_no_harm() {
    for number in [i64::MIN, -1, 0, 1, i64::MAX] {
        let legacy = array([command("x", number, &[], [number; 3], None, Vec::new())]);
        let table = Table::from_replies(&legacy, None).expect("there is a name");
        let _ = (table.keys(&argv("x a b")), table.check(&argv("x a b")));
        for begin in [BeginSearch::Index(number), BeginSearch::Keyword("a".to_owned(), number)] {
            for find in [
                FindKeys::Range { last: number, step: number, limit: number },
                FindKeys::Keynum { count: number, first: number, step: number },
            ] {
                let mut entry = table.entries[0].clone();
                entry.arity = -1;
                entry.key_specs = vec![KeySpec { flags: Vec::new(), begin: begin.clone(), find }];
                let table = Table::new(vec![entry]);
                let _ = (table.keys(&argv("x a b")), table.keys(&argv("x 1 1 9223372036854775807")));
            }
        }
    }
}

#[test]
fn a_server_with_a_wrong_arity_does_no_harm() {
    for name in ["sort", "sort_ro", "migrate", "georadius", "georadiusbymember"] {
        let reply = array([command(name, -1, &["movablekeys"], [0; 3], None, Vec::new())]);
        let table = Table::from_replies(&reply, None).expect("there is a name");
        for words in 1..8 {
            let argv = vec![name; words];
            let positions = table.keys(&argv).unwrap_or_default();
            assert!(positions.iter().all(|at| *at < words), "{argv:?}: {positions:?}");
        }
    }
}

#[test]
fn a_command_that_nobody_documents_takes_keys_and_words() {
    let syntax_of = |arity, keys, specs| {
        let table = Table::from_replies(&array([command("MOD.X", arity, &["module"], keys, specs, Vec::new())]), None);
        super::super::syntax(&table.expect("a table of one command").entries[0])
    };
    assert_eq!(syntax_of(-1, [1, 1, 1], None), "MOD.X key [arg [arg ...]]");
    assert_eq!(syntax_of(4, [2, 2, 1], None), "MOD.X arg key arg");
    assert_eq!(syntax_of(2, [0, 0, 0], None), "MOD.X arg");
    assert_eq!(syntax_of(-1, [0, 0, 0], None), "MOD.X [arg [arg ...]]");
}
