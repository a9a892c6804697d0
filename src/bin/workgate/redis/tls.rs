//! TLS: which certificates are trusted, and which one is shown.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use redis::{ClientTlsConfig, TlsCertificates};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Files in PEM form. Without `ca` the certificates of the operating system are trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct TlsFiles {
    /// Certificates to trust in the place of the operating system's, in PEM form
    #[arg(long = "tls-ca", value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// This client's certificate, in PEM form; needs --tls-key
    #[arg(long = "tls-cert", value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,

    /// The certificate's private key, in PEM form; needs --tls-cert
    #[arg(long = "tls-key", value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
}

/// A certificate and its private key.
type Pair = (Vec<u8>, Vec<u8>);

impl TlsFiles {
    pub fn are_given(&self) -> bool {
        *self != TlsFiles::default()
    }

    /// The configuration of one client.
    pub fn client_config(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS: {error}"))?
            .with_root_certificates(self.roots()?);
        let Some((cert, key)) = self.client_pair()? else { return Ok(builder.with_no_client_auth()) };
        let chain = CertificateDer::pem_slice_iter(&cert)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| format!("--tls-cert: {error}"))?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| format!("--tls-key: {error}"))?;
        builder.with_client_auth_cert(chain, key).map_err(|error| format!("--tls-cert: {error}"))
    }

    /// The same for the connections of a cluster, which the Redis client opens itself.
    pub fn cluster_certificates(&self) -> Result<TlsCertificates, String> {
        let client_tls =
            self.client_pair()?.map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
        let root_cert = self.ca.as_ref().map(|file| read("--tls-ca", file)).transpose()?;
        Ok(TlsCertificates { client_tls, root_cert })
    }

    fn roots(&self) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        match &self.ca {
            Some(file) => {
                for cert in CertificateDer::pem_slice_iter(&read("--tls-ca", file)?) {
                    let cert = cert.map_err(|error| format!("--tls-ca {}: {error}", file.display()))?;
                    roots.add(cert).map_err(|error| format!("--tls-ca {}: {error}", file.display()))?;
                }
                if roots.is_empty() {
                    return Err(format!("--tls-ca {}: holds no certificate in PEM form", file.display()));
                }
            }
            // Certificates that cannot be read are left out, as in any other program.
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        Ok(roots)
    }

    fn client_pair(&self) -> Result<Option<Pair>, String> {
        match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Ok(Some((read("--tls-cert", cert)?, read("--tls-key", key)?))),
            _ => Ok(None),
        }
    }
}

fn read(flag: &str, file: &std::path::Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("{flag} {}: {error}", file.display()))
}
