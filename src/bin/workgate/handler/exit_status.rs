//! What the end of a handler's process means for its job.

use crate::handler::verdict::Verdict;

/// `EX_DATAERR` of sysexits.h: the input was wrong, so no further run can help.
pub const EX_DATAERR: i32 = 65;

/// How a handler's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Code(i32),
    Signal(i32),
}

impl Ended {
    pub fn of(status: std::process::ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt;
        match (status.code(), status.signal()) {
            (Some(code), _) => Ended::Code(code),
            (None, signal) => Ended::Signal(signal.unwrap_or_default()),
        }
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ended::Code(code) => write!(f, "exit {code}"),
            Ended::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// 0 is done, 65 is dead, everything else is retried. `stderr` is the end of what the handler wrote
/// there.
pub fn outcome_of(ended: Ended, stdout: Vec<u8>, stderr: &[u8]) -> Verdict {
    match ended {
        Ended::Code(0) => Verdict::Done(stdout),
        Ended::Code(EX_DATAERR) => Verdict::dead(reason(&ended.to_string(), stderr)),
        _ => Verdict::retry(reason(&ended.to_string(), stderr)),
    }
}

/// The job's ERROR: begins with what happened, so that a prefix selects it (`exit 3`, `timeout`),
/// then what the handler said last.
pub fn reason(what: &str, stderr: &[u8]) -> String {
    let said = String::from_utf8_lossy(stderr);
    let said = said.trim();
    if said.is_empty() { what.to_owned() } else { format!("{what}: {said}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_0_acknowledges_with_what_the_handler_printed() {
        assert_eq!(
            outcome_of(Ended::Code(0), b"sent\0".to_vec(), b"warning"),
            Verdict::Done(b"sent\0".to_vec())
        );
    }

    #[test]
    fn exit_65_is_never_tried_again() {
        let verdict = outcome_of(Ended::Code(65), vec![], b"no such user\n");
        assert_eq!(verdict, Verdict::dead("exit 65: no such user"));
    }

    #[test]
    fn every_other_end_is_tried_again() {
        for code in (1..=255).filter(|code| *code != 65) {
            assert_eq!(outcome_of(Ended::Code(code), vec![], b""), Verdict::retry(format!("exit {code}")));
        }
        assert_eq!(
            outcome_of(Ended::Code(75), b"x".to_vec(), b" try later\xff\n"),
            Verdict::retry("exit 75: try later\u{fffd}")
        );
        assert_eq!(outcome_of(Ended::Signal(9), vec![], b""), Verdict::retry("signal 9"));
    }
}
