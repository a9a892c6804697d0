//! Clients that wait: BLOCK, and what happens to the key meanwhile.

mod claim_and_getset;
mod handoff_gap;
mod paused;
mod pop;
mod queue_keyspace;
mod record_keyspace;
mod refused_writes;
mod result;
mod storm;
mod subjects;
mod unit;
mod unit_keyspace;
mod unit_oracle;
