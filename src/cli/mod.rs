//! Everything that can be typed: the command line as clap parses it. What it means is decided in `config`.

mod compat;
mod definition;
mod keys;
mod line;
mod option_set;
mod options;
pub mod prompt;
mod rdb;
mod run;
pub mod settings;
mod stat;
mod streams;
mod tail;
mod verbs;

use clap::error::{ContextKind, ContextValue};

use self::line::Line;

pub use self::compat::{CalledAs, Guise};

pub use self::definition::definition;
pub use self::keys::{Column, LsArgs, Measure};
pub use self::option_set::OptionSet;
pub use self::options::{
    ConnectionOptions, Encoding, GeneralOptions, OutputOptions, ReplOptions, ReportsForm, SandboxKind, Verify, When,
    YesNo,
};
pub use self::rdb::RdbArgs;
pub use self::run::RunArgs;
pub use self::stat::StatArgs;
pub use self::streams::{
    Control, LimitOptions, ListenOptions, MonitorArgs, OnHandlerError, PsubArgs, RunningOptions, SsubArgs, SubArgs,
};
pub use self::tail::{Ack, TailArgs};
pub use self::verbs::{
    CompletionsArgs, ExecArgs, ExecOptions, GenerateArgs, HintsArgs, OnError, PipeArgs, ProfilesArgs, RepeatOptions,
    TxnArgs, Verb,
};

/// A command line: the global options, wherever they stood, and what is to be done.
pub struct Cli {
    pub connection: ConnectionOptions,
    pub output: OutputOptions,
    pub general: GeneralOptions,
    pub repl: ReplOptions,
    /// The subcommand; none for the REPL, or for lines on standard input.
    pub verb: Option<Verb>,
    /// The profile whose server is meant.
    pub label: Option<Label>,
    line: Line,
}

/// What the prompt shows in place of an address.
#[derive(Clone, Debug)]
pub struct Label {
    /// The name of a profile, or `sandbox`.
    pub name: String,
    /// Its colour, one of those that `color` knows.
    pub color: Option<String>,
}

/// clap's complaint in one line, without a value that may hold a password: a URL in the wrong place, or what stands
/// behind an option about passwords that takes none.
pub fn describe(error: &clap::Error) -> String {
    let text_of = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let (value, option) = (text_of(ContextKind::InvalidValue), text_of(ContextKind::InvalidArg));
    if value.contains('@') || !value.is_empty() && option.contains("pass") {
        return format!("invalid value (not shown) for '{option}'");
    }
    let text = error.to_string();
    let told = text.split("\n\nUsage:").next().unwrap_or(&text);
    let told = told.split("\n\nFor more information").next().unwrap_or(told);
    let told = told.strip_prefix("error: ").unwrap_or(told);
    let told = told
        .replace("invalid digit found in string", "a whole number is expected")
        .replace("number too large to fit in target type", "the number is too large");
    let told = told
        .rsplit_once(" is not in ")
        .and_then(|(head, range)| Some(format!("{}{}", head.strip_suffix(value)?, describe_range(range)?)))
        .unwrap_or(told);
    let mut line = String::new();
    for part in told.lines().map(str::trim).filter(|part| !part.is_empty()) {
        let tip = part.strip_prefix("tip: ");
        if !line.is_empty() {
            line.push_str(if tip.is_some() { "; " } else { " " });
        }
        line.push_str(tip.unwrap_or(part));
    }
    line
}

/// A range of numbers in words, of which the last one may be the largest that there is.
fn describe_range(range: &str) -> Option<String> {
    let (first, last) = range.split_once("..")?;
    let last: u64 = last.trim_start_matches('=').parse().ok()?;
    let is_limit = last < u32::MAX.into();
    Some(if is_limit {
        format!("a number from {first} to {last} is expected")
    } else {
        format!("{first} or more is expected")
    })
}
