//! Certificates for the TLS tests: an authority, a server for `localhost`, a client, and a stranger's authority.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// PEM files in a directory that lives as long as this value.
pub struct Certificates {
    dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
    /// The authority that signed the others.
    pub ca: PathBuf,
    /// An authority that signed none of them.
    pub stranger: PathBuf,
    /// The server's certificate, valid for the host name `localhost` only.
    pub server: PathBuf,
    /// The server's key.
    pub server_key: PathBuf,
    /// A client's certificate.
    pub client: PathBuf,
    /// The client's key.
    pub client_key: PathBuf,
}

impl Certificates {
    /// Makes all of them afresh.
    pub fn make() -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let (ca, issuer) = authority();
        let (stranger, _) = authority();
        let (server, server_key) = signed(&issuer, &["localhost"]);
        let (client, client_key) = signed(&issuer, &["client"]);
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).expect("a PEM file");
            path
        };
        Self {
            ca: write("ca.pem", &ca),
            stranger: write("stranger.pem", &stranger),
            server: write("server.pem", &server),
            server_key: write("server.key", &server_key),
            client: write("client.pem", &client),
            client_key: write("client.key", &client_key),
            dir,
            issuer,
        }
    }

    /// One more certificate and its key, for these names and addresses.
    pub fn sign(&self, file: &str, names: &[&str]) -> [PathBuf; 2] {
        let (certificate, key) = signed(&self.issuer, names);
        self.write(file, certificate, key)
    }

    fn write(&self, file: &str, certificate: String, key: String) -> [PathBuf; 2] {
        [("pem", certificate), ("key", key)].map(|(kind, text)| {
            let path = self.dir.path().join(format!("{file}.{kind}"));
            std::fs::write(&path, text).expect("a PEM file");
            path
        })
    }

    /// The same, valid only between these years.
    pub fn sign_for_years(&self, file: &str, names: &[&str], years: [i32; 2]) -> [PathBuf; 2] {
        let mut params = params(names);
        [params.not_before, params.not_after] = years.map(|year| rcgen::date_time_ymd(year, 1, 1));
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        self.write(file, certificate.pem(), key.serialize_pem())
    }

    /// A certificate that signed itself and its key, as openssl makes them: `req -x509` with these arguments.
    pub fn openssl_req(&self, file: &str, args: &str) -> [PathBuf; 2] {
        self.openssl(&format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {file}.key -out {file}.pem \
             -days 30 {args}"
        ));
        ["pem", "key"].map(|kind| self.path(&format!("{file}.{kind}")))
    }

    /// Runs a script of openssl commands where the files are.
    pub fn openssl(&self, script: &str) {
        let output = Command::new("sh").args(["-euc", script]).current_dir(self.dir.path()).output().expect("sh");
        assert!(
            output.status.success(),
            "openssl failed (where there is none: Debian: apt-get install openssl): {script}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Makes these the server's own.
    pub fn for_server(mut self, [certificate, key]: [PathBuf; 2]) -> Self {
        (self.server, self.server_key) = (certificate, key);
        self
    }

    /// The path of a file among them.
    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    /// Where the files are.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

/// An authority: its certificate as PEM, and what signs.
fn authority() -> (String, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "the tests' authority");
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    (certificate.pem(), Issuer::new(params, key))
}

/// A certificate and key for these host names and addresses, as PEM.
fn signed(issuer: &Issuer<'static, KeyPair>, names: &[&str]) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let certificate = params(names).signed_by(&key, issuer).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

fn params(names: &[&str]) -> CertificateParams {
    let mut params =
        CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).expect("valid names");
    // A subject equal to the issuer's would make it look self-signed.
    params.distinguished_name.push(DnType::CommonName, names.first().copied().unwrap_or("nobody"));
    params
}
