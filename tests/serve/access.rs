//! Who may ask.

use std::process::Command;

use crate::http::ask;
use crate::program::Served;
use crate::support::{figure, server};

#[test]
fn an_address_that_others_reach_is_refused_without_a_password() {
    for command in ["serve", "work"] {
        let mut words = vec![command, "--redis", "redis://127.0.0.1:1", "--listen", "0.0.0.0:0"];
        if command == "work" {
            words.extend(["--queue", "q", "--exec", "true"]);
        }
        let output = Command::new(env!("CARGO_BIN_EXE_workgate")).args(&words).output().expect("it ends");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("--basic-auth") && told.contains("0.0.0.0:0"), "{told}");
    }
}

#[test]
fn a_password_guards_all_but_the_probes() {
    let s = server!();
    let served = Served::start(&s.url(), &["--basic-auth", "ada:lovelace"]);
    for path in ["/metrics", "/", "/nowhere"] {
        let answer = served.get(path);
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.header("www-authenticate").is_some_and(|it| it.starts_with("Basic realm=")));
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(served.get(path).status, 200, "{path}");
    }
    // ada:lovelace and ada:byron
    for (given, status) in [("YWRhOmxvdmVsYWNl", 200), ("YWRhOmJ5cm9u", 401)] {
        let header = format!("Basic {given}");
        let answer = ask(served.port, "GET", "/metrics", &[("authorization", &header)], "");
        assert_eq!(answer.status, status);
    }
    figure("3 pages without a password and 1 with a wrong one: 401; the two probes answer");
}

#[test]
fn a_password_comes_from_a_file_too_and_a_file_without_one_is_refused() {
    let s = server!();
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "ada:lovelace\n").unwrap();
    let flags = ["--basic-auth-file", file.to_str().unwrap()];
    let served = Served::start(&s.url(), &flags);
    assert_eq!(served.get("/metrics").status, 401);
    let header = ("authorization", "Basic YWRhOmxvdmVsYWNl");
    assert_eq!(ask(served.port, "GET", "/metrics", &[header], "").status, 200);
    std::fs::write(&file, "\n").unwrap();
    let words = ["serve", "--listen", "0", "--redis", "redis://127.0.0.1:1", flags[0], flags[1]];
    let output = Command::new(env!("CARGO_BIN_EXE_workgate")).args(words).output().expect("it ends");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("USER:PASSWORD"), "{output:?}");
}

#[test]
fn without_a_password_a_strange_name_of_this_machine_is_refused() {
    let s = server!();
    let served = Served::start(&s.url(), &[]);
    let asked = |host: &str| ask(served.port, "GET", "/metrics", &[("host", host)], "").status;
    assert_eq!(asked("localhost:9464"), 200);
    assert_eq!(asked("rebound.example:9464"), 421);
}

#[test]
fn a_proxy_names_the_user() {
    let s = server!();
    let flags = ["--proxy-user-header", "X-User"];
    let served = Served::start(&s.url(), &flags);
    assert_eq!(served.get("/metrics").status, 403);
    assert_eq!(ask(served.port, "GET", "/metrics", &[("x-user", "ada")], "").status, 200);
    let elsewhere = Served::start(&s.url(), &[&flags[..], &["--proxy-from", "10.9.9.9"]].concat());
    assert_eq!(ask(elsewhere.port, "GET", "/metrics", &[("x-user", "ada")], "").status, 403);
}
