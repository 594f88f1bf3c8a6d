//! The one colour scheme: what a piece of text is decides its colour, whoever writes it. Each stream decides for itself
//! whether it has colours (contract section 1, `--color`).

use std::borrow::Cow;

use colored::{ColoredString, Colorize as _};

/// The colours that a profile's prompt can have.
pub const COLORS: [&str; 7] = ["red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/// Of the 256 colours that are the same in every palette.
const GREEN: u8 = 28;
const TEAL: u8 = 30;
const BLUE: u8 = 32;

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
    /// Red and magenta are the terminal's own, which can be read on light and dark grounds in every usual palette. Its
    /// green and cyan are pale on white there and its blue is lost on black, so these three are fixed ones between the
    /// two. What a part is, is told by words, signs or its place too.
    fn color(self, text: &str) -> ColoredString {
        match self {
            Self::Prompt | Self::Key => text.ansi_color(TEAL),
            Self::Block => text.magenta().bold(),
            Self::Command => text.ansi_color(BLUE).bold(),
            Self::String | Self::Fast => text.ansi_color(GREEN),
            Self::Number | Self::Slow => text.magenta(),
            Self::Error | Self::Hanging => text.red(),
            Self::Alarm => text.red().bold(),
            Self::Notice | Self::Hint => text.dimmed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BLUE, GREEN, TEAL};

    /// How bright a colour is to the eye: black is 0, white 1.
    fn brightness(red: f64, green: f64, blue: f64) -> f64 {
        let linear = |part: f64| ((part / 255.0 + 0.055) / 1.055).powf(2.4);
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    #[test]
    fn fixed_colors_can_be_read_on_light_and_dark_grounds() {
        const STEPS: [f64; 6] = [0.0, 95.0, 135.0, 175.0, 215.0, 255.0];
        let step = |color: u8, size: u8| STEPS[usize::from((color - 16) / size % 6)];
        // White, black, and Solarized's two.
        let grounds = [(255.0, 255.0, 255.0), (0.0, 0.0, 0.0), (253.0, 246.0, 227.0), (0.0, 43.0, 54.0)];
        for color in [GREEN, TEAL, BLUE] {
            let text = brightness(step(color, 36), step(color, 6), step(color, 1)) + 0.05;
            for (red, green, blue) in grounds {
                let ground = brightness(red, green, blue) + 0.05;
                let contrast = text.max(ground) / text.min(ground);
                assert!(contrast > 3.0, "{color} on {red} {green} {blue}: {contrast}");
            }
        }
    }
}
