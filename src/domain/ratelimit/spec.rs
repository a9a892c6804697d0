//! One limit as clients write it: `[name=]count/period[:burst=n|:bucket]`.

use std::cmp::Ordering;

use super::MOST;
use super::name::is_name;
use crate::domain::refusal::{Refusal, shown};
use crate::domain::time;

/// How use is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Exact sliding window: never more than `count` in any `(t - period, t]`.
    Window,
    /// Token bucket: `count` per `period` sustained, `burst` (1 to 10^12) at once.
    Bucket { burst: u64 },
}

/// What a limit allows, without its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// 1 to 10^12.
    pub count: u64,
    /// 1 ms to 3650 days, in milliseconds.
    pub period_ms: u64,
    pub kind: Kind,
}

impl Rule {
    /// The most that can be taken at once: a window's count, a bucket's burst.
    pub fn capacity(&self) -> u64 {
        match self.kind {
            Kind::Window => self.count,
            Kind::Bucket { burst } => burst,
        }
    }

    /// The canonical text: `10/60s` is `10/1m`, and `:burst=n` with n equal to the count is `:bucket`.
    pub fn spec(&self) -> String {
        let plain = format!("{}/{}", self.count, time::written(self.period_ms));
        match self.kind {
            Kind::Window => plain,
            Kind::Bucket { burst } if burst == self.count => plain + ":bucket",
            Kind::Bucket { burst } => format!("{plain}:burst={burst}"),
        }
    }

    /// Whether every part is in its range; decoders ask.
    pub fn is_sound(&self) -> bool {
        let counts = 1..=MOST;
        counts.contains(&self.count)
            && (1..=time::LONGEST).contains(&self.period_ms)
            && counts.contains(&self.capacity())
    }

    /// `count/period[:kind]`; the error is what is wrong with it.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let (count, rest) = split(text, b'/').ok_or("expected [name=]count/period")?;
        let (period, kind) = match split(rest, b':') {
            Some((period, kind)) => (period, Some(kind)),
            None => (rest, None),
        };
        let word = !period.first().is_some_and(u8::is_ascii_digit);
        if rest.contains(&b'@') || word && is_calendar(period) {
            return Err("calendar periods are not supported by this version".into());
        }
        if count.eq_ignore_ascii_case(b"inf") {
            return Err("count inf is not supported by this version".into());
        }
        let count = amount(count).map_err(|fault| format!("count {fault}"))?;
        let period_ms = period_ms(period)?;
        let kind = match kind {
            None => Kind::Window,
            Some(word) if word.eq_ignore_ascii_case(b"bucket") => Kind::Bucket { burst: count },
            Some(word) if word.eq_ignore_ascii_case(b"fixed") => {
                return Err(":fixed is not supported by this version".into());
            }
            Some(word) => match split(word, b'=') {
                Some((key, burst)) if key.eq_ignore_ascii_case(b"burst") => {
                    Kind::Bucket { burst: amount(burst).map_err(|fault| format!("burst {fault}"))? }
                }
                _ => return Err("after the period only :burst=n or :bucket may follow".into()),
            },
        };
        Ok(Rule { count, period_ms, kind })
    }
}

/// A limit of a call; the name is borrowed from the argument. An unnamed one goes by its rule, whose
/// canonical text is written only where a reply shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit<'a> {
    pub name: Option<&'a [u8]>,
    pub rule: Rule,
}

/// Whether an argument of CHECK or PEEK is a limit; the first that is not begins the options.
pub fn is_limit(argument: &[u8]) -> bool {
    argument.first() == Some(&b'@') || argument.contains(&b'/')
}

impl<'a> Limit<'a> {
    /// Reads one limit; the error names the part that is wrong.
    pub fn parse(text: &'a [u8]) -> Result<Self, Refusal> {
        Self::read(text).map_err(|fault| Refusal::err(format!("invalid limit '{}': {fault}", shown(text))))
    }

    fn read(text: &'a [u8]) -> Result<Self, String> {
        if text.first() == Some(&b'@') {
            return Err("policies (@name) are not supported by this version".into());
        }
        // The name ends at the first `=` that no `/` precedes: that of `:burst=` comes after one.
        let named = text.iter().position(|b| matches!(b, b'=' | b'/')).filter(|&at| text[at] == b'=');
        let (name, rule) = match named {
            Some(at) => (Some(&text[..at]), &text[at + 1..]),
            None => (None, text),
        };
        if name.is_some_and(|name| !is_name(name)) {
            return Err("name must be 1 to 64 bytes of A-Z a-z 0-9 _ . : -".into());
        }
        Ok(Limit { name, rule: Rule::parse(rule)? })
    }

    /// The order of limits under a key: unnamed ones by their rule, then names by their bytes.
    /// Equal means that both share one counter.
    pub(super) fn order(&self, other: &Limit<'_>) -> Ordering {
        match (self.name, other.name) {
            (None, None) => self.rule.cmp(&other.rule),
            (mine, theirs) => mine.cmp(&theirs),
        }
    }

    pub(super) fn same(&self, other: &Limit<'_>) -> bool {
        self.order(other).is_eq()
    }

    /// The name as replies and errors show it.
    pub(super) fn shown(&self) -> String {
        self.name.map_or_else(|| self.rule.spec(), shown)
    }
}

/// A whole number from 1 to 10^12; the error ends a sentence that begins with what it is.
pub(super) fn amount(text: &[u8]) -> Result<u64, String> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Err(format!("'{}' is not a whole number", shown(text)));
    }
    let value = text.iter().try_fold(0u64, |sum, b| sum.checked_mul(10)?.checked_add(u64::from(b - b'0')));
    value.filter(|value| (1..=MOST).contains(value)).ok_or_else(|| format!("must be between 1 and {MOST}"))
}

fn period_ms(text: &[u8]) -> Result<u64, String> {
    time::duration("", text).map_err(|refusal| {
        let reason = refusal.text.rsplit("': ").next().unwrap_or_default();
        let joint = if reason.starts_with("must") { " " } else { ": " };
        format!("period{joint}{reason}")
    })
}

fn is_calendar(period: &[u8]) -> bool {
    ["day", "week", "month"].iter().any(|word| period.eq_ignore_ascii_case(word.as_bytes()))
}

/// The bytes before and after the first `mark`.
fn split(text: &[u8], mark: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&b| b == mark)?;
    Some((&text[..at], &text[at + 1..]))
}

#[cfg(test)]
mod tests {
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
        let window = Rule { count: 10, period_ms: 60_000, kind: Kind::Window };
        assert_eq!(limit("10/1m"), Limit { name: None, rule: window });
        assert_eq!(limit("ai=10/60S"), Limit { name: Some(b"ai"), rule: window });
        let bucket = |burst| Rule { count: 10, period_ms: 1_000, kind: Kind::Bucket { burst } };
        assert_eq!(limit("10/1s:burst=20"), Limit { name: None, rule: bucket(20) });
        assert_eq!(limit("a.b:c-d_9=10/1s:BURST=20").name, Some(&b"a.b:c-d_9"[..]));
        assert_eq!(limit("x=10/1000ms:bucket"), Limit { name: Some(b"x"), rule: bucket(10) });
        assert_eq!(limit("1000000000000/3650d:burst=1000000000000").rule.capacity(), MOST);
    }

    #[test]
    fn unnamed_limits_that_mean_the_same_have_one_canonical_text() {
        assert_eq!(limit("10/60s").rule.spec(), "10/1m");
        assert_eq!(limit("010/60000ms").rule.spec(), "10/1m");
        assert_eq!(limit("10/1s:burst=10").rule.spec(), "10/1s:bucket");
        assert_eq!(limit("10/1s:burst=20").rule.spec(), "10/1s:burst=20");
        assert!(limit("10/60s").same(&limit("10/1m")));
        assert!(!limit("10/60s").same(&limit("10/1m:bucket")));
        assert!(limit("a=10/60s").same(&limit("a=3/1s:bucket")));
    }

    #[test]
    fn the_error_names_the_part_that_is_wrong() {
        let expected: [(&str, &str); 16] = [
            ("10/0s", "period must be between 1ms and 3650d"),
            ("10/3651d", "period must be between 1ms and 3650d"),
            ("10/60", "period: write 60s or 60ms"),
            ("10/1m/2", "period: expected a duration such as 250ms, 30s, 15m, 24h or 7d"),
            ("0/1m", "count must be between 1 and 1000000000000"),
            ("1000000000001/1m", "count must be between 1 and 1000000000000"),
            ("99999999999999999999999/1m", "count must be between 1 and 1000000000000"),
            ("-1/1m", "count '-1' is not a whole number"),
            ("/1m", "count '' is not a whole number"),
            ("10/1s:burst=0", "burst must be between 1 and 1000000000000"),
            ("10/1s:burst=x", "burst 'x' is not a whole number"),
            ("10/1s:burts=3", "after the period only :burst=n or :bucket may follow"),
            ("10/1s:", "after the period only :burst=n or :bucket may follow"),
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
    fn what_later_versions_bring_is_refused_by_name() {
        for text in ["@ai", "@ai/premium", "30/day", "30/day@Europe/Berlin", "a=1/month@UTC:anchor=3"] {
            assert!(refused(text.as_bytes()).ends_with("not supported by this version"), "{text}");
        }
        for text in ["inf/1d", "inf/day@UTC", "10/1d:fixed"] {
            assert!(refused(text.as_bytes()).ends_with("not supported by this version"), "{text}");
        }
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
            count in 1..=MOST, period_ms in 1..=time::LONGEST, burst in prop::option::of(1..=MOST),
        ) {
            let kind = burst.map_or(Kind::Window, |burst| Kind::Bucket { burst });
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
}
