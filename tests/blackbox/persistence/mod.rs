//! What survives: RDB, AOF, replicas, DUMP, clusters.

mod cluster;
mod copy_and_restore;
mod corrupt_restore;
mod crash_report;
mod damaged_files;
mod digest;
mod disk;
mod future_tokens;
mod leaving;
mod lost_tokens;
mod queue_calls;
mod random_histories;
mod replica;
mod saved_files;
mod shifted_heap;
mod verbatim;
mod verbatim_check;
mod whole_files;
