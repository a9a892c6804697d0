//! Cron patterns, intervals and time zones.

pub(crate) mod cron;
mod cron_days;
mod cron_field;
mod cron_pattern;
pub(crate) mod recurrence;
pub(crate) mod time_zone;
