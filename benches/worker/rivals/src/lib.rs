//! What the programs have in common: their arguments, and what they print.

use std::time::Duration;

/// As many bytes as the payloads of ours.
pub const PAYLOAD_BYTES: usize = 100;

/// The address of the server and how many jobs are to be pushed and run.
pub fn arguments() -> (String, usize, Vec<String>) {
    let mut words = std::env::args().skip(1);
    let (Some(url), Some(Ok(jobs))) = (words.next(), words.next().map(|word| word.parse())) else {
        panic!("expected the address of a server and a number of jobs");
    };
    (url, jobs, words.collect())
}

/// How long pushing took and how long running, and how many runs there were.
pub fn print(pushing: Duration, running: Duration, runs: usize) {
    println!("{} {} {runs}", pushing.as_nanos(), running.as_nanos());
}
