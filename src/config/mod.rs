//! What was decided: the command line, the environment and the terminal become one [`Config`]; nothing "auto" is left,
//! nothing of it is changed later, and nothing is read, asked or started for it.
//!
//! Precedence is contract section 1's: option, then environment, then default. A profile stands among the options by
//! now, without what the environment overrides: see `profile`.

mod connection;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod parts;
pub mod password;
mod place;
pub mod profile;
mod repl;
mod style;
mod url;

use std::env;
use std::ffi::OsString;

use self::parts::settle;
use self::place::decide_place;
use self::url::{Place, holds_secret};
use crate::cli::prompt::refuse_session_options;
use crate::cli::{Cli, ConnectionOptions, Guise, Label, Verb, YesNo};
use crate::exit::{Failure, Outcome};
use crate::net::{Address, Endpoint, Protocol};
use crate::render::{Format, Style};

pub use self::connection::{Connection, Login};
pub use self::place::{parse_node, refuse_url, url_in_environment};
pub use self::repl::{Pager, ReplSettings, expand};
pub use self::style::decide_stderr_color;
pub use self::url::without_password;

/// Every decision taken.
#[derive(Clone, Debug)]
pub struct Config {
    /// The server, and how it is talked to. A verb that needs none has one that nobody has named.
    pub connection: Connection,
    /// How replies look.
    pub style: Style,
    /// Whether an option or the environment names the format.
    pub is_format_chosen: bool,
    /// What rcli is to be taken for.
    pub guise: Guise,
    /// Whether pushes are written (`--show-pushes`).
    pub show_pushes: bool,
    /// Whether dangerous commands run unasked (`--yes`).
    pub is_sure: bool,
    /// What the prompt shows in place of the address.
    pub label: Option<Label>,
    pub warnings: Vec<String>,
    any_server: ConnectionOptions,
    default_protocol: Protocol,
}

/// Another server than the one that rcli was started with.
#[derive(Debug, PartialEq, Eq)]
pub enum Elsewhere {
    Url(String),
    /// A host and a port.
    Tcp(String, u16),
    Profile(String),
}

/// Where a verb is that connects to nothing: what it says of commands depends on whether replicas are named by
/// sentinels.
fn place_without_server(options: &ConnectionOptions) -> Place {
    let reads_beside_primary = options.read_from_replicas && !options.means_cluster();
    let mut place = Place::default();
    if let Ok(Place { address: address @ Address::Sentinel(_), .. }) = settle(options).and_then(|it| decide_place(&it))
        && reads_beside_primary
    {
        place.address = address;
    }
    place
}

/// An environment variable; an empty one counts as not set.
pub fn environment(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

impl Config {
    /// Takes every decision. `warnings` are those about what was typed: see [`warnings_of_typed_passwords`].
    pub fn decide(cli: &Cli, mut warnings: Vec<String>) -> Outcome<Self> {
        let verb = cli.verb.as_ref();
        refuse_all_nodes(&cli.connection, verb)?;
        let guise = Guise::now();
        let format = style::decide_format(&cli.output, verb, guise)?;
        let style = style::style_of(&cli.output, verb, guise, format)?;
        let default_protocol = default_protocol(style.format, verb);
        let any_server = ConnectionOptions {
            db: None,
            sandbox: None,
            cluster: cli.connection.means_cluster(),
            ..cli.connection.without_server()
        };
        let (options, place) = if verb.is_none_or(Verb::needs_server) {
            let options = settle(&cli.connection)?;
            let place = decide_place(&options)?;
            (options, place)
        } else {
            (any_server.clone(), place_without_server(&cli.connection))
        };
        if cli.connection.no_auth_warning {
            warnings.clear();
        }
        warnings.extend(place.warning.clone());
        let connection = Connection::decide(&options, place, default_protocol)?;
        let label = match connection.sandbox {
            Some(_) => Some(Label { name: "sandbox".to_owned(), color: None }),
            None => cli.label.clone(),
        };
        Ok(Self {
            connection,
            style,
            is_format_chosen: style::is_format_chosen(&cli.output),
            guise,
            show_pushes: cli.output.show_pushes == Some(YesNo::Yes),
            is_sure: cli.repl.yes,
            label,
            warnings,
            any_server,
            default_protocol,
        })
    }

    /// The same for a verb that is typed at the prompt, on what the session has: `endpoint` is where it is now, `style`
    /// how its output looks, `streams` the format of its streams. Options about the connection that the session decides
    /// are refused.
    pub fn at_prompt(&self, cli: &Cli, endpoint: &Endpoint, style: &Style, streams: Format) -> Outcome<Self> {
        refuse_session_options(cli)?;
        let verb = cli.verb.as_ref();
        let typed = &cli.connection;
        let style = style::decide_style_at_prompt(cli, self.guise, style, streams)?;
        let mut endpoint = Endpoint { db: typed.db.unwrap_or(endpoint.db), ..endpoint.clone() };
        endpoint.read_only |= typed.read_only;
        endpoint.may_log_in = false;
        endpoint.protocol = match default_protocol(style.format, verb) {
            _ if typed.resp2 => Protocol::Resp2,
            _ if typed.resp3 => Protocol::Resp3,
            Protocol::Resp2 if !self.any_server.resp3 => Protocol::Resp2,
            _ => endpoint.protocol,
        };
        if let Some(limit) = typed.connect_timeout {
            (endpoint.connect_timeout, endpoint.limits_first_answer) = connection::connect_limit(Some(limit));
        }
        endpoint.read_timeout =
            typed.read_timeout.map_or(endpoint.read_timeout, |limit| Some(limit).filter(|it| !it.is_zero()));
        refuse_all_nodes(typed, verb)?;
        endpoint.cluster = connection::cluster_at_prompt(typed, endpoint.cluster)?;
        let connection = Connection { sandbox: None, tls: None, login: None, endpoint };
        let show_pushes = cli.output.show_pushes.map_or(self.show_pushes, |choice| choice == YesNo::Yes);
        let is_sure = self.is_sure || cli.repl.yes;
        Ok(Self { connection, style, show_pushes, is_sure, warnings: Vec::new(), ..self.clone() })
    }

    /// Another server. Who we are is not passed on to it; how TLS is checked is, and with `is_tls` that a host and port
    /// are meant with TLS. A profile says all of it, and what the prompt calls it.
    pub fn elsewhere(&self, place: &Elsewhere, is_tls: bool) -> Outcome<(Connection, Option<Label>)> {
        let options = match place {
            Elsewhere::Profile(name) => {
                let config = Self::decide(&profile::alone(name)?, Vec::new())?;
                if config.connection.sandbox.is_some() {
                    return Err(Failure::usage(format!("{name}: rcli --profile {name} starts its sandbox")));
                }
                return Ok((config.connection, config.label));
            }
            Elsewhere::Url(url) => ConnectionOptions { url: Some(url.clone()), ..self.any_server.clone() },
            Elsewhere::Tcp(host, port) => ConnectionOptions {
                host: Some(host.clone()),
                port: Some(*port),
                tls: self.any_server.tls || is_tls,
                ..self.any_server.clone()
            },
        };
        let options = settle(&options)?;
        Ok((Connection::decide(&options, decide_place(&options)?, self.default_protocol)?, None))
    }
}

fn refuse_all_nodes(options: &ConnectionOptions, verb: Option<&Verb>) -> Outcome<()> {
    if options.all_nodes && !matches!(verb, Some(Verb::Exec(_))) {
        return Err(Failure::usage("--all-nodes goes with one command: rcli -c --all-nodes CMD [ARG]..."));
    }
    Ok(())
}

/// The version of RESP that is spoken where none is asked for.
fn default_protocol(format: Format, verb: Option<&Verb>) -> Protocol {
    match (format, verb) {
        _ if format.is_of_resp2() => Protocol::Resp2,
        // A program is answered in raw whether stdout is a terminal or not: the same shapes, then, in both.
        (Format::Human, Some(Verb::Txn(args))) if !args.program.is_empty() => Protocol::Resp2,
        _ => Protocol::Resp3,
    }
}

/// The warnings for passwords on the command line, where others can see them: `typed` is nothing but that.
pub fn warnings_of_typed_passwords(typed: &ConnectionOptions) -> Vec<String> {
    let is_in_url = typed.url.as_deref().is_some_and(holds_secret);
    let ways = [
        (
            "-a",
            typed.pass.as_ref().is_some_and(|password| !password.is_empty()),
            "REDISCLI_AUTH, --pass-file or --askpass",
        ),
        ("-u", is_in_url, "RCLI_URL, REDISCLI_AUTH, --pass-file or --askpass"),
        ("--sentinel-pass", typed.sentinel_pass.is_some(), "RCLI_SENTINEL_AUTH or a profile"),
    ];
    ways.into_iter()
        .filter(|(_, is_given, _)| *is_given)
        .map(|(option, _, better)| {
            format!("warning: a password given with {option} can be seen by other users of this machine; use {better}")
        })
        .collect()
}
