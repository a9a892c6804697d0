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
    let url = s.url();
    let worker =
        Served::run(&["work", "--redis", &url, "--queue", "mails", "--exec", "true", "--listen", "0"]);
    eventually("a job is done", || worker.get("/metrics").body.contains(r#"outcome="done""#));
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
