//! Asks the server what may be typed: its command table, and what stands in `question`. A thread with connections of its
//! own asks, so that neither a WATCH nor a block of the session is disturbed; whoever types waits a tenth of a second at
//! most, whatever the server does. What takes longer goes on behind, until something else is asked or the line is done.

mod facts;
mod primaries;
mod question;
mod walk;

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use self::primaries::{Crowd, is_same};
pub use self::question::{Candidate, Question, Topic};
use super::lock;
use crate::command::table::Table;
use crate::net::{Address, Endpoint};

/// How long the prompt waits for an answer.
pub const LIMIT: Duration = Duration::from_millis(100);
/// How long a question waits for the number of keys.
const SIZES_LIMIT: Duration = Duration::from_secs(1);
/// How long an answer that took longer is taken to be true when it is asked for again in the same line.
const TRUE_FOR: Duration = Duration::from_secs(5);
/// So many candidates are kept at most: a longer list helps nobody.
const KEPT: usize = 500;

/// What is known of the answer to a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What may be typed.
    pub candidates: Vec<Candidate>,
    /// Whether there are more than were kept.
    pub is_cut: bool,
    /// Whether it is still being looked for.
    pub is_looking: bool,
}

/// The command table of the server, once it is known; until then the built-in one.
pub struct CurrentTable(Option<Arc<Table>>);

impl Deref for CurrentTable {
    type Target = Table;

    fn deref(&self) -> &Table {
        self.0.as_deref().unwrap_or_else(|| Table::builtin())
    }
}

/// The server's table, once it was read, and the address that it was read from.
type Live = Arc<Mutex<Option<(Address, Arc<Table>)>>>;

/// What the prompt and the thread share: one question, since one line is typed at a time.
#[derive(Default)]
struct Board {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Counts the questions: the thread gives up one that is not the last.
    number: u64,
    asked: Option<(Endpoint, Question)>,
    answer: Answer,
    /// When the answer was whole.
    done: Option<Instant>,
    /// Whether it took longer than whoever typed waited.
    is_slow: bool,
}

impl Board {
    /// Waits for a question other than that of this number.
    fn next(&self, number: &mut u64) -> (Endpoint, Question) {
        let mut state = lock(&self.state);
        loop {
            if state.number != *number {
                *number = state.number;
                if let Some(asked) = &state.asked {
                    return asked.clone();
                }
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Tells what was found so far, and whether that is all; whether anybody still wants more.
    fn tell(&self, number: u64, answer: Answer, is_done: bool) -> bool {
        let mut state = lock(&self.state);
        if state.number == number {
            state.done = is_done.then(Instant::now);
            state.answer = answer;
            self.changed.notify_all();
        }
        state.number == number
    }
}

/// The way to the thread.
pub struct Lookup {
    board: Arc<Board>,
    live: Live,
    endpoint: Endpoint,
    asked_table: Cell<bool>,
    /// Whether nobody was there to be asked for the table.
    is_table_missed: Arc<AtomicBool>,
    /// The line in which something was asked last.
    line: RefCell<String>,
}

impl Lookup {
    /// Starts the thread. It connects when it is first asked.
    pub fn start(endpoint: Endpoint) -> Self {
        let board = Arc::<Board>::default();
        let shared = Arc::clone(&board);
        // Where no thread can be had nothing is answered in time.
        let _ = thread::Builder::new().spawn(move || {
            // Parsed before anybody types.
            Table::builtin();
            answer_all(&shared);
        });
        let (asked_table, is_table_missed) = (Cell::new(false), Arc::default());
        Self { board, live: Live::default(), endpoint, asked_table, is_table_missed, line: RefCell::default() }
    }

    /// Says where the session is now: another server has another table, and tells it to some users only.
    pub fn follow(&mut self, endpoint: &Endpoint) {
        let before = Endpoint { db: endpoint.db, ..self.endpoint.clone() };
        if self.is_table_missed.swap(false, Relaxed) || !is_same(&before, endpoint) {
            self.asked_table.set(false);
        }
        self.endpoint = endpoint.clone();
    }

    /// Says what is typed now: what was asked in another line is not looked for any more.
    pub fn heed(&self, line: &str) {
        if *self.line.borrow() != line {
            line.clone_into(&mut self.line.borrow_mut());
            self.rest();
        }
    }

    fn rest(&self) {
        let mut state = lock(&self.board.state);
        *state = State { number: state.number + 1, ..State::default() };
    }

    /// The table that is known now. The first call asks for the server's, which takes longer than a question.
    pub fn table(&self) -> CurrentTable {
        if !self.asked_table.replace(true) {
            let (endpoint, live, is_missed) =
                (self.endpoint.clone(), Arc::clone(&self.live), Arc::clone(&self.is_table_missed));
            let _ = thread::Builder::new().spawn(move || {
                let crowd = Crowd::open(&Endpoint { cluster: None, ..endpoint.clone() });
                is_missed.store(crowd.is_none(), Relaxed);
                let table = crowd.and_then(|mut crowd| Table::of_server(|question| crowd.ask_one(question.clone())));
                if let Some(table) = table {
                    *lock(&live) = Some((endpoint.address, Arc::new(table)));
                }
            });
        }
        let live = lock(&self.live);
        let is_here = |(address, _): &&(Address, Arc<Table>)| *address == self.endpoint.address;
        CurrentTable(live.as_ref().filter(is_here).map(|(_, table)| Arc::clone(table)))
    }

    /// What is known of the answer to a question after a tenth of a second at most; nothing where the server
    /// is gone. What is asked again in the same line goes on from there.
    pub fn ask(&self, question: Question) -> Answer {
        self.ask_for(question, LIMIT)
    }

    /// How many keys there are where the session is: in the database, and in all of them; none where that is not told.
    pub fn sizes(&self) -> [Option<u64>; 2] {
        let told = self.ask_for(Question { topic: Topic::Sizes, prefix: Vec::new() }, SIZES_LIMIT).candidates;
        let number = |at: usize| std::str::from_utf8(&told.get(at)?.value).ok()?.parse().ok();
        [number(0), number(1)]
    }

    fn ask_for(&self, question: Question, limit: Duration) -> Answer {
        let deadline = Instant::now() + limit;
        let mut state = lock(&self.board.state);
        let is_asked = state
            .asked
            .as_ref()
            .is_some_and(|(endpoint, asked)| *asked == question && is_same(endpoint, &self.endpoint));
        // What is told at once is asked anew, and what is old: it may have changed.
        let is_old = |done: Instant| !state.is_slow || done.elapsed() > TRUE_FOR;
        if !is_asked || state.done.is_some_and(is_old) {
            let asked = Some((self.endpoint.clone(), question));
            *state = State { number: state.number + 1, asked, ..State::default() };
            self.board.changed.notify_all();
        }
        while state.done.is_none()
            && let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
        {
            state = self.board.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        // Nothing is told at all before there is a connection.
        let is_looking = state.done.is_none();
        state.is_slow |= is_looking;
        Answer { is_looking, ..state.answer.clone() }
    }
}

/// Answers one question after the other, of the servers where the user is.
fn answer_all(board: &Board) {
    let (mut crowd, mut number): (Option<Crowd>, u64) = (None, 0);
    loop {
        let (endpoint, question) = board.next(&mut number);
        if crowd.as_mut().is_some_and(|crowd| !crowd.is_good(&endpoint)) {
            crowd = None;
        }
        if crowd.is_none() {
            crowd = Crowd::open(&endpoint);
        }
        let (mut found, mut is_cut) = (Vec::new(), false);
        if let Some(crowd) = &mut crowd {
            let tell = |found: &mut Vec<Candidate>, is_all: bool| {
                question.tidy(found);
                is_cut |= found.len() > KEPT;
                found.truncate(KEPT);
                let answer = Answer { candidates: found.clone(), is_cut, is_looking: !is_all && !is_cut };
                board.tell(number, answer, is_cut) && !is_cut
            };
            walk::answer(crowd, &question, &mut found, tell);
        }
        board.tell(number, Answer { candidates: found, is_cut, is_looking: false }, true);
    }
}
