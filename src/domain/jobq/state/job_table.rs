//! All jobs of a queue, by serial.

use crate::domain::jobq::state::job::{BorrowedJob, Job, JobOptions};
use crate::domain::jobq::state::job_page::{JobMut, PAGE, Page};
use crate::domain::jobq::state::lifetime::JobLifetime;
use crate::domain::jobq::state::serial::Serial;
use std::collections::BTreeMap;
use std::mem;

/// The pages of one leaf.
const LEAF: u64 = 8;

type Leaf = [Option<Page>; LEAF as usize];

/// What a leaf takes, with its share of a node of the tree.
const LEAF_BYTES: usize = size_of::<Leaf>() + 32;

/// Serials only grow, so a page holds the jobs of neighbouring serials. The newest page, which jobs
/// join, is apart: a job that has just been pushed is found without a search. Where one job comes
/// and goes at a time, nothing is allocated but the job. A tree of leaves of eight pages has a
/// hundredth of the nodes of a tree of jobs.
#[derive(Debug, Default)]
pub(crate) struct JobTable {
    /// The pages before the newest, without those that are empty.
    leaves: BTreeMap<u64, Box<Leaf>>,
    /// The page of the highest serials; kept when its jobs are gone.
    newest: Option<Page>,
    /// The number of the newest page, 0 before there is one.
    newest_number: u64,
    len: usize,
    /// Bytes of pages and leaves.
    memory: usize,
}

#[inline]
fn page_and_place(serial: Serial) -> (u64, usize) {
    (serial / PAGE, (serial % PAGE) as usize)
}

#[inline]
fn leaf_and_place(number: u64) -> (u64, usize) {
    (number / LEAF, (number % LEAF) as usize)
}

#[cfg(test)]
impl PartialEq for JobTable {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
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

    #[inline]
    pub fn get(&self, serial: Serial) -> Option<BorrowedJob<'_>> {
        let (number, place) = page_and_place(serial);
        self.page(number)?.get(place)
    }

    /// A job to be changed.
    #[inline]
    pub fn get_mut(&mut self, serial: Serial) -> Option<JobMut<'_>> {
        let (number, place) = page_and_place(serial);
        let JobTable { leaves, newest, newest_number, memory, .. } = self;
        let page = if number == *newest_number { newest.as_mut() } else { older_page_mut(leaves, number) };
        JobMut::of(page?, place, memory)
    }

    pub fn options_mut(&mut self, serial: Serial) -> Option<&mut JobOptions> {
        let (number, place) = page_and_place(serial);
        self.page_mut(number)?.options_mut(place)
    }

    pub fn lifetime_mut(&mut self, serial: Serial) -> Option<&mut JobLifetime> {
        self.options_mut(serial)?.lifetime.as_deref_mut()
    }

    /// Adds a job, or replaces the one with this serial.
    pub fn insert(&mut self, serial: Serial, job: Job) {
        let (number, place) = page_and_place(serial);
        if self.newest.is_none() || number > self.newest_number {
            self.begin_page(number);
        }
        let JobTable { leaves, newest, newest_number, memory, .. } = self;
        let page = if number == *newest_number {
            newest.get_or_insert_default()
        } else {
            let (leaf, at) = leaf_and_place(number);
            leaf_mut(leaves, leaf, memory)[at].get_or_insert_with(|| {
                let page = Page::default();
                *memory += page.memory();
                page
            })
        };
        let old = page.take(place);
        *memory += page.put(place, job);
        self.len += usize::from(old.is_none());
    }

    /// Begins the page of higher serials than there have been.
    fn begin_page(&mut self, number: u64) {
        let before = mem::replace(&mut self.newest_number, number);
        match &mut self.newest {
            // It becomes the new one.
            Some(page) if page.is_empty() => {}
            Some(page) => {
                let full = mem::take(page);
                self.memory += page.memory();
                let (leaf, at) = leaf_and_place(before);
                leaf_mut(&mut self.leaves, leaf, &mut self.memory)[at] = Some(full);
            }
            None => self.memory += self.newest.get_or_insert_default().memory(),
        }
    }

    pub fn remove(&mut self, serial: Serial) -> Option<Job> {
        let (number, place) = page_and_place(serial);
        let page = self.page_mut(number)?;
        let job = page.take(place)?;
        let is_over = page.is_empty() && number != self.newest_number;
        self.len -= 1;
        if is_over {
            self.remove_page(number);
        }
        Some(job)
    }

    /// Removes a page that is not the newest, and its leaf with the last of its pages.
    fn remove_page(&mut self, number: u64) {
        let (leaf, at) = leaf_and_place(number);
        let Some(pages) = self.leaves.get_mut(&leaf) else { return };
        self.memory -= pages[at].take().map_or(0, |page| page.memory());
        if pages.iter().all(Option::is_none) {
            self.leaves.remove(&leaf);
            self.memory -= LEAF_BYTES;
        }
    }

    #[inline]
    fn page(&self, number: u64) -> Option<&Page> {
        if number == self.newest_number {
            return self.newest.as_ref();
        }
        let (leaf, at) = leaf_and_place(number);
        self.leaves.get(&leaf)?[at].as_ref()
    }

    #[inline]
    fn page_mut(&mut self, number: u64) -> Option<&mut Page> {
        if number == self.newest_number {
            return self.newest.as_mut();
        }
        older_page_mut(&mut self.leaves, number)
    }

    /// In the order of pushing.
    pub fn iter(&self) -> impl Iterator<Item = (Serial, BorrowedJob<'_>)> {
        let older = self.leaves.iter().flat_map(|(leaf, pages)| {
            let pages = pages.iter().enumerate();
            pages.filter_map(move |(at, page)| Some((leaf * LEAF + at as u64, page.as_ref()?)))
        });
        let newest = self.newest.iter().map(|page| (self.newest_number, page));
        older.chain(newest).flat_map(|(number, page)| {
            page.iter().map(move |(place, job)| (number * PAGE + place as u64, job))
        })
    }

    /// The serial of the job that was pushed last.
    pub fn last(&self) -> Option<Serial> {
        if let Some(place) = self.newest.as_ref().and_then(Page::last) {
            return Some(self.newest_number * PAGE + place as u64);
        }
        let (leaf, pages) = self.leaves.last_key_value()?;
        let at = pages.iter().rposition(Option::is_some)?;
        let place = pages[at].as_ref()?.last()?;
        Some((leaf * LEAF + at as u64) * PAGE + place as u64)
    }

    /// Bytes that it takes beside the jobs.
    pub fn memory(&self) -> usize {
        self.memory
    }
}

fn older_page_mut(leaves: &mut BTreeMap<u64, Box<Leaf>>, number: u64) -> Option<&mut Page> {
    let (leaf, at) = leaf_and_place(number);
    leaves.get_mut(&leaf)?[at].as_mut()
}

/// A leaf, which is made if there is none.
fn leaf_mut<'t>(leaves: &'t mut BTreeMap<u64, Box<Leaf>>, leaf: u64, memory: &mut usize) -> &'t mut Leaf {
    leaves.entry(leaf).or_insert_with(|| {
        *memory += LEAF_BYTES;
        Box::default()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::jobq::state::job_header::{JobHeader, LastOutcome, State};
    use crate::domain::jobq::state::payload::{HEADER_BYTES, Payload};
    use crate::domain::time::UnixMs;

    #[derive(Debug, Clone)]
    enum Step {
        Insert(Job),
        Remove,
        Change(Job),
        /// Only the lease that it says itself, where it has options.
        ChangeOptions(u64),
    }

    /// As it was pushed: to run at once, or later.
    fn pushed() -> impl Strategy<Value = JobHeader> {
        (any::<UnixMs>(), any::<UnixMs>(), any::<bool>()).prop_map(|(created, later, delayed)| {
            let at = if delayed { later } else { created };
            let state = if delayed { State::Delayed } else { State::Ready };
            JobHeader { state, at, ready_at: at, created, ..JobHeader::default() }
        })
    }

    fn any_header() -> impl Strategy<Value = JobHeader> {
        let (states, outcomes) = (prop::sample::select(&State::ALL), prop::sample::select(&LastOutcome::ALL));
        let numbers = (any::<UnixMs>(), any::<UnixMs>(), any::<UnixMs>(), any::<u64>());
        (states, outcomes, any::<u16>(), any::<i32>(), numbers).prop_map(
            |(state, last_outcome, retries, priority, (at, ready_at, created, token))| JobHeader {
                state,
                last_outcome,
                retries,
                priority,
                at,
                ready_at,
                created,
                token,
            },
        )
    }

    fn job() -> impl Strategy<Value = Job> {
        let headers = prop_oneof![2 => pushed(), 1 => any_header()];
        let options = prop::option::weighted(0.3, (any::<u64>(), prop::option::of(any::<[u8; 3]>())));
        let payload = prop::collection::vec(any::<u8>(), 0..4);
        (headers, options, payload).prop_map(|(header, options, payload)| {
            let mut job = Job::new(header, Payload::from(&payload[..]));
            job.options = options.map(|(lease, id)| {
                Box::new(JobOptions { lease, id: id.map(|id| id.into()), ..JobOptions::default() })
            });
            job
        })
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => job().prop_map(Step::Insert),
            2 => Just(Step::Remove),
            2 => job().prop_map(Step::Change),
            1 => any::<u64>().prop_map(Step::ChangeOptions),
        ]
    }

    /// Near to each other, and far.
    fn serials() -> impl Strategy<Value = Serial> {
        prop_oneof![0..60u64, 0..1_000u64]
    }

    /// What pages and leaves take, looked at one by one.
    fn memory_of(jobs: &JobTable) -> usize {
        let older = jobs.leaves.values().flat_map(|pages| pages.iter().flatten());
        let pages = older.chain(&jobs.newest).map(Page::memory).sum::<usize>();
        pages + jobs.leaves.len() * LEAF_BYTES
    }

    fn run(jobs: &mut JobTable, map: &mut BTreeMap<Serial, Job>, serial: Serial, step: Step) {
        match step {
            Step::Insert(job) => {
                jobs.insert(serial, job.clone());
                map.insert(serial, job);
            }
            Step::Remove => assert_eq!(jobs.remove(serial), map.remove(&serial)),
            Step::Change(to) => {
                let (job, known) = (jobs.get_mut(serial), map.get_mut(&serial));
                assert_eq!(job.is_some(), known.is_some());
                if let (Some(mut job), Some(known)) = (job, known) {
                    assert_eq!(*job, *known);
                    job.clone_from(&to);
                    *known = to;
                }
            }
            Step::ChangeOptions(lease) => {
                let known = map.get_mut(&serial).and_then(|job| job.options.as_deref_mut());
                let options = jobs.options_mut(serial);
                assert_eq!(options, known);
                options.into_iter().chain(known).for_each(|options| options.lease = lease);
            }
        }
    }

    proptest! {
        #[test]
        fn jobs_are_kept_like_in_a_map(steps in prop::collection::vec((serials(), step()), 0..200)) {
            let (mut jobs, mut map) = (JobTable::default(), BTreeMap::new());
            for (serial, step) in steps {
                run(&mut jobs, &mut map, serial, step);
                prop_assert_eq!((jobs.len(), jobs.is_empty()), (map.len(), map.is_empty()));
                prop_assert_eq!(jobs.last(), map.last_key_value().map(|(last, _)| *last));
                prop_assert_eq!(jobs.get(serial), map.get(&serial).map(Job::read));
                prop_assert_eq!(jobs.contains(serial), map.contains_key(&serial));
                prop_assert!(jobs.iter().eq(map.iter().map(|(serial, job)| (*serial, job.read()))));
                prop_assert_eq!(jobs.memory(), memory_of(&jobs));
            }
            map.keys().for_each(|serial| drop(jobs.remove(*serial)));
            prop_assert!(jobs.leaves.is_empty());
            prop_assert_eq!(jobs.memory(), jobs.newest.as_ref().map_or(0, Page::memory));
        }
    }

    fn fresh(now: UnixMs) -> Job {
        let header = JobHeader { at: now, ready_at: now, created: now, ..JobHeader::default() };
        Job::new(header, Payload::from(&[0; 200][..]))
    }

    #[test]
    fn a_waiting_job_takes_24_bytes_beside_its_payload_and_18_of_the_table() {
        assert_eq!((HEADER_BYTES, Payload::from(&[0; 200][..]).allocated()), (24, 224));
        let mut jobs = JobTable::default();
        (0..12_800).for_each(|serial| jobs.insert(serial, fresh(serial)));
        assert!(jobs.memory() <= 18 * jobs.len(), "{}", jobs.memory());
        // A delayed job takes no more.
        let before = jobs.memory();
        (0..12_800).for_each(|serial| {
            let mut job = jobs.get_mut(serial).expect("the job");
            (job.state, job.at, job.ready_at) = (State::Delayed, serial + 1, serial + 1);
        });
        assert_eq!(jobs.memory(), before);
        jobs.get_mut(20).expect("the job").token = 1;
        assert_eq!(jobs.memory(), before + 256, "its neighbours share what a run needs");
        jobs.get_mut(31).expect("the job").token = 2;
        assert_eq!(jobs.memory(), before + 256);
    }

    #[test]
    fn jobs_that_come_and_go_one_by_one_share_a_page() {
        let mut jobs = JobTable::default();
        let mut memory = None;
        for serial in 0..1_000 {
            jobs.insert(serial, fresh(1));
            jobs.get_mut(serial).expect("the job").token = 1;
            assert_eq!(*memory.get_or_insert(jobs.memory()), jobs.memory());
            assert_eq!(jobs.remove(serial).map(|job| job.token), Some(1));
        }
    }
}
