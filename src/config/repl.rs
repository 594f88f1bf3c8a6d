//! The settings of the prompt: `[repl]` of `config.toml`, and `:set` (contract section 10).

use crate::render::Format;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplSettings {
    /// Whether keys are vi's.
    pub is_vi: bool,
    /// What shows a reply that is taller than the screen.
    pub pager: Pager,
    /// Whether there are no hints.
    pub hides_hints: bool,
    /// Whether text that is JSON is indented.
    pub is_pretty: bool,
    /// How replies look, where that is set.
    pub output: Option<Format>,
    /// Whether every command shows how long it took.
    pub is_timed: bool,
    /// Words that stand for the beginning of a line, and what they stand for.
    pub aliases: Vec<(String, String)>,
}

/// What shows a reply that is taller than the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Pager {
    /// `$PAGER`, or `less -FRX`.
    #[default]
    Default,
    /// Nothing.
    Off,
    Command(String),
}

impl ReplSettings {
    /// The names, and what each may be.
    pub const NAMES: [(&str, &str); 6] = [
        ("edit_mode", "emacs|vi"),
        ("hints", "on|off"),
        ("output", "human|json|raw|csv"),
        ("pager", "on|off|COMMAND"),
        ("pretty", "on|off"),
        ("timing", "on|off"),
    ];

    /// Sets one. The error says what it may be.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let name = name.replace('-', "_");
        let Some((_, values)) = Self::NAMES.iter().find(|(known, _)| *known == name) else {
            return Err(Self::describe_unknown(&name));
        };
        let wrong = || format!("{name} is {values}, not '{value}'");
        let switch = || match value {
            "on" | "true" | "yes" => Ok(true),
            "off" | "false" | "no" => Ok(false),
            _ => Err(wrong()),
        };
        match name.as_str() {
            "edit_mode" if matches!(value, "vi" | "emacs") => self.is_vi = value == "vi",
            "hints" => self.hides_hints = !switch()?,
            "output" => self.output = Some(Format::named(value).ok_or_else(wrong)?),
            "pager" if value.is_empty() => return Err(wrong()),
            "pager" => {
                self.pager = match switch() {
                    Ok(true) => Pager::Default,
                    Ok(false) => Pager::Off,
                    Err(_) => Pager::Command(value.to_owned()),
                }
            }
            "pretty" => self.is_pretty = switch()?,
            "timing" => self.is_timed = switch()?,
            _ => return Err(wrong()),
        }
        Ok(())
    }

    /// What a value should be that is neither text nor a switch.
    pub fn describe_misfit(name: &str) -> String {
        let known = Self::NAMES.iter().find(|(known, _)| *known == name.replace('-', "_"));
        match known {
            Some((name, values)) => format!("{name} is {values}, in quotes"),
            None if name == "aliases" => "aliases is a table: [repl.aliases], and a line for each below it".to_owned(),
            None => Self::describe_unknown(name),
        }
    }

    /// What there is in place of a name that is none.
    pub fn describe_unknown(name: &str) -> String {
        let names: Vec<&str> = Self::NAMES.iter().map(|(name, _)| *name).collect();
        format!("there is no setting '{name}': there are {}", names.join(", "))
    }

    /// A setting as `:set` shows it.
    pub fn shown(&self, name: &str) -> String {
        let switch = |is_on: bool| if is_on { "on" } else { "off" }.to_owned();
        match name {
            "edit_mode" => if self.is_vi { "vi" } else { "emacs" }.to_owned(),
            "hints" => switch(!self.hides_hints),
            "pager" => match &self.pager {
                Pager::Default => switch(true),
                Pager::Off => switch(false),
                Pager::Command(command) => command.clone(),
            },
            "pretty" => switch(self.is_pretty),
            "timing" => switch(self.is_timed),
            _ => String::new(),
        }
    }
}

/// A line with what its first word stands for, by these aliases, in place of that word; none if it stands for nothing.
pub fn expand(aliases: &[(String, String)], line: &str) -> Option<String> {
    let line = line.trim_start();
    let end = line.find(char::is_whitespace).unwrap_or(line.len());
    let (_, text) = aliases.iter().find(|(word, _)| *word == line[..end])?;
    Some(format!("{text}{}", &line[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_can_be_set_and_what_is_wrong_is_said() {
        let mut settings = ReplSettings::default();
        for (name, value) in [("edit_mode", "vi"), ("hints", "off"), ("pager", "less -S"), ("pretty", "on")] {
            assert_eq!(settings.set(name, value), Ok(()));
            assert_eq!(settings.shown(name), value);
        }
        assert_eq!(settings.set("output", "json"), Ok(()));
        assert_eq!(settings.output, Some(Format::Json));
        assert_eq!(settings.set("hints", "dim"), Err("hints is on|off, not 'dim'".to_owned()));
        assert!(settings.set("colour", "on").is_err_and(|wrong| wrong.contains("edit_mode, hints, output")));
    }

    #[test]
    fn an_alias_stands_for_the_first_word_only() {
        let aliases = vec![("ll".to_owned(), "ls -l".to_owned())];
        assert_eq!(expand(&aliases, "ll user:*"), Some("ls -l user:*".to_owned()));
        assert_eq!(expand(&aliases, "  ll"), Some("ls -l".to_owned()));
        assert_eq!((expand(&aliases, "GET ll"), expand(&aliases, "lll")), (None, None));
    }
}
