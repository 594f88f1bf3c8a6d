//! A running rcli: lines in and out, signals, and the comparison at its end. Whatever it waits for has a deadline.

use crate::rcli::{Expectation, Expected};
use crate::server::{DEADLINE, pause};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;
use tempfile::TempDir;

/// What came out of one stream so far, filled by a thread of its own.
#[derive(Default)]
struct Captured {
    state: Mutex<(Vec<u8>, bool)>,
    changed: Condvar,
}

impl Captured {
    /// Reads the stream to its end in the background.
    fn from(stream: Option<impl Read + Send + 'static>) -> Arc<Self> {
        let captured = Arc::new(Self::default());
        let Some(mut stream) = stream else {
            captured.state.lock().unwrap().1 = true;
            return captured;
        };
        let shared = Arc::clone(&captured);
        std::thread::spawn(move || {
            let mut chunk = vec![0; 1 << 16];
            loop {
                let count = stream.read(&mut chunk).unwrap_or(0);
                let mut state = shared.state.lock().unwrap();
                state.0.extend_from_slice(&chunk[..count]);
                state.1 = count == 0;
                shared.changed.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        captured
    }

    /// Waits until the check finds what it looks for in (bytes so far, whether that is all); `None` at the deadline.
    fn wait<T>(&self, mut check: impl FnMut(&[u8], bool) -> Option<T>) -> Option<T> {
        let begin = Instant::now();
        let mut state = self.state.lock().unwrap();
        loop {
            if let Some(found) = check(&state.0, state.1) {
                return Some(found);
            }
            let left = DEADLINE.checked_sub(begin.elapsed())?;
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// A copy of the bytes so far.
    fn bytes(&self) -> Vec<u8> {
        self.state.lock().unwrap().0.clone()
    }
}

/// The program while it runs; killed if the test ends first.
pub struct Running {
    child: Child,
    stdin: Option<Sender<Vec<u8>>>,
    stdout: Arc<Captured>,
    stderr: Arc<Captured>,
    expectation: Expectation,
    told: String,
    lines_read: usize,
    home: Option<TempDir>,
}

/// What a finished run left, already compared with the expectation.
pub struct Finished {
    /// All of standard output.
    pub stdout: Vec<u8>,
    /// All of standard error.
    pub stderr: Vec<u8>,
    /// The exit status.
    pub code: i32,
    /// The home directory of the run.
    pub home: TempDir,
}

impl Finished {
    /// Standard output as text.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

impl Running {
    /// Starts the command; bytes, when given, are all that its standard input will hold.
    pub fn spawn(mut command: Command, bytes: Option<Vec<u8>>, expectation: Expectation, home: TempDir) -> Self {
        let told = format!("{:?}", command.get_args().collect::<Vec<_>>());
        let mut child = command.spawn().expect("the program under test starts");
        // The command holds copies of the pipes given to the child.
        drop(command);
        // Written in a thread of its own: a program that does not read must not hang the test.
        let mut stdin = child.stdin.take().map(|mut pipe| {
            let (sender, receiver) = channel::<Vec<u8>>();
            std::thread::spawn(move || {
                // A program that ends early closes the pipe: its affair.
                while let Ok(bytes) = receiver.recv()
                    && pipe.write_all(&bytes).is_ok()
                {}
            });
            sender
        });
        if let Some(bytes) = bytes
            && let Some(sender) = stdin.take()
        {
            sender.send(bytes).expect("the writing thread");
        }
        let stdout = Captured::from(child.stdout.take());
        let stderr = Captured::from(child.stderr.take());
        Self { child, stdin, stdout, stderr, expectation, told, lines_read: 0, home: Some(home) }
    }

    /// Writes a line to its standard input.
    pub fn send_line(&mut self, line: &str) {
        self.send(format!("{line}\n"));
    }

    /// Writes bytes to its standard input.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sender = self.stdin.as_ref().expect("an interactive run with its input open");
        // A closed pipe shows in the status and the streams.
        let _ = sender.send(bytes.as_ref().to_vec());
    }

    /// Ends its standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// The next line of standard output.
    pub fn next_line(&mut self) -> String {
        self.lines_read += 1;
        let wanted = self.lines_read;
        let stdout = Arc::clone(&self.stdout);
        let line = stdout.wait(|bytes, _| nth_line(bytes, wanted));
        line.unwrap_or_else(|| self.give_up(&format!("no line {wanted} on stdout")))
    }

    /// Waits until that many lines stand on standard output.
    pub fn wait_for_lines(&mut self, count: usize) {
        let stdout = Arc::clone(&self.stdout);
        // What was counted once is not counted again: there may be much of it.
        let (mut seen, mut lines) = (0, 0);
        let found = stdout.wait(|bytes, _| {
            lines += bytes[seen..].iter().filter(|byte| **byte == b'\n').count();
            seen = bytes.len();
            (lines >= count).then_some(())
        });
        if found.is_none() {
            self.give_up(&format!("fewer than {count} lines on stdout"));
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the program still runs");
    }

    /// Sends a signal to its whole process group, as a terminal does.
    pub fn signal_group(&self, signal: Signal) {
        kill_process_group(Pid::from_child(&self.child), signal).expect("the program still runs");
    }

    /// Waits until the program has its handler of SIGINT: one that comes before is not its own.
    pub fn wait_until_it_catches_sigint(&self) {
        crate::server::wait_for("a handler of SIGINT", || self.catches(Signal::INT));
    }

    /// How many threads it has.
    pub fn threads(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/task", self.pid())).map_or(0, Iterator::count)
    }

    /// Whether the program has a handler of this signal.
    pub fn catches(&self, signal: Signal) -> bool {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
        mask & (1 << (signal.as_raw() - 1)) != 0
    }

    /// Standard error so far, as text.
    pub fn err_so_far(&self) -> String {
        String::from_utf8_lossy(&self.stderr.bytes()).into_owned()
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the state of the program").is_none()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its home directory.
    pub fn home(&self) -> &Path {
        self.home.as_ref().expect("the home directory").path()
    }

    /// Ends it by SIGINT once that many lines stand on standard output.
    pub fn interrupt_after(mut self, lines: usize) -> Finished {
        self.wait_for_lines(lines);
        self.signal(Signal::INT);
        self.finish_with_open_stdin()
    }

    /// Waits for its end and compares everything with what was expected.
    pub fn finish(mut self) -> Finished {
        self.close_stdin();
        self.end()
    }

    /// Waits for an end that its standard input, still open, does not bring about.
    pub fn finish_with_open_stdin(mut self) -> Finished {
        self.end()
    }

    /// Waits for the end of the process and of both streams, then compares.
    fn end(&mut self) -> Finished {
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the state of the program") {
                break status;
            }
            if begin.elapsed() > DEADLINE {
                self.give_up("it did not end");
            }
            pause();
        };
        for stream in [Arc::clone(&self.stdout), Arc::clone(&self.stderr)] {
            if stream.wait(|_, ended| ended.then_some(())).is_none() {
                self.give_up("it ended, but something holds its output open");
            }
        }
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        self.compare(code);
        let home = self.home.take().expect("the home directory");
        Finished { stdout: self.stdout.bytes(), stderr: self.stderr.bytes(), code, home }
    }

    /// Compares status and streams with the expectation, and forbids panics everywhere.
    fn compare(&mut self, code: i32) {
        let mut wrong = String::new();
        if !self.expectation.status.contains(&code) {
            let _ = writeln!(wrong, "status {code}, expected {:?}", self.expectation.status);
        }
        let streams =
            [("stdout", &self.expectation.stdout, &self.stdout), ("stderr", &self.expectation.stderr, &self.stderr)];
        for (name, expected, captured) in streams {
            if let Some(complaint) = mismatch(expected, &captured.bytes()) {
                let _ = writeln!(wrong, "{name}: {complaint}");
            }
        }
        let stderr = String::from_utf8_lossy(&self.stderr.bytes()).into_owned();
        if stderr.contains("panicked at") || stderr.contains("RUST_BACKTRACE") {
            wrong.push_str("it panicked\n");
        }
        if !wrong.is_empty() {
            self.give_up(wrong.trim_end());
        }
    }

    /// Ends the program and fails the test with everything that was printed.
    fn give_up(&mut self, what: &str) -> ! {
        let _ = self.child.kill();
        let _ = self.child.wait();
        panic!(
            "rcli {}: {what}\n--- stdout\n{}\n--- stderr\n{}\n---",
            self.told,
            shown(&self.stdout.bytes()),
            shown(&self.stderr.bytes())
        );
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is wrong with a stream, if anything.
fn mismatch(expected: &Expected, got: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(got);
    let missing = |parts: &[String]| parts.iter().find(|part| !text.contains(part.as_str())).cloned();
    match expected {
        Expected::Anything => None,
        Expected::Bytes(bytes) => (bytes != got).then(|| format!("expected exactly\n{}", shown(bytes))),
        Expected::Contains(parts) => missing(parts).map(|part| format!("expected {part:?} in it")),
        Expected::Message(parts) => {
            if !text.starts_with("rcli: ") || !text.ends_with('\n') || text.matches('\n').count() != 1 {
                return Some(format!("expected one line `rcli: …` with {parts:?}"));
            }
            missing(parts).map(|part| format!("expected {part:?} in it"))
        }
    }
}

/// Line number `wanted` (from 1), without its end, when it is there.
fn nth_line(bytes: &[u8], wanted: usize) -> Option<String> {
    let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
    let line = lines.nth(wanted - 1)?;
    let line = line.strip_suffix(b"\n")?;
    Some(String::from_utf8_lossy(line).into_owned())
}

/// Bytes for a failure message: escaped, cut when long.
fn shown(bytes: &[u8]) -> String {
    const LIMIT: usize = 3000;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LIMIT)]);
    let escaped: String =
        text.chars().map(|c| if c == '\n' { c.to_string() } else { c.escape_debug().to_string() }).collect();
    if bytes.len() > LIMIT { format!("{escaped}… ({} bytes)", bytes.len()) } else { escaped }
}
