use super::table::*;
use super::*;
use crate::domain::decision::Decision;
use crate::domain::global_state::Table;
use crate::domain::value::Effect;
use proptest::prelude::*;

fn policy(fields: &[(&str, &str)]) -> Result<CachePolicy, Refusal> {
    let mut policy = CachePolicy::default();
    for (name, text) in fields {
        policy.set_field(name.as_bytes(), text.as_bytes())?.expect("a field");
    }
    policy.check().map(|()| policy)
}

fn policies(prefixes: &[&[u8]]) -> CachePolicies {
    let mut policies = CachePolicies::default();
    for (ttl, prefix) in (1..).zip(prefixes) {
        let policy = CachePolicy { ttl: Some(ttl), ..CachePolicy::default() };
        policies.apply(CachePolicyEffect { prefix: Box::from(*prefix), policy: Some(policy) });
    }
    policies
}

#[test]
fn a_policy_is_shown_as_it_was_set() {
    let fields = [
        ("TTL", "1h"),
        ("GRACE", "0s"),
        ("JITTER", "10"),
        ("ABSENTTL", "30s"),
        ("LEASE", "2s"),
        ("EARLY", "1.5"),
        ("COMPRESS", "4096"),
        ("MAXVALUE", "100"),
    ];
    let shown = policy(&fields).unwrap().given_fields();
    let shown: Vec<(&str, String)> = shown.iter().map(|(name, value)| (*name, value.to_string())).collect();
    assert_eq!(shown, fields.map(|(name, text)| (name, text.to_owned())));
    assert!(policy(&[]).unwrap().given_fields().is_empty());
    assert_eq!(CachePolicy::default().set_field(b"COLOUR", b"red"), Ok(None));
}

#[test]
fn an_error_says_what_is_allowed() {
    for (name, text, says) in [
        ("TTL", "60", "ERR TTL '60': write 60s or 60ms"),
        ("TTL", "0s", "ERR TTL '0s': must be between"),
        ("ABSENTTL", "0s", "ERR ABSENTTL '0s': must be between"),
        ("LEASE", "-1s", "ERR LEASE '-1s'"),
        ("GRACE", "99999d", "ERR GRACE '99999d'"),
        ("JITTER", "101", "ERR JITTER '101': must be a whole number between 0 and 100"),
        ("JITTER", "10%", "ERR JITTER '10%'"),
        ("EARLY", "inf", "ERR EARLY 'inf': must be a number between 0 (never) and 100, 1 is usual"),
        ("EARLY", "NaN", "ERR EARLY 'NaN'"),
        ("EARLY", "-1", "ERR EARLY '-1'"),
        ("EARLY", "100.1", "ERR EARLY '100.1'"),
        ("EARLY", "", "ERR EARLY ''"),
        ("COMPRESS", "1kb", "ERR COMPRESS '1kb'"),
        ("MAXVALUE", "0", "ERR MAXVALUE '0'"),
        ("MAXVALUE", "536870913", "ERR MAXVALUE '536870913'"),
    ] {
        let refusal = policy(&[(name, text)]).unwrap_err().to_string();
        assert!(refusal.starts_with(says), "{refusal}");
    }
    let refusal = policy(&[("TTL", "1s"), ("LEASE", "2s")]).unwrap_err().to_string();
    assert!(refusal.starts_with("ERR LEASE '2s' is longer than TTL '1s'"), "{refusal}");
}

#[test]
fn the_longest_prefix_rules() {
    let all = policies(&[b"", b"character:", b"character:gallery:", b"c", b"character:\xff"]);
    for (key, prefix) in [
        (&b"character:gallery:7"[..], &b"character:gallery:"[..]),
        (b"character:gallery:", b"character:gallery:"),
        (b"character:gallery", b"character:"),
        (b"character:h", b"character:"),
        (b"character:\xff\xff", b"character:\xff"),
        (b"cz", b"c"),
        (b"x", b""),
        (b"", b""),
    ] {
        assert_eq!(all.longest_match(key).map(|(prefix, _)| prefix), Some(prefix), "{key:?}");
    }
    assert_eq!(policies(&[b"b"]).longest_match(b"a"), None);
    assert_eq!(policies(&[b"b"]).longest_match(b""), None);
}

#[test]
fn the_same_policy_again_changes_nothing_and_there_is_a_bound() {
    let mut all = CachePolicies::default();
    for i in 0..MAX_POLICIES {
        let decision = decide_set_policy(&all, format!("p{i}").as_bytes(), CachePolicy::default()).unwrap();
        all.apply(decision.effect.unwrap());
    }
    assert_eq!(decide_set_policy(&all, b"p0", CachePolicy::default()), Ok(Decision::answer(())));
    assert!(decide_set_policy(&all, b"more", CachePolicy::default()).is_err());
    assert!(decide_set_policy(&all, &[b'p'; 1_025], CachePolicy::default()).is_err());
    assert_eq!(decide_delete_policy(&all, b"more"), Decision::answer(false));
    all.apply(decide_delete_policy(&all, b"p0").effect.unwrap());
    assert!(decide_set_policy(&all, b"more", CachePolicy::default()).is_ok());
}

proptest! {
    #[test]
    fn the_ruling_prefix_is_the_one_that_a_search_through_all_finds(
        prefixes in prop::collection::btree_set(prop::collection::vec(0u8..3, 0..6), 0..20),
        key in prop::collection::vec(0u8..3, 0..8),
    ) {
        let prefixes: Vec<&[u8]> = prefixes.iter().map(|prefix| &prefix[..]).collect();
        let all = policies(&prefixes);
        let expected = prefixes.into_iter().filter(|prefix| key.starts_with(prefix)).max_by_key(|p| p.len());
        prop_assert_eq!(all.longest_match(&key).map(|(prefix, _)| prefix), expected);
    }

    #[test]
    fn policies_read_back_as_they_were_written(
        prefix in prop::collection::vec(any::<u8>(), 0..20),
        fields in prop::array::uniform8(prop::option::of(0..=100u64)),
    ) {
        let mut policy = CachePolicy::default();
        for (field, value) in policy.fields_mut().into_iter().zip(fields) {
            *field = value;
        }
        policy.lease = policy.lease.min(policy.ttl);
        let effect = CachePolicyEffect { prefix: prefix.into(), policy: Some(policy) };
        prop_assert_eq!(CachePolicyEffect::decode(&effect.encode(), None), Ok(effect.clone()));
        let mut all = policies(&[b"other"]);
        all.apply(effect);
        let saved = all.save();
        prop_assert_eq!(CachePolicies::load(1, &saved), Ok(all));
        prop_assert_eq!(CachePolicies::load(1, &saved[..saved.len() - 1]), Err(Corrupt));
        prop_assert_eq!(CachePolicies::load(1, &[&saved[..], &[0]].concat()), Err(Corrupt));
    }

    #[test]
    fn a_jittered_ttl_is_shorter_by_at_most_its_percentage(
        ttl in 1..=crate::domain::time::LONGEST,
        percent in 0..=100u64,
        random in any::<u64>(),
    ) {
        let policy = CachePolicy { jitter: Some(percent), ..CachePolicy::default() };
        let apply_jitter = policy.apply_jitter(ttl, random);
        prop_assert!(apply_jitter >= 1 && apply_jitter <= ttl);
        prop_assert!(u128::from(ttl - apply_jitter) * 100 <= u128::from(ttl) * u128::from(percent));
        prop_assert_eq!(policy.apply_jitter(ttl, 0), ttl);
    }
}

#[test]
fn a_long_load_elects_early_in_the_shares_that_xfetch_gives() {
    // P(load * beta * -ln u >= left) = exp(-left / (load * beta)).
    for (beta, load, left) in [(1_000, 100, 100), (2_000, 100, 100), (1_000, 500, 100), (500, 10, 5)] {
        let step = u64::MAX / 10_000;
        let elected =
            (0..10_000).filter(|i| EarlyRefreshDraw { beta, random: i * step }.elects(load, left)).count();
        let expected = (-(left as f64) / (load as f64 * beta as f64 / 1_000.0)).exp() * 10_000.0;
        assert!((elected as f64 - expected).abs() < 5.0, "{elected} of {expected}");
    }
    assert!(!EarlyRefreshDraw { beta: 1_000, random: 0 }.elects(0, 1), "a load of unknown length");
    assert!(!EarlyRefreshDraw { beta: 0, random: 0 }.elects(1_000, 1));
}
