//! The reference: INCR over 50 connections, each with one command on its way.

use std::time::Instant;

use crate::support::resp::{Connection, write};
use crate::support::server::Server;

const CONNECTIONS: usize = 50;
const TURNS: usize = 6_000;

/// How many a second.
pub fn rate(server: &Server) -> Result<f64, String> {
    let mut connections =
        (0..CONNECTIONS).map(|_| server.connect()).collect::<Result<Vec<Connection>, _>>()?;
    let mut wire = Vec::new();
    write(&mut wire, &[b"INCR", b"counter"]);
    let mut turn = || -> Result<(), String> {
        connections.iter_mut().try_for_each(|connection| connection.send(&wire))?;
        connections.iter_mut().try_for_each(|connection| connection.reply().map(drop))
    };
    // A tenth warms up.
    (0..TURNS / 10).try_for_each(|_| turn())?;
    let begun = Instant::now();
    (0..TURNS).try_for_each(|_| turn())?;
    Ok((TURNS * CONNECTIONS) as f64 / begun.elapsed().as_secs_f64())
}
