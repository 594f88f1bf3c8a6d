//! Where the server is: options, the environment, and addresses as they are typed (contract sections 1 and 12).

use std::net::Ipv6Addr;
use std::sync::Arc;

use super::environment;
use super::url::{Place, VARIABLES, parse_url};
use crate::cli::ConnectionOptions;
use crate::exit::{Failure, Outcome};
use crate::net::{Address, ClusterUse, HostPort, Sentinels};

pub(super) const DEFAULT_HOST: &str = "127.0.0.1";
pub(super) const DEFAULT_PORT: u16 = 6379;
const DEFAULT_SENTINEL_PORT: u16 = 26379;

/// Decides where the server is, from options that are settled and the environment.
pub(super) fn decide_place(options: &ConnectionOptions) -> Outcome<Place> {
    if options.sandbox.is_some() {
        return Ok(Place::default());
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
        refuse_port(&host)?;
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
        return parse_url(&url, name);
    }
    let text = |name| environment(name).map(|value| value.to_string_lossy().into_owned());
    let (host, port) = (text("VALKEYCLI_HOST"), text("VALKEYCLI_PORT").filter(|_| options.port.is_none()));
    for (name, value) in [("VALKEYCLI_HOST", &host), ("VALKEYCLI_PORT", &port)] {
        refuse_url(name, value.as_deref().unwrap_or_default())?;
    }
    let port = match port {
        Some(port) => port.parse().map_err(|_| Failure::usage(format!("VALKEYCLI_PORT={port}: a port is expected")))?,
        None => DEFAULT_PORT,
    };
    let host = host.map_or(DEFAULT_HOST.to_owned(), |host| without_brackets(&host));
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
    let is_free = matches!(option, "-s" | "socket" | "--profile");
    if text.contains("://") || !is_free && (text.contains(['@', '/']) || text.contains("%40")) {
        return Err(Failure::usage(format!("{option}: a URL, or a user and a password, go with -u")));
    }
    Ok(())
}

/// A port stands in a word of its own. More than one colon is an IPv6 address, but for brackets.
fn refuse_port(host: &str) -> Outcome<()> {
    match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() && (!name.contains(':') || name.ends_with(']')) => {
            Err(Failure::usage(format!("-h {host}: a port goes with -p: -h {name} -p {port}")))
        }
        _ => Ok(()),
    }
}

pub(super) fn parse_sentinel(text: &str) -> Option<Address> {
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

/// What the `--map`s say: where announced addresses are reached.
pub(super) fn parse_map(given: &[String]) -> Outcome<Arc<[(HostPort, HostPort)]>> {
    let read = |text: &String| {
        refuse_url("--map", text)?;
        let (from, to) = text.split_once('=').unwrap_or((text, ""));
        parse_host_port(from)
            .zip(parse_host_port(to))
            .ok_or_else(|| Failure::usage(format!("--map {text}: HOST:PORT=HOST:PORT is expected")))
    };
    given.iter().map(read).collect()
}

/// Reads `HOST:PORT` or `[IPV6]:PORT`; none if it is neither.
fn parse_host_port(text: &str) -> Option<HostPort> {
    match parse_address(text, 0)? {
        Address::Tcp(host, port) if port != 0 => Some((host, port)),
        _ => None,
    }
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
