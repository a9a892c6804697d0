//! `--http` over TLS, by HTTP/1.1 and 2.

use std::convert::Infallible;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::addresses::certificates;
use crate::process::Worker;
use crate::support::{eventually, server};

/// Which connection brought a request, and by which version.
type Seen = Arc<Mutex<Vec<(usize, Version)>>>;

/// A web server that offers these protocols by ALPN and echoes what it is sent, while it is kept.
struct Web {
    url: String,
    seen: Seen,
    _runtime: Runtime,
}

impl Web {
    fn start(folder: &Path, protocols: &[&str]) -> Web {
        let cert = CertificateDer::from_pem_file(folder.join("server.crt")).expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).expect("a key");
        let mut tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|tls| tls.with_no_client_auth().with_single_cert(vec![cert], key))
            .expect("a configuration");
        tls.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let url = format!("https://{}/jobs", listener.local_addr().expect("an address"));
        let seen = Seen::default();
        runtime.spawn(serve(listener, TlsAcceptor::from(Arc::new(tls)), seen.clone()));
        Web { url, seen, _runtime: runtime }
    }
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, seen: Seen) {
    for connection in 0.. {
        let Ok((socket, _)) = listener.accept().await else { return };
        let (tls, seen) = (tls.clone(), seen.clone());
        tokio::spawn(async move {
            let socket = tls.accept(socket).await.ok()?;
            let service = service_fn(move |request: Request<Incoming>| {
                seen.lock().unwrap().push((connection, request.version()));
                async move {
                    let body =
                        request.into_body().collect().await.map_or(Bytes::new(), |body| body.to_bytes());
                    Ok::<_, Infallible>(Response::new(Full::new(body)))
                }
            });
            let http = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            http.serve_connection(TokioIo::new(socket), service).await.ok()
        });
    }
}

#[test]
fn the_newest_version_that_both_know_is_spoken_over_tls() {
    if Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_err() {
        return eprintln!("skipped: no openssl here");
    }
    let (s, folder) = (server!(), TempDir::new().expect("a temporary directory"));
    certificates(folder.path());
    let ca = folder.path().join("ca.crt").display().to_string();
    for (protocols, version) in [
        (&["h2", "http/1.1"][..], Version::HTTP_2),
        (&["http/1.1"][..], Version::HTTP_11),
        (&[][..], Version::HTTP_11),
    ] {
        let web = Web::start(folder.path(), protocols);
        s.pipeline((0..40).map(|n| format!("JOBQ.PUSH q p{n} ID j{n}")));
        let flags = ["--queue", "q", "--http", &web.url, "--http-ca", &ca, "--until-empty"];
        let mut worker = Worker::run(&s.url(), &flags);
        assert!(worker.ends(), "{}", worker.log());
        s.ok("JOBQ.RESULT q j39").at(1).clone().is("p39");
        let seen = web.seen.lock().unwrap();
        assert_eq!(seen.len(), 40);
        assert!(seen.iter().all(|(_, by)| *by == version), "{protocols:?}: {seen:?}");
        let connections = seen.iter().map(|(connection, _)| connection).max().unwrap() + 1;
        assert!(connections <= 4, "{protocols:?}: {connections} connections for 4 at once");
        s.ok("DEL q");
    }
}

#[test]
fn a_certificate_of_a_strange_authority_is_refused_and_told() {
    if Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_err() {
        return eprintln!("skipped: no openssl here");
    }
    let (s, folder) = (server!(), TempDir::new().expect("a temporary directory"));
    certificates(folder.path());
    let web = Web::start(folder.path(), &["h2"]);
    s.ok("JOBQ.PUSH q p ID j");
    // Without --http-ca the authorities of the operating system are trusted alone.
    let worker = Worker::run(&s.url(), &["--queue", "q", "--http", &web.url]);
    let job = || format!("{:?}", s.ok("JOBQ.GET q j"));
    eventually("it is told", || (job() + &worker.log()).to_lowercase().contains("certificate"));
    assert!(web.seen.lock().unwrap().is_empty());
}
