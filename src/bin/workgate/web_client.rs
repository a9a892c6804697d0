//! Requests by HTTP/1.1 or 2, over TLS too.

use std::path::PathBuf;
use std::time::Duration;

use http_body_util::Full;
use hyper::Uri;
use hyper::body::Bytes;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::redis::tls::TlsFiles;

pub type WebClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// How long an unused connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// `ca` is a file of certificates to trust in the place of the operating system's; the flag or
/// variable that names it is for errors.
pub fn open(named_by: &str, ca: Option<PathBuf>) -> Result<WebClient, String> {
    let tls = TlsFiles { ca, ..TlsFiles::default() }
        .client_config()
        .map_err(|text| text.replace("--tls-ca", named_by))?;
    // HTTP/2 where the other end offers it, by ALPN.
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_all_versions()
        .build();
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(KEEP_ALIVE)
        .build(connector))
}

/// An address of `http` or `https` with a host, given as this flag or variable.
pub fn read_url(named_by: &str, url: &str) -> Result<Uri, String> {
    let is_one = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    let uri = url.parse().ok().filter(is_one);
    uri.ok_or_else(|| format!("{named_by} '{url}': expected http://host/path or https://host/path"))
}

/// An error's text with those of its causes: `client error (Connect): … refused`.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = format!("http: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
