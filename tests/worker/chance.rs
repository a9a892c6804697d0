//! Random moments, from a seed that a failing test prints.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// xorshift64*.
pub struct Chance {
    seed: u64,
    state: u64,
}

impl Chance {
    /// Another one every time; `WORKGATE_TEST_SEED` repeats one.
    pub fn new() -> Chance {
        let given = std::env::var("WORKGATE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
        let seed = given.unwrap_or(now) | 1;
        Chance { seed, state: seed }
    }

    /// Below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) % end
    }

    /// Lets a random time pass: what happens meanwhile does not matter.
    pub fn pause(&mut self, least: u64, most: u64) {
        std::thread::sleep(Duration::from_millis(least + self.below(most - least)));
    }
}

impl Drop for Chance {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("WORKGATE_TEST_SEED={} begins with the same choices", self.seed);
        }
    }
}
