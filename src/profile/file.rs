//! The file of the profiles: where it is, who may read it, what stands in it. Each complaint says `FILE:LINE`.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use etcetera::{BaseStrategy as _, base_strategy::Xdg};
use toml::de::{DeTable, DeValue};

use crate::cli::settings::{Value, arguments, is_path, keys, refuse_together};
use crate::config::{describe_url, refuse_url};
use crate::exit::{Failure, Outcome, describe_io};

/// All profiles of the file.
#[derive(Debug)]
pub struct Profiles {
    path: PathBuf,
    profiles: Option<Vec<Profile>>,
}

/// The options kept under one name, in the order of the file.
#[derive(Debug)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Its settings: each is an option that exists, with a value that it takes.
    pub settings: Vec<Setting>,
    /// The line where it begins, counted from 1.
    line: usize,
}

/// One option of a profile.
#[derive(Debug)]
pub struct Setting {
    /// The option's long name.
    pub key: String,
    /// Its value.
    pub value: Value,
    line: usize,
}

impl Profiles {
    /// Reads the file; that it does not exist is no error here. A file with a password that others can read is one.
    pub fn load() -> Outcome<Self> {
        let strategy = Xdg::new()
            .map_err(|_| Failure::usage("profiles need a home directory: neither HOME nor XDG_CONFIG_HOME is set"))?;
        let path = strategy.config_dir().join("rcli").join("config.toml");
        let failed = |error: &io::Error| Failure::usage(format!("{}: {}", path.display(), describe_io(error)));
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self { path, profiles: None }),
            Err(error) => return Err(failed(&error)),
        };
        let mode = file.metadata().map_err(|error| failed(&error))?.permissions().mode();
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| failed(&error))?;
        let profiles = Source { path: &path, text: &text, home: strategy.home_dir() }.read()?;
        let has_password = profiles.iter().flat_map(|profile| &profile.settings).any(Setting::holds_password);
        if has_password && mode & 0o077 != 0 {
            return Err(Failure::usage(format!(
                "{}: holds a password and is open to others (mode {:03o}): run chmod 600 {}",
                path.display(),
                mode & 0o777,
                path.display()
            )));
        }
        Ok(Self { path, profiles: Some(profiles) })
    }

    /// Where the file is, or would be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All of them, in the order of the file; none if there is no file.
    pub fn all(&self) -> Option<&[Profile]> {
        self.profiles.as_deref()
    }

    /// The profile of this name.
    pub fn take(self, name: &str) -> Outcome<Profile> {
        let path = self.path.display().to_string();
        let Some(profiles) = self.profiles else {
            return Err(Failure::usage(format!("no profile '{name}': there is no {path}")));
        };
        let known: Vec<String> = profiles.iter().map(|profile| profile.name.clone()).collect();
        profiles.into_iter().find(|profile| profile.name == name).ok_or_else(|| {
            let known = if known.is_empty() { "no profile".to_owned() } else { known.join(", ") };
            Failure::usage(format!("no profile '{name}': {path} has {known}"))
        })
    }
}

/// The text being read.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
    home: &'a Path,
}

impl Source<'_> {
    fn read(&self) -> Outcome<Vec<Profile>> {
        let table = DeTable::parse(self.text)
            // Its whole text would show the line, and with it perhaps a password.
            .map_err(|error| self.bad(self.line(&error.span().unwrap_or_default()), error.message()))?;
        let mut profiles = Vec::new();
        for (key, value) in table.get_ref() {
            let line = self.line(&key.span());
            let (true, DeValue::Table(tables)) = (key.get_ref() == "profile", value.get_ref()) else {
                return Err(self.bad(line, &format!("unknown key '{}': tables are [profile.NAME]", key.get_ref())));
            };
            for (name, value) in tables {
                let line = self.line(&name.span());
                let DeValue::Table(settings) = value.get_ref() else {
                    return Err(
                        self.bad(line, &format!("'{}' is no table: profiles are [profile.NAME]", name.get_ref()))
                    );
                };
                profiles.push(self.read_profile(name.get_ref(), line, settings)?);
            }
        }
        profiles.sort_by_key(|profile| profile.line);
        Ok(profiles)
    }

    fn read_profile(&self, name: &str, line: usize, table: &DeTable<'_>) -> Outcome<Profile> {
        let mut settings = Vec::new();
        for (key, value) in table {
            settings.push(self.read_setting(key.get_ref(), self.line(&key.span()), value.get_ref())?);
        }
        settings.sort_by_key(|setting: &Setting| setting.line);
        for Setting { key, value, line } in &settings {
            arguments(key, value).map_err(|reason| self.bad(*line, &reason))?;
            match (key.as_str(), value) {
                ("url", Value::Text(url)) => describe_url(url, "url").map(|_| ()),
                ("host" | "socket" | "sentinel", Value::Text(text)) => refuse_url(key, text),
                ("sentinel", Value::List(texts)) => texts.iter().try_for_each(|text| refuse_url(key, text)),
                _ => Ok(()),
            }
            .map_err(|failure| self.bad(*line, &failure.into_message()))?;
        }
        let keys: Vec<&str> = settings.iter().filter(|setting| setting.is_on()).map(|it| it.key.as_str()).collect();
        refuse_together(&keys).map_err(|reason| self.bad(line, &format!("profile '{name}': {reason}")))?;
        Ok(Profile { name: name.to_owned(), settings, line })
    }

    fn read_setting(&self, key: &str, line: usize, value: &DeValue<'_>) -> Outcome<Setting> {
        let known = keys();
        let plain = |name: &str| name.replace('_', "-");
        let Some(name) = known.iter().find(|name| plain(name) == plain(key)) else {
            let likeness = |name: &str| strsim::jaro_winkler(&plain(name), &plain(key));
            let nearest = known.iter().max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
            let hint = nearest.map(|name| format!("; the nearest known one is '{name}'")).unwrap_or_default();
            return Err(self.bad(line, &format!("unknown key '{key}'{hint}")));
        };
        let value = match value {
            DeValue::Boolean(flag) => Some(Value::Flag(*flag)),
            DeValue::Array(items) => {
                items.iter().map(|item| scalar(item.get_ref())).collect::<Option<_>>().map(Value::List)
            }
            DeValue::String(text) => Some(Value::Text(text.clone().into_owned())),
            value => scalar(value).map(Value::Number),
        };
        let value = value.ok_or_else(|| self.bad(line, &format!("'{key}' cannot have a value of this kind")))?;
        Ok(Setting { key: name.clone(), value: self.expand_home(name, value), line })
    }

    /// A shell puts the home directory for `~/`; here nobody else does.
    fn expand_home(&self, name: &str, value: Value) -> Value {
        match &value {
            Value::Text(text) if is_path(name) => match text.strip_prefix("~/") {
                Some(rest) => Value::Text(self.home.join(rest).to_string_lossy().into_owned()),
                None => value,
            },
            _ => value,
        }
    }

    /// The line of a place in the text, counted from 1.
    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..span.start).unwrap_or(self.text.as_bytes());
        memchr::memchr_iter(b'\n', before).count() + 1
    }

    fn bad(&self, line: usize, reason: &str) -> Failure {
        Failure::usage(format!("{}:{line}: {}", self.path.display(), reason.replace('\n', " ")))
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
