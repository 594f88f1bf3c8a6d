//! What may be asked of the server for whoever types, and which commands ask it. How replies are read is left to `facts`,
//! and what takes many of them to `walk`.

use std::cmp::Reverse;

use redis::Cmd;

use crate::repl::tokens::begins_with;

/// Something that may be typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// What is meant, as bytes.
    pub value: Vec<u8>,
    /// What it is, in a few words; may be empty.
    pub note: String,
    /// Whether it is typed as it stands, and not a value that may have to be quoted.
    pub is_sign: bool,
}

impl Candidate {
    /// A value, and what it is.
    pub fn new(value: impl Into<Vec<u8>>, note: impl Into<String>) -> Self {
        Self { value: value.into(), note: note.into(), is_sign: false }
    }

    /// A word that has a meaning to the server, or to rcli, as it stands.
    pub fn sign(word: impl Into<Vec<u8>>) -> Self {
        Self { value: word.into(), note: String::new(), is_sign: true }
    }
}

/// A question: what there is of a kind, that begins so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The kind.
    pub topic: Topic,
    /// The beginning.
    pub prefix: Vec<u8>,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Keys, of this type where one is named.
    Keys(Option<&'static str>),
    /// Parts of this key, which this command walks through.
    Elements(&'static str, Vec<u8>),
    /// Parts of this key, whatever they are.
    AnyElements(Vec<u8>),
    /// Elements of this list.
    List(Vec<u8>),
    /// Groups of this stream, or of any.
    Groups(Option<Vec<u8>>),
    /// Consumers of this stream, or of any, in a group.
    Consumers(Option<Vec<u8>>, Vec<u8>),
    /// Ids of the newest entries of a stream.
    Entries(Vec<u8>),
    /// Ids that are pending in a group of a stream.
    Pending(Vec<u8>, Vec<u8>),
    /// Fields of the newest entry of a stream.
    EntryFields(Vec<u8>),
    /// Channels.
    Channels,
    /// Shard channels.
    ShardChannels,
    /// Parameters of CONFIG.
    Parameters,
    /// What such a parameter may be set to.
    ParameterValues(String),
    /// Users of the ACL.
    Users,
    /// Categories of the ACL.
    Categories,
    /// Functions.
    Functions,
    /// Libraries of functions.
    Libraries,
    /// What CLIENT LIST says by this name.
    Clients(&'static str),
    /// Databases by their numbers.
    Databases,
    /// Modules.
    Modules,
    /// Indexes of the search module.
    Indexes,
    /// Ids of the nodes of the cluster.
    Nodes,
    /// Sections of INFO.
    Sections,
    /// Events whose latency was noted.
    Events,
    /// How many keys there are: in the database, and in all of them. What is not told is empty.
    Sizes,
}

/// Which servers are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// One of them.
    Any,
    /// All primaries.
    All,
    /// The one that has this key.
    Owner(Vec<u8>),
}

/// How many entries of a stream, or elements of a list, are asked for: each may be large.
const FEW: &[u8] = b"30";
/// The longest candidate, in bytes: the editor counts columns in 16 bits, and a server may name anything.
const LONGEST: usize = 1_000;
/// How many pending ids.
const MANY: &[u8] = b"100";

impl Question {
    /// Whom to ask, and with which commands; nothing for what is walked through.
    pub fn commands(&self) -> (Whom, Vec<Cmd>) {
        let owner = |key: &[u8], words: &[&[u8]]| (Whom::Owner(key.to_vec()), vec![command(words)]);
        let any = |words: &[&[u8]]| (Whom::Any, vec![command(words)]);
        let all = |words: &[&[u8]]| (Whom::All, vec![command(words)]);
        match &self.topic {
            Topic::Keys(_)
            | Topic::Elements(..)
            | Topic::AnyElements(_)
            | Topic::Groups(None)
            | Topic::Consumers(None, _) => (Whom::Any, Vec::new()),
            Topic::List(key) => owner(key, &[b"LRANGE", key, b"0", FEW]),
            Topic::Groups(Some(key)) => owner(key, &[b"XINFO", b"GROUPS", key]),
            Topic::Consumers(Some(key), group) => owner(key, &[b"XINFO", b"CONSUMERS", key, group]),
            Topic::Entries(key) => {
                let ranges = id_ranges(&self.prefix);
                let command = |(last, first): &(String, String)| {
                    command(&[b"XREVRANGE", key, last.as_bytes(), first.as_bytes(), b"COUNT", FEW])
                };
                (Whom::Owner(key.clone()), ranges.iter().map(command).collect())
            }
            Topic::Pending(key, group) => owner(key, &[b"XPENDING", key, group, b"-", b"+", MANY]),
            Topic::EntryFields(key) => owner(key, &[b"XREVRANGE", key, b"+", b"-", b"COUNT", b"1"]),
            Topic::Channels => all(&[b"PUBSUB", b"CHANNELS", &pattern(&self.prefix)]),
            Topic::ShardChannels => all(&[b"PUBSUB", b"SHARDCHANNELS", &pattern(&self.prefix)]),
            Topic::Parameters => any(&[b"CONFIG", b"GET", &pattern(&self.prefix)]),
            Topic::ParameterValues(name) => any(&[b"CONFIG", b"GET", name.as_bytes()]),
            Topic::Users => any(&[b"ACL", b"USERS"]),
            Topic::Categories => any(&[b"ACL", b"CAT"]),
            Topic::Functions | Topic::Libraries => any(&[b"FUNCTION", b"LIST"]),
            Topic::Clients(_) => all(&[b"CLIENT", b"LIST"]),
            Topic::Databases => {
                (Whom::Any, vec![command(&[b"INFO", b"keyspace"]), command(&[b"CONFIG", b"GET", b"databases"])])
            }
            Topic::Modules => any(&[b"MODULE", b"LIST"]),
            Topic::Indexes => any(&[b"FT._LIST"]),
            Topic::Nodes => any(&[b"CLUSTER", b"NODES"]),
            Topic::Sections => any(&[b"INFO", b"everything"]),
            Topic::Events => any(&[b"LATENCY", b"LATEST"]),
            Topic::Sizes => (Whom::All, vec![command(&[b"DBSIZE"]), command(&[b"INFO", b"keyspace"])]),
        }
    }

    /// What asks what a candidate is, where the answer did not say.
    pub fn describing(&self, value: &[u8]) -> Option<(Whom, Cmd)> {
        match self.topic {
            Topic::Keys(None) => Some((Whom::Owner(value.to_vec()), command(&[b"TYPE", value]))),
            Topic::Channels => Some((Whom::All, command(&[b"PUBSUB", b"NUMSUB", value]))),
            Topic::ShardChannels => Some((Whom::All, command(&[b"PUBSUB", b"SHARDNUMSUB", value]))),
            _ => None,
        }
    }

    /// Whether a value begins as is asked for; names of the server's own are written in any case.
    pub fn fits(&self, value: &[u8]) -> bool {
        let prefix = &self.prefix;
        match self.topic {
            Topic::Parameters | Topic::ParameterValues(_) | Topic::Categories | Topic::Sections => {
                begins_with(value, prefix)
            }
            _ => value.starts_with(prefix),
        }
    }

    /// Puts candidates into their order, each once, without those that are too long for any screen.
    pub fn tidy(&self, found: &mut Vec<Candidate>) {
        found.retain(|candidate| candidate.value.len() <= LONGEST);
        match self.topic {
            Topic::Sizes | Topic::ParameterValues(_) => return,
            // The newest first.
            Topic::Entries(_) => found.sort_by_cached_key(|candidate| Reverse(numbers(&candidate.value))),
            Topic::Databases | Topic::Clients("id") | Topic::Pending(..) => {
                found.sort_by_cached_key(|candidate| (numbers(&candidate.value), candidate.note.is_empty()));
            }
            _ => found.sort_by(|one, other| (&one.value, &other.note).cmp(&(&other.value, &one.note))),
        }
        found.dedup_by(|one, other| one.value == other.value);
    }
}

/// A command of these words.
pub fn command(words: &[&[u8]]) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(*word);
    }
    command
}

/// The numbers that a value is made of: `5`, `5-0`.
fn numbers(value: &[u8]) -> Vec<u64> {
    String::from_utf8_lossy(value).split('-').map(|part| part.parse().unwrap_or(u64::MAX)).collect()
}

/// The ranges of ids, the last of each first, among which are those that begin so. An id's first half is a time in
/// milliseconds, of 13 digits, unless somebody numbers entries otherwise.
fn id_ranges(prefix: &[u8]) -> Vec<(String, String)> {
    const DIGITS: usize = 13;
    let all = ("+".to_owned(), "-".to_owned());
    let Some(prefix) = std::str::from_utf8(prefix).ok().filter(|prefix| !prefix.is_empty()) else { return vec![all] };
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match prefix.split_once('-') {
        Some((time, number)) if is_number(time) && is_number(number) => {
            vec![(format!("{time}-{}", u64::MAX), format!("{time}-0"))]
        }
        None if is_number(prefix) && prefix.len() <= DIGITS => {
            vec![(format!("{prefix:9<DIGITS$}"), format!("{prefix:0<DIGITS$}")), all]
        }
        _ => Vec::new(),
    }
}

/// A glob-style pattern of everything that begins so.
pub fn pattern(prefix: &[u8]) -> Vec<u8> {
    let mut pattern = Vec::with_capacity(prefix.len() + 1);
    for byte in prefix {
        if matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\' | b'^') {
            pattern.push(b'\\');
        }
        pattern.push(*byte);
    }
    pattern.push(b'*');
    pattern
}
