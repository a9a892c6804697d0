//! When a failed job is tried again.

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::refusal::{Refusal, shown};
use crate::domain::time::{LONGEST, SECOND, duration, written};

/// The most steps of a `list:`.
const MAX_LIST_STEPS: usize = 100;

/// How long to wait after the n-th failure. Durations are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backoff {
    /// `fixed:5s`
    Fixed(u64),
    /// `exp:2s[:max=1h][:jitter=20]`: doubles from the first; jitter is the percentage by which a
    /// wait may be shorter or longer.
    Exponential { first: u64, most: u64, jitter: u8 },
    /// `list:1s,10s,1m`: one after the other, the last for all further failures.
    List(Box<[u64]>),
}

/// 2 s, 4 s, 8 s, …
impl Default for Backoff {
    fn default() -> Self {
        Backoff::Exponential { first: 2 * SECOND, most: LONGEST, jitter: 0 }
    }
}

impl Backoff {
    pub fn parse(text: &[u8]) -> Result<Self, Refusal> {
        let wrong = |fault: &str| Refusal::err(format!("BACKOFF '{}': {fault}", shown(text)));
        let explain = |refusal: Refusal| wrong(&refusal.text);
        let mut parts = text.split(|&byte| byte == b':');
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let first = parts.next().ok_or_else(|| wrong("expected fixed:5s, exp:2s or list:1s,10s,1m"))?;
        let backoff = match &kind[..] {
            b"fixed" => Backoff::Fixed(duration("the wait", first).map_err(explain)?),
            b"list" => {
                let steps = first.split(|&byte| byte == b',');
                let steps: Vec<u64> = steps
                    .take(MAX_LIST_STEPS + 1)
                    .map(|step| duration("a wait", step))
                    .collect::<Result<_, _>>()
                    .map_err(explain)?;
                if steps.len() > MAX_LIST_STEPS {
                    return Err(wrong(&format!("a list has at most {MAX_LIST_STEPS} waits")));
                }
                Backoff::List(steps.into())
            }
            b"exp" => {
                let first = duration("the first wait", first).map_err(explain)?;
                let (mut most, mut jitter) = (None, None);
                for part in parts.by_ref() {
                    if let Some(value) = part.strip_prefix(b"max=").filter(|_| most.is_none()) {
                        most = Some(duration("max", value).map_err(explain)?);
                    } else if let Some(value) = part.strip_prefix(b"jitter=").filter(|_| jitter.is_none()) {
                        let percent = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                        jitter = Some(
                            percent
                                .filter(|percent| *percent <= 100u8)
                                .ok_or_else(|| wrong("jitter is a percentage between 0 and 100"))?,
                        );
                    } else {
                        return Err(wrong("after exp:duration only max= and jitter= may follow, each once"));
                    }
                }
                let most = most.unwrap_or(LONGEST);
                if most < first {
                    return Err(wrong("max is shorter than the first wait"));
                }
                Backoff::Exponential { first, most, jitter: jitter.unwrap_or(0) }
            }
            _ => return Err(wrong("expected fixed:5s, exp:2s or list:1s,10s,1m")),
        };
        match parts.next() {
            None => Ok(backoff),
            Some(_) => Err(wrong("nothing may follow this")),
        }
    }

    /// How long to wait after the `failures`-th failure (from 1). `chance` is any number: the part
    /// of chance in it, so that the same number gives the same wait.
    pub fn wait(&self, failures: u32, chance: u64) -> u64 {
        match self {
            Backoff::Fixed(wait) => *wait,
            Backoff::List(steps) => {
                let step = (failures.max(1) as usize - 1).min(steps.len() - 1);
                steps[step]
            }
            Backoff::Exponential { first, most, jitter } => {
                let doubled =
                    1u64.checked_shl(failures.max(1) - 1).and_then(|factor| first.checked_mul(factor));
                let wait = doubled.unwrap_or(u64::MAX).min(*most);
                // At most 3650 days: no product of these overflows.
                let spread = wait * u64::from(*jitter) / 100;
                wait - spread + chance % (2 * spread + 1)
            }
        }
    }

    /// The canonical text.
    pub fn spec(&self) -> String {
        match self {
            Backoff::Fixed(wait) => format!("fixed:{}", written(*wait)),
            Backoff::List(steps) => {
                let steps: Vec<String> = steps.iter().map(|step| written(*step)).collect();
                format!("list:{}", steps.join(","))
            }
            Backoff::Exponential { first, most, jitter } => {
                let mut text = format!("exp:{}", written(*first));
                if *most != LONGEST {
                    text += &format!(":max={}", written(*most));
                }
                if *jitter != 0 {
                    text += &format!(":jitter={jitter}");
                }
                text
            }
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + if let Backoff::List(steps) = self { size_of_val(&**steps) } else { 0 }
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        match self {
            Backoff::Fixed(wait) => {
                writer.byte(1);
                writer.int(*wait);
            }
            Backoff::Exponential { first, most, jitter } => {
                writer.byte(2);
                writer.int(*first);
                writer.int(*most);
                writer.byte(*jitter);
            }
            Backoff::List(steps) => {
                writer.byte(3);
                writer.int(steps.len() as u64);
                for step in steps {
                    writer.int(*step);
                }
            }
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Corrupt> {
        let wait = |reader: &mut Reader<'_>| {
            let wait = reader.int()?;
            if (1..=LONGEST).contains(&wait) { Ok(wait) } else { Err(Corrupt) }
        };
        match reader.byte()? {
            1 => Ok(Backoff::Fixed(wait(reader)?)),
            2 => {
                let (first, most, jitter) = (wait(reader)?, wait(reader)?, reader.byte()?);
                if most < first || jitter > 100 {
                    return Err(Corrupt);
                }
                Ok(Backoff::Exponential { first, most, jitter })
            }
            3 => {
                let count = reader.count(1)?;
                if !(1..=MAX_LIST_STEPS).contains(&count) {
                    return Err(Corrupt);
                }
                Ok(Backoff::List((0..count).map(|_| wait(reader)).collect::<Result<_, _>>()?))
            }
            _ => Err(Corrupt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::{HOUR, MINUTE};

    fn parse(text: &str) -> Result<Backoff, String> {
        Backoff::parse(text.as_bytes()).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn the_default_waits_two_four_and_eight_seconds() {
        let waits: Vec<u64> = (1..=3).map(|n| Backoff::default().wait(n, 7)).collect();
        assert_eq!(waits, [2_000, 4_000, 8_000]);
        assert_eq!(parse("exp:2s"), Ok(Backoff::default()));
    }

    #[test]
    fn a_list_goes_on_with_its_last_wait() {
        let list = parse("list:1s,10s,1m").unwrap();
        let waits: Vec<u64> = (1..=4).map(|n| list.wait(n, 0)).collect();
        assert_eq!(waits, [SECOND, 10 * SECOND, MINUTE, MINUTE]);
    }

    #[test]
    fn an_exponential_wait_ends_at_its_maximum_however_many_failures() {
        let exp = parse("EXP:2s:max=1h").unwrap();
        assert_eq!(exp.wait(30, 0), HOUR);
        assert_eq!(Backoff::default().wait(u32::MAX, u64::MAX), LONGEST);
    }

    #[test]
    fn jitter_stays_within_its_percentage_and_uses_all_of_it() {
        let exp = parse("exp:10s:jitter=20").unwrap();
        let waits: Vec<u64> = (0..10_000).map(|chance| exp.wait(1, chance)).collect();
        assert_eq!(waits.iter().min(), Some(&8_000));
        assert_eq!(waits.iter().max(), Some(&12_000));
    }

    #[test]
    fn a_wrong_spec_names_what_is_wrong() {
        for (text, fault) in [
            ("", "expected fixed:5s, exp:2s or list:1s,10s,1m"),
            ("2s", "expected fixed:5s, exp:2s or list:1s,10s,1m"),
            ("fast:2s", "expected fixed:5s, exp:2s or list:1s,10s,1m"),
            ("fixed:5", "the wait '5': write 5s or 5ms"),
            ("fixed:0s", "the wait '0s': must be between 1ms and 3650d"),
            ("fixed:5s:6s", "nothing may follow this"),
            ("exp:2s:max=1s", "max is shorter than the first wait"),
            ("exp:2s:jitter=101", "jitter is a percentage between 0 and 100"),
            ("exp:2s:max=1h:max=2h", "after exp:duration only max= and jitter= may follow, each once"),
            ("list:", "a wait '': expected a duration such as 250ms, 30s, 15m, 24h or 7d"),
        ] {
            assert_eq!(parse(text), Err(format!("ERR BACKOFF '{text}': {fault}")));
        }
    }

    #[test]
    fn the_canonical_text_reads_back() {
        for text in ["fixed:5s", "exp:2s", "exp:2s:max=1h:jitter=20", "list:1s,10s,1m"] {
            assert_eq!(parse(text).unwrap().spec(), text);
        }
    }
}
