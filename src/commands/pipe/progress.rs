//! The progress bar and the summary of `pipe`, both on stderr (contract section 6).

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::super::bar::bar;
use super::super::stderr_is_terminal;
use crate::cli::{PipeArgs, When};
use crate::report::notice;

/// The bar, if there is one, and what the summary needs.
pub struct Progress {
    bar: Option<ProgressBar>,
    counts_bytes: bool,
    wants_summary: bool,
    /// Whether replies go to the terminal of the bar, which has to step aside for each.
    pub shares_terminal: bool,
    started: Instant,
}

impl Progress {
    /// Decides whether there is a bar; `size` is the size of the input in bytes, where that is known.
    pub fn new(args: &PipeArgs, size: Option<u64>) -> Self {
        let is_terminal = stderr_is_terminal();
        let wants_bar = match args.progress {
            When::Auto => is_terminal,
            When::Always => true,
            When::Never => false,
        };
        let bar = wants_bar.then(|| {
            let template = if size.is_some() {
                "{bar:30} {bytes}/{total_bytes} {msg} {eta} left"
            } else {
                "{spinner} {pos} commands {msg}"
            };
            let bar = bar(size, template);
            bar.with_message("0 commands/s, 0 errors")
        });
        Self {
            wants_summary: args.summary || bar.is_some(),
            shares_terminal: bar.is_some() && is_terminal && io::stdout().is_terminal(),
            counts_bytes: size.is_some(),
            bar,
            started: Instant::now(),
        }
    }

    /// Moves the bar: `consumed` bytes of input were parsed, and so many replies written, or passed over by `--quiet`, of
    /// which so many were, or held, errors.
    pub fn update(&self, consumed: u64, answered: u64, errors: u64) {
        let Some(bar) = &self.bar else { return };
        bar.set_position(if self.counts_bytes { consumed } else { answered });
        let rate = rate(answered, self.started.elapsed());
        bar.set_message(format!("{rate} commands/s, {errors} errors"));
    }

    /// Takes the bar away while something else writes to the terminal.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Takes the bar away for good.
    pub fn end_bar(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Writes the summary, the last line on stderr, of the same numbers, and of how many commands were sent and not
    /// answered.
    pub fn summarize(&self, answered: u64, errors: u64, unanswered: usize) {
        if self.wants_summary {
            summarize(answered, errors, unanswered, self.started.elapsed());
        }
    }
}

/// The same of a run without a bar, which took so long.
pub fn summarize(answered: u64, errors: u64, unanswered: usize, took: Duration) {
    notice(&format!(
        "summary: {} commands, {answered} replies, {errors} errors, {:.3} seconds, {} commands/s",
        answered + unanswered as u64,
        took.as_secs_f64(),
        rate(answered, took)
    ));
}

/// Commands a second.
fn rate(answered: u64, elapsed: Duration) -> u128 {
    u128::from(answered) * 1_000_000 / elapsed.as_micros().max(1)
}
