//! A job as JOBQ.POP hands it over.

pub mod commands;
pub mod fetcher;
pub mod in_flight;
pub mod settle;
pub mod slots;
pub mod sources;

use std::time::Duration;

use redis::Value;

use crate::reply;

/// One job, held under `token` until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub id: Vec<u8>,
    /// The fencing token of this hold.
    pub token: i64,
    pub payload: Vec<u8>,
    /// Which run this is, from 1: failures so far plus one.
    pub attempt: i64,
    /// Unix milliseconds, by the server's clock, at which the lease ends unless renewed.
    pub deadline_ms: i64,
    pub queue: Vec<u8>,
    pub name: Option<Vec<u8>>,
    pub group: Option<Vec<u8>>,
    pub meta: Option<Vec<u8>>,
    /// What an earlier run left; servers that do not say have none.
    pub progress: Option<Vec<u8>>,
}

impl Job {
    /// Reads `[id, token, payload, attempt, deadline_ms, queue, name|nil, group|nil, meta|nil,
    /// progress|nil]`; the last may be missing, and later versions may append to it.
    ///
    /// Its bytes are moved, not copied. What is no such row is handed back.
    pub fn read(row: Value) -> Result<Self, Value> {
        let Value::Array(fields) = row else { return Err(row) };
        if !Self::is_one(&fields) {
            return Err(Value::Array(fields));
        }
        let mut fields = fields.into_iter();
        let mut next = || fields.next().unwrap_or(Value::Nil);
        let number = |value| if let Value::Int(number) = value { number } else { 0 };
        Ok(Job {
            id: bytes(next()).unwrap_or_default(),
            token: number(next()),
            payload: bytes(next()).unwrap_or_default(),
            attempt: number(next()),
            deadline_ms: number(next()),
            queue: bytes(next()).unwrap_or_default(),
            name: bytes(next()),
            group: bytes(next()),
            meta: bytes(next()),
            progress: bytes(next()),
        })
    }

    /// Whether each field is of its type.
    fn is_one(fields: &[Value]) -> bool {
        let is_text = |place: usize| fields.get(place).is_some_and(|field| reply::bytes(field).is_some());
        let is_number = |place: usize| fields.get(place).is_some_and(|field| matches!(field, Value::Int(_)));
        let may_be_text = |place: usize| is_text(place) || fields.get(place) == Some(&Value::Nil);
        [0, 2, 5].into_iter().all(is_text)
            && [1, 3, 4].into_iter().all(is_number)
            && [6, 7, 8].into_iter().all(may_be_text)
            && (fields.len() == 9 || may_be_text(9))
    }

    /// What is left of the lease; `server_now_ms` is the server's clock.
    pub fn lease_left(&self, server_now_ms: i64) -> Duration {
        Duration::from_millis(self.deadline_ms.saturating_sub(server_now_ms).max(0).unsigned_abs())
    }
}

/// None of nil.
fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        other => reply::bytes(&other).map(<[u8]>::to_vec),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    fn bulk(bytes: &[u8]) -> Value {
        Value::BulkString(bytes.to_vec())
    }

    pub fn job(payload: &[u8]) -> Job {
        Job {
            id: b"j1".to_vec(),
            token: 7,
            payload: payload.to_vec(),
            attempt: 1,
            deadline_ms: 0,
            queue: b"q".to_vec(),
            name: None,
            group: None,
            meta: None,
            progress: None,
        }
    }

    fn row() -> Vec<Value> {
        vec![
            bulk(b"i\0d"),
            Value::Int(9),
            bulk(b"\xff\0"),
            Value::Int(2),
            Value::Int(5_000),
            bulk(b"q"),
            bulk(b"mail"),
            Value::Nil,
            Value::Nil,
        ]
    }

    #[test]
    fn a_row_keeps_every_byte_and_may_grow_at_the_end() {
        let mut longer = row();
        longer.push(bulk(b"step 3"));
        longer.push(Value::Int(1));
        for (fields, progress) in [(row(), None), (longer, Some(b"step 3".to_vec()))] {
            let job = Job::read(Value::Array(fields)).unwrap();
            assert_eq!(
                (&job.id[..], &job.payload[..], job.token, job.attempt),
                (&b"i\0d"[..], &b"\xff\0"[..], 9, 2)
            );
            assert_eq!((job.name.as_deref(), job.group.as_deref()), (Some(&b"mail"[..]), None));
            assert_eq!((&job.meta, &job.progress), (&None, &progress));
            assert_eq!(job.lease_left(4_000), Duration::from_secs(1));
            assert_eq!(job.lease_left(6_000), Duration::ZERO);
            assert_eq!(job.deadline_ms, 5_000);
        }
    }

    #[test]
    fn a_row_of_another_shape_is_not_a_job() {
        for missing in 0..9 {
            let mut fields = row();
            fields.truncate(missing);
            assert_eq!(Job::read(Value::Array(fields.clone())), Err(Value::Array(fields)));
        }
        for wrong in 0..6 {
            let mut fields = row();
            fields[wrong] = Value::Nil;
            assert!(Job::read(Value::Array(fields)).is_err(), "{wrong}");
        }
    }
}
