//! Commands in a pipeline, and the server's CPU for them.

use crate::cpu_meter::Meter;
use crate::support::resp::{Connection, Reply};

const DEPTH: usize = 32;

/// Server CPU of one of `count` commands, in microseconds; their replies.
pub fn run(
    meter: &Meter<'_>,
    control: &mut Connection,
    count: usize,
    mut command: impl FnMut(&mut Vec<u8>, usize),
) -> Result<(f64, Vec<Reply>), String> {
    let mut replies = Vec::with_capacity(count);
    let (mut sent, mut taken) = (0, 0);
    while sent < count {
        let batch = DEPTH.min(count - sent);
        let mut wire = Vec::new();
        (sent..sent + batch).for_each(|number| command(&mut wire, number));
        let ((), cpu) = meter.exchange(|| {
            control.send(&wire)?;
            for _ in 0..batch {
                match control.reply()? {
                    Reply::Error(text) => return Err(text),
                    reply => replies.push(reply),
                }
            }
            Ok(())
        })?;
        (sent, taken) = (sent + batch, taken + cpu);
    }
    Ok((taken as f64 / 1e3 / count as f64, replies))
}
