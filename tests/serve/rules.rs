//! The files of `dashboards/` speak of metrics that there are.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use crate::metrics::fill;
use crate::program::Served;
use crate::support::{eventually, server};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("dashboards").join(name)
}

/// All names that begin with `workgate_`.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("workgate_")).map(str::to_owned).collect()
}

#[test]
fn dashboards_and_alerts_name_metrics_that_are_served() {
    let s = server!();
    fill(&s);
    let served = Served::start(&s.url(), &[]);
    let worker = Served::worker_with_a_job_done(&s.url());
    let known = names(&[served.get("/metrics").body, worker.get("/metrics").body].concat());
    for name in ["grafana.json", "alerts.yml"] {
        let text = std::fs::read_to_string(file(name)).expect("a file");
        let used = names(&text);
        assert!(used.len() > 5, "{name} uses {used:?}");
        let unknown: Vec<_> = used.difference(&known).collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
    }
    let board = std::fs::read_to_string(file("grafana.json")).expect("a file");
    let board: serde_json::Value = serde_json::from_str(&board).expect("JSON");
    assert!(board["panels"].as_array().is_some_and(|panels| panels.len() > 10));
}

#[test]
fn promtool_takes_the_alert_rules() {
    match Command::new("promtool").args(["check", "rules"]).arg(file("alerts.yml")).output() {
        Err(_) => println!("SKIPPED: no promtool here (Debian's package prometheus)"),
        Ok(output) => assert!(output.status.success(), "{output:?}"),
    }
}

/// What KEDA asks: the page behind a password, and in it the rows that the example names.
#[test]
fn the_example_for_keda_goes_from_nothing_to_jobs_and_back() {
    let s = server!();
    let served = Served::start(&s.url(), &["--basic-auth", "ada:lovelace"]);
    let example = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/keda.yaml");
    let example = std::fs::read_to_string(example).expect("the example");
    let rows: Vec<&str> = example
        .lines()
        .filter_map(|line| line.trim().strip_prefix("valueLocation: '")?.strip_suffix('\''))
        .collect();
    assert_eq!(rows.len(), 2, "{rows:?}");
    let values = || -> Vec<Option<f64>> {
        let header = ("authorization", "Basic YWRhOmxvdmVsYWNl");
        let answer = crate::http::ask(served.port, "GET", "/metrics", &[header], "");
        assert_eq!(answer.status, 200);
        let value =
            |row: &&str| answer.body.lines().find_map(|line| line.strip_prefix(row)?.trim().parse().ok());
        rows.iter().map(value).collect()
    };
    for number in 0..3 {
        s.ok(format!("JOBQ.PUSH mails p ID job-{number}"));
    }
    eventually("three are ready", || values() == [Some(3.0), Some(0.0)]);
    let jobs = s.ok("JOBQ.POP mails COUNT 3");
    eventually("three are active", || values() == [Some(0.0), Some(3.0)]);
    for job in jobs.items() {
        s.ok(format!("JOBQ.ACK mails {} {}", job.at(0).text(), job.at(1).int()));
    }
    eventually("none is left", || values() == [Some(0.0), Some(0.0)]);
}
