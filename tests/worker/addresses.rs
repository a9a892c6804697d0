//! TLS, Unix sockets and sentinels.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::process::Worker;
use crate::support::{Client, eventually, server};

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

/// Runs every job of the queue once, over this address.
fn drains(s: &Client, url: &str, more: &[&str]) {
    s.pipeline((0..10).map(|id| format!("JOBQ.PUSH q p ID {id}")));
    let flags = ["--queue", "q", "--exec", "true", "--until-empty"];
    let mut w = Worker::run(url, &[&flags, more].concat());
    assert!(w.ends(), "{}", w.log());
    s.ok("JOBQ.STATS q").field("done").clone().is(10);
}

#[test]
fn a_unix_socket_is_an_address() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("redis.sock");
    let s = server!(&format!("unixsocket {}", socket.display()));
    drains(&s, &format!("unix://{}", socket.display()), &[]);
}

fn openssl(folder: &Path, words: &str) {
    let done = Command::new("openssl")
        .args(words.split(' '))
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(done.is_ok_and(|status| status.success()), "openssl {words}");
}

/// A certificate authority, and certificates of it for a server and a client.
pub fn certificates(folder: &Path) {
    let file = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a file");
    file("server.ext", "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
    file("client.ext", "extendedKeyUsage=clientAuth\n");
    openssl(folder, "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=test-ca");
    for name in ["server", "client"] {
        openssl(
            folder,
            &format!("req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"),
        );
        openssl(
            folder,
            &format!(
                "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile {name}.ext -out {name}.crt"
            ),
        );
    }
}

#[test]
fn tls_trusts_the_given_authority_and_shows_the_clients_certificate() {
    if Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_err() {
        return eprintln!("skipped: no openssl here");
    }
    let folder = TempDir::new().unwrap();
    certificates(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let mut s = server!();
    let port = free_port();
    for (name, value) in [
        ("tls-cert-file", path("server.crt")),
        ("tls-key-file", path("server.key")),
        ("tls-ca-cert-file", path("ca.crt")),
        ("tls-port", port.to_string()),
    ] {
        // A server that was built without TLS refuses it, or ends.
        let set = s.try_call(crate::support::cmd!["CONFIG", "SET", name, value]);
        if set.as_ref().map_or(true, |reply| reply.is_error()) {
            // Its end, if it came to that, is no failure.
            s.kill();
            return eprintln!("skipped: this server has no TLS: {set:?}");
        }
    }
    let url = format!("rediss://127.0.0.1:{port}");
    let (ca, cert, key) = (path("ca.crt"), path("client.crt"), path("client.key"));
    drains(&s, &url, &["--tls-ca", &ca, "--tls-cert", &cert, "--tls-key", &key]);

    let mut stranger =
        Worker::run(&url, &["--queue", "q", "--exec", "true", "--tls-cert", &cert, "--tls-key", &key]);
    eventually("an unknown authority is told", || stranger.log().to_lowercase().contains("certificate"));
    stranger.signal(rustix::process::Signal::TERM);
    assert!(stranger.ends(), "{}", stranger.log());
}

/// A sentinel; killed when dropped.
pub struct Sentinel(Child);

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn sentinel(folder: &Path, port: u16, primary: u16) -> Option<Sentinel> {
    let file = folder.join("sentinel.conf");
    let text = format!(
        "port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {primary} 1\nsentinel down-after-milliseconds main 500\nsentinel failover-timeout main 2000\n"
    );
    std::fs::write(&file, text).expect("a file");
    let program = std::env::var("WORKGATE_SERVER").unwrap_or_else(|_| "redis-server".into());
    let child = Command::new(program)
        .arg(&file)
        .arg("--sentinel")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    Some(Sentinel(child))
}

#[test]
fn behind_sentinels_a_worker_follows_the_primary() {
    let mut s = server!();
    let replica = s.replica(&[]);
    s.in_step_with(&replica);
    let folder = TempDir::new().unwrap();
    let port = free_port();
    let Some(_sentinel) = sentinel(folder.path(), port, s.port()) else {
        return eprintln!("skipped: no sentinel here");
    };
    eventually("the sentinel knows the replica", || {
        Client::connect(port).is_ok_and(|c| {
            let replicas = c.call("SENTINEL REPLICAS main");
            !replicas.is_error() && !replicas.items().is_empty()
        })
    });
    let url = format!("redis+sentinel://127.0.0.1:{port}/main");
    let w = Worker::run(&url, &["--queue", "q", "--exec", "true"]);
    s.ok("JOBQ.PUSH q p ID 1");
    eventually("the first is done", || s.ok("JOBQ.STATS q").field("done").int() == 1);
    s.in_step_with(&replica);
    s.kill();
    // The sentinel ends the connections of the one that it promotes.
    eventually("the replica is the primary", || {
        let role = Client::connect(replica.port()).and_then(|c| c.try_call("ROLE"));
        role.is_ok_and(|role| role.at(0).text() == "master")
    });
    let promoted = replica.client();
    promoted.ok("JOBQ.PUSH q p ID 2");
    eventually("the second is done", || promoted.ok("JOBQ.STATS q").field("done").int() == 2);
    drop(w);
}
