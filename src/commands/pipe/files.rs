//! The input of a pipeline: one file after the other, its commands counted, what cannot run here refused.

use std::collections::VecDeque;
use std::fs;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::command::request::Request;
use crate::exit::{Failure, Outcome};
use crate::input::{BadInput, Next, RowForm, Source};
use crate::net::poll;
use crate::text::describe_io;

/// Where a command came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The number of its file.
    pub file: u32,
    /// The line where it begins.
    pub line: u64,
}

/// The names of the files, for messages.
#[derive(Clone, Debug)]
pub struct Names(Rc<[String]>);

impl Names {
    fn new(files: &[PathBuf]) -> Self {
        let stdin = || "stdin".to_owned();
        let names = files.iter().map(|path| if path.as_os_str() == "-" { stdin() } else { path.display().to_string() });
        Self(if files.is_empty() { [stdin()].into() } else { names.collect() })
    }

    /// The name of a file.
    pub fn file(&self, file: u32) -> &str {
        self.0.get(file as usize).map_or("", String::as_str)
    }

    /// `FILE:LINE`.
    pub fn place(&self, origin: Origin) -> String {
        format!("{}:{}", self.file(origin.file), origin.line)
    }
}

/// Files of commands, read in order.
pub struct InputFiles {
    /// The names of all the files.
    pub names: Names,
    waiting: VecDeque<PathBuf>,
    current: Source,
    /// The number of the current file.
    file: u32,
    /// The size of all the input in bytes, where that is known.
    pub size: Option<u64>,
    consumed_before: u64,
    /// How many commands were read: the number of the last one.
    pub number: u64,
    /// What their rows become; none for files of commands.
    rows: Option<RowForm>,
}

impl InputFiles {
    /// Opens the first file and makes sure that the others can be opened and read; no file is stdin.
    pub fn open(files: &[PathBuf], rows: Option<RowForm>) -> Outcome<Self> {
        let open = |path: &Path| Ok::<_, Failure>(Source::open(path)?.with_rows(rows.as_ref()));
        let mut size = Some(0);
        for path in files.iter().filter(|path| path.as_os_str() != "-") {
            let metadata = fs::metadata(path)
                .map_err(|error| Failure::usage(format!("{}: {}", path.display(), describe_io(&error))))?;
            // A named pipe is opened once only: its writer may be gone after the first reader.
            if metadata.is_file() {
                open(path)?.check_beginning()?;
            }
            size = size.filter(|_| metadata.is_file()).map(|size| size + metadata.len());
        }
        let mut waiting: VecDeque<PathBuf> = files.iter().cloned().collect();
        let current = match waiting.pop_front() {
            Some(path) => open(&path)?,
            None => Source::stdin()?.with_rows(rows.as_ref()),
        };
        if files.is_empty() {
            size = current.size();
        } else if files.iter().any(|path| path.as_os_str() == "-") {
            size = None;
        }
        Ok(Self { names: Names::new(files), waiting, current, file: 0, size, consumed_before: 0, number: 0, rows })
    }

    /// The next command that is wholly in memory.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every command; the call costs as much as what it does")]
    pub fn next(&mut self, request: &mut Request) -> Result<Next, BadInput> {
        loop {
            match self.current.next(request)? {
                Next::Command => {
                    self.number += 1;
                    return Ok(Next::Command);
                }
                Next::Pending => return Ok(Next::Pending),
                Next::End => {
                    let Some(path) = self.waiting.pop_front() else { return Ok(Next::End) };
                    self.consumed_before += self.current.consumed();
                    self.current = Source::open(&path)?.with_rows(self.rows.as_ref());
                    self.file += 1;
                }
            }
        }
    }

    /// Appends the next command to packed ones where it is a plain line of the current file that `takes` takes, as
    /// [`Source::pack_plain`] does: the number of the line. None where something else comes, for [`Self::next`].
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as for `next`")]
    pub fn pack_plain(&mut self, packed: &mut Vec<u8>, takes: impl FnOnce(&[u8], usize) -> bool) -> Option<u64> {
        let line = self.current.pack_plain(packed, takes)?;
        self.number += 1;
        Some(line)
    }

    /// The words of the next line of the current file, where it is a plain one; where it is not, anything may come.
    #[inline]
    pub fn plain_words(&self) -> Option<impl Iterator<Item = &[u8]>> {
        self.current.plain_words()
    }

    /// Refuses the command that was read last, if there is a reason.
    pub fn refuse(&self, request: &Request, reason: Option<String>) -> Result<(), BadInput> {
        reason.map_or(Ok(()), |reason| {
            Err(BadInput::new(format!("{}:{}: {reason}", self.current.name(), request.line), true))
        })
    }

    /// The name of the current file.
    pub fn name(&self) -> &str {
        self.current.name()
    }

    /// Reads more of the current file; blocks when nothing is there yet.
    pub fn fill(&mut self) -> Outcome<()> {
        self.current.fill()
    }

    /// Reads more where nobody else is waited for; a signal ends the wait.
    pub fn wait_and_fill(&mut self) -> Outcome<()> {
        poll::wait_readable(self.current.as_fd())?;
        self.fill()
    }

    /// The descriptor to wait on for more.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.current.as_fd()
    }

    /// Whether the current input is a regular file, which is never waited for.
    pub fn is_file(&self) -> bool {
        self.current.size().is_some()
    }

    /// The number of the current file.
    pub fn file(&self) -> u32 {
        self.file
    }

    /// Where a command of the current file stands.
    pub fn origin(&self, request: &Request) -> Origin {
        Origin { file: self.file, line: request.line }
    }

    /// How many bytes of all the input were parsed.
    pub fn consumed(&self) -> u64 {
        self.consumed_before + self.current.consumed()
    }
}
