//! What the commands cost beside what a user would pick instead, in one run on one machine.
//!
//! `make bench` runs this. The measure is the CPU time of the server's main thread for one
//! operation (its scheduler's own count), with commands pipelined 32 deep; a ratio of two such
//! numbers from the same run carries over to other machines. Rounds of all contenders are
//! interleaved, and the median counts.
//!
//! ```text
//! contender         what is measured, and its targets          host, hosts  what a contender runs on
//! our_commands      our commands beside the server's           load         connections that run a contender
//! batches           a hundred jobs at a time                   latency      what one connection sees
//! noop_baseline     the least that a module's command costs    memory       memory, RDB file and fork
//! lua_scripts       what would be written in Lua instead       report       docs/benchmarks/performance.md
//! library_scripts   scripts of libraries                       alternatives its first table
//! redis_cell        redis-cell                                 targets_page docs/benchmarks/targets.md
//! memcached         memcached                                  charts       the same as SVG files
//! regression_guard  the committed table of instructions        options      the command line
//! guarded           what else that table holds                 callgrind    instructions, counted by callgrind
//! ```

mod alternatives;
mod batches;
mod callgrind;
mod charts;
mod contender;
mod guarded;
mod host;
mod hosts;
mod latency;
mod library_scripts;
mod load;
mod lua_scripts;
mod memcached;
mod memory;
mod noop_baseline;
mod options;
mod our_commands;
mod redis_cell;
mod regression_guard;
mod report;
mod slow_clock;
#[allow(dead_code)] // this bench needs a part of it
#[path = "../support/mod.rs"]
mod support;
mod targets_page;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use contender::Contender;
use hosts::Hosts;
use latency::Latencies;
use memcached::Memcached;
use options::Options;
use report::{Measured, Run, Setting};
use support::server::{Persistence, Server};

fn run() -> Result<(), String> {
    let options = options::read()?;
    if options.instructions {
        return callgrind::run(&options);
    }
    let begun = Instant::now();
    let mut settings = Vec::new();
    let mut memcached = None;
    for program in options.servers() {
        for persistence in [Persistence::Off, Persistence::EverySecond] {
            let hosts = hosts(&options, program, persistence)?;
            memcached = hosts.memcached.as_ref().map(|memcached| memcached.version.clone());
            settings.push(Setting {
                persistence,
                version: hosts.server.version()?,
                measured: measure(&hosts, &options)?,
                items: if persistence == Persistence::Off { memory::all(&hosts.server)? } else { vec![] },
            });
        }
    }
    let folder = options.report.as_deref().and_then(Path::parent).unwrap_or(Path::new("."));
    let mut facts = facts(&options, &settings, memcached);
    facts.push(("the run took", format!("{} s", begun.elapsed().as_secs())));
    let page = |name| Some((name, fs::read_to_string(folder.join(name)).ok()?));
    let run = Run {
        date: support::machine::today(),
        facts,
        operations: options.operations,
        rounds: options.rounds,
        has_notes: folder.join("performance-notes.md").exists(),
    };
    let text = report::render(&run, &settings);
    let Some(path) = &options.report else {
        print!("{text}");
        return Ok(());
    };
    let pages: Vec<_> = ["stampede.md", "scaling.md", "worker.md"].into_iter().filter_map(page).collect();
    let targets = targets_page::render(&run.date, &settings, &pages);
    let write =
        |path: &Path, text| fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()));
    write(&folder.join("targets.md"), targets)?;
    for (number, setting) in settings.iter().enumerate() {
        charts::draw(folder, number, setting)?;
    }
    write(path, text)
}

fn hosts(options: &Options, program: &Path, persistence: Persistence) -> Result<Hosts, String> {
    let server = Server::start(program, &options.modules(), persistence)?;
    let memcached = options.peer("memcached").map(|program| Memcached::start(&program)).transpose()?;
    Ok(Hosts { server, memcached })
}

fn facts(options: &Options, settings: &[Setting], memcached: Option<String>) -> Vec<(&'static str, String)> {
    let mut servers: Vec<&str> = settings.iter().map(|setting| setting.version.as_str()).collect();
    servers.dedup();
    let lines = |file| {
        let text = options.peer(file).and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        text.lines().map(str::to_owned).collect::<Vec<String>>()
    };
    let mut peers = lines("found");
    peers.extend(memcached.map(|version| format!("memcached {version}, one thread")));
    let mut missing = lines("missing");
    if options.peers.is_none() {
        missing.push("all of scripts/peers, which failed".into());
    }
    let listed = |names: Vec<String>| if names.is_empty() { "none".into() } else { names.join("; ") };
    vec![
        ("machine", support::machine::machine()),
        ("servers", servers.join(", ")),
        ("Workgate", env!("CARGO_PKG_VERSION").to_owned()),
        ("peers", listed(peers)),
        ("peers that are missing", listed(missing)),
    ]
}

/// All contenders, round by round.
fn measure(hosts: &Hosts, options: &Options) -> Result<Vec<Measured>, String> {
    let mut all = contenders(hosts, options)?;
    for round in 0..options.rounds {
        for one in &mut all {
            eprintln!("round {} of {}: {}", round + 1, options.rounds, one.contender.name);
            one.round(hosts, options.operations)?;
        }
    }
    Ok(all.into_iter().map(Rounds::summary).collect())
}

/// A contender and what its rounds have come to.
struct Rounds {
    contender: Contender,
    micros: Vec<f64>,
    latencies: Vec<Latencies>,
}

impl Rounds {
    fn new(contender: Contender) -> Result<Self, String> {
        let latencies = latency::DEPTHS.into_iter().map(Latencies::new).collect::<Result<_, _>>()?;
        Ok(Rounds { contender, micros: vec![], latencies })
    }

    fn round(&mut self, hosts: &Hosts, operations: usize) -> Result<(), String> {
        let host = hosts.of(&self.contender);
        let operations = operations / self.contender.part;
        self.micros.push(load::round(host, &mut self.contender, operations)?);
        // Commands of many operations are few.
        let batches = if self.contender.each == 1 { operations / 100 } else { operations / 2_000 };
        let batches = batches.max(10);
        self.latencies.iter_mut().try_for_each(|one| one.round(host, &mut self.contender, batches))
    }

    fn summary(self) -> Measured {
        let Rounds { contender, mut micros, latencies } = self;
        micros.sort_by(f64::total_cmp);
        Measured {
            name: contender.name,
            ours: contender.ours,
            compared: contender.compared,
            micros: micros[micros.len() / 2],
            least: micros[0],
            most: micros[micros.len() - 1],
            latencies: latencies.into_iter().map(Latencies::summary).collect(),
        }
    }
}

fn contenders(hosts: &Hosts, options: &Options) -> Result<Vec<Rounds>, String> {
    let mut all = our_commands::contenders();
    all.extend(batches::contenders());
    if options.peer("libredis_cell.so").is_some() {
        all.extend(redis_cell::contenders());
    }
    all.extend(noop_baseline::contenders());
    all.extend(lua_scripts::contenders());
    if let Some(folder) = &options.peers {
        all.extend(library_scripts::contenders(folder));
    }
    if hosts.memcached.is_some() {
        all.extend(memcached::contenders());
    }
    all.retain(|contender| contender.name.contains(&options.only) || contender.is_reference());
    all.into_iter().map(Rounds::new).collect()
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
