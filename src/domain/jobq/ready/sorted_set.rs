//! A set of pairs of numbers in their order, cheap where most of them come and go: at its ends.
//!
//! Jobs join most indexes in the order of time and leave them at the front. So neighbours share a
//! block, in a tree of blocks. The last block is kept apart, so a pair that comes last is appended
//! without a search. Every step costs O(log n), and a block of 64 in addition.

use std::collections::btree_map::{BTreeMap, Range};
use std::collections::vec_deque::{self, VecDeque};
use std::mem;
use std::ops::Bound::{self, Excluded, Included, Unbounded};

pub(crate) type Pair = (u64, u64);

type Block = VecDeque<Pair>;

/// The most pairs in a block.
const MAX_BLOCK_LEN: usize = 64;
/// Two neighbours that have no more than this together become one, when one of them has become
/// small.
const JOINED: usize = 48;
const SMALL: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct SortedSet {
    /// All blocks but the last, none of them empty. What a block has is not before its key, and
    /// before the key of the next.
    blocks: BTreeMap<Pair, Block>,
    /// Empty only where there are no others.
    last: Block,
    len: usize,
}

impl SortedSet {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn first(&self) -> Option<&Pair> {
        self.blocks.first_key_value().map_or(&self.last, |(_, block)| block).front()
    }

    /// Adds a pair; false when it is there already.
    pub fn insert(&mut self, pair: Pair) -> bool {
        let is_new = if self.last.back().is_none_or(|back| *back < pair) {
            self.append(pair);
            true
        } else if self.is_for_last(&pair) {
            self.insert_into_last(pair)
        } else {
            self.insert_before_last(pair)
        };
        self.len += usize::from(is_new);
        is_new
    }

    /// Takes a pair out; false when it is not there.
    pub fn remove(&mut self, pair: &Pair) -> bool {
        let was_there =
            if self.is_for_last(pair) { self.remove_from_last(pair) } else { self.remove_before_last(pair) };
        self.len -= usize::from(was_there);
        was_there
    }

    pub fn iter(&self) -> Iter<'_> {
        self.from(Unbounded)
    }

    /// Those from a pair on, or after it.
    pub fn from(&self, start: Bound<Pair>) -> Iter<'_> {
        let (Included(pair) | Excluded(pair)) = start else {
            return Iter { front: Default::default(), blocks: self.blocks.range(..), last: self.last.iter() };
        };
        // What comes before the start in its block, and in the last one.
        let passed = |block: &Block| block.partition_point(|at| !starts(&start, at));
        let first = self.blocks.range(..=pair).next_back();
        let blocks = first.map_or(Unbounded, |(key, _)| Excluded(*key));
        Iter {
            front: first.map(|(_, block)| block.range(passed(block)..)).unwrap_or_default(),
            blocks: self.blocks.range((blocks, Unbounded)),
            last: self.last.range(passed(&self.last)..),
        }
    }

    /// Those before a pair, the nearest first.
    pub fn before(&self, end: Pair) -> impl Iterator<Item = &Pair> {
        let near = move |block: &'_ Block| block.partition_point(|at| *at < end);
        let others = self.blocks.range(..end).rev().map(|(_, block)| block);
        [&self.last].into_iter().chain(others).flat_map(move |block| block.range(..near(block)).rev())
    }

    fn is_for_last(&self, pair: &Pair) -> bool {
        self.blocks.is_empty() || self.last.front().is_some_and(|front| front <= pair)
    }

    fn append(&mut self, pair: Pair) {
        if self.last.len() == MAX_BLOCK_LEN {
            let full = mem::replace(&mut self.last, Block::with_capacity(MAX_BLOCK_LEN));
            self.blocks.insert(full[0], full);
        }
        self.last.push_back(pair);
    }

    fn insert_into_last(&mut self, pair: Pair) -> bool {
        let Err(at) = self.last.binary_search(&pair) else { return false };
        self.last.insert(at, pair);
        if self.last.len() > MAX_BLOCK_LEN {
            let upper = self.last.split_off(MAX_BLOCK_LEN / 2);
            let lower = mem::replace(&mut self.last, upper);
            self.blocks.insert(lower[0], lower);
        }
        true
    }

    fn insert_before_last(&mut self, pair: Pair) -> bool {
        if self.blocks.first_key_value().is_some_and(|(key, _)| pair < *key)
            && let Some((_, first)) = self.blocks.pop_first()
        {
            self.blocks.insert(pair, first);
        }
        let Some((_, block)) = self.blocks.range_mut(..=pair).next_back() else { return false };
        let Err(at) = block.binary_search(&pair) else { return false };
        block.insert(at, pair);
        if block.len() > MAX_BLOCK_LEN {
            let upper = block.split_off(MAX_BLOCK_LEN / 2);
            self.blocks.insert(upper[0], upper);
        }
        true
    }

    fn remove_from_last(&mut self, pair: &Pair) -> bool {
        let was_there = take(&mut self.last, pair);
        if self.last.is_empty() {
            self.last = self.blocks.pop_last().map(|(_, block)| block).unwrap_or_default();
        }
        was_there
    }

    fn remove_before_last(&mut self, pair: &Pair) -> bool {
        let Some((key, block)) = self.blocks.range_mut(..=*pair).next_back() else { return false };
        if !take(block, pair) {
            return false;
        }
        let (key, left) = (*key, block.len());
        if left == 0 {
            self.blocks.remove(&key);
        } else if left <= SMALL && left.is_power_of_two() {
            self.join(key);
        }
        true
    }

    /// Joins a small block to a neighbour with which it makes no large one.
    fn join(&mut self, key: Pair) {
        let before = self.blocks.range(..key).next_back().map(|(before, _)| (*before, key));
        let after = self.blocks.range((Excluded(key), Unbounded)).next().map(|(after, _)| (key, *after));
        let len = |key: &Pair| self.blocks.get(key).map_or(0, Block::len);
        let fits = |(one, other): &(Pair, Pair)| len(one) + len(other) <= JOINED;
        let Some((one, other)) = [before, after].into_iter().flatten().find(fits) else { return };
        let upper = self.blocks.remove(&other).unwrap_or_default();
        if let Some(lower) = self.blocks.get_mut(&one) {
            lower.extend(upper);
        }
    }
}

/// Takes a pair out of a block: mostly it is the first.
fn take(block: &mut Block, pair: &Pair) -> bool {
    if block.front() == Some(pair) {
        block.pop_front();
        return true;
    }
    block.binary_search(pair).is_ok_and(|at| block.remove(at).is_some())
}

fn starts(start: &Bound<Pair>, at: &Pair) -> bool {
    match start {
        Included(pair) => pair <= at,
        Excluded(pair) => pair < at,
        Unbounded => true,
    }
}

/// Pairs in their order.
#[derive(Debug, Clone)]
pub(crate) struct Iter<'s> {
    front: vec_deque::Iter<'s, Pair>,
    blocks: Range<'s, Pair, Block>,
    last: vec_deque::Iter<'s, Pair>,
}

impl<'s> Iterator for Iter<'s> {
    type Item = &'s Pair;

    fn next(&mut self) -> Option<&'s Pair> {
        loop {
            if let Some(pair) = self.front.next() {
                return Some(pair);
            }
            match self.blocks.next() {
                Some((_, block)) => self.front = block.iter(),
                None => return self.last.next(),
            }
        }
    }
}

impl<'s> IntoIterator for &'s SortedSet {
    type Item = &'s Pair;
    type IntoIter = Iter<'s>;

    fn into_iter(self) -> Iter<'s> {
        self.iter()
    }
}

/// The jobs of one state that a time orders, then the order of pushing.
pub(crate) type TimeIndex = SortedSet;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        /// So many, one after the other, from here on.
        Run(u64, usize),
        Insert(u64),
        Remove(u64),
        /// So many from the front, or the back.
        Front(usize),
        Back(usize),
        /// All but every nth.
        Thin(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..2_000u64, 1..300usize).prop_map(|(from, count)| Step::Run(from, count)),
            (0..2_500u64).prop_map(Step::Insert),
            (0..2_500u64).prop_map(Step::Remove),
            (1..200usize).prop_map(Step::Front),
            (1..200usize).prop_map(Step::Back),
            (2..80usize).prop_map(Step::Thin),
        ]
    }

    fn pair(number: u64) -> Pair {
        (number / 7, number % 7)
    }

    fn check(sorted: &SortedSet) {
        assert_eq!(sorted.len, sorted.blocks.values().map(Block::len).sum::<usize>() + sorted.last.len());
        assert!(!sorted.last.is_empty() || sorted.blocks.is_empty());
        let mut before = None;
        for (key, block) in &sorted.blocks {
            assert!((1..=MAX_BLOCK_LEN).contains(&block.len()));
            assert!(*key <= block[0] && before < Some(*key), "in order");
            before = block.back().copied();
        }
        assert!(sorted.last.len() <= MAX_BLOCK_LEN);
        assert!(sorted.iter().is_sorted_by(|one, next| one < next));
    }

    fn run(sorted: &mut SortedSet, set: &mut BTreeSet<Pair>, step: Step) {
        let all: Vec<Pair> = set.iter().copied().collect();
        let mut remove = |gone: &[Pair]| {
            for pair in gone {
                assert_eq!(sorted.remove(pair), set.remove(pair));
            }
        };
        match step {
            Step::Run(from, count) => {
                for number in (from..).take(count) {
                    assert_eq!(sorted.insert(pair(number)), set.insert(pair(number)));
                }
            }
            Step::Insert(number) => assert_eq!(sorted.insert(pair(number)), set.insert(pair(number))),
            Step::Remove(number) => remove(&[pair(number)]),
            Step::Front(count) => remove(&all[..count.min(all.len())]),
            Step::Back(count) => remove(&all[all.len().saturating_sub(count)..]),
            Step::Thin(nth) => {
                let gone = all.iter().enumerate().filter(|(at, _)| at % nth > 0);
                remove(&gone.map(|(_, pair)| *pair).collect::<Vec<_>>());
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_a_set_in_order(steps in prop::collection::vec(step(), 1..40), look in 0..2_500u64) {
            let (mut sorted, mut set) = (SortedSet::default(), BTreeSet::new());
            for step in steps {
                run(&mut sorted, &mut set, step);
                check(&sorted);
                prop_assert_eq!(sorted.first(), set.first());
                prop_assert_eq!((sorted.len(), sorted.is_empty()), (set.len(), set.is_empty()));
                prop_assert!(sorted.iter().eq(&set));
                let look = pair(look);
                for start in [Included(look), Excluded(look)] {
                    prop_assert!(sorted.from(start).eq(set.range((start, Unbounded))));
                }
                prop_assert!(sorted.before(look).eq(set.range(..look).rev()));
            }
        }
    }

    #[test]
    fn blocks_that_have_become_small_are_joined() {
        let mut sorted = SortedSet::default();
        (0..64_000).for_each(|number| assert!(sorted.insert((number, 0))));
        assert_eq!(sorted.blocks.len(), 999, "full ones");
        (0..64_000).filter(|number| number % 64 > 0).for_each(|number| assert!(sorted.remove(&(number, 0))));
        check(&sorted);
        assert!(sorted.blocks.len() < 100, "{}", sorted.blocks.len());
    }

    #[test]
    fn the_latest_may_come_first() {
        let mut sorted = SortedSet::default();
        (0..10_000).rev().for_each(|number| assert!(sorted.insert((number, number))));
        check(&sorted);
        assert!(sorted.iter().copied().eq((0..10_000).map(|number| (number, number))));
        (0..10_000).for_each(|number| assert!(sorted.remove(&(number, number))));
        assert_eq!((sorted.first(), sorted.blocks.len()), (None, 0));
    }
}
