//! What is run for jobs, by whichever means.

mod children;
mod control;
mod exec;
pub mod exit_status;
mod http;
pub mod message;
mod output_capture;
mod process_group;
mod traceparent;
mod unit;
pub mod verdict;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use control::Control;
pub use unit::{Finished, Report, Unit};

use crate::job::commands::Commands;
use crate::job::in_flight::InFlight;

/// How much of a handler's output becomes the job's result.
pub const RESULT_AT_MOST: usize = 64 * 1024;

/// How much of the end of a handler's standard error becomes the job's error.
pub const ERROR_AT_MOST: usize = 4 * 1024;

/// How long a handler that is stopped may take to clean up before it is killed.
const CLEAN_UP: Duration = Duration::from_secs(2);

/// Which handler, as the flags say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Exec(String),
    Stdio(String),
    Http(HttpTarget),
}

/// Where `--http` sends jobs, and which answers end them for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTarget {
    pub url: String,
    pub dead: Vec<u16>,
    pub ca: Option<PathBuf>,
}

impl Kind {
    /// Refuses what can never work.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Kind::Http(target) => http::Http::to(target.clone()).map(drop),
            Kind::Exec(_) | Kind::Stdio(_) => Ok(()),
        }
    }
}

/// For logs.
impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Kind::Exec(command) => write!(f, "a process of: {command}"),
            Kind::Stdio(command) => write!(f, "a child of: {command}"),
            Kind::Http(target) => f.write_str(&target.url),
        }
    }
}

/// What every handler may use.
#[derive(Debug, Clone)]
pub struct Context {
    pub commands: Commands,
    pub in_flight: Arc<InFlight>,
    /// The address given to the worker, for handlers that speak to the server themselves.
    pub redis: String,
    pub worker: String,
    pub lease: Duration,
}

/// A handler, ready for units of jobs.
#[derive(Debug)]
pub enum Handler {
    Exec(exec::Exec),
    Stdio(children::Children),
    Http(Box<http::Http>),
}

impl Handler {
    /// `units` run at once, each of up to `batch` jobs.
    pub fn start(kind: Kind, units: u16, batch: Option<u16>, context: Context) -> Result<Self, String> {
        Ok(match kind {
            Kind::Exec(command) => Handler::Exec(exec::Exec { command, context }),
            Kind::Stdio(command) => Handler::Stdio(children::Children::start(command, units, batch, context)),
            Kind::Http(target) => Handler::Http(Box::new(http::Http::to(target)?)),
        })
    }

    /// Runs a unit's jobs; the unit reports how each of them ended.
    pub async fn run(&self, unit: Unit, control: Control) {
        match self {
            Handler::Exec(exec) => exec.run(unit, control).await,
            Handler::Stdio(children) => children.run(unit, control).await,
            Handler::Http(http) => http.run(unit, control).await,
        }
    }

    /// Ends what is kept between jobs.
    pub async fn close(&self) {
        if let Handler::Stdio(children) = self {
            children.close().await;
        }
    }
}
