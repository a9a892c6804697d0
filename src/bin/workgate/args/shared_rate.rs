//! The limits that queues share: RATE of JOBQ.POP.

/// The most limits of one POP.
const MOST_LIMITS: usize = 16;

/// A key of RATELIMIT, and the limits of which each job takes its cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedRate {
    pub subject: String,
    pub limits: Vec<String>,
}

/// Reads `--rate`: the key and the limits, separated by white space. The server reads the limits.
pub fn read(text: &str) -> Result<SharedRate, String> {
    let mut words = text.split_whitespace().map(str::to_owned);
    let subject = words.next().ok_or("expected 'key limit ...', such as 'openai tokens=90000/1m'")?;
    let limits: Vec<String> = words.collect();
    if limits.is_empty() || limits.len() > MOST_LIMITS {
        let given = limits.len();
        return Err(format!("'{text}' has {given} limits behind the key: expected 1 to {MOST_LIMITS}"));
    }
    if let Some(limit) = limits.iter().find(|limit| !limit.contains('/') && !limit.starts_with('@')) {
        return Err(format!("limit '{limit}': expected [name=]count/period such as 10/1m, or @policy"));
    }
    if ["also", "rate"].contains(&&*subject.to_ascii_lowercase()) {
        return Err(format!("'{subject}' cannot be the key: JOBQ.POP has keys behind that word"));
    }
    Ok(SharedRate { subject, limits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_and_its_limits_are_read() {
        let rate = read(" openai  tokens=90000/1m @tier ").expect("a rate");
        assert_eq!((&*rate.subject, rate.limits), ("openai", vec!["tokens=90000/1m".into(), "@tier".into()]));
    }

    #[test]
    fn what_a_pop_would_refuse_is_refused_at_once() {
        let many = format!("s {}", ["1/1s"; 17].join(" "));
        for (text, says) in [
            ("", "expected 'key limit ...'"),
            ("10/1m", "has 0 limits"),
            (&many, "has 17 limits"),
            ("s 10", "limit '10'"),
            ("Rate 10/1m", "behind that word"),
        ] {
            assert!(read(text).unwrap_err().contains(says), "{text}");
        }
    }
}
