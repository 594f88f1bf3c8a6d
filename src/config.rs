//! What was decided: the command line, the environment and the terminal become one [`Config`]; nothing "auto" is left.
//!
//! Precedence is contract section 1's: option, then environment, then default. A profile stands among the options by
//! now, without what the environment overrides: see `profile`.

mod parts;
mod url;

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _};
use std::net::Ipv6Addr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use self::parts::settle;
pub use self::url::describe_url;
use self::url::{Place, VARIABLES, describe_unknown, parse_url};
use crate::askpass;
use crate::cli::{self, ConnectionOptions, Encoding, OutputOptions, SandboxKind, When};
use crate::color::Colors;
use crate::exit::{Exit, Failure, Outcome};
use crate::render::{Format, Style};
use crate::report::{describe_io, notice, set_colors};
use crate::server::{
    Address, ClusterUse, Credentials, Hello, Protocol, Sandbox, Sentinels, Target, Tls, TlsFiles, Verify,
};
use crate::signal;

const DEFAULT_HOST: &str = "127.0.0.1";
const DEFAULT_PORT: u16 = 6379;
const DEFAULT_SENTINEL_PORT: u16 = 26379;

/// Every decision taken.
#[derive(Debug)]
pub struct Config {
    /// The server.
    pub target: Target,
    /// How the cluster that the server belongs to is used; none to talk to that server only.
    pub cluster: Option<ClusterUse>,
    /// Whether the version of RESP was asked for; else it was chosen to suit the output format.
    pub protocol_is_given: bool,
    /// How replies look.
    pub style: Style,
    /// Whether pushes are written (`--show-pushes`).
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
        nest_json: false,
        colors: decide_colors(output.color, io::stdout().is_terminal()),
        is_terminal: io::stdout().is_terminal(),
    })
}

/// Decides on the colours of stderr, for [`crate::report`].
pub fn decide_stderr_color(output: &OutputOptions) {
    set_colors(decide_colors(output.color, io::stderr().is_terminal()));
}

/// The same options for a stream, whose lines are JSON unless an option or RCLI_FORMAT says otherwise (contract
/// section 8).
pub fn for_stream(output: &OutputOptions) -> OutputOptions {
    let is_decided = output.json || output.raw || output.human || environment("RCLI_FORMAT").is_some();
    OutputOptions { json: output.json || !is_decided, ..output.clone() }
}

fn decide_colors(when: Option<When>, is_terminal: bool) -> Colors {
    match when.unwrap_or(When::Auto) {
        When::Always => Colors(true),
        When::Never => Colors(false),
        When::Auto => Colors::by_default(is_terminal),
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
pub fn environment(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

impl Config {
    /// Takes every decision. Starts the sandbox if one is asked for, and reads password files and the terminal.
    pub fn decide(connection: &ConnectionOptions, output: &OutputOptions) -> Outcome<Self> {
        let style = decide_style(output)?;
        let connection = &settle(connection)?;
        let sandbox = match connection.sandbox {
            None => None,
            Some(SandboxKind::Server) => Some(Sandbox::start()?),
            Some(SandboxKind::Cluster) => Some(Sandbox::start_cluster()?),
        };
        let place = decide_place(connection, sandbox.as_ref())?;
        let protocol_is_given = connection.resp2 || connection.resp3 || place.protocol.is_some();
        let target = decide_target(connection, place, style.format)?;
        let cluster = decide_cluster(connection, &target)?;
        Ok(Self { target, cluster, protocol_is_given, style, show_pushes: output.show_pushes, _sandbox: sandbox })
    }
}

/// Decides which server these options mean, and who we are there. No sandbox is started.
pub fn decide_elsewhere(connection: &ConnectionOptions, format: Format) -> Outcome<Target> {
    let connection = &settle(connection)?;
    decide_target(connection, decide_place(connection, None)?, format)
}

fn decide_target(connection: &ConnectionOptions, mut place: Place, format: Format) -> Outcome<Target> {
    if let Address::Sentinel(sentinels) = &mut place.address {
        sentinels.credentials = decide_sentinel_credentials(connection)?;
    } else if connection.sentinel_user.is_some() || connection.sentinel_pass.is_some() {
        return Err(Failure::usage("--sentinel-user and --sentinel-pass need --sentinel or a redis+sentinel URL"));
    }
    let protocol = match (connection.resp2, connection.resp3, place.protocol) {
        (true, ..) => Protocol::Resp2,
        (_, true, _) => Protocol::Resp3,
        (.., Some(protocol)) => protocol,
        _ if format == Format::Raw => Protocol::Resp2,
        _ => Protocol::Resp3,
    };
    Ok(Target {
        tls: decide_tls(connection, &place)?,
        credentials: decide_credentials(connection, &place)?,
        address: place.address,
        db: connection.db.or(place.db).unwrap_or(0),
        protocol,
        hello: Hello::new(connection.resp3 || place.protocol == Some(Protocol::Resp3)),
        limits_first_answer: connection.connect_timeout.is_some_and(|limit| !limit.is_zero()),
        connect_timeout: match connection.connect_timeout {
            Some(Duration::ZERO) => Target::NO_LIMIT,
            given => given.unwrap_or(Target::DEFAULT_LIMIT),
        },
        read_timeout: connection.read_timeout.filter(|limit| !limit.is_zero()),
        pushes: None,
    })
}

/// What `-c` and its companions say (contract section 11).
fn decide_cluster(options: &ConnectionOptions, target: &Target) -> Outcome<Option<ClusterUse>> {
    let how = ClusterUse { read_from_replicas: options.read_from_replicas, all_nodes: options.all_nodes };
    if !options.means_cluster() {
        let given = [("--read-from-replicas", how.read_from_replicas), ("--all-nodes", how.all_nodes)];
        return match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((name, _)) => Err(Failure::usage(format!("{name} needs -c"))),
            None => Ok(None),
        };
    }
    if matches!(target.address, Address::Sentinel(_)) {
        return Err(Failure::usage("sentinels watch no cluster: name one of its nodes with -h and -p"));
    }
    Ok(Some(how))
}

fn decide_place(options: &ConnectionOptions, sandbox: Option<&Sandbox>) -> Outcome<Place> {
    if let Some(sandbox) = sandbox {
        return Ok(Place::at(sandbox.address()));
    }
    let mut place = match &options.url {
        Some(url) => parse_url(url, "-u")?,
        None => decide_place_in_environment(options)?,
    };
    if let Some(path) = &options.socket {
        refuse_url("-s", &path.to_string_lossy())?;
        (place.address, place.is_tls) = (Address::Unix(path.clone()), false);
    } else if let Some(sentinels) = given_sentinels(options)? {
        place.address = Address::Sentinel(sentinels);
    } else if options.host.is_some() || options.port.is_some() {
        let (host, port) = match place.address {
            Address::Tcp(host, port) => (host, port),
            _ => (DEFAULT_HOST.to_owned(), DEFAULT_PORT),
        };
        let host = options.host.as_deref().map_or(host, without_brackets);
        refuse_url("-h", &host)?;
        place.address = Address::Tcp(host, options.port.unwrap_or(port));
    }
    Ok(place)
}

/// Where the environment says that the server is. What a URL there says of one server is not for another, which the
/// options name.
fn decide_place_in_environment(options: &ConnectionOptions) -> Outcome<Place> {
    let names_another = options.host.is_some()
        || options.port.is_some()
        || options.socket.is_some()
        || !options.sentinel.is_empty()
        || options.master.is_some();
    if let (false, Some((url, name))) = (names_another, url_in_environment()) {
        let place = parse_url(&url, name)?;
        if !place.unknown_keys.is_empty() {
            notice(&format!("warning: {name}: {}", describe_unknown(&place.unknown_keys)));
        }
        return Ok(place);
    }
    let text = |name| environment(name).map(|value| value.to_string_lossy().into_owned());
    let port = match text("VALKEYCLI_PORT").filter(|_| options.port.is_none()) {
        Some(port) => port.parse().map_err(|_| Failure::usage(format!("VALKEYCLI_PORT={port}: a port is expected")))?,
        None => DEFAULT_PORT,
    };
    let host = text("VALKEYCLI_HOST").map_or(DEFAULT_HOST.to_owned(), |host| without_brackets(&host));
    Ok(Place::at(Address::Tcp(host, port)))
}

/// The URL that the environment gives, and the variable it stands in.
pub fn url_in_environment() -> Option<(String, &'static str)> {
    VARIABLES.into_iter().find_map(|name| Some((environment(name)?.to_string_lossy().into_owned(), name)))
}

/// The host of an IPv6 address may stand in brackets.
fn without_brackets(host: &str) -> String {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).to_owned()
}

fn given_sentinels(options: &ConnectionOptions) -> Outcome<Option<Sentinels>> {
    match (options.sentinel.as_slice(), &options.master) {
        ([], None) => Ok(None),
        ([], Some(_)) => Err(Failure::usage("--master needs --sentinel: the sentinels are asked where it is")),
        (_, None) => Err(Failure::usage("--sentinel needs --master: the name that the sentinels know the primary by")),
        (sentinels, Some(master)) => {
            let addresses = sentinels.iter().map(|text| {
                refuse_url("--sentinel", text)?;
                parse_sentinel(text).ok_or_else(|| Failure::usage(format!("--sentinel {text}: HOST:PORT is expected")))
            });
            Ok(Some(Sentinels::new(addresses.collect::<Outcome<_>>()?, master.clone())))
        }
    }
}

/// A URL has its own option. What is given here in its place is not shown: it may hold a password.
pub fn refuse_url(option: &str, text: &str) -> Outcome<()> {
    let is_path = matches!(option, "-s" | "socket");
    if text.contains("://") || !is_path && (text.contains(['@', '/']) || text.contains("%40")) {
        return Err(Failure::usage(format!("{option}: a URL, or a user and a password, go with -u")));
    }
    Ok(())
}

fn parse_sentinel(text: &str) -> Option<Address> {
    parse_address(text, DEFAULT_SENTINEL_PORT)
}

/// What `--node` says: one node of a cluster.
pub fn parse_node(text: &str, cluster: Option<ClusterUse>) -> Outcome<Address> {
    if cluster.is_none() {
        return Err(Failure::usage("--node needs -c; without it -h and -p name the server"));
    }
    refuse_url("--node", text)?;
    parse_address(text, DEFAULT_PORT).ok_or_else(|| Failure::usage(format!("--node {text}: HOST:PORT is expected")))
}

/// Reads `HOST`, `HOST:PORT` or `[IPV6]:PORT`; none if it is neither.
fn parse_address(text: &str, default_port: u16) -> Option<Address> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port.parse().ok()?),
        _ => (text, default_port),
    };
    let host = without_brackets(host);
    // An address with its zone.
    let is_ipv6 = host.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    let is_host = !host.is_empty() && !host.contains(['[', ']', '/', '@']) && (is_ipv6 || !host.contains([':', '%']));
    is_host.then_some(Address::Tcp(host, port))
}

/// What AUTH sends to the sentinels: they have passwords of their own.
fn decide_sentinel_credentials(options: &ConnectionOptions) -> Outcome<Option<Credentials>> {
    let password = options.sentinel_pass.clone().or_else(|| environment("RCLI_SENTINEL_AUTH")).map(OsString::into_vec);
    match (options.sentinel_user.clone(), password) {
        (user, Some(password)) => Ok(Some(Credentials { user, password })),
        (Some(_), None) => {
            Err(Failure::usage("--sentinel-user needs a password: RCLI_SENTINEL_AUTH or --sentinel-pass gives it"))
        }
        (None, None) => Ok(None),
    }
}

fn decide_tls(options: &ConnectionOptions, place: &Place) -> Outcome<Option<Tls>> {
    let given = [
        ("--tls", options.tls),
        ("--cacert", options.cacert.is_some()),
        ("--cacertdir", options.cacertdir.is_some()),
        ("--cert", options.cert.is_some()),
        ("--key", options.key.is_some()),
        ("--sni", options.sni.is_some()),
        ("--verify", options.verify.is_some()),
        ("--insecure", options.insecure),
        ("the URL", place.is_tls),
    ];
    let Some((means_tls, _)) = given.into_iter().find(|(_, is_given)| *is_given) else { return Ok(None) };
    // A sandbox is nobody's server: nothing that is said of others holds for it.
    if options.sandbox.is_some() {
        return Ok(None);
    }
    if matches!(place.address, Address::Unix(_)) {
        return Err(Failure::usage(format!("{means_tls} means TLS, which is not possible over a unix socket")));
    }
    let identity = match (&options.cert, &options.key) {
        (Some(cert), Some(key)) => Some((cert.as_path(), key.as_path())),
        (None, None) => None,
        (Some(_), None) => return Err(Failure::usage("--cert needs --key")),
        (None, Some(_)) => return Err(Failure::usage("--key needs --cert")),
    };
    let verify = match options.verify {
        Some(cli::Verify::Ca) => Verify::Ca,
        Some(cli::Verify::None) => Verify::Nothing,
        None if options.insecure || place.is_insecure => Verify::Nothing,
        Some(cli::Verify::Full) | None => Verify::Full,
    };
    Tls::load(TlsFiles {
        cacert: options.cacert.as_deref(),
        cacertdir: options.cacertdir.as_deref(),
        identity,
        server_name: options.sni.as_deref(),
        verify,
    })
    .map(Some)
    .map_err(Failure::usage)
}

fn decide_credentials(options: &ConnectionOptions, place: &Place) -> Outcome<Option<Credentials>> {
    // A sandbox is nobody's server: it has no password to be asked for.
    if options.sandbox.is_some() {
        return Ok(None);
    }
    let given = given_password(options)?;
    let is_of_url = given.is_none() && place.password.is_some();
    let password = given
        .or_else(|| place.password.clone())
        .or_else(|| ["REDISCLI_AUTH", "VALKEYCLI_AUTH"].into_iter().find_map(environment).map(OsString::into_vec));
    let user = options.user.clone().or_else(|| place.user.clone());
    match (user, password) {
        (Some(_), None) => {
            Err(Failure::usage("a user needs a password: --askpass, --pass-file, -a or REDISCLI_AUTH gives it"))
        }
        (None, None) => Ok(None),
        (user, Some(password)) => {
            let of_environment = || environment("VALKEYCLI_USER").filter(|_| !is_of_url);
            let user = user.or_else(|| of_environment().map(|user| user.to_string_lossy().into_owned()));
            Ok((user.is_some() || !password.is_empty()).then_some(Credentials { user, password }))
        }
    }
}

fn given_password(options: &ConnectionOptions) -> Outcome<Option<Vec<u8>>> {
    if let Some(password) = &options.pass {
        return Ok(Some(password.as_bytes().to_vec()));
    }
    if let Some(path) = &options.pass_file {
        return read_first_line(path).map(Some);
    }
    if let Some(command) = &options.password_command {
        return ask_command(command).map(Some);
    }
    if options.askpass {
        return askpass::ask("Password: ").map(Some);
    }
    Ok(None)
}

/// Takes the password from a profile's `password_command`. Neither is ever shown.
fn ask_command(command: &str) -> Outcome<Vec<u8>> {
    let failed = |reason: &str| Failure::failed(format!("password_command of the profile: {reason}"));
    // A shell that cannot parse a command repeats it: that is asked first, and unheard.
    let mut check = Command::new("sh");
    check.args(["-n", "-c", command]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if !check.status().map_err(|error| failed(&describe_io(&error)))?.success() {
        return Err(failed("the shell cannot parse it"));
    }
    // Standard input holds the commands for the server.
    let output = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(&describe_io(&error)))?;
    if let Some(signal) = signal::received() {
        return Err(Failure::quiet(Exit::Signal(signal)));
    }
    if !output.status.success() {
        // `exit status: 1`, or the signal that ended it.
        return Err(failed(&format!("it failed ({})", output.status)));
    }
    let line = output.stdout.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err(failed("the first line it wrote holds no password"));
    }
    Ok(line.to_vec())
}

/// The warnings for passwords on the command line, where others can see them: `typed` is nothing but that.
pub fn warnings_of_typed_passwords(typed: &ConnectionOptions) -> Vec<String> {
    let is_in_url = typed.url.as_ref().is_some_and(|url| describe_url(url, "-u").is_ok_and(|said| said.holds_secret));
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

fn read_first_line(path: &Path) -> Outcome<Vec<u8>> {
    let failed = |error: &io::Error| Failure::usage(format!("{}: {}", path.display(), describe_io(error)));
    let file = File::open(path).map_err(|error| failed(&error))?;
    let mut line = Vec::new();
    BufReader::new(file).read_until(b'\n', &mut line).map_err(|error| failed(&error))?;
    while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        line.pop();
    }
    Ok(line.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(line))
}
