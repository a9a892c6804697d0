//! The module as its users see it: a real server, real connections. See `tests/support/mod.rs`.

#[path = "../support/mod.rs"]
mod support;

mod breaker;
mod breaker_refusals;
mod cache;
mod cache_end;
mod cache_invalidate;
mod cache_over_string;
mod cache_refusals;
mod digest;
mod every_command;
mod far_future;
mod gap_matrix;
mod harness;
mod hostile_restore;
mod idemp_claim;
mod idemp_extend;
mod idemp_resend;
mod idemp_seen;
mod jobq_finish;
mod jobq_push;
mod jobq_refusals;
mod jobq_wait;
mod key_copies;
mod keyspace_wait;
mod panic_guard;
mod paused;
mod persistence;
mod policy_file;
mod ratelimit_bucket;
mod ratelimit_hold;
mod ratelimit_lock;
mod ratelimit_options;
mod ratelimit_period;
mod ratelimit_places;
mod ratelimit_policy;
mod ratelimit_refusals;
mod ratelimit_several;
mod ratelimit_window;
mod record_keyspace_wait;
mod record_wait;
mod replication;
mod stock_client;
mod surface;
mod throttle;
