//! What can be changed, as forms ask for it and in words.

use super::request::Fields;
use super::shown::text;

/// Which dead or waiting jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Select {
    pub kind: Option<Vec<u8>>,
    /// A glob.
    pub error: Option<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Pause { queue: Vec<u8>, group: Option<Vec<u8>>, time: Option<String>, pushes: bool },
    Resume { queue: Vec<u8>, group: Option<Vec<u8>> },
    Purge { queue: Vec<u8>, state: String, select: Select },
    Redrive { queue: Vec<u8>, select: Select },
    RedriveJob { queue: Vec<u8>, id: Vec<u8> },
    Promote { queue: Vec<u8>, id: Vec<u8> },
    Cancel { queue: Vec<u8>, id: Vec<u8> },
    RunSchedule { queue: Vec<u8>, name: Vec<u8> },
    SetLimits { name: String, limits: Vec<String> },
    SetCache { prefix: Vec<u8>, words: Vec<String> },
}

impl Action {
    /// By the path of a form and its fields. None where no action has this path; an error says what
    /// is missing.
    pub fn read(path: &[Vec<u8>], fields: &Fields) -> Option<Result<Self, String>> {
        let parts: Vec<&[u8]> = path.iter().map(Vec::as_slice).collect();
        Some(match parts[..] {
            [b"queue", queue, verb] => Self::of_queue(queue, verb, fields)?,
            [b"queue", queue, b"job", id, verb] => {
                let (queue, id) = (queue.to_vec(), id.to_vec());
                Ok(match verb {
                    b"redrive" => Action::RedriveJob { queue, id },
                    b"promote" => Action::Promote { queue, id },
                    b"cancel" => Action::Cancel { queue, id },
                    _ => return None,
                })
            }
            [b"queue", queue, b"schedule", name, b"run"] => {
                Ok(Action::RunSchedule { queue: queue.to_vec(), name: name.to_vec() })
            }
            [b"limits"] => Self::of_limits(fields),
            [b"caches"] => Self::of_cache(fields),
            _ => return None,
        })
    }

    fn of_queue(queue: &[u8], verb: &[u8], fields: &Fields) -> Option<Result<Self, String>> {
        let queue = queue.to_vec();
        let bytes = |name| fields.bytes(name).map(<[u8]>::to_vec);
        let select = Select { kind: bytes("kind"), error: bytes("error") };
        Some(Ok(match verb {
            b"pause" => {
                let time = fields.text("for").map(str::to_owned);
                Action::Pause { queue, group: bytes("group"), time, pushes: fields.text("pushes").is_some() }
            }
            b"resume" => Action::Resume { queue, group: bytes("group") },
            b"redrive" => Action::Redrive { queue, select },
            b"purge" => match fields.text("state") {
                Some(state @ ("ready" | "delayed" | "blocked" | "done" | "dead")) => {
                    Action::Purge { queue, state: state.to_owned(), select }
                }
                _ => {
                    return Some(Err(
                        "choose which jobs to purge: ready, delayed, blocked, done or dead".into()
                    ));
                }
            },
            _ => return None,
        }))
    }

    fn of_limits(fields: &Fields) -> Result<Self, String> {
        let name = fields.text("name").ok_or("a policy has a name")?;
        let limits: Vec<String> =
            fields.text("limits").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        if limits.is_empty() {
            return Err("a policy has at least one limit, such as 100/1m".into());
        }
        Ok(Action::SetLimits { name: name.trim_start_matches('@').to_owned(), limits })
    }

    fn of_cache(fields: &Fields) -> Result<Self, String> {
        let words: Vec<String> =
            fields.text("fields").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        if words.is_empty() || !words.len().is_multiple_of(2) {
            return Err("a policy has fields with their values, such as TTL 10m GRACE 1h".into());
        }
        Ok(Action::SetCache { prefix: fields.bytes("prefix").unwrap_or_default().to_vec(), words })
    }

    /// What is asked for.
    pub fn words(&self) -> String {
        match self {
            Action::Pause { queue, group, time, pushes } => {
                let what = match group {
                    Some(group) => format!("the group {} of {}", text(group), text(queue)),
                    None => format!("the queue {}", text(queue)),
                };
                let time = time.as_ref().map(|time| format!(" for {time}")).unwrap_or_default();
                let pushes = if *pushes { ", and refuse pushes" } else { "" };
                format!("Pause {what}{time}{pushes}")
            }
            Action::Resume { queue, group: Some(group) } => {
                format!("Resume the group {} of {}", text(group), text(queue))
            }
            Action::Resume { queue, group: None } => format!("Resume the queue {}", text(queue)),
            Action::Purge { queue, state, select } => {
                format!("Remove all {state} jobs of {}{}", text(queue), select.words())
            }
            Action::Redrive { queue, select } => {
                format!("Run all dead jobs of {}{} again", text(queue), select.words())
            }
            Action::RedriveJob { queue, id } => format!("Run the job {} of {} again", text(id), text(queue)),
            Action::Promote { queue, id } => {
                format!("Make the job {} of {} ready now", text(id), text(queue))
            }
            Action::Cancel { queue, id } => format!("Cancel the job {} of {}", text(id), text(queue)),
            Action::RunSchedule { queue, name } => {
                format!("Make a run of the schedule {} of {} now", text(name), text(queue))
            }
            Action::SetLimits { name, limits } => format!("Set the policy @{name} to {}", limits.join(" ")),
            Action::SetCache { prefix, words } => {
                format!("Set the policy of the prefix '{}' to {}", text(prefix), words.join(" "))
            }
        }
    }

    /// What somebody should know who is about to confirm it.
    pub fn warning(&self) -> &'static str {
        match self {
            Action::Pause { .. } => {
                "Jobs that are being worked on go on; no other is handed out until it is resumed."
            }
            Action::Resume { .. } => "Jobs are handed out again at once.",
            Action::Purge { .. } => "They are gone for good, payloads and results too.",
            Action::Redrive { .. } | Action::RedriveJob { .. } => "They get all of their retries anew.",
            Action::Promote { .. } => "It does not wait for its time or its backoff.",
            Action::Cancel { .. } => {
                "A job that waits is removed for good; a worker that runs it is told to stop."
            }
            Action::RunSchedule { .. } => "It is made beside the runs that are due by the pattern.",
            Action::SetLimits { .. } => {
                "All checks by this policy follow it at once; what was used stays counted."
            }
            Action::SetCache { .. } => {
                "It takes the place of the whole policy; stored values keep their times."
            }
        }
    }

    /// Whether something is lost by it.
    pub fn is_destructive(&self) -> bool {
        matches!(self, Action::Purge { .. } | Action::Cancel { .. })
    }
}

impl Select {
    fn words(&self) -> String {
        let kind = self.kind.as_ref().map(|kind| format!(" of the kind {}", text(kind)));
        let error = self.error.as_ref().map(|error| format!(" whose error matches {}", text(error)));
        format!("{}{}", kind.unwrap_or_default(), error.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::dashboard::request::segments;

    fn read(path: &str, form: &str) -> Option<Result<Action, String>> {
        Action::read(&segments(path), &Fields::read(form))
    }

    #[test]
    fn a_form_asks_for_one_action() {
        let q = || b"q".to_vec();
        for (path, form, action) in [
            (
                "/queue/q/pause",
                "for=5m&pushes=on",
                Action::Pause { queue: q(), group: None, time: Some("5m".into()), pushes: true },
            ),
            ("/queue/q/resume", "group=g", Action::Resume { queue: q(), group: Some(b"g".to_vec()) }),
            ("/queue/q/job/%FF/cancel", "", Action::Cancel { queue: q(), id: vec![0xff] }),
            ("/queue/q/schedule/n/run", "", Action::RunSchedule { queue: q(), name: b"n".to_vec() }),
            (
                "/limits",
                "name=%40ai&limits=1%2F1s++2%2F1m",
                Action::SetLimits { name: "ai".into(), limits: vec!["1/1s".into(), "2/1m".into()] },
            ),
            (
                "/caches",
                "fields=TTL+1m",
                Action::SetCache { prefix: vec![], words: vec!["TTL".into(), "1m".into()] },
            ),
        ] {
            assert_eq!(read(path, form), Some(Ok(action)), "{path}");
        }
        for path in ["/queue/q/drop", "/queue/q/job/i/drop", "/", "/queue/q", "/breakers"] {
            assert_eq!(read(path, ""), None, "{path}");
        }
        for (path, form) in
            [("/queue/q/purge", "state=active"), ("/limits", "name=a"), ("/caches", "fields=TTL")]
        {
            assert!(read(path, form).unwrap().is_err(), "{path}");
        }
    }
}
