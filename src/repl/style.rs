//! The colours of what is typed and of the prompt. Replies have theirs in `render`.

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// The address in the prompt.
    Place,
    /// The open block in the prompt.
    Block,
    /// A command that exists.
    Command,
    /// A quoted string.
    Text,
    /// A number.
    Number,
    /// What is wrong: an unknown command, an open quote, no connection.
    Error,
    /// What is not there yet: hints, and notes beside a reply.
    Faint,
}

/// Whether to colour at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint(pub bool);

impl Paint {
    /// The text in its colour.
    pub fn text(self, ink: Ink, text: &str) -> String {
        if !self.0 || text.is_empty() {
            return text.to_owned();
        }
        let code = match ink {
            Ink::Place => "36",
            Ink::Block => "1;33",
            Ink::Command => "1;34",
            Ink::Text => "32",
            Ink::Number => "35",
            Ink::Error => "31",
            Ink::Faint => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}
