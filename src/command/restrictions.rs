//! The facts about commands that rcli itself has to know, one row a name: what may not run where and what to use
//! instead, which arguments are secret, which commands ask first, which replies are reports, and what a command does to
//! the connection that runs it (contract sections 2, 4 to 7, 10 and 11). What the server knows about them is in `table`.
//!
//! One table with its columns and the questions that are asked of it: longer than other files, for to split it would
//! make two lists of it.

pub mod read_only;

use crate::command::request::Request;

/// What a command does to the connection that runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing that outlasts its reply.
    None,
    Sets(Setting),
    /// HELLO: the version of RESP, and with its options the user and the name.
    Hello,
    /// It takes away everything that was set.
    Reset,
    /// It watches keys until EXEC, DISCARD or UNWATCH.
    Watch,
    /// It ends every WATCH.
    Unwatch,
    /// It opens a block.
    Multi,
    /// It runs the block.
    Exec,
    /// It drops the block.
    Discard,
}

/// Something that a connection keeps until it is set again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    Database,
    User,
    /// Whether a replica in a cluster answers reads.
    Replica,
    /// The name in CLIENT LIST.
    Name,
    /// The name of the library in CLIENT LIST.
    LibraryName,
    LibraryVersion,
    /// Whether the connection is spared when clients take too much memory.
    NoEvict,
    /// Whether reading a key leaves its age as it is.
    NoTouch,
    /// What the server tells about keys that change.
    Tracking,
    /// What the client says that it can do.
    Capabilities,
    /// Whether it brings data from elsewhere, expired keys included.
    ImportSource,
}

/// A reply that is a report for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Of no form that is known.
    Text,
    Info,
    ClientList,
    ClientInfo,
    ClusterInfo,
    ClusterNodes,
}

/// Where a command may not run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Anywhere: one reply a command is expected.
    Anywhere,
    /// In a pipeline, whose replies are all in one version of RESP.
    Pipeline,
    /// In a block that rcli opens and executes itself.
    Block,
    /// Before the MULTI of a program of `txn`: what it watches must stay watched.
    BeforeBlock,
    /// In a cluster, whose connections are all alike.
    Cluster,
}

/// Which uses of a command a fact holds for.
enum Uses {
    None,
    All,
    /// Those with one of these words behind the name.
    With(&'static [&'static str]),
    /// All but those with one of them.
    Without(&'static [&'static str]),
}

impl Uses {
    fn include(&self, request: &Request) -> bool {
        let has = |words: &[&str]| words.iter().any(|word| request.is(1, word));
        match self {
            Self::None => false,
            Self::All => true,
            Self::With(words) => has(words),
            Self::Without(words) => !has(words),
        }
    }
}

/// Where a command is refused, and why: the words behind its name.
struct Refusal {
    place: Place,
    uses: Uses,
    reason: &'static str,
}

/// Arguments that may be a password.
struct Secret {
    /// The subcommand that is meant; none for the whole command.
    subcommand: Option<&'static str>,
    /// What one argument behind these must be like for there to be a secret.
    is_mark: fn(&[u8]) -> bool,
}

/// What is known about the commands of one name.
struct Row {
    name: &'static str,
    refusals: &'static [Refusal],
    secrets: &'static [Secret],
    /// Whether it is asked first on a terminal: it destroys, stops or blocks the server.
    asks: Uses,
    /// Whether its reply is a report for people, which human output prints as it is: redis-cli's list.
    is_report: Uses,
    effect: fn(&Request) -> Effect,
}

/// In alphabetical order.
const ROWS: [Row; 45] = [
    Row { secrets: &[under("SETUSER", |_| true)], ..row("ACL") },
    Row { refusals: &[in_cluster()], ..row("ASKING") },
    Row {
        refusals: &[in_cluster(), before_block(OTHERS_OPTIONS)],
        secrets: &[behind(|_| true)],
        effect: |_| Effect::Sets(Setting::User),
        ..row("AUTH")
    },
    Row {
        refusals: &[Refusal {
            place: Place::Anywhere,
            uses: Uses::With(&["REPLY"]),
            reason: "REPLY changes how replies are counted: `rcli pipe --quiet` writes none",
        }],
        is_report: Uses::With(&["LIST", "INFO"]),
        effect: client_effect,
        ..row("CLIENT")
    },
    Row { asks: Uses::With(&["RESET"]), is_report: Uses::With(&["NODES", "INFO"]), ..row("CLUSTER") },
    Row { secrets: &[under("SET", is_secret_parameter)], ..row("CONFIG") },
    // The REPL's own, with a URL.
    Row { secrets: &[behind(|arg| URL_SIGNS.iter().any(|sign| contains(arg, sign)))], ..row("CONNECT") },
    Row { asks: Uses::Without(&["OBJECT"]), is_report: Uses::With(&["HTSTATS", "HTSTATS-KEY"]), ..row("DEBUG") },
    Row { refusals: &[in_block(SENT_BY_RCLI)], effect: |_| Effect::Discard, ..row("DISCARD") },
    Row {
        refusals: &[
            in_block(SENT_BY_RCLI),
            before_block("is rcli's to send, when the program has ended with status 0"),
        ],
        effect: |_| Effect::Exec,
        ..row("EXEC")
    },
    Row { asks: Uses::All, ..row("FLUSHALL") },
    Row { asks: Uses::All, ..row("FLUSHDB") },
    Row { secrets: &[under("SET", is_secret_parameter)], ..row("FT.CONFIG") },
    Row { asks: Uses::With(&["FLUSH"]), ..row("FUNCTION") },
    Row {
        refusals: &[
            in_cluster(),
            in_pipeline("changes how replies are written: choose the version of RESP with -2 or -3"),
        ],
        secrets: &[behind(|arg| is_any(arg, &["AUTH"]))],
        effect: |_| Effect::Hello,
        ..row("HELLO")
    },
    Row { is_report: Uses::All, ..row("INFO") },
    Row { asks: Uses::All, ..row("KEYS") },
    Row { is_report: Uses::With(&["DOCTOR", "GRAPH"]), ..row("LATENCY") },
    Row { is_report: Uses::All, ..row("LOLWUT") },
    Row { is_report: Uses::With(&["DOCTOR", "MALLOC-STATS"]), ..row("MEMORY") },
    Row { secrets: &[behind(|arg| is_any(arg, &["AUTH", "AUTH2"]))], ..row("MIGRATE") },
    Row { refusals: &[anywhere("turns the connection into a stream: use `rcli monitor`")], ..row("MONITOR") },
    Row { refusals: &[in_block(SENT_BY_RCLI)], effect: |_| Effect::Multi, ..row("MULTI") },
    Row { refusals: &[anywhere("turns the connection into a stream: use `rcli psub`")], ..row("PSUBSCRIBE") },
    Row { refusals: &[anywhere(FOR_REPLICAS)], ..row("PSYNC") },
    Row { refusals: &[anywhere(NO_SUBSCRIPTION)], ..row("PUNSUBSCRIBE") },
    Row {
        refusals: &[
            before_block(OTHERS_OPTIONS),
            in_block(ENDS_BLOCK),
            in_pipeline("would end the connection before its time: a pipeline ends with its input"),
        ],
        ..row("QUIT")
    },
    Row { refusals: &[in_cluster()], effect: |_| Effect::Sets(Setting::Replica), ..row("READONLY") },
    Row { refusals: &[in_cluster()], effect: |_| Effect::Sets(Setting::Replica), ..row("READWRITE") },
    Row { refusals: &[anywhere(FOR_REPLICAS)], ..row("REPLCONF") },
    Row { asks: Uses::All, ..row("REPLICAOF") },
    Row {
        refusals: &[
            in_cluster(),
            before_block(OTHERS_OPTIONS),
            in_block(ENDS_BLOCK),
            in_pipeline(
                "would take away the version of RESP, the user and the database: what is set here, a line sets anew",
            ),
        ],
        effect: |_| Effect::Reset,
        ..row("RESET")
    },
    Row { asks: Uses::With(&["FLUSH"]), ..row("SCRIPT") },
    Row { effect: |_| Effect::Sets(Setting::Database), ..row("SELECT") },
    Row {
        secrets: &[
            under("SET", |arg| is_any(arg, &["auth-pass", "auth-user"])),
            under("CONFIG", |arg| is_any(arg, &["sentinel-pass", "sentinel-user"])),
        ],
        ..row("SENTINEL")
    },
    Row { asks: Uses::All, ..row("SHUTDOWN") },
    Row { asks: Uses::All, ..row("SLAVEOF") },
    Row { refusals: &[anywhere("turns the connection into a stream: use `rcli ssub`")], ..row("SSUBSCRIBE") },
    Row { refusals: &[anywhere("turns the connection into a stream: use `rcli sub`")], ..row("SUBSCRIBE") },
    Row { refusals: &[anywhere(NO_SUBSCRIPTION)], ..row("SUNSUBSCRIBE") },
    Row { asks: Uses::All, ..row("SWAPDB") },
    Row { refusals: &[anywhere(FOR_REPLICAS)], ..row("SYNC") },
    Row { refusals: &[anywhere(NO_SUBSCRIPTION)], ..row("UNSUBSCRIBE") },
    Row { refusals: &[in_block(SENT_BY_RCLI)], effect: |_| Effect::Unwatch, ..row("UNWATCH") },
    Row { refusals: &[in_block(SENT_BY_RCLI)], effect: |_| Effect::Watch, ..row("WATCH") },
];

const NO_SUBSCRIPTION: &str = "has no subscription to end here: `rcli sub`, `psub` and `ssub` end theirs themselves";
const FOR_REPLICAS: &str = "is for replicas: it turns the connection into a stream; rcli rdb FILE fetches a snapshot";
const OTHERS_OPTIONS: &str = "cannot be run here: user and connection stay as rcli's options chose them";
const SENT_BY_RCLI: &str = "cannot stand in the block: rcli sends MULTI and EXEC itself";
const ENDS_BLOCK: &str = "would end the transaction before EXEC";

/// A command about which nothing is known.
const fn row(name: &'static str) -> Row {
    Row { name, refusals: &[], secrets: &[], asks: Uses::None, is_report: Uses::None, effect: |_| Effect::None }
}

const fn anywhere(reason: &'static str) -> Refusal {
    Refusal { place: Place::Anywhere, uses: Uses::All, reason }
}

const fn in_pipeline(reason: &'static str) -> Refusal {
    Refusal { place: Place::Pipeline, uses: Uses::All, reason }
}

const fn in_block(reason: &'static str) -> Refusal {
    Refusal { place: Place::Block, uses: Uses::All, reason }
}

const fn before_block(reason: &'static str) -> Refusal {
    Refusal { place: Place::BeforeBlock, uses: Uses::All, reason }
}

const fn in_cluster() -> Refusal {
    let reason = "is not possible in a cluster: its connections are all alike, as rcli's options say";
    Refusal { place: Place::Cluster, uses: Uses::All, reason }
}

/// A secret behind one of some words of the command.
const fn behind(is_mark: fn(&[u8]) -> bool) -> Secret {
    Secret { subcommand: None, is_mark }
}

/// The same for one subcommand.
const fn under(subcommand: &'static str, is_mark: fn(&[u8]) -> bool) -> Secret {
    Secret { subcommand: Some(subcommand), is_mark }
}

fn is_any(arg: &[u8], words: &[&str]) -> bool {
    words.iter().any(|word| arg.eq_ignore_ascii_case(word.as_bytes()))
}

/// The parameters whose values servers keep out of their logs; passwords of modules have it in their names.
pub fn is_secret_parameter(arg: &[u8]) -> bool {
    is_any(arg, &["masterauth", "masteruser", "primaryauth", "primaryuser"]) || contains(arg, b"pass")
}

/// What stands in a URL with credentials.
const URL_SIGNS: [&[u8]; 3] = [b"@", b"pass=", b"password="];

/// Whether the word is a part of the argument, in any case.
fn contains(arg: &[u8], word: &[u8]) -> bool {
    arg.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

/// What the subcommand of CLIENT does.
fn client_effect(request: &Request) -> Effect {
    const SETTINGS: [(&str, Setting); 6] = [
        ("SETNAME", Setting::Name),
        ("NO-EVICT", Setting::NoEvict),
        ("NO-TOUCH", Setting::NoTouch),
        ("TRACKING", Setting::Tracking),
        ("CAPA", Setting::Capabilities),
        ("IMPORT-SOURCE", Setting::ImportSource),
    ];
    if request.is(1, "SETINFO") {
        let is_version = request.is(2, "LIB-VER");
        return Effect::Sets(if is_version { Setting::LibraryVersion } else { Setting::LibraryName });
    }
    let setting = SETTINGS.iter().find(|(word, _)| request.is(1, word));
    setting.map_or(Effect::None, |(_, setting)| Effect::Sets(*setting))
}

/// For each length and first letter of a name, the last letters that names in the table have: a bit for each. All but a
/// few of the commands of a pipeline are told from those in the table by this alone.
static LAST_LETTERS: [[u32; 32]; 16] = last_letters();

const fn last_letters() -> [[u32; 32]; 16] {
    let mut letters = [[0; 32]; 16];
    let mut index = 0;
    while index < ROWS.len() {
        let name = ROWS[index].name.as_bytes();
        letters[name.len() & 15][(name[0] & 31) as usize] |= 1 << (name[name.len() - 1] & 31);
        index += 1;
    }
    letters
}

/// Whether a name may be in the table. Asked several times for every command, so the bits that tell letters apart in
/// any case are enough.
#[inline]
fn may_be_listed(name: &[u8]) -> bool {
    let [first, .., last] = name else { return false };
    LAST_LETTERS[name.len() & 15][usize::from(first & 31)] >> (last & 31) & 1 == 1
}

/// What is known about the commands of this name, in any case; none where that is nothing.
#[inline]
fn find(name: &[u8]) -> Option<&'static Row> {
    if may_be_listed(name) { find_listed(name) } else { None }
}

#[cold]
fn find_listed(name: &[u8]) -> Option<&'static Row> {
    static ALL: [Row; ROWS.len()] = ROWS;
    ALL.iter().find(|row| name.eq_ignore_ascii_case(row.name.as_bytes()))
}

/// Whether a command of this name may run anywhere and does nothing to its connection, as is told at once of most
/// commands of a pipeline. Others may be so too.
#[inline]
pub fn is_ordinary(name: &[u8]) -> bool {
    name.len() < SHORTEST_URL && find(name).is_none()
}

/// What a command does to the connection that runs it, if the server takes it.
#[inline]
pub fn effect_of(request: &Request) -> Effect {
    find(request.arg(0)).map_or(Effect::None, |row| (row.effect)(request))
}

/// Whether a command's reply is a report for people, which human output prints as it is.
pub fn is_report(request: &Request) -> bool {
    find(request.arg(0)).is_some_and(|row| row.is_report.include(request))
}

/// The report that a command's reply is; none if it is none.
pub fn report_of(request: &Request) -> Option<Report> {
    let row = find(request.arg(0)).filter(|row| row.is_report.include(request))?;
    Some(match row.name {
        "INFO" => Report::Info,
        "CLIENT" if request.is(1, "LIST") => Report::ClientList,
        "CLIENT" => Report::ClientInfo,
        "CLUSTER" if request.is(1, "INFO") => Report::ClusterInfo,
        "CLUSTER" => Report::ClusterNodes,
        _ => Report::Text,
    })
}

/// Which of these commands have reports for replies, by their places.
pub fn reports_of<'r>(requests: impl IntoIterator<Item = &'r Request>) -> Vec<(usize, Report)> {
    let requests = requests.into_iter().enumerate();
    requests.filter_map(|(place, request)| Some((place, report_of(request)?))).collect()
}

/// Whether a command asks before it runs at the prompt (contract section 10).
pub fn asks_first(request: &Request) -> bool {
    find(request.arg(0)).is_some_and(|row| row.asks.include(request))
}

/// Why a command cannot run in the first of these places where it cannot; none if it can in all of them.
#[inline]
fn refuse(request: &Request, places: &[Place]) -> Option<String> {
    let name = request.arg(0);
    if may_be_listed(name) || name.len() >= SHORTEST_URL { refuse_listed(request, places) } else { None }
}

#[cold]
fn refuse_listed(request: &Request, places: &[Place]) -> Option<String> {
    let Some(row) = find(request.arg(0)) else { return refuse_url(request.arg(0)) };
    let refusal = places.iter().find_map(|place| {
        row.refusals.iter().find(|refusal| refusal.place == *place && refusal.uses.include(request))
    })?;
    Some(format!("{} {}", row.name, refusal.reason))
}

/// The length of the shortest URL with a password, `x://:p@h`: most names are shorter.
const SHORTEST_URL: usize = 8;

/// Why a URL is no command: its password would be repeated in the server's error.
fn refuse_url(name: &[u8]) -> Option<String> {
    holds_url(name).then(|| "a URL is no command: it goes with -u, or behind `connect` at the prompt".to_owned())
}

/// Whether a URL stands in place of a command.
pub fn holds_url(name: &[u8]) -> bool {
    memchr::memchr(b':', name).is_some_and(|at| name[at..].windows(3).any(|part| part == b"://"))
}

/// Why a command cannot run where one reply a command is expected; none if it can.
pub fn refuse_uncounted(request: &Request) -> Option<String> {
    refuse(request, &[Place::Anywhere])
}

/// Why a command cannot run in a pipeline, whose replies are all in one version of RESP; none if it can.
pub fn refuse_in_pipeline(request: &Request) -> Option<String> {
    refuse(request, &[Place::Pipeline, Place::Anywhere])
}

/// Why a program of `txn` cannot have a command run before its MULTI; none if it can.
pub fn refuse_before_block(request: &Request) -> Option<String> {
    refuse(request, &[Place::BeforeBlock, Place::Pipeline, Place::Anywhere])
}

/// Why a command cannot stand in a MULTI/EXEC block that rcli opens and executes itself; none if it can.
pub fn refuse_in_block(request: &Request) -> Option<String> {
    refuse(request, &[Place::Block, Place::Pipeline, Place::Anywhere])
}

/// What a cluster cannot do that a single server can; none if it can (contract section 11).
pub fn refuse_in_cluster(request: &Request) -> Option<String> {
    refuse(request, &[Place::Cluster])
}

/// Why a command can run neither in a pipeline nor in a cluster, as far as its name tells; none if it can. What sets the
/// state of a connection is sent to every node.
pub fn refuse_in_cluster_pipeline(request: &Request) -> Option<String> {
    match effect_of(request) {
        Effect::Multi | Effect::Exec | Effect::Discard | Effect::Watch | Effect::Unwatch => Some(format!(
            "{} cannot stand in a pipeline over a cluster, whose nodes work at once: `rcli -c txn` runs a block",
            request.shown(40)
        )),
        Effect::Sets(setting) if setting != Setting::Replica => None,
        _ => refuse(request, &[Place::Pipeline, Place::Anywhere, Place::Cluster]),
    }
}

/// Whether a command of this name may hold a password; its name as the table has it.
pub fn holder_of_secrets(name: &[u8]) -> Option<&'static str> {
    find(name).filter(|row| !row.secrets.is_empty()).map(|row| row.name)
}

/// Whether the arguments of a command, or the URL in place of one, may hold a password. A number and `exec` stand before
/// a command where not every mode knows them.
pub fn holds_secret(request: &Request) -> bool {
    let is_before = |arg: &&[u8]| is_any(arg, &["EXEC"]) || !arg.is_empty() && arg.iter().all(u8::is_ascii_digit);
    let first = request.args().take_while(is_before).count();
    let Some(name) = request.args().nth(first) else { return false };
    let holds = |secret: &Secret| {
        secret.subcommand.is_none_or(|subcommand| request.is(first + 1, subcommand))
            && request.args().skip(first + 1 + usize::from(secret.subcommand.is_some())).any(secret.is_mark)
    };
    find(name).map_or_else(|| holds_url(name), |row| row.secrets.iter().any(holds))
}

#[cfg(test)]
mod tests;
