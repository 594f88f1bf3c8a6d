//! URLs of servers and of sentinels (contract sections 1 and 12). Complaints repeat nothing that stands behind the
//! scheme: a password may be anywhere in a URL that cannot be read.
//!
//! The redis crate reads URLs too, and is the reference below. It does not tell what a URL left unsaid, which other
//! words then decide; knows no sentinels, zones or URLs without a host; passes over `db` and unknown keys in silence; and
//! refuses TLS, which is ours, and passwords that are not UTF-8.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::Url;

use super::place::{DEFAULT_HOST, DEFAULT_PORT, parse_sentinel};
use crate::exit::{Failure, Outcome};
use crate::net::{Address, Protocol, Sentinels};

/// What a URL, or the options in its stead, say of the server.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) address: Address,
    /// Whether a URL says the host, or all of the address.
    pub(super) says_host: bool,
    /// Whether a URL says the port, or all of the address.
    pub(super) says_port: bool,
    pub(super) is_tls: bool,
    pub(super) is_insecure: bool,
    pub(super) db: Option<u32>,
    pub(super) protocol: Option<Protocol>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Vec<u8>>,
    /// Query keys of a URL that say nothing here.
    unknown_keys: Vec<String>,
    pub(super) warning: Option<String>,
}

/// Where servers are that nobody has named.
impl Default for Place {
    fn default() -> Self {
        Self::at(Address::Tcp(DEFAULT_HOST.to_owned(), DEFAULT_PORT))
    }
}

impl Place {
    /// A server that nothing else is said of.
    pub(super) fn at(address: Address) -> Self {
        Self {
            address,
            says_host: true,
            says_port: true,
            is_tls: false,
            is_insecure: false,
            db: None,
            protocol: None,
            user: None,
            password: None,
            unknown_keys: Vec::new(),
            warning: None,
        }
    }
}

/// The variables that hold the URL of a server, the first one first.
pub(super) const VARIABLES: [&str; 2] = ["RCLI_URL", "REDIS_URL"];

/// Whether a URL can be read and holds a password that is not empty.
pub(super) fn holds_secret(text: &str) -> bool {
    let place = read_url(text);
    place.is_ok_and(|place| place.unknown_keys.is_empty() && place.password.is_some_and(|it| !it.is_empty()))
}

/// A URL without the password after its user and without that of a unix socket's query; none if it cannot be read.
pub fn without_password(text: &str) -> Option<String> {
    parse_url(text, "url").ok()?;
    let (scheme, rest) = text.split_once("://")?;
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
        query.iter().flat_map(|query| query.split('&')).filter(|pair| !holds_password(pair)).collect();
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    Some(format!("{scheme}://{authority}{path}{query}"))
}

/// The keys that hold the password of a unix socket: ours, and redis-py's.
const SECRET_KEYS: [&str; 2] = ["pass", "password"];

fn holds_password(pair: &str) -> bool {
    let key = percent_decode_str(pair.split('=').next().unwrap_or(pair)).decode_utf8_lossy();
    SECRET_KEYS.contains(&key.as_ref())
}

/// What may be wrong with a URL whose password cuts it in pieces.
const UNENCODED: &str =
    "an @ stands behind the host; in a user, a password or a name write %2F for /, %23 for #, %3F for ?, %40 for @";

/// Reads a URL that came from `source`, an option or a variable. One in the environment may be meant for others too,
/// who know more keys: that is a warning.
pub(super) fn parse_url(text: &str, source: &str) -> Outcome<Place> {
    let place = read_url(text).map_err(|reason| Failure::usage(format!("{source}: {reason}")))?;
    if place.unknown_keys.is_empty() {
        return Ok(place);
    }
    let keys = place.unknown_keys.join("', '");
    let reason = format!("{source}: unknown URL key '{keys}': db and protocol are known, and user and pass for unix");
    if VARIABLES.contains(&source) {
        Ok(Place { warning: Some(format!("warning: {reason}")), ..place })
    } else {
        Err(Failure::usage(reason))
    }
}

fn read_url(text: &str) -> Result<Place, String> {
    // A `://` behind the first colon is a part of something else.
    let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| !scheme.contains(':')) else {
        return Err("no URL: redis://user:password@host:port/db is one".to_owned());
    };
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let is_unix = scheme.ends_with("unix");
    // The path of a socket may hold anything.
    if !is_unix && tail.contains('@') {
        return Err(UNENCODED.to_owned());
    }
    let (user, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    // `Url` knows neither lists of hosts nor zones, and takes no user without a host.
    let ((host, zone), sentinels) = if scheme.ends_with("+sentinel") {
        (("sentinels".to_owned(), String::new()), parse_sentinels(hosts)?)
    } else if is_unix && authority.ends_with('@') {
        (("socket".to_owned(), String::new()), Vec::new())
    } else {
        (split_zone(hosts), Vec::new())
    };
    let url = Url::parse(&format!("{scheme}://{user}{host}{tail}")).map_err(|error| format!("bad URL: {error}"))?;
    let mut place = match url.scheme() {
        "redis+sentinel" | "valkey+sentinel" | "rediss+sentinel" | "valkeys+sentinel" => {
            sentinel_place(&url, sentinels)?
        }
        "redis" | "valkey" | "rediss" | "valkeys" => tcp_place(&url, &zone)?,
        "unix" | "redis+unix" | "valkey+unix" => {
            let path = percent_decode_str(url.path()).collect::<Vec<u8>>();
            if path.is_empty() || !hosts.is_empty() {
                return Err("a unix URL is unix:///path/of/the/socket or unix://user:password@/path".to_owned());
            }
            let mut place = Place::at(Address::Unix(PathBuf::from(OsString::from_vec(path))));
            read_scheme_and_user(&url, &mut place);
            place
        }
        other => {
            return Err(format!(
                "unknown URL scheme '{other}': redis, rediss, valkey, valkeys, unix or redis+sentinel is expected"
            ));
        }
    };
    // A password that is empty: `Url` does not tell it from none.
    if place.user.is_some() && place.password.is_none() && user.ends_with(":@") {
        place.password = Some(Vec::new());
    }
    read_query(&url, &mut place)?;
    match url.fragment() {
        None | Some("") => {}
        Some("insecure") if place.is_tls => place.is_insecure = true,
        Some(_) => {
            return Err(
                "unknown URL fragment: only #insecure is known, with rediss and valkeys; in a password write %23 for #"
                    .to_owned(),
            );
        }
    }
    Ok(place)
}

/// Takes the zone of an IPv6 address, with its `%`, out of a host and port: `Url` knows none. It is written `%25eth0`, or as
/// everywhere else `%eth0`.
fn split_zone(host: &str) -> (String, String) {
    if let Some((inside, port)) = host.split_once(']')
        && inside.starts_with('[')
        && let Some((address, zone)) = inside.split_once('%')
    {
        return (format!("{address}]{port}"), format!("%{}", zone.strip_prefix("25").unwrap_or(zone)));
    }
    (host.to_owned(), String::new())
}

fn tcp_place(url: &Url, zone: &str) -> Result<Place, String> {
    let host = match url.host() {
        Some(url::Host::Ipv6(address)) => format!("{address}{zone}"),
        Some(host) => percent_decode_str(&host.to_string()).decode_utf8_lossy().into_owned(),
        None => DEFAULT_HOST.to_owned(),
    };
    // `%40` in place of the @ that ends a password.
    if host.contains(['@', '/']) {
        return Err("no host has an @ or a / in its name: the @ before the host is written as it is".to_owned());
    }
    let says_host = url.host().is_some() && !host.is_empty();
    let host = if host.is_empty() { DEFAULT_HOST.to_owned() } else { host };
    let mut place = Place::at(Address::Tcp(host, url.port().unwrap_or(DEFAULT_PORT)));
    (place.says_host, place.says_port) = (says_host, url.port().is_some());
    let path = url.path().trim_matches('/');
    if !path.is_empty() {
        place.db = Some(parse_db(path)?);
    }
    read_scheme_and_user(url, &mut place);
    Ok(place)
}

const SENTINEL_FORM: &str = "a sentinel URL is redis+sentinel://HOST:PORT,HOST:PORT/MASTER/DB";

fn parse_sentinels(hosts: &str) -> Result<Vec<Address>, String> {
    let sentinels = hosts.split(',').map(|host| parse_sentinel(&host.replace("%25", "%")));
    sentinels.collect::<Option<_>>().ok_or_else(|| SENTINEL_FORM.to_owned())
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
    text.parse().map_err(|_| "what stands for the database is no number".to_owned())
}

/// The query keys that the redis crate knows; any other is an error (contract section 1).
fn read_query(url: &Url, place: &mut Place) -> Result<(), String> {
    let is_unix = matches!(place.address, Address::Unix(_));
    let mut is_behind_pass = false;
    for (key, value) in url.query_pairs() {
        match key.as_ref() {
            "db" => place.db = Some(parse_db(&value)?),
            "protocol" => {
                place.protocol = Some(match value.as_ref() {
                    "2" | "resp2" => Protocol::Resp2,
                    "3" | "resp3" => Protocol::Resp3,
                    _ => return Err("protocol is 2 or 3".to_owned()),
                });
            }
            "user" | "username" if is_unix => place.user = Some(value.into_owned()),
            key if is_unix && SECRET_KEYS.contains(&key) => {
                place.password = Some(value.into_owned().into_bytes());
                is_behind_pass = true;
            }
            // The password of a socket may have ended at an & of its own.
            _ if is_behind_pass => {
                return Err("unknown URL key behind pass; in a password write %26 for &".to_owned());
            }
            other => place.unknown_keys.push(other.to_owned()),
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends by panicking")]
mod tests {
    use redis::{ConnectionAddr, IntoConnectionInfo as _, ProtocolVersion};

    use super::*;

    #[test]
    fn what_has_no_scheme_in_front_is_no_url() {
        for text in ["redis+unix:/x://u:p@h", "unix:/run/s", "h:7000"] {
            assert!(read_url(text).unwrap_err().starts_with("no URL"), "{text}");
        }
    }

    #[test]
    fn a_url_means_what_the_redis_crate_takes_it_for() {
        for url in [
            "redis://h",
            "redis://h/",
            "redis://h:7000/3",
            "valkey://u@h",
            "redis://u:p@h:1/2",
            "redis://:p@h",
            "redis://:p%40%2F%23%3F%25@h",
            "redis://%C3%BC:%C3%9F@H.example",
            "redis://127.0.0.1:6380",
            "redis://[2001:db8::1]:7001/1",
            "redis://h?protocol=3",
            "valkey://h/4?protocol=resp2",
            "unix:///run/redis.sock",
            "redis+unix:///run/a%20b.sock?db=2&user=u&pass=p%26q&protocol=resp3",
            "valkey+unix:///s?pass=p",
        ] {
            let (ours, theirs) = (read_url(url).unwrap(), url.into_connection_info().unwrap());
            let settings = theirs.redis_settings();
            let address = match theirs.addr() {
                ConnectionAddr::Tcp(host, port) => Address::Tcp(host.clone(), *port),
                ConnectionAddr::Unix(path) => Address::Unix(path.clone()),
                other => Address::Tcp(other.to_string(), 0),
            };
            assert_eq!(ours.address, address, "{url}");
            assert_eq!(i64::from(ours.db.unwrap_or(0)), settings.db(), "{url}");
            assert_eq!(ours.user.as_deref(), settings.username(), "{url}");
            assert_eq!(ours.password.as_deref(), settings.password().map(str::as_bytes), "{url}");
            let is_resp3 = settings.protocol() == ProtocolVersion::RESP3;
            assert_eq!(ours.protocol == Some(Protocol::Resp3), is_resp3, "{url}");
        }
    }
}
