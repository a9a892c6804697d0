//! Many readers of one cold cache key, beside as many clients blocked in XREAD; and the memory of a
//! record beyond that of a plain string key. Writes `docs/benchmarks/stampede.md`.
//!
//! ```text
//! readers   a process with many connections, told by its parent what to do
//! stampede  one filler for all, fillers that crash, and XREAD for comparison
//! memory    bytes a key, by the server's own used_memory
//! report    the page
//! ```

mod memory;
mod readers;
mod report;
mod stampede;
#[allow(dead_code)] // this bench needs a part of it
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;

use support::page::Options;
use support::server::{Persistence, Server};

fn measure(options: &Options) -> Result<String, String> {
    let start = || Server::start(&options.server, &[&options.module], Persistence::Off);
    let server = start()?;
    let version = server.version()?;
    let woken = stampede::rounds(&server)?;
    let crashed = stampede::crashes(&server)?;
    drop(server);
    let memory = memory::all(&start()?)?;
    let parts = memory::parts(&start()?)?;
    Ok(report::page(&version, &woken, &crashed, &memory, &parts))
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    if words.next_if(|word| word == readers::WORD).is_some() {
        return readers::main(words);
    }
    support::page::run("bench-stampede", words, |_, _| Ok(false), measure)
}
