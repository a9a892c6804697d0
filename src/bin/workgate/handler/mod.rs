//! What is run for jobs, by whichever means.

mod children;
mod control;
mod exec;
pub mod exit_status;
pub mod from_handler;
mod http;
pub mod message;
mod output_capture;
mod process_group;
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
    #[cfg(feature = "null-handler")]
    Null,
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
            _ => Ok(()),
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
            #[cfg(feature = "null-handler")]
            Kind::Null => f.write_str("nobody"),
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
    /// Acknowledges its jobs and does nothing but count them.
    #[cfg(feature = "null-handler")]
    Null(std::sync::atomic::AtomicUsize),
}

impl Handler {
    /// `units` run at once, each of up to `batch` jobs.
    pub fn start(kind: Kind, units: u16, batch: Option<u16>, context: Context) -> Result<Self, String> {
        Ok(match kind {
            Kind::Exec(command) => Handler::Exec(exec::Exec { command, context }),
            Kind::Stdio(command) => Handler::Stdio(children::Children::start(command, units, batch, context)),
            Kind::Http(target) => Handler::Http(Box::new(http::Http::to(target)?)),
            #[cfg(feature = "null-handler")]
            Kind::Null => Handler::Null(0.into()),
        })
    }

    /// Runs a unit's jobs; the unit reports how each of them ended.
    pub async fn run(&self, unit: Unit, control: Control) {
        match self {
            Handler::Exec(exec) => exec.run(unit, control).await,
            Handler::Stdio(children) => children.run(unit, control).await,
            Handler::Http(http) => http.run(unit, control).await,
            #[cfg(feature = "null-handler")]
            Handler::Null(runs) => {
                runs.fetch_add(unit.jobs().len(), std::sync::atomic::Ordering::Relaxed);
                unit.end_all(|| verdict::Verdict::Done(Vec::new()));
            }
        }
    }

    /// Ends what is kept between jobs.
    pub async fn close(&self) {
        match self {
            Handler::Stdio(children) => children.close().await,
            #[cfg(feature = "null-handler")]
            Handler::Null(runs) => println!("{}", runs.load(std::sync::atomic::Ordering::Relaxed)),
            _ => {}
        }
    }
}
