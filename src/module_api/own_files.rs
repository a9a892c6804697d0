//! Damage in the files that this server starts from, its RDB file and its append-only file.
//!
//! The server does not start from them, as with damage in its own types. Two things of the server
//! make the module end the start by itself:
//!
//! - A module that handles its read errors only returns an error. The server then checks the whole
//!   RDB file, and this check never ends where the file is cut within a module's value (redis issue
//!   15034).
//! - An error of a command in the append-only file is ignored.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};

use super::args::Args;
use super::config::{Switch, server_setting};
use super::context::{Ctx, Level, log_anywhere};
use super::main_thread::MainThread;

/// What is being loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    RdbFile = 1,
    AppendOnlyFile,
    /// What a primary sends. A read error there is one of the connection: the replica tries again.
    Primary,
}

/// Whether the append-only file is loaded without the commands that are damaged.
pub static SKIP_DAMAGED: Switch = Switch::new("skip-damaged-commands");

/// What is being loaded: a [`Source`] as a number, 0 for nothing.
static LOADS: AtomicU8 = AtomicU8::new(0);

/// Values of which the append-only file has given the first blocks and not yet the last.
static UNFINISHED: MainThread<BTreeSet<(i32, Box<[u8]>)>> = MainThread::new(BTreeSet::new());

/// Where the server keeps its RDB file; `None` where it does not tell, since CONFIG was renamed.
static RDB_FILE: MainThread<Option<PathBuf>> = MainThread::new(None);

/// Reads the settings: after the module was loaded and whenever one has changed.
pub fn read_settings(ctx: Ctx<'_>) {
    // The server's working directory is the one of its files.
    RDB_FILE.with(|file| *file = server_setting(ctx, c"dbfilename").map(PathBuf::from));
}

pub fn load_started(source: Source) {
    LOADS.store(source as u8, Ordering::Relaxed);
    UNFINISHED.with(BTreeSet::clear);
    if source == Source::RdbFile && is_rdb_file_cut() {
        refuse_to_start("the RDB file is cut: it lacks its end");
    }
}

pub fn load_ended(ctx: Ctx<'_>) {
    if loads(Source::AppendOnlyFile)
        && let Some((db, key)) = UNFINISHED.with(BTreeSet::pop_first)
    {
        let text = format!("the value of the key '{}' of database {db} has no end", key.escape_ascii());
        if ctx.is_cluster() {
            // A slot was on its way here. The server drops the keys of it after the start.
            log_anywhere(Level::Warning, &format!("workgate: {text}"));
        } else {
            refuse_command_file(&text);
        }
    }
    LOADS.store(0, Ordering::Relaxed);
}

fn loads(source: Source) -> bool {
    LOADS.load(Ordering::Relaxed) == source as u8
}

/// Ends the start if it is one from a file of this server.
pub fn refuse_to_start(what: &str) {
    if loads(Source::RdbFile) || loads(Source::AppendOnlyFile) {
        let text = format!(
            "workgate: {what}. The server does not start, as it would go on with less than it had: \
             start it from a replica's file or from a backup"
        );
        log_anywhere(Level::Warning, &text);
        std::process::exit(1);
    }
}

/// Whether the RDB file lacks its end: a byte that marks it, and a checksum of eight bytes. By
/// chance one of 256 cut files has this byte in its place.
fn is_rdb_file_cut() -> bool {
    const END: u8 = 0xff;
    const BEFORE_CHECKSUM: i64 = -9;
    let read_mark = || {
        let mut file = File::open(RDB_FILE.with(|file| file.clone())?).ok()?;
        // What comes through a pipe cannot be looked at before.
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        let (mut magic, mut mark) = ([0; 9], [0]);
        file.read_exact(&mut magic).ok()?;
        file.seek(SeekFrom::End(BEFORE_CHECKSUM)).ok()?;
        file.read_exact(&mut mark).ok()?;
        // Servers before 2.6 wrote no checksum.
        (magic[..8] != *b"REDIS000" || magic[8] > b'4').then_some(mark[0])
    };
    read_mark().is_some_and(|mark| mark != END)
}

/// The append-only file gives a block of a value.
pub fn note_block(db: i32, key: &[u8], is_last: bool) {
    if loads(Source::AppendOnlyFile) {
        UNFINISHED.with(|unfinished| {
            let place = (db, Box::from(key));
            if is_last { unfinished.remove(&place) } else { unfinished.insert(place) }
        });
    }
}

/// A command has failed. In the append-only file there are only commands that have succeeded once.
pub fn refuse_damaged_command(ctx: Ctx<'_>, args: Args<'_>, error: &dyn Display) {
    if loads(Source::AppendOnlyFile) && ctx.is_append_only_file() {
        let word = |index: usize| args.get(index).unwrap_or_default().escape_ascii();
        refuse_command_file(&format!("a command is damaged: {} {}: {error}", word(0), word(1)));
    }
}

fn refuse_command_file(what: &str) {
    let what = format!("in the append-only file {what}");
    if SKIP_DAMAGED.is_on() {
        log_anywhere(Level::Warning, &format!("workgate: {what}. It is skipped"));
    } else {
        let or = "'workgate.skip-damaged-commands yes' in the configuration leaves out what is damaged";
        refuse_to_start(&format!("{what}. {or}"));
    }
}
