//! What must hold of URLs and of `config.toml`, whatever stands in them.
#![allow(clippy::panic, clippy::missing_panics_doc, reason = "a check ends by panicking")]

use std::cell::RefCell;
use std::path::PathBuf;

use redis::{ConnectionAddr, IntoConnectionInfo as _};

use super::profile::Profiles;
use super::url::{parse_url, without_password};
use crate::cli::OptionSet;
use crate::net::Address;

/// What no complaint may repeat.
const SECRET: &str = "s3cr3t";

/// A mode in which nobody else can read the file.
const PRIVATE: u32 = 0o600;

/// A URL, read as the redis crate reads it where that knows it.
pub fn url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // What stands between its parts is passed over, at its end too.
    let has_blanks = text.contains(|c: char| c.is_whitespace() || c.is_control());
    let place = match parse_url(text, "-u") {
        Ok(place) => place,
        Err(failure) => {
            let message = failure.into_message();
            // Unknown keys are told.
            assert!(!message.contains(SECRET) || text.contains('?'), "{text}: {message}");
            return;
        }
    };
    if has_blanks {
        return;
    }
    let Some(without) = without_password(text) else { panic!("{text}") };
    let Ok(bare) = parse_url(&without, "-u") else { panic!("{text} and {without}") };
    assert!(bare.password.is_none_or(|password| password.is_empty()), "{text} and {without}");
    assert_eq!((&bare.address, &bare.user, bare.db), (&place.address, &place.user, place.db), "{text}");
    let Ok(theirs) = text.into_connection_info() else { return };
    let address = match theirs.addr() {
        // It leaves what is encoded as it is.
        ConnectionAddr::Tcp(host, _) if host.contains('%') => return,
        ConnectionAddr::Tcp(host, port) => Address::Tcp(host.clone(), *port),
        ConnectionAddr::Unix(path) => Address::Unix(path.clone()),
        _ => return,
    };
    let settings = theirs.redis_settings();
    assert_eq!(place.address, address, "{text}");
    assert_eq!(place.user.as_deref(), settings.username(), "{text}");
    let password = place.password.as_deref().filter(|password| !password.is_empty());
    assert_eq!(password, settings.password().map(str::as_bytes).filter(|password| !password.is_empty()), "{text}");
}

/// A `config.toml`.
pub fn profiles(data: &[u8]) {
    thread_local!(static OPTIONS: RefCell<OptionSet> = RefCell::new(OptionSet::new()));
    let Ok(text) = std::str::from_utf8(data) else { return };
    let messages: Vec<String> =
        match Profiles::read(PathBuf::from("config.toml"), PathBuf::from("/home"), text, PRIVATE) {
            Err(failure) => vec![failure.into_message()],
            Ok(profiles) => OPTIONS.with_borrow_mut(|options| {
                let all = profiles.all(options).unwrap_or_default();
                all.into_iter().filter_map(Result::err).map(crate::exit::Failure::into_message).collect()
            }),
        };
    for message in messages {
        assert!(message.starts_with("config.toml:") && !message.contains('\n'), "{message}");
    }
}
