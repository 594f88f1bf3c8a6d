//! A line typed on a pipe, key by key, as redis-cli takes it with `FAKETTY_WITH_PROMPT`: shown again after each key, and
//! looked for among the lines before it with Ctrl-R and Ctrl-S. Enter is a carriage return; line feeds say nothing.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsFd as _;

use memchr::memmem;

use crate::exit::{Failure, Outcome};
use crate::net::poll;
use crate::render::{Renderer, Stdout};
use crate::stdio;
use crate::text::{Escape, describe_io, printable_bytes};

const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const CTRL_G: u8 = 0x07;
const BACKSPACE: u8 = 0x08;
const CTRL_R: u8 = 0x12;
const CTRL_S: u8 = 0x13;
const ESCAPE: u8 = 0x1b;
const DELETE: u8 = 0x7f;

#[derive(Default)]
struct Search {
    is_forward: bool,
    query: Vec<u8>,
    /// The line that has it.
    found: Option<usize>,
}

/// Who types.
pub struct Keys {
    input: File,
    /// What was read, and how much of it was taken.
    read: Vec<u8>,
    taken: usize,
    line: Vec<u8>,
    search: Option<Search>,
    /// The lines before, oldest first.
    history: Vec<Vec<u8>>,
}

impl Keys {
    /// Those of standard input.
    pub fn new() -> Outcome<Self> {
        let input =
            stdio::stdin().map_err(|error| Failure::usage(format!("cannot read stdin: {}", describe_io(&error))))?;
        Ok(Self { input, read: Vec::new(), taken: 0, line: Vec::new(), search: None, history: Vec::new() })
    }

    /// The next line; none at the end of the input, or where it is left.
    pub fn next_line(&mut self, prompt: &str, out: &mut Renderer<Stdout>) -> Outcome<Option<Vec<u8>>> {
        self.line.clear();
        self.search = None;
        loop {
            self.show(prompt, out)?;
            let Some(key) = self.key()? else { return Ok(None) };
            match key {
                b'\r' => break,
                CTRL_C => return Ok(None),
                CTRL_D if self.line.is_empty() => return Ok(None),
                CTRL_R | CTRL_S => self.look_on(key == CTRL_S),
                CTRL_G => self.search = None,
                b'\t' => self.take_found(),
                ESCAPE => {
                    // What is left of the key, as of an arrow.
                    self.key()?;
                    self.key()?;
                    self.search = None;
                }
                BACKSPACE | DELETE => self.change(|text| text.truncate(text.len().saturating_sub(1))),
                b' '.. => self.change(|text| text.push(key)),
                _ => {}
            }
        }
        self.take_found();
        write(out, "\n")?;
        if !self.line.is_empty() && self.history.last() != Some(&self.line) {
            self.history.push(self.line.clone());
        }
        Ok(Some(self.line.clone()))
    }

    fn key(&mut self) -> Outcome<Option<u8>> {
        if self.taken == self.read.len() {
            poll::wait_readable(self.input.as_fd())?;
            self.read.resize(1024, 0);
            let count = self
                .input
                .read(&mut self.read)
                .map_err(|error| Failure::usage(format!("stdin: {}", describe_io(&error))))?;
            self.read.truncate(count);
            self.taken = 0;
        }
        let key = self.read.get(self.taken).copied();
        self.taken += usize::from(key.is_some());
        Ok(key)
    }

    /// Begins a search, or goes on with it from what was found.
    fn look_on(&mut self, is_forward: bool) {
        let Self { search, history, .. } = self;
        let Some(search) = search else {
            *search = Some(Search { is_forward, ..Search::default() });
            return;
        };
        search.is_forward = is_forward;
        search.found = search.look(history, search.found).or(search.found);
    }

    /// Changes what is typed: the line, or what is looked for.
    fn change(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        let Some(search) = &mut self.search else { return change(&mut self.line) };
        change(&mut search.query);
        search.found = search.look(&self.history, None);
    }

    /// What was found is the line now; where nothing was, what was looked for.
    fn take_found(&mut self) {
        if let Some(search) = self.search.take() {
            let found = search.found.and_then(|at| self.history.get(at)).cloned();
            self.line = found.unwrap_or(search.query);
        }
    }

    fn show(&self, prompt: &str, out: &mut Renderer<Stdout>) -> Outcome<()> {
        let plain = |text: &[u8]| printable_bytes(text, Escape::Undecodable).into_owned();
        let Some(Search { is_forward, query, found }) = &self.search else {
            return write(out, &format!("\r{prompt}{}\x1b[0K", plain(&self.line)));
        };
        let name = if *is_forward { "(i-search): " } else { "(reverse-i-search): " };
        let found = found.and_then(|at| self.history.get(at)).and_then(|line| Some((line, memmem::find(line, query)?)));
        let shown = match found {
            Some((line, at)) => {
                let (before, rest) = line.split_at(at);
                let (same, behind) = rest.split_at(query.len());
                format!("\x1b[0m{}\x1b[1m{}\x1b[0m{}", plain(before), plain(same), plain(behind))
            }
            None => plain(query),
        };
        write(out, &format!("\r{name}{shown}\x1b[0K"))
    }
}

impl Search {
    /// The next line that has what is looked for, beyond this one.
    fn look(&self, history: &[Vec<u8>], beyond: Option<usize>) -> Option<usize> {
        let has = |at: &usize| history.get(*at).is_some_and(|line| memmem::find(line, &self.query).is_some());
        if self.query.is_empty() {
            None
        } else if self.is_forward {
            (beyond.map_or(0, |at| at + 1)..history.len()).find(has)
        } else {
            (0..beyond.unwrap_or(history.len())).rev().find(has)
        }
    }
}

fn write(out: &mut Renderer<Stdout>, text: &str) -> Outcome<()> {
    out.write_now(text).map_err(Failure::output)
}
