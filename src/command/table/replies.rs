//! Reads a server's replies to COMMAND and COMMAND DOCS into entries, and writes the data of the built-in table
//! from several servers' replies. What it does not understand it leaves out: a reply never makes it fail.

use std::borrow::Cow;

use redis::Value;

use super::{Argument, BeginSearch, Entry, FindKeys, KeySpec, Kind, Table};
use crate::text::{Escape, printable, printable_bytes};

/// The commands of vector sets: flagged as a module's, and in every server of Redis 8.
const BUNDLED: &str = "VADD VCARD VDIM VEMB VGETATTR VINFO VISMEMBER VLINKS VRANDMEMBER VREM VSETATTR VSIM";

/// Makes the text of `commands.json` of the replies to COMMAND and COMMAND DOCS of several servers, those whose
/// description wins first. Commands of modules are left out: the built-in table is about servers as they come.
pub fn generate(replies: &[(Value, Value)]) -> String {
    let mut table = Table::default();
    for (command, docs) in replies {
        let mut entries = read_entries(command, Some(docs));
        let is_bundled = |entry: &Entry| !entry.has_flag("module") || BUNDLED.split(' ').any(|name| name == entry.name);
        entries.retain(|entry| is_bundled(entry) && !entry.has_flag("internal"));
        merge(&mut table.entries, entries);
    }
    let lines: Vec<String> = table.entries.iter().filter_map(|entry| serde_json::to_string(entry).ok()).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

/// Adds the entries, and the subcommands, that are not there yet, and sorts.
fn merge(entries: &mut Vec<Entry>, others: Vec<Entry>) {
    for other in others {
        match entries.iter_mut().find(|entry| entry.name == other.name) {
            Some(entry) => merge(&mut entry.subcommands, other.subcommands),
            None => entries.push(other),
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
}

/// Gives an entry of a live table what its server did not say: the documentation that servers before 7.0 have not,
/// and the movable keys that they only hint at.
pub fn complete(entry: &mut Entry, builtin: &Table) {
    let Some(known) = builtin.find(&entry.name.split(' ').collect::<Vec<_>>()) else {
        guess_arguments(entry);
        return;
    };
    if entry.group.is_empty() {
        entry.group.clone_from(&known.group);
        entry.summary.clone_from(&known.summary);
        entry.since.clone_from(&known.since);
        entry.complexity.clone_from(&known.complexity);
        entry.arguments.clone_from(&known.arguments);
    }
    let evaluable = entry.key_specs.iter().any(|spec| spec.begin != BeginSearch::Unknown);
    if entry.has_flag("movablekeys") && (!evaluable || entry.key_specs.iter().all(is_legacy)) {
        entry.key_specs.clone_from(&known.key_specs);
    }
    for subcommand in &mut entry.subcommands {
        complete(subcommand, builtin);
    }
}

/// What follows the name of a command that nobody documents, as those of modules: keys where its keys are, and words, so
/// many at least as it must have. A module may say only that there may be more.
fn guess_arguments(entry: &mut Entry) {
    const MOST: usize = 16;
    if !entry.arguments.is_empty() || !entry.subcommands.is_empty() {
        return;
    }
    let first_key = entry.key_specs.iter().find_map(|spec| match spec.begin {
        BeginSearch::Index(at) => usize::try_from(at).ok(),
        _ => None,
    });
    let words = usize::try_from(entry.arity.unsigned_abs()).unwrap_or(0).max(first_key.map_or(0, |at| at + 1));
    let argument = |at: usize| match first_key {
        Some(key) if key == at => Argument { name: "key".to_owned(), kind: Kind::Key, ..Argument::default() },
        _ => Argument { name: "arg".to_owned(), ..Argument::default() },
    };
    entry.arguments = (entry.name_words()..words.min(MOST)).map(argument).collect();
    if entry.arity < 0 {
        let more = Argument { name: "arg".to_owned(), optional: true, multiple: true, ..Argument::default() };
        entry.arguments.push(more);
    }
}

/// Reads the reply to COMMAND, and gives each command its documentation. Sorted by name.
pub fn read_entries(command: &Value, docs: Option<&Value>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = items(command).iter().filter_map(read_entry).collect();
    for entry in &mut entries {
        describe_from(entry, docs.unwrap_or(&Value::Nil));
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

/// Reads one element of COMMAND: name, arity, flags, first, last and step of the keys, and since Redis 7.0
/// categories, tips, key specs and subcommands.
fn read_entry(reply: &Value) -> Option<Entry> {
    let fields = items(reply);
    let field = |at: usize| fields.get(at).unwrap_or(&Value::Nil);
    let name = text(field(0))?.to_uppercase().replace('|', " ");
    let mut subcommands: Vec<Entry> = items(field(9)).iter().filter_map(read_entry).collect();
    subcommands.sort_by(|a, b| a.name.cmp(&b.name));
    let key_specs = if fields.len() > 8 {
        items(field(8)).iter().map(read_key_spec).collect()
    } else {
        legacy_spec(number(field(3)), number(field(4)), number(field(5)))
    };
    Some(Entry { name, arity: number(field(1)), flags: texts(field(2)), key_specs, subcommands, ..Entry::default() })
}

/// The key spec that first, last and step amount to, which is all that servers before 7.0 say.
fn legacy_spec(first: i64, last: i64, step: i64) -> Vec<KeySpec> {
    if first < 1 || step < 1 {
        return Vec::new();
    }
    let last = if last < 0 { last } else { last.saturating_sub(first) };
    let find = FindKeys::Range { last, step, limit: 0 };
    vec![KeySpec { flags: Vec::new(), begin: BeginSearch::Index(first), find }]
}

/// Whether a spec was made by [`legacy_spec`]: those of servers say what is done to the keys.
fn is_legacy(spec: &KeySpec) -> bool {
    spec.flags.is_empty()
}

/// Reads one key spec; what is not understood becomes "unknown", as it is to the server.
fn read_key_spec(reply: &Value) -> KeySpec {
    let (begin, find) = (field(reply, "begin_search"), field(reply, "find_keys"));
    let (begin_spec, find_spec) = (field(begin, "spec"), field(find, "spec"));
    let in_find = |name| number(field(find_spec, name));
    let begin = match text(field(begin, "type")).as_deref() {
        Some("index") => BeginSearch::Index(number(field(begin_spec, "index"))),
        Some("keyword") => {
            let word = text(field(begin_spec, "keyword")).unwrap_or_default();
            BeginSearch::Keyword(word.into_owned(), number(field(begin_spec, "startfrom")))
        }
        _ => BeginSearch::Unknown,
    };
    let find = match text(field(find, "type")).as_deref() {
        Some("range") => {
            FindKeys::Range { last: in_find("lastkey"), step: in_find("keystep"), limit: in_find("limit") }
        }
        Some("keynum") => {
            FindKeys::Keynum { count: in_find("keynumidx"), first: in_find("firstkey"), step: in_find("keystep") }
        }
        _ => FindKeys::Unknown,
    };
    KeySpec { flags: texts(field(reply, "flags")), begin, find }
}

/// Gives an entry and its subcommands what COMMAND DOCS says of them.
fn describe_from(entry: &mut Entry, docs: &Value) {
    let own = entry.name.replace(' ', "|");
    let Some(reply) = field_if(docs, |name| name.eq_ignore_ascii_case(&own)) else { return };
    let words = |name| text(field(reply, name)).unwrap_or_default().into_owned();
    entry.group = words("group");
    entry.summary = words("summary");
    entry.since = words("since");
    entry.complexity = words("complexity");
    entry.arguments = read_arguments(field(reply, "arguments"));
    for subcommand in &mut entry.subcommands {
        describe_from(subcommand, field(reply, "subcommands"));
    }
}

/// Reads a list of arguments and what is nested in them.
fn read_arguments(reply: &Value) -> Vec<Argument> {
    items(reply).iter().map(read_argument).collect()
}

fn read_argument(reply: &Value) -> Argument {
    let words = |name| text(field(reply, name));
    let flags = texts(field(reply, "flags"));
    let flag = |name| flags.iter().any(|flag| flag == name);
    Argument {
        name: words("display_text").or_else(|| words("name")).unwrap_or_default().into_owned(),
        kind: words("type").and_then(|name| serde_json::from_value(name.as_ref().into()).ok()).unwrap_or_default(),
        token: words("token").map(Cow::into_owned),
        optional: flag("optional"),
        multiple: flag("multiple"),
        multiple_token: flag("multiple_token"),
        arguments: read_arguments(field(reply, "arguments")),
    }
}

/// A reply without the attributes around it.
fn plain(reply: &Value) -> &Value {
    match reply {
        Value::Attribute { data, .. } => plain(data),
        other => other,
    }
}

/// The elements of an array or set.
fn items(reply: &Value) -> &[Value] {
    plain(reply).as_sequence().unwrap_or_default()
}

/// A field of a map, which RESP2 writes as an array; nil where there is none.
fn field<'v>(reply: &'v Value, name: &str) -> &'v Value {
    field_if(reply, |own| own == name).unwrap_or(&Value::Nil)
}

fn field_if(reply: &Value, is_it: impl Fn(&str) -> bool) -> Option<&Value> {
    let mut pairs = plain(reply).as_map_iter()?;
    pairs.find(|(name, _)| text(name).is_some_and(|name| is_it(&name))).map(|(_, value)| value)
}

/// A string of any kind. All of the table is there to be shown at a prompt: what could drive a terminal is escaped.
fn text(reply: &Value) -> Option<Cow<'_, str>> {
    match plain(reply) {
        Value::BulkString(bytes) => Some(printable_bytes(bytes, Escape::Line)),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(printable(text, Escape::Line)),
        // The crate's name for the simple string "OK", which a token could be.
        Value::Okay => Some(Cow::Borrowed("OK")),
        _ => None,
    }
}

/// The strings among the elements.
fn texts(reply: &Value) -> Vec<String> {
    items(reply).iter().filter_map(text).map(Cow::into_owned).collect()
}

/// A number, or 0.
fn number(reply: &Value) -> i64 {
    match plain(reply) {
        Value::Int(number) => *number,
        _ => 0,
    }
}
