//! The file of the profiles: where it is, who may read it, what stands in it. Each complaint says `FILE:LINE`.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use etcetera::{BaseStrategy as _, base_strategy::Xdg};
use toml::de::{DeTable, DeValue};

use super::{Setting, holds_password};
use crate::cli::OptionSet;
use crate::cli::settings::{Value, refuse_together};
use crate::config::{describe_url, refuse_url};
use crate::exit::{Failure, Outcome};
use crate::text::describe_io;

/// The file, read but not yet understood: what is wrong in one profile does not concern another.
pub struct Profiles {
    path: PathBuf,
    /// What stands for `~`.
    home: PathBuf,
    /// None if there is no file.
    sections: Option<Vec<Section>>,
}

/// The options kept under one name, in the order of the file.
#[derive(Debug)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Its settings: each is an option that exists, with a value of a kind that it takes.
    pub settings: Vec<Setting>,
    /// The line where it begins, counted from 1.
    line: usize,
}

/// A profile as it stands in the file.
struct Section {
    name: String,
    /// The line where it begins, counted from 1.
    line: usize,
    entries: Vec<Entry>,
}

/// A key and its value.
struct Entry {
    key: String,
    /// None if no option can have a value of this kind.
    value: Option<Value>,
    line: usize,
}

impl Profiles {
    /// Reads the file; that it does not exist is no error here. A file with a password that others can read is one.
    pub fn load() -> Outcome<Self> {
        let strategy = Xdg::new()
            .map_err(|_| Failure::usage("profiles need a home directory: neither HOME nor XDG_CONFIG_HOME is set"))?;
        let path = strategy.config_dir().join("rcli").join("config.toml");
        let home = strategy.home_dir().to_owned();
        let failed = |error: &io::Error| Failure::usage(format!("{}: {}", path.display(), describe_io(error)));
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self { path, home, sections: None }),
            Err(error) => return Err(failed(&error)),
        };
        let mode = file.metadata().map_err(|error| failed(&error))?.permissions().mode();
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| failed(&error))?;
        Self::read(path, home, &text, mode)
    }

    /// Reads the text of the file at `path`, whose mode says who may read it; `home` stands for `~`.
    pub fn read(path: PathBuf, home: PathBuf, text: &str, mode: u32) -> Outcome<Self> {
        let sections = Text(text).sections().map_err(|(line, reason)| bad(&path, line, &reason))?;
        let has_password = sections.iter().flat_map(|section| &section.entries).any(Entry::holds_password);
        if has_password && mode & 0o077 != 0 {
            return Err(Failure::usage(format!(
                "{}: holds a password and is open to others (mode {:03o}): run chmod 600 {}",
                path.display(),
                mode & 0o777,
                path.display()
            )));
        }
        Ok(Self { path, home, sections: Some(sections) })
    }

    /// Where the file is, or would be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Their names, in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sections.iter().flatten().map(|section| section.name.as_str())
    }

    /// All of them, in the order of the file; none if there is no file.
    pub fn all(&self, options: &mut OptionSet) -> Option<Vec<Outcome<Profile>>> {
        let mut read = |section| {
            let profile = self.understand(section, options)?;
            self.check(&profile, options)?;
            Ok(profile)
        };
        Some(self.sections.as_ref()?.iter().map(&mut read).collect())
    }

    /// The profile of this name. Its values are not looked at yet: see [`Profiles::check`].
    pub fn get(&self, name: &str, options: &OptionSet) -> Outcome<Profile> {
        let path = self.path.display();
        let Some(sections) = &self.sections else {
            return Err(Failure::usage(format!("no profile '{name}': there is no {path}")));
        };
        let Some(section) = sections.iter().find(|section| section.name == name) else {
            let known: Vec<&str> = sections.iter().map(|section| section.name.as_str()).collect();
            let known = if known.is_empty() { "no profile".to_owned() } else { known.join(", ") };
            return Err(Failure::usage(format!("no profile '{name}': {path} has {known}")));
        };
        self.understand(section, options)
    }

    /// Whether the options take the values of a profile: all of them at once, as the words of one command line. Only a
    /// complaint is looked for one by one.
    pub fn check(&self, profile: &Profile, options: &mut OptionSet) -> Outcome<()> {
        let words: Vec<OsString> = profile.settings.iter().filter_map(|setting| setting.word.clone()).collect();
        let Err(reason) = options.check(&words) else { return Ok(()) };
        for Setting { word, line, .. } in &profile.settings {
            options.check(word.as_slice()).map_err(|reason| self.bad(&profile.name, (*line, reason)))?;
        }
        Err(self.bad(&profile.name, (profile.line, reason)))
    }

    fn understand(&self, section: &Section, options: &OptionSet) -> Outcome<Profile> {
        let settings = section.entries.iter().map(|entry| self.setting(entry, options)).collect::<Result<Vec<_>, _>>();
        settings
            .and_then(|settings| {
                refuse_rivals(&settings, section.line)?;
                Ok(Profile { name: section.name.clone(), settings, line: section.line })
            })
            .map_err(|complaint| self.bad(&section.name, complaint))
    }

    fn bad(&self, profile: &str, (line, reason): Complaint) -> Failure {
        bad(&self.path, line, &format!("profile '{profile}': {reason}"))
    }

    fn setting(&self, entry: &Entry, options: &OptionSet) -> Result<Setting, Complaint> {
        let Entry { key: name, value, line } = entry;
        let Some(key) = options.key(name) else {
            let hint = options.nearest_key(name).map(|key| format!("; the nearest known one is '{}'", key.name));
            return Err((*line, format!("unknown key '{name}'{}", hint.unwrap_or_default())));
        };
        let value = match value {
            None => return Err((*line, format!("'{name}' cannot have a value of this kind"))),
            // A shell puts the home directory for `~/`; here nobody else does.
            Some(Value::Text(text)) if key.is_path() => Value::Text(match text.strip_prefix("~/") {
                Some(rest) => self.home.join(rest).to_string_lossy().into_owned(),
                None => text.clone(),
            }),
            Some(value) => value.clone(),
        };
        match (&*key.name, &value) {
            ("url", Value::Text(url)) => describe_url(url, "url").map(|_| ()),
            ("host" | "socket" | "sentinel", Value::Text(text)) => refuse_url(&key.name, text),
            ("sentinel", Value::List(texts)) => texts.iter().try_for_each(|text| refuse_url(&key.name, text)),
            _ => Ok(()),
        }
        .map_err(|failure| (*line, failure.into_message()))?;
        Setting::new(&key, value, *line).map_err(|reason| (*line, reason))
    }
}

impl Entry {
    fn holds_password(&self) -> bool {
        holds_password(&self.key.replace('_', "-"), self.value.as_ref())
    }
}

/// What is wrong, and in which line, counted from 1.
type Complaint = (usize, String);

/// Keys that say the same cannot stand in one profile.
fn refuse_rivals(settings: &[Setting], line: usize) -> Result<(), Complaint> {
    let keys: Vec<&str> = settings.iter().filter(|setting| setting.word.is_some()).map(|it| it.key.as_str()).collect();
    refuse_together(&keys).map_err(|reason| (line, reason))
}

fn bad(path: &Path, line: usize, reason: &str) -> Failure {
    Failure::usage(format!("{}:{line}: {}", path.display(), reason.replace('\n', " ")))
}

/// The text of the file.
struct Text<'a>(&'a str);

impl Text<'_> {
    fn sections(&self) -> Result<Vec<Section>, Complaint> {
        let table = DeTable::parse(self.0)
            // Its whole text would show the line, and with it perhaps a password.
            .map_err(|error| (self.line(&error.span().unwrap_or_default()), error.message().to_owned()))?;
        let mut sections = Vec::new();
        for (key, value) in table.get_ref() {
            let line = self.line(&key.span());
            let (true, DeValue::Table(tables)) = (key.get_ref() == "profile", value.get_ref()) else {
                return Err((line, format!("unknown key '{}': tables are [profile.NAME]", key.get_ref())));
            };
            for (name, value) in tables {
                let line = self.line(&name.span());
                let DeValue::Table(table) = value.get_ref() else {
                    return Err((line, format!("'{}' is no table: profiles are [profile.NAME]", name.get_ref())));
                };
                sections.push(self.section(name.get_ref(), line, table));
            }
        }
        sections.sort_by_key(|section| section.line);
        Ok(sections)
    }

    fn section(&self, name: &str, line: usize, table: &DeTable<'_>) -> Section {
        let mut entries: Vec<Entry> = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref().to_string(),
                value: read_value(value.get_ref()),
                line: self.line(&key.span()),
            })
            .collect();
        entries.sort_by_key(|entry| entry.line);
        Section { name: name.to_owned(), line, entries }
    }

    /// The line of a place in the text, counted from 1.
    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.0.as_bytes().get(..span.start).unwrap_or(self.0.as_bytes());
        memchr::memchr_iter(b'\n', before).count() + 1
    }
}

fn read_value(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::Boolean(flag) => Some(Value::Flag(*flag)),
        DeValue::Array(items) => {
            items.iter().map(|item| scalar(item.get_ref())).collect::<Option<_>>().map(Value::List)
        }
        DeValue::String(text) => Some(Value::Text(text.clone().into_owned())),
        value => scalar(value).map(Value::Number),
    }
}

/// A string or a decimal number as it is written.
fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        _ => None,
    }
}
