//! A terminal for the REPL: the program runs on a real pty, and the test sees the screen that a person would see.
//!
//! Nothing is waited for by time: a test waits until the screen shows something, with a deadline.
//!
//! The line editor has the terminal only while its prompt is there. Between two prompts the terminal itself takes the
//! keys: it drops Ctrl-R and Ctrl-U, and Ctrl-C becomes a signal. So a key is held back here until the prompt that it
//! is meant for is there, and the screen is not looked at before a line that was entered has left the editor.

use crate::server::{DEADLINE, Server, pause};
use pty_process::Size;
use pty_process::blocking::{Command, Pty};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How many rows a terminal has: more than a test fills.
const ROWS: u16 = 60;

/// A REPL on this server, and its prompt, which has been seen.
pub fn open(server: &Server, args: &[&str]) -> (Terminal, String) {
    open_at(server, args, 160)
}

/// The same, so wide.
pub fn open_at(server: &Server, args: &[&str], columns: u16) -> (Terminal, String) {
    let terminal = server.rcli(args).on_terminal(columns);
    let prompt = format!("{}>", server.address());
    terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
    (terminal, prompt)
}

/// What the editor writes when it takes the terminal, and when it gives it back.
const TAKEN: &[u8] = b"\x1b[?2004h";
const GIVEN_BACK: &[u8] = b"\x1b[?2004l";

/// What came out so far.
struct Seen {
    screen: vt100::Parser,
    bytes: Vec<u8>,
    is_over: bool,
    /// How often the editor took the terminal, and gave it back.
    taken: usize,
    given_back: usize,
    /// How often it must have given it back before the screen counts.
    entered: usize,
}

impl Seen {
    /// Adds what was read; nothing is the end.
    fn add(&mut self, chunk: &[u8]) {
        let from = self.bytes.len().saturating_sub(TAKEN.len() - 1);
        self.screen.process(chunk);
        self.bytes.extend_from_slice(chunk);
        self.is_over = chunk.is_empty();
        for eight in self.bytes[from..].windows(TAKEN.len()) {
            self.taken += usize::from(eight == TAKEN);
            self.given_back += usize::from(eight == GIVEN_BACK);
        }
    }

    /// Whether the editor is done with all that was entered.
    fn is_settled(&self) -> bool {
        self.given_back >= self.entered || self.is_over
    }

    /// Whether the editor waits for keys, all that was entered before being done with.
    fn has_prompt(&self) -> bool {
        self.is_settled() && self.taken > self.given_back
    }
}

/// The program on its terminal; killed if the test ends first.
pub struct Terminal {
    child: Child,
    pty: Arc<Pty>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    /// Held by whoever does not want it read.
    gate: Arc<Mutex<()>>,
    home: TempDir,
    /// The terminal's settings before the program had it.
    first_settings: String,
}

impl Terminal {
    /// Starts the program, by a shell where there is a script for one.
    pub fn start(
        script: Option<&str>,
        args: &[OsString],
        env: &[(OsString, OsString)],
        home: TempDir,
        columns: u16,
    ) -> Self {
        let (pty, pts) = pty_process::blocking::open().expect("a pty");
        pty.resize(Size::new(ROWS, columns)).expect("its size");
        let is_dumb = env.iter().any(|(name, value)| name == "TERM" && value == "dumb");
        if !is_dumb {
            drop_nothing_at_ctrl_c(&pty);
        }
        let first_settings = settings_of(&pty);
        let binary = env!("CARGO_BIN_EXE_rcli");
        let command = match script {
            Some(script) => Command::new("sh").args(["-c", script, binary]),
            None => Command::new(binary),
        };
        let child = command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .env("TMPDIR", home.path())
            .env("TERM", "xterm-256color")
            .envs(env.iter().cloned())
            .current_dir(home.path())
            .spawn(pts)
            .expect("the program under test starts");
        let pty = Arc::new(pty);
        let screen = vt100::Parser::new(size(ROWS), size(columns), 0);
        let seen = Seen { screen, bytes: Vec::new(), is_over: false, taken: 0, given_back: 0, entered: 0 };
        let seen = Arc::new((Mutex::new(seen), Condvar::new()));
        let gate = Arc::<Mutex<()>>::default();
        let (reader, shared, open) = (Arc::clone(&pty), Arc::clone(&seen), Arc::clone(&gate));
        std::thread::spawn(move || {
            let mut chunk = vec![0; 1 << 16];
            loop {
                // The end of the program shows as an error.
                let count = (&*reader).read(&mut chunk).unwrap_or(0);
                drop(open.lock());
                shared.0.lock().unwrap().add(&chunk[..count]);
                shared.1.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        Self { child, pty, seen, gate, home, first_settings }
    }

    /// Types this at the prompt, keys as their bytes. Ctrl-C alone is for whatever runs, prompt or not; but where no
    /// editor is, the terminal drops for it what was written and not yet read, so that is read first.
    pub fn keys(&self, text: &str) {
        const CTRL_C: char = '\x03';
        if text.chars().all(|key| key == CTRL_C) {
            let came = self.comes(DEADLINE, Seen::is_settled);
            assert!(came, "the line that was entered is not taken; the screen shows\n{}", self.shown());
        } else {
            self.wait_for_prompt();
        }
        let mut seen = self.seen.0.lock().unwrap();
        if seen.has_prompt() {
            seen.entered = seen.given_back + text.matches(['\r', CTRL_C]).count();
        }
        drop(seen);
        self.press(text);
    }

    /// Waits until the editor takes keys. Without an editor, or before its first prompt, nobody takes them away.
    fn wait_for_prompt(&self) {
        let came = self.comes(DEADLINE, |seen| seen.entered == 0 || seen.has_prompt());
        assert!(came, "no prompt takes the keys; the screen shows\n{}", self.shown());
    }

    /// Types this now, for whatever has the terminal.
    pub fn press(&self, keys: impl AsRef<[u8]>) {
        (&*self.pty).write_all(keys.as_ref()).expect("the terminal takes keys");
    }

    /// Types a line and Enter.
    pub fn line(&self, text: &str) {
        self.keys(&format!("{text}\r"));
    }

    /// Types the first line of a command that goes on in the next: Enter does not end it.
    pub fn begin(&self, text: &str) {
        self.keys(text);
        self.press("\r");
    }

    /// Pastes, as a terminal with bracketed paste does: nothing of it ends the line.
    pub fn paste(&self, text: &str) {
        self.wait_for_prompt();
        self.press(format!("\x1b[200~{text}\x1b[201~"));
    }

    /// What the screen shows: rows without blanks at their end, empty ones left out.
    pub fn rows(&self) -> Vec<String> {
        rows(&self.seen.0.lock().unwrap())
    }

    /// Looks at the screen with its colours.
    pub fn with_screen<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.seen.0.lock().unwrap().screen.screen())
    }

    /// The screen for a failure message.
    fn shown(&self) -> String {
        self.rows().join("\n")
    }

    /// Gives it another size.
    pub fn resize(&self, rows: u16, columns: u16) {
        self.pty.resize(Size::new(rows, columns)).expect("its size");
        self.seen.0.lock().unwrap().screen.screen_mut().set_size(size(rows), size(columns));
    }

    /// Gives it another width, and breaks the lines anew that did not fit, as most terminals do.
    pub fn rewrap(&self, columns: u16) {
        let mut seen = self.seen.0.lock().unwrap();
        let old = seen.screen.screen();
        let (rows, old_columns) = old.size();
        let (cursor_row, cursor_column) = old.cursor_position();
        let mut wrapped = vt100::Parser::new(rows, size(columns), 0);
        for (row, text) in (0..rows.get()).zip(old.rows(0, old_columns.into())) {
            if row == cursor_row {
                // The cursor is saved where it is in the text, and found there again.
                let before: String = text.chars().take(cursor_column.into()).collect();
                wrapped.process(format!("{before:<0$}\x1b7", usize::from(cursor_column)).as_bytes());
                wrapped.process(text.chars().skip(cursor_column.into()).collect::<String>().as_bytes());
            } else {
                wrapped.process(text.as_bytes());
            }
            if row >= cursor_row && !old.row_wrapped(row) {
                break;
            }
            wrapped.process(if old.row_wrapped(row) { b"" } else { b"\r\n" });
        }
        wrapped.process(b"\x1b8");
        seen.screen = wrapped;
        self.pty.resize(Size::new(rows.get(), columns)).expect("its size");
    }

    /// As long as this is held nobody reads what comes out: the terminal is full after a while.
    pub fn stall(&self) -> MutexGuard<'_, ()> {
        self.gate.lock().unwrap()
    }

    /// All bytes that came out so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.seen.0.lock().unwrap().bytes.clone()
    }

    /// Waits until the rows satisfy the check; fails with the screen at the deadline.
    pub fn wait(&self, what: &str, check: impl Fn(&[String]) -> bool) {
        let came = self.comes(DEADLINE, |seen| seen.is_settled() && check(&rows(seen)));
        assert!(came, "waited in vain for {what}; the screen shows\n{}", self.shown());
    }

    /// Presses a key again and again until the rows satisfy the check: what it asks for may not be known yet.
    pub fn wait_pressing(&self, key: &str, check: impl Fn(&[String]) -> bool) {
        const AGAIN: Duration = Duration::from_millis(150);
        let begin = Instant::now();
        loop {
            self.keys(key);
            if self.comes(AGAIN, |seen| check(&rows(seen))) {
                return;
            }
            assert!(begin.elapsed() < DEADLINE, "pressed in vain; the screen shows\n{}", self.shown());
        }
    }

    /// Waits until the screen ends with these rows.
    pub fn ends_with(&self, expected: &[&str]) {
        self.wait(&format!("{expected:?}"), |rows| {
            rows.len() >= expected.len() && rows[rows.len() - expected.len()..] == *expected
        });
    }

    /// Types a line and waits until the screen ends with it, these rows, and the prompt.
    pub fn run(&self, prompt: &str, line: &str, answer: &[&str]) {
        self.line(line);
        let typed = format!("{prompt} {line}");
        let expected: Vec<&str> = [typed.as_str()].into_iter().chain(answer.iter().copied()).chain([prompt]).collect();
        self.ends_with(&expected);
    }

    /// Types a line and waits for the prompt, until what stands there then satisfies the check. What was pressed before
    /// may cancel the first of them.
    pub fn run_until(&self, prompt: &str, line: &str, check: impl Fn(&[String]) -> bool) {
        for _ in 0..5 {
            self.line(line);
            self.wait("the prompt", |rows| rows.last().is_some_and(|row| row == prompt));
            if check(&self.rows()) {
                return;
            }
        }
        panic!("{line} did not do it; the screen shows\n{}", self.shown());
    }

    /// Waits until a row holds this.
    pub fn shows(&self, part: &str) {
        self.wait(&format!("{part:?}"), |rows| rows.iter().any(|row| row.contains(part)));
    }

    /// Waits until the output satisfies the check, or for so long; whether it came.
    fn comes(&self, limit: Duration, check: impl Fn(&Seen) -> bool) -> bool {
        let begin = Instant::now();
        let mut seen = self.seen.0.lock().unwrap();
        loop {
            if check(&seen) {
                return true;
            }
            let Some(left) = limit.checked_sub(begin.elapsed()) else { return false };
            seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the program still runs");
    }

    /// Its home directory.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The terminal's settings, as text to compare.
    pub fn settings(&self) -> String {
        settings_of(&self.pty)
    }

    /// The same before the program had the terminal.
    pub fn first_settings(&self) -> &str {
        &self.first_settings
    }

    /// Waits for its end; the status.
    pub fn status(&mut self) -> i32 {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the state of the program") {
                let _ = self.comes(DEADLINE, |seen| seen.is_over);
                return status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
            }
            assert!(begin.elapsed() < DEADLINE, "it did not end; the screen shows\n{}", self.shown());
            pause();
        }
    }

    /// Leaves with Ctrl-D and gives the home directory; the status must be 0, and nothing may have panicked.
    pub fn leave(mut self) -> TempDir {
        self.wait("a prompt", |rows| rows.last().is_some_and(|row| row.ends_with('>')));
        self.keys("\x04");
        assert_eq!(self.status(), 0, "the screen shows\n{}", self.shown());
        assert!(!String::from_utf8_lossy(&self.bytes()).contains("panicked"));
        std::mem::replace(&mut self.home, TempDir::new().expect("a temporary directory"))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Ctrl-C that becomes a signal makes the terminal drop what was written and not read yet: a prompt, if the program is
/// quicker than the test.
fn drop_nothing_at_ctrl_c(pty: &Pty) {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let mut settings = tcgetattr(pty).expect("the settings of the terminal");
    settings.local_modes |= LocalModes::NOFLSH;
    tcsetattr(pty, OptionalActions::Now, &settings).expect("a terminal that drops nothing");
}

fn size(cells: u16) -> NonZero<u16> {
    NonZero::new(cells).expect("a screen with cells")
}

fn rows(seen: &Seen) -> Vec<String> {
    let screen = seen.screen.screen();
    let (_, columns) = screen.size();
    screen.rows(0, columns.into()).map(|row| row.trim_end().to_owned()).filter(|row| !row.is_empty()).collect()
}

/// A terminal's settings, as text to compare.
fn settings_of(pty: &Pty) -> String {
    format!("{:?}", rustix::termios::tcgetattr(pty).expect("the settings of the terminal"))
}
