//! The messages from handlers to the worker: one JSON object a line.
//!
//! docs/worker-stdio.md is the protocol's page. `--exec` handlers write the same messages to file
//! descriptor 3, without `run`.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Deserializer};

use crate::args::duration;
use crate::handler::verdict::{Failure, Verdict};

/// From a handler.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum FromHandler {
    /// The first line.
    Ready { protocol: u32 },
    /// Several ends in one line.
    Results { results: Vec<FromHandler> },
    Done {
        #[serde(default)]
        run: Option<u64>,
        /// Several runs that have no result.
        #[serde(default)]
        runs: Vec<u64>,
        #[serde(default)]
        result: Option<String>,
        #[serde(default)]
        result_base64: Option<Bytes>,
    },
    Retry {
        #[serde(default)]
        run: Option<u64>,
        #[serde(default)]
        error: String,
        #[serde(default)]
        kind: Option<String>,
        #[serde(default)]
        delay: Option<Delay>,
        #[serde(default)]
        progress: Option<String>,
        #[serde(default)]
        progress_base64: Option<Bytes>,
    },
    Dead {
        #[serde(default)]
        run: Option<u64>,
        #[serde(default)]
        error: String,
        #[serde(default)]
        kind: Option<String>,
    },
    Release {
        #[serde(default)]
        run: Option<u64>,
        #[serde(default)]
        delay: Option<Delay>,
        #[serde(default)]
        progress: Option<String>,
        #[serde(default)]
        progress_base64: Option<Bytes>,
    },
    Progress {
        #[serde(default)]
        run: Option<u64>,
        #[serde(default)]
        progress: Option<String>,
        #[serde(default)]
        progress_base64: Option<Bytes>,
    },
    Extend {
        #[serde(default)]
        run: Option<u64>,
        lease: Delay,
    },
    Log {
        #[serde(default)]
        run: Option<u64>,
        line: String,
    },
}

/// What a message asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Meaning {
    Ready(u32),
    End(Verdict),
    Note(Note),
}

/// What a run says before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    Progress(Vec<u8>),
    Extend(Duration),
    Log(String),
}

impl FromHandler {
    /// An error names what is wrong with the line.
    pub fn read(line: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map_err(|error| error.to_string())
    }

    /// Each run that the message is about, with what it says of it.
    pub fn meanings(self, out: &mut Vec<(Option<u64>, Meaning)>) {
        let bytes = |text: Option<String>, base64: Option<Bytes>| {
            text.map(String::into_bytes).or(base64.map(|bytes| bytes.0))
        };
        match self {
            FromHandler::Ready { protocol } => out.push((None, Meaning::Ready(protocol))),
            FromHandler::Results { results } => results.into_iter().for_each(|result| result.meanings(out)),
            FromHandler::Done { run, runs, result, result_base64 } => {
                if run.is_some() || runs.is_empty() {
                    let result = bytes(result, result_base64).unwrap_or_default();
                    out.push((run, Meaning::End(Verdict::Done(result))));
                }
                out.extend(runs.into_iter().map(|run| (Some(run), Meaning::End(Verdict::Done(Vec::new())))));
            }
            FromHandler::Retry { run, error, kind, delay, progress, progress_base64 } => {
                let failure = Failure { error, kind, progress: bytes(progress, progress_base64) };
                let delay = delay.map(|delay| delay.0);
                out.push((run, Meaning::End(Verdict::Retry { failure, delay })));
            }
            FromHandler::Dead { run, error, kind } => {
                out.push((run, Meaning::End(Verdict::Dead(Failure { error, kind, progress: None }))));
            }
            FromHandler::Release { run, delay, progress, progress_base64 } => {
                let delay = delay.map(|delay| delay.0).unwrap_or_default();
                let progress = bytes(progress, progress_base64);
                out.push((run, Meaning::End(Verdict::Release { delay, progress })));
            }
            FromHandler::Progress { run, progress, progress_base64 } => {
                let progress = bytes(progress, progress_base64).unwrap_or_default();
                out.push((run, Meaning::Note(Note::Progress(progress))));
            }
            FromHandler::Extend { run, lease } => out.push((run, Meaning::Note(Note::Extend(lease.0)))),
            FromHandler::Log { run, line } => out.push((run, Meaning::Note(Note::Log(line)))),
        }
    }
}

/// A duration with its unit, as in `"30s"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delay(pub Duration);

impl<'de> Deserialize<'de> for Delay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        duration::read_or_zero(&text).map(Delay).map_err(serde::de::Error::custom)
    }
}

/// Bytes in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64.decode(text).map(Bytes).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    fn meanings(line: &str) -> Vec<(Option<u64>, Meaning)> {
        let mut out = Vec::new();
        FromHandler::read(line.as_bytes()).unwrap().meanings(&mut out);
        out
    }

    #[test]
    fn every_end_has_its_message() {
        let end = |verdict| vec![(Some(1), Meaning::End(verdict))];
        assert_eq!(meanings(r#"{"type":"done","run":1,"result":"ok"}"#), end(Verdict::Done(b"ok".to_vec())));
        assert_eq!(
            meanings(r#"{"type":"done","run":1,"result_base64":"/w=="}"#),
            end(Verdict::Done(vec![0xff]))
        );
        let failure = Failure { error: "no".into(), kind: Some("net".into()), progress: Some(b"3".to_vec()) };
        assert_eq!(
            meanings(r#"{"type":"retry","run":1,"error":"no","kind":"net","delay":"6s","progress":"3"}"#),
            end(Verdict::Retry { failure, delay: Some(Duration::from_secs(6)) })
        );
        assert_eq!(meanings(r#"{"type":"dead","run":1,"error":"bad"}"#), end(Verdict::dead("bad")));
        let release = Verdict::Release { delay: Duration::from_millis(1_500), progress: None };
        assert_eq!(meanings(r#"{"type":"release","run":1,"delay":"1500ms"}"#), end(release));
    }

    #[test]
    fn one_line_may_end_many_runs() {
        let done = |run| (Some(run), Meaning::End(Verdict::Done(vec![])));
        assert_eq!(meanings(r#"{"type":"done","runs":[1,2]}"#), [done(1), done(2)]);
        let read =
            meanings(r#"{"type":"results","results":[{"type":"done","run":1},{"type":"dead","run":2}]}"#);
        assert_eq!(read, [done(1), (Some(2), Meaning::End(Verdict::dead("")))]);
    }

    #[test]
    fn a_wrong_message_is_told_what_is_wrong() {
        for (line, says) in [
            ("done", "expected"),
            (r#"{"type":"finished","run":1}"#, "finished"),
            (r#"{"type":"done","run":1,"reslut":"x"}"#, "reslut"),
            (r#"{"type":"retry","run":1,"delay":"30"}"#, "write 30s or 30ms"),
            (r#"{"type":"done","run":1,"result_base64":"?"}"#, "nvalid"),
        ] {
            let error = FromHandler::read(line.as_bytes()).unwrap_err();
            assert!(error.contains(says), "{line}: {error}");
        }
    }

    const PARTS: &[&str] = &[
        r#"{"type":""#,
        "done",
        "retry",
        "release",
        "extend",
        r#"{"type":"results","results":["#,
        r#"{"type":"done","run":1,"result":"ok"}"#,
        r#"{"type":"dead","run":2,"error":"no"}"#,
        r#"","run":"#,
        r#","delay":"5s""#,
        r#","lease":"1h""#,
        r#","runs":[1,2,18446744073709551615]"#,
        r#","result_base64":"/w==""#,
        r#","progress":"\ud83d\ude00""#,
        "7",
        "-1",
        "1e400",
        "[",
        "]",
        "}",
        ",",
        "\"",
        "\\",
        "null",
        "\u{0}",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn any_line_is_refused_or_means_no_more_than_it_holds(
            parts in prop::collection::vec(select(PARTS), 0..12),
            cut in 0..200usize,
        ) {
            let line: Vec<u8> = parts.concat().into_bytes().into_iter().take(200 - cut).collect();
            let mut meanings = Vec::new();
            if let Ok(message) = FromHandler::read(&line) {
                message.meanings(&mut meanings);
            }
            prop_assert!(meanings.len() <= line.len());
        }
    }
}
