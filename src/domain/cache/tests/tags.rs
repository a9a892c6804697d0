use super::*;
use crate::domain::cache::*;
use crate::domain::decision::Decision;
use crate::domain::global_state::Table;
use crate::domain::time::{HOUR, MINUTE, UnixMs};
use crate::domain::token::{EPOCH_MS, TokenClock};
use crate::domain::value::{Effect as _, Lifetime, Value};
use proptest::prelude::*;
use std::collections::BTreeMap;

const KEYS: [&str; 4] = ["a", "ab", "abc", "b"];
const TAGS: [&str; 3] = ["x", "y", "z"];

#[derive(Debug, Clone)]
enum Step {
    Read {
        key: usize,
        lease: u64,
    },
    /// By the n-th newest token that was ever granted for the key, or by none.
    Set {
        key: usize,
        by: Option<usize>,
        tags: Vec<usize>,
        ttl: Option<u64>,
        grace: u64,
    },
    InvalidateTag {
        tag: usize,
        hard: bool,
    },
    /// The first letters of a key.
    InvalidatePrefix {
        key: usize,
        length: usize,
        hard: bool,
    },
    Forward(u64),
    Delete(usize),
    /// Entries and table are saved and loaded; what the process knew besides is gone.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = || 0..KEYS.len();
    let some_tags = prop::collection::vec(0..TAGS.len(), 0..3);
    let step = prop_oneof![
        6 => (key(), 1..3 * HOUR).prop_map(|(key, lease)| Step::Read { key, lease }),
        6 => (key(), prop::option::weighted(0.8, 0..3usize), some_tags, prop::option::of(1..2 * HOUR), 0..HOUR)
            .prop_map(|(key, by, tags, ttl, grace)| Step::Set { key, by, tags, ttl, grace }),
        3 => (0..TAGS.len(), any::<bool>()).prop_map(|(tag, hard)| Step::InvalidateTag { tag, hard }),
        2 => (key(), 0..4usize, any::<bool>())
            .prop_map(|(key, length, hard)| Step::InvalidatePrefix { key, length, hard }),
        3 => prop_oneof![1..MINUTE, HOUR..5 * HOUR].prop_map(Step::Forward),
        1 => key().prop_map(Step::Delete),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..80)
}

/// A server with some keys.
struct ServerModel {
    now: UnixMs,
    tokens: TokenClock,
    entries: BTreeMap<usize, CacheEntry>,
    invalidations: Invalidations,
    latest_expiry: LatestExpiry,
}

impl ServerModel {
    fn new() -> Self {
        ServerModel {
            now: EPOCH_MS + HOUR,
            tokens: TokenClock::new(),
            entries: BTreeMap::new(),
            invalidations: Invalidations::default(),
            latest_expiry: LatestExpiry::NONE,
        }
    }

    fn apply(&mut self, key: usize, effect: Effect) {
        self.tokens.saw(effect.highest_token());
        assert_eq!(Effect::decode(&effect.encode(), effect.payload()).as_ref(), Ok(&effect));
        let mut entry = self.entries.remove(&key).unwrap_or_default();
        entry.apply(effect);
        self.latest_expiry = self.latest_expiry.join(entry.latest_expiry());
        if entry.lifetime() != Lifetime::Over {
            self.entries.insert(key, entry);
        }
    }

    fn run<R>(
        &mut self,
        key: usize,
        decide: impl FnOnce(Option<&CacheEntry>, &Invalidations, UnixMs, &TokenClock) -> Decision<R, Effect>,
    ) -> R {
        let now = self.now;
        self.entries.retain(|_, entry| !matches!(entry.lifetime(), Lifetime::Until(end) if end <= now));
        let overruled = self
            .entries
            .get(&key)
            .and_then(|entry| entry.invalidated(KEYS[key].as_bytes(), &self.invalidations));
        if let Some(effect) = overruled {
            self.apply(key, effect);
            let entry = self.entries.get(&key);
            let again = entry.and_then(|entry| entry.invalidated(KEYS[key].as_bytes(), &self.invalidations));
            assert_eq!(again, None, "once is enough");
        }
        let decision = decide(self.entries.get(&key), &self.invalidations, now, &self.tokens);
        if let Some(effect) = decision.effect {
            self.apply(key, effect);
        }
        decision.reply
    }

    fn read(&mut self, key: usize, lease: u64) -> (State, u64) {
        self.run(key, |entry, _, now, tokens| {
            let request = GetSetRequest { lease, touch: None, early: None };
            let decision = decide_getset(entry, &request, now, tokens).unwrap();
            Decision { reply: (decision.reply.state, decision.reply.token), effect: decision.effect }
        })
    }

    fn set(&mut self, key: usize, token: Option<u64>, tags: &Tags, ttl: Option<u64>, grace: u64) -> bool {
        self.run(key, |entry, invalidations, now, tokens| {
            let set = SetRequest { value: Some(b"v"), token, ttl, grace: Some(grace), client_meta: None };
            let decide = || {
                decide_set(
                    entry,
                    &set,
                    &EffectivePolicy { limit: 10, ..EffectivePolicy::default() },
                    now,
                    tokens,
                )
            };
            if tags.is_empty() {
                return decide().unwrap();
            }
            let invalidation = invalidations.newest_for(KEYS[key].as_bytes(), tags.iter()).of_any_level();
            decide_set_with_tags(entry, tags.clone(), token, invalidation, now, decide).unwrap()
        })
    }

    fn invalidate(&mut self, scope: Scope, hard: bool, name: &[u8]) {
        let effect = decide_invalidate(scope, hard, &[name], self.latest_expiry, self.now, &self.tokens)
            .unwrap()
            .effect;
        let effect = effect.unwrap();
        self.tokens.saw(effect.highest_token());
        self.invalidations.apply(effect);
    }

    fn restart(&mut self) {
        self.invalidations =
            Invalidations::load(Invalidations::ENCODING, &self.invalidations.save()).unwrap();
        self.latest_expiry = LatestExpiry::NONE;
        for entry in self.entries.values_mut() {
            let mut loaded = CacheEntry::default();
            entry.save(&mut |block| loaded.load(CacheEntry::ENCODING, block).unwrap());
            assert_eq!(&loaded, entry);
            *entry = loaded;
            self.latest_expiry = self.latest_expiry.join(entry.latest_expiry());
        }
    }
}

/// What was stored last under a key: in which step its load began, and its tags.
struct StoredValue {
    began: usize,
    tags: Vec<usize>,
    fresh_until: Option<UnixMs>,
}

enum Gone {
    Tag(usize),
    Prefix(String),
}

/// Everything that has happened, one by one.
#[derive(Default)]
struct History {
    stored: BTreeMap<usize, StoredValue>,
    granted: BTreeMap<usize, Vec<(u64, usize)>>,
    /// The step, whether it was hard, and the name.
    gone: Vec<(usize, bool, Gone)>,
}

impl History {
    fn is_gone(&self, key: usize, stored: &StoredValue) -> bool {
        self.is_gone_by(key, stored, false)
    }

    fn is_gone_by(&self, key: usize, stored: &StoredValue, only_hard: bool) -> bool {
        self.gone.iter().any(|(step, hard, gone)| {
            *step > stored.began
                && (*hard || !only_hard)
                && match gone {
                    Gone::Tag(tag) => stored.tags.contains(tag),
                    Gone::Prefix(prefix) => KEYS[key].starts_with(prefix.as_str()),
                }
        })
    }
}

proptest! {
    #[test]
    fn nothing_granted_before_an_invalidation_is_ever_a_hit_and_all_else_is(steps in steps()) {
        let (mut server, mut history) = (ServerModel::new(), History::default());
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Read { key, lease } => {
                    let (state, token) = server.read(key, lease);
                    let fresh = history.stored.get(&key).is_some_and(|stored| {
                        stored.fresh_until.is_none_or(|end| server.now < end) && !history.is_gone(key, stored)
                    });
                    prop_assert_eq!(state == State::Hit, fresh, "{:?} in step {}", state, number);
                    let is_missing = |stored: &StoredValue| history.is_gone_by(key, stored, true);
                    if history.stored.get(&key).is_some_and(is_missing) {
                        prop_assert!(
                            !matches!(state, State::Stale | State::Refresh),
                            "{state:?} in step {number} after a hard invalidation"
                        );
                    }
                    if token > 0 {
                        history.granted.entry(key).or_default().push((token, number));
                    }
                }
                Step::Set { key, by, tags, ttl, grace } => {
                    let granted = history.granted.get(&key).map_or(&[][..], Vec::as_slice);
                    let grant = match by {
                        Some(nth) => match granted.iter().rev().nth(nth) {
                            Some(grant) => Some(*grant),
                            None => continue,
                        },
                        None => None,
                    };
                    let names: Vec<&[u8]> = tags.iter().map(|tag| TAGS[*tag].as_bytes()).collect();
                    let grace = if ttl.is_some() { grace } else { 0 };
                    if server.set(key, grant.map(|(token, _)| token), &Tags::new(&names).unwrap(), ttl, grace) {
                        let began = grant.map_or(number, |(_, began)| began);
                        let fresh_until = ttl.map(|ttl| server.now + ttl);
                        // A re-send by a token that was superseded stores nothing.
                        let known = history.stored.get(&key).is_some_and(|stored| stored.began == began);
                        let stored = StoredValue { began, tags, fresh_until };
                        let entry = server.entries.get(&key);
                        let is_new = entry.is_some_and(|entry| entry.lease().is_none());
                        if is_new || !known {
                            prop_assert!(!history.is_gone(key, &stored), "stored in step {number}");
                            history.stored.insert(key, stored);
                        }
                    }
                }
                Step::InvalidateTag { tag, hard } => {
                    server.invalidate(Scope::Tag, hard, TAGS[tag].as_bytes());
                    history.gone.push((number, hard, Gone::Tag(tag)));
                }
                Step::InvalidatePrefix { key, length, hard } => {
                    let prefix = &KEYS[key][..length.min(KEYS[key].len())];
                    server.invalidate(Scope::Prefix, hard, prefix.as_bytes());
                    history.gone.push((number, hard, Gone::Prefix(prefix.into())));
                }
                Step::Forward(ms) => server.now += ms,
                Step::Delete(key) => {
                    server.entries.remove(&key);
                    history.stored.remove(&key);
                }
                Step::Restart => server.restart(),
            }
        }
    }

    #[test]
    fn tags_read_back(tags in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..4), 1..32)) {
        let given: Vec<&[u8]> = tags.iter().map(Vec::as_slice).collect();
        let packed = Tags::new(&given).unwrap();
        let mut sorted = given.clone();
        sorted.sort_unstable();
        sorted.dedup();
        prop_assert_eq!(packed.iter().collect::<Vec<_>>(), sorted);
        let mut w = Writer::new();
        packed.write(&mut w);
        let bytes = w.finish();
        prop_assert_eq!(Tags::read(&mut Reader::new(&bytes)), Ok(packed));
        prop_assert!(Tags::read(&mut Reader::new(&bytes[..bytes.len() - 1])).is_err());
    }
}

#[test]
fn tags_have_their_bounds() {
    let many: Vec<Vec<u8>> = (0..33u8).map(|tag| vec![tag]).collect();
    let many: Vec<&[u8]> = many.iter().map(Vec::as_slice).collect();
    assert!(Tags::new(&many).is_err() && Tags::new(&many[..32]).is_ok());
    assert!(Tags::new(&[b"a", b""]).is_err());
    assert!(Tags::new(&[&[0; 129]]).is_err() && Tags::new(&[&[0; 128]]).is_ok());
    assert!(Tags::new(&[]).unwrap().is_empty());
}

#[test]
fn unsorted_double_and_empty_tags_are_corrupt() {
    for wrong in [&b""[..], b"\x01b\x01a", b"\x01a\x01a", b"\x00", b"\x05a"] {
        let mut w = Writer::new();
        w.bytes(wrong);
        assert_eq!(Tags::read(&mut Reader::new(&w.finish())), Err(Corrupt), "{wrong:?}");
    }
}
