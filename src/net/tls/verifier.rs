//! Whether the certificate that a server shows is believed (contract section 1).

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use x509_parser::x509::X509Version;

use super::certificate::{check_dates, hosts, read};

/// What is checked of a server's certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// Who signed it, its dates, and the name of the host.
    #[default]
    Full,
    /// Who signed it and its dates.
    Ca,
    /// Nothing.
    Nothing,
}

/// The certificates that are trusted: as those of authorities, and as those of servers.
#[derive(Debug)]
pub(super) struct Trusted {
    authorities: RootCertStore,
    certificates: Vec<CertificateDer<'static>>,
}

impl Trusted {
    /// Each of these is trusted, whatever it is made for.
    pub(super) fn new(certificates: Vec<CertificateDer<'static>>) -> Self {
        let mut authorities = RootCertStore::empty();
        // What cannot be an authority's may be a server's own.
        authorities.add_parsable_certificates(certificates.iter().cloned());
        Self { authorities, certificates }
    }
}

/// Why a certificate is not taken, where rustls has no such reason.
#[derive(Debug)]
pub(super) enum Unfit {
    /// It is of an old version of X.509, which says neither whom it is for nor what for.
    Version(u32),
    /// It is one that signs others, and not itself among those that are trusted.
    Authority,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(
                f,
                "its certificate is of X.509 version {version}, and only those of version 3 are checked; --verify none \
                 takes any"
            ),
            Self::Authority => f.write_str(
                "its certificate is an authority's (CA:TRUE), which is trusted as a server's only if it is itself in --cacert",
            ),
        }
    }
}

impl std::error::Error for Unfit {}

impl From<Unfit> for Error {
    fn from(unfit: Unfit) -> Self {
        CertificateError::Other(OtherError(Arc::new(unfit))).into()
    }
}

/// Judges the certificates of servers.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) verify: Verify,
    pub(super) trusted: Trusted,
    pub(super) provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn judge(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let certificate = read(shown).ok_or(CertificateError::BadEncoding)?;
        if certificate.version() != X509Version::V3 {
            return Err(Unfit::Version(certificate.version().0 + 1).into());
        }
        let parsed = ParsedCertificate::try_from(shown)?;
        let hosts = hosts(&certificate);
        let is_trusted_itself = self.trusted.certificates.contains(shown);
        if is_trusted_itself {
            check_dates(&certificate, now)?;
        } else if certificate.is_ca() {
            return Err(Unfit::Authority.into());
        } else {
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(
                &parsed,
                &self.trusted.authorities,
                intermediates,
                now,
                algorithms,
            )?;
        }
        // It was given for this server: what it does not name cannot be another.
        if self.verify == Verify::Ca || is_trusted_itself && hosts.is_empty() {
            return Ok(());
        }
        verify_server_name(&parsed, name).map_err(|_| {
            CertificateError::NotValidForNameContext { expected: name.to_owned(), presented: hosts }.into()
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.verify != Verify::Nothing {
            self.judge(shown, intermediates, name, now)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // A signature shows that the server has the key of its certificate. Where anybody's certificate is taken that
        // proves nothing, and a certificate that cannot be read has no key to check it with.
        if self.verify == Verify::Nothing {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.verify == Verify::Nothing {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.provider.signature_verification_algorithms.supported_schemes();
        if self.verify == Verify::Nothing {
            schemes.extend([SignatureScheme::ECDSA_NISTP521_SHA512, SignatureScheme::ED448]);
        }
        schemes
    }
}
