//! Instructions of the server for one operation, counted by callgrind: a number without noise, to
//! judge a change by and to guard.

use std::fs;
use std::path::{Path, PathBuf};

use crate::contender::Contender;
use crate::guarded;
use crate::load;
use crate::noop_baseline;
use crate::options::Options;
use crate::our_commands::contenders;
use crate::regression_guard;
use crate::slow_clock;
use crate::support::server::{Persistence, Server};

/// Operations of the two runs. What starting and stopping cost falls out of the difference.
const SHORT: usize = 3_200;
const LONG: usize = 16_000;

/// Counts, prints, and compares with the committed table or writes it.
pub fn run(options: &Options) -> Result<(), String> {
    let clock = slow_clock::build()?;
    let counter = Counter {
        clock: &clock,
        server: &options.server,
        modules: std::iter::once(&options.module).chain(options.noop()).cloned().collect(),
        persistence: if options.aof { Persistence::EverySecond } else { Persistence::Off },
        profiles: options.profiles.as_deref(),
    };
    let mut counts: Vec<(&str, f64)> = Vec::new();
    let mut ratios = Vec::new();
    let twins = options.noop().map(|_| noop_baseline::contenders());
    let all = contenders().into_iter().chain(guarded::contenders()).chain(twins.into_iter().flatten());
    for mut contender in all {
        // callgrind sums up a server's whole life: a step of it cannot be told apart.
        let told_apart = contender.counted.is_none();
        if !told_apart || (!contender.name.contains(&options.only) && !contender.is_reference()) {
            continue;
        }
        let count = counter.count(&mut contender)?;
        counts.push((contender.name, count));
        let compared = contender.compared.first();
        let of = compared.and_then(|compared| counts.iter().find(|(name, _)| *name == compared.of));
        match of {
            Some((name, of)) => {
                // What is not ours is not guarded.
                ratios.extend(contender.ours.then_some((contender.name, count / of)));
                println!("{count:9.0}  {:6.3} x {name:<30} {}", count / of, contender.name);
            }
            _ => println!("{count:9.0}  {:39} {}", "", contender.name),
        }
    }
    let _ = fs::remove_file(&clock);
    match &options.guard {
        Some(table) if options.accept => regression_guard::write(table, &ratios),
        Some(table) => regression_guard::check(table, &ratios),
        None => Ok(()),
    }
}

struct Counter<'a> {
    clock: &'a Path,
    server: &'a Path,
    modules: Vec<PathBuf>,
    persistence: Persistence,
    /// Where callgrind's output of the long runs stays, for callgrind_annotate.
    profiles: Option<&'a Path>,
}

impl Counter<'_> {
    fn count(&self, contender: &mut Contender) -> Result<f64, String> {
        // One round of batches is long already.
        let of_batches = if contender.each > 1 { contender.each / 10 } else { 1 };
        let (few, done_few) = self.run(contender, SHORT * of_batches)?;
        let (many, done_many) = self.run(contender, LONG * of_batches)?;
        Ok((many as f64 - few as f64) / (done_many - done_few) as f64)
    }

    /// The instructions of a server's whole life, and how many operations were in it.
    fn run(&self, contender: &mut Contender, operations: usize) -> Result<(u64, usize), String> {
        let output = self.output(contender.name);
        let mut server = Server::counted(self.server, &self.modules, self.persistence, self.clock, &output)?;
        let done = load::prepare_and_run(&server, contender, operations)?;
        server.shut_down()?;
        let total = total(&output)?;
        if self.profiles.is_none() {
            let _ = fs::remove_file(&output);
        }
        Ok((total, done))
    }

    fn output(&self, contender: &str) -> PathBuf {
        let plain: String =
            contender.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let folder = self.profiles.map_or_else(std::env::temp_dir, Path::to_owned);
        folder.join(format!("callgrind.{}.{plain}", std::process::id()))
    }
}

/// The sum at the end of callgrind's output.
fn total(output: &Path) -> Result<u64, String> {
    let text = fs::read(output).map_err(|error| format!("{}: {error}", output.display()))?;
    String::from_utf8_lossy(&text)
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok())
        .ok_or(format!("{} has no totals: did callgrind end well?", output.display()))
}
