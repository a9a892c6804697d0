//! What can be set for one queue.

use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::integer::integer;
use crate::domain::jobq::MAX_CONCURRENCY;
use crate::domain::jobq::history::event_log::{DEFAULT_EVENTS, MAX_EVENTS};
use crate::domain::jobq::state::backoff::Backoff;
use crate::domain::ratelimit::{Limit, Rule};
use crate::domain::refusal::{Refusal, shown};
use crate::domain::setting::SettingValue;
use crate::domain::time::{DAY, SECOND, duration, duration_or_zero, written};
use std::ops::RangeInclusive;

/// The most retries a job may ask for.
pub const MAX_RETRIES: u16 = u16::MAX;

/// The settings of a queue; durations in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How long a popped job is leased, unless the job or the POP says otherwise.
    pub lease: u64,
    /// How often a failed job is tried again that does not say itself.
    pub retries: u16,
    /// When a failed job is tried again that does not say itself.
    pub backoff: Backoff,
    /// How many jobs may be active at a time.
    pub concurrency: Option<u32>,
    /// How many jobs of one group may be under way at a time.
    pub group_concurrency: Option<u32>,
    /// How many jobs may be begun in a time.
    pub rate: Option<Rule>,
    /// How many jobs of one group may be begun in a time.
    pub group_rate: Option<Rule>,
    /// After how long a waiting job counts as one priority better.
    pub aging: Option<u64>,
    /// How many jobs may wait.
    pub max_length: Option<u64>,
    /// In bytes, below what the server's own setting allows.
    pub max_payload: Option<u64>,
    pub keep_done: Keep,
    pub keep_dead: Keep,
    /// A job whose lease runs out more often than this is dead.
    pub stall_max: u32,
    /// How many events are kept.
    pub events: u32,
}

/// How long jobs that have ended are kept, and how many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    pub age: u64,
    pub most: usize,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            lease: 30 * SECOND,
            retries: 3,
            backoff: Backoff::default(),
            concurrency: None,
            group_concurrency: Some(1),
            rate: None,
            group_rate: None,
            aging: None,
            max_length: None,
            max_payload: None,
            keep_done: Keep { age: DAY, most: DEFAULT_KEPT },
            keep_dead: Keep { age: 7 * DAY, most: DEFAULT_KEPT },
            stall_max: 3,
            events: DEFAULT_EVENTS,
        }
    }
}

/// One setting: its name, how it is read and how it is shown. What is shown can be read again.
struct Field {
    name: &'static str,
    set: fn(&mut Config, &[u8]) -> Result<(), Refusal>,
    shown: fn(&Config) -> SettingValue,
}

const COUNT: RangeInclusive<u64> = 1..=MAX_CONCURRENCY as u64;
const LENGTH: RangeInclusive<u64> = 1..=1_000_000_000;
const BYTES: RangeInclusive<u64> = 1..=512 * 1024 * 1024;

/// How many settings there were before `group_rate`.
pub(crate) const FIELDS_BEFORE_GROUP_RATE: usize = 13;

/// In the order in which they are shown and saved: a new one goes to the end.
const FIELDS: [Field; 14] = [
    Field {
        name: "lease",
        set: |config, text| duration("lease", text).map(|ms| config.lease = ms),
        shown: |config| written(config.lease).into(),
    },
    Field {
        name: "retries",
        set: |config, text| {
            number("retries", text, 0..=MAX_RETRIES.into()).map(|count| config.retries = count as u16)
        },
        shown: |config| config.retries.into(),
    },
    Field {
        name: "backoff",
        set: |config, text| Backoff::parse(text).map(|backoff| config.backoff = backoff),
        shown: |config| config.backoff.spec().into(),
    },
    Field {
        name: "concurrency",
        set: |config, text| {
            let count = or_off("concurrency", text, |name, text| number(name, text, COUNT))?;
            config.concurrency = count.map(|count| count as u32);
            Ok(())
        },
        shown: |config| shown_or_off(config.concurrency),
    },
    Field {
        name: "group_concurrency",
        set: |config, text| {
            let count = or_off("group_concurrency", text, |name, text| number(name, text, COUNT))?;
            config.group_concurrency = count.map(|count| count as u32);
            Ok(())
        },
        shown: |config| shown_or_off(config.group_concurrency),
    },
    Field {
        name: "rate",
        set: |config, text| or_off("rate", text, rate).map(|rate| config.rate = rate),
        shown: |config| shown_or_off(config.rate.map(|rule| rule.spec())),
    },
    Field {
        name: "aging",
        set: |config, text| or_off("aging", text, duration).map(|every| config.aging = every),
        shown: |config| shown_or_off(config.aging.map(written)),
    },
    Field {
        name: "max_length",
        set: |config, text| {
            let most = or_off("max_length", text, |name, text| number(name, text, LENGTH))?;
            config.max_length = most;
            Ok(())
        },
        shown: |config| shown_or_off(config.max_length),
    },
    Field {
        name: "max_payload",
        set: |config, text| {
            let most = or_off("max_payload", text, |name, text| number(name, text, BYTES))?;
            config.max_payload = most;
            Ok(())
        },
        shown: |config| shown_or_off(config.max_payload),
    },
    Field {
        name: "keep_done",
        set: |config, text| keep("keep_done", text).map(|keep| config.keep_done = keep),
        shown: |config| config.keep_done.shown().into(),
    },
    Field {
        name: "keep_dead",
        set: |config, text| keep("keep_dead", text).map(|keep| config.keep_dead = keep),
        shown: |config| config.keep_dead.shown().into(),
    },
    Field {
        name: "stall_max",
        set: |config, text| {
            number("stall_max", text, 0..=MAX_RETRIES.into()).map(|most| config.stall_max = most as u32)
        },
        shown: |config| config.stall_max.into(),
    },
    Field {
        name: "events",
        set: |config, text| {
            number("events", text, 0..=MAX_EVENTS.into()).map(|most| config.events = most as u32)
        },
        shown: |config| config.events.into(),
    },
    Field {
        name: "group_rate",
        set: |config, text| or_off("group_rate", text, rate).map(|rate| config.group_rate = rate),
        shown: |config| shown_or_off(config.group_rate.map(|rule| rule.spec())),
    },
];

impl Config {
    /// Changes one setting; an unknown name and a value out of its range are refused.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        let field = FIELDS.iter().find(|field| field.name.as_bytes().eq_ignore_ascii_case(name));
        let field = field.ok_or_else(|| {
            let known: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
            Refusal::err(format!("unknown field '{}': the fields are {}", shown(name), known.join(", ")))
        })?;
        (field.set)(self, value)
    }

    /// Every setting with its value as [`Config::set`] takes it.
    pub fn shown(&self) -> impl Iterator<Item = (&'static str, SettingValue)> + use<'_> {
        FIELDS.iter().map(|field| (field.name, (field.shown)(self)))
    }

    /// How many settings there are.
    pub const COUNT: usize = FIELDS.len();

    /// Writes the first `count` settings.
    pub(crate) fn write(&self, writer: &mut Writer, count: usize) {
        self.shown().take(count).for_each(|(_, value)| writer.bytes(value.to_string().as_bytes()));
    }

    /// Reads the first `count` settings; the others are as usual. Only what [`Config::write`]
    /// writes, so that equal settings have equal bytes.
    pub(crate) fn read(reader: &mut Reader<'_>, count: usize) -> Result<Self, Corrupt> {
        let mut config = Config::default();
        for field in FIELDS.iter().take(count) {
            let value = reader.bytes()?;
            (field.set)(&mut config, value).map_err(|_| Corrupt)?;
            if (field.shown)(&config).to_string().as_bytes() != value {
                return Err(Corrupt);
            }
        }
        Ok(config)
    }
}

impl Keep {
    fn shown(&self) -> String {
        format!("{}/{}", if self.age == 0 { "0s".into() } else { written(self.age) }, self.most)
    }
}

fn number(name: &str, text: &[u8], range: RangeInclusive<u64>) -> Result<u64, Refusal> {
    integer(name, text, *range.start(), *range.end())
}

fn or_off<T>(
    name: &str,
    text: &[u8],
    read: impl FnOnce(&str, &[u8]) -> Result<T, Refusal>,
) -> Result<Option<T>, Refusal> {
    if text.eq_ignore_ascii_case(b"off") {
        return Ok(None);
    }
    read(name, text)
        .map(Some)
        .map_err(|refusal| Refusal::new(refusal.code, format!("{}, or off", refusal.text)))
}

fn shown_or_off(value: Option<impl Into<SettingValue>>) -> SettingValue {
    value.map_or_else(|| SettingValue::Text("off".into()), Into::into)
}

fn rate(name: &str, text: &[u8]) -> Result<Rule, Refusal> {
    let limit = Limit::parse(text)?;
    if limit.name.is_some() {
        return Err(Refusal::err(format!("{name} '{}': a limit without a name, such as 10/1s", shown(text))));
    }
    if limit.rule.count == 0 {
        return Err(Refusal::err(format!("{name} '{}': a count of at least 1", shown(text))));
    }
    Ok(limit.rule)
}

/// The number of jobs that are kept if only an age is given.
const DEFAULT_KEPT: usize = 1_000_000;

/// `age` or `age/count`.
fn keep(name: &str, text: &[u8]) -> Result<Keep, Refusal> {
    let wrong = || {
        Refusal::err(format!(
            "{name} '{}': expected an age such as 24h, or age/count such as 24h/1000000",
            shown(text)
        ))
    };
    let Some(at) = text.iter().position(|&byte| byte == b'/') else {
        let age = duration_or_zero(name, text).map_err(|_| wrong())?;
        return Ok(Keep { age, most: DEFAULT_KEPT });
    };
    let age = duration_or_zero(name, &text[..at])?;
    let most = number(name, &text[at + 1..], 0..=*LENGTH.end())?;
    Ok(Keep { age, most: most as usize })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: &str) -> Result<Config, String> {
        let mut config = Config::default();
        config.set(name.as_bytes(), value.as_bytes()).map_err(|refusal| refusal.to_string())?;
        Ok(config)
    }

    fn value(config: &Config, name: &str) -> String {
        config.shown().find(|(known, _)| *known == name).expect("the field").1.to_string()
    }

    /// A value of each field that is not its default.
    pub(crate) const OTHERS: [(&str, &str); Config::COUNT] = [
        ("lease", "5m"),
        ("retries", "7"),
        ("backoff", "exp:1s:max=1h:jitter=20"),
        ("concurrency", "10"),
        ("group_concurrency", "off"),
        ("rate", "10/1s:burst=20"),
        ("aging", "30s"),
        ("max_length", "100000"),
        ("max_payload", "4096"),
        ("keep_done", "0s/10"),
        ("keep_dead", "30d/0"),
        ("stall_max", "0"),
        ("events", "0"),
        ("group_rate", "5/1m"),
    ];

    #[test]
    fn what_is_shown_is_what_was_set_and_comes_back_from_its_bytes() {
        let mut all = Config::default();
        for (name, given) in OTHERS {
            let config = set(name, given).unwrap();
            assert_eq!(value(&config, name), given);
            assert_ne!(config, Config::default(), "{name}");
            all.set(name.as_bytes(), given.as_bytes()).unwrap();
        }
        for config in [all, Config::default()] {
            let mut writer = Writer::new();
            config.write(&mut writer, Config::COUNT);
            let bytes = writer.finish();
            assert_eq!(Config::read(&mut Reader::new(&bytes), Config::COUNT), Ok(config));
        }
    }

    #[test]
    fn a_name_is_known_in_any_case_and_off_takes_a_bound_away() {
        assert_eq!(set("CONCURRENCY", "5").unwrap().concurrency, Some(5));
        assert_eq!(set("group_concurrency", "OFF").unwrap().group_concurrency, None);
        assert_eq!(set("rate", "off").unwrap().rate, None);
        let keep = Keep { age: 3 * DAY, most: DEFAULT_KEPT };
        assert_eq!(set("keep_dead", "3d").unwrap().keep_dead, keep);
    }

    #[test]
    fn a_wrong_value_says_what_is_allowed() {
        for (name, given, fault) in [
            ("concurrency", "0", "concurrency '0': must be a whole number between 1 and 1000000, or off"),
            (
                "concurrency",
                "many",
                "concurrency 'many': must be a whole number between 1 and 1000000, or off",
            ),
            ("lease", "30", "lease '30': write 30s or 30ms"),
            ("aging", "1", "aging '1': write 1s or 1ms, or off"),
            ("retries", "-1", "retries '-1': must be a whole number between 0 and 65535"),
            ("rate", "a=10/1s", "rate 'a=10/1s': a limit without a name, such as 10/1s, or off"),
            ("rate", "10", "invalid limit '10': expected [name=]count/period, or off"),
            (
                "keep_done",
                "many",
                "keep_done 'many': expected an age such as 24h, or age/count such as 24h/1000000",
            ),
            ("max_payload", "0", "max_payload '0': must be a whole number between 1 and 536870912, or off"),
            (
                "speed",
                "1",
                "unknown field 'speed': the fields are lease, retries, backoff, concurrency, \
              group_concurrency, rate, aging, max_length, max_payload, keep_done, keep_dead, stall_max, events, group_rate",
            ),
        ] {
            assert_eq!(set(name, given), Err(format!("ERR {fault}")));
        }
    }
}
