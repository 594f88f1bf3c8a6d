//! TLS settings from files: which authorities are trusted, who we are, which name is checked (contract section 1).

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme, StreamOwned};

use super::transport::time_left;

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

    /// Does the TLS handshake over a connected, blocking socket, until `deadline`.
    pub(super) fn handshake(
        &self,
        host: &str,
        socket: TcpStream,
        deadline: Instant,
    ) -> Result<StreamOwned<ClientConnection, TcpStream>, String> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let server_name = ServerName::try_from(name.to_owned()).map_err(|error| format!("{name}: {error}"))?;
        let mut connection =
            ClientConnection::new(Arc::clone(&self.config), server_name).map_err(|error| error.to_string())?;
        while connection.is_handshaking() {
            connection
                .complete_io(&mut Until { socket: &socket, deadline })
                .map_err(|error| describe_handshake(&error))?;
        }
        Ok(StreamOwned::new(connection, socket))
    }
}

/// A blocking socket whose reads and writes all end at the deadline: a limit on each of them alone would never end a
/// handshake that comes byte by byte.
struct Until<'a> {
    socket: &'a TcpStream,
    deadline: Instant,
}

impl Until<'_> {
    /// The error for one that the socket ended for lack of time.
    fn explain(&self, error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::WouldBlock { time_left(self.deadline).err().unwrap_or(error) } else { error }
    }
}

impl Read for Until<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(time_left(self.deadline)?))?;
        self.socket.read(buffer).map_err(|error| self.explain(error))
    }
}

impl Write for Until<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(time_left(self.deadline)?))?;
        self.socket.write(bytes).map_err(|error| self.explain(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn describe_handshake(error: &io::Error) -> String {
    let text = crate::exit::describe_io(error);
    if text.contains("UnknownIssuer") {
        format!("{text}; give the certificate of its authority with --cacert")
    } else if text.contains("not valid for name") || text.contains("NotValidForName") {
        format!("{text}; --sni gives the name to check")
    } else {
        text
    }
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
