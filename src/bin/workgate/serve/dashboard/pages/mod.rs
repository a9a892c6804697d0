//! One file for each page.

pub mod actions;
pub mod breakers;
pub mod busy;
pub mod caches;
pub mod confirm;
pub mod dead;
pub mod find;
pub mod job;
pub mod jobs;
pub mod limits;
pub mod queue;
pub mod queues;
pub mod schedules;
