//! The PEM files of the `--tls` family of options.

use std::path::{Path, PathBuf};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::certificate;
use super::verifier::Trusted;
use crate::text::describe_io;

/// The certificates to trust: those of the file and of the directory, or the system's.
pub(super) fn load_trusted(file: Option<&Path>, directory: Option<&Path>) -> Result<Trusted, String> {
    if file.is_none() && directory.is_none() {
        return Ok(Trusted::new(rustls_native_certs::load_native_certs().certs));
    }
    let mut certificates = file.map(load_certificates).transpose()?.unwrap_or_default();
    certificates.extend(directory.map(load_directory).transpose()?.unwrap_or_default());
    Ok(Trusted::new(certificates))
}

/// The certificates of all PEM files of a directory; what else is in it is passed over.
fn load_directory(directory: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let paths: Vec<PathBuf> = std::fs::read_dir(directory)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(|error| format!("{}: {}", directory.display(), describe_io(&error)))?;
    let files = paths.iter().filter(|path| path.is_file());
    let mut certificates: Vec<_> = files.filter_map(|path| load_certificates(path).ok()).flatten().collect();
    if certificates.is_empty() {
        return Err(format!("{}: no file in it holds a certificate in PEM form", directory.display()));
    }
    // Links with a name's hash lead to files of the same directory.
    certificates.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
    certificates.dedup();
    Ok(certificates)
}

/// The certificates of a PEM file: at least one, or an error.
fn load_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read(path)?;
    let certificates = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("{}: {}", path.display(), describe_pem(&error)))?;
    if certificates.is_empty() {
        return Err(format!("{}: holds no certificate in PEM form", path.display()));
    }
    if certificates.iter().any(|der| certificate::read(der).is_none()) {
        return Err(format!("{}: holds a certificate that cannot be read", path.display()));
    }
    Ok(certificates)
}

/// Our certificate, with those that lead to its authority, and its key. Only that they belong together is looked at.
pub(super) fn load_identity(cert: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let chain = load_certificates(cert)?;
    let signing_key = provider.key_provider.load_private_key(load_key(key)?).map_err(|_| {
        format!("{}: a private key that rcli cannot use: RSA, P-256, P-384 and Ed25519 are known", key.display())
    })?;
    let shown = chain.first().and_then(|der| certificate::read(der));
    if let (Some(shown), Some(public)) = (shown, signing_key.public_key())
        && shown.public_key().raw != public.as_ref()
    {
        return Err(format!("the key in {} is not that of the certificate in {}", key.display(), cert.display()));
    }
    Ok(CertifiedKey::new(chain, signing_key))
}

fn load_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let bytes = read(path)?;
    // Both `BEGIN ENCRYPTED PRIVATE KEY` and, within an older form, `Proc-Type: 4,ENCRYPTED`.
    if memchr::memmem::find(&bytes, b"ENCRYPTED").is_some() {
        let path = path.display();
        return Err(format!(
            "{path}: the key is encrypted, which rcli cannot read: openssl pkey -in {path} decrypts it"
        ));
    }
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        pem::Error::NoItemsFound => format!("{}: holds no private key in PEM form", path.display()),
        error => format!("{}: {}", path.display(), describe_pem(&error)),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {}", path.display(), describe_io(&error)))
}

fn describe_pem(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "no END line follows a BEGIN line",
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line is cut short",
        pem::Error::Base64Decode(_) => "what stands between BEGIN and END is no base64",
        _ => "holds nothing in PEM form",
    }
}
