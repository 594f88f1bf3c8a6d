//! URLs of servers and of sentinels (contract sections 1 and 12). Complaints never repeat one: it may hold a password.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::Url;

use super::{DEFAULT_HOST, DEFAULT_PORT, parse_sentinel};
use crate::exit::{Failure, Outcome};
use crate::server::{Address, Protocol, Sentinels};

/// What a URL, or the options in its stead, say of the server.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) address: Address,
    pub(super) is_tls: bool,
    pub(super) is_insecure: bool,
    pub(super) db: Option<u32>,
    pub(super) protocol: Option<Protocol>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Vec<u8>>,
}

impl Place {
    /// A server that nothing else is said of.
    pub(super) fn at(address: Address) -> Self {
        Self { address, is_tls: false, is_insecure: false, db: None, protocol: None, user: None, password: None }
    }
}

/// What a URL says beside where the server is, and the URL as it may be shown.
#[derive(Debug)]
pub struct Said {
    /// A database.
    pub has_db: bool,
    /// A version of RESP.
    pub has_protocol: bool,
    /// A user or a password.
    pub has_credentials: bool,
    /// A password.
    pub has_password: bool,
    /// The URL without its password.
    pub without_password: String,
}

/// Tells what a URL from `source` says.
pub fn describe_url(text: &str, source: &str) -> Outcome<Said> {
    let place = parse_url(text, source)?;
    Ok(Said {
        has_db: place.db.is_some(),
        has_protocol: place.protocol.is_some(),
        has_credentials: place.user.is_some() || place.password.is_some(),
        has_password: place.password.is_some(),
        without_password: without_password(text),
    })
}

/// A URL that can be read, without the password after its user and without that of a unix socket's query.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return String::new() };
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = match authority.rsplit_once('@') {
        Some((user, hosts)) => match user.split(':').next() {
            Some("") | None => hosts.to_owned(),
            Some(user) => format!("{user}@{hosts}"),
        },
        None => authority.to_owned(),
    };
    let kept: Vec<&str> =
        query.iter().flat_map(|query| query.split('&')).filter(|pair| !pair.starts_with("pass=")).collect();
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    format!("{scheme}://{authority}{path}{query}")
}

/// Reads a URL that came from `source`, an option or a variable.
pub(super) fn parse_url(text: &str, source: &str) -> Outcome<Place> {
    let bad = |reason: &str| Failure::usage(format!("{source}: {reason}"));
    // The crate knows no list of hosts: one host stands for it.
    let (single, sentinels) = take_sentinels(text).map_err(|reason| bad(&reason))?;
    let url = Url::parse(&single).map_err(|error| bad(&format!("bad URL: {error}")))?;
    let mut place = match url.scheme() {
        "redis+sentinel" | "valkey+sentinel" | "rediss+sentinel" | "valkeys+sentinel" => {
            sentinel_place(&url, sentinels).map_err(|reason| bad(&reason))?
        }
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
                "unknown URL scheme '{other}': redis, rediss, valkey, valkeys, unix or redis+sentinel is expected"
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
    let path = url.path().trim_matches('/');
    if !path.is_empty() {
        place.db = Some(parse_db(path)?);
    }
    read_scheme_and_user(url, &mut place);
    Ok(place)
}

const SENTINEL_FORM: &str = "a sentinel URL is redis+sentinel://HOST:PORT,HOST:PORT/MASTER/DB";

/// Takes the list of hosts out of a sentinel URL and leaves one in its place; any other URL stays as it is.
fn take_sentinels(text: &str) -> Result<(String, Vec<Address>), String> {
    let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| scheme.ends_with("+sentinel")) else {
        return Ok((text.to_owned(), Vec::new()));
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, hosts) = authority.rsplit_once('@').map_or(("", authority), |(user, hosts)| (user, hosts));
    // A password with a slash in it is cut there, and its begin would be taken for a host.
    let sentinels = hosts.split(',').map(parse_sentinel).collect::<Option<Vec<_>>>().ok_or(SENTINEL_FORM)?;
    Ok((format!("{scheme}://{user}@sentinels{path}"), sentinels))
}

fn sentinel_place(url: &Url, sentinels: Vec<Address>) -> Result<Place, String> {
    let mut parts = url.path().trim_matches('/').split('/');
    let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    let master = parts.next().map(decode).filter(|master| !master.is_empty()).ok_or(SENTINEL_FORM)?;
    let mut place = Place::at(Address::Sentinel(Sentinels::new(sentinels, master)));
    place.db = parts.next().map(parse_db).transpose()?;
    if parts.next().is_some() {
        return Err(SENTINEL_FORM.to_owned());
    }
    read_scheme_and_user(url, &mut place);
    Ok(place)
}

fn read_scheme_and_user(url: &Url, place: &mut Place) {
    place.is_tls = url.scheme().starts_with("rediss") || url.scheme().starts_with("valkeys");
    if !url.username().is_empty() {
        place.user = Some(percent_decode_str(url.username()).decode_utf8_lossy().into_owned());
    }
    place.password = url.password().map(|password| percent_decode_str(password).collect());
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
