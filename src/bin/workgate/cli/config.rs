//! `--config` and the environment: further places for flags.
//!
//! The command line overrules the environment, and the environment overrules the file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, CommandFactory, FromArgMatches};

use crate::Failure;
use crate::cli::{Cli, Command};

/// Flags of which one overrules the others, wherever they are given.
const HANDLERS: [&str; 3] = ["exec", "stdio", "http"];

impl Cli {
    /// Reads the command line, the environment and the file. Ends the program for `--help` and for
    /// a wrong flag.
    pub fn read() -> Result<Self, Failure> {
        Self::read_from(std::env::args_os().collect(), std::env::var("REDIS_URL").ok())
    }

    fn read_from(args: Vec<OsString>, redis_url: Option<String>) -> Result<Self, Failure> {
        let mut command = with_environment(Cli::command());
        command = with_redis_url(command, redis_url);
        if let Some((subcommand, file)) = config_file(&args) {
            command = with_file(command, &subcommand, &file)?;
        }
        let matches = command.clone().get_matches_from(args);
        let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        if let (Command::Work(work), Some((_, matches))) = (&mut cli.command, matches.subcommand()) {
            // A handler of the command line takes the place of one of the file.
            let strongest = HANDLERS.into_iter().filter_map(|flag| matches.value_source(flag)).max();
            for (flag, value) in HANDLERS.into_iter().zip([&mut work.exec, &mut work.stdio, &mut work.http]) {
                if matches.value_source(flag) < strongest {
                    *value = None;
                }
            }
        }
        Ok(cli)
    }
}

/// REDIS_URL takes the place of the default address.
fn with_redis_url(command: clap::Command, url: Option<String>) -> clap::Command {
    let Some(url) = url.filter(|url| !url.is_empty()) else { return command };
    each_flag(command, |flag| {
        if flag.get_id() != "redis" {
            return flag;
        }
        // Help does not show it: it may hold a password.
        flag.default_value(url.clone()).hide_default_value(true)
    })
}

/// Changes the flags of a command and of all subcommands below it.
fn each_flag<F: Fn(Arg) -> Arg + Copy>(command: clap::Command, change: F) -> clap::Command {
    command.mut_subcommands(|subcommand| each_flag(subcommand, change)).mut_args(change)
}

/// Each flag of a subcommand is also an environment variable: `WORKGATE_WORK_QUEUE` is `--queue` of
/// `work`, `WORKGATE_DEAD_LIST_QUEUE` that of `dead list`.
fn with_environment(command: clap::Command) -> clap::Command {
    command.mut_subcommands(|subcommand| with_variables(subcommand, "WORKGATE"))
}

fn with_variables(command: clap::Command, prefix: &str) -> clap::Command {
    let prefix = format!("{prefix}_{}", command.get_name().to_uppercase());
    let command = command.mut_subcommands(|subcommand| with_variables(subcommand, &prefix));
    command.mut_args(|flag| {
        let Some(long) = flag.get_long().filter(|_| flag.get_env().is_none()) else { return flag };
        let name = format!("{prefix}_{}", long.replace('-', "_").to_uppercase());
        // Once for each flag of the program.
        let name: &'static str = Box::leak(name.into_boxed_str());
        let is_list = matches!(flag.get_action(), ArgAction::Append) && flag.get_value_delimiter().is_none();
        let flag = if is_list { flag.value_delimiter(',') } else { flag };
        flag.env(name).hide_env(true)
    })
}

/// The subcommand and the file of `--config FILE`, `--config=FILE` or the environment.
fn config_file(args: &[OsString]) -> Option<(String, PathBuf)> {
    let words: Vec<&str> = args.iter().skip(1).map(|arg| arg.to_str().unwrap_or_default()).collect();
    let subcommand = Cli::command()
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .find(|name| words.contains(&name.as_str()))?;
    let given = words.iter().enumerate().find_map(|(place, word)| match word.strip_prefix("--config") {
        Some("") => words.get(place + 1).map(PathBuf::from),
        Some(rest) => rest.strip_prefix('=').map(PathBuf::from),
        None => None,
    });
    let variable = format!("WORKGATE_{}_CONFIG", subcommand.to_uppercase());
    let file = given.or_else(|| std::env::var_os(variable).map(PathBuf::from))?;
    Some((subcommand, file))
}

/// The file's values become the defaults of their flags.
fn with_file(command: clap::Command, subcommand: &str, file: &Path) -> Result<clap::Command, Failure> {
    let fault = |text: String| Failure::usage(format!("--config {}: {text}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| fault(error.to_string()))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| fault(error.to_string()))?;
    let mut values: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in table {
        let name = name.replace('_', "-");
        let known = |command: &clap::Command| {
            command.get_arguments().any(|flag| flag.get_long() == Some(&name) && name != "config")
        };
        if !known(&command) && !command.find_subcommand(subcommand).is_some_and(known) {
            return Err(fault(format!("'{name}' is no flag of workgate {subcommand}")));
        }
        let texts =
            texts(&value).ok_or_else(|| fault(format!("'{name}': expected text, a number or a list")))?;
        values.push((name, texts));
    }
    let change = |flag: Arg| {
        let Some((_, texts)) = values.iter().find(|(name, _)| flag.get_long() == Some(name)) else {
            return flag;
        };
        let flag = flag.default_values(texts.clone()).required(false);
        // Help does not show it: it may hold a password.
        if ["redis", "basic_auth"].iter().any(|secret| flag.get_id() == secret) {
            flag.hide_default_value(true)
        } else {
            flag
        }
    };
    Ok(command.mut_subcommand(subcommand, |subcommand| subcommand.mut_args(change)).mut_args(change))
}

fn texts(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::String(text) => Some(vec![text.clone()]),
        toml::Value::Integer(number) => Some(vec![number.to_string()]),
        toml::Value::Boolean(yes) => Some(vec![yes.to_string()]),
        toml::Value::Array(values) => {
            values.iter().map(texts).collect::<Option<Vec<_>>>().map(|values| values.concat())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::work::WorkArgs;

    fn read(args: &[&str], file: &str, redis_url: Option<&str>) -> Result<WorkArgs, Failure> {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("workgate.toml");
        std::fs::write(&path, file).unwrap();
        let all = ["workgate", "work", "--config", path.to_str().unwrap()];
        let args = all.iter().chain(args).map(OsString::from).collect();
        Cli::read_from(args, redis_url.map(str::to_owned)).map(|cli| match cli.command {
            Command::Work(args) => *args,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn the_file_gives_what_the_command_line_does_not() {
        let file = "queue = [\"a\", \"b\"]\nexec = \"./send.sh\"\nconcurrency = 7\nlease = \"9s\"\nuntil-empty = true\nredis = \"redis://f\"";
        let args = read(&["--concurrency", "2"], file, Some("redis://u")).unwrap();
        assert_eq!(args.queues, ["a", "b"]);
        assert_eq!((args.concurrency, args.lease), (2, std::time::Duration::from_secs(9)));
        assert_eq!((args.exec.as_deref(), args.until_empty), (Some("./send.sh"), true));
        assert_eq!(args.server.redis, "redis://f");
    }

    #[test]
    fn a_handler_of_the_command_line_takes_the_place_of_the_files() {
        let args = read(&["--stdio", "./h.py"], "queue = \"q\"\nexec = \"true\"", Some("redis://u")).unwrap();
        assert_eq!((args.exec, args.stdio.as_deref()), (None, Some("./h.py")));
        assert_eq!(args.server.redis, "redis://u");
    }

    #[test]
    fn the_address_and_the_variables_reach_nested_subcommands() {
        let command = with_environment(with_redis_url(Cli::command(), Some("redis://u".into())));
        let list = command.find_subcommand("dead").unwrap().find_subcommand("list").unwrap();
        let flag = |id: &str| list.get_arguments().find(|flag| flag.get_id() == id).unwrap();
        assert_eq!(flag("redis").get_default_values(), ["redis://u"]);
        assert_eq!(flag("queue").get_env().unwrap(), "WORKGATE_DEAD_LIST_QUEUE");
    }

    #[test]
    fn help_shows_no_password() {
        let command = with_redis_url(Cli::command(), Some("redis://u:secret@h".into()));
        let work = command.find_subcommand("work").unwrap();
        let help = work.clone().render_long_help().to_string();
        assert!(help.contains("--redis") && !help.contains("secret"), "{help}");
    }

    #[test]
    fn a_file_that_says_what_is_no_flag_is_refused() {
        for file in ["queues = [\"a\"]", "queue = {a = 1}", "queue = ", "config = \"x\""] {
            let failure = read(&["--exec", "true"], file, None).unwrap_err();
            assert!(failure.text.contains("workgate.toml"), "{failure:?}");
        }
    }
}
