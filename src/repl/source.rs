//! `source FILE`: the lines of a file, run as if they were typed (contract section 10).

use std::fs;
use std::path::Path;

use super::redirect::home;
use super::{Flow, Repl, tokens};
use crate::exit::Outcome;
use crate::report::{notice, report};
use crate::text::{self, describe_io};

/// A file that runs itself would never end.
const DEEPEST: usize = 16;

impl Repl<'_> {
    /// Runs the lines of a file; what ends a paste ends it too.
    pub(super) fn source(&mut self, path: &str) -> Outcome<Flow> {
        let shown = text::line(path).into_owned();
        if self.sources >= DEEPEST {
            report(&format!("{shown}: {DEEPEST} files are being run already, one from within the other"));
            return Ok(Flow::Stop);
        }
        let read = fs::read(home(Path::new(path)));
        let content = match read {
            Ok(bytes) => String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes)).into_owned(),
            Err(error) => {
                report(&format!("{shown}: {}", describe_io(&error)));
                return Ok(Flow::Stop);
            }
        };
        self.sources += 1;
        let ran = self.run_lines(&shown, &tokens::commands(&content));
        self.sources -= 1;
        ran
    }

    fn run_lines(&mut self, shown: &str, commands: &[String]) -> Outcome<Flow> {
        let is_last = self.is_last;
        for (index, command) in commands.iter().enumerate() {
            let left = commands.len() - index - 1;
            self.is_last = is_last && left == 0;
            match self.run_command(command)? {
                Flow::On => self.flush()?,
                Flow::Stop => {
                    if left > 0 {
                        let commands = if left == 1 { "command" } else { "commands" };
                        notice(&format!("{shown}: not run: the {left} {commands} after it"));
                    }
                    return Ok(Flow::Stop);
                }
                Flow::Leave => return Ok(Flow::Leave),
            }
        }
        Ok(Flow::On)
    }
}
