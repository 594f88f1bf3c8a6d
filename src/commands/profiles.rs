//! `rcli profiles`: what is in `config.toml`, without secrets (contract section 12).

use std::fmt::Write as _;
use std::io::Write as _;

use serde::Serialize;
use serde::ser::Serializer;

use crate::cli::settings::Value;
use crate::cli::{OptionSet, ProfilesArgs};
use crate::config::profile::{Profile, Profiles, Setting, is_secret};
use crate::config::without_password;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::render::{self, Format};
use crate::report::notice;
use crate::text::{Escape, printable};

/// Writes one line a profile. What is wrong with one of them is reported, and keeps none of the others from being listed.
pub fn run(context: &Context, args: &ProfilesArgs) -> Outcome<Exit> {
    let write = |text: &[u8]| {
        let written = render::stdout().and_then(|mut stdout| stdout.write_all(text).and_then(|()| stdout.flush()));
        written.map_err(Failure::output)
    };
    if args.init {
        let path = Profiles::init()?;
        let line = format!("{}\n", printable(&path.display().to_string(), Escape::Line));
        return write(line.as_bytes()).map(|()| Exit::Done);
    }
    let style = &context.config.style;
    let profiles = Profiles::load()?;
    let Some(all) = profiles.all(&mut OptionSet::new()) else {
        notice(&format!("no profiles: there is no {}; --init writes one", profiles.path.display()));
        return Ok(Exit::Done);
    };
    let mut exit = Exit::Done;
    let all: Vec<Profile> =
        all.into_iter().filter_map(|profile| profile.map_err(|bad| exit = exit.or(bad.report())).ok()).collect();
    let width = all.iter().map(|profile| profile.name.chars().count()).max().unwrap_or(0);
    let mut text = Vec::new();
    for profile in &all {
        let listed = Listed::of(profile);
        if style.format == Format::Json {
            let line = serde_json::to_string(&listed).map_err(|error| Failure::failed(error.to_string()))?;
            let line = if style.is_terminal { printable(&line, Escape::Json) } else { line.as_str().into() };
            text.extend_from_slice(line.as_bytes());
        } else {
            text.extend_from_slice(printable(&listed.line(width), Escape::Line).as_bytes());
        }
        text.push(b'\n');
    }
    write(&text).map(|()| exit)
}

/// A profile as it may be shown.
#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    /// `set` or `not set`.
    password: &'static str,
    #[serde(serialize_with = "as_object")]
    settings: Vec<(&'a str, Value)>,
}

impl<'a> Listed<'a> {
    fn of(profile: &'a Profile) -> Self {
        let has_password = profile.settings.iter().any(Setting::gives_password);
        Self {
            name: &profile.name,
            password: if has_password { "set" } else { "not set" },
            settings: profile.settings.iter().map(|setting| (setting.key.as_str(), shown(setting))).collect(),
        }
    }

    fn line(&self, width: usize) -> String {
        let mut line = format!("{:width$}  password {:7}", self.name, self.password);
        for (key, value) in &self.settings {
            let value = match value {
                Value::Flag(flag) => flag.to_string(),
                Value::Number(text) | Value::Text(text) => text.clone(),
                Value::List(items) => items.join(","),
            };
            let _ = write!(line, "  {key}={value}");
        }
        line.trim_end().to_owned()
    }
}

/// The value of a setting, without what is secret in it.
fn shown(setting: &Setting) -> Value {
    match &setting.value {
        _ if is_secret(&setting.key) => Value::Text("set".to_owned()),
        Value::Text(url) if setting.key == "url" => {
            Value::Text(without_password(url).unwrap_or_else(|| "not a URL".to_owned()))
        }
        value => value.clone(),
    }
}

fn as_object<S: Serializer>(settings: &[(&str, Value)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(settings.iter().map(|(key, value)| (key, in_json(value))))
}

fn in_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Flag(flag) => (*flag).into(),
        // TOML writes some numbers as JSON does not.
        Value::Number(text) => serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into()),
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => items.as_slice().into(),
    }
}
