//! A crowd at one cold cache key, beside as many clients blocked in XREAD; and what a record takes beyond a
//! plain string key. Writes `docs/crowd.md`.
//!
//! ```text
//! readers   a process with many connections, told by its parent what to do
//! crowd     one filler for all, fillers that crash, and XREAD for comparison
//! memory    bytes a key, by the server's own used_memory
//! report    the page
//! ```

mod crowd;
mod memory;
mod readers;
mod report;
#[path = "../peers/resp.rs"]
mod resp;
#[allow(dead_code)] // of two kinds of persistence this needs one
#[path = "../peers/server.rs"]
mod server;

use std::path::PathBuf;
use std::process::ExitCode;

use server::{Persistence, Server};

struct Options {
    server: PathBuf,
    module: PathBuf,
    report: Option<PathBuf>,
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let (mut server, mut module, mut report) = (None, None, None);
    while let Some(word) = words.next() {
        let slot = match word.as_str() {
            "--server" => &mut server,
            "--module" => &mut module,
            "--report" => &mut report,
            // What cargo itself gives to every benchmark.
            "--bench" => continue,
            other => return Err(format!("unknown argument '{other}'")),
        };
        *slot = Some(PathBuf::from(words.next().ok_or(format!("{word} needs a value"))?));
    }
    let missing = |name: &str| format!("{name} is missing: run make bench-crowd");
    Ok(Options {
        server: server.ok_or_else(|| missing("--server"))?,
        module: module.ok_or_else(|| missing("--module"))?,
        report,
    })
}

fn measure(options: &Options) -> Result<String, String> {
    let start = || Server::start(&options.server, &[&options.module], Persistence::Off);
    let server = start()?;
    let version = server.version()?;
    let woken = crowd::rounds(&server)?;
    let crashed = crowd::crashes(&server)?;
    drop(server);
    let memory = memory::all(&start()?)?;
    Ok(report::page(&version, &woken, &crashed, &memory))
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    if words.next_if(|word| word == readers::WORD).is_some() {
        return readers::main(words);
    }
    let page = options(words).and_then(|options| Ok((measure(&options)?, options.report)));
    match page {
        Err(fault) => {
            eprintln!("crowd: {fault}");
            ExitCode::FAILURE
        }
        Ok((page, report)) => {
            print!("{page}");
            match report.map(|path| std::fs::write(path, &page)) {
                Some(Err(error)) => {
                    eprintln!("crowd: writing the report: {error}");
                    ExitCode::FAILURE
                }
                _ => ExitCode::SUCCESS,
            }
        }
    }
}
