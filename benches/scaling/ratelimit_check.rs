//! A check over many keys, beside INCR over the same.

use crate::cpu_meter::Meter;
use crate::pipeline;
use crate::support::resp::write;
use crate::support::server::Server;

const CALLS: usize = 100_000;

pub struct Checks {
    pub keys: usize,
    pub check_us: f64,
    pub incr_us: f64,
}

/// Scatters numbers over the keys.
fn scattered(number: usize, keys: usize) -> usize {
    (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16) % keys
}

pub fn measure(server: &Server, keys: usize) -> Result<Checks, String> {
    let mut control = server.connect()?;
    let meter = Meter::of(server);
    let check = |wire: &mut Vec<u8>, key: usize| {
        write(wire, &[b"RATELIMIT.CHECK", format!("l:{key}").as_bytes(), b"1000000/1h:bucket"]);
    };
    let incr = |wire: &mut Vec<u8>, key: usize| write(wire, &[b"INCR", format!("n:{key}").as_bytes()]);
    pipeline::run(&meter, &mut control, keys, check)?;
    pipeline::run(&meter, &mut control, keys, incr)?;
    let mut costs = (Vec::new(), Vec::new());
    for round in 0..3 {
        let key = |number| scattered(number + round * CALLS, keys);
        costs.0.push(pipeline::run(&meter, &mut control, CALLS, |wire, number| check(wire, key(number)))?.0);
        costs.1.push(pipeline::run(&meter, &mut control, CALLS, |wire, number| incr(wire, key(number)))?.0);
    }
    costs.0.sort_by(f64::total_cmp);
    costs.1.sort_by(f64::total_cmp);
    Ok(Checks { keys, check_us: costs.0[1], incr_us: costs.1[1] })
}
