//! What is asked about a type: its length, and the first of what is in it.

/// What is asked about a type.
pub struct Look {
    /// What a person calls it, where the type's own name says less.
    pub name: Option<&'static str>,
    /// What the length counts, one and many, and the command that tells it.
    pub length: Option<(Counted, &'static str)>,
    /// The command that tells of the content, and the words behind the key: `COUNT_OF_THEM` stands for how many elements
    /// are shown, `LAST_OF_THEM` for the index of the last of them.
    pub content: (&'static str, &'static [&'static str]),
    pub layout: Layout,
    /// Whether there are no parts of it to be asked for.
    pub is_document: bool,
}

/// What a length counts: one, and many.
pub type Counted = [&'static str; 2];

/// How the content is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One text.
    Text,
    /// One text, which is JSON.
    Json,
    /// Elements.
    List,
    /// Fields and values, or members and scores.
    Pairs,
    /// A cursor, and then elements, or pairs of them.
    Scan {
        /// Whether they come in pairs.
        in_pairs: bool,
    },
    /// Entries of a stream.
    Entries,
}

/// So many bytes of a string.
pub const BYTES: u64 = 1000;

/// What is asked about a type by its name, as TYPE tells it; none where only the type is known.
pub fn look(kind: &str) -> Option<Look> {
    const SCAN: &[&str] = &["0", "COUNT", "COUNT_OF_THEM"];
    let look =
        |length, content, layout| Some(Look { name: None, length: Some(length), content, layout, is_document: false });
    let module = |name, command, layout| {
        let is_document = matches!(layout, Layout::Json | Layout::List);
        Some(Look { name: Some(name), length: None, content: (command, &[][..]), layout, is_document })
    };
    match kind {
        "string" => look((["byte", "bytes"], "STRLEN"), ("GETRANGE", &["0", "999"]), Layout::Text),
        "list" => look((["element", "elements"], "LLEN"), ("LRANGE", &["0", "LAST_OF_THEM"]), Layout::List),
        "hash" => look((["field", "fields"], "HLEN"), ("HSCAN", SCAN), Layout::Scan { in_pairs: true }),
        "set" => look((["member", "members"], "SCARD"), ("SSCAN", SCAN), Layout::Scan { in_pairs: false }),
        "zset" => {
            look((["member", "members"], "ZCARD"), ("ZRANGE", &["0", "LAST_OF_THEM", "WITHSCORES"]), Layout::Pairs)
        }
        "stream" => {
            look((["entry", "entries"], "XLEN"), ("XREVRANGE", &["+", "-", "COUNT", "COUNT_OF_THEM"]), Layout::Entries)
        }
        "vectorset" => look((["element", "elements"], "VCARD"), ("VRANDMEMBER", &["COUNT_OF_THEM"]), Layout::List),
        "ReJSON-RL" => module("JSON", "JSON.GET", Layout::Json),
        "MBbloom--" => module("Bloom filter", "BF.INFO", Layout::Pairs),
        "MBbloomCF" => module("cuckoo filter", "CF.INFO", Layout::Pairs),
        "CMSk-TYPE" => module("count-min sketch", "CMS.INFO", Layout::Pairs),
        "TopK-TYPE" => module("top-k", "TOPK.LIST", Layout::List),
        "TDIS-TYPE" => module("t-digest", "TDIGEST.INFO", Layout::Pairs),
        "TSDB-TYPE" => module("time series", "TS.INFO", Layout::Pairs),
        _ => None,
    }
}
