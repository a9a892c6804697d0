//! A crowd at one cold cache key, beside as many clients blocked in XREAD; and what a record takes beyond a
//! plain string key. Writes `docs/crowd.md`.
//!
//! ```text
//! readers   a process with many connections, told by its parent what to do
//! crowd     one filler for all, fillers that crash, and XREAD for comparison
//! memory    bytes a key, by the server's own used_memory
//! report    the page
//! ```

#[path = "../peers/bars.rs"]
mod bars;
mod crowd;
#[path = "../peers/machine.rs"]
mod machine;
mod memory;
#[path = "../peers/page.rs"]
mod page;
mod readers;
mod report;
#[path = "../peers/resp.rs"]
mod resp;
#[allow(dead_code)] // of two kinds of persistence this needs one
#[path = "../peers/server.rs"]
mod server;

use std::process::ExitCode;

use page::Options;
use server::{Persistence, Server};

fn measure(options: &Options) -> Result<String, String> {
    let start = || Server::start(&options.server, &[&options.module], Persistence::Off);
    let server = start()?;
    let version = server.version()?;
    let woken = crowd::rounds(&server)?;
    let crashed = crowd::crashes(&server)?;
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
    page::run("bench-crowd", words, |_, _| Ok(false), measure)
}
