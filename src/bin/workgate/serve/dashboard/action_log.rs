//! What has been changed by way of the dashboard since it started: its last actions.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// How many actions are remembered; the program's log has them all.
const MOST: usize = 500;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// From 1.
    pub number: u64,
    pub at_ms: u64,
    pub user: String,
    /// What was asked for, in words.
    pub what: String,
    /// What came of it.
    pub outcome: Result<String, String>,
}

#[derive(Debug, Default)]
pub struct ActionLog {
    entries: Mutex<VecDeque<Entry>>,
}

impl ActionLog {
    /// Its number.
    pub fn add(&self, user: &str, what: String, outcome: Result<String, String>) -> u64 {
        match &outcome {
            Ok(text) => tracing::info!(user, action = what, "{text}"),
            Err(text) => tracing::warn!(user, action = what, "failed: {text}"),
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let number = entries.front().map_or(1, |last| last.number + 1);
        entries.push_front(Entry { number, at_ms, user: user.to_owned(), what, outcome });
        entries.truncate(MOST);
        number
    }

    /// The newest first.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    pub fn entry(&self, number: u64) -> Option<Entry> {
        self.entries().into_iter().find(|entry| entry.number == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_actions_are_kept_under_their_numbers() {
        let log = ActionLog::default();
        for number in 1..=600 {
            assert_eq!(log.add("ada", format!("action {number}"), Ok("done".into())), number);
        }
        assert_eq!((log.entries().len(), log.entries()[0].number), (MOST, 600));
        assert_eq!(log.entry(101).map(|entry| entry.what), Some("action 101".into()));
        assert_eq!(log.entry(100), None);
    }
}
