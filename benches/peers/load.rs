//! One round of one contender.

use crate::contenders::Contender;
use crate::resp::{Connection, Reply};
use crate::server::Server;

/// Commands in flight on a connection, and connections.
const DEPTH: usize = 32;
const CONNECTIONS: usize = 10;

/// The server's CPU time for one operation, in microseconds.
pub fn round(server: &Server, contender: &mut Contender, operations: usize) -> Result<f64, String> {
    let mut connections = prepare(server, contender, CONNECTIONS)?;
    // A tenth of the round warms up.
    run(&mut connections, contender, operations / 10)?;
    let before = server.cpu()?;
    let done = run(&mut connections, contender, operations)?;
    Ok((server.cpu()? - before) as f64 / 1_000.0 / done as f64)
}

/// The same without a clock; how many operations it were.
pub fn prepare_and_run(
    server: &Server,
    contender: &mut Contender,
    operations: usize,
) -> Result<usize, String> {
    let mut connections = prepare(server, contender, CONNECTIONS)?;
    run(&mut connections, contender, operations)
}

/// An empty server with what the contender needs, and connections to it.
pub fn prepare(server: &Server, contender: &Contender, count: usize) -> Result<Vec<Connection>, String> {
    let mut control = server.connect()?;
    control.call(&[b"FLUSHALL", b"SYNC"])?;
    (contender.setup)(&mut control)?;
    (0..count).map(|_| server.connect()).collect()
}

/// At least `operations` of them, rounded up to full batches; how many it were.
fn run(
    connections: &mut [Connection],
    contender: &mut Contender,
    operations: usize,
) -> Result<usize, String> {
    let begun = contender.begun;
    while contender.begun - begun < operations {
        batch(connections, contender, DEPTH)?;
    }
    Ok(contender.begun - begun)
}

/// `depth` operations on each connection.
pub fn batch(connections: &mut [Connection], contender: &mut Contender, depth: usize) -> Result<(), String> {
    let mut earlier: Vec<Vec<Reply>> = vec![Vec::new(); connections.len()];
    let first = contender.begun;
    let mut wire = Vec::new();
    for step in contender.steps {
        for (number, connection) in connections.iter_mut().enumerate() {
            wire.clear();
            for place in 0..depth {
                step(&mut wire, first + number * depth + place, earlier[number].get(place));
            }
            connection.send(&wire)?;
        }
        for (number, connection) in connections.iter_mut().enumerate() {
            let replies = (0..depth).map(|_| connection.reply()).collect::<Result<Vec<_>, _>>()?;
            if let Some(Reply::Error(text)) = replies.iter().find(|r| matches!(r, Reply::Error(_))) {
                return Err(format!("{}: the server answered {text}", contender.name));
            }
            if !matches!(replies[0], Reply::Int(_)) {
                earlier[number] = replies;
            }
        }
    }
    contender.begun += connections.len() * depth;
    Ok(())
}
