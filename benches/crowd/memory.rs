//! Bytes a key, by the server's own `used_memory`, on top of what a plain string key with a TTL takes.

use crate::resp::{Connection, write};
use crate::server::Server;

const KEYS: usize = 100_000;

pub struct Row {
    pub what: &'static str,
    pub bytes: f64,
    /// Bytes above the plain string key that holds the same, and how many we want at most.
    pub above: Option<(f64, f64)>,
}

pub fn all(server: &Server) -> Result<Vec<Row>, String> {
    let mut control = server.connect()?;
    let mut rows = Vec::new();
    let value = [b'v'; 100];
    let plain = fill(&mut control, |wire, key, _| write(wire, &[b"SET", key, &value, b"PX", b"3600000"]), 1)?;
    rows.push(Row { what: "string of 100 B with a TTL", bytes: plain, above: None });
    let mut measured = |what, most, steps, command: fn(&mut Vec<u8>, &[u8], &[u8])| {
        let bytes = fill(&mut control, command, steps)?;
        rows.push(Row { what, bytes, above: Some((bytes - plain, most)) });
        Ok::<(), String>(())
    };
    measured("CACHE entry of 100 B", 64.0, 1, |wire, key, _| {
        write(wire, &[b"CACHE.SET", key, &[b'v'; 100], b"TTL", b"1h"]);
    })?;
    measured("IDEMP record, completed with 100 B", 96.0, 2, |wire, key, token| match token {
        b"" => write(wire, &[b"IDEMP.CLAIM", key]),
        token => write(wire, &[b"IDEMP.COMPLETE", key, token, &[b'v'; 100], b"TTL", b"1h"]),
    })?;
    let number = fill(&mut control, |wire, key, _| write(wire, &[b"SET", key, b"1", b"PX", b"3600000"]), 1)?;
    rows.push(Row { what: "counter with a TTL", bytes: number, above: None });
    let bucket =
        fill(&mut control, |wire, key, _| write(wire, &[b"RATELIMIT.CHECK", key, b"10/1h:burst=20"]), 1)?;
    rows.push(Row {
        what: "RATELIMIT subject with one bucket",
        bytes: bucket,
        above: Some((bucket - number, 64.0)),
    });
    Ok(rows)
}

/// Writes many keys by a command of one or two steps; the second one is given the third number of the reply.
fn fill(
    control: &mut Connection,
    command: impl Fn(&mut Vec<u8>, &[u8], &[u8]),
    steps: usize,
) -> Result<f64, String> {
    control.call(&[b"FLUSHALL"])?;
    let before = control.info(b"memory", "used_memory")?;
    for batch in 0..KEYS / 1_000 {
        let keys: Vec<String> = (0..1_000).map(|key| format!("key:{:09}", batch * 1_000 + key)).collect();
        let mut tokens = vec![String::new(); keys.len()];
        for step in 0..steps {
            let mut wire = Vec::new();
            for (key, token) in keys.iter().zip(&tokens) {
                command(&mut wire, key.as_bytes(), token.as_bytes());
            }
            control.send(&wire)?;
            for token in &mut tokens {
                let reply = control.reply()?;
                if step + 1 < steps {
                    *token = reply.at(2).int().to_string();
                }
            }
        }
    }
    Ok((control.info(b"memory", "used_memory")? - before) / KEYS as f64)
}
