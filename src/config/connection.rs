//! How a server is reached and who we are there: TLS, credentials, protocol, limits (contract section 1).

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::time::Duration;

use super::environment;
use super::place::parse_map;
use super::url::Place;
use crate::cli::{self, ConnectionOptions, SandboxKind};
use crate::config::password::Password;
use crate::exit::{Failure, Outcome};
use crate::net::{Address, ClusterUse, Credentials, Endpoint, Family, Hello, Protocol, Reach, TlsFiles, Verify};
use crate::report::notice;

/// Everything about a connection but what is to be fetched first: files, a password, the address of a sandbox.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The sandbox that is to be started; none to talk to a server that is there.
    pub sandbox: Option<SandboxKind>,
    /// The server, without TLS and credentials.
    pub endpoint: Endpoint,
    /// What TLS is to be made of; none to speak plain.
    pub tls: Option<TlsFiles>,
    /// Who we are; none for whoever a server takes everyone for.
    pub login: Option<Login>,
}

/// Who we are: what AUTH will send.
#[derive(Clone, Debug)]
pub struct Login {
    /// The ACL user; none for the default user.
    pub user: Option<String>,
    /// Where the password comes from.
    pub password: Password,
}

impl Connection {
    /// Decides from options that are settled. `default_protocol` is spoken where none is asked for.
    pub(super) fn decide(options: &ConnectionOptions, place: Place, default_protocol: Protocol) -> Outcome<Self> {
        Ok(Self {
            sandbox: options.sandbox,
            tls: decide_tls(options, &place)?,
            login: decide_login(options, &place)?,
            endpoint: decide_endpoint(options, place, default_protocol)?,
        })
    }
}

fn decide_endpoint(options: &ConnectionOptions, mut place: Place, default_protocol: Protocol) -> Outcome<Endpoint> {
    if let Address::Sentinel(sentinels) = &mut place.address {
        sentinels.credentials = decide_sentinel_credentials(options)?;
    } else if options.sentinel_user.is_some() || options.sentinel_pass.is_some() {
        return Err(Failure::usage("--sentinel-user and --sentinel-pass need --sentinel or a redis+sentinel URL"));
    }
    let protocol = match (options.resp2, options.resp3, place.protocol) {
        (true, ..) => Protocol::Resp2,
        (_, true, _) => Protocol::Resp3,
        (.., Some(protocol)) => protocol,
        _ => default_protocol,
    };
    let family = if options.ipv4 { Some(Family::V4) } else { options.ipv6.then_some(Family::V6) };
    let (connect_timeout, limits_first_answer) = connect_limit(options.connect_timeout);
    Ok(Endpoint {
        cluster: decide_cluster(options, &place)?,
        reach: Reach { family, map: parse_map(&options.map)? },
        wait: options.wait.unwrap_or_default(),
        read_only: options.read_only,
        read_from_replicas: options.read_from_replicas,
        db: options.db.or(place.db).unwrap_or(0),
        protocol,
        hello: Hello::new(options.resp3 || place.protocol == Some(Protocol::Resp3), notice),
        limits_first_answer,
        may_log_in: false,
        connect_timeout,
        read_timeout: options.read_timeout.filter(|limit| !limit.is_zero()),
        ..Endpoint::at(place.address)
    })
}

/// What `-t` says: the limit on connecting, and whether it holds for the first answer too.
pub(super) fn connect_limit(given: Option<Duration>) -> (Duration, bool) {
    let limit = match given {
        Some(Duration::ZERO) => Endpoint::NO_LIMIT,
        given => given.unwrap_or(Endpoint::DEFAULT_LIMIT),
    };
    (limit, given.is_some_and(|limit| !limit.is_zero()))
}

/// How a verb that is typed at the prompt uses the session's cluster.
pub(super) fn cluster_at_prompt(
    options: &ConnectionOptions,
    session: Option<ClusterUse>,
) -> Outcome<Option<ClusterUse>> {
    match (session, options.all_nodes) {
        (None, true) => Err(Failure::usage("--all-nodes goes with a cluster, and this is none")),
        (session, all_nodes) => Ok(session.map(|_| ClusterUse { all_nodes })),
    }
}

/// What `-c` and its companions say (contract section 11).
fn decide_cluster(options: &ConnectionOptions, place: &Place) -> Outcome<Option<ClusterUse>> {
    let is_of_sentinels = matches!(place.address, Address::Sentinel(_));
    if !options.means_cluster() {
        return match options {
            ConnectionOptions { all_nodes: true, .. } => Err(Failure::usage("--all-nodes needs -c")),
            ConnectionOptions { read_from_replicas: true, .. } if !is_of_sentinels => {
                Err(Failure::usage("--read-from-replicas needs -c, or --sentinel"))
            }
            _ => Ok(None),
        };
    }
    if is_of_sentinels {
        return Err(Failure::usage("sentinels watch no cluster: name one of its nodes with -h and -p"));
    }
    Ok(Some(ClusterUse { all_nodes: options.all_nodes }))
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

fn decide_tls(options: &ConnectionOptions, place: &Place) -> Outcome<Option<TlsFiles>> {
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
        (Some(cert), Some(key)) => Some((cert.clone(), key.clone())),
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
    Ok(Some(TlsFiles {
        cacert: options.cacert.clone(),
        cacertdir: options.cacertdir.clone(),
        identity,
        server_name: options.sni.clone(),
        verify,
    }))
}

fn decide_login(options: &ConnectionOptions, place: &Place) -> Outcome<Option<Login>> {
    // A sandbox is nobody's server: it has no password to be asked for.
    if options.sandbox.is_some() {
        return Ok(None);
    }
    let given = given_password(options);
    let is_of_url = given.is_none() && place.password.is_some();
    let of_environment = || ["REDISCLI_AUTH", "VALKEYCLI_AUTH"].into_iter().find_map(environment);
    let password = given
        .or_else(|| place.password.clone().map(Password::Known))
        .or_else(|| of_environment().map(|password| Password::Known(password.into_vec())));
    let user = options.user.clone().or_else(|| place.user.clone());
    match (user, password) {
        (Some(_), None) => {
            // redis-cli takes what stands alone before the @ for a password.
            let url = if options.user.is_none() { "; a URL has one alone as redis://:PASSWORD@HOST" } else { "" };
            let needs = "a user needs a password: --askpass, --pass-file, -a or REDISCLI_AUTH gives it";
            Err(Failure::usage(format!("{needs}{url}")))
        }
        (None, None) => Ok(None),
        (user, Some(password)) => {
            let of_environment = || environment("VALKEYCLI_USER").filter(|_| !is_of_url);
            let user = user.or_else(|| of_environment().map(|user| user.to_string_lossy().into_owned()));
            Ok(Some(Login { user, password }))
        }
    }
}

fn given_password(options: &ConnectionOptions) -> Option<Password> {
    let known = || options.pass.as_ref().map(|password| Password::Known(password.as_bytes().to_vec()));
    let file = || options.pass_file.clone().map(Password::File);
    let command = || options.password_command.clone().map(Password::Command);
    known().or_else(file).or_else(command).or_else(|| options.askpass.then_some(Password::Terminal))
}
