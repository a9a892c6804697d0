//! Cron patterns and time zones.

pub(crate) mod cron;
pub(crate) mod time_zone;
