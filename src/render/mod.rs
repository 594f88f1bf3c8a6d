//! Records as bytes: human, raw, CSV or JSON Lines (contract section 2). Never sees a connection.

mod csv;
mod entry;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod human;
mod json;
mod keys;
mod raw;
mod record;
mod repr;
mod stream;
mod survey;

use crate::command::request::Request;
use std::fs::File;
use std::io::{self, BufWriter, Write};

pub use self::keys::{Cell, Ranked, Ranking, TypeSum};
pub use self::record::{Record, Reports};
pub use self::survey::Survey;
use crate::color::Colors;
use crate::memory::Growing;
use crate::reply::Frame;
use crate::stdio;
use crate::text::{Escape, Escaping};

/// The output formats of contract section 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// redis-cli's typed text.
    Human,
    /// Bytes as they are.
    Raw,
    /// redis-cli's CSV.
    Csv,
    /// One JSON line a reply.
    Json,
}

impl Format {
    pub const ALL: [Self; 4] = [Self::Human, Self::Raw, Self::Csv, Self::Json];

    /// The names of all of them, as they stand in a sentence.
    pub const NAMES: &str = "human, raw, csv or json";

    pub fn name(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Raw => "raw",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Whether what redis-cli writes in it came in RESP2, unless `-3` asked for more: what has no place in it then has
    /// the shape that scripts know.
    pub fn is_of_resp2(self) -> bool {
        matches!(self, Self::Raw | Self::Csv)
    }
}

/// Everything that decides how records look.
#[derive(Clone, Debug)]
pub struct Style {
    pub format: Format,
    /// Raw: between the elements of a reply.
    pub element_delimiter: Vec<u8>,
    /// Raw: after a reply.
    pub reply_delimiter: Vec<u8>,
    /// Raw: an error is followed by the reply delimiter only, not by redis-cli's newline of its own as well.
    pub one_line_errors: bool,
    /// JSON: every bulk string as `{"base64":"…"}`.
    pub base64: bool,
    /// JSON: a string that is not plain ASCII as redis-cli quotes it, with `\xNN` (`--quoted-json`).
    pub quoted: bool,
    /// JSON: a string that is not UTF-8 has its bytes in it as they are, as redis-cli writes it.
    pub keeps_bytes: bool,
    /// JSON: the text of a report as an object (`--reports`).
    pub parses_reports: bool,
    /// JSON: the data of a message that is itself JSON is nested (`--data-json`).
    pub nest_json: bool,
    /// Raw: a message is written as the frame that it is, as redis-cli does, not as its payload alone.
    pub whole_messages: bool,
    /// Human: each key that is listed is quoted, not only where it must be.
    pub quotes_keys: bool,
    /// Human: whether stdout has colours.
    pub colors: Colors,
    /// What is written is shown on a terminal, which nothing in it may drive. Human output is safe in any case.
    pub is_terminal: bool,
}

/// Stdout, buffered by us alone: what is written is seen when [`Renderer::flush`] says so.
pub type Stdout = BufWriter<Output>;

/// What stands behind the buffer.
pub enum Output {
    /// Standard output.
    File(File),
    /// Standard output, where there is none: what is written to it is an error.
    Closed,
    /// What stands for it where somebody types: lines above that, or with colours.
    Lines(Box<dyn Write + Send>),
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Closed => Err(stdio::closed()),
            Self::Lines(lines) => lines.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(_) | Self::Closed => Ok(()),
            Self::Lines(lines) => lines.flush(),
        }
    }
}

const OUTPUT_BUFFER: usize = 64 * 1024;

/// Standard output with a buffer of its own.
pub fn stdout() -> io::Result<Stdout> {
    let output = if stdio::is_stdout_closed() { Output::Closed } else { Output::File(stdio::stdout()?) };
    Ok(BufWriter::with_capacity(OUTPUT_BUFFER, output))
}

/// What stands for standard output, with the same buffer.
pub fn lines(lines: Box<dyn Write + Send>) -> Stdout {
    BufWriter::with_capacity(OUTPUT_BUFFER, Output::Lines(lines))
}

/// The memory that is kept for the next record.
const KEPT: usize = 64 * 1024;

/// Writes records in one format.
pub struct Renderer<W: Write> {
    writer: W,
    style: Style,
}

impl<W: Write> Renderer<W> {
    /// A renderer over a writer.
    pub fn new(writer: W, style: Style) -> Self {
        Self { writer, style }
    }

    /// Writes one record.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every record; the call costs as much as what it does")]
    pub fn write(&mut self, record: &Record<'_>) -> io::Result<()> {
        match record {
            _ if self.style.is_terminal => self.write_safely(record),
            Record::Reply { frame, is_report } => reply(&mut self.writer, &self.style, *frame, *is_report),
            _ => render(&mut self.writer, &self.style, record),
        }
    }

    /// The same on a terminal, which nothing in it may drive.
    fn write_safely(&mut self, record: &Record<'_>) -> io::Result<()> {
        let how = match (record, self.style.format) {
            (Record::Push(_) | Record::CommandLine { .. }, _) | (_, Format::Json) => Some(Escape::Json),
            (_, Format::Raw | Format::Csv) => Some(Escape::Lines),
            (_, Format::Human) => None,
        };
        let Some(how) = how else { return render(&mut self.writer, &self.style, record) };
        let mut safe = Escaping::new(&mut self.writer, how);
        render(&mut safe, &self.style, record)?;
        safe.finish()
    }

    /// Writes text for a person, or what was rendered before.
    pub fn write_text(&mut self, text: impl AsRef<[u8]>) -> io::Result<()> {
        self.writer.write_all(text.as_ref())
    }

    /// Writes text for a person, who is to see it now.
    pub fn write_now(&mut self, text: &str) -> io::Result<()> {
        self.write_text(text)?;
        self.flush()
    }

    /// What is written from here on looks so.
    pub fn set_style(&mut self, style: Style) {
        self.style = style;
    }

    /// Passes on what was written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Writes a reply as it is.
#[inline(always)]
#[expect(clippy::inline_always, reason = "called for every reply; the call costs as much as what it does")]
fn reply(out: &mut impl Write, style: &Style, frame: Frame<'_>, is_report: bool) -> io::Result<()> {
    match style.format {
        Format::Human => human::reply(out, style, frame, is_report),
        Format::Raw => raw::reply(out, style, frame, is_report),
        Format::Csv => csv::reply(out, frame, is_report),
        Format::Json => json::reply(out, style, frame),
    }
}

/// Writes a record as it is.
fn render(out: &mut impl Write, style: &Style, record: &Record<'_>) -> io::Result<()> {
    match record {
        Record::Reply { frame, is_report } => reply(out, style, *frame, *is_report),
        Record::Report { frame, reports } if style.format == Format::Json => {
            json::reports(out, style, *frame, *reports)
        }
        Record::Report { frame, reports } => reply(out, style, *frame, matches!(reports, Reports::Whole(_))),
        Record::Envelope { index, request, frame, reports } => {
            json::envelope(out, style, *index, request, *frame, *reports)
        }
        Record::Block { block: requests, frame } => block(out, style, requests, *frame),
        Record::Push(frame) => json::push(out, style, *frame),
        Record::Message { message, time, node } => stream::message(out, style, message, (*time, *node)),
        Record::Monitored { text, line, node } => stream::monitored(out, style, text, line, *node),
        Record::Entry { entry, time } => entry::entry(out, style, entry, *time),
        Record::Event { event, time, server } => stream::event(out, style, event, *time, server),
        Record::Key(key) => keys::key(out, style, key),
        Record::RowHead(names) => keys::head(out, style, names),
        Record::Row { key, cells } => keys::row(out, style, key, cells),
        Record::Pair { names, left, right } => keys::pair(out, style, *names, left, right),
        Record::CommandLine { request, in_base64 } => keys::command(out, request, *in_base64),
        Record::Ranking(ranking) => keys::ranking(out, style, ranking),
        Record::Survey(lines) => survey::survey(out, lines),
    }
}

/// A block: in JSON an envelope for each command, in raw and CSV EXEC's reply as it is.
fn block(out: &mut impl Write, style: &Style, block: &[Request], frame: Frame<'_>) -> io::Result<()> {
    match style.format {
        Format::Human => human::block(out, style, block, frame),
        Format::Raw => raw::reply(out, style, frame, false),
        Format::Csv => csv::reply(out, frame, false),
        Format::Json => {
            for ((index, request), reply) in (1..).zip(block).zip(frame.children()) {
                let mut request = request.clone();
                request.line = index;
                json::envelope(out, style, index, &request, reply, Reports::of(&request))?;
            }
            Ok(())
        }
    }
}

impl Renderer<Growing<Vec<u8>>> {
    /// What was written since it was last forgotten.
    pub fn written(&self) -> &[u8] {
        &self.writer.0
    }

    /// Forgets what was written, and keeps the memory.
    pub fn forget(&mut self) {
        self.writer.0.clear();
        self.writer.0.shrink_to(KEPT);
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test ends by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_large_record_is_given_back() {
        let style = Style::plain(Format::Raw);
        let mut renderer = Renderer::new(Growing::default(), style);
        renderer.write_text(vec![b'x'; 1 << 20]).expect("memory takes everything");
        assert_eq!(renderer.written().len(), 1 << 20);
        renderer.forget();
        assert!(renderer.written().is_empty() && renderer.writer.0.capacity() < 1 << 18);
    }
}
