//! Many clients that wait for a few places of RATELIMIT.ACQUIRE, each held for a while. Writes
//! `docs/benchmarks/waiters.md`.
//!
//! Ideally the places change hands without a pause: `PLACES / HOLD` grants a second. What is
//! missing is the time between a release and the answer to the next client.

#[allow(dead_code)] // this bench needs a part of it
#[path = "../support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use support::machine;
use support::page::Options;
use support::resp::{Connection, write};
use support::server::{Persistence, Server};
use support::targets::Bars;

const CLIENTS: usize = 10_000;
const PLACES: usize = 8;
const HOLD: Duration = Duration::from_millis(50);
const WINDOW: Duration = Duration::from_secs(20);
const KEY: &[u8] = b"gate";

struct Outcome {
    version: String,
    grants_per_second: f64,
    /// Share of a processor that the server's main thread took.
    cpu: f64,
    in_order: bool,
}

/// The fencing token of a grant and the number of the client that got it.
type Grants = Arc<Mutex<Vec<(u64, usize)>>>;

fn acquire(holder: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    let (most, lease, block) = (PLACES.to_string(), b"1h", b"1h");
    let words: [&[u8]; 9] = [
        b"RATELIMIT.ACQUIRE",
        KEY,
        holder.as_bytes(),
        b"MAX",
        most.as_bytes(),
        b"LEASE",
        lease,
        b"BLOCK",
        block,
    ];
    write(&mut wire, &words);
    wire
}

fn release(holder: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    write(&mut wire, &[b"RATELIMIT.RELEASE", KEY, holder.as_bytes()]);
    wire
}

fn blocked(control: &mut Connection) -> Result<usize, String> {
    let info = control.call(&[b"INFO", b"workgate"])?.text();
    let field = info.lines().find_map(|line| line.strip_prefix("workgate_blocked_clients:"));
    field.and_then(|number| number.parse().ok()).ok_or("no workgate_blocked_clients in INFO".to_owned())
}

/// Connects the clients; each asks once the one before it waits, so that their order is known.
fn queue_up(server: &Server, control: &mut Connection) -> Result<Vec<TcpStream>, String> {
    let mut clients = Vec::with_capacity(CLIENTS);
    for number in 0..CLIENTS {
        let mut client = TcpStream::connect(("127.0.0.1", server.port)).map_err(|error| error.to_string())?;
        client.write_all(&acquire(&format!("client-{number}"))).map_err(|error| error.to_string())?;
        clients.push(client);
        while blocked(control)? != clients.len() {
            sleep(Duration::from_micros(50));
        }
    }
    Ok(clients)
}

/// A client that waits for its grant, holds the place and releases it.
async fn hold_once(client: TcpStream, number: usize, grants: Grants) -> std::io::Result<()> {
    client.set_nonblocking(true)?;
    let mut client = tokio::net::TcpStream::from_std(client)?;
    let mut reply = [0; 256];
    let count = client.read(&mut reply).await?;
    // [1, held, MAX, 0, token]
    let reply = String::from_utf8_lossy(&reply[..count]).into_owned();
    let token = reply.lines().next_back().and_then(|line| line.strip_prefix(':')?.parse().ok());
    if let Some(token) = token.filter(|_| reply.starts_with("*5\r\n:1\r\n")) {
        grants.lock().expect("no panic").push((token, number));
        tokio::time::sleep(HOLD).await;
        client.write_all(&release(&format!("client-{number}"))).await?;
    }
    Ok(())
}

fn measure_one(program: PathBuf, module: &PathBuf) -> Result<Outcome, String> {
    let server = Server::start(&program, &[module], Persistence::Off)?;
    let version = server.version()?;
    let mut control = server.connect()?;
    let most = (CLIENTS + 100).to_string();
    control.call(&[b"CONFIG", b"SET", b"maxclients", most.as_bytes()])?;
    for holder in 0..PLACES {
        control.send(&acquire(&format!("first-{holder}")))?;
        control.reply()?;
    }
    let clients = queue_up(&server, &mut control)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let grants = Grants::default();
    for (number, client) in clients.into_iter().enumerate() {
        runtime.spawn(hold_once(client, number, Arc::clone(&grants)));
    }
    // The tasks have all begun to read before the first place is free.
    sleep(Duration::from_secs(2));
    let (begun, cpu) = (Instant::now(), server.cpu()?);
    for holder in 0..PLACES {
        control.send(&release(&format!("first-{holder}")))?;
        control.reply()?;
    }
    sleep(WINDOW);
    let (elapsed, cpu) = (begun.elapsed(), server.cpu()? - cpu);
    let mut grants = grants.lock().expect("no panic").clone();
    runtime.shutdown_background();
    grants.sort_unstable();
    Ok(Outcome {
        version,
        grants_per_second: grants.len() as f64 / elapsed.as_secs_f64(),
        cpu: cpu as f64 / elapsed.as_nanos() as f64,
        in_order: grants.iter().map(|(_, number)| *number).eq(0..grants.len()),
    })
}

fn page(outcomes: &[Outcome]) -> String {
    let ideal = PLACES as f64 / HOLD.as_secs_f64();
    let mut bars = Bars::default();
    let mut rows = String::new();
    for outcome in outcomes {
        let Outcome { version, grants_per_second, cpu, in_order } = outcome;
        let share = grants_per_second / ideal;
        let order = if *in_order { "yes" } else { "no" };
        let _ = writeln!(
            rows,
            "| {version} | {grants_per_second:.1} | {:.1} % | {order} | {:.1} % |",
            share * 100.0,
            cpu * 100.0
        );
        // The bars are upper bounds: so many percent of the grants may be missing.
        bars.add(&format!("{version}: percent of the grants that are missing"), (1.0 - share) * 100.0, 5.0);
    }
    format!(
        "# Many clients at few places\n\n\
         `make bench-waiters` prints this page. {CLIENTS} clients wait in `RATELIMIT.ACQUIRE … BLOCK` for {PLACES} places, each \
         holds its place\nfor {} ms and releases it, for {} seconds. Without any pause between two holders there would be {ideal:.0} \
         grants a second.\n\n{}\n\n\
         | server | grants a second | of the ideal | in the order of waiting | CPU of the server |\n| --- | --- | --- | --- | --- |\n{rows}\n{}",
        HOLD.as_millis(),
        WINDOW.as_secs(),
        machine::machine(),
        bars.section(),
    )
}

fn main() -> ExitCode {
    // 10,000 connections on each side.
    let resource = rustix::process::Resource::Nofile;
    let limit = rustix::process::getrlimit(resource);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    let _ = rustix::process::setrlimit(resource, raised);
    let others = std::cell::RefCell::new(Vec::new());
    let more = |word: &str, value: &str| {
        let is_mine = word == "--other-server";
        if is_mine {
            others.borrow_mut().push(PathBuf::from(value));
        }
        Ok(is_mine)
    };
    support::page::run("bench-waiters", std::env::args().skip(1), more, |options: &Options| {
        let servers = std::iter::once(options.server.clone()).chain(others.take());
        let outcomes: Result<Vec<_>, _> =
            servers.map(|program| measure_one(program, &options.module)).collect();
        Ok(page(&outcomes?))
    })
}
