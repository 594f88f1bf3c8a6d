//! A scripted TCP peer: a server that answers as told, rightly or wrongly, and remembers all it was sent.

use crate::rcli::{Rcli, rcli};
use crate::server::DEADLINE;
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// What HELLO 3 of a present-day server answers.
pub const GREETING: &[u8] =
    b"%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:3\r\n\
    $2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n";

/// How long a patient peer waits for more before it answers.
const PATIENCE: Duration = Duration::from_millis(40);

/// The answer to one command.
#[derive(Debug, Clone)]
pub enum Answer {
    /// These bytes.
    Send(Vec<u8>),
    /// These bytes, then the connection is closed.
    Close(Vec<u8>),
    /// Nothing, ever: whatever comes after stays unanswered too.
    Silence,
}

/// The bytes as an answer.
pub fn send(bytes: impl AsRef<[u8]>) -> Answer {
    Answer::Send(bytes.as_ref().to_vec())
}

/// The bytes and the end as an answer.
pub fn close(bytes: impl AsRef<[u8]>) -> Answer {
    Answer::Close(bytes.as_ref().to_vec())
}

/// How a peer behaves.
#[derive(Clone)]
pub struct Script {
    hello: Answer,
    auth: Answer,
    select: Answer,
    answers: VecDeque<Answer>,
    always: Vec<(String, Answer)>,
    otherwise: Answer,
    patient: bool,
    exec: Option<Answer>,
    greeting: Option<Vec<u8>>,
}

impl Script {
    /// Turns every connection away: these bytes and the end, whatever it is sent.
    pub fn greeting(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.greeting = Some(bytes.as_ref().to_vec());
        self
    }

    /// Its answer to HELLO; a RESP3 greeting by default.
    pub fn hello(mut self, answer: Answer) -> Self {
        self.hello = answer;
        self
    }

    /// Its answer to AUTH; `+OK` by default.
    pub fn auth(mut self, answer: Answer) -> Self {
        self.auth = answer;
        self
    }

    /// Its answer to SELECT; `+OK` by default.
    pub fn select(mut self, answer: Answer) -> Self {
        self.select = answer;
        self
    }

    /// Its answers to the ordinary commands, in order.
    pub fn answers(mut self, answers: impl IntoIterator<Item = Answer>) -> Self {
        self.answers = answers.into_iter().collect();
        self
    }

    /// Its answer to every command that begins so, whatever else is told; the latest counts.
    pub fn always(mut self, command: &str, answer: Answer) -> Self {
        self.always.insert(0, (command.to_owned(), answer));
        self
    }

    /// Its answer to every ordinary command after those; silence by default.
    pub fn otherwise(mut self, answer: Answer) -> Self {
        self.otherwise = answer;
        self
    }

    /// Knows transactions: MULTI and DISCARD are `+OK`, what stands between is `+QUEUED`, and EXEC is this answer.
    pub fn exec(mut self, answer: Answer) -> Self {
        self.exec = Some(answer);
        self
    }

    /// Answers only when nothing more has come for a while, and counts what had come: the commands in flight.
    pub fn patient(mut self) -> Self {
        self.patient = true;
        self
    }

    /// Listens.
    pub fn start(self) -> Peer {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let shared = Arc::new(Shared { script: Mutex::new(self), log: Mutex::default(), changed: Condvar::new() });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let mut log = accepting.log.lock().unwrap();
                if log.over {
                    return;
                }
                log.connections += 1;
                log.streams.push(stream.try_clone().expect("a second handle"));
                drop(log);
                let serving = Arc::clone(&accepting);
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        Peer { port, shared }
    }
}

/// A peer with RESP3 that answers nothing but the handshake.
pub fn peer() -> Script {
    let ok = send("+OK\r\n");
    Script {
        hello: send(GREETING),
        auth: ok.clone(),
        select: ok,
        answers: VecDeque::new(),
        always: Vec::new(),
        otherwise: Answer::Silence,
        patient: false,
        exec: None,
        greeting: None,
    }
}

/// All that a peer was sent.
#[derive(Default)]
struct Log {
    connections: usize,
    commands: Vec<String>,
    /// What a patient peer had been sent each time it answered.
    batches: Vec<Vec<String>>,
    streams: Vec<TcpStream>,
    over: bool,
}

/// What the threads of a peer share.
struct Shared {
    script: Mutex<Script>,
    log: Mutex<Log>,
    changed: Condvar,
}

/// A listening peer; its connections are closed when it is dropped.
pub struct Peer {
    port: u16,
    shared: Arc<Shared>,
}

impl Peer {
    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A run of rcli with `-p PORT` before these arguments.
    pub fn rcli<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Rcli {
        rcli(["-p", &self.port.to_string()]).args(args)
    }

    /// From now on, its answer to every command that begins so.
    pub fn set(&self, command: &str, answer: Answer) {
        self.shared.script.lock().unwrap().always.insert(0, (command.to_owned(), answer));
    }

    /// Every command it was sent, as words joined by spaces, the handshake included.
    pub fn commands(&self) -> Vec<String> {
        self.shared.log.lock().unwrap().commands.clone()
    }

    /// The commands without the handshake.
    pub fn ordinary(&self) -> Vec<String> {
        self.commands().into_iter().filter(|command| !is_handshake(command)).collect()
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.shared.log.lock().unwrap().connections
    }

    /// The most commands that a patient peer had before it answered.
    pub fn most_in_flight(&self) -> usize {
        self.batches().iter().map(Vec::len).max().unwrap_or(0)
    }

    /// The ordinary commands that had come each time a patient peer answered.
    pub fn batches(&self) -> Vec<Vec<String>> {
        let batches = self.shared.log.lock().unwrap().batches.clone();
        batches.into_iter().map(|batch| batch.into_iter().filter(|command| !is_handshake(command)).collect()).collect()
    }

    /// Waits until it was sent that many ordinary commands.
    pub fn wait_for_commands(&self, count: usize) {
        let begin = Instant::now();
        let mut log = self.shared.log.lock().unwrap();
        while log.commands.iter().filter(|command| !is_handshake(command)).count() < count {
            let left = DEADLINE.checked_sub(begin.elapsed()).expect("the peer was sent too few commands");
            log = self.shared.changed.wait_timeout(log, left).unwrap().0;
        }
    }

    /// Waits until somebody has connected.
    pub fn wait_for_connection(&self) {
        crate::server::wait_for("a connection", || self.connections() > 0);
    }

    /// Sends bytes of its own accord on every connection.
    pub fn say(&self, bytes: &[u8]) {
        for stream in &mut self.shared.log.lock().unwrap().streams {
            let _ = stream.set_nodelay(true);
            let _ = stream.write_all(bytes);
        }
    }

    /// Closes every connection, as a network that breaks.
    pub fn hang_up(&self) {
        for stream in &self.shared.log.lock().unwrap().streams {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.log.lock().unwrap().over = true;
        self.hang_up();
        // Wakes the accepting thread, which then ends.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    /// Reads commands and answers them until the connection ends.
    fn serve(&self, mut stream: TcpStream) {
        let Script { patient, greeting, .. } = self.script.lock().unwrap().clone();
        if let Some(greeting) = greeting {
            let _ = stream.write_all(&greeting);
            // What comes after that is answered with a reset.
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
        let mut buffer = Vec::new();
        let mut chunk = vec![0; 1 << 16];
        let mut waiting: Vec<String> = Vec::new();
        let (mut silent, mut in_block) = (false, false);
        loop {
            let limit = (patient && !waiting.is_empty()).then_some(PATIENCE);
            let _ = stream.set_read_timeout(limit);
            let count = match stream.read(&mut chunk) {
                Ok(0) => return,
                Ok(count) => count,
                Err(error) if limit.is_some() && error.kind() != std::io::ErrorKind::ConnectionReset => 0,
                Err(_) => return,
            };
            buffer.extend_from_slice(&chunk[..count]);
            let mut log = self.log.lock().unwrap();
            while let Some((command, length)) = parse(&buffer) {
                buffer.drain(..length);
                log.commands.push(command.clone());
                waiting.push(command);
            }
            self.changed.notify_all();
            if patient && count > 0 && !waiting.iter().all(|command| is_handshake(command)) {
                continue;
            }
            log.batches.push(waiting.clone());
            drop(log);
            // One write for all of them, as a server does.
            let (mut bytes, mut closing) = (Vec::new(), false);
            for command in std::mem::take(&mut waiting) {
                if silent {
                    break;
                }
                match self.answer(&command, &mut in_block) {
                    Answer::Send(answer) => bytes.extend(answer),
                    Answer::Close(answer) => {
                        bytes.extend(answer);
                        (silent, closing) = (true, true);
                    }
                    Answer::Silence => silent = true,
                }
            }
            let _ = stream.write_all(&bytes);
            if closing {
                // Only this direction: shutting both would reset the peer and could lose what was just sent.
                let _ = stream.shutdown(Shutdown::Write);
                return;
            }
        }
    }

    /// The answer the script has for a command on a connection that may have a block open.
    fn answer(&self, command: &str, in_block: &mut bool) -> Answer {
        let mut script = self.script.lock().unwrap();
        let name = first_word(command);
        if let Some((_, answer)) = script.always.iter().find(|(begin, _)| command.starts_with(begin)) {
            return answer.clone();
        }
        if let Some(exec) = script.exec.clone() {
            let was_open = std::mem::replace(in_block, name == "MULTI");
            match name.as_str() {
                "MULTI" | "DISCARD" => return send("+OK\r\n"),
                "EXEC" => return exec,
                _ if was_open => {
                    *in_block = true;
                    return send("+QUEUED\r\n");
                }
                _ => {}
            }
        }
        match name.as_str() {
            "HELLO" => script.hello.clone(),
            "AUTH" => script.auth.clone(),
            "SELECT" => script.select.clone(),
            "CLIENT" => send("+OK\r\n"),
            "COMMAND" => send("*0\r\n"),
            _ => script.answers.pop_front().unwrap_or_else(|| script.otherwise.clone()),
        }
    }
}

/// Whether a command belongs to opening a connection.
fn is_handshake(command: &str) -> bool {
    ["HELLO", "AUTH", "SELECT", "CLIENT", "COMMAND"].contains(&first_word(command).as_str())
}

/// The command's name in capitals.
fn first_word(command: &str) -> String {
    command.split(' ').next().unwrap_or_default().to_ascii_uppercase()
}

/// The first complete command in the buffer, as text, and its length in bytes.
fn parse(buffer: &[u8]) -> Option<(String, usize)> {
    let mut at = 0;
    let count = header(buffer, &mut at, b'*')?;
    let mut words = Vec::new();
    for _ in 0..count {
        let length = header(buffer, &mut at, b'$')?;
        words.push(String::from_utf8_lossy(buffer.get(at..at + length)?).into_owned());
        buffer.get(at + length..at + length + 2)?;
        at += length + 2;
    }
    Some((words.join(" "), at))
}

/// The number of a header line of this type, moving past it.
fn header(buffer: &[u8], at: &mut usize, kind: u8) -> Option<usize> {
    let rest = buffer.get(*at..)?;
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let digits = rest[..end].strip_prefix(&[kind])?;
    *at += end + 2;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
