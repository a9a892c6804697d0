//! A server whose clock, disk and memory of the disk a test controls: see `preload.c`.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::program::Program;

/// The control of servers that were started with [`Preload::option`].
pub struct Preload {
    folder: TempDir,
    control: File,
}

const AHEAD_US: u64 = 0;
const STANDS_AT_US: u64 = 8;
const DISK_IS_FULL: u64 = 16;
const SYNCED: u64 = 24;
const FILES: u64 = 64;
const LENGTH: u64 = SYNCED + FILES * 16;

impl Preload {
    /// Builds the library; `None`, with a line that says so, where it cannot be used.
    pub fn build() -> Option<Preload> {
        if let Program::Image(image) = Program::found() {
            println!("skipped: no library can be preloaded into a container of {image}");
            return None;
        }
        let folder = TempDir::new().expect("a temporary directory");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/preload.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(folder.path().join("preload.so"))
            .arg(source)
            .arg("-ldl")
            .status();
        let is_built = built.expect("a C compiler, which scripts/setup installs").success();
        assert!(is_built, "the library compiles");
        let path = folder.path().join("control");
        let control = File::options().create_new(true).read(true).write(true).open(path).expect("a file");
        control.set_len(LENGTH).expect("it grows");
        Some(Preload { folder, control })
    }

    /// For the options of a server.
    pub fn options(&self) -> [String; 2] {
        let path = |name: &str| -> PathBuf { self.folder.path().join(name) };
        [
            format!("env LD_PRELOAD={}", path("preload.so").display()),
            format!("env WORKGATE_CONTROL={}", path("control").display()),
        ]
    }

    fn set(&self, at: u64, value: i64) {
        self.control.write_all_at(&value.to_ne_bytes(), at).expect("the control is written");
    }

    fn get(&self, at: u64) -> i64 {
        let mut bytes = [0; 8];
        self.control.read_exact_at(&mut bytes, at).expect("the control is read");
        i64::from_ne_bytes(bytes)
    }

    /// The clock goes on from now plus this.
    pub fn clock_is_ahead_by(&self, ms: i64) {
        self.set(AHEAD_US, ms * 1_000);
        self.set(STANDS_AT_US, 0);
    }

    /// The clock stands still at this time, in milliseconds since 1970.
    pub fn clock_stands_at(&self, ms: i64) {
        self.set(STANDS_AT_US, ms * 1_000);
    }

    pub fn disk_is_full(&self, full: bool) {
        self.set(DISK_IS_FULL, i64::from(full));
    }

    /// How many bytes of the file are on disk for certain: those at the end of its last fsync.
    pub fn synced_size(&self, file: &Path) -> u64 {
        let inode = file.metadata().expect("the file is there").ino();
        let entries = (0..FILES).map(|at| SYNCED + at * 16);
        let mut of_this = entries.filter(|at| self.get(*at) as u64 == inode);
        of_this.next().map_or(0, |at| self.get(at + 8) as u64)
    }
}
