//! How much a test tries: a slice that fits a run of all tests, or what an hour of `make test-soak`
//! allows; and what it found, for docs/reliability.md.
//!
//! | environment | meaning |
//! | --- | --- |
//! | `WORKGATE_SOAK` | how many times as much is tried; 1 when it is not set |
//! | `WORKGATE_SEED` | the seed of what is random; else a fixed one, and a new one in a soak |
//! | `WORKGATE_FIGURES` | a file that takes the figures, one a line |

use std::env;
use std::fmt::Display;
use std::fs::File;
use std::io::Write;
use std::process::Command;
use std::sync::OnceLock;

use super::program::Program;

/// The factor of this run.
fn factor() -> usize {
    env::var("WORKGATE_SOAK").ok().map_or(1, |text| text.parse().expect("WORKGATE_SOAK is a whole number"))
}

/// How often to try something that is tried `slice` times in a run of all tests.
pub fn scaled(slice: usize) -> usize {
    slice * factor()
}

/// The factor of `make test-soak`.
const HOUR: usize = 10;

/// How often to try something that is tried `slice` times in a run of all tests, and `hour` times
/// in the hour of `make test-soak`.
pub fn scaled_to(slice: usize, hour: usize) -> usize {
    if factor() == 1 { slice } else { hour * factor() / HOUR }
}

/// The seed of the running test, once it has asked for random numbers.
static SEED: OnceLock<u64> = OnceLock::new();

/// Random numbers (xorshift64*), of a seed that the output tells.
pub struct Random(u64);

impl Random {
    pub fn of_this_run() -> Random {
        let seed = match env::var("WORKGATE_SEED") {
            Ok(text) => text.parse().expect("WORKGATE_SEED is a whole number"),
            Err(_) if factor() == 1 => 0x5eed,
            Err(_) => {
                let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                now.expect("a clock after 1970").as_nanos() as u64
            }
        };
        println!("WORKGATE_SEED={seed}");
        let _ = SEED.set(seed);
        Random::of_seed(seed)
    }

    pub fn of_seed(seed: u64) -> Random {
        // Not 0, where the generator would stay.
        Random(seed.wrapping_mul(2).wrapping_add(1))
    }

    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        ((self.number() >> 33) as usize) % bound
    }

    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// Notes what the running test has found: a line with the test, the server and the figure. In a
/// soak the figure holds the seed.
pub fn figure(text: impl Display) {
    let seed = SEED.get().filter(|_| factor() != 1);
    let text = seed.map_or(text.to_string(), |seed| format!("{text} (seed {seed})"));
    println!("figure: {text}");
    if let Some(path) = env::var_os("WORKGATE_FIGURES") {
        let thread = std::thread::current();
        let name = thread.name().expect("a test has a name");
        let test = format!("{}{name}", suite());
        let line = format!("{test}\t{}\t{text}\n", server());
        let mut file = File::options().create(true).append(true).open(path).expect("the file opens");
        // In one call: other tests write too.
        file.write_all(line.as_bytes()).expect("the figure is written");
    }
}

/// What the page puts before the names of a suite's tests: nothing for those of the server.
fn suite() -> &'static str {
    let program = env::current_exe().expect("the test knows its own path");
    let name = program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let of =
        |suite: &&str| name.strip_prefix(&suite[..suite.len() - 2]).is_some_and(|rest| rest.starts_with('-'));
    ["worker::", "serve::"].into_iter().find(of).unwrap_or_default()
}

/// The server's name and version, such as `Redis 8.2.3`.
fn server() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| match Program::found() {
        Program::Image(image) => image,
        Program::Path(path) => {
            let output = Command::new(&path).arg("--version").output().expect("the server tells its version");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let version = text.split("v=").nth(1).and_then(|rest| rest.split_whitespace().next());
            let name = text.split_whitespace().next().unwrap_or_default();
            format!("{name} {}", version.unwrap_or("of an unknown version"))
        }
    })
}
