//! Where lines come from: rustyline on a terminal, plain lines on one that cannot move its cursor. Keeps the history.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::AsFd as _;
use std::process::{Command, ExitStatus};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::termios::{OptionalActions, QueueSelector, tcflush, tcgetattr, tcsetattr};
use rustyline::config::{BellStyle, ColorMode, CompletionType, Config, Configurer as _, EditMode};
use rustyline::error::ReadlineError;
use rustyline::{Editor as LineEditor, Event, EventHandler, ExternalPrinter, KeyEvent};

use super::helper::LineHelper;
use super::history::HistoryFile;
use super::keys::{Keys, Pressed};
use super::lock;
use super::prompt::Prompt;
use super::recall::Recall;
use super::redirect::describe_status;
use super::screen::{self, columns};
use super::tokens::{holds_secret, open_quote};
use crate::config::expand;
use crate::exit::{Failure, Outcome};
use crate::net::{Unopened, poll};
use crate::report::report;
use crate::signal::{self, Signal};
use crate::text::{self, describe_io};

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// A text: one command, or several pasted lines.
    Text(String),
    /// Ctrl-C.
    Cancelled,
    /// Ctrl-D.
    End,
}

/// The editor and its history.
pub struct Editor {
    rich: LineEditor<LineHelper, Recall>,
    /// Lines as they come, where the terminal can do no more.
    plain: Option<BufReader<File>>,
    history: Option<HistoryFile>,
    pressed: Arc<Pressed>,
    /// The way to the thread that writes above the prompt, once there is one.
    above: Option<SyncSender<String>>,
    /// Nothing is written there while this is locked.
    pub quiet: Arc<Mutex<()>>,
}

/// What is wrong with the terminal, in words.
fn describe(error: &ReadlineError) -> String {
    match error {
        ReadlineError::Io(error) => describe_io(error),
        error => error.to_string(),
    }
}

impl Editor {
    /// Takes the terminal, and reads the history.
    pub fn open(helper: LineHelper) -> Outcome<Self> {
        let failed = |error: ReadlineError| Failure::failed(format!("cannot use the terminal: {}", describe(&error)));
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .completion_show_all_if_ambiguous(true)
            // A list fits the screen: nothing is asked.
            .completion_prompt_limit(usize::MAX)
            .bell_style(BellStyle::None)
            // The helper colours, or does not; in any case it is asked what of a line may be drawn.
            .color_mode(ColorMode::Forced)
            .build();
        let recall = Recall::default();
        let pressed = Arc::clone(&helper.pressed);
        let keys = Keys { pressed: Arc::clone(&pressed), recall: recall.clone() };
        let mut rich = LineEditor::with_history(config, recall).map_err(failed)?;
        rich.set_helper(Some(helper));
        for event in [Event::Any, Event::KeySeq(vec![KeyEvent::ctrl('X'), KeyEvent::ctrl('E')])] {
            rich.bind_sequence(event, EventHandler::Conditional(Box::new(keys.clone())));
        }
        let plain = if is_dumb() { Some(plain_stdin()?) } else { None };
        let mut editor =
            Self { rich, plain, history: HistoryFile::find(), pressed, above: None, quiet: Arc::default() };
        editor.recall(HistoryFile::open);
        restore_terminal_at_a_signal();
        Ok(editor)
    }

    /// Takes in what the history file gives.
    fn recall(&mut self, read: impl FnOnce(&mut HistoryFile) -> io::Result<Vec<String>>) {
        for command in self.with_history(read).unwrap_or_default() {
            let _ = self.rich.add_history_entry(command);
        }
    }

    /// Does something with the history file, where there is one; after an error it is used no more.
    fn with_history<T>(&mut self, act: impl FnOnce(&mut HistoryFile) -> io::Result<T>) -> Option<T> {
        let mut file = self.history.take()?;
        match act(&mut file) {
            Ok(done) => {
                self.history = Some(file);
                Some(done)
            }
            Err(error) => {
                report(&format!("{}: {}; commands are not kept", file.path.display(), describe_io(&error)));
                None
            }
        }
    }

    /// Puts a command into the history, on disk at once, unless it may hold a password or begins with a blank.
    pub fn remember(&mut self, command: &str) {
        let command = command.trim_end();
        self.recall(HistoryFile::news);
        let expanded = self.rich.helper().and_then(|helper| expand(&helper.known.aliases, command));
        let is_secret = holds_secret(expanded.as_deref().unwrap_or(command));
        if is_secret || !matches!(self.rich.add_history_entry(command), Ok(true)) {
            return;
        }
        self.with_history(|file| file.add(command));
    }

    /// The last commands with their numbers, the oldest first.
    pub fn remembered(&self, count: usize) -> Vec<(usize, String)> {
        self.rich.history().last(count)
    }

    /// Says whether keys are vi's.
    pub fn set_keys(&mut self, is_vi: bool) {
        self.rich.set_edit_mode(if is_vi { EditMode::Vi } else { EditMode::Emacs });
    }

    /// What rustyline knows of the server and of the screen.
    pub fn helper(&mut self) -> Option<&mut LineHelper> {
        self.rich.helper_mut()
    }

    /// Where other threads send what is to be written above the line being typed. One thread writes it all, and keeps
    /// its way to the prompt open: rustyline drops what waits there when the last printer goes.
    pub fn above(&mut self) -> Outcome<SyncSender<String>> {
        if let Some(above) = &self.above {
            return Ok(above.clone());
        }
        let failed = |error: &_| Failure::failed(format!("cannot write above the prompt: {}", describe(error)));
        let is_rich = self.plain.is_none();
        let mut printer =
            is_rich.then(|| self.rich.create_external_printer()).transpose().map_err(|error| failed(&error))?;
        let (above, texts) = mpsc::sync_channel::<String>(1);
        let quiet = Arc::clone(&self.quiet);
        let write = move || {
            for text in texts {
                let _turn = lock(&quiet);
                // A terminal that is gone ends the main thread, and with it this one.
                let _ = match &mut printer {
                    Some(printer) => printer.print(text).map_err(io::Error::other),
                    None => screen::print(text),
                };
            }
        };
        thread::Builder::new().spawn(write).map_err(|error| failed(&error.into()))?;
        self.above = Some(above.clone());
        Ok(above)
    }

    /// Reads a text.
    pub fn read(&mut self, prompt: &Prompt) -> Outcome<Typed> {
        if let Some(helper) = self.helper() {
            helper.prompt.clone_from(&prompt.raw);
            helper.drawn_at.set(columns());
        }
        if self.plain.is_some() { self.read_plain(&prompt.raw) } else { self.read_rich(prompt) }
    }

    fn read_rich(&mut self, prompt: &Prompt) -> Outcome<Typed> {
        self.recall(HistoryFile::news);
        self.rich.history().begin_line();
        let prompt = (prompt.raw.as_str(), prompt.styled.as_str());
        let mut begun = String::new();
        let read = loop {
            self.pressed.begin_line();
            signal::set_idle(true);
            let read = self.rich.readline_with_initial(&prompt, (&begun, ""));
            signal::set_idle(false);
            match read {
                Ok(text) if self.pressed.goes_out.swap(false, Ordering::Relaxed) => begun = edit_elsewhere(text),
                read => break read,
            }
        };
        match read {
            Ok(_) if self.pressed.is_cancelled.swap(false, Ordering::Relaxed) => Ok(Typed::Cancelled),
            Ok(text) => Ok(Typed::Text(text)),
            Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => Ok(Typed::Cancelled),
            Err(ReadlineError::Eof) => Ok(Typed::End),
            // The terminal is gone.
            Err(ReadlineError::Io(error)) if error.raw_os_error() == Some(EIO) => Ok(Typed::End),
            Err(ReadlineError::Errno(error)) if error as i32 == EIO => Ok(Typed::End),
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => Ok(leave_out()),
            Err(error) => Err(Failure::failed(format!("cannot read the terminal: {}", describe(&error)))),
        }
    }

    fn read_plain(&mut self, prompt: &str) -> Outcome<Typed> {
        let (mut text, mut open) = (String::new(), None);
        let mut shown = prompt;
        loop {
            screen::print(shown).map_err(Failure::output)?;
            let line = match self.plain_line()? {
                Typed::Text(line) => line,
                other => {
                    screen::print("\n").map_err(Failure::output)?;
                    return Ok(other);
                }
            };
            open = open_quote(open, line.trim_end_matches('\n'));
            text.push_str(&line);
            if open.is_none() {
                return Ok(Typed::Text(text));
            }
            shown = "... ";
        }
    }

    /// A line with its end.
    fn plain_line(&mut self) -> Outcome<Typed> {
        let Some(stdin) = &mut self.plain else { return Ok(Typed::End) };
        if stdin.buffer().is_empty()
            && let Err(error) = poll::wait_readable(stdin.get_ref().as_fd())
        {
            return match error {
                Unopened::Interrupted(Signal::Interrupt) => {
                    signal::forget_ctrl_c();
                    Ok(Typed::Cancelled)
                }
                error => Err(error.into()),
            };
        }
        let mut line = Vec::new();
        match stdin.read_until(b'\n', &mut line) {
            Ok(0) => Ok(Typed::End),
            Ok(_) => Ok(String::from_utf8(line).map_or_else(
                |_| {
                    stdin.consume(stdin.buffer().len());
                    leave_out()
                },
                Typed::Text,
            )),
            Err(error) if error.raw_os_error() == Some(EIO) => Ok(Typed::End),
            Err(error) => Err(Failure::failed(format!("cannot read the terminal: {}", describe_io(&error)))),
        }
    }

    /// Asks a question that `y` or `yes` agrees to; anything else, Ctrl-C and Ctrl-D do not.
    pub fn ask(&mut self, question: &str) -> Outcome<bool> {
        if let Some(helper) = self.helper() {
            helper.is_asking = true;
        }
        let prompt = Prompt { raw: question.to_owned(), styled: question.to_owned() };
        let typed = self.read(&prompt);
        if let Some(helper) = self.helper() {
            helper.is_asking = false;
        }
        Ok(match typed? {
            Typed::Text(answer) => matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"),
            Typed::Cancelled | Typed::End => false,
        })
    }
}

/// How long nothing may come before a paste is taken to be over.
const SETTLED: Duration = Duration::from_millis(30);
/// And how often that is looked at.
const LOOKS: usize = 100;

/// What is not UTF-8 is told, and left out with what came with it: the rest of a paste is no line of its own.
fn leave_out() -> Typed {
    let stdin = io::stdin();
    for _ in 0..LOOKS {
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        if tcflush(&stdin, QueueSelector::IFlush).is_err()
            || poll::sleep(&mut fds, Some(Instant::now() + SETTLED)).is_err()
            || fds[0].revents() != PollFlags::IN
        {
            break;
        }
    }
    report(r#"what was typed is not UTF-8, and was left out: in quotes "\xff" is a byte"#);
    Typed::Cancelled
}

/// What somebody makes of a text in the editor of the environment; the text itself where that fails.
fn edit_elsewhere(line: String) -> String {
    let named = |(variable, origin)| Some((origin, std::env::var_os(variable).filter(|editor| !editor.is_empty())?));
    let variables = [("VISUAL", "named by $VISUAL"), ("EDITOR", "named by $EDITOR")];
    let (origin, editor) =
        variables.into_iter().find_map(named).unwrap_or(("$VISUAL and $EDITOR are not set", "vi".into()));
    let edited = || -> io::Result<Result<String, ExitStatus>> {
        let mut file = tempfile::Builder::new().prefix("rcli-").suffix(".redis").tempfile()?;
        file.write_all(line.as_bytes())?;
        let mut script = editor.clone();
        script.push(" \"$1\"");
        let status = Command::new("sh").arg("-c").arg(script).arg("sh").arg(file.path()).status()?;
        if status.success() { std::fs::read_to_string(file.path()).map(Ok) } else { Ok(Err(status)) }
    };
    let reason = match edited() {
        Ok(Ok(edited)) => return edited.trim_end().to_owned(),
        // What a shell ends with where it finds no such command.
        Ok(Err(status)) if status.code() == Some(127) => "is not there; set $VISUAL or $EDITOR".to_owned(),
        Ok(Err(status)) => format!("ended with {}", describe_status(status)),
        Err(error) => format!("cannot be used: {}", describe_io(&error)),
    };
    report(&format!(
        "the editor {} ({origin}) {reason}; the line stays as it was",
        text::line(&editor.to_string_lossy())
    ));
    line
}

/// The error of a terminal that was closed; the same number everywhere.
const EIO: i32 = 5;

/// Whether rustyline would not edit lines on this terminal: its own list.
fn is_dumb() -> bool {
    std::env::var("TERM").is_ok_and(|term| ["dumb", "cons25", "emacs"].contains(&term.to_ascii_lowercase().as_str()))
}

fn plain_stdin() -> Outcome<BufReader<File>> {
    let owned = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| Failure::failed(format!("cannot read the terminal: {}", describe_io(&error))))?;
    Ok(BufReader::new(owned.into()))
}

/// A signal at the prompt ends the process from another thread: the terminal is put back as it was found.
fn restore_terminal_at_a_signal() {
    let found = tcgetattr(io::stdin()).ok();
    signal::let_ctrl_c_cancel(move || {
        if let Some(found) = &found {
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, found);
        }
        if !is_dumb() {
            // No more brackets around what is pasted.
            let _ = screen::print("\x1b[?2004l\r\n");
        }
    });
}
