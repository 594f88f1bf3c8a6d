//! What is known of one command: its arity, flags, key specs, documentation and argument tree, as a server
//! describes them in COMMAND and COMMAND DOCS. Finding a command, and what follows from these facts, is left to
//! the other files.

use serde::{Deserialize, Serialize};

/// One command, or one subcommand of a container such as CONFIG.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The full name in upper case, a subcommand with its container: `GET`, `CONFIG GET`.
    pub name: String,
    /// How many words the command has, its own name included; negative: at least that many.
    pub arity: i64,
    /// The server's flags: `write`, `readonly`, `blocking`, `noscript`, `pubsub`, `movablekeys` and so on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Where the keys are; no element for a command that takes none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key_specs: Vec<KeySpec>,
    /// The group of the documentation: `string`, `sorted-set`, `generic`; empty when the server documents nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// One sentence saying what the command does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// The server version that brought it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub since: String,
    /// Its cost, in the documentation's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub complexity: String,
    /// What follows the name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<Argument>,
    /// The subcommands of a container, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subcommands: Vec<Entry>,
}

impl Entry {
    /// The last word of the name, which is the one typed for a subcommand: `GET` of `CONFIG GET`.
    pub fn word(&self) -> &str {
        self.name.rsplit(' ').next().unwrap_or_default()
    }

    /// How many words of an argv the name takes.
    pub fn name_words(&self) -> usize {
        1 + self.name.matches(' ').count()
    }

    /// Whether the server gives the command this flag.
    pub fn has_flag(&self, flag: &str) -> bool {
        self.flags.iter().any(|own| own == flag)
    }

    /// Whether it only reads keys, so that a replica may answer it (flag `readonly`).
    pub fn is_readonly(&self) -> bool {
        self.has_flag("readonly")
    }

    /// Whether no argument of it can ever be a key.
    pub fn is_keyless(&self) -> bool {
        !self.has_flag("movablekeys") && self.key_specs.iter().all(KeySpec::is_not_key)
    }

    /// The type its keys have, as `SCAN … TYPE` spells it; `None` when any type fits, as for DEL.
    pub fn key_type(&self) -> Option<&'static str> {
        match self.group.as_str() {
            "string" | "bitmap" | "hyperloglog" => Some("string"),
            "list" => Some("list"),
            "set" => Some("set"),
            "sorted-set" | "geo" => Some("zset"),
            "hash" => Some("hash"),
            "stream" => Some("stream"),
            _ => None,
        }
    }
}

/// One rule for finding keys in an argv (the "key specifications" of the Redis documentation).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeySpec {
    /// What is done to the keys (`RO`, `OW`, `access`, …), and `not_key`, `incomplete`, `variable_flags`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    pub begin: BeginSearch,
    /// Which words from there are keys.
    pub find: FindKeys,
}

impl KeySpec {
    /// Whether what it finds is routed like a key and is none: the shard channels of SSUBSCRIBE.
    pub fn is_not_key(&self) -> bool {
        self.flags.iter().any(|flag| flag == "not_key")
    }
}

/// `begin_search` of a key spec.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BeginSearch {
    /// At this position of the argv.
    Index(i64),
    /// After a word, looked for from a position on; negative positions count, and search, from the end.
    Keyword(String, i64),
    /// The server cannot say.
    Unknown,
}

/// `find_keys` of a key spec; positions are relative to the beginning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FindKeys {
    /// Every `step`-th word up to `last`, which counts from the end of the argv when negative; with a `limit` of
    /// two or more, only that fraction of what is left holds keys (the streams of XREAD).
    Range {
        /// The last key.
        last: i64,
        /// The distance between two keys.
        step: i64,
        /// The fraction, 0 or 1 for all.
        limit: i64,
    },
    /// The word at `count` says how many keys there are.
    Keynum {
        /// Where the number is.
        count: i64,
        /// Where the first key is.
        first: i64,
        /// The distance between two keys.
        step: i64,
    },
    /// The server cannot say.
    Unknown,
}

/// One node of the argument tree of COMMAND DOCS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Argument {
    /// The name shown to people, such as `milliseconds`.
    pub name: String,
    /// What kind of word, or of group of words, it is.
    #[serde(rename = "type", default, skip_serializing_if = "Kind::is_string")]
    pub kind: Kind,
    /// The word that introduces it, such as `PX`; for a pure token all there is of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Whether it may be left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// Whether it may be repeated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub multiple: bool,
    /// Whether each repetition has the token again, as `GET` of SORT.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub multiple_token: bool,
    /// The alternatives of a oneof, the parts of a block.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<Argument>,
}

/// The type of an [`Argument`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Any word; also every type this table does not know.
    #[default]
    String,
    /// A whole number.
    Integer,
    Double,
    Key,
    /// A glob-style pattern.
    Pattern,
    /// Seconds or milliseconds since 1970.
    UnixTime,
    /// The token and nothing else.
    PureToken,
    /// One of the nested arguments.
    Oneof,
    /// All of the nested arguments in order.
    Block,
}

impl Kind {
    /// Serde leaves the commonest type out of the data.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    fn is_string(&self) -> bool {
        *self == Self::String
    }
}
