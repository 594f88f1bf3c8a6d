//! What a source gives next where it is not read line by line: the rows of a table, and commands in RESP.

use super::{Next, Source};
use crate::command::request::{Request, secrets};
use crate::input::bad::BadInput;
use crate::input::count_lines;
use crate::input::resp::{self, Found};
use crate::input::rows::Row;

impl Source {
    /// What the next row of a table gives; none for its header.
    pub(super) fn next_row(&mut self, request: &mut Request) -> Result<Option<Next>, BadInput> {
        let Some(rows) = &mut self.rows else { return Ok(Some(Next::End)) };
        request.clear();
        let waiting = &self.buffer[self.start..self.end];
        let had_header = rows.has_header();
        let (taken, row) = rows.read(waiting, self.line, self.ended, request);
        request.line = rows.line();
        self.line += count_lines(&waiting[..taken]);
        match row {
            Row::Whole | Row::Bad(_, true) => rows.begin_next(),
            _ => {}
        }
        self.consume(taken);
        match row {
            Row::Whole if had_header => Ok(Some(Next::Command)),
            Row::Whole => Ok(None),
            Row::Part => Ok(Some(Next::Pending)),
            Row::End => Ok(Some(Next::End)),
            Row::Bad(reason, recoverable) => {
                let line = request.line.max(1);
                Err(BadInput::new(format!("{}:{line}: {reason}", self.name), recoverable))
            }
        }
    }

    /// The next command in RESP.
    pub(super) fn next_resp(&mut self, request: &mut Request) -> Result<Next, BadInput> {
        loop {
            request.clear();
            let waiting = &self.buffer[self.start..self.end];
            // Between commands line ends may stand.
            let blank = waiting.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            self.line += count_lines(&waiting[..blank]);
            self.consume(blank);
            let waiting = &self.buffer[self.start..self.end];
            if waiting.is_empty() {
                return Ok(if self.ended { Next::End } else { Next::Pending });
            }
            request.line = self.line + 1;
            let bad = |reason: &str| BadInput::new(format!("{}:{}: {reason}", self.name, self.line + 1), false);
            match resp::parse(waiting, &mut self.scan, request) {
                Ok(Found::Command(taken)) => {
                    self.line += count_lines(&waiting[..taken]);
                    self.consume(taken);
                    if !request.is_empty() {
                        return Ok(Next::Command);
                    }
                }
                Ok(Found::Part) if self.ended => return Err(bad("the input ends inside a RESP command")),
                Ok(Found::Part) => return Ok(Next::Pending),
                Ok(Found::TooLarge(size)) => {
                    return Err(self.no_room(self.line + 1, &format!("a RESP command of {size} bytes")).into());
                }
                Err(reason) => {
                    return Err(match secrets::shown_bad(request.arg(0)) {
                        Some(shown) => bad(&format!("bad RESP: {shown}")),
                        None => bad(&reason),
                    });
                }
            }
        }
    }
}
