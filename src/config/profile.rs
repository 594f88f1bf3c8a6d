//! Profiles: `config.toml`, where options are kept under a name (contract section 12). A profile's settings become
//! arguments before those that were typed, without the ones that the command line or the environment overrides.

mod file;

use std::ffi::OsString;

use crate::cli::settings::{Key, Value};
use crate::cli::{Cli, Label, OptionSet, Verb};
use crate::color::COLORS;
use crate::config::url::{holds_secret, parse_url};
use crate::config::{environment, url_in_environment, without_password};
use crate::exit::Outcome;

pub use file::{Profile, Profiles};

/// Options that give a password.
const PASSWORDS: [&str; 4] = ["pass", "pass-file", "askpass", "password_command"];

/// Options that say where the server is.
const PLACE: [&str; 5] = ["host", "port", "url", "socket", "sentinel"];

/// What the environment overrides, where it is set.
const ENVIRONMENT: [(&str, &[&str]); 6] = [
    ("REDISCLI_AUTH", &PASSWORDS),
    ("VALKEYCLI_AUTH", &PASSWORDS),
    ("VALKEYCLI_USER", &["user"]),
    ("RCLI_SENTINEL_AUTH", &["sentinel-pass"]),
    ("RCLI_FORMAT", &["json", "raw", "human", "csv", "quoted-json"]),
    ("NO_COLOR", &["color"]),
];

/// One option of a profile.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The option's long name.
    pub key: String,
    pub value: Value,
    /// Both as a word of a command line; none if the option is switched off.
    word: Option<OsString>,
    /// Whether it says which server is meant, or who we are there.
    is_about_server: bool,
    /// Where it stands in the file, counted from 1.
    line: usize,
}

/// Puts the profile that `--profile` or `RCLI_PROFILE` names under what was typed.
pub fn apply(cli: Cli) -> Outcome<Cli> {
    // What needs no server needs no profile either, and is to work while the file is being mended.
    if matches!(cli.verb, Some(Verb::Profiles(_) | Verb::Completions(_) | Verb::Generate(_))) {
        return Ok(cli);
    }
    let named = cli.general.profile.clone();
    let Some(name) = named.or_else(|| environment("RCLI_PROFILE").map(|name| name.to_string_lossy().into_owned()))
    else {
        return Ok(cli);
    };
    put_under(cli, &name, true)
}

/// What a profile says, and nothing else: `connect PROFILE` at the prompt names a server as plainly as an address does.
pub fn alone(name: &str) -> Outcome<Cli> {
    put_under(Cli::empty()?, name, false)
}

/// Puts a profile under what was typed, and where it `yields` under the environment.
fn put_under(mut cli: Cli, name: &str, yields: bool) -> Outcome<Cli> {
    let profiles = Profiles::load()?;
    let profile = profiles.get(name, cli.options())?;
    let mut settings = profile.settings.clone();
    if yields {
        yield_to_another_server(&mut settings, &cli)?;
    }
    let label = label_of(&profile, &settings, &cli);
    settings.retain(|setting| !yields || !is_overridden_by_environment(&setting.key));
    if settings.len() < profile.settings.len() {
        // What is left out is to be right as well. The rest is read below.
        profiles.check(&profile, cli.options_mut())?;
    }
    if yields && is_overridden_by_environment("pass") {
        // The URL stays, its password does not.
        for setting in &mut settings {
            setting.drop_url_password(&cli);
        }
    }
    // Keys have no order: each of them stands above what the URL says.
    settings.sort_by_key(|setting| setting.key != "url");
    let mut cli = cli.over(settings.into_iter().filter_map(|setting| setting.word).collect()).or_else(|failure| {
        profiles.check(&profile, &mut OptionSet::new())?;
        Err(failure)
    })?;
    cli.label = label;
    Ok(cli)
}

/// What the prompt calls the server: the profile names it, and nothing that was typed or stands in the environment
/// names another one.
fn label_of(profile: &Profile, settings: &[Setting], cli: &Cli) -> Option<Label> {
    let is_place = |setting: &&Setting| PLACE.contains(&setting.key.as_str());
    let is_named = profile.settings.iter().any(|setting| is_place(&setting));
    let is_kept = settings.iter().filter(is_place).count() == profile.settings.iter().filter(is_place).count();
    let is_typed = cli.connection.order.iter().any(|typed| PLACE.contains(&typed.as_str()));
    let color = settings.iter().find(|setting| setting.key == "color" && setting.word.is_none());
    let color =
        color.and_then(|setting| if let Value::Text(color) = &setting.value { Some(color.clone()) } else { None });
    (is_named && is_kept && !is_typed).then(|| Label { name: profile.name.clone(), color })
}

fn is_overridden_by_environment(key: &str) -> bool {
    ENVIRONMENT.iter().any(|(variable, keys)| keys.contains(&key) && environment(variable).is_some())
}

/// Takes out what the profile says of its server where the command line or the environment names another: neither
/// its password nor its certificate is for that one. A host or port that is typed only corrects the profile's own.
fn yield_to_another_server(settings: &mut Vec<Setting>, cli: &Cli) -> Outcome<()> {
    let typed = |name: &str| cli.connection.order.iter().any(|typed| typed == name);
    let has = |settings: &[Setting], keys: &[&str]| settings.iter().any(|setting| keys.contains(&setting.key.as_str()));
    let is_corrected = typed("host") || typed("port");
    let names_kind = typed("socket") || typed("sentinel") || typed("sandbox");
    let url = match &cli.connection.url {
        Some(url) => Some((url.clone(), "-u")),
        None if is_corrected || names_kind => None,
        None => url_in_environment(),
    };
    let in_environment = |variable: &str, option: &str| environment(variable).is_some() && !typed(option);
    let is_other = url.is_some()
        || names_kind
        || in_environment("VALKEYCLI_HOST", "host")
        || in_environment("VALKEYCLI_PORT", "port")
        || is_corrected && has(settings, &["url", "socket", "sentinel"]);
    let names_one = has(settings, &PLACE);
    if typed("sandbox") || is_other && names_one {
        settings.retain(|setting| !setting.is_about_server);
    } else if let Some((url, source)) = url {
        // The profile names no server: it completes what the URL leaves open.
        let said = parse_url(&url, source)?;
        let says_who = said.user.is_some() || said.password.is_some();
        settings.retain(|setting| match setting.key.as_str() {
            "db" => said.db.is_none(),
            "resp2" | "resp3" => said.protocol.is_none(),
            key => !(says_who && (key == "user" || PASSWORDS.contains(&key))),
        });
    }
    Ok(())
}

/// Whether an option's value is never shown. What a password command is may tell the password itself.
pub fn is_secret(key: &str) -> bool {
    matches!(key, "pass" | "sentinel-pass" | "password_command")
}

/// Whether a setting holds a password in so many words.
fn holds_password(key: &str, value: Option<&Value>) -> bool {
    match (key, value) {
        ("pass" | "sentinel-pass", _) => true,
        // One that cannot be read is an error of its own.
        ("url", Some(Value::Text(url))) => holds_secret(url),
        _ => false,
    }
}

impl Setting {
    /// The error says why the option cannot be set so.
    fn new(key: &Key<'_>, value: Value, line: usize) -> Result<Self, String> {
        let word = key.word(&value)?;
        Ok(Self { key: key.name.to_string(), value, word, is_about_server: key.is_about_server(), line })
    }

    /// Whether it gives a password for the server, from wherever.
    pub fn gives_password(&self) -> bool {
        let is_password = PASSWORDS.contains(&self.key.as_str()) && self.word.is_some();
        is_password || self.key == "url" && holds_password(&self.key, Some(&self.value))
    }

    /// The colour of a profile's prompt, which is no option. The error says what it can be.
    fn of_color(name: &str, line: usize) -> Result<Self, String> {
        if COLORS.contains(&name) {
            let value = Value::Text(name.to_owned());
            return Ok(Self { key: "color".to_owned(), value, word: None, is_about_server: true, line });
        }
        Err(format!("'color' is {} for the prompt, or auto, always or never", COLORS.join(", ")))
    }

    fn drop_url_password(&mut self, cli: &Cli) {
        if self.key == "url"
            && let Value::Text(url) = &self.value
            && let Some(url) = without_password(url)
            && let Some(key) = cli.options().key(&self.key)
            && let Ok(setting) = Self::new(&key, Value::Text(url), self.line)
        {
            *self = setting;
        }
    }
}
