//! CSV and TSV, row by row as they come (contract section 6): the first row heads the columns, each other one becomes a
//! command. Cells are taken apart by the csv crate's own parser, which needs no whole row at once.

use std::sync::Arc;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::template::{Bound, Template};
use crate::command::request::Request;
use crate::memory;

/// What the rows of an input become.
#[derive(Clone, Debug)]
pub struct RowForm {
    /// The command of a row.
    pub template: Arc<Template>,
    /// Whether cells stand between tabs and nothing is quoted.
    pub is_tsv: bool,
}

/// The rows of one input.
#[derive(Clone, Debug)]
pub struct Rows {
    template: Arc<Template>,
    reader: Box<Reader>,
    /// The cells of the row that is being read, one behind the other, and where each ends.
    cells: Vec<u8>,
    ends: Vec<usize>,
    /// How much of both is filled.
    filled: (usize, usize),
    /// The line where the row begins; none before its first byte.
    line: Option<u64>,
    /// The template over the header, once that was read.
    bound: Option<Bound>,
}

/// What was found in the bytes that there are.
#[derive(Debug, PartialEq, Eq)]
pub enum Row {
    /// The header, or a row that is wholly there: the request is filled in where it is a row.
    Whole,
    /// More is needed.
    Part,
    /// All rows were read.
    End,
    /// What is wrong with it, and whether the next one can be looked at all the same.
    Bad(String, bool),
}

const CELLS: usize = 4096;
const ENDS: usize = 64;

impl Rows {
    /// Rows that were not begun yet.
    pub fn new(form: &RowForm) -> Self {
        let mut builder = ReaderBuilder::new();
        if form.is_tsv {
            builder.delimiter(b'\t').quoting(false);
        }
        let (mut reader, mut cells, mut ends) = (Box::new(builder.build()), vec![0; CELLS], vec![0; ENDS]);
        // At its beginning the parser takes a byte order mark away, if that comes in one piece. That of the input is gone.
        reader.read_record(b"\n", &mut cells, &mut ends);
        Self { template: Arc::clone(&form.template), reader, cells, ends, filled: (0, 0), line: None, bound: None }
    }

    /// Whether the header was read.
    pub fn has_header(&self) -> bool {
        self.bound.is_some()
    }

    /// The line where the row begins that was read last, or is being read.
    pub fn line(&self) -> u64 {
        self.line.unwrap_or_default()
    }

    /// Reads on from these bytes, behind so many lines; how many were taken. `is_all` says that no more come.
    pub fn read(&mut self, bytes: &[u8], lines: u64, is_all: bool, request: &mut Request) -> (usize, Row) {
        let mut taken = 0;
        if self.line.is_none() {
            // Empty lines are no rows.
            taken = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            if taken == bytes.len() {
                let row = match (is_all, self.has_header()) {
                    (false, _) => Row::Part,
                    (true, true) => Row::End,
                    (true, false) => Row::Bad("there is no line that heads the columns".to_owned(), false),
                };
                return (taken, row);
            }
            self.line = Some(lines + 1 + super::count_lines(&bytes[..taken]));
        }
        // To the parser no bytes at all are the end.
        if taken == bytes.len() {
            return (taken, if is_all { self.finish_last(request) } else { Row::Part });
        }
        let (read, result) = self.parse(&bytes[taken..]);
        let row = match result {
            Some(ReadRecordResult::Record) => self.finish(request),
            Some(_) if is_all => self.finish_last(request),
            Some(_) => Row::Part,
            None => self.no_room(),
        };
        (taken + read, row)
    }

    /// Has the parser read on, with more room where it wants that: how many bytes it took, and how far it came; none where
    /// memory has no room.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every row; what it gives is looked at at once")]
    fn parse(&mut self, bytes: &[u8]) -> (usize, Option<ReadRecordResult>) {
        let mut taken = 0;
        loop {
            let (cells, ends) = (&mut self.cells[self.filled.0..], &mut self.ends[self.filled.1..]);
            let (result, read, written, ended) = self.reader.read_record(&bytes[taken..], cells, ends);
            taken += read;
            self.filled = (self.filled.0 + written, self.filled.1 + ended);
            let has_room = match result {
                ReadRecordResult::OutputFull => grow(&mut self.cells),
                ReadRecordResult::OutputEndsFull => grow(&mut self.ends),
                result => return (taken, Some(result)),
            };
            if !has_room {
                return (taken, None);
            }
        }
    }

    #[cold]
    fn no_room(&self) -> Row {
        let is_cell = self.filled.0 == self.cells.len();
        let length = if is_cell { self.cells.len() } else { self.ends.len() };
        Row::Bad(format!("memory has no room for a row of more than {length} bytes"), false)
    }

    /// The last row has no line end of its own: one that does not end it stands in quotes.
    #[cold]
    fn finish_last(&mut self, request: &mut Request) -> Row {
        match self.parse(b"\n").1 {
            Some(ReadRecordResult::Record) => self.finish(request),
            Some(_) => Row::Bad("the input ends inside of a cell whose quote is not closed".to_owned(), false),
            None => self.no_room(),
        }
    }

    /// What a whole row gives.
    fn finish(&mut self, request: &mut Request) -> Row {
        let (_, count) = std::mem::take(&mut self.filled);
        let ends = &self.ends[..count];
        let cell = |place: usize| {
            let start = if place == 0 { 0 } else { ends[place - 1] };
            &self.cells[start..ends[place]]
        };
        let Some(bound) = &self.bound else {
            let header: Vec<&[u8]> = (0..count).map(cell).collect();
            return match self.template.bind(&header) {
                Ok(bound) => {
                    self.bound = Some(bound);
                    Row::Whole
                }
                Err(reason) => Row::Bad(reason, false),
            };
        };
        if count != bound.columns {
            let cells = if count == 1 { "1 cell".to_owned() } else { format!("{count} cells") };
            return Row::Bad(format!("{cells} where the header has {}", bound.columns), true);
        }
        bound.fill(cell, request);
        Row::Whole
    }

    /// The row is done with.
    pub fn begin_next(&mut self) {
        self.line = None;
    }
}

/// Makes room, if memory has it.
fn grow<T: Clone + Default>(buffer: &mut Vec<T>) -> bool {
    let size = buffer.len() * 2;
    let has_room = memory::ask(|| buffer.try_reserve_exact(size - buffer.len())).is_ok();
    if has_room {
        buffer.resize(size, T::default());
    }
    has_room
}
