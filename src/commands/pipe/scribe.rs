//! Replies as text at the moment they come: a text waits for its turn in a few bytes, where a value would be spread
//! over the memory until then.

use crate::cli::PipeArgs;
use crate::record::Record;
use crate::render::{Renderer, Style};
use crate::reply::Frame;
use crate::request::Request;

/// Texts up to this length need no memory of their own.
const SHORT: usize = 22;

/// What is to be written for a reply.
#[derive(Debug)]
pub enum Text {
    /// That many of these bytes.
    Short(u8, [u8; SHORT]),
    /// More.
    Long(Box<[u8]>),
}

impl Text {
    fn new(bytes: &[u8]) -> Self {
        let mut short = [0; SHORT];
        match (short.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(bytes);
                Self::Short(length, short)
            }
            _ => Self::Long(bytes.into()),
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Short(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Long(bytes) => bytes,
        }
    }

    /// How many bytes of memory it takes of its own.
    pub fn weight(&self) -> usize {
        match self {
            Self::Short(..) => 0,
            Self::Long(bytes) => bytes.len(),
        }
    }
}

/// Writes replies as texts.
pub struct Scribe {
    renderer: Renderer<Vec<u8>>,
    is_quiet: bool,
    /// Whether a reply stands in an envelope with its command.
    pub names_commands: bool,
    /// The number of the command before the first.
    skipped: u64,
}

impl Scribe {
    /// A scribe for these options.
    pub fn new(style: &Style, args: &PipeArgs) -> Self {
        Self {
            renderer: Renderer::new(Vec::new(), style.clone()),
            is_quiet: args.quiet,
            names_commands: args.envelope,
            skipped: args.skip,
        }
    }

    /// The text of a reply to the command of this number, counted from 0.
    pub fn write(&mut self, number: u64, frame: Frame<'_>, request: Option<&Request>) -> Text {
        if self.is_quiet {
            return Text::new(b"");
        }
        let record = match request {
            Some(request) if self.names_commands => {
                Record::Envelope { index: self.skipped + number + 1, request, frame }
            }
            // No command with a key answers a report.
            _ => Record::Reply { frame, is_report: false },
        };
        // Memory takes everything.
        let _ = self.renderer.write(&record);
        let text = Text::new(self.renderer.written());
        self.renderer.forget();
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_come_back() {
        for length in [0, 1, SHORT - 1, SHORT, SHORT + 1, 255, 256, 70_000] {
            let bytes: Vec<u8> = (0..=255).cycle().take(length).collect();
            let text = Text::new(&bytes);
            assert_eq!(text.bytes(), bytes);
            assert_eq!(text.weight(), if length > SHORT { length } else { 0 });
        }
    }
}
