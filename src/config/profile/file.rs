//! The file of the profiles: where it is, who may read it, what stands in it. Each complaint says `FILE:LINE`.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::ops::Range;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use etcetera::{BaseStrategy as _, base_strategy::Xdg};
use toml::de::{DeTable, DeValue};

use super::{Setting, holds_password};
use crate::cli::OptionSet;
use crate::cli::settings::{Value, refuse_together};
use crate::config::url::parse_url;
use crate::config::{ReplSettings, refuse_url};
use crate::exit::{Failure, Outcome};

/// The file, read but not yet understood: what is wrong in one profile does not concern another.
pub struct Profiles {
    /// Where the file is, or would be.
    pub path: PathBuf,
    /// What stands for `~`.
    home: PathBuf,
    /// None if there is no file.
    tables: Option<Tables>,
}

/// The options kept under one name, in the order of the file.
#[derive(Debug)]
pub struct Profile {
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
#[derive(Debug)]
struct Entry {
    key: String,
    /// None if no option can have a value of this kind.
    value: Option<Value>,
    line: usize,
}

/// The file that says how to write one.
const TEMPLATE: &str = include_str!("template.toml");

/// Where the file is, or would be, and what stands for `~`.
fn place() -> Outcome<(PathBuf, PathBuf)> {
    let strategy = Xdg::new()
        .map_err(|_| Failure::usage("profiles need a home directory: neither HOME nor XDG_CONFIG_HOME is set"))?;
    Ok((strategy.config_dir().join("rcli").join("config.toml"), strategy.home_dir().to_owned()))
}

impl Profiles {
    /// Writes a file of comments where there is none, for its owner only. Gives its path.
    pub fn init() -> Outcome<PathBuf> {
        let (path, _) = place()?;
        let failed = |error: &io::Error| Failure::unusable(&path.display().to_string(), error);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(|error| failed(&error))?;
        }
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(mut file) => file.write_all(TEMPLATE.as_bytes()).map_err(|error| {
                // Half a file would be in the way of the next try.
                let _ = fs::remove_file(&path);
                failed(&error)
            })?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Failure::usage(format!("{} is there already, and stays as it is", path.display())));
            }
            Err(error) => return Err(failed(&error)),
        }
        Ok(path)
    }

    /// Reads the file; that it does not exist is no error here. A file with a password that others can read is one.
    pub fn load() -> Outcome<Self> {
        let (path, home) = place()?;
        let failed = |error: &io::Error| Failure::unusable(&path.display().to_string(), error);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { path, home, tables: None });
            }
            Err(error) => return Err(failed(&error)),
        };
        let mode = file.metadata().map_err(|error| failed(&error))?.permissions().mode();
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(|error| failed(&error))?;
        let text = String::from_utf8(text).map_err(|error| {
            let right = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            bad(&path, 1 + memchr::memchr_iter(b'\n', right).count(), "this is not UTF-8")
        })?;
        Self::read(path, home, &text, mode)
    }

    /// Reads the text of the file at `path`, whose mode says who may read it; `home` stands for `~`.
    pub fn read(path: PathBuf, home: PathBuf, text: &str, mode: u32) -> Outcome<Self> {
        let tables = Text(text).tables().map_err(|(line, reason)| bad(&path, line, &reason))?;
        let has_password = tables.sections.iter().flat_map(|section| &section.entries).any(Entry::holds_password);
        if has_password && mode & 0o077 != 0 {
            return Err(Failure::usage(format!(
                "{}: holds a password and is open to others (mode {:03o}): run chmod 600 {}",
                path.display(),
                mode & 0o777,
                path.display()
            )));
        }
        Ok(Self { path, home, tables: Some(tables) })
    }

    /// Their names, in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().flat_map(|tables| &tables.sections).map(|section| section.name.as_str())
    }

    /// All of them, in the order of the file; none if there is no file.
    pub fn all(&self, options: &mut OptionSet) -> Option<Vec<Outcome<Profile>>> {
        let mut read = |section| {
            let profile = self.understand(section, options)?;
            self.check(&profile, options)?;
            Ok(profile)
        };
        Some(self.tables.as_ref()?.sections.iter().map(&mut read).collect())
    }

    /// The settings of the prompt, and what is wrong with some of them.
    pub fn repl(&self) -> (ReplSettings, Vec<String>) {
        let mut settings = ReplSettings::default();
        let mut complaints = Vec::new();
        for Entry { key, value, line } in self.tables.iter().flat_map(|tables| &tables.repl) {
            let set = match value {
                Some(Value::Text(text)) => settings.set(key, text),
                Some(Value::Flag(flag)) => settings.set(key, if *flag { "true" } else { "false" }),
                _ => Err(ReplSettings::describe_misfit(key)),
            };
            complaints.extend(set.err().map(|reason| (*line, reason)));
        }
        for Entry { key, value, line } in self.tables.iter().flat_map(|tables| &tables.aliases) {
            match value {
                Some(Value::Text(text)) if !key.is_empty() && !key.contains(char::is_whitespace) => {
                    settings.aliases.push((key.clone(), text.clone()));
                }
                _ => complaints.push((
                    *line,
                    format!("the alias '{key}': one word stands for a text, as in ll = \"ls -l\" below [repl.aliases]"),
                )),
            }
        }
        let told = complaints.iter().map(|(line, reason)| format!("{}:{line}: [repl]: {reason}", self.path.display()));
        (settings, told.collect())
    }

    /// The profile of this name. Its values are not looked at yet: see [`Profiles::check`].
    pub fn get(&self, name: &str, options: &OptionSet) -> Outcome<Profile> {
        refuse_url("--profile", name)?;
        let path = self.path.display();
        let Some(Tables { sections, .. }) = &self.tables else {
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
        if let ("color", Some(Value::Text(name))) = (&*key.name, value)
            && !matches!(name.as_str(), "auto" | "always" | "never")
        {
            return Setting::of_color(name, *line).map_err(|reason| (*line, reason));
        }
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
            ("url", Value::Text(url)) => parse_url(url, "url").map(drop),
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

/// What stands in the file.
#[derive(Default)]
struct Tables {
    sections: Vec<Section>,
    /// What stands in `[repl]`.
    repl: Vec<Entry>,
    /// What stands in `[repl.aliases]`.
    aliases: Vec<Entry>,
}

struct Text<'a>(&'a str);

impl Text<'_> {
    fn tables(&self) -> Result<Tables, Complaint> {
        let table = DeTable::parse(self.0)
            // Its whole text would show the line, and with it perhaps a password.
            .map_err(|error| (self.line(&error.span().unwrap_or_default()), error.message().to_owned()))?;
        let mut tables = Tables::default();
        for (key, value) in table.get_ref() {
            let line = self.line(&key.span());
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("profile", DeValue::Table(profiles)) => tables.sections = self.sections(profiles)?,
                ("repl", DeValue::Table(repl)) => {
                    tables.repl = self.entries(repl);
                    if let Some(DeValue::Table(aliases)) = repl.get("aliases").map(toml::Spanned::get_ref) {
                        tables.repl.retain(|entry| entry.key != "aliases");
                        tables.aliases = self.entries(aliases);
                    }
                }
                (key, _) => {
                    return Err((line, format!("unknown key '{key}': tables are [profile.NAME] and [repl]")));
                }
            }
        }
        Ok(tables)
    }

    fn sections(&self, profiles: &DeTable<'_>) -> Result<Vec<Section>, Complaint> {
        let mut sections = Vec::new();
        for (name, value) in profiles {
            let line = self.line(&name.span());
            let DeValue::Table(table) = value.get_ref() else {
                return Err((line, format!("'{}' is no table: profiles are [profile.NAME]", name.get_ref())));
            };
            sections.push(Section { name: name.get_ref().to_string(), line, entries: self.entries(table) });
        }
        sections.sort_by_key(|section| section.line);
        Ok(sections)
    }

    /// The keys of a table, in the order of the file.
    fn entries(&self, table: &DeTable<'_>) -> Vec<Entry> {
        let mut entries: Vec<Entry> = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref().to_string(),
                value: read_value(value.get_ref()),
                line: self.line(&key.span()),
            })
            .collect();
        entries.sort_by_key(|entry| entry.line);
        entries
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
