use super::*;
use proptest::prelude::*;

fn limit(text: &str) -> Limit<'_> {
    Limit::parse(text.as_bytes()).unwrap()
}

fn refused(text: &[u8]) -> String {
    Limit::parse(text).unwrap_err().to_string()
}

#[test]
fn every_form_is_read() {
    let window = Rule { count: 10, period_ms: 60_000, kind: LimitKind::Window };
    assert_eq!(limit("10/1m"), Limit { name: None, rule: window });
    assert_eq!(limit("ai=10/60S"), Limit { name: Some(b"ai"), rule: window });
    let bucket = |burst| Rule { count: 10, period_ms: 1_000, kind: LimitKind::Bucket { burst } };
    assert_eq!(limit("10/1s:burst=20"), Limit { name: None, rule: bucket(20) });
    assert_eq!(limit("a.b:c-d_9=10/1s:BURST=20").name, Some(&b"a.b:c-d_9"[..]));
    assert_eq!(limit("x=10/1000ms:bucket"), Limit { name: Some(b"x"), rule: bucket(10) });
    assert_eq!(limit("1000000000000/3650d:burst=1000000000000").rule.capacity(), MAX_COUNT);
}

#[test]
fn unnamed_limits_that_mean_the_same_have_one_canonical_text() {
    assert_eq!(limit("10/60s").rule.spec(), "10/1m");
    assert_eq!(limit("010/60000ms").rule.spec(), "10/1m");
    assert_eq!(limit("0/24h").rule.spec(), "0/1d");
    assert_eq!(limit("10/1s:burst=10").rule.spec(), "10/1s:bucket");
    assert_eq!(limit("10/1s:burst=20").rule.spec(), "10/1s:burst=20");
    assert!(limit("10/60s").shares_counter(&limit("10/1m")));
    assert!(!limit("10/60s").shares_counter(&limit("10/1m:bucket")));
    assert!(limit("a=10/60s").shares_counter(&limit("a=3/1s:bucket")));
}

#[test]
fn the_error_names_the_part_that_is_wrong() {
    let expected: [(&str, &str); 16] = [
        ("10/0s", "period must be between 1ms and 3650d"),
        ("10/3651d", "period must be between 1ms and 3650d"),
        ("10/60", "period: write 60s or 60ms"),
        ("10/1m/2", "period: expected a duration such as 250ms, 30s, 15m, 24h or 7d"),
        ("0/1m:bucket", "the count of a bucket must be between 1 and 1000000000000"),
        ("1000000000001/1m", "count must be between 0 and 1000000000000"),
        ("99999999999999999999999/1m", "count must be between 0 and 1000000000000"),
        ("-1/1m", "count '-1' is not a whole number"),
        ("/1m", "count '' is not a whole number"),
        ("10/1s:burst=0", "burst must be between 1 and 1000000000000"),
        ("10/1s:burst=x", "burst 'x' is not a whole number"),
        ("10/1s:burts=3", "after the period only :burst=n, :bucket or :fixed may follow"),
        ("10/1s:", "after the period only :burst=n, :bucket or :fixed may follow"),
        ("=10/1s", "name must be 1 to 64 bytes of A-Z a-z 0-9 _ . : -"),
        ("a b=10/1s", "name must be 1 to 64 bytes of A-Z a-z 0-9 _ . : -"),
        ("a=b", "expected [name=]count/period"),
    ];
    for (text, fault) in expected {
        assert_eq!(refused(text.as_bytes()), format!("ERR invalid limit '{text}': {fault}"));
    }
    let long = [&[b'n'; 65][..], b"=10/1s"].concat();
    assert!(refused(&long).contains("name must be 1 to 64 bytes"));
    assert!(refused(b"\xff\r\n=1/1s").starts_with(r"ERR invalid limit '\xff\r\n=1/1s': name"));
}

#[test]
fn periods_and_calendars_are_read() {
    let fixed = Rule { count: 30, period_ms: time::DAY, kind: LimitKind::Fixed };
    assert_eq!(limit("30/24h:fixed"), Limit { name: None, rule: fixed });
    assert_eq!(limit("30/1d:Fixed").rule.spec(), "30/1d:fixed");
    let LimitKind::Calendar(calendar) = limit("a=30/Day@europe/berlin").rule.kind else { panic!() };
    assert_eq!(
        (calendar.unit, calendar.zone.name(), calendar.anchor),
        (CalendarUnit::Day, "Europe/Berlin", 1)
    );
    for (text, spec) in [
        ("5/week@Etc/GMT+5:anchor=7", "5/week@Etc/GMT+5:anchor=7"),
        ("5/month@UTC:anchor=31", "5/month@UTC:anchor=31"),
        ("5/month@utc:anchor=1", "5/month@UTC"),
        ("INF/month@UTC", "inf/month@UTC"),
        ("inf/60s:fixed", "inf/1m:fixed"),
        ("x=inf/day@America/Argentina/Buenos_Aires", "inf/day@America/Argentina/Buenos_Aires"),
    ] {
        assert_eq!(limit(text).rule.spec(), spec);
    }
    assert_eq!(limit("inf/day@UTC").rule.capacity(), UNLIMITED);
}

#[test]
fn the_error_names_the_part_of_a_calendar_that_is_wrong() {
    let expected: [(&str, &str); 13] = [
        ("30/day", "a calendar period needs a time zone, such as day@UTC or day@Europe/Berlin"),
        ("30/MONTH:fixed", "a calendar period needs a time zone, such as month@UTC or month@Europe/Berlin"),
        ("30/day@", "unknown time zone '': expected a name such as UTC or Europe/Berlin"),
        (
            "30/day@Mars/Olympus",
            "unknown time zone 'Mars/Olympus': expected a name such as UTC or Europe/Berlin",
        ),
        ("30/1d@UTC", "a time zone goes with day, week or month only, not with '1d'"),
        ("30/year@UTC", "a time zone goes with day, week or month only, not with 'year'"),
        ("30/day@UTC:anchor=1", "a day has no anchor: it begins at midnight"),
        ("30/week@UTC:anchor=0", "anchor '0': a week begins on day 1 to 7"),
        ("30/week@UTC:anchor=8", "anchor '8': a week begins on day 1 to 7"),
        ("30/month@UTC:anchor=32", "anchor '32': a month begins on day 1 to 31"),
        ("30/month@UTC:anchor=x", "anchor 'x': a month begins on day 1 to 31"),
        ("30/month@UTC:fixed", "after the time zone only :anchor=d may follow"),
        ("inf/1d", "count inf goes with :fixed and with calendar periods only"),
    ];
    for (text, fault) in expected {
        assert_eq!(refused(text.as_bytes()), format!("ERR invalid limit '{text}': {fault}"));
    }
    assert!(refused(b"@ai").contains("not a policy"));
}

#[test]
fn options_begin_where_no_limit_stands() {
    for text in [&b"10/1m"[..], b"@ai", b"a=1/1s", b"/", b"@"] {
        assert!(is_limit(text));
    }
    for text in [&b"COST"[..], b"", b"10", b"a@b"] {
        assert!(!is_limit(text));
    }
}

proptest! {
    #[test]
    fn the_canonical_text_reads_back(
        count in 1..=MAX_COUNT, period_ms in 1..=time::LONGEST, burst in prop::option::of(1..=MAX_COUNT),
    ) {
        let kind = burst.map_or(LimitKind::Window, |burst| LimitKind::Bucket { burst });
        let rule = Rule { count, period_ms, kind };
        let text = rule.spec();
        prop_assert_eq!(Limit::parse(text.as_bytes()), Ok(Limit { name: None, rule }));
    }

    #[test]
    fn no_input_panics(text in prop::collection::vec(any::<u8>(), 0..80), tail in "[a-z=/:@0-9]{0,20}") {
        let _ = Limit::parse(&text);
        let _ = Limit::parse(tail.as_bytes());
    }
}
