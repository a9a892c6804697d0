//! What an operator fears: crashes, full disks, cut links, lost primaries, moving slots, clocks
//! that are set, and input that means harm. Each test notes a figure for docs/reliability.md.

mod calendar;
mod clock;
mod crash_under_load;
mod hostile;
mod moving_slots;
mod refused_writes;
mod replication_under_load;
mod tokens;
mod unplugged;
