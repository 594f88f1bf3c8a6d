//! What was decided: the command line, the environment and the terminal become one [`Config`]; nothing "auto" is left.
//!
//! Precedence is contract section 1's: option, then environment, then default.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::cli::{ConnectionOptions, Encoding, OutputOptions, SandboxKind, When};
use crate::exit::{Failure, Outcome, describe_io, report};
use crate::render::{Format, Style};
use crate::server::{Address, ClusterUse, Credentials, Protocol, Sandbox, Target, Tls, TlsFiles};

const DEFAULT_HOST: &str = "127.0.0.1";
const DEFAULT_PORT: u16 = 6379;
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Every decision taken.
#[derive(Debug)]
pub struct Config {
    /// The server.
    pub target: Target,
    /// How the cluster that the server belongs to is used; none to talk to that server only.
    pub cluster: Option<ClusterUse>,
    /// How replies look.
    pub style: Style,
    /// Whether pushes are written.
    pub show_pushes: bool,
    /// The throw-away server of `--sandbox`, kept alive as long as this.
    _sandbox: Option<Sandbox>,
}

/// Decides how replies look. This needs no server and cannot connect anywhere.
pub fn decide_style(output: &OutputOptions) -> Outcome<Style> {
    let delimiter = |given: &Option<OsString>| given.as_ref().map_or(b"\n".to_vec(), |text| text.as_bytes().to_vec());
    Ok(Style {
        format: decide_format(output)?,
        element_delimiter: delimiter(&output.element_delimiter),
        reply_delimiter: delimiter(&output.reply_delimiter),
        one_line_errors: false,
        base64: output.encoding == Some(Encoding::Base64),
        color: wants_color(output.color, io::stdout().is_terminal()),
    })
}

/// Decides on the colours of stderr, for [`report`].
pub fn decide_stderr_color(output: &OutputOptions) {
    colored::control::set_override(wants_color(output.color, io::stderr().is_terminal()));
}

fn wants_color(when: Option<When>, is_terminal: bool) -> bool {
    match when.unwrap_or(When::Auto) {
        When::Always => true,
        When::Never => false,
        When::Auto => {
            is_terminal && environment("NO_COLOR").is_none() && environment("TERM").is_none_or(|term| term != "dumb")
        }
    }
}

fn decide_format(output: &OutputOptions) -> Outcome<Format> {
    if output.json {
        return Ok(Format::Json);
    }
    if output.raw {
        return Ok(Format::Raw);
    }
    if output.human {
        return Ok(Format::Human);
    }
    match environment("RCLI_FORMAT") {
        Some(name) => match name.to_str() {
            Some("json") => Ok(Format::Json),
            Some("raw") => Ok(Format::Raw),
            Some("human") => Ok(Format::Human),
            _ => Err(Failure::usage(format!("RCLI_FORMAT={}: json, raw or human is expected", name.display()))),
        },
        None if io::stdout().is_terminal() => Ok(Format::Human),
        None => Ok(Format::Raw),
    }
}

/// An environment variable; an empty one counts as not set.
fn environment(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

impl Config {
    /// Takes every decision. Starts the sandbox if one is asked for, and reads password files and the terminal.
    pub fn decide(connection: &ConnectionOptions, output: &OutputOptions) -> Outcome<Self> {
        let style = decide_style(output)?;
        let sandbox = match connection.sandbox {
            None => None,
            Some(SandboxKind::Server) => Some(Sandbox::start()?),
            Some(SandboxKind::Cluster) => Some(Sandbox::start_cluster()?),
        };
        let place = decide_place(connection, sandbox.as_ref())?;
        let protocol = match (connection.resp2, connection.resp3, place.protocol) {
            (true, ..) => Protocol::Resp2,
            (_, true, _) => Protocol::Resp3,
            (.., Some(protocol)) => protocol,
            _ if style.format == Format::Raw => Protocol::Resp2,
            _ => Protocol::Resp3,
        };
        let target = Target {
            tls: decide_tls(connection, &place)?,
            credentials: decide_credentials(connection, &place)?,
            address: place.address,
            db: connection.db.or(place.db).unwrap_or(0),
            protocol,
            connect_timeout: connection.connect_timeout.unwrap_or(DEFAULT_CONNECT_TIMEOUT),
            read_timeout: connection.read_timeout.filter(|limit| !limit.is_zero()),
        };
        let cluster = decide_cluster(connection, &target)?;
        Ok(Self { target, cluster, style, show_pushes: output.show_pushes, _sandbox: sandbox })
    }
}

/// What `-c` and its companions say (contract section 11).
fn decide_cluster(options: &ConnectionOptions, target: &Target) -> Outcome<Option<ClusterUse>> {
    let how = ClusterUse { read_from_replicas: options.read_from_replicas, all_nodes: options.all_nodes };
    if !options.cluster && options.sandbox != Some(SandboxKind::Cluster) {
        let given = [("--read-from-replicas", how.read_from_replicas), ("--all-nodes", how.all_nodes)];
        return match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((name, _)) => Err(Failure::usage(format!("{name} needs -c"))),
            None => Ok(None),
        };
    }
    if target.db != 0 {
        return Err(Failure::usage(format!("database {} with -c: a cluster has one database, 0", target.db)));
    }
    Ok(Some(how))
}

/// What a URL, or the options in its stead, say of the server.
#[derive(Debug)]
struct Place {
    address: Address,
    is_tls: bool,
    is_insecure: bool,
    db: Option<u32>,
    protocol: Option<Protocol>,
    user: Option<String>,
    password: Option<Vec<u8>>,
}

impl Place {
    fn at(address: Address) -> Self {
        Self { address, is_tls: false, is_insecure: false, db: None, protocol: None, user: None, password: None }
    }
}

fn decide_place(options: &ConnectionOptions, sandbox: Option<&Sandbox>) -> Outcome<Place> {
    if let Some(sandbox) = sandbox {
        return Ok(Place::at(sandbox.address()));
    }
    if let Some(path) = &options.socket {
        return Ok(Place::at(Address::Unix(path.clone())));
    }
    if let Some(url) = &options.url {
        return parse_url(url, "-u");
    }
    // A host on the command line is not to be sent what a URL in the environment says of another.
    if options.host.is_none() && options.port.is_none() {
        for name in ["RCLI_URL", "REDIS_URL"] {
            if let Some(url) = environment(name) {
                return parse_url(&url.to_string_lossy(), name);
            }
        }
    }
    let host = options.host.clone().unwrap_or_else(|| DEFAULT_HOST.to_owned());
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host).to_owned();
    Ok(Place::at(Address::Tcp(host, options.port.unwrap_or(DEFAULT_PORT))))
}

/// Reads a URL. Complaints never repeat it: it may hold a password.
fn parse_url(text: &str, source: &str) -> Outcome<Place> {
    let bad = |reason: &str| Failure::usage(format!("{source}: {reason}"));
    let url = Url::parse(text).map_err(|error| bad(&format!("bad URL: {error}")))?;
    let mut place = match url.scheme() {
        "redis" | "valkey" | "rediss" | "valkeys" => tcp_place(&url).map_err(|reason| bad(&reason))?,
        "unix" | "redis+unix" | "valkey+unix" => {
            let path = percent_decode_str(url.path()).collect::<Vec<u8>>();
            if path.is_empty() || url.host_str().is_some_and(|host| !host.is_empty()) {
                return Err(bad("a unix URL is unix:///path/of/the/socket"));
            }
            Place::at(Address::Unix(PathBuf::from(OsString::from_vec(path))))
        }
        other => {
            return Err(bad(&format!(
                "unknown URL scheme '{other}': redis, rediss, valkey, valkeys or unix is expected"
            )));
        }
    };
    read_query(&url, &mut place).map_err(|reason| bad(&reason))?;
    match url.fragment() {
        None | Some("") => {}
        Some("insecure") if place.is_tls => place.is_insecure = true,
        Some(_) => return Err(bad("unknown URL fragment: only #insecure is known, with rediss and valkeys")),
    }
    Ok(place)
}

fn tcp_place(url: &Url) -> Result<Place, String> {
    let host = match url.host() {
        Some(url::Host::Ipv6(address)) => address.to_string(),
        Some(host) => percent_decode_str(&host.to_string()).decode_utf8_lossy().into_owned(),
        None => DEFAULT_HOST.to_owned(),
    };
    let host = if host.is_empty() { DEFAULT_HOST.to_owned() } else { host };
    let mut place = Place::at(Address::Tcp(host, url.port().unwrap_or(DEFAULT_PORT)));
    place.is_tls = matches!(url.scheme(), "rediss" | "valkeys");
    let path = url.path().trim_matches('/');
    if !path.is_empty() {
        place.db = Some(parse_db(path)?);
    }
    if !url.username().is_empty() {
        place.user = Some(percent_decode_str(url.username()).decode_utf8_lossy().into_owned());
    }
    place.password = url.password().map(|password| percent_decode_str(password).collect());
    Ok(place)
}

fn parse_db(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("'{text}' is no database number"))
}

/// The query keys that the redis crate knows; any other is an error (contract section 1).
fn read_query(url: &Url, place: &mut Place) -> Result<(), String> {
    for (key, value) in url.query_pairs() {
        match key.as_ref() {
            "db" => place.db = Some(parse_db(&value)?),
            "protocol" => {
                place.protocol = Some(match value.as_ref() {
                    "2" | "resp2" => Protocol::Resp2,
                    "3" | "resp3" => Protocol::Resp3,
                    _ => return Err(format!("protocol={value}: 2 or 3 is expected")),
                });
            }
            "user" if matches!(place.address, Address::Unix(_)) => place.user = Some(value.into_owned()),
            "pass" if matches!(place.address, Address::Unix(_)) => {
                place.password = Some(value.into_owned().into_bytes());
            }
            other => {
                return Err(format!(
                    "unknown URL key '{other}': db and protocol are known, and user and pass for unix"
                ));
            }
        }
    }
    Ok(())
}

fn decide_tls(options: &ConnectionOptions, place: &Place) -> Outcome<Option<Tls>> {
    let is_tls = options.tls || place.is_tls;
    let given = [
        ("--cacert", options.cacert.is_some()),
        ("--cert", options.cert.is_some()),
        ("--key", options.key.is_some()),
        ("--sni", options.sni.is_some()),
        ("--insecure", options.insecure),
    ];
    if !is_tls {
        return match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((name, _)) => Err(Failure::usage(format!("{name} needs --tls or a rediss:// URL"))),
            None => Ok(None),
        };
    }
    if matches!(place.address, Address::Unix(_)) {
        return Err(Failure::usage("TLS over a unix socket is not possible"));
    }
    let identity = match (&options.cert, &options.key) {
        (Some(cert), Some(key)) => Some((cert.as_path(), key.as_path())),
        (None, None) => None,
        (Some(_), None) => return Err(Failure::usage("--cert needs --key")),
        (None, Some(_)) => return Err(Failure::usage("--key needs --cert")),
    };
    Tls::load(TlsFiles {
        cacert: options.cacert.as_deref(),
        identity,
        server_name: options.sni.as_deref(),
        insecure: options.insecure || place.is_insecure,
    })
    .map(Some)
    .map_err(Failure::usage)
}

fn decide_credentials(options: &ConnectionOptions, place: &Place) -> Outcome<Option<Credentials>> {
    let user = options.user.clone().or_else(|| place.user.clone());
    let password = match given_password(options)? {
        Some(password) => Some(password),
        None => place.password.clone().or_else(|| {
            // A sandbox is nobody's server: it has no password to be asked for.
            let names = if options.sandbox.is_some() { [].as_slice() } else { &["REDISCLI_AUTH", "VALKEYCLI_AUTH"] };
            names.iter().find_map(|name| environment(name)).map(OsString::into_vec)
        }),
    };
    match (user, password) {
        (user, Some(password)) => Ok(Some(Credentials { user, password })),
        (Some(_), None) => {
            Err(Failure::usage("a user needs a password: --askpass, --pass-file, -a or REDISCLI_AUTH gives it"))
        }
        (None, None) => Ok(None),
    }
}

fn given_password(options: &ConnectionOptions) -> Outcome<Option<Vec<u8>>> {
    if let Some(password) = &options.pass {
        if !options.no_auth_warning {
            report(
                "warning: a password given with -a can be seen by other users of this machine; \
                 use REDISCLI_AUTH, --pass-file or --askpass",
            );
        }
        return Ok(Some(password.as_bytes().to_vec()));
    }
    if let Some(path) = &options.pass_file {
        return read_first_line(path).map(Some);
    }
    if options.askpass {
        let password = rpassword::prompt_password("Password: ").map_err(|error| {
            Failure::usage(format!("--askpass: cannot ask on the terminal: {}", describe_io(&error)))
        })?;
        return Ok(Some(password.into_bytes()));
    }
    Ok(None)
}

fn read_first_line(path: &Path) -> Outcome<Vec<u8>> {
    let failed = |error: &io::Error| Failure::usage(format!("{}: {}", path.display(), describe_io(error)));
    let file = File::open(path).map_err(|error| failed(&error))?;
    let mut line = Vec::new();
    BufReader::new(file).read_until(b'\n', &mut line).map_err(|error| failed(&error))?;
    while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        line.pop();
    }
    if line.is_empty() {
        return Err(Failure::usage(format!("{}: the first line holds no password", path.display())));
    }
    Ok(line)
}
