//! The prompt: `127.0.0.1:6379[2](TX 3)> `, `prod> `, `127.0.0.1:6379 (not connected)> ` (contract section 10).

use std::fmt::Write as _;

use crate::cli::Label;
use crate::color::{Colors, Part};
use crate::shell::Shell;
use crate::text;

/// The prompt as text, and as it looks on a terminal with colours.
#[derive(Debug)]
pub struct Prompt {
    /// Without escape sequences.
    pub raw: String,
    /// With them; equal where there are no colours.
    pub styled: String,
}

impl Prompt {
    /// The prompt for the state of a shell, whose server may have a label.
    pub fn of(shell: &mut Shell, label: Option<&Label>, colors: Colors) -> Self {
        let queued = shell.queued();
        let link = shell.link();
        let place = label.map_or_else(|| link.name(), |label| label.name.clone());
        let mut place = text::line(&place).into_owned();
        let mut state = "";
        if link.is_open() {
            let db = link.endpoint().db;
            if db != 0 {
                let _ = write!(place, "[{db}]");
            }
            if link.is_cluster() {
                place.push_str(" cluster");
            }
        } else {
            state = " (not connected)";
        }
        let block = queued.map(|count| format!("(TX {count})")).unwrap_or_default();
        let color = label.and_then(|label| label.color.as_deref());
        Self {
            raw: format!("{place}{state}{block}> "),
            styled: format!(
                "{}{}{}> ",
                colors.paint_prompt(color, &place),
                colors.paint(Part::Error, state),
                colors.paint(Part::Block, &block)
            ),
        }
    }
}
