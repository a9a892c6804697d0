//! The queues of others, each by a program of its own package (benches/worker/rivals).

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::server::Server;

pub struct Rival {
    pub name: &'static str,
    program: &'static str,
    words: &'static [&'static str],
    jobs: usize,
    /// How many times its rate ours is to be; none where it is only shown.
    pub bar: Option<f64>,
}

pub const ALL: &[Rival] = &[
    Rival { name: "chasquimq 1.3.0", program: "chasquimq", words: &[], jobs: 200_000, bar: Some(4.0) },
    Rival {
        name: "chasquimq 1.3.0, its events turned off",
        program: "chasquimq",
        words: &["no-events"],
        jobs: 200_000,
        bar: None,
    },
    Rival { name: "bullmq-official 1.4.4", program: "bullmq", words: &[], jobs: 20_000, bar: Some(20.0) },
];

#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    pub jobs: usize,
    pub push_seconds: f64,
    pub work_seconds: f64,
    pub server_us: f64,
}

impl Outcome {
    /// Jobs a second, from the first push to the last ack.
    pub fn rate(&self) -> f64 {
        self.jobs as f64 / (self.push_seconds + self.work_seconds)
    }
}

impl Rival {
    pub fn measure(&self, folder: &Path, server: &Server) -> Result<Outcome, String> {
        let cpu = server.cpu()?;
        let output = Command::new(folder.join(self.program))
            .arg(format!("redis://127.0.0.1:{}", server.port))
            .arg(self.jobs.to_string())
            .args(self.words)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{}: {error}", self.program))?;
        let server_us = (server.cpu()? - cpu) as f64 / 1_000.0 / self.jobs as f64;
        let text = String::from_utf8_lossy(&output.stdout);
        let numbers: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [pushing, working, runs] = numbers[..] else {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(errors.lines().last().unwrap_or("it printed nothing").to_owned());
        };
        if runs != self.jobs as u64 {
            return Err(format!("{} jobs in {runs} runs", self.jobs));
        }
        let seconds = |ns: u64| ns as f64 / 1e9;
        Ok(Outcome {
            jobs: self.jobs,
            push_seconds: seconds(pushing),
            work_seconds: seconds(working),
            server_us,
        })
    }
}
