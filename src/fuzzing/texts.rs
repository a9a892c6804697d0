//! What clients write in one argument: a limit, a schedule, a JSON document.

use crate::domain::calendar::recurrence::Recurrence;
use crate::domain::calendar::time_zone::Zone;
use crate::domain::idemp::Fingerprint;
use crate::domain::idemp::state::canonical_json::canonical;
use crate::domain::ratelimit::{
    Check, CheckRequest, Limit, LimitKind, RequestedLimit, Subject, current_rows, decide_check, is_limit,
};
use crate::domain::value::Value;

/// Some day of the year 2027.
const NOW: u64 = 1_800_000_000_000;

/// Parses a limit and charges it at one time: it grants no more than it says, and what it is shown
/// as is the same limit.
pub fn limit(text: &[u8]) {
    let Ok(limit) = Limit::parse(text) else { return };
    assert!(is_limit(text), "what is a limit looks like one");
    let request = CheckRequest::one(RequestedLimit { limit, cost: 1 });
    let most = match limit.rule.kind {
        LimitKind::Bucket { burst } => burst,
        _ => limit.rule.count,
    };
    let (mut subject, mut taken) = (Subject::default(), 0);
    for _ in 0..4 {
        let check = Check::plain(request.clone());
        let Ok(decision) = decide_check(Some(&subject), &check, NOW) else { return };
        taken += u64::from(decision.reply.allowed());
        if let Some(effect) = decision.effect {
            subject.apply(effect);
        }
    }
    assert_eq!(taken, most.min(4), "what is granted");
    let rows = current_rows(Some(&subject), &request, NOW).expect("what was charged is shown");
    for row in rows.rows() {
        let shown = row.spec();
        let again = Limit::parse(shown.as_bytes()).expect("what is shown is a limit");
        assert_eq!(again.rule, limit.rule, "what is shown is the same limit");
    }
}

/// Parses a schedule, in zones with and without daylight-saving time: each time that it is due
/// comes after the one before.
pub fn schedule(text: &[u8]) {
    for name in [&b"UTC"[..], b"Europe/Berlin", b"Australia/Lord_Howe", b"America/Sao_Paulo"] {
        let zone = Zone::named(name).expect("a zone that is built in");
        let Ok(recurrence) = Recurrence::parse(text, zone) else { return };
        // Leap days, a change of the clock, now, and the end of time.
        for now in [951_700_000_000, 1_709_160_000_000, 1_743_280_000_000, NOW, 253_402_000_000_000] {
            let mut last = now;
            for _ in 0..5 {
                let Some(next) = recurrence.next_after(last, now) else { break };
                assert!(next > last, "{next} comes after {last}");
                last = next;
            }
        }
    }
}

/// Brings a JSON document into its canonical form, which is JSON and its own canonical form.
pub fn json(text: &[u8]) {
    let Ok(bytes) = canonical(text) else { return };
    assert_eq!(canonical(&bytes).as_ref(), Ok(&bytes), "a canonical form is its own");
    let of = |text: &[u8]| Fingerprint::from_json(text, text.len()).expect("it is JSON");
    assert_eq!(of(text), of(&bytes), "one document, one fingerprint");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    const LIMITS: &[&str] = &[
        "10/1m",
        "ai=5/1h:burst=7",
        "0/1s",
        "3/1d:fixed",
        "2/90s:bucket",
        "inf/1h:fixed",
        "9/month@Europe/Berlin:anchor=31",
        "1/week@UTC:anchor=7",
        "4/day@Asia/Kathmandu",
        "1000000000000/3650d:burst=1000000000000",
    ];

    const SCHEDULES: &[&str] = &[
        "* * * * *",
        "*/5 0 1,15 * 1-5",
        "0 0 29 2 *",
        "0 2 L * *",
        "0 2 * * 5#3",
        "30 2 * MAR,OCT SUN",
        "59 59 23 31 12 *",
        "@every 1s",
        "@every 3650d",
        "@yearly",
    ];

    const DOCUMENTS: &[&str] = &[
        r#"{"b":1,"a":[true,null,-0.0,1e30,5e-324]}"#,
        r#"{"\u20ac":"\ud83d\ude00","é":"\u0000\n\\"}"#,
        "[[[[[[]]]]],{},\"\"]",
        "12345678901234567890",
        r#"{"a":{"a":{"a":1.7976931348623157e308}}}"#,
    ];

    const BYTES: &[u8] = b"0189 */,-#=:@L?\"\\{}[]eE+.uaZ\0\x7f\x80\xff";

    /// A sound text with something wrong in it.
    fn damaged(texts: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
        let edit = (any::<Index>(), 0..4u8, select(BYTES), select(texts));
        (select(texts), prop::collection::vec(edit, 0..5)).prop_map(|(text, edits)| {
            let mut text = text.as_bytes().to_vec();
            for (at, what, byte, other) in edits {
                let at = at.index(text.len() + 1);
                match what {
                    0 => text.insert(at, byte),
                    1 if at < text.len() => text[at] = byte,
                    2 if at < text.len() => drop(text.remove(at)),
                    _ => {
                        let tail = at.min(other.len());
                        text.truncate(at);
                        text.extend(&other.as_bytes()[tail..]);
                    }
                }
            }
            text
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn a_damaged_limit_is_refused_or_grants_what_it_says(text in damaged(LIMITS)) {
            limit(&text);
        }

        #[test]
        fn a_damaged_schedule_is_refused_or_goes_on(text in damaged(SCHEDULES)) {
            schedule(&text);
        }

        #[test]
        fn a_damaged_document_is_refused_or_has_one_canonical_form(text in damaged(DOCUMENTS)) {
            json(&text);
        }
    }

    #[test]
    fn sound_texts_are_accepted() {
        for text in LIMITS {
            assert!(Limit::parse(text.as_bytes()).is_ok(), "{text}");
        }
        for text in SCHEDULES {
            let zone = Zone::named(b"UTC").unwrap();
            assert!(Recurrence::parse(text.as_bytes(), zone).is_ok(), "{text}");
        }
        for text in DOCUMENTS {
            assert!(canonical(text.as_bytes()).is_ok(), "{text}");
        }
    }
}
