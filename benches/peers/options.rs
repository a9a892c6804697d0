//! The command line.

use std::path::PathBuf;

/// Operations in a round, and rounds.
const OPERATIONS: usize = 50_000;
const ROUNDS: usize = 7;

pub struct Options {
    pub server: PathBuf,
    /// A newer one.
    pub second_server: Option<PathBuf>,
    pub module: PathBuf,
    /// The module of `benches/noop_module`.
    pub noop: PathBuf,
    /// Where `scripts/peers` has put what it fetched.
    pub peers: Option<PathBuf>,
    pub report: Option<PathBuf>,
    pub operations: usize,
    pub rounds: usize,
    /// Counts instructions instead of measuring times.
    pub instructions: bool,
    /// The table of ratios that a count must keep to.
    pub guard: Option<PathBuf>,
    /// Writes that table again.
    pub accept: bool,
    /// Only contenders with this in their name.
    pub only: String,
    /// Where callgrind's output stays.
    pub profiles: Option<PathBuf>,
    /// Counts with `appendonly everysec`.
    pub aof: bool,
}

impl Options {
    pub fn servers(&self) -> impl Iterator<Item = &PathBuf> {
        std::iter::once(&self.server).chain(&self.second_server)
    }

    /// redis-cell comes first: ours leaves it its command.
    pub fn modules(&self) -> Vec<PathBuf> {
        let cell = self.peer("libredis_cell.so").into_iter();
        cell.chain(std::iter::once(&self.module).chain(self.noop()).cloned()).collect()
    }

    /// Without it nothing shows what a command costs at the least.
    pub fn noop(&self) -> Option<&PathBuf> {
        (!self.noop.as_os_str().is_empty()).then_some(&self.noop)
    }

    /// A file that `scripts/peers` has made.
    pub fn peer(&self, name: &str) -> Option<PathBuf> {
        self.peers.as_ref().map(|folder| folder.join(name)).filter(|path| path.exists())
    }
}

pub fn read() -> Result<Options, String> {
    let mut options = Options {
        server: "redis-server".into(),
        second_server: None,
        module: PathBuf::new(),
        noop: PathBuf::new(),
        peers: None,
        report: None,
        operations: OPERATIONS,
        rounds: ROUNDS,
        instructions: false,
        guard: None,
        accept: false,
        only: String::new(),
        profiles: None,
        aof: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let number = |text: String| text.parse().map_err(|_| format!("'{text}' is not a number"));
        match word.as_str() {
            "--server" => options.server = value()?.into(),
            "--second-server" => options.second_server = Some(value()?.into()),
            "--noop" => options.noop = value()?.into(),
            "--module" => options.module = value()?.into(),
            "--peers" => options.peers = Some(value()?.into()),
            "--report" => options.report = Some(value()?.into()),
            "--operations" => options.operations = number(value()?)?,
            "--rounds" => options.rounds = number(value()?)?,
            "--instructions" => options.instructions = true,
            "--guard" => options.guard = Some(value()?.into()),
            "--accept" => options.accept = true,
            "--only" => options.only = value()?,
            "--profiles" => options.profiles = Some(value()?.into()),
            "--aof" => options.aof = true,
            // Cargo passes it to every bench.
            "--bench" => {}
            _ => return Err(format!("unknown argument '{word}'")),
        }
    }
    if options.module.as_os_str().is_empty() {
        return Err("--module PATH/libworkgate.so is missing; `make bench` gives it".into());
    }
    Ok(options)
}
