//! What the commands cost beside what a user would pick instead, in one run on one machine.
//!
//! `make bench` runs this. The measure is the CPU time of the server's main thread for one operation (its scheduler's
//! own count), with commands pipelined 32 deep; a ratio of two such numbers from the same run carries over to other
//! machines. Rounds of all contenders are interleaved, and the median counts.
//!
//! ```text
//! server    a server with the module, and its CPU time      contenders   what is compared with what, and the bars
//! resp      commands out, replies in                        report       docs/performance.md
//! load      one round of one contender
//! ```

mod contenders;
mod load;
mod report;
mod resp;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;

use contenders::contenders;
use report::{Measured, Setting};
use server::{Persistence, Server};

/// Operations in a round, and rounds.
const OPERATIONS: usize = 100_000;
const ROUNDS: usize = 5;

struct Options {
    server: PathBuf,
    module: PathBuf,
    report: Option<PathBuf>,
    operations: usize,
    rounds: usize,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        server: "redis-server".into(),
        module: PathBuf::new(),
        report: None,
        operations: OPERATIONS,
        rounds: ROUNDS,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let number = |text: String| text.parse().map_err(|_| format!("'{text}' is not a number"));
        match word.as_str() {
            "--server" => options.server = value()?.into(),
            "--module" => options.module = value()?.into(),
            "--report" => options.report = Some(value()?.into()),
            "--operations" => options.operations = number(value()?)?,
            "--rounds" => options.rounds = number(value()?)?,
            // Cargo passes it to every bench.
            "--bench" => {}
            _ => return Err(format!("unknown argument '{word}'")),
        }
    }
    if options.module.as_os_str().is_empty() {
        return Err("--module PATH/libworkgate.so is missing; `make bench` gives it".into());
    }
    Ok(options)
}

fn run() -> Result<(), String> {
    let options = options()?;
    let mut settings = Vec::new();
    for persistence in [Persistence::Off, Persistence::EverySecond] {
        let server = Server::start(&options.server, &options.module, persistence)?;
        settings.push(Setting {
            persistence,
            version: server.version()?,
            measured: measure(&server, &options)?,
        });
    }
    let text = report::render(&settings, options.operations, options.rounds);
    match &options.report {
        Some(path) => std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display())),
        None => {
            print!("{text}");
            Ok(())
        }
    }
}

/// All contenders, round by round; the medians.
fn measure(server: &Server, options: &Options) -> Result<Vec<Measured>, String> {
    let mut contenders = contenders();
    let mut rounds: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
    for round in 0..options.rounds {
        for (contender, results) in contenders.iter_mut().zip(&mut rounds) {
            eprintln!("round {} of {}: {}", round + 1, options.rounds, contender.name);
            results.push(load::round(server, contender, options.operations)?);
        }
    }
    let measured = |(contender, mut results): (contenders::Contender, Vec<f64>)| {
        results.sort_by(f64::total_cmp);
        let (least, most) = (results[0], results[results.len() - 1]);
        Measured { name: contender.name, bar: contender.bar, micros: results[results.len() / 2], least, most }
    };
    Ok(contenders.into_iter().zip(rounds).map(measured).collect())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bench: {message}");
            ExitCode::FAILURE
        }
    }
}
