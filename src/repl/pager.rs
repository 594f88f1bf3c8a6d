//! Replies that are taller than the screen go through a pager (contract section 10). What is not tall is written as it
//! came; nothing is held that does not fit the screen.

use std::env;
use std::io::{self, IsTerminal as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::redirect::{describe_status, forget_ctrl_c_of, is_interrupted};
use super::{Repl, lock, screen};
use crate::config::Pager;
use crate::exit::{Exit, Failure, Outcome};
use crate::render::{self, Renderer};
use crate::report::notice;

/// Less, which ends by itself where all fits, lets colours pass, and leaves what it showed on the screen.
const DEFAULT: (&str, &str) = ("less", "less -FRX");

/// The shell command that shows what is tall; none where nothing does.
fn command(pager: &Pager) -> Option<String> {
    let is_terminal = io::stdout().is_terminal() && !env::var("TERM").is_ok_and(|term| term == "dumb");
    match pager {
        _ if !is_terminal => None,
        Pager::Off => None,
        Pager::Command(command) => Some(command.clone()),
        Pager::Default => match env::var("PAGER") {
            Ok(command) if !command.trim().is_empty() => Some(command),
            _ => is_in_path(DEFAULT.0).then(|| DEFAULT.1.to_owned()),
        },
    }
}

fn is_in_path(program: &str) -> bool {
    let is_program = |path: &std::path::Path| {
        path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|directory| is_program(&directory.join(program))))
}

/// What is written, held until it is taller than the screen.
struct Paging {
    command: String,
    rows: usize,
    columns: usize,
    held: Vec<u8>,
    /// Rows that are full, columns of the last one, and whether an escape sequence is open.
    row: usize,
    column: usize,
    in_escape: bool,
    pager: Option<(Child, ChildStdin)>,
}

impl Paging {
    fn count(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' => (self.row, self.column) = (self.row + 1, 0),
                b'\x1b' => self.in_escape = true,
                _ if self.in_escape => self.in_escape = !byte.is_ascii_alphabetic(),
                // The bytes of a character behind the first take no column.
                0x80..=0xbf => {}
                _ => self.column += 1,
            }
            if self.column > self.columns {
                (self.row, self.column) = (self.row + 1, 1);
            }
        }
    }

    fn start(&mut self) -> io::Result<()> {
        let mut pager = Command::new("sh").arg("-c").arg(&self.command).stdin(Stdio::piped()).spawn()?;
        let mut stdin = pager.stdin.take().ok_or_else(|| io::Error::other("no way to its input"))?;
        let written = stdin.write_all(&self.held);
        self.held = Vec::new();
        self.pager = Some((pager, stdin));
        written
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some((_, stdin)) = &mut self.pager {
            return stdin.write_all(bytes);
        }
        self.held.extend_from_slice(bytes);
        self.count(bytes);
        // The prompt takes a row as well.
        if self.row + 1 < self.rows { Ok(()) } else { self.start() }
    }

    /// Writes what was held, or waits until the pager is left.
    fn finish(&mut self) -> io::Result<()> {
        match self.pager.take() {
            Some((mut pager, stdin)) => {
                drop(stdin);
                let left = pager.wait()?;
                forget_ctrl_c_of(left);
                if !left.success() && !is_interrupted(left) {
                    let status = describe_status(left);
                    notice(&format!("the pager {} ended with {status}; :set pager off does without", self.command));
                }
                Ok(())
            }
            None => screen::print(&self.held),
        }
    }
}

/// The way to it.
struct Shared(Arc<Mutex<Paging>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).write(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Repl<'_> {
    /// Shows what is `size` bytes large before it is rendered: by a pager if it is taller than the screen.
    pub(super) fn paged(&mut self, size: usize, show: impl FnOnce(&mut Self) -> Outcome<()>) -> Outcome<()> {
        let Some((rows, columns)) = screen::size() else { return show(self) };
        let command =
            if self.terminal.is_some() || !self.is_last || size < rows { None } else { command(&self.settings.pager) };
        let Some(command) = command else { return show(self) };
        let paging =
            Paging { command, rows, columns, held: Vec::new(), row: 0, column: 0, in_escape: false, pager: None };
        let paging = Arc::new(Mutex::new(paging));
        self.flush()?;
        // What comes from elsewhere waits.
        let quiet = Arc::clone(&self.editor.quiet);
        let turn = lock(&quiet);
        let through = Renderer::new(render::lines(Box::new(Shared(Arc::clone(&paging)))), self.style.clone());
        let screen = std::mem::replace(&mut self.renderer, through);
        let shown = show(self).and_then(|()| self.flush());
        self.renderer = screen;
        let finished = lock(&paging).finish();
        drop(turn);
        match shown {
            // A pager that was left before the end.
            Err(failure) if failure.exit() == Exit::Done => Ok(()),
            shown => shown.and(finished.map_err(Failure::output)),
        }
    }
}
