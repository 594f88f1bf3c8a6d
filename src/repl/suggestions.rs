//! Asks the server what may be typed: its command table, keys, channels, parameters. A thread with connections of
//! its own asks, so that neither a WATCH nor a block of the session is disturbed; whoever types waits a tenth of a
//! second at most, whatever the server does.

mod primaries;

use std::cell::Cell;
use std::ops::Deref;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use redis::{Cmd, FromRedisValue, Value};

use self::primaries::Crowd;
use crate::command::table::Table;
use crate::net::{Address, Endpoint};

/// How long the prompt waits for an answer.
pub const LIMIT: Duration = Duration::from_millis(100);
/// What of it the server gets; the rest is for the way back.
const SERVER_LIMIT: Duration = Duration::from_millis(80);
/// How long a question waits for the number of keys.
const SIZES_LIMIT: Duration = Duration::from_secs(1);
/// At most so many words are offered: a longer list helps nobody.
const OFFERED: usize = 500;
/// How many keys one SCAN looks at: the first is quick to answer, later ones save round trips.
const SCAN_FIRST: usize = 500;
const SCAN_LARGEST: usize = 8_000;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Keys that begin so, of this type where one is named.
    Keys(Vec<u8>, Option<&'static str>),
    /// Channels that begin so.
    Channels(Vec<u8>),
    /// Shard channels that begin so.
    ShardChannels(Vec<u8>),
    /// Parameters of CONFIG that begin so.
    Parameters(Vec<u8>),
    /// How many keys there are: in the database, and in all of them. What is not told is empty.
    Sizes,
}

/// A question, where to ask it, until when, and who waits.
struct Task {
    endpoint: Endpoint,
    question: Question,
    deadline: Instant,
    answer: SyncSender<Vec<Vec<u8>>>,
}

/// The command table of the server, once it is known; until then the built-in one.
pub enum CurrentTable {
    /// The one that is compiled in.
    Builtin(&'static Table),
    /// The server's.
    Live(Arc<Table>),
}

impl Deref for CurrentTable {
    type Target = Table;

    fn deref(&self) -> &Table {
        match self {
            Self::Builtin(table) => table,
            Self::Live(table) => table,
        }
    }
}

/// The server's table, once it was read, and the address that it was read from.
type Live = Arc<Mutex<Option<(Address, Arc<Table>)>>>;

/// The way to the thread.
pub struct Lookup {
    tasks: Sender<Task>,
    live: Live,
    endpoint: Endpoint,
    asked_table: Cell<bool>,
}

impl Lookup {
    /// Starts the thread. It connects when it is first asked.
    pub fn start(endpoint: Endpoint) -> Self {
        let (tasks, waiting) = mpsc::channel();
        thread::spawn(move || {
            // Parsed before anybody types.
            Table::builtin();
            Worker::default().run(&waiting);
        });
        Self { tasks, live: Live::default(), endpoint, asked_table: Cell::new(false) }
    }

    /// Says where the session is now: another server has another table.
    pub fn follow(&mut self, endpoint: &Endpoint) {
        if self.endpoint.address != endpoint.address {
            self.asked_table.set(false);
        }
        self.endpoint = endpoint.clone();
    }

    /// The table that is known now. The first call asks for the server's, which takes longer than a question.
    pub fn table(&self) -> CurrentTable {
        if !self.asked_table.replace(true) {
            let (endpoint, live) = (self.endpoint.clone(), Arc::clone(&self.live));
            thread::spawn(move || {
                if let Some(table) = read_table(&endpoint) {
                    *lock(&live) = Some((endpoint.address, Arc::new(table)));
                }
            });
        }
        match &*lock(&self.live) {
            Some((address, table)) if *address == self.endpoint.address => CurrentTable::Live(Arc::clone(table)),
            _ => CurrentTable::Builtin(Table::builtin()),
        }
    }

    /// The answer to a question; nothing where the server is silent or gone.
    pub fn ask(&self, question: Question) -> Vec<Vec<u8>> {
        self.ask_for(question, SERVER_LIMIT, LIMIT)
    }

    /// How many keys there are where the session is: in the database, and in all of them; none where that is not told.
    pub fn sizes(&self) -> [Option<u64>; 2] {
        let told = self.ask_for(Question::Sizes, SIZES_LIMIT, SIZES_LIMIT);
        let number = |at: usize| std::str::from_utf8(told.get(at)?).ok()?.parse().ok();
        [number(0), number(1)]
    }

    fn ask_for(&self, question: Question, server_limit: Duration, limit: Duration) -> Vec<Vec<u8>> {
        let (answer, answered) = mpsc::sync_channel(1);
        let deadline = Instant::now() + server_limit;
        let task = Task { endpoint: self.endpoint.clone(), question, deadline, answer };
        // The thread ends only with this process.
        let _ = self.tasks.send(task);
        answered.recv_timeout(limit).unwrap_or_default()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
struct Worker {
    crowd: Option<Crowd>,
}

impl Worker {
    fn run(mut self, tasks: &Receiver<Task>) {
        while let Ok(Task { endpoint, question, deadline, answer }) = tasks.recv() {
            // Whoever asked longer ago has gone on typing.
            if Instant::now() < deadline {
                let _ = answer.send(self.answer(&endpoint, &question, deadline));
            }
        }
    }

    /// The answer of the servers where the user is.
    fn answer(&mut self, endpoint: &Endpoint, question: &Question, deadline: Instant) -> Vec<Vec<u8>> {
        if self.crowd.as_mut().is_some_and(|crowd| !crowd.is_good(endpoint)) {
            self.crowd = None;
        }
        if self.crowd.is_none() {
            self.crowd = Crowd::open(endpoint);
        }
        self.crowd.as_mut().map(|crowd| look_up(crowd, question, deadline)).unwrap_or_default()
    }
}

fn read_table(endpoint: &Endpoint) -> Option<Table> {
    let mut crowd = Crowd::open(&Endpoint { cluster: None, ..endpoint.clone() })?;
    let command = crowd.ask_one(&redis::cmd("COMMAND"))?;
    let docs = crowd.ask_one(redis::cmd("COMMAND").arg("DOCS"))?;
    Table::from_replies(&command, Some(&docs))
}

/// The answer, sorted and not too long.
fn look_up(crowd: &mut Crowd, question: &Question, deadline: Instant) -> Vec<Vec<u8>> {
    if *question == Question::Sizes {
        return sizes(crowd);
    }
    let mut found = match question {
        Question::Sizes => Vec::new(),
        Question::Keys(prefix, kind) => scan(crowd, prefix, *kind, deadline),
        Question::Channels(prefix) => channels(crowd, "CHANNELS", prefix),
        Question::ShardChannels(prefix) => channels(crowd, "SHARDCHANNELS", prefix),
        Question::Parameters(prefix) => {
            let parameters = crowd.ask_one(redis::cmd("CONFIG").arg("GET").arg(pattern(prefix)));
            let pairs: Vec<(Vec<u8>, Value)> = parameters.and_then(read).unwrap_or_default();
            pairs.into_iter().map(|(name, _)| name).collect()
        }
    };
    found.sort();
    found.dedup();
    found.truncate(OFFERED);
    found
}

/// How many keys all of them have: in the database, and in every one.
fn sizes(crowd: &mut Crowd) -> Vec<Vec<u8>> {
    let count = crowd.len();
    let mut ask = |question: Cmd, number: fn(Value) -> Option<u64>| {
        let replies = crowd.ask(&vec![Some(question); count]);
        replies.into_iter().map(|reply| reply.and_then(number)).sum::<Option<u64>>()
    };
    let mut info = redis::cmd("INFO");
    info.arg("keyspace");
    let sums =
        [ask(redis::cmd("DBSIZE"), read::<u64>), ask(info, |reply| read::<String>(reply).map(|info| keys_of(&info)))];
    sums.map(|sum| sum.map(|sum| sum.to_string()).unwrap_or_default().into_bytes()).to_vec()
}

/// The keys of all databases: `db0:keys=5,expires=0,…`.
fn keys_of(info: &str) -> u64 {
    let keys = |line: &str| line.split_once(":keys=")?.1.split(',').next()?.parse::<u64>().ok();
    info.lines().filter_map(keys).sum()
}

fn channels(crowd: &mut Crowd, which: &str, prefix: &[u8]) -> Vec<Vec<u8>> {
    let mut question = redis::cmd("PUBSUB");
    question.arg(which).arg(pattern(prefix));
    let replies = crowd.ask(&vec![Some(question); crowd.len()]);
    replies.into_iter().flatten().filter_map(read::<Vec<Vec<u8>>>).flatten().collect()
}

/// Looks for keys, everywhere at once, until there are enough, all were seen, or the time is up.
fn scan(crowd: &mut Crowd, prefix: &[u8], kind: Option<&str>, deadline: Instant) -> Vec<Vec<u8>> {
    let (mut found, mut count, mut kind) = (Vec::new(), SCAN_FIRST, kind);
    // Where each goes on; none once it has shown all it has.
    let mut cursors = vec![Some(b"0".to_vec()); crowd.len()];
    loop {
        let asked: Vec<Option<Cmd>> =
            cursors.iter().map(|cursor| cursor.as_ref().map(|cursor| scan_from(cursor, prefix, count, kind))).collect();
        // A server before 6.0 knows no TYPE.
        let mut is_refused = false;
        for (reply, cursor) in crowd.ask(&asked).into_iter().zip(&mut cursors) {
            match reply {
                Some(Value::ServerError(_)) if kind.is_some() => is_refused = true,
                reply => {
                    let (next, keys): (Vec<u8>, Vec<Vec<u8>>) = reply.and_then(read).unwrap_or_default();
                    *cursor = Some(next).filter(|next| !next.is_empty() && next != b"0");
                    found.extend(keys);
                }
            }
        }
        if is_refused {
            kind = None;
        }
        if cursors.iter().all(Option::is_none) || found.len() >= OFFERED || Instant::now() >= deadline {
            return found;
        }
        count = (count * 2).min(SCAN_LARGEST);
    }
}

fn scan_from(cursor: &[u8], prefix: &[u8], count: usize, kind: Option<&str>) -> Cmd {
    let mut scan = redis::cmd("SCAN");
    scan.arg(cursor).arg("MATCH").arg(pattern(prefix)).arg("COUNT").arg(count);
    if let Some(kind) = kind {
        scan.arg("TYPE").arg(kind);
    }
    scan
}

/// What an answer holds; nothing where it is something else.
fn read<T: FromRedisValue>(answer: Value) -> Option<T> {
    redis::from_redis_value(answer).ok()
}

/// A glob-style pattern of everything that begins so.
fn pattern(prefix: &[u8]) -> Vec<u8> {
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
