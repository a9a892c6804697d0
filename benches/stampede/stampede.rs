//! Readers of one cold key, and of one stream.

use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::readers::Readers;
use crate::support::resp::Connection;
use crate::support::server::Server;

const PROCESSES: usize = 4;
pub const CLIENTS: usize = 10_000;
pub const ROUNDS: usize = 5;
const VALUE: &[u8] = &[b'v'; 100];

/// What waking all of them has taken.
#[derive(Debug, Clone, Copy)]
pub struct Woken {
    /// From the command that wakes them until the last one has its reply.
    pub ms: f64,
    /// CPU of the server's main thread meanwhile.
    pub cpu_ms: f64,
    pub fills: usize,
}

#[derive(Debug, Default)]
pub struct Rounds {
    pub cache: Vec<Woken>,
    pub stream: Vec<Woken>,
}

/// Both in turns.
pub fn rounds(server: &Server) -> Result<Rounds, String> {
    let mut control = server.connect()?;
    let clients = (CLIENTS + 100).to_string();
    control.call(&[b"CONFIG", b"SET", b"maxclients", clients.as_bytes()])?;
    let mut rounds = Rounds::default();
    for round in 0..ROUNDS {
        eprintln!("stampede: round {} of {ROUNDS}", round + 1);
        rounds.cache.push(cache(server, &mut control)?);
        rounds.stream.push(stream(server, &mut control)?);
    }
    Ok(rounds)
}

fn connect_readers(server: &Server) -> Result<Vec<Readers>, String> {
    (0..PROCESSES).map(|_| Readers::start(server.port, (CLIENTS / PROCESSES) as u32)).collect()
}

fn send(readers: &mut [Readers], command: &str) -> Result<(), String> {
    readers.iter_mut().try_for_each(|readers| readers.ask(&format!("send {command}")).map(drop))
}

fn cache(server: &Server, control: &mut Connection) -> Result<Woken, String> {
    control.call(&[b"DEL", b"cold"])?;
    let mut readers = connect_readers(server)?;
    send(&mut readers, "CACHE.GETSET cold LEASE 60s BLOCK 60s")?;
    blocked(control, CLIENTS - 1)?;
    let token = fill(&mut readers)?;
    let value = VALUE.to_vec();
    let mut woken = wake(server, &mut readers, control, |control| {
        control.call(&[b"CACHE.SET", b"cold", &value, b"TOKEN", token.as_bytes(), b"TTL", b"1h"]).map(drop)
    })?;
    woken.fills += 1;
    Ok(woken)
}

fn stream(server: &Server, control: &mut Connection) -> Result<Woken, String> {
    control.call(&[b"DEL", b"stream"])?;
    let mut readers = connect_readers(server)?;
    send(&mut readers, "XREAD BLOCK 60000 STREAMS stream $")?;
    blocked(control, CLIENTS)?;
    wake(server, &mut readers, control, |control| {
        control.call(&[b"XADD", b"stream", b"*", b"f", VALUE]).map(drop)
    })
}

/// The outcome of a stampede whose fillers crash.
pub struct Crashes {
    pub crashed: usize,
    pub fills: usize,
    pub served: usize,
}

/// Three fillers close their connections; each time the lease runs out and the next one fills.
pub fn crashes(server: &Server) -> Result<Crashes, String> {
    let mut control = server.connect()?;
    control.call(&[b"DEL", b"cold"])?;
    let mut readers = connect_readers(server)?;
    send(&mut readers, "CACHE.GETSET cold LEASE 500ms BLOCK 60s")?;
    let mut fills = 0;
    let crashed = 3;
    for _ in 0..crashed {
        fill(&mut readers)?;
        fills += 1;
        for readers in &mut readers {
            readers.ask("crash")?;
        }
    }
    let token = fill(&mut readers)?;
    fills += 1;
    let woken = wake(server, &mut readers, &mut control, |control| {
        control.call(&[b"CACHE.SET", b"cold", VALUE, b"TOKEN", token.as_bytes(), b"TTL", b"1h"]).map(drop)
    })?;
    Ok(Crashes { crashed, fills: fills + woken.fills, served: CLIENTS - crashed - 1 })
}

/// The token of the reader that was told to fill, once there is one.
fn fill(readers: &mut [Readers]) -> Result<String, String> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(30) {
        for readers in &mut *readers {
            let answer = readers.ask("look")?;
            match answer.split_once(' ') {
                Some(("fill", token)) => return Ok(token.to_owned()),
                _ if answer == "none" => {}
                _ => return Err(answer),
            }
        }
        sleep(Duration::from_millis(5));
    }
    Err("nobody was told to fill".into())
}

/// Waits until `count` clients are blocked.
fn blocked(control: &mut Connection, count: usize) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        let now = control.info(b"clients", "blocked_clients")? as usize;
        if now == count {
            return Ok(());
        }
        if begun.elapsed() > Duration::from_secs(60) {
            return Err(format!("{now} clients are blocked instead of {count}"));
        }
        sleep(Duration::from_millis(20));
    }
}

fn wake(
    server: &Server,
    readers: &mut [Readers],
    control: &mut Connection,
    act: impl FnOnce(&mut Connection) -> Result<(), String>,
) -> Result<Woken, String> {
    readers.iter_mut().try_for_each(|readers| readers.tell("await"))?;
    // Let them begin to read.
    sleep(Duration::from_millis(200));
    let cpu = server.cpu()?;
    let begun = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?.as_nanos();
    act(control)?;
    let (mut last, mut fills, mut replies) = (0, 0, 0);
    for readers in readers {
        let answer = readers.answer()?;
        let words: Vec<u128> = answer.split(' ').skip(1).filter_map(|word| word.parse().ok()).collect();
        let &[end, more, read] = &words[..] else { return Err(format!("readers say '{answer}'")) };
        (last, fills, replies) = (last.max(end), fills + more as usize, replies + read as usize);
    }
    let cpu_ms = (server.cpu()? - cpu) as f64 / 1e6;
    eprintln!("stampede: {replies} clients woken");
    Ok(Woken { ms: last.saturating_sub(begun) as f64 / 1e6, cpu_ms, fills })
}
