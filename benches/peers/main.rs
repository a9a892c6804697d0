//! What the commands cost beside what a user would pick instead, in one run on one machine.
//!
//! `make bench` runs this. The measure is the CPU time of the server's main thread for one operation (its scheduler's
//! own count), with commands pipelined 32 deep; a ratio of two such numbers from the same run carries over to other
//! machines. Rounds of all contenders are interleaved, and the median counts.
//!
//! ```text
//! server    a server with the module, and its CPU time      contenders   what is compared with what, and the bars
//! resp      commands out, replies in                        report       docs/performance.md
//! load      one round of one contender                      instructions the same counted by callgrind
//! items     memory, RDB file and fork                      charts       the same as SVG files
//! scripts   what would be written in Lua instead            latency      what one connection sees
//! options   the command line                                guard        the committed table of such counts
//! ```

mod charts;
mod contenders;
mod guard;
mod instructions;
mod items;
mod latency;
mod load;
mod options;
mod report;
mod resp;
mod scripts;
mod server;

use std::path::Path;
use std::process::ExitCode;

use contenders::{Contender, contenders};
use options::Options;
use report::{Measured, Setting};
use server::{Persistence, Server};

fn run() -> Result<(), String> {
    let options = options::read()?;
    if options.instructions {
        return instructions::run(&options);
    }
    let mut settings = Vec::new();
    for program in options.servers() {
        for persistence in [Persistence::Off, Persistence::EverySecond] {
            let server = Server::start(program, &options.modules(), persistence)?;
            settings.push(Setting {
                persistence,
                version: server.version()?,
                measured: measure(&server, &options)?,
                items: if persistence == Persistence::Off { items::all(&server)? } else { vec![] },
            });
        }
    }
    let text = report::render(&settings, options.operations, options.rounds);
    match &options.report {
        Some(path) => {
            let folder = path.parent().unwrap_or(Path::new("."));
            for (number, setting) in settings.iter().enumerate() {
                charts::draw(folder, number, setting)?;
            }
            std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
        }
        None => {
            print!("{text}");
            Ok(())
        }
    }
}

/// All contenders, round by round; the medians.
fn measure(server: &Server, options: &Options) -> Result<Vec<Measured>, String> {
    let mut contenders = all_contenders(options);
    let mut rounds: Vec<Vec<f64>> = vec![Vec::new(); contenders.len()];
    for round in 0..options.rounds {
        for (contender, results) in contenders.iter_mut().zip(&mut rounds) {
            eprintln!("round {} of {}: {}", round + 1, options.rounds, contender.name);
            results.push(load::round(server, contender, options.operations)?);
        }
    }
    let measured = |(mut contender, mut results): (Contender, Vec<f64>)| {
        results.sort_by(f64::total_cmp);
        let (least, most) = (results[0], results[results.len() - 1]);
        let latency =
            |depth: &usize| latency::measure(server, &mut contender, *depth, options.operations * depth / 64);
        let latencies = latency::DEPTHS.iter().map(latency).collect::<Result<_, String>>()?;
        let micros = results[results.len() / 2];
        Ok(Measured { name: contender.name, bar: contender.bar, micros, least, most, latencies })
    };
    contenders.into_iter().zip(rounds).map(measured).collect()
}

fn all_contenders(options: &Options) -> Vec<Contender> {
    let published = scripts::published(&options.peers);
    contenders().into_iter().chain(scripts::contenders()).chain(published).collect()
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
