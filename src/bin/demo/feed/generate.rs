//! A feed with what such traffic really has: redeliveries, changed bodies, a flood, broken lines.

use super::delivery::Delivery;
use super::payloads;
use super::rng::Rng;

/// Out of a thousand lines.
const FLOODING: usize = 120;
const REDELIVERED: usize = 60;
const CHANGED: usize = 15;
const BROKEN: usize = 10;

/// How many lines of each kind were written. Only what the summary compares and tests look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds {
    pub lines: u64,
    pub flooding: u64,
    pub redelivered: u64,
    pub changed: u64,
    pub malformed: u64,
    /// Bodies with NUL bytes and bytes that are not UTF-8.
    pub binary: u64,
}

/// How many deliveries a minute one sender may make, so that of a generated feed only the flood is
/// limited.
pub fn fitting_limit(count: usize) -> usize {
    60 + count / 40
}

/// `count` lines with their line breaks; the same for the same count and seed.
pub fn generate(count: usize, seed: u64) -> (Vec<u8>, Kinds) {
    let mut chance = Rng::seeded(seed);
    let senders = (count / 50).max(6);
    let mut feed = Vec::new();
    let mut kinds = Kinds::default();
    let mut sent: Vec<Delivery> = Vec::new();
    for _ in 0..count {
        let line = line(&mut chance, senders, &mut sent, &mut kinds);
        kinds.lines += 1;
        feed.extend_from_slice(&line);
        feed.push(b'\n');
    }
    (feed, kinds)
}

fn line(chance: &mut Rng, senders: usize, sent: &mut Vec<Delivery>, kinds: &mut Kinds) -> Vec<u8> {
    let share = chance.below(1_000);
    if share < BROKEN {
        kinds.malformed += 1;
        let whole = payloads::ordinary(chance, senders);
        return broken(chance, &whole);
    }
    if share < BROKEN + CHANGED + REDELIVERED && !sent.is_empty() {
        // Half of them come while the first may still be on its way.
        let back = if chance.below(2) == 0 { sent.len().min(8) } else { sent.len() };
        let mut again = sent[sent.len() - 1 - chance.below(back)].clone();
        if share < BROKEN + CHANGED {
            kinds.changed += 1;
            again.body.extend_from_slice(b" ");
        } else {
            kinds.redelivered += 1;
        }
        return again.write();
    }
    let fresh = if share >= 1_000 - FLOODING {
        kinds.flooding += 1;
        payloads::flooding(chance)
    } else {
        payloads::ordinary(chance, senders)
    };
    if fresh.body.contains(&0) && std::str::from_utf8(&fresh.body).is_err() {
        kinds.binary += 1;
    }
    let line = fresh.write();
    sent.push(fresh);
    line
}

/// A line that is no delivery, in one of the ways seen in the wild.
fn broken(chance: &mut Rng, whole: &Delivery) -> Vec<u8> {
    let mut line = whole.write();
    match chance.below(5) {
        0 => line.truncate(line.len() / 2),
        1 => return b"<html><body>502 Bad Gateway</body></html>".to_vec(),
        2 => return format!(r#"{{"topic":"{}","sender":"{}","body":"no id"}}"#, whole.topic, whole.sender).into_bytes(),
        3 => line.extend_from_slice(br#"{"id":"#),
        _ => return b"{\"id\":\"\xff\xfe\",\"topic\":\"push\",\"sender\":\"acme\",\"body\":\"id is not UTF-8\"}".to_vec(),
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};

    const COUNT: usize = 2_000;

    fn lines(feed: &[u8]) -> Vec<&[u8]> {
        feed.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_feed_and_another_seed_another() {
        assert_eq!(generate(COUNT, 1), generate(COUNT, 1));
        assert_ne!(generate(COUNT, 1).0, generate(COUNT, 2).0);
    }

    #[test]
    fn the_feed_holds_every_kind_in_the_numbers_it_says() {
        let (feed, kinds) = generate(COUNT, 7);
        let (mut first, mut repeated, mut changed, mut binary, mut malformed) = (HashMap::new(), 0, 0, 0, 0);
        let mut senders = HashSet::new();
        for line in lines(&feed) {
            let Ok(delivery) = Delivery::read(line) else {
                malformed += 1;
                continue;
            };
            senders.insert(delivery.sender.clone());
            match first.get(&delivery.id) {
                None => {
                    binary +=
                        u64::from(delivery.body.contains(&0) && std::str::from_utf8(&delivery.body).is_err());
                    first.insert(delivery.id, delivery.body);
                }
                Some(body) if *body == delivery.body => repeated += 1,
                Some(_) => changed += 1,
            }
        }
        assert_eq!(lines(&feed).len() as u64, kinds.lines);
        assert_eq!(
            (malformed, repeated, changed, binary),
            (kinds.malformed, kinds.redelivered, kinds.changed, kinds.binary)
        );
        assert!(malformed > 0 && repeated > 0 && changed > 0 && binary > 0, "{kinds:?}");
        assert!(senders.len() > 10);
    }

    #[test]
    fn only_the_flood_goes_over_the_limit() {
        let (feed, kinds) = generate(COUNT, 7);
        let mut by_sender: HashMap<String, usize> = HashMap::new();
        for delivery in lines(&feed).into_iter().filter_map(|line| Delivery::read(line).ok()) {
            *by_sender.entry(delivery.sender).or_default() += 1;
        }
        let over: Vec<_> = by_sender.iter().filter(|(_, count)| **count > fitting_limit(COUNT)).collect();
        assert_eq!(over.len(), 1, "{over:?}");
        assert_eq!(over[0].0, payloads::FLOOD);
        assert!(kinds.flooding > 0);
    }
}
