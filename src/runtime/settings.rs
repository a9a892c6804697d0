//! The module's settings. CONFIG SET changes all but `policy-file` and `tzdir`, which are fixed at
//! the start.

use crate::module_api::blocking::{MAX_WAITERS, MAX_WAITERS_PER_KEY};
use crate::module_api::config::{Number, Switch, Text};
use crate::module_api::own_files::SKIP_DAMAGED;

const KIB: i64 = 1024;
const MIB: i64 = 1024 * KIB;
/// The server's own bound for one argument (`proto-max-bulk-len`).
const MAX_ARGUMENT_BYTES: i64 = 512 * MIB;

/// The longest PAYLOAD or JSON that IDEMP.CLAIM hashes, in bytes; beyond it the client hashes
/// (FINGERPRINT).
pub static IDEMP_MAX_PAYLOAD: Number = Number::new("idemp-max-payload", 64 * KIB, 1, MAX_ARGUMENT_BYTES);
/// The longest result (and META, and CHECKPOINT) that an IDEMP record keeps, in bytes.
pub static IDEMP_MAX_RESULT: Number = Number::new("idemp-max-result", MIB, 1, MAX_ARGUMENT_BYTES);
/// The longest payload of a job, in bytes.
pub static JOBQ_MAX_PAYLOAD: Number = Number::new("jobq-max-payload", MIB, 1, MAX_ARGUMENT_BYTES);
/// The longest RESULT, ERROR or META of a job, in bytes.
pub static JOBQ_MAX_RESULT: Number = Number::new("jobq-max-result", 64 * KIB, 1, MAX_ARGUMENT_BYTES);
/// The longest value of a cache entry, in bytes.
pub static CACHE_MAX_VALUE: Number = Number::new("cache-max-value", 16 * MIB, 1, MAX_ARGUMENT_BYTES);

pub static ALL: &[&Number] = &[
    &MAX_WAITERS_PER_KEY,
    &MAX_WAITERS,
    &IDEMP_MAX_PAYLOAD,
    &IDEMP_MAX_RESULT,
    &JOBQ_MAX_PAYLOAD,
    &JOBQ_MAX_RESULT,
    &CACHE_MAX_VALUE,
];

/// Whether JOBQ.PUSH adds jobs although the server may evict the queue.
pub static ALLOW_EVICTION: Switch = Switch::new("allow-eviction");

pub static SWITCHES: &[&Switch] = &[&ALLOW_EVICTION, &SKIP_DAMAGED];

/// A file of policies that the server starts with, see `policy_file.rs`.
pub static POLICY_FILE: Text = Text::new("policy-file");

/// A directory of time-zone files, see `time_zone_files.rs`.
pub static TZDIR: Text = Text::new("tzdir");

pub static TEXTS: &[&Text] = &[&POLICY_FILE, &TZDIR];
