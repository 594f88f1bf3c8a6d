//! Which question to the server answers what may stand at a place of a command: by the type and the name of the argument
//! in COMMAND DOCS, and for a few by the command too.

use crate::command::table::{Argument, BeginSearch, Entry, KeySpec, Kind};
use crate::repl::suggestions::Topic;

/// Where the values of a place come from.
#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    /// The server.
    Ask(Topic),
    /// These words, as they stand here.
    Signs(&'static [&'static str]),
    /// These words, in any case.
    Words(&'static [&'static str]),
    /// The names of commands, those of subcommands behind a bar.
    Names,
    /// A rule for a user of the ACL.
    Rule,
}

/// The types of keys.
pub const TYPES: [&str; 6] = ["string", "list", "set", "zset", "hash", "stream"];

/// A place where a value is expected.
pub struct Place<'a> {
    /// The command.
    pub entry: &'a Entry,
    /// The words before the place, the name first.
    pub argv: &'a [&'a [u8]],
    /// The argument.
    pub argument: &'a Argument,
    /// How the value begins.
    pub prefix: &'a [u8],
}

impl Place<'_> {
    /// Where its values come from; nothing where that cannot be told.
    pub fn sources(&self) -> Vec<Source> {
        let argument = self.argument.name.to_ascii_lowercase().replace('_', "-");
        // A filter of CLIENT KILL and CLIENT LIST, and its opposite.
        let name = argument.strip_prefix("not-").unwrap_or(&argument);
        let command = self.entry.name.as_str();
        let ask = |topic| vec![Source::Ask(topic)];
        match (name, command) {
            _ if self.argument.kind == Kind::Key => ask(Topic::Keys(self.entry.key_type())),
            _ if self.entry.group == "stream" => self.stream_sources(name),
            (_, "CLIENT KILL" | "CLIENT LIST" | "CLIENT UNBLOCK" | "CLIENT TRACKING") => client_sources(name),
            (_, "CLUSTER SETSLOT") | ("node-id", _) => ask(Topic::Nodes),
            ("pattern", "PUBSUB SHARDCHANNELS") | ("shardchannel", _) => ask(Topic::ShardChannels),
            ("pattern", "PSUBSCRIBE" | "PUNSUBSCRIBE" | "PUBSUB CHANNELS") | ("channel", _) => ask(Topic::Channels),
            ("pattern", "KEYS" | "SCAN") | ("key", "CLUSTER KEYSLOT") | ("match-pattern", _) => ask(Topic::Keys(None)),
            ("pattern" | "member" | "member1" | "member2" | "field", _) => self.elements(),
            ("element", "LREM" | "LPOS") | ("pivot", _) => self.of_key(Topic::List),
            ("parameter", "CONFIG GET" | "CONFIG SET") => ask(Topic::Parameters),
            ("value", "CONFIG SET") => {
                let name = self.argv.last().map(|name| String::from_utf8_lossy(name).into_owned());
                name.map(|name| Source::Ask(Topic::ParameterValues(name))).into_iter().collect()
            }
            ("username", _) => ask(Topic::Users),
            ("category" | "categoryname", _) => ask(Topic::Categories),
            ("rule", _) => vec![Source::Rule],
            ("function", _) => ask(Topic::Functions),
            ("library-name" | "library-name-pattern", _) => ask(Topic::Libraries),
            ("command-name", _) | ("command", "LATENCY HISTOGRAM") => vec![Source::Names],
            ("type", _) => vec![Source::Words(&TYPES)],
            ("section", _) => ask(Topic::Sections),
            ("event", _) => ask(Topic::Events),
            ("name", "MODULE UNLOAD") | ("module-name", _) => ask(Topic::Modules),
            ("index", "SELECT") | ("db" | "destination-db" | "index1" | "index2", _) => ask(Topic::Databases),
            ("index", command) if command.starts_with("FT.") => ask(Topic::Indexes),
            _ => self.signs(name).map(Source::Signs).into_iter().collect(),
        }
    }

    /// Words that have a meaning where a number or a value is expected.
    fn signs(&self, name: &str) -> Option<&'static [&'static str]> {
        Some(match (name, self.argument.kind) {
            ("cursor", _) => &["0"],
            ("protover", _) => &["2", "3"],
            ("capability", _) => &["redirect"],
            ("min", Kind::Double) => &["-inf"],
            ("max", Kind::Double) => &["+inf"],
            ("min", _) if self.entry.name.contains("LEX") => &["-"],
            ("max", _) if self.entry.name.contains("LEX") => &["+"],
            ("encoding", _) => &["u8", "u16", "u32", "u63", "i8", "i16", "i32", "i64"],
            ("metric", _) => &["KEY-COUNT", "CPU-USEC", "NETWORK-BYTES-IN", "NETWORK-BYTES-OUT"],
            _ => return None,
        })
    }

    /// Parts of the key, where its type has such.
    fn elements(&self) -> Vec<Source> {
        let scan = match self.entry.group.as_str() {
            "hash" => "HSCAN",
            "set" => "SSCAN",
            "sorted-set" | "geo" => "ZSCAN",
            _ => return Vec::new(),
        };
        self.of_key(|key| Topic::Elements(scan, key))
    }

    fn of_key(&self, topic: impl FnOnce(Vec<u8>) -> Topic) -> Vec<Source> {
        self.key().map(|at| Source::Ask(topic(self.argv[at].to_vec()))).into_iter().collect()
    }

    /// The place of the key that the values belong to: the one that is read, where another one is written.
    fn key(&self) -> Option<usize> {
        let is_read = |spec: &&KeySpec| spec.flags.iter().any(|flag| flag == "access");
        let specs = &self.entry.key_specs;
        let spec = specs.iter().find(is_read).or_else(|| specs.first())?;
        let BeginSearch::Index(at) = spec.begin else { return None };
        usize::try_from(at).ok().filter(|at| *at < self.argv.len())
    }

    /// The word so many places behind the key.
    fn behind_key(&self, count: usize) -> Option<Vec<u8>> {
        Some((*self.argv.get(self.key()? + count)?).to_vec())
    }

    fn stream_sources(&self, name: &str) -> Vec<Source> {
        let command = self.entry.name.as_str();
        let key = self.behind_key(0);
        match (name, command) {
            ("group" | "groupname", "XGROUP CREATE") => Vec::new(),
            // Of XREADGROUP the streams stand behind.
            ("group" | "groupname", _) => vec![Source::Ask(Topic::Groups(key))],
            ("consumer" | "consumername", "XREADGROUP") => {
                self.argv.get(2).map(|group| Source::Ask(Topic::Consumers(None, group.to_vec()))).into_iter().collect()
            }
            ("consumer" | "consumername", _) => {
                let group = self.behind_key(1);
                group.map(|group| Source::Ask(Topic::Consumers(key, group))).into_iter().collect()
            }
            ("id", "XREAD" | "XREADGROUP") => self.read_sources(),
            ("id", "XADD") => vec![Source::Signs(&["*"])],
            ("id", "XGROUP CREATE" | "XGROUP SETID") => self.ids(&["0"], false),
            ("id", "XACK" | "XACKDEL" | "XCLAIM") => self.ids(&[], true),
            ("start", "XAUTOCLAIM") => self.ids(&["0-0"], true),
            ("start", "XPENDING") => self.ids(&["-"], true),
            ("end", "XPENDING") => self.ids(&["+"], true),
            ("start", _) => self.ids(&["-"], false),
            ("end", _) => self.ids(&["+"], false),
            ("id" | "last-id" | "lastid" | "max-deleted-id" | "max-deleted-entry-id", _) => self.ids(&[], false),
            ("threshold", _) if self.argv.iter().any(|word| word.eq_ignore_ascii_case(b"MINID")) => {
                self.ids(&[], false)
            }
            ("field", _) => self.of_key(Topic::EntryFields),
            _ => Vec::new(),
        }
    }

    /// Ids of the stream, of its entries or of what is pending in the group, and signs for them.
    fn ids(&self, signs: &'static [&'static str], is_pending: bool) -> Vec<Source> {
        let topic = match (self.behind_key(0), self.behind_key(1)) {
            (Some(key), Some(group)) if is_pending => Topic::Pending(key, group),
            (Some(key), _) if !is_pending => Topic::Entries(key),
            _ => return Vec::new(),
        };
        vec![Source::Signs(signs), Source::Ask(topic)]
    }

    /// What may stand for an id behind STREAMS, where keys stand too: there are as many ids as keys, but nobody says how
    /// many. The first word that looks like an id ends the keys.
    fn read_sources(&self) -> Vec<Source> {
        let Some(at) = self.argv.iter().position(|word| word.eq_ignore_ascii_case(b"STREAMS")) else {
            return Vec::new();
        };
        let words = &self.argv[at + 1..];
        let is_id = |word: &[u8]| matches!(word, b"$" | b">" | b"+") || word.first().is_some_and(u8::is_ascii_digit);
        let ids = words.iter().position(|word| is_id(word));
        let Some(key) = words.get(words.len() - ids.unwrap_or(words.len())) else { return Vec::new() };
        if ids.is_some_and(|ids| words.len() >= ids * 2) {
            return Vec::new();
        }
        let signs: &[&str] = if self.entry.name == "XREADGROUP" { &[">", "0"] } else { &["$", "0"] };
        let is_in_ids = ids.is_some() || self.prefix.first().is_some_and(u8::is_ascii_digit);
        let entries = is_in_ids.then(|| Source::Ask(Topic::Entries(key.to_vec())));
        std::iter::once(Source::Signs(signs)).chain(entries).collect()
    }
}

/// What CLIENT's filters name; each is called as CLIENT LIST calls it.
fn client_sources(name: &str) -> Vec<Source> {
    let field = match name {
        "client-id" => "id",
        "ip:port" | "old-format" | "addr" => "addr",
        "laddr" => "laddr",
        "username" => return vec![Source::Ask(Topic::Users)],
        "name" => "name",
        "lib-name" => "lib-name",
        "lib-ver" => "lib-ver",
        "db" => return vec![Source::Ask(Topic::Databases)],
        _ => return Vec::new(),
    };
    vec![Source::Ask(Topic::Clients(field))]
}
