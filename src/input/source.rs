//! A file of commands or stdin, read piece by piece: one command after the other, each with its line. What a line, a
//! RESP command or a row means is told by the others.

mod forms;

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::bad::{BadInput, refuse_encoding};
use super::begin::{self, Begin};
use super::resp::Scan;
use super::rows::{RowForm, Rows};
use super::text::Quotes;
use super::{parse_quoted, plain, room};
use crate::command::request::Request;
use crate::exit::{Failure, Outcome};
use crate::memory;
use crate::stdio;
use crate::text::describe_io;

/// What [`Source::next`] found in what has been read so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// The request was filled in.
    Command,
    /// No complete command is waiting: [`Source::fill`] reads more.
    Pending,
    /// The input has ended.
    End,
}

/// Reads are made in pieces of this size or larger.
const CHUNK: usize = 64 * 1024;

/// A file or stdin, read piece by piece, and the part of it that is not parsed yet.
#[derive(Debug)]
pub struct Source {
    name: String,
    file: File,
    size: Option<u64>,
    buffer: Vec<u8>,
    /// The unparsed part is `buffer[start..end]`.
    start: usize,
    end: usize,
    /// How far the unparsed part is known to hold no line end.
    scanned: usize,
    line: u64,
    form: Form,
    /// How far an incomplete RESP command is known.
    scan: Scan,
    /// The table that the input is; none where it holds commands.
    rows: Option<Box<Rows>>,
    ended: bool,
    consumed: u64,
    quotes: Quotes,
}

/// Opens a file to be read. To wait for the writer of a named pipe here would keep a signal waiting too: whoever reads
/// it polls it before, and it is readable once somebody has written, or is gone.
fn open(path: &Path) -> io::Result<File> {
    stdio::refuse_closed_at(path)?;
    if !std::fs::metadata(path)?.file_type().is_fifo() {
        return File::open(path);
    }
    let pipe = rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
    rustix::fs::fcntl_setfl(&pipe, OFlags::empty())?;
    Ok(pipe.into())
}

/// What the input holds, which its first bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Unknown,
    Lines,
    Resp,
    Rows,
}

impl Source {
    /// Opens a file; `-` is stdin. A named pipe need not have a writer yet: it is read once it can be.
    pub fn open(path: &Path) -> Outcome<Self> {
        if path.as_os_str() == "-" {
            return Self::stdin();
        }
        let name = path.display().to_string();
        let file = open(path).map_err(|error| Failure::unusable(&name, &error))?;
        if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return Err(Failure::usage(format!("{name}: is a directory")));
        }
        Ok(Self::new(name, file))
    }

    /// Standard input.
    pub fn stdin() -> Outcome<Self> {
        let file = stdio::stdin().map_err(|error| Failure::unusable("cannot read stdin", &error))?;
        Ok(Self::new("stdin".to_owned(), file))
    }

    /// What is read from this descriptor, which is called so in messages.
    pub fn new(name: String, input: impl Into<OwnedFd>) -> Self {
        let file = File::from(input.into());
        let metadata = file.metadata().ok().filter(std::fs::Metadata::is_file);
        Self {
            name,
            size: metadata.map(|metadata| metadata.len()),
            file,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            scanned: 0,
            line: 0,
            form: Form::Unknown,
            scan: Scan::default(),
            rows: None,
            ended: false,
            consumed: 0,
            quotes: Quotes::Strict,
        }
    }

    /// The same input with these rules for the quotes in its lines.
    pub fn with_quotes(self, quotes: Quotes) -> Self {
        Self { quotes, ..self }
    }

    /// The same input as a table, if it is one, whose rows become commands.
    pub fn with_rows(mut self, form: Option<&RowForm>) -> Self {
        self.rows = form.map(|form| Box::new(Rows::new(form)));
        self
    }

    /// All of it, and no more than one piece behind `most` bytes; `wait` sleeps until there is more.
    pub fn read_whole(mut self, most: usize, wait: impl Fn(BorrowedFd<'_>) -> Outcome<()>) -> Outcome<Vec<u8>> {
        while !self.ended && self.end <= most {
            wait(self.as_fd())?;
            self.fill()?;
        }
        self.buffer.truncate(self.end);
        Ok(self.buffer)
    }

    /// The file's name as it was given, or `stdin`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file's size in bytes, where it is a regular file.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// How many bytes have been parsed.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Whether all of it has been read. Only a last line without its end, and RESP, may then still be unparsed.
    pub fn is_read(&self) -> bool {
        self.ended
    }

    /// The line that was parsed last, where lines are read; until more is read.
    pub fn last_line(&self) -> &[u8] {
        if self.form != Form::Lines {
            return &[];
        }
        let read = &self.buffer[..self.start];
        let read = read.strip_suffix(b"\n").unwrap_or(read);
        &read[memchr::memrchr(b'\n', read).map_or(0, |end| end + 1)..]
    }

    /// Drops what has been read and is not parsed yet.
    pub fn skip(&mut self) {
        self.start = self.end;
        self.scanned = 0;
        self.scan = Scan::default();
    }

    /// The next command that is wholly in memory, put into `request`. Empty lines and comments are passed over.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every command; the call costs as much as what it does")]
    pub fn next(&mut self, request: &mut Request) -> Result<Next, BadInput> {
        if self.next_plain(request) { Ok(Next::Command) } else { self.next_of_any(request) }
    }

    /// Takes a line that has nothing special, as most lines of a bulk load are; false where something else comes.
    #[inline]
    fn next_plain(&mut self, request: &mut Request) -> bool {
        if !self.may_be_plain() {
            return false;
        }
        let Some(taken) = plain::parse(&self.buffer[self.start..self.end], request) else { return false };
        request.line = self.pass_line(taken);
        true
    }

    /// Appends the next line to packed commands where it has nothing special and `takes` it by its name and the number
    /// of its words: the number of the line. None where something else comes, for [`Self::next_of_any`].
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as for `next`")]
    pub fn pack_plain(&mut self, packed: &mut Vec<u8>, takes: impl FnOnce(&[u8], usize) -> bool) -> Option<u64> {
        if !self.may_be_plain() {
            return None;
        }
        let before = packed.len();
        let plain = plain::pack(&self.buffer[self.start..self.end], packed)?;
        if !takes(plain.name, plain.words) {
            packed.truncate(before);
            return None;
        }
        let length = plain.taken;
        Some(self.pass_line(length))
    }

    /// The words of the next line, where it has nothing special; where it has, anything may come.
    #[inline]
    pub fn plain_words(&self) -> Option<impl Iterator<Item = &[u8]>> {
        self.may_be_plain().then(|| plain::Words::of(&self.buffer[self.start..self.end]))
    }

    /// Whether what comes may be a line that has nothing special and is wholly there.
    fn may_be_plain(&self) -> bool {
        self.form == Form::Lines && self.scanned == 0
    }

    /// Passes over a line of so many bytes: its number.
    fn pass_line(&mut self, taken: usize) -> u64 {
        self.line += 1;
        self.consume(taken);
        self.line
    }

    /// The same as [`Self::next`], of whatever comes.
    pub fn next_of_any(&mut self, request: &mut Request) -> Result<Next, BadInput> {
        loop {
            if self.form == Form::Unknown && !self.recognize()? {
                return Ok(Next::Pending);
            }
            if self.form == Form::Rows {
                match self.next_row(request)? {
                    Some(next) => return Ok(next),
                    None => continue,
                }
            }
            if self.start == self.end && self.ended {
                return Ok(Next::End);
            }
            if self.form == Form::Resp {
                return self.next_resp(request);
            }
            let Some((line_start, line_end)) = self.take_line() else { return Ok(Next::Pending) };
            request.clear();
            request.line = self.line;
            let line = &self.buffer[line_start..line_end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !room::is_there_for_line(line) {
                return Err(self.no_room(self.line, &format!("a line of {} bytes", line.len())).into());
            }
            if let Err(malformed) = parse_quoted(line, request, self.quotes) {
                return Err(BadInput::at(&format!("{}:{}", self.name, self.line), line, &malformed));
            }
            if !request.is_empty() {
                return Ok(Next::Command);
            }
        }
    }

    /// Refuses input in an encoding that cannot be read, and a table without the columns that are asked for, before
    /// anything of it is used.
    pub fn check_beginning(&mut self) -> Outcome<()> {
        while !self.recognize()? {
            self.fill()?;
        }
        let mut request = Request::default();
        while self.rows.as_ref().is_some_and(|rows| !rows.has_header()) {
            if self.next_row(&mut request)?.is_some() {
                self.fill()?;
            }
        }
        Ok(())
    }

    /// Learns from the first bytes what the input holds; false while they are too few.
    fn recognize(&mut self) -> Result<bool, BadInput> {
        let (form, mark) = match begin::look(&self.buffer[self.start..self.end], self.ended) {
            Begin::Unclear => return Ok(false),
            Begin::Foreign(encoding) => {
                let message = format!("{}:1: {}", self.name, refuse_encoding(encoding));
                return Err(BadInput::new(message, false));
            }
            Begin::Lines(mark) => (Form::Lines, mark),
            Begin::Resp(mark) => (Form::Resp, mark),
        };
        self.form = if self.rows.is_some() { Form::Rows } else { form };
        self.consume(mark);
        Ok(true)
    }

    /// Reads once; blocks when nothing is there yet. At the end of the input [`Self::next`] says so.
    pub fn fill(&mut self) -> Outcome<()> {
        self.drop_parsed();
        if self.buffer.len() - self.end < CHUNK / 2 {
            self.grow()?;
        }
        loop {
            match self.file.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::usage(format!("{}: {}", self.name, describe_io(&error)))),
            }
            return Ok(());
        }
    }

    /// Makes room in front, where what was parsed is much.
    fn drop_parsed(&mut self) {
        if self.start > 0 && (self.start == self.end || self.start > self.buffer.len() / 2) {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }

    /// Takes these bytes as if they were read; none are the end.
    #[cfg(any(test, fuzzing))]
    pub(super) fn give(&mut self, bytes: &[u8]) {
        self.drop_parsed();
        self.buffer.truncate(self.end);
        self.buffer.extend_from_slice(bytes);
        self.end += bytes.len();
        self.ended = bytes.is_empty();
    }

    /// Makes the buffer larger. What a RESP command declares is to have room before it is read for nothing.
    fn grow(&mut self) -> Outcome<()> {
        let grown = (self.buffer.len() * 2).max(CHUNK);
        let declared = self.scan.declared;
        let more = grown.max(declared) - self.buffer.len();
        if memory::ask(|| self.buffer.try_reserve_exact(more)).is_err() {
            let what = match declared {
                0 => format!("a line of more than {} bytes", self.end - self.start),
                declared => format!("a RESP command of {declared} bytes or more"),
            };
            return Err(self.no_room(self.line + 1, &what));
        }
        self.buffer.resize(grown, 0);
        Ok(())
    }

    fn no_room(&self, line: u64, what: &str) -> Failure {
        Failure::failed(format!("{}:{line}: memory has no room for {what}", self.name))
    }

    /// Takes the next line, its end excluded, or what is left when the input has ended.
    fn take_line(&mut self) -> Option<(usize, usize)> {
        let waiting = &self.buffer[self.start..self.end];
        let (length, taken) = match memchr::memchr(b'\n', &waiting[self.scanned..]) {
            Some(found) => (self.scanned + found, self.scanned + found + 1),
            None if self.ended && !waiting.is_empty() => (waiting.len(), waiting.len()),
            None => {
                self.scanned = waiting.len();
                return None;
            }
        };
        let line_start = self.start;
        self.scanned = 0;
        self.pass_line(taken);
        Some((line_start, line_start + length))
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        self.consumed += count as u64;
    }
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
