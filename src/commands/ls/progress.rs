//! The bar of `--progress`, on stderr.

use std::io::{self, IsTerminal as _};
use std::time::Instant;

use indicatif::ProgressBar;

use super::super::bar::bar;
use super::super::stderr_is_terminal;
use crate::render::{Renderer, Stdout};

/// The bar, which nobody sees where it is not asked for.
pub struct Bar {
    bar: ProgressBar,
    pub is_wanted: bool,
    shares_terminal: bool,
    started: Instant,
}

impl Bar {
    /// None is shown before [`Self::begin`].
    pub fn new(is_wanted: bool) -> Self {
        let shares_terminal = is_wanted && stderr_is_terminal() && io::stdout().is_terminal();
        Self { bar: ProgressBar::hidden(), is_wanted, shares_terminal, started: Instant::now() }
    }

    /// Shows it; `total` is how many keys there are, where all of them are given.
    pub fn begin(&mut self, total: Option<u64>) {
        let template =
            if total.is_some() { "{bar:30} {pos}/{len} keys {msg} {eta} left" } else { "{spinner} {pos} keys {msg}" };
        self.bar = bar(total, template);
        self.started = Instant::now();
    }

    /// Moves it by so many keys.
    pub fn advance(&self, keys: u64) {
        if !self.is_wanted {
            return;
        }
        self.bar.inc(keys);
        let rate = u128::from(self.bar.position()) * 1_000_000 / self.started.elapsed().as_micros().max(1);
        self.bar.set_message(format!("{rate}/s"));
    }

    /// Takes it away while something else writes to stderr.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }

    /// Writes to stdout; where that is the terminal of the bar it steps aside, and what is written is seen at once.
    #[inline]
    pub fn write(
        &self,
        renderer: &mut Renderer<Stdout>,
        write: impl FnOnce(&mut Renderer<Stdout>) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.shares_terminal {
            return self.bar.suspend(|| write(renderer).and_then(|()| renderer.flush()));
        }
        write(renderer)
    }

    /// Takes it away for good.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
