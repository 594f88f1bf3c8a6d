//! TLS settings from files: which authorities are trusted, who we are, which name is checked (contract section 1).

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// What TLS needs beside an address.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ClientConfig>,
    /// The name to ask for and to check, where it is not the host.
    server_name: Option<String>,
}

/// The files and names of the `--tls` family of options.
#[derive(Clone, Copy, Debug, Default)]
pub struct TlsFiles<'a> {
    /// Certificates of authorities, PEM; the system's where there is none.
    pub cacert: Option<&'a Path>,
    /// Our certificate and key, PEM.
    pub identity: Option<(&'a Path, &'a Path)>,
    /// The name to ask for (SNI) and to check the certificate against, instead of the host.
    pub server_name: Option<&'a str>,
    /// Check nothing.
    pub insecure: bool,
}

impl Tls {
    /// Reads the files. The error names the file and what is wrong with it.
    pub fn load(files: TlsFiles<'_>) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = if files.insecure {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(TrustAnyone(provider)))
        } else {
            builder.with_root_certificates(load_authorities(files.cacert)?)
        };
        let config = match files.identity {
            Some((cert, key)) => {
                let chain = load_certificates(cert)?;
                let key_der = PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| format!("{}: no private key in PEM form: {error}", key.display()))?;
                builder
                    .with_client_auth_cert(chain, key_der)
                    .map_err(|error| format!("{} and {}: {error}", cert.display(), key.display()))?
            }
            None => builder.with_no_client_auth(),
        };
        if let Some(name) = files.server_name {
            ServerName::try_from(name).map_err(|error| format!("--sni {name}: {error}"))?;
        }
        Ok(Self { config: Arc::new(config), server_name: files.server_name.map(str::to_owned) })
    }

    /// The beginning of a conversation with this host.
    pub(super) fn greet(&self, host: &str) -> Result<ClientConnection, String> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let server_name = ServerName::try_from(name.to_owned()).map_err(|error| format!("{name}: {error}"))?;
        ClientConnection::new(Arc::clone(&self.config), server_name).map_err(|error| error.to_string())
    }
}

/// Whether one of the two sides would not go on, and would not the next time either.
pub(super) fn is_refusal(error: &io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some()
}

/// A refusal in words, with what to do.
pub(super) fn describe(error: &io::Error) -> String {
    let text = crate::exit::describe_io(error);
    // An authority that was made anew has the name of the old one, but not its key.
    let hint = if text.contains("UnknownIssuer") || text.contains("BadSignature") {
        "; give the certificate of its authority with --cacert"
    } else if text.contains("not valid for name") || text.contains("NotValidForName") {
        "; --sni gives the name to check"
    } else if text.contains("CertificateRequired") {
        "; the server wants a certificate: --cert and --key"
    } else {
        ""
    };
    format!("{text}{hint}")
}

fn load_authorities(cacert: Option<&Path>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    let Some(path) = cacert else {
        let system = rustls_native_certs::load_native_certs();
        store.add_parsable_certificates(system.certs);
        return Ok(store);
    };
    for certificate in load_certificates(path)? {
        store.add(certificate).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(store)
}

/// The certificates of a PEM file: at least one, or an error.
fn load_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    if certificates.is_empty() {
        return Err(format!("{}: holds no certificate in PEM form", path.display()));
    }
    Ok(certificates)
}

/// `--insecure`: whoever answers is believed. Signatures are still checked, as the handshake demands them.
#[derive(Debug)]
struct TrustAnyone(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAnyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
