//! The one colour scheme: what a piece of text is decides its colour, whoever writes it. Each stream decides for itself
//! whether it has colours (contract section 1, `--color`).

use std::borrow::Cow;
use std::sync::LazyLock;

use colored::{ColoredString, Colorize as _};

/// The colours that a profile's prompt can have.
pub const COLORS: [&str; 7] = ["red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/// Of the 256 colours that are the same in every palette.
const GREEN: u8 = 28;
const TEAL: u8 = 30;
const BLUE: u8 = 32;
const RED: u8 = 167;
const GREY: u8 = 244;

/// Whether the terminal shows a grey as such: a Linux console makes one of its own few colours of it, the usual one.
static HAS_GREY: LazyLock<bool> = LazyLock::new(|| std::env::var_os("TERM").is_none_or(|term| term != "linux"));

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

    /// What is shown behind a line that is being typed: dim where there are no colours too, for nothing else would tell it
    /// from what was typed.
    pub fn paint_hint(self, text: &str) -> Cow<'_, str> {
        if self.0 || text.is_empty() {
            return self.paint(Part::Hint, text);
        }
        colored::control::set_override(true);
        Cow::Owned(text.dimmed().to_string())
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
    /// Magenta is the terminal's own, which can be read on light and dark grounds in every usual palette. Its green and cyan
    /// are pale on white there, its blue and in some palettes its red are lost on black, and what "dim" makes of a text is
    /// hardly seen in some and not dim at all in others. So these are fixed ones between the two. What a part is, is told by
    /// words, signs or its place too.
    fn color(self, text: &str) -> ColoredString {
        match self {
            Self::Prompt | Self::Key => text.ansi_color(TEAL),
            Self::Block => text.magenta().bold(),
            Self::Command => text.ansi_color(BLUE).bold(),
            Self::String | Self::Fast => text.ansi_color(GREEN),
            Self::Number | Self::Slow => text.magenta(),
            Self::Error | Self::Hanging => text.ansi_color(RED),
            Self::Alarm => text.ansi_color(RED).bold(),
            Self::Notice | Self::Hint if *HAS_GREY => text.ansi_color(GREY),
            Self::Notice | Self::Hint => text.dimmed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BLUE, GREEN, GREY, RED, TEAL};

    /// How bright a colour is to the eye: black is 0, white 1.
    fn brightness(parts: [f64; 3]) -> f64 {
        let linear = |part: f64| match part / 255.0 {
            dark if dark < 0.04 => dark / 12.92,
            part => ((part + 0.055) / 1.055).powf(2.4),
        };
        parts.into_iter().zip([0.2126, 0.7152, 0.0722]).map(|(part, weight)| weight * linear(part)).sum()
    }

    #[test]
    fn fixed_colors_can_be_read_on_light_and_dark_grounds() {
        const STEPS: [f64; 6] = [0.0, 95.0, 135.0, 175.0, 215.0, 255.0];
        let step = |color: u8, size: u8| STEPS[usize::from((color - 16) / size % 6)];
        let parts = |color: u8| match color.checked_sub(232) {
            Some(grey) => [f64::from(8 + 10 * u16::from(grey)); 3],
            None => [36, 6, 1].map(|size| step(color, size)),
        };
        // White, black, Solarized's two, GNOME's, Ubuntu's and Dracula's dark ones.
        let grounds = [
            [255.0, 255.0, 255.0],
            [0.0, 0.0, 0.0],
            [253.0, 246.0, 227.0],
            [0.0, 43.0, 54.0],
            [30.0, 30.0, 30.0],
            [48.0, 10.0, 36.0],
            [40.0, 42.0, 54.0],
        ];
        for color in [GREEN, TEAL, BLUE, RED, GREY] {
            let text = brightness(parts(color)) + 0.05;
            for ground in grounds {
                let ground_brightness = brightness(ground) + 0.05;
                let contrast = text.max(ground_brightness) / text.min(ground_brightness);
                assert!(contrast > 3.0, "{color} on {ground:?}: {contrast}");
            }
        }
    }
}
