//! The syntax of a command as text, in the style of redis.io: `SET key value [NX | XX] [GET] …`. Which part of it is
//! still to be typed is left to `walk`.

use super::{Argument, Entry, Kind};

/// The name and everything that may follow it.
pub fn syntax(entry: &Entry) -> String {
    let mut parts = vec![entry.name.clone()];
    if entry.subcommands.is_empty() {
        parts.extend(entry.arguments.iter().map(Argument::to_text));
    } else {
        parts.push(subcommand_text(entry));
    }
    parts.join(" ")
}

/// What stands for the subcommand of a container.
pub fn subcommand_text(container: &Entry) -> String {
    // COMMAND alone is a command; CONFIG alone is not.
    let text = if container.arity == -1 { "[subcommand [arg ...]]" } else { "subcommand [arg ...]" };
    text.to_owned()
}

impl Argument {
    /// The argument with its brackets.
    pub fn to_text(&self) -> String {
        let text = if self.multiple {
            format!("{} {}", self.unit_text(true), self.again_text())
        } else {
            self.unit_text(!self.optional)
        };
        if self.optional { format!("[{text}]") } else { text }
    }

    /// `[key ...]`: the argument once more, as often as one likes.
    pub fn again_text(&self) -> String {
        let text = if self.multiple_token { self.unit_text(true) } else { self.body_text(true) };
        format!("[{text} ...]")
    }

    /// A number of repetitions that is known, shown in full while that is short.
    pub fn count_text(&self, count: u64) -> String {
        match count {
            0 => String::new(),
            1..=3 => (0..count).map(|_| self.body_text(true)).collect::<Vec<_>>().join(" "),
            _ => format!("{} {}", self.body_text(true), self.again_text()),
        }
    }

    /// Once, with its token. `closed`: alternatives get brackets of their own.
    fn unit_text(&self, closed: bool) -> String {
        match self.own_token() {
            Some(token) => format!("{} {}", token_text(token), self.body_text(true)),
            None => self.body_text(closed),
        }
    }

    /// Once, without its token.
    pub fn body_text(&self, closed: bool) -> String {
        let nested = |between: &str| self.arguments.iter().map(Self::to_text).collect::<Vec<_>>().join(between);
        match self.kind {
            Kind::PureToken => self.token.as_deref().map_or_else(|| self.name.clone(), token_text),
            Kind::Oneof if closed => format!("<{}>", nested(" | ")),
            Kind::Oneof => nested(" | "),
            Kind::Block => nested(" "),
            _ => self.name.clone(),
        }
    }

    /// The token that comes before something else, which that of a pure token does not.
    pub fn own_token(&self) -> Option<&str> {
        self.token.as_deref().filter(|_| self.kind != Kind::PureToken)
    }
}

/// A token as it would be typed; MIGRATE has an empty one.
fn token_text(token: &str) -> String {
    if token.is_empty() { "\"\"".to_owned() } else { token.to_owned() }
}
