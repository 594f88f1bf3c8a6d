//! Asks the server what may be typed: its command table, keys, channels, parameters. A thread with a connection of
//! its own asks, so that neither a WATCH nor a block of the session is disturbed; whoever types waits a tenth of a
//! second at most, whatever the server does.

use std::cell::Cell;
use std::ops::Deref;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use redis::Value;

use crate::request::Request;
use crate::server::{Address, Lost, Session, Target};
use crate::table::Table;

/// How long the prompt waits for an answer.
pub const LIMIT: Duration = Duration::from_millis(100);
/// What of it the server gets; the rest is for the way back.
const SERVER_LIMIT: Duration = Duration::from_millis(80);
/// How long the thread tries to connect, and waits for one answer, before it gives up on a server.
const PATIENCE: Duration = Duration::from_secs(2);
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
}

/// A question, where to ask it, until when, and who waits.
struct Task {
    target: Target,
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
    target: Target,
    asked_table: Cell<bool>,
}

impl Lookup {
    /// Starts the thread. It connects when it is first asked.
    pub fn start(target: Target) -> Self {
        let (tasks, waiting) = mpsc::channel();
        thread::spawn(move || {
            // Parsed before anybody types.
            Table::builtin();
            Worker::default().run(&waiting);
        });
        Self { tasks, live: Live::default(), target, asked_table: Cell::new(false) }
    }

    /// Says where the session is now: another server has another table.
    pub fn follow(&mut self, target: &Target) {
        if self.target.address != target.address {
            self.asked_table.set(false);
        }
        self.target = target.clone();
    }

    /// The table that is known now. The first call asks for the server's, which takes longer than a question.
    pub fn table(&self) -> CurrentTable {
        if !self.asked_table.replace(true) {
            let (target, live) = (self.target.clone(), Arc::clone(&self.live));
            thread::spawn(move || {
                let table = open(&target).and_then(|mut session| read_table(&mut session).ok().flatten());
                if let Some(table) = table {
                    *lock(&live) = Some((target.address, Arc::new(table)));
                }
            });
        }
        match &*lock(&self.live) {
            Some((address, table)) if *address == self.target.address => CurrentTable::Live(Arc::clone(table)),
            _ => CurrentTable::Builtin(Table::builtin()),
        }
    }

    /// The answer to a question; nothing where the server is silent or gone.
    pub fn ask(&self, question: Question) -> Vec<Vec<u8>> {
        let (answer, answered) = mpsc::sync_channel(1);
        let deadline = Instant::now() + SERVER_LIMIT;
        let task = Task { target: self.target.clone(), question, deadline, answer };
        // The thread ends only with this process.
        let _ = self.tasks.send(task);
        answered.recv_timeout(LIMIT).unwrap_or_default()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A session that is not in a hurry to fail, and does not wait for ever either.
fn open(target: &Target) -> Option<Session> {
    let impatient = Target { connect_timeout: PATIENCE, read_timeout: Some(PATIENCE), ..target.clone() };
    Session::open(&impatient).ok()
}

#[derive(Default)]
struct Worker {
    session: Option<(Target, Session)>,
}

impl Worker {
    fn run(mut self, tasks: &Receiver<Task>) {
        while let Ok(Task { target, question, deadline, answer }) = tasks.recv() {
            // Whoever asked longer ago has gone on typing.
            if Instant::now() < deadline {
                let found = self.with_session(&target, |session| look_up(session, &question, deadline));
                let _ = answer.send(found.unwrap_or_default());
            }
        }
    }

    /// Does something with a session where the user's is; a session that failed is closed.
    fn with_session<T>(&mut self, target: &Target, work: impl FnOnce(&mut Session) -> Result<T, Lost>) -> Option<T> {
        if self.session.as_mut().is_some_and(|(at, session)| !is_same(at, target) || session.look_after().is_err()) {
            self.session = None;
        }
        if self.session.is_none() {
            self.session = Some((target.clone(), open(target)?));
        }
        let (_, session) = self.session.as_mut()?;
        let done = work(session);
        if done.is_err() {
            self.session = None;
        }
        done.ok()
    }
}

fn is_same(a: &Target, b: &Target) -> bool {
    let identity = |target: &Target| target.credentials.clone().map(|known| (known.user, known.password));
    a.address == b.address && a.db == b.db && identity(a) == identity(b)
}

fn read_table(session: &mut Session) -> Result<Option<Table>, Lost> {
    let command = session.call(&Request::new(["COMMAND"]))?;
    let docs = session.call(&Request::new(["COMMAND", "DOCS"]))?;
    Ok(Table::from_replies(&command, Some(&docs)))
}

/// The answer, sorted and not too long.
fn look_up(session: &mut Session, question: &Question, deadline: Instant) -> Result<Vec<Vec<u8>>, Lost> {
    let mut found = match question {
        Question::Keys(prefix, kind) => scan(session, prefix, *kind, deadline)?,
        Question::Channels(prefix) => channels(session, "CHANNELS", prefix)?,
        Question::ShardChannels(prefix) => channels(session, "SHARDCHANNELS", prefix)?,
        Question::Parameters(prefix) => {
            let reply = session.call(&Request::new([b"CONFIG".as_slice(), b"GET", &pattern(prefix)]))?;
            match reply {
                Value::Map(pairs) => pairs.into_iter().filter_map(|(name, _)| bytes(name)).collect(),
                Value::Array(items) => items.into_iter().step_by(2).filter_map(bytes).collect(),
                _ => Vec::new(),
            }
        }
    };
    found.sort();
    found.dedup();
    found.truncate(OFFERED);
    Ok(found)
}

fn channels(session: &mut Session, which: &str, prefix: &[u8]) -> Result<Vec<Vec<u8>>, Lost> {
    let reply = session.call(&Request::new([b"PUBSUB".as_slice(), which.as_bytes(), &pattern(prefix)]))?;
    Ok(strings(reply))
}

/// Looks for keys until there are enough, all were seen, or the time is up.
fn scan(session: &mut Session, prefix: &[u8], kind: Option<&str>, deadline: Instant) -> Result<Vec<Vec<u8>>, Lost> {
    let (mut found, mut cursor, mut count) = (Vec::new(), b"0".to_vec(), SCAN_FIRST);
    let mut kind = kind;
    loop {
        let mut scan = Request::new([b"SCAN".as_slice(), &cursor, b"MATCH", &pattern(prefix)]);
        scan.push(b"COUNT");
        scan.push(count.to_string().as_bytes());
        if let Some(kind) = kind {
            scan.push(b"TYPE");
            scan.push(kind.as_bytes());
        }
        match session.call(&scan)? {
            Value::Array(reply) => {
                let mut reply = reply.into_iter();
                cursor = reply.next().and_then(bytes).unwrap_or_else(|| b"0".to_vec());
                found.extend(reply.next().map(strings).unwrap_or_default());
            }
            // A server before 6.0 knows no TYPE.
            Value::ServerError(_) if kind.is_some() => {
                kind = None;
                continue;
            }
            _ => break,
        }
        if cursor == b"0" || found.len() >= OFFERED || Instant::now() >= deadline {
            break;
        }
        count = (count * 2).min(SCAN_LARGEST);
    }
    Ok(found)
}

fn strings(reply: Value) -> Vec<Vec<u8>> {
    match reply {
        Value::Array(items) | Value::Set(items) => items.into_iter().filter_map(bytes).collect(),
        _ => Vec::new(),
    }
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        _ => None,
    }
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
