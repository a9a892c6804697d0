//! The dashboard: the worker's program once more.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::Process;
use crate::process::temp_dir::TempDir;

/// It listens at once, unless the machine is very busy.
const LISTENS_WITHIN: Duration = Duration::from_secs(20);
const STOPS_WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct Dashboard {
    pub process: Process,
    pub address: String,
}

impl Dashboard {
    /// At a port that the system chooses.
    pub async fn start(program: &Path, url: &str, folder: &TempDir) -> Result<Self, String> {
        let log = folder.file("dashboard.log");
        let mut command = Command::new(program);
        command
            .args(["serve", "--redis", url, "--listen", "127.0.0.1:0", "--allow-actions"])
            .env_remove("WORKGATE_LOG");
        let mut process = Process::start("the dashboard", &mut command, log.clone(), STOPS_WITHIN)?;
        let begun = Instant::now();
        while begun.elapsed() < LISTENS_WITHIN {
            process.still_runs()?;
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let address = text.split_once("listening on ").and_then(|(_, rest)| rest.split_once('\n'));
            if let Some((address, _)) = address {
                return Ok(Dashboard { process, address: address.trim().to_owned() });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(format!("the dashboard does not listen; its log ends with:\n{}", process.log_tail()))
    }
}
