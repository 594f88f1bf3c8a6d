//! The parts of a server that several options say: where it is, the database, who we are, the version of RESP. Of the
//! words that say the same part the last one counts; what a URL does not say it does not change (contract section 1).

use super::url::{Place, parse_url};
use crate::cli::ConnectionOptions;
use crate::exit::Outcome;
use crate::net::Address;

/// Options that give a password.
const PASSWORDS: [&str; 4] = ["pass", "pass_file", "password_command", "askpass"];

/// Leaves out what later words have set aside. What is left of the options beside a URL stands above it.
pub(super) fn settle(options: &ConnectionOptions) -> Outcome<ConnectionOptions> {
    if options.sandbox.is_some() {
        return Ok(options.without_server());
    }
    let mut settled = options.clone();
    if let Some(url) = &options.url {
        set_aside_by_url(&mut settled, &parse_url(url, "-u")?);
    }
    set_aside_by_address(&mut settled);
    Ok(settled)
}

/// When the last of these words stood; none if none did, and then nothing is later.
fn last(options: &ConnectionOptions, names: &[&str]) -> Option<usize> {
    options.order.iter().rposition(|typed| names.contains(&typed.as_str()))
}

/// What the URL says behind other words.
fn set_aside_by_url(options: &mut ConnectionOptions, said: &Place) {
    let url = last(options, &["url"]);
    let is_earlier = |options: &ConnectionOptions, names: &[&str]| last(options, names) < url;
    if said.says_host && is_earlier(options, &["host"]) {
        options.host = None;
    }
    if said.says_port && is_earlier(options, &["port"]) {
        options.port = None;
    }
    if is_earlier(options, &["socket"]) {
        options.socket = None;
    }
    if matches!(said.address, Address::Sentinel(_)) && last(options, &["host", "port", "socket"]) > url {
        (options.sentinel_user, options.sentinel_pass) = (None, None);
    }
    if said.db.is_some() && is_earlier(options, &["db"]) {
        options.db = None;
    }
    if said.user.is_some() && is_earlier(options, &["user"]) {
        options.user = None;
    }
    if said.password.is_some() && is_earlier(options, &PASSWORDS) {
        (options.pass, options.pass_file, options.password_command, options.askpass) = (None, None, None, false);
    }
    if said.protocol.is_some() && is_earlier(options, &["resp2", "resp3"]) {
        (options.resp2, options.resp3) = (false, false);
    }
    if said.is_insecure && is_earlier(options, &["verify"]) {
        options.verify = None;
    }
}

/// A host and port, or a socket, whichever is said last.
fn set_aside_by_address(options: &mut ConnectionOptions) {
    let (tcp, unix) = (last(options, &["host", "port"]), last(options, &["socket"]));
    if unix < tcp {
        options.socket = None;
    } else if options.socket.is_some() {
        (options.host, options.port) = (None, None);
    }
}
