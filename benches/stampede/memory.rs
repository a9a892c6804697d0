//! Bytes a key, by the server's own `used_memory`, on top of what a plain string key with a TTL
//! takes.

use crate::support::resp::{Connection, write};
use crate::support::server::Server;

const KEYS: usize = 100_000;

pub struct Row {
    pub what: &'static str,
    pub bytes: f64,
    /// Bytes above the plain string key that holds the same, and how many we want at most.
    pub above: Option<(f64, f64)>,
}

/// Bytes of what is not a key: within one.
pub struct Part {
    pub what: &'static str,
    pub bytes: f64,
    /// How many we want at most.
    pub most: Option<f64>,
}

pub fn parts(server: &Server) -> Result<Vec<Part>, String> {
    let mut control = server.connect()?;
    let seen = ids(&mut control)?;
    let priority = priorities(&mut control)?;
    Ok(vec![
        Part { what: "an id in IDEMP.SEEN", bytes: seen, most: Some(40.0) },
        Part { what: "a priority in use, in JOBQ", bytes: priority, most: None },
    ])
}

/// 100,000 ids, marked by a thousand at a time.
fn ids(control: &mut Connection) -> Result<f64, String> {
    control.call(&[b"FLUSHALL", b"SYNC"])?;
    let before = control.info(b"memory", "used_memory")?;
    for batch in 0..KEYS / 1_000 {
        let ids: Vec<String> = (0..1_000).map(|id| format!("id:{:09}", batch * 1_000 + id)).collect();
        let mut words: Vec<&[u8]> = vec![b"IDEMP.SEEN", b"seen", b"1d"];
        words.extend(ids.iter().map(String::as_bytes));
        control.call(&words)?;
    }
    Ok((control.info(b"memory", "used_memory")? - before) / KEYS as f64)
}

/// What jobs of as many priorities take, beyond what they take with one priority.
fn priorities(control: &mut Connection) -> Result<f64, String> {
    let mut bytes = [0.0; 2];
    for (bytes, unlike) in bytes.iter_mut().zip([1, KEYS]) {
        control.call(&[b"FLUSHALL", b"SYNC"])?;
        let before = control.info(b"memory", "used_memory")?;
        for job in 0..KEYS {
            let priority = (job % unlike).to_string();
            control.call(&[b"JOBQ.PUSH", b"q", b"payload", b"PRIORITY", priority.as_bytes()])?;
        }
        *bytes = (control.info(b"memory", "used_memory")? - before) / KEYS as f64;
    }
    Ok(bytes[1] - bytes[0])
}

pub fn all(server: &Server) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    let value = [b'v'; 100];
    let plain = fill(server, |wire, key, _| write(wire, &[b"SET", key, &value, b"PX", b"3600000"]), 1)?;
    rows.push(Row { what: "string of 100 B with a TTL", bytes: plain, above: None });
    let mut measured = |what, most, steps, command: fn(&mut Vec<u8>, &[u8], &[u8])| {
        let bytes = fill(server, command, steps)?;
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
    let number = fill(server, |wire, key, _| write(wire, &[b"SET", key, b"1", b"PX", b"3600000"]), 1)?;
    rows.push(Row { what: "counter with a TTL", bytes: number, above: None });
    let bucket = fill(server, |wire, key, _| write(wire, &[b"RATELIMIT.CHECK", key, b"10/1h:burst=20"]), 1)?;
    rows.push(Row {
        what: "RATELIMIT subject with one bucket",
        bytes: bucket,
        above: Some((bucket - number, 64.0)),
    });
    let breaker =
        fill(server, |wire, key, _| write(wire, &[b"BREAKER.REPORT", key, b"OK", b"1", b"PERMIT", b"0"]), 1)?;
    rows.push(Row { what: "BREAKER with calls in one slice", bytes: breaker, above: None });
    Ok(rows)
}

/// Writes many keys by a command of one or two steps; the second one is given the third number of
/// the reply.
fn fill(server: &Server, command: impl Fn(&mut Vec<u8>, &[u8], &[u8]), steps: usize) -> Result<f64, String> {
    // The buffers of a connection that fills are not to count: it is closed before the second look.
    let mut control = server.connect()?;
    control.call(&[b"FLUSHALL", b"SYNC"])?;
    let before = control.memory_alone()?;
    let mut filling = server.connect()?;
    for batch in 0..KEYS / 1_000 {
        let keys: Vec<String> = (0..1_000).map(|key| format!("key:{:09}", batch * 1_000 + key)).collect();
        let mut tokens = vec![String::new(); keys.len()];
        for step in 0..steps {
            let mut wire = Vec::new();
            for (key, token) in keys.iter().zip(&tokens) {
                command(&mut wire, key.as_bytes(), token.as_bytes());
            }
            filling.send(&wire)?;
            for token in &mut tokens {
                let reply = filling.reply()?;
                if step + 1 < steps {
                    *token = reply.at(2).int().to_string();
                }
            }
        }
    }
    drop(filling);
    Ok((control.memory_alone()? - before) / KEYS as f64)
}
