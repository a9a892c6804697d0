//! All jobs of a queue, by serial.

use crate::domain::jobq::state::job::Job;
use crate::domain::jobq::state::serial::Serial;
use std::collections::BTreeMap;

/// The serials of one page. Larger pages take less memory for jobs that are close together, and
/// more for a job that is left alone.
const PAGE: u64 = 16;

type Page = Box<[Option<Job>; PAGE as usize]>;

/// Serials only grow, so a page holds the jobs of neighbouring serials. A tree of pages has a
/// sixteenth of the nodes of a tree of jobs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct JobTable {
    pages: BTreeMap<u64, Page>,
    len: usize,
}

fn page_and_slot(serial: Serial) -> (u64, usize) {
    (serial / PAGE, (serial % PAGE) as usize)
}

impl JobTable {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn contains(&self, serial: Serial) -> bool {
        self.get(serial).is_some()
    }

    pub fn get(&self, serial: Serial) -> Option<&Job> {
        let (page, at) = page_and_slot(serial);
        self.pages.get(&page)?[at].as_ref()
    }

    pub fn get_mut(&mut self, serial: Serial) -> Option<&mut Job> {
        let (page, at) = page_and_slot(serial);
        self.pages.get_mut(&page)?[at].as_mut()
    }

    pub fn insert(&mut self, serial: Serial, job: Job) {
        let (page, at) = page_and_slot(serial);
        let old = self.pages.entry(page).or_default()[at].replace(job);
        self.len += usize::from(old.is_none());
    }

    pub fn remove(&mut self, serial: Serial) -> Option<Job> {
        let (number, at) = page_and_slot(serial);
        let page = self.pages.get_mut(&number)?;
        let job = page[at].take()?;
        self.len -= 1;
        if page.iter().all(Option::is_none) {
            self.pages.remove(&number);
        }
        Some(job)
    }

    /// In the order of pushing.
    pub fn iter(&self) -> impl Iterator<Item = (Serial, &Job)> {
        self.pages.iter().flat_map(|(number, page)| {
            let jobs = page.iter().enumerate();
            jobs.filter_map(move |(at, job)| Some((number * PAGE + at as u64, job.as_ref()?)))
        })
    }

    /// The serial of the job that was pushed last.
    pub fn last(&self) -> Option<Serial> {
        let (number, page) = self.pages.last_key_value()?;
        let at = page.iter().rposition(Option::is_some)?;
        Some(number * PAGE + at as u64)
    }

    /// Bytes that the pages take.
    pub fn memory(&self) -> usize {
        self.pages.len() * (size_of::<[Option<Job>; PAGE as usize]>() + 30)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::jobq::state::job::{JobHeader, Payload};

    fn job(nth: u64) -> Job {
        Job::new(JobHeader { created: nth, ..JobHeader::default() }, Payload::default())
    }

    proptest! {
        #[test]
        fn jobs_are_kept_like_in_a_map(steps in prop::collection::vec((0..60u64, any::<bool>()), 0..200)) {
            let (mut jobs, mut map) = (JobTable::default(), BTreeMap::new());
            for (nth, (serial, adds)) in (0..).zip(steps) {
                if adds {
                    jobs.insert(serial, job(nth));
                    map.insert(serial, job(nth));
                } else {
                    prop_assert_eq!(jobs.remove(serial), map.remove(&serial));
                }
                prop_assert_eq!((jobs.len(), jobs.is_empty()), (map.len(), map.is_empty()));
                prop_assert_eq!(jobs.last(), map.last_key_value().map(|(last, _)| *last));
                prop_assert_eq!(jobs.get(serial), map.get(&serial));
                prop_assert!(jobs.iter().eq(map.iter().map(|(serial, job)| (*serial, job))));
            }
            map.keys().for_each(|serial| drop(jobs.remove(*serial)));
            prop_assert_eq!(jobs.memory(), 0);
        }
    }
}
