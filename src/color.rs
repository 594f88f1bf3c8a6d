//! The one colour scheme: what a piece of text is decides its colour, whoever writes it. Each stream decides for itself
//! whether it has colours (contract section 1, `--color`).

use std::borrow::Cow;

use colored::{ColoredString, Colorize as _};

/// The colours that a profile's prompt can have.
pub const COLORS: [&str; 7] = ["red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/// Whether a prompt can have a colour of this name.
pub fn is_color(name: &str) -> bool {
    COLORS.contains(&name)
}

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Where the prompt stands: the address.
    Prompt,
    /// An open block in the prompt.
    Block,
    /// A command that exists.
    Command,
    /// The name of a field in JSON.
    Key,
    /// A string in quotes.
    String,
    /// A number or a boolean.
    Number,
    /// What is wrong: an error reply, an unknown command, an open quote, no connection.
    Error,
    /// What a message about a failure begins with.
    Alarm,
    /// A message about something that is no failure.
    Notice,
    /// What is not there: hints, nil, and notes beside a reply.
    Hint,
    /// A round trip as it should be.
    Fast,
    /// One that is seen.
    Slow,
    /// One that is waited for.
    Hanging,
}

/// Whether a stream has colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colors(pub bool);

impl Colors {
    /// What a stream has where no option says otherwise: a terminal has colours, unless NO_COLOR or TERM=dumb is set.
    pub fn by_default(is_terminal: bool) -> Self {
        let is_unwanted = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self(is_terminal && !is_unwanted() && !is_dumb())
    }

    /// A prompt in a colour of its own.
    pub fn paint_prompt<'t>(self, color: Option<&str>, text: &'t str) -> Cow<'t, str> {
        match color {
            Some(color) if self.0 => {
                colored::control::set_override(true);
                Cow::Owned(text.color(color).bold().to_string())
            }
            _ => self.paint(Part::Prompt, text),
        }
    }

    /// The text in its colour.
    pub fn paint(self, part: Part, text: &str) -> Cow<'_, str> {
        if !self.0 || text.is_empty() {
            return Cow::Borrowed(text);
        }
        // Left alone, colored would decide by the environment, and for both streams alike.
        colored::control::set_override(true);
        Cow::Owned(part.color(text).to_string())
    }
}

impl Part {
    /// Of the terminal's own sixteen, which its owner chose for its background: not yellow and white, which are hard to
    /// read on a light one, and blue only bold, which is hard to read on a dark one. What a part is, is told by words,
    /// signs or its place too.
    fn color(self, text: &str) -> ColoredString {
        match self {
            Self::Prompt | Self::Key => text.cyan(),
            Self::Block => text.magenta().bold(),
            Self::Command => text.blue().bold(),
            Self::String | Self::Fast => text.green(),
            Self::Number | Self::Slow => text.magenta(),
            Self::Error | Self::Hanging => text.red(),
            Self::Alarm => text.red().bold(),
            Self::Notice | Self::Hint => text.dimmed(),
        }
    }
}
