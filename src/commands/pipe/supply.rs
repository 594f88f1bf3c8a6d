//! The input of a pipeline: one file after the other, its commands counted, what cannot run here refused.

use std::collections::VecDeque;
use std::fs;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::PathBuf;

use crate::exit::{Failure, Outcome};
use crate::input::{BadInput, Next, Source};
use crate::report::describe_io;
use crate::request::Request;
use crate::server::poll;

/// What [`Supply::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Supplied {
    /// The request was filled in.
    Command,
    /// No complete command is waiting: [`Supply::fill`] reads more.
    Pending,
    /// Every file has ended.
    End,
}

/// Files of commands, read in order.
pub struct Supply {
    waiting: VecDeque<PathBuf>,
    current: Source,
    /// The names of the files so far, the current one last.
    names: Vec<String>,
    size: Option<u64>,
    consumed_before: u64,
    /// How many commands were read.
    number: u64,
}

impl Supply {
    /// Opens the first file and makes sure that the others can be opened and read; no file is stdin.
    pub fn open(files: &[PathBuf]) -> Outcome<Self> {
        let mut size = Some(0);
        for path in files.iter().filter(|path| path.as_os_str() != "-") {
            let metadata = fs::metadata(path)
                .map_err(|error| Failure::usage(format!("{}: {}", path.display(), describe_io(&error))))?;
            // A named pipe is opened once only: its writer may be gone after the first reader.
            if metadata.is_file() {
                Source::open(path)?.check_beginning()?;
            }
            size = size.filter(|_| metadata.is_file()).map(|size| size + metadata.len());
        }
        let mut waiting: VecDeque<PathBuf> = files.iter().cloned().collect();
        let current = match waiting.pop_front() {
            Some(path) => Source::open(&path)?,
            None => Source::stdin()?,
        };
        if files.is_empty() {
            size = current.size();
        } else if files.iter().any(|path| path.as_os_str() == "-") {
            size = None;
        }
        Ok(Self { names: vec![current.name().to_owned()], waiting, current, size, consumed_before: 0, number: 0 })
    }

    /// The next command that is wholly in memory and can run; `refuse` says why one cannot.
    pub fn next(
        &mut self,
        request: &mut Request,
        mut refuse: impl FnMut(&Request) -> Option<String>,
    ) -> Result<Supplied, BadInput> {
        loop {
            match self.current.next(request)? {
                Next::Command => {
                    self.number += 1;
                    if let Some(reason) = refuse(request) {
                        let message = format!("{}:{}: {reason}", self.current.name(), request.line);
                        return Err(BadInput::new(message, true));
                    }
                    return Ok(Supplied::Command);
                }
                Next::Pending => return Ok(Supplied::Pending),
                Next::End => {
                    let Some(path) = self.waiting.pop_front() else { return Ok(Supplied::End) };
                    self.consumed_before += self.current.consumed();
                    self.current = Source::open(&path)?;
                    self.names.push(self.current.name().to_owned());
                }
            }
        }
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

    /// The number of the command that was read last, counted from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The number of the current file.
    pub fn file_index(&self) -> usize {
        self.names.len() - 1
    }

    /// The name of a file, for FILE:LINE.
    pub fn name(&self, index: usize) -> &str {
        self.names.get(index).map_or("", String::as_str)
    }

    /// The size of all the input in bytes, where that is known.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// How many bytes of all the input were parsed.
    pub fn consumed(&self) -> u64 {
        self.consumed_before + self.current.consumed()
    }
}
