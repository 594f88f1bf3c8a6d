//! What is said to people on stderr: the one place that writes `rcli: …`. Which status a run ends with is told by
//! `exit`.

use std::cell::RefCell;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, OnceLock};

use crate::color::{Colors, Part};
use crate::text;

/// Whether stderr has colours.
static COLORS: OnceLock<Colors> = OnceLock::new();

/// Decides whether stderr has colours. What is said before has those of the default.
pub fn set_colors(colors: Colors) {
    let _ = COLORS.set(colors);
}

/// How a thread says things that has somebody else's line on stderr: a job at the prompt, above what is being typed.
pub struct Voice {
    /// What it calls itself.
    pub name: String,
    /// Takes lines with their ends.
    pub print: Box<dyn Fn(String) + Send + Sync>,
}

thread_local! {
    static VOICE: RefCell<Option<Arc<Voice>>> = const { RefCell::new(None) };
}

/// From here on this thread says things so.
pub fn speak_as(voice: Option<Arc<Voice>>) {
    VOICE.set(voice);
}

/// How this thread says things, for the threads that it starts.
pub fn voice() -> Option<Arc<Voice>> {
    VOICE.with_borrow(Clone::clone)
}

/// What notices begin with that say themselves what they are.
const WORDS: [&str; 3] = ["warning: ", "cancelled: ", "summary: "];

/// What is told to people beside the output.
#[derive(Debug)]
pub enum Told {
    /// Something has failed.
    Failure(String),
    /// Something has happened that is no failure, and is not to look like one.
    Notice(String),
}

impl Told {
    /// `rcli: MESSAGE` as it is written, with its line end. Control characters are escaped, so that nobody's text can
    /// drive the terminal, or pass for a second message.
    pub fn line(&self) -> String {
        let colors = COLORS.get().copied().unwrap_or_else(|| Colors::by_default(io::stderr().is_terminal()));
        match self {
            Self::Failure(message) => format!("{} {}\n", colors.paint(Part::Alarm, "rcli:"), text::line(message)),
            Self::Notice(message) => {
                // Where there are no colours a word tells it from a failure.
                let is_told = colors.0 || WORDS.iter().any(|word| message.starts_with(word));
                let word = if is_told { "" } else { "note: " };
                format!("{}\n", colors.paint(Part::Notice, &format!("rcli: {word}{}", text::line(message))))
            }
        }
    }

    /// The same about something that has a name.
    pub fn of(self, name: &str) -> Self {
        match self {
            Self::Failure(message) => Self::Failure(format!("{name}: {message}")),
            Self::Notice(message) => Self::Notice(format!("{name}: {message}")),
        }
    }

    /// Writes it to stderr: one line in one write.
    pub fn report(self) {
        self.report_pointing(None);
    }

    /// The same with lines below it, that point at a place in the input.
    pub fn report_pointing(self, pointer: Option<&str>) {
        let voice = voice();
        let told = match &voice {
            Some(voice) => self.of(&voice.name),
            None => self,
        };
        let mut lines = told.line();
        if let Some(pointer) = pointer {
            lines.push_str(pointer);
            lines.push('\n');
        }
        match voice {
            Some(voice) => (voice.print)(lines),
            // Nowhere is left to say that stderr is gone.
            None => drop(io::stderr().write_all(lines.as_bytes())),
        }
    }
}

/// Writes `rcli: MESSAGE` to stderr: something has failed.
pub fn report(message: &str) {
    Told::Failure(message.to_owned()).report();
}

/// Writes `rcli: MESSAGE` to stderr: something has happened that is no failure.
pub fn notice(message: &str) {
    Told::Notice(message.to_owned()).report();
}
