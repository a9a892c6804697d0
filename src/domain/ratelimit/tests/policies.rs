use super::*;
use crate::domain::value::Effect;
use proptest::prelude::*;

fn set(policies: &mut LimitPolicies, name: &str, limits: &[&str]) -> Result<bool, String> {
    let limits: Vec<&[u8]> = limits.iter().map(|limit| limit.as_bytes()).collect();
    let decision =
        decide_set_policy(policies, name.as_bytes(), &limits).map_err(|refusal| refusal.to_string())?;
    let changed = decision.effect.is_some();
    decision.effect.into_iter().for_each(|effect| policies.apply(effect));
    Ok(changed)
}

fn names(policies: &LimitPolicies, name: &str) -> Vec<String> {
    let policy = policies.get(name.as_bytes()).unwrap();
    policy.limits().map(|limit| limit.display_name()).collect()
}

#[test]
fn unnamed_limits_go_by_the_policy_and_their_number() {
    let mut policies = LimitPolicies::default();
    set(&mut policies, "ai/free", &["10/60s", "x=5/1s", "100/1d:bucket", "7/2h"]).unwrap();
    assert_eq!(names(&policies, "ai/free"), ["@ai/free", "x", "@ai/free#2", "@ai/free#3"]);
    let texts: Vec<_> = policies.named(b"@ai/free").unwrap().texts().collect();
    assert_eq!(texts, [&b"10/1m"[..], b"x=5/1s", b"100/1d:bucket", b"7/2h"]);
}

#[test]
fn the_same_policy_again_changes_nothing() {
    let mut policies = LimitPolicies::default();
    assert_eq!(set(&mut policies, "ai", &["10/60s"]), Ok(true));
    assert_eq!(set(&mut policies, "ai", &["10/1m"]), Ok(false));
    assert_eq!(set(&mut policies, "ai", &["11/1m"]), Ok(true));
    assert!(decide_delete_policy(&policies, b"ai").unwrap().effect.is_some());
    assert_eq!(decide_delete_policy(&policies, b"other"), Ok(Decision::answer(false)));
}

#[test]
fn what_is_no_policy_is_refused() {
    let mut policies = LimitPolicies::default();
    let many: Vec<String> = (1..=17).map(|count| format!("{count}/1s")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(set(&mut policies, "p", &many[..16]), Ok(true));
    let long = "n".repeat(65);
    let refused: [(&str, &[&str], &str); 8] = [
        ("", &["1/1s"], "policy name '': must be 1 to 64 bytes of A-Z a-z 0-9 _ . : - /"),
        ("a#2", &["1/1s"], "policy name 'a#2': must be 1 to 64 bytes"),
        (&long, &["1/1s"], "must be 1 to 64 bytes"),
        ("lock", &["1/1s"], "policy name 'lock': a locked subject shows its lock as @lock"),
        ("p", &many, "too many limits: at most 16 in a policy"),
        ("p", &["@other"], "'@other': a policy holds limits, not other policies"),
        ("p", &["1/60s", "1/1m"], "limit '1/1m' is given twice"),
        ("p", &["a=1/60s", "a=2/1m"], "limit 'a' is given twice"),
    ];
    for (name, limits, text) in refused {
        let refusal = set(&mut policies, name, limits).unwrap_err();
        assert!(refusal.starts_with("ERR ") && refusal.contains(text), "{refusal}");
    }
    let unknown = policies.named(b"@q").unwrap_err().to_string();
    assert_eq!(unknown, "NOPOLICY unknown policy '@q': define it with RATELIMIT.POLICY SET q limit ...");
    assert!(policies.named(b"@").unwrap_err().to_string().starts_with("ERR policy name ''"));
}

#[test]
fn a_full_table_takes_changes_but_no_new_names() {
    let mut policies = LimitPolicies::default();
    for number in 0..MAX_POLICIES {
        set(&mut policies, &format!("p{number}"), &["1/1s"]).unwrap();
    }
    assert_eq!(set(&mut policies, "p7", &["2/1s"]), Ok(true));
    assert!(set(&mut policies, "new", &["1/1s"]).unwrap_err().contains("at most 1000"));
}

proptest! {
    #[test]
    fn policies_and_their_effects_read_back(
        sets in prop::collection::vec(("[a-c/.:_-]{1,3}", prop::collection::vec("([a-c]=)?[1-9]{1,4}/[1-9]h(:bucket)?", 1..5)), 0..8),
    ) {
        let mut policies = LimitPolicies::default();
        for (name, limits) in &sets {
            let limits: Vec<&[u8]> = limits.iter().map(|limit| limit.as_bytes()).collect();
            let Ok(decision) = decide_set_policy(&policies, name.as_bytes(), &limits) else { continue };
            if let Some(effect) = decision.effect {
                prop_assert_eq!(LimitPolicyEffect::decode(&effect.encode(), None), Ok(effect.clone()));
                policies.apply(effect);
            }
        }
        let saved = policies.save();
        prop_assert_eq!(LimitPolicies::load(LimitPolicies::ENCODING, &saved), Ok(policies));
        for end in 0..saved.len() {
            prop_assert!(LimitPolicies::load(LimitPolicies::ENCODING, &saved[..end]).is_err());
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = LimitPolicies::load(LimitPolicies::ENCODING, &bytes);
        let _ = LimitPolicyEffect::decode(&bytes, None);
    }
}
