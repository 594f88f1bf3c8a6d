//! TLS settings: what is checked of a server, who we are, which name is asked for (contract section 1).

mod certificate;
mod files;
mod handshake;
mod verifier;
mod words;

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, ClientConnection};

pub(super) use self::handshake::shake_hands;
pub use self::verifier::Verify;
use self::verifier::{Trusted, Verifier};
pub(super) use self::words::{describe, is_refusal};

/// What TLS needs beside an address.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    /// The name to ask for and to check, where it is not the host.
    server_name: Option<String>,
}

/// The files, names and checks of the `--tls` family of options.
#[derive(Clone, Debug, Default)]
pub struct TlsFiles {
    /// Certificates to trust, PEM; the system's where neither file nor directory is given.
    pub cacert: Option<PathBuf>,
    /// A directory of them.
    pub cacertdir: Option<PathBuf>,
    /// Our certificate and key, PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name to ask for (SNI) and to check the certificate against, instead of the host.
    pub server_name: Option<String>,
    /// What is checked of a server.
    pub verify: Verify,
}

impl Tls {
    /// Reads the files. The error names the file and what is wrong with it.
    pub fn load(files: &TlsFiles) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let trusted = match files.verify {
            Verify::Nothing => Trusted::new(Vec::new()),
            Verify::Ca | Verify::Full => files::load_trusted(files.cacert.as_deref(), files.cacertdir.as_deref())?,
        };
        let verifier = Verifier { verify: files.verify, trusted, provider: Arc::clone(&provider) };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| words::of(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let config = match &files.identity {
            // Sent as it is: rustls would judge it, and the server does.
            Some((cert, key)) => {
                let identity = files::load_identity(cert, key, &provider)?;
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity)))
            }
            None => builder.with_no_client_auth(),
        };
        if let Some(name) = &files.server_name {
            ServerName::try_from(name.as_str()).map_err(|error| format!("--sni {name}: {error}"))?;
        }
        Ok(Self { config: Arc::new(config), server_name: files.server_name.clone() })
    }

    /// The beginning of a conversation with this host.
    pub(super) fn greet(&self, host: &str) -> Result<ClientConnection, String> {
        // The zone of an IPv6 address is this machine's own.
        let host = host.split('%').next().unwrap_or(host);
        let name = self.server_name.as_deref().unwrap_or(host);
        let server_name = ServerName::try_from(name.to_owned())
            .map_err(|error| format!("TLS cannot ask for '{name}': {error}; --sni gives another name"))?;
        ClientConnection::new(Arc::clone(&self.config), server_name).map_err(|error| words::of(&error))
    }
}
