//! One row of the report and how it is printed; a goal missed is marked, never asserted.

use std::fmt;

use crate::measure::{Pairs, Ratio};

/// What a row should reach.
#[derive(Clone, Copy)]
pub enum Goal {
    /// No goal is set for this variant.
    None,
    /// At most this share of the peer's wall time.
    Wall(f64),
    /// At most this share of the peer's CPU time.
    Cpu(f64),
    /// Both.
    WallAndCpu(f64, f64),
    /// At least this many times the peer's rate, and at most this share of its CPU time.
    RateAndCpu(f64, f64),
    /// At most this many bytes.
    Bytes(u64),
    /// At most this many instructions an item.
    Instructions(u64),
    /// At most this long, in milliseconds.
    Milliseconds(f64),
    /// Nothing lost.
    Complete,
}

impl Goal {
    fn wall(self) -> Option<f64> {
        match self {
            Self::Wall(wall) | Self::WallAndCpu(wall, _) => Some(wall),
            Self::RateAndCpu(rate, _) => Some(1.0 / rate),
            _ => None,
        }
    }

    fn cpu(self) -> Option<f64> {
        match self {
            Self::Cpu(cpu) | Self::WallAndCpu(_, cpu) | Self::RateAndCpu(_, cpu) => Some(cpu),
            _ => None,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(f, "–"),
            Self::Wall(wall) => write!(f, "wall ≤ {wall:.2}"),
            Self::Cpu(cpu) => write!(f, "CPU ≤ {cpu:.2}"),
            Self::WallAndCpu(wall, cpu) => write!(f, "wall ≤ {wall:.2}, CPU ≤ {cpu:.2}"),
            Self::RateAndCpu(rate, cpu) => write!(f, "rate ≥ {rate}×, CPU ≤ {cpu:.2}"),
            Self::Bytes(bytes) => write!(f, "≤ {}", megabytes(*bytes)),
            Self::Instructions(count) => write!(f, "≤ {count}"),
            Self::Milliseconds(limit) => write!(f, "≤ {limit:.0} ms"),
            Self::Complete => write!(f, "nothing lost"),
        }
    }
}

/// One line of the report.
pub struct Row {
    /// What was done.
    pub work: String,
    /// Whom it is compared with.
    pub against: &'static str,
    /// What it should reach.
    pub goal: Goal,
    wall: Option<Ratio>,
    cpu: Option<Ratio>,
    missed: bool,
    /// Absolute figures and what else is worth knowing.
    pub note: String,
}

impl Row {
    /// A row of two programs, with their median times as its note.
    pub fn compared(work: String, against: &'static str, goal: Goal, pairs: &Pairs) -> Self {
        let (ours, theirs) = (pairs.ours, pairs.theirs);
        let note = format!(
            "{} to {} wall, {} to {} CPU",
            seconds(ours.wall.as_secs_f64()),
            seconds(theirs.wall.as_secs_f64()),
            seconds(ours.cpu.as_secs_f64()),
            seconds(theirs.cpu.as_secs_f64()),
        );
        let exceeds = |limit: Option<f64>, ratio: Ratio| limit.is_some_and(|l| ratio.median > l);
        Self {
            missed: exceeds(goal.wall(), pairs.wall) || exceeds(goal.cpu(), pairs.cpu),
            wall: Some(pairs.wall),
            cpu: Some(pairs.cpu),
            work,
            against,
            goal,
            note,
        }
    }

    /// A row with a size and nothing to compare it with.
    pub fn sized(work: String, limit: u64, measured: u64, note: &str) -> Self {
        let note = format!("**{}** {note}", megabytes(measured));
        Self::stated(work, "–", Goal::Bytes(limit), measured > limit, note)
    }

    /// A row whose outcome is stated in words.
    pub fn stated(work: String, against: &'static str, goal: Goal, missed: bool, note: String) -> Self {
        Self { work, against, goal, wall: None, cpu: None, missed, note }
    }

    /// A row that could not be measured, and why.
    pub fn failed(name: &str, error: &anyhow::Error) -> Self {
        let note = format!("**not measured**: {error:#}");
        Self::stated(name.to_owned(), "–", Goal::None, false, note)
    }

    /// Adds to the note.
    #[must_use]
    pub fn also(mut self, note: &str) -> Self {
        self.note.push_str("; ");
        self.note.push_str(note);
        self
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let goal = if self.missed { format!("{} **missed**", self.goal) } else { self.goal.to_string() };
        let (wall, cpu) = (ratio(self.wall), ratio(self.cpu));
        // A message of a failed program may hold what Markdown takes for the end of a cell.
        let note = self.note.replace('|', "\\|").replace('\n', " ");
        let Self { work, against, .. } = self;
        write!(f, "| {work} | {against} | {goal} | {wall} | {cpu} | {note} |")
    }
}

/// The first lines of the table.
pub const HEAD: &str =
    "| work | against | goal | wall (range) | CPU (range) | note |\n| --- | --- | --- | --- | --- | --- |";

fn ratio(ratio: Option<Ratio>) -> String {
    // Three digits where a goal is a few hundredths.
    let short = |value: f64| {
        if value < 0.2 { format!("{value:.3}") } else { format!("{value:.2}") }
    };
    ratio.map_or_else(|| "–".to_owned(), |r| format!("{} ({}–{})", short(r.median), short(r.min), short(r.max)))
}

/// Bytes in the unit people compare.
pub fn megabytes(bytes: u64) -> String {
    let tenths = bytes * 10 / (1024 * 1024);
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

/// A duration with three digits.
pub fn seconds(seconds: f64) -> String {
    if seconds < 0.1 { format!("{:.1} ms", seconds * 1000.0) } else { format!("{seconds:.2} s") }
}

/// A number with its thousands apart.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
