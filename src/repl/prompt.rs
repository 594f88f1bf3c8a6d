//! The prompt: `127.0.0.1:6379[2](TX 3)> ` (contract section 10).

use crate::color::{Colors, Part};
use crate::shell::Shell;

/// The prompt as text, and as it looks on a terminal with colours.
#[derive(Debug)]
pub struct Prompt {
    /// Without escape sequences.
    pub raw: String,
    /// With them; equal where there are no colours.
    pub styled: String,
}

impl Prompt {
    /// The prompt for the state of a shell.
    pub fn of(shell: &mut Shell, colors: Colors) -> Self {
        let queued = shell.queued();
        let link = shell.link();
        let place = if link.is_open() {
            let db = if link.endpoint().db == 0 { String::new() } else { format!("[{}]", link.endpoint().db) };
            let cluster = if link.is_cluster() { " cluster" } else { "" };
            (format!("{}{db}{cluster}", link.name()), Part::Prompt)
        } else {
            ("not connected".to_owned(), Part::Error)
        };
        let block = queued.map(|count| format!("(TX {count})")).unwrap_or_default();
        Self {
            raw: format!("{}{block}> ", place.0),
            styled: format!("{}{}> ", colors.paint(place.1, &place.0), colors.paint(Part::Block, &block)),
        }
    }

    /// How many columns it takes.
    pub fn width(&self) -> usize {
        self.raw.chars().count()
    }
}
