//! What went wrong with TLS, in words, with the option that helps (contract section 1).

use std::fmt::Debug;
use std::io;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

use super::certificate::show_time;
use super::verifier::Unfit;
use crate::text::describe_io;

/// Whether one of the two sides would not go on, and would not the next time either.
pub(in crate::net) fn is_refusal(error: &io::Error) -> bool {
    tls_error(error).is_some()
}

/// An error of a connection in words.
pub(in crate::net) fn describe(error: &io::Error) -> String {
    tls_error(error).map_or_else(|| describe_io(error), of)
}

/// The error of TLS that an error of a connection is.
pub(super) fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// An error of TLS in words.
pub(super) fn of(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(why) => about_certificate(why),
        Error::AlertReceived(alert) => about_alert(*alert),
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => OLD_TLS.to_owned(),
        Error::PeerIncompatible(why) => format!("the server's TLS is not that of rcli ({})", plain(why)),
        Error::PeerMisbehaved(why) => format!("the server does not keep to the rules of TLS ({})", plain(why)),
        Error::InvalidMessage(why) => format!("what the server sent is no TLS ({})", plain(why)),
        Error::NoCertificatesPresented => "the server shows no certificate".to_owned(),
        error => format!("TLS: {}", plain(error)),
    }
}

const OLD_TLS: &str = "the server has neither TLS 1.2 nor TLS 1.3";

fn about_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "no trusted authority has signed its certificate; give the authority's, or the server's own, with --cacert"
                .to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => about_name(expected, presented),
        CertificateError::ExpiredContext { time, not_after } => format!(
            "its certificate, or one that signed it, expired on {}, and it is {} now; --verify none takes any",
            show_time(*not_after),
            show_time(*time)
        ),
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "its certificate, or one that signed it, is not valid before {}, and it is {} now; --verify none takes any",
            show_time(*not_before),
            show_time(*time)
        ),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its certificate is made for another purpose than a server's; --verify none takes any".to_owned()
        }
        CertificateError::Other(why) => match why.0.downcast_ref::<Unfit>() {
            Some(unfit) => unfit.to_string(),
            None => about_other(&why.0),
        },
        error => about_other(error),
    }
}

fn about_other(error: &impl Debug) -> String {
    format!("its certificate cannot be checked ({}); --verify none takes any", plain(error))
}

fn about_name(expected: &ServerName<'_>, presented: &[String]) -> String {
    if presented.is_empty() {
        return "its certificate names no host; --verify ca checks no name".to_owned();
    }
    let (named, expected) = (presented.join(", "), expected.to_str());
    format!("its certificate names {named}, not {expected}; --verify ca checks no name, --sni gives the one to check")
}

fn about_alert(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            "the server wants a certificate of its clients: --cert and --key give it".to_owned()
        }
        AlertDescription::HandshakeFailure => "the server ended the handshake: it wants a certificate of its clients \
                                               (--cert and --key), or shares no cipher or kind of key with rcli"
            .to_owned(),
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied => {
            format!("the server does not take the certificate of --cert ({})", plain(&alert))
        }
        AlertDescription::ProtocolVersion => OLD_TLS.to_owned(),
        AlertDescription::UnrecognisedName => "the server knows no host of this name; --sni gives another".to_owned(),
        alert => format!("the server ended TLS (alert {}: {})", u8::from(alert), plain(&alert)),
    }
}

/// The name of an error as words: `NoCipherSuitesInCommon` is `no cipher suites in common`.
fn plain(error: &impl Debug) -> String {
    let text = format!("{error:?}");
    let name = text.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let mut words = String::new();
    let mut is_after_small = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && is_after_small {
            words.push(' ');
        }
        is_after_small = !c.is_ascii_uppercase();
        words.push(c);
    }
    let lower =
        |word: &str| if word.chars().skip(1).any(char::is_lowercase) { word.to_lowercase() } else { word.into() };
    words.split(' ').map(lower).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use rustls::InvalidMessage;

    use super::*;

    #[test]
    fn names_of_errors_become_words() {
        assert_eq!(plain(&PeerIncompatible::NoCipherSuitesInCommon), "no cipher suites in common");
        assert_eq!(plain(&InvalidMessage::MissingData("Certificate")), "missing data");
        assert_eq!(plain(&AlertDescription::UnknownCA), "unknown CA");
        assert_eq!(plain(&AlertDescription::InternalError), "internal error");
    }
}
