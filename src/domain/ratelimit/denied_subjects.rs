//! The subjects that were denied most, in bounded memory: Space-Saving (Metwally, Agrawal and El
//! Abbadi, 2005).
//!
//! The counter of the subject with the fewest denials is taken over by a new one. So every subject
//! that has more than 1/[`MAX_SUBJECTS`] of all denials is there, and its number is at most `error`
//! too high.

/// How many subjects are counted at once.
pub const MAX_SUBJECTS: usize = 50;

/// The longest name of a subject that is counted, in bytes.
pub const MAX_SUBJECT_BYTES: usize = 256;

/// One subject and how often it was denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeniedSubject {
    pub db: i32,
    pub key: Box<[u8]>,
    /// At most `error` too high.
    pub denied: u64,
    pub error: u64,
}

/// The counters. Hashes stand apart, because most denials look a subject up.
#[derive(Debug, Default)]
pub struct DeniedSubjects {
    hashes: Vec<u64>,
    subjects: Vec<DeniedSubject>,
    /// Where the last subject stands.
    last: usize,
}

impl DeniedSubjects {
    /// Counts a denial of `key` in the database `db`. A longer name is not counted.
    pub fn add(&mut self, db: i32, key: &[u8]) {
        if key.len() > MAX_SUBJECT_BYTES {
            return;
        }
        // Most often it is the same one again.
        if let Some(last) = self.subjects.get_mut(self.last)
            && last.db == db
            && *last.key == *key
        {
            last.denied += 1;
            return;
        }
        let hash = hash_of(db, key);
        match self.find(hash, db, key) {
            Some(at) => {
                self.subjects[at].denied += 1;
                self.last = at;
            }
            None => self.begin(hash, db, key),
        }
    }

    fn find(&self, hash: u64, db: i32, key: &[u8]) -> Option<usize> {
        let is_it = |at: usize| {
            let subject = &self.subjects[at];
            self.hashes[at] == hash && subject.db == db && *subject.key == *key
        };
        let same = self.hashes.iter().enumerate().filter(|(_, other)| **other == hash);
        same.map(|(at, _)| at).find(|at| is_it(*at))
    }

    fn begin(&mut self, hash: u64, db: i32, key: &[u8]) {
        let key = Box::from(key);
        if self.subjects.len() < MAX_SUBJECTS {
            self.last = self.subjects.len();
            self.hashes.push(hash);
            self.subjects.push(DeniedSubject { db, key, denied: 1, error: 0 });
            return;
        }
        let fewest = self.subjects.iter().enumerate().min_by_key(|(_, subject)| subject.denied);
        let Some((at, subject)) = fewest else { return };
        let error = subject.denied;
        self.hashes[at] = hash;
        self.subjects[at] = DeniedSubject { db, key, denied: error + 1, error };
        self.last = at;
    }

    /// Those denied most first; of equal ones the first by name.
    pub fn most_denied(&self) -> Vec<DeniedSubject> {
        let mut subjects = self.subjects.clone();
        subjects.sort_by(|a, b| b.denied.cmp(&a.denied).then_with(|| (a.db, &a.key).cmp(&(b.db, &b.key))));
        subjects
    }
}

/// FNV-1a over words of eight bytes. Names that share a hash are compared.
fn hash_of(db: i32, key: &[u8]) -> u64 {
    const PRIME: u64 = 0x100_0000_01b3;
    let start = 0xcbf2_9ce4_8422_2325_u64 ^ (db as u64) ^ ((key.len() as u64) << 32);
    let words = key.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    });
    words.fold(start, |hash, word| (hash ^ word).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn few_subjects_are_counted_exactly() {
        let mut subjects = DeniedSubjects::default();
        for (key, times) in [("a", 3), ("b", 7), ("c", 1)] {
            (0..times).for_each(|_| subjects.add(0, key.as_bytes()));
        }
        subjects.add(1, b"a");
        subjects.add(0, &[b'x'; MAX_SUBJECT_BYTES + 1]);
        let shown: Vec<_> = subjects
            .most_denied()
            .into_iter()
            .map(|subject| (subject.db, subject.key, subject.denied))
            .collect();
        let row = |db, key: &str, denied| (db, Box::from(key.as_bytes()), denied);
        assert_eq!(shown, [row(0, "b", 7), row(0, "a", 3), row(0, "c", 1), row(1, "a", 1)]);
        assert!(subjects.most_denied().iter().all(|subject| subject.error == 0));
    }

    proptest! {
        #[test]
        fn the_most_denied_are_there_and_no_number_is_wrong_by_more_than_its_error(
            denials in prop::collection::vec(prop_oneof![0..200_u16, 0..9_u16], 0..3_000),
        ) {
            let mut subjects = DeniedSubjects::default();
            let mut exact: HashMap<Vec<u8>, u64> = HashMap::new();
            for number in &denials {
                let key = format!("user:{number}").into_bytes();
                subjects.add(0, &key);
                *exact.entry(key).or_default() += 1;
            }
            let found = subjects.most_denied();
            prop_assert!(found.len() <= MAX_SUBJECTS);
            for subject in &found {
                let true_number = exact[&subject.key[..]];
                prop_assert!(subject.denied >= true_number && subject.denied - subject.error <= true_number);
            }
            for (key, number) in exact {
                let is_frequent = number * MAX_SUBJECTS as u64 > denials.len() as u64;
                prop_assert!(!is_frequent || found.iter().any(|subject| *subject.key == *key));
            }
        }
    }
}
