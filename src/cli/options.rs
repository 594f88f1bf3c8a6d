//! The global options: where the server is, how replies look, and what holds for every subcommand.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum, ValueHint};

/// Where the server is and who we are (contract section 1).
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Connection")]
pub struct ConnectionOptions {
    /// Server host name or address; as the last word: help [default: 127.0.0.1] [env: VALKEYCLI_HOST]
    #[arg(short = 'h', long, value_name = "HOST", value_hint = ValueHint::Hostname)]
    pub host: Option<String>,
    /// Server port [default: 6379] [env: VALKEYCLI_PORT]
    #[arg(short, long, value_name = "PORT", allow_negative_numbers = true)]
    pub port: Option<u16>,
    /// Unix socket of the server
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub socket: Option<PathBuf>,
    /// Server URL: redis, rediss, valkey, valkeys, unix, as in redis://user:pass@host:port/db,
    /// unix://user:pass@/path?db=N or redis+sentinel://host:port,host:port/master/db [env: RCLI_URL, REDIS_URL]
    #[arg(short, long, value_name = "URL", value_hint = ValueHint::Url)]
    pub url: Option<String>,
    /// Sentinels to ask where the primary is, at every connect
    #[arg(long, value_name = "HOST:PORT,...", value_delimiter = ',', value_hint = ValueHint::Hostname,
        action = ArgAction::Set, num_args = 1,
        conflicts_with_all = ["host", "port", "socket", "url"])]
    pub sentinel: Vec<String>,
    /// Name that the sentinels know the primary by
    #[arg(long, value_name = "NAME", conflicts_with_all = ["host", "port", "socket", "url"])]
    pub master: Option<String>,
    /// ACL user name for the sentinels
    #[arg(long, value_name = "NAME")]
    pub sentinel_user: Option<String>,
    /// Password of the sentinels; seen by other users of this machine [env: RCLI_SENTINEL_AUTH]
    #[arg(long, value_name = "PASSWORD")]
    pub sentinel_pass: Option<OsString>,
    /// Database number [default: 0]
    #[arg(short = 'n', long = "db", value_name = "N", allow_negative_numbers = true)]
    pub db: Option<u32>,
    /// Password; seen by other users of this machine [env: REDISCLI_AUTH, VALKEYCLI_AUTH]
    #[arg(short = 'a', long, value_name = "PASSWORD",
        overrides_with_all = ["pass_file", "password_command", "askpass"])]
    pub pass: Option<OsString>,
    /// ACL user name [env: VALKEYCLI_USER]
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Read the password from the first line of a file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath,
        overrides_with_all = ["pass", "password_command", "askpass"])]
    pub pass_file: Option<PathBuf>,
    /// Take the password from the first line that a shell command writes: a profile's `password_command`
    #[arg(long = "password_command", hide = true, value_name = "COMMAND",
        overrides_with_all = ["pass", "pass_file", "askpass"])]
    pub password_command: Option<String>,
    /// Ask for the password on the terminal
    #[arg(long, overrides_with_all = ["pass", "pass_file", "password_command"])]
    pub askpass: bool,
    /// No warning about a password that -a or -u gives
    #[arg(long)]
    pub no_auth_warning: bool,
    /// Speak RESP2
    #[arg(short = '2', overrides_with = "resp3")]
    pub resp2: bool,
    /// Speak RESP3, or RESP2 where the server cannot [default, but for raw output]
    #[arg(short = '3', overrides_with = "resp2")]
    pub resp3: bool,
    /// Limit on connecting, and on the first answer where it is given, in seconds; 0: none [default: 5]
    #[arg(short = 't', long, value_name = "SECS", allow_negative_numbers = true, value_parser = parse_seconds)]
    pub connect_timeout: Option<std::time::Duration>,
    /// Keep trying for so long, in seconds, while nobody listens, a name does not resolve, a cluster is down or the
    /// server is loading its data [default: 0]
    #[arg(long, value_name = "SECS", allow_negative_numbers = true, value_parser = parse_seconds)]
    pub wait: Option<std::time::Duration>,
    /// Only IPv4 addresses
    #[arg(short = '4', overrides_with = "ipv6")]
    pub ipv4: bool,
    /// Only IPv6 addresses
    #[arg(short = '6', overrides_with = "ipv4")]
    pub ipv6: bool,
    /// Limit on the silence while an answer is waited for, in seconds [default: none]
    #[arg(long, value_name = "SECS", allow_negative_numbers = true, value_parser = parse_seconds)]
    pub read_timeout: Option<std::time::Duration>,
    /// Connect with TLS; the TLS options below imply it
    #[arg(long)]
    pub tls: bool,
    /// Authorities to trust, or the server's own certificate, PEM [default: the system's]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub cacert: Option<PathBuf>,
    /// The same: every PEM file of a directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub cacertdir: Option<PathBuf>,
    /// Client certificate, PEM
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub cert: Option<PathBuf>,
    /// Key of the client certificate, PEM
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub key: Option<PathBuf>,
    /// Host name to ask for, and to check the certificate against
    #[arg(long, value_name = "NAME")]
    pub sni: Option<String>,
    /// What of the server's certificate is checked [default: full]
    #[arg(long, value_name = "WHAT", overrides_with = "insecure")]
    pub verify: Option<Verify>,
    /// The same as --verify none
    #[arg(long, overrides_with = "verify")]
    pub insecure: bool,
    /// The server is a node of a cluster: go to the node that owns a key
    #[arg(short, long)]
    pub cluster: bool,
    /// With -c or --sentinel: send reads to replicas, whose data may be a moment old
    #[arg(long)]
    pub read_from_replicas: bool,
    /// Where an address that a cluster or a sentinel announces is reached from here; may be repeated
    #[arg(long, value_name = "HOST:PORT=HOST:PORT", value_delimiter = ',')]
    pub map: Vec<String>,
    /// Run only commands that read; all others are refused before anything is sent
    #[arg(long)]
    pub read_only: bool,
    /// With -c: run one command without keys on every primary
    #[arg(long)]
    pub all_nodes: bool,
    /// Run against a throw-away local server, or a cluster of three, whatever else says where and as whom
    #[arg(
        long,
        value_name = "KIND",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "server"
    )]
    pub sandbox: Option<SandboxKind>,
    /// The names of the options that were typed, in their order: of the words that say the same of a server the last
    /// one counts.
    #[arg(skip)]
    pub order: Vec<String>,
}

impl ConnectionOptions {
    /// The same without what is said of one server: where it is, and who we are there.
    pub fn without_server(&self) -> Self {
        Self {
            host: None,
            port: None,
            socket: None,
            url: None,
            sentinel: Vec::new(),
            master: None,
            sentinel_user: None,
            sentinel_pass: None,
            pass: None,
            user: None,
            pass_file: None,
            password_command: None,
            askpass: false,
            order: Vec::new(),
            ..self.clone()
        }
    }

    /// Whether the server is a cluster: told to be one, or the sandbox of that kind.
    pub fn means_cluster(&self) -> bool {
        self.cluster || self.sandbox == Some(SandboxKind::Cluster)
    }
}

/// How replies look (contract section 2).
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct OutputOptions {
    /// One line of JSON a reply [env: RCLI_FORMAT=json]
    #[arg(long, overrides_with_all = ["raw", "human", "csv"])]
    pub json: bool,
    /// Bytes as they are, one element a line [default when stdout is not a terminal]
    #[arg(long, overrides_with_all = ["json", "human", "csv", "quoted_json"])]
    pub raw: bool,
    /// Typed text [default on a terminal]
    #[arg(long, alias = "no-raw", overrides_with_all = ["json", "raw", "csv", "quoted_json"])]
    pub human: bool,
    /// redis-cli's CSV: one line a reply, strings in quotes, everything flat
    #[arg(long, overrides_with_all = ["json", "raw", "human", "quoted_json"])]
    pub csv: bool,
    /// Raw: between the elements of a reply [default: newline]
    #[arg(short = 'd', value_name = "STR")]
    pub element_delimiter: Option<OsString>,
    /// Raw: after a reply [default: newline]
    #[arg(short = 'D', value_name = "STR")]
    pub reply_delimiter: Option<OsString>,
    /// JSON whose strings have redis-cli's \xNN in them where they are not plain ASCII
    #[arg(long, overrides_with_all = ["raw", "human", "csv"])]
    pub quoted_json: bool,
    /// JSON: INFO, CLIENT LIST, CLIENT INFO, CLUSTER INFO and CLUSTER NODES as objects, or as the text they are
    /// [default: parsed]
    #[arg(long, value_name = "FORM")]
    pub reports: Option<ReportsForm>,
    /// JSON: how bulk strings are written [default: utf8]
    #[arg(long, value_name = "ENCODING")]
    pub encoding: Option<Encoding>,
    /// Write out-of-band pushes as {"push":[...]} lines, when they come [default: no; without a value: yes]
    #[arg(long, value_name = "yes|no", num_args = 0..=1, require_equals = true, default_missing_value = "yes",
        hide_possible_values = true, ignore_case = true)]
    pub show_pushes: Option<YesNo>,
    /// When to use colours [default: auto]
    #[arg(long, value_name = "WHEN")]
    pub color: Option<When>,
}

impl OutputOptions {
    pub fn names_format(&self) -> bool {
        self.json || self.quoted_json || self.raw || self.human || self.csv
    }
}

/// Profile, help and version.
#[derive(Args, Clone, Debug, Default)]
pub struct GeneralOptions {
    /// Use the options of [profile.NAME] in ~/.config/rcli/config.toml [env: RCLI_PROFILE]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Print help
    #[arg(short = '?', long, action = ArgAction::Help)]
    pub help: Option<bool>,
    /// Print the version
    #[arg(short = 'v', long, action = ArgAction::Version)]
    pub version: Option<bool>,
}

/// The REPL's own (contract section 10).
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "REPL")]
pub struct ReplOptions {
    /// Run FLUSHALL, SHUTDOWN, KEYS and what else destroys, stops or blocks a server without asking
    #[arg(long)]
    pub yes: bool,
}

/// `--sandbox`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SandboxKind {
    /// One server
    Server,
    /// Three primaries that share the slots; implies -c
    Cluster,
}

/// `--verify`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Verify {
    /// Who signed it, its dates, and the host name
    Full,
    /// Who signed it and its dates
    Ca,
    /// Nothing
    None,
}

/// `--show-pushes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum YesNo {
    /// They are written
    #[value(alias = "y")]
    Yes,
    /// They are dropped
    #[value(alias = "n")]
    No,
}

/// `--reports`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportsForm {
    /// Objects
    Parsed,
    /// The string that the server sends
    Text,
}

/// `--encoding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Encoding {
    /// Text; what is not UTF-8 as {"base64":"..."}
    Utf8,
    /// Every bulk string as {"base64":"..."}
    Base64,
}

/// `--color` and `--progress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal
    Auto,
    /// In any case
    Always,
    /// Not at all
    Never,
}

/// A limit that no clock overflows: 31 years.
const LONGEST_SECONDS: f64 = 1e9;

/// Reads a number of seconds.
pub(super) fn parse_seconds(text: &str) -> Result<std::time::Duration, String> {
    let wanted = || "a number of seconds is expected, 0 or more".to_owned();
    let seconds: f64 = text.parse().map_err(|_| wanted())?;
    if seconds > LONGEST_SECONDS {
        return Err(format!("more than {LONGEST_SECONDS} seconds"));
    }
    std::time::Duration::try_from_secs_f64(seconds).map_err(|_| wanted())
}
