//! Waits and run times by minute, from the events that a queue keeps: a wait goes from when a job
//! is ready to its POP, a run from there to its end.

use std::collections::BTreeMap;

use redis::Value;

use crate::reply;

/// One event of JOBQ.EVENTS.
#[derive(Debug, Clone)]
pub struct Event {
    pub at_ms: u64,
    pub event: String,
    pub id: Option<Vec<u8>>,
    pub detail: Option<Vec<u8>>,
}

impl Event {
    pub fn all(rows: &Value) -> Vec<Event> {
        let read = |row: &Value| {
            let row = reply::array(row)?;
            Some(Event {
                at_ms: u64::try_from(reply::integer(row.get(1)?)?).ok()?,
                event: reply::text(row.get(2)?)?.to_owned(),
                id: reply::bytes(row.get(3)?).map(<[u8]>::to_vec),
                detail: row.get(4).and_then(reply::bytes).map(<[u8]>::to_vec),
            })
        };
        reply::array(rows).unwrap_or_default().iter().filter_map(read).collect()
    }
}

/// The medians of each minute, in milliseconds.
#[derive(Debug, Default)]
pub struct Latency {
    pub waits: Vec<Option<f64>>,
    pub runs: Vec<Option<f64>>,
}

/// For `length` minutes up to the one that begins at `end_ms`.
pub fn latency(events: &[Event], length: usize, end_ms: u64) -> Latency {
    let mut ready: BTreeMap<&[u8], u64> = BTreeMap::new();
    let mut popped: BTreeMap<&[u8], u64> = BTreeMap::new();
    let (mut waits, mut runs) = (vec![Vec::new(); length], vec![Vec::new(); length]);
    let place = |at: u64| {
        let minute = at / 60_000 * 60_000;
        (length as u64).checked_sub(1 + end_ms.saturating_sub(minute) / 60_000).map(|place| place as usize)
    };
    for event in events {
        let Some(id) = event.id.as_deref() else { continue };
        match event.event.as_str() {
            // A detail tells that it is delayed.
            "pushed" if event.detail.is_some() => {}
            "pushed" | "ready" | "released" | "redriven" | "stalled" => drop(ready.insert(id, event.at_ms)),
            "delayed" | "blocked" => drop(ready.remove(id)),
            "popped" => {
                if let (Some(since), Some(place)) = (ready.remove(id), place(event.at_ms)) {
                    waits[place].push(event.at_ms.saturating_sub(since));
                }
                popped.insert(id, event.at_ms);
            }
            "done" | "failed" => {
                if let (Some(since), Some(place)) = (popped.remove(id), place(event.at_ms)) {
                    runs[place].push(event.at_ms.saturating_sub(since));
                }
            }
            _ => {}
        }
    }
    let medians = |minutes: Vec<Vec<u64>>| minutes.into_iter().map(median).collect();
    Latency { waits: medians(waits), runs: medians(runs) }
}

fn median(mut values: Vec<u64>) -> Option<f64> {
    values.sort_unstable();
    values.get(values.len() / 2).map(|value| *value as f64)
}

/// When a job was last handed out, as far as the events go back.
pub fn handed_out(events: &[Event], id: &[u8]) -> Option<u64> {
    let mut newest = events.iter().rev();
    newest.find(|event| event.event == "popped" && event.id.as_deref() == Some(id)).map(|event| event.at_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at_ms: u64, event: &str, id: &str) -> Event {
        Event { at_ms, event: event.into(), id: Some(id.into()), detail: None }
    }

    #[test]
    fn a_wait_begins_when_a_job_is_ready_and_a_run_at_its_pop() {
        let mut late = event(0, "pushed", "late");
        late.detail = Some(b"60000".to_vec());
        let events = [
            late,
            event(0, "pushed", "a"),
            event(100, "popped", "a"),
            event(350, "failed", "a"),
            event(350, "delayed", "a"),
            event(60_000, "ready", "a"),
            event(60_000, "ready", "late"),
            event(60_020, "popped", "late"),
            event(60_070, "popped", "a"),
            event(60_170, "done", "a"),
        ];
        let latency = latency(&events, 3, 60_000);
        assert_eq!(latency.waits, [None, Some(100.0), Some(70.0)]);
        assert_eq!(latency.runs, [None, Some(250.0), Some(100.0)]);
        assert_eq!((handed_out(&events, b"a"), handed_out(&events, b"x")), (Some(60_070), None));
    }
}
