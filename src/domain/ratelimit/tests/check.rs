use super::*;
use crate::domain::value::Value;

fn request<'a>(limits: &[&'a str], cost: &str) -> CheckRequest<'a> {
    let mut request = CheckRequest::parse(limits.iter().map(|limit| limit.as_bytes())).unwrap();
    request.set_cost(cost.as_bytes()).unwrap();
    request
}

/// The answer's five numbers.
fn five(verdict: &CheckVerdict<'_>) -> (u64, u64, u64, i64, u64) {
    let row = verdict.binding().unwrap();
    (verdict.taken_cost(), row.capacity, row.remaining, row.retry_after_ms, row.reset_after_ms)
}

/// Decides a CHECK and applies its effect.
fn check<'a>(subject: &mut Subject, limits: &[&'a str], cost: &str, now: UnixMs) -> CheckVerdict<'a> {
    let decision = decide_check(Some(subject), &Check::plain(request(limits, cost)), now).unwrap();
    assert_eq!(decision.effect.is_some(), decision.reply.allowed());
    if let Some(effect) = decision.effect {
        subject.apply(effect);
    }
    decision.reply
}

#[test]
fn a_window_counts_down_denies_and_says_when() {
    let mut subject = Subject::default();
    assert_eq!(five(&check(&mut subject, &["3/1m"], "1", 1_000)), (1, 3, 2, 0, 60_000));
    assert_eq!(five(&check(&mut subject, &["3/60s"], "2", 2_000)), (2, 3, 0, 0, 60_000));
    assert_eq!(five(&check(&mut subject, &["3/1m"], "1", 3_000)), (0, 3, 0, 58_000, 59_000));
    assert_eq!(five(&check(&mut subject, &["3/1m"], "2", 3_000)), (0, 3, 0, 59_000, 59_000));
    assert_eq!(five(&check(&mut subject, &["3/1m"], "4", 3_000)), (0, 3, 0, -1, 59_000));
    assert_eq!(five(&check(&mut subject, &["3/1m"], "1", 61_000)), (1, 3, 0, 0, 60_000));
}

#[test]
fn a_bucket_shows_its_burst_as_the_limit() {
    let mut subject = Subject::default();
    let limits = ["10/1s:burst=20"];
    assert_eq!(five(&check(&mut subject, &limits, "20", 1_000)), (20, 20, 0, 0, 2_000));
    assert_eq!(five(&check(&mut subject, &limits, "1", 1_001)), (0, 20, 0, 99, 1_999));
    assert_eq!(five(&check(&mut subject, &limits, "1", 1_100)), (1, 20, 0, 0, 2_000));
    assert_eq!(five(&check(&mut subject, &limits, "21", 9_000)), (0, 20, 20, -1, 0));
}

#[test]
fn several_limits_pass_together_or_not_at_all() {
    let mut subject = Subject::default();
    let limits = ["short=2/1s", "long=3/1m"];
    for now in [1_000, 1_001, 2_500] {
        assert!(check(&mut subject, &limits, "1", now).allowed());
    }
    let denied = check(&mut subject, &limits, "1", 2_501);
    assert!(!denied.allowed());
    assert_eq!(denied.binding().unwrap().name(), &b"long"[..]);
    assert_eq!(denied.rows().iter().map(|row| row.allowed).collect::<Vec<_>>(), [true, false]);
    assert_eq!(denied.rows().iter().map(|row| row.used).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(check(&mut subject, &limits[..1], "1", 2_502).rows()[0].used, 2);
}

#[test]
fn the_limit_that_binds_is_the_longest_wait_or_the_smallest_share_left() {
    let mut subject = Subject::default();
    let name =
        |verdict: &CheckVerdict<'_>| String::from_utf8(verdict.binding().unwrap().name().into()).unwrap();
    let limits = ["a=10/1m", "b=100/1h", "7/60s"];
    assert_eq!(name(&check(&mut subject, &limits, "a=6,b=60,7/1m=5", 1_000)), "7/1m");
    // 3 of 10, 30 of 100: a tie goes to the first.
    assert_eq!(name(&check(&mut subject, &limits[..2], "a=1,b=10", 1_000)), "a");
    assert_eq!(name(&check(&mut subject, &limits, "a=4,b=40,7/1m=1", 1_000)), "b");
    assert_eq!(name(&check(&mut subject, &limits, "a=11,b=40,7/1m=1", 1_000)), "a");
    // 10 of 100 is less than 1 of 5: shares count, not amounts.
    let mut fresh = Subject::default();
    assert_eq!(name(&check(&mut fresh, &["p=5/1m", "q=100/1m"], "p=4,q=90", 1_000)), "q");
    let huge = ["x=999999999999/1m", "y=1000000000000/1m"];
    assert_eq!(name(&check(&mut subject, &huge, "x=1,y=1", 1_000)), "x");
}

#[test]
fn taken_is_the_cost_of_the_limit_that_binds() {
    let mut subject = Subject::default();
    let verdict = check(&mut subject, &["a=10/1m", "b=10/1m"], "b=4", 1_000);
    assert_eq!((verdict.taken_cost(), verdict.binding().unwrap().name().into_owned()), (4, b"b".to_vec()));
}

#[test]
fn limits_stand_full_where_there_is_no_key() {
    let verdict = current_rows(None, &request(&["a=10/1m", "5/1s:bucket"], "2"), 1_000).unwrap();
    assert!(verdict.allowed());
    let rows: Vec<_> = verdict
        .rows()
        .iter()
        .map(|row| {
            (
                String::from_utf8(row.name().into()).unwrap(),
                row.spec(),
                row.remaining,
                row.used,
                row.period_ms,
            )
        })
        .collect();
    assert_eq!(rows[0], ("a".into(), "10/1m".into(), 10, 0, 60_000));
    assert_eq!(rows[1], ("5/1s:bucket".into(), "5/1s:bucket".into(), 5, 0, 1_000));
    let none = current_rows(None, &request(&[], "1"), 1_000).unwrap();
    assert_eq!((none.rows().len(), none.binding(), none.taken_cost()), (0, None, 0));
}

#[test]
fn peek_without_limits_gives_a_row_for_each_one_in_use() {
    let mut subject = Subject::default();
    check(&mut subject, &["b=10/1m", "3/1s", "a=10/1m:burst=5"], "1", 1_000);
    let names = |now| -> Vec<String> {
        let verdict = current_rows(Some(&subject), &request(&[], "1"), now).unwrap();
        verdict.rows().iter().map(|row| String::from_utf8(row.name().into()).unwrap()).collect()
    };
    assert_eq!(names(1_500), ["3/1s", "a", "b"]);
    assert_eq!(names(2_000), ["a", "b"]);
    assert_eq!(names(61_000), [""; 0]);
}

#[test]
fn tiers_that_share_a_name_share_the_counter() {
    let mut subject = Subject::default();
    check(&mut subject, &["ai=10/1m"], "10", 1_000);
    assert_eq!(five(&check(&mut subject, &["ai=100/1m"], "1", 2_000)), (1, 100, 89, 0, 60_000));
    let verdict = check(&mut subject, &["ai=10/1m"], "1", 3_000);
    assert_eq!(five(&verdict), (0, 10, 0, 58_000, 59_000));
    assert_eq!(verdict.rows()[0].used, 11);
}

#[test]
fn a_seventeenth_limit_under_the_key_is_refused_until_another_is_full() {
    let mut subject = Subject::default();
    for n in 1..=16 {
        check(&mut subject, &[&format!("l{n}=1/{n}s")], "1", 1_000);
    }
    let one_more = request(&["more=1/1s"], "1");
    let refusal = decide_check(Some(&subject), &Check::plain(one_more.clone()), 1_999).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "ERR too many limits: with this call the key would hold 17, at most 16 are allowed"
    );
    assert_eq!(current_rows(Some(&subject), &one_more, 1_999).unwrap_err(), refusal);
    assert!(decide_check(Some(&subject), &Check::plain(request(&["l5=1/5s"], "1")), 1_999).is_ok());
    assert!(check(&mut subject, &["more=1/1s"], "1", 2_000).allowed());
}

#[test]
fn a_check_without_limits_is_refused() {
    let refusal = decide_check(None, &Check::plain(request(&[], "1")), 1_000).unwrap_err();
    assert_eq!(refusal.to_string(), "ERR no limit given: expected [name=]count/period such as 10/1m");
}

#[test]
fn a_retry_beyond_what_clients_can_hold_ends_below_never() {
    let mut subject = Subject::default();
    let limits = ["1/3650d:burst=1000000000000"];
    check(&mut subject, &limits, "1000000000000", 1_000);
    let verdict = check(&mut subject, &limits, "1000000000000", 1_000);
    assert_eq!(verdict.rows()[0].retry_after_ms, 99_999_999_999_998);
}

#[test]
fn peek_shows_the_present_and_whether_the_cost_would_pass() {
    let mut subject = Subject::default();
    let peek = |subject: &Subject, cost: &str, now| {
        let mut request = CheckRequest::parse([&b"a=5/1m"[..]]).unwrap();
        request.set_cost_with_default(cost.as_bytes(), 1).unwrap();
        let verdict = current_rows(Some(subject), &request, now).unwrap();
        let row = *verdict.binding().unwrap();
        (verdict.allowed(), row.remaining, row.used, row.retry_after_ms, row.reset_after_ms)
    };
    assert_eq!(peek(&subject, "1", 1_000), (true, 5, 0, 0, 0));
    assert_eq!(peek(&subject, "6", 1_000), (false, 5, 0, -1, 0));
    check(&mut subject, &["a=5/1m"], "4", 1_000);
    assert_eq!(peek(&subject, "1", 2_000), (true, 1, 4, 0, 59_000));
    assert_eq!(peek(&subject, "2", 2_000), (false, 1, 4, 59_000, 59_000));
    check(&mut subject, &["a=5/1m"], "1", 2_000);
    assert_eq!(peek(&subject, "0", 2_000), (true, 0, 5, 0, 60_000));
}

#[test]
fn a_limit_of_zero_denies_always() {
    for limit in ["0/1d", "a=0/1h:fixed", "a=0/day@UTC"] {
        let mut subject = Subject::default();
        let verdict = check(&mut subject, &[limit, "b=5/1m"], "1", 1_000);
        let row = verdict.binding().unwrap();
        assert_eq!((verdict.taken_cost(), row.capacity, row.retry_after_ms), (0, 0, -1), "{limit}");
        assert_eq!(subject.lifetime(), crate::domain::value::Lifetime::Over);
    }
    // A tier that is lowered to zero keeps its use.
    let mut subject = Subject::default();
    check(&mut subject, &["a=5/1m"], "3", 1_000);
    assert_eq!(five(&check(&mut subject, &["a=0/1m"], "1", 2_000)), (0, 0, 0, -1, 59_000));
    assert_eq!(five(&check(&mut subject, &["a=5/1m"], "1", 2_000)), (1, 5, 1, 0, 60_000));
}

#[test]
fn a_cost_of_zero_takes_nothing_and_neither_binds_nor_denies() {
    let mut subject = Subject::default();
    let limits = ["calls=9/1m", "tokens=5/1h"];
    check(&mut subject, &limits, "tokens=5", 1_000);
    let verdict = check(&mut subject, &limits, "tokens=0", 1_000);
    assert_eq!(
        (verdict.taken_cost(), verdict.binding().unwrap().name().into_owned()),
        (1, b"calls".to_vec())
    );
    assert_eq!(verdict.rows().iter().map(|row| row.used).collect::<Vec<_>>(), [2, 5]);
    assert!(!check(&mut subject, &limits, "tokens=1", 1_000).allowed());
    // A limit of which nothing was ever taken is not kept, and a limit of zero denies nothing.
    assert!(check(&mut subject, &["calls=9/1m", "x=0/1d", "y=7/1d:bucket"], "x=0,y=0", 1_000).allowed());
    let all = current_rows(Some(&subject), &request(&[], "1"), 1_000).unwrap();
    assert_eq!(all.rows().len(), 2);
    // The effect of a verbatim replay is the same.
    let call = request(&["calls=9/1m", "tokens=5/1h"], "tokens=0");
    let decided = decide_check(Some(&subject), &Check::plain(call.clone()), 1_000).unwrap();
    assert_eq!(decided.effect, Some(check_effect(&call, 1_000)));
}

#[test]
fn costs_of_several_requests_count_in_each_that_has_the_name() {
    let read = |limits: &[&'static str]| request(limits, "1");
    let costs = |text: &str| {
        let mut requests = [read(&["a=9/1m", "b=9/1m"]), read(&["b=7/1m", "10/1s"])];
        CheckRequest::set_cost_of_all(&mut requests, text.as_bytes())
            .map_err(|refusal| refusal.to_string())?;
        Ok(requests.iter().flat_map(|request| request.items()).map(|item| item.cost).collect::<Vec<_>>())
    };
    assert_eq!(costs("3"), Ok(vec![3; 4]));
    assert_eq!(costs("b=5,10/1s=2"), Ok(vec![1, 5, 5, 2]));
    assert_eq!(costs("a=0,b=0"), Ok(vec![0, 0, 0, 1]));
    for (text, fault) in [
        ("c=1", "no limit of this call is named 'c'"),
        ("b=1,b=2", "'b' is listed twice"),
        ("0", "takes nothing of any limit, use RATELIMIT.PEEK to read limits"),
    ] {
        assert_eq!(costs(text), Err(format!("ERR COST '{text}': {fault}")));
    }
}

#[test]
fn the_subject_that_binds_is_the_one_with_the_limit_that_binds() {
    let (mut one, mut two) = (Subject::default(), Subject::default());
    check(&mut one, &["a=10/1m"], "5", 1_000);
    check(&mut two, &["b=10/1m"], "8", 1_000);
    let verdicts = |cost: &str| {
        [
            named_rows(Some(&one), &request(&["a=10/1m"], cost), 1_000).unwrap(),
            named_rows(Some(&two), &request(&["b=10/1m"], cost), 1_000).unwrap(),
        ]
    };
    assert_eq!(CheckVerdict::binding_of(&verdicts("1")), 1);
    assert_eq!(CheckVerdict::binding_of(&verdicts("9")), 0, "a tie goes to the first");
    assert_eq!(CheckVerdict::binding_of(&verdicts("3")), 1);
}
