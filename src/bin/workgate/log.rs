//! What is logged, and how.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::Failure;

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people
    Human,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// What is logged to standard error: off, error, warn, info or debug
    #[arg(long = "log", value_name = "LEVEL", env = "WORKGATE_LOG", default_value = "info", global = true)]
    pub level: String,

    /// How it is written
    #[arg(
        long = "log-format",
        value_name = "FORM",
        env = "WORKGATE_LOG_FORMAT",
        value_enum,
        default_value_t = Form::Human,
        global = true
    )]
    pub form: Form,
}

/// Begins to log. A level that is not understood is refused.
pub fn begin(args: &LogArgs) -> Result<(), Failure> {
    let filter = filter(&args.level).map_err(Failure::usage)?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    match args.form {
        Form::Human => subscriber.init(),
        Form::Json => subscriber.json().flatten_event(true).init(),
    }
    Ok(())
}

fn filter(level: &str) -> Result<EnvFilter, String> {
    let word = match level.to_ascii_lowercase().as_str() {
        "warning" => "warn".to_owned(),
        word => word.to_owned(),
    };
    match word.as_str() {
        "off" | "error" | "warn" | "info" | "debug" | "trace" => {
            Ok(EnvFilter::new(format!("workgate={word}")))
        }
        // Directives of the log's own language, such as workgate=info,redis=debug.
        _ if level.contains('=') => {
            EnvFilter::builder().parse(level).map_err(|error| format!("WORKGATE_LOG '{level}': {error}"))
        }
        _ => Err(format!("WORKGATE_LOG '{level}': expected off, error, warn, info or debug")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_understood_or_refused() {
        for (level, filter_text) in
            [("warning", "workgate=warn"), ("INFO", "workgate=info"), ("workgate=debug", "workgate=debug")]
        {
            assert_eq!(filter(level).unwrap().to_string(), filter_text);
        }
        for level in ["loud", "", "workgate=loud"] {
            assert!(filter(level).is_err(), "{level}");
        }
    }
}
