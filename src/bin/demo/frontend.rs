//! One delivery as an HTTP front end acknowledges it.
//!
//! Every step may be repeated: a front end that dies between PUSH and COMPLETE leaves a claim that
//! runs out, and the redelivery's PUSH under the same ID is a DUP.

use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Value, cmd};
use sha2::{Digest, Sha256};

use crate::accounting::planned_outcome::RETRIES;
use crate::feed::delivery::Delivery;
use crate::reply;

/// The queue's key.
pub const QUEUE: &str = "webhooks";

/// Up to this size the server fingerprints a payload itself; beyond it the client does.
const PAYLOAD_AT_MOST: usize = 64 * 1024;

/// What a delivery came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Queued: 202.
    Accepted,
    /// Handled before, so the first response is repeated: 200.
    Duplicate,
    /// The id was used with another body: 409.
    Mismatched,
    /// Too many from this sender: 429.
    Limited,
}

/// What the steps share.
#[derive(Debug, Clone)]
pub struct Front {
    pub connection: MultiplexedConnection,
    /// What one sender may deliver.
    pub limit: String,
}

impl Front {
    /// Claims, checks, queues and completes.
    pub async fn acknowledge(&mut self, delivery: &Delivery) -> Result<Outcome, String> {
        let key = format!("delivery:{}", delivery.id);
        let payload = delivery.payload();
        let token = match self.claim(&key, &payload).await? {
            Claim::Ours(token) => token,
            Claim::Answered(outcome) => return Ok(outcome),
        };
        if !self.within_limit(&delivery.sender).await? {
            // Given back, so that the sender's redelivery is not BUSY.
            self.call("IDEMP.RELEASE", cmd("IDEMP.RELEASE").arg(&key).arg(token)).await?;
            return Ok(Outcome::Limited);
        }
        let fresh = self.push(&delivery.id, &payload).await?;
        self.call("IDEMP.COMPLETE", cmd("IDEMP.COMPLETE").arg(&key).arg(token).arg("202 queued")).await?;
        Ok(if fresh { Outcome::Accepted } else { Outcome::Duplicate })
    }

    async fn claim(&mut self, key: &str, payload: &[u8]) -> Result<Claim, String> {
        let mut claim = cmd("IDEMP.CLAIM");
        claim.arg(key).arg("LEASE").arg("60s").arg("TTL").arg("24h");
        if payload.len() <= PAYLOAD_AT_MOST {
            claim.arg("PAYLOAD").arg(payload);
        } else {
            claim.arg("FINGERPRINT").arg(&Sha256::digest(payload)[..]);
        }
        // A redelivery that arrives while the first is on its way waits for what becomes of it.
        claim.arg("BLOCK").arg("10s");
        loop {
            let answer: RedisResult<Value> = claim.query_async(&mut self.connection).await;
            let fields = match answer {
                Ok(Value::Array(fields)) => fields,
                Ok(other) => return Err(format!("IDEMP.CLAIM answered {other:?}")),
                Err(error) if error.code() == Some("MISMATCH") => {
                    return Ok(Claim::Answered(Outcome::Mismatched));
                }
                Err(error) => return Err(format!("IDEMP.CLAIM {key}: {error}")),
            };
            let state = fields.first().and_then(reply::text);
            match (state, fields.get(2).and_then(reply::integer)) {
                (Some("CLAIMED"), Some(token)) => return Ok(Claim::Ours(token)),
                (Some("DONE"), Some(_)) => return Ok(Claim::Answered(Outcome::Duplicate)),
                (Some("BUSY"), Some(_)) => {}
                _ => return Err(format!("IDEMP.CLAIM answered {fields:?}")),
            }
        }
    }

    async fn within_limit(&mut self, sender: &str) -> Result<bool, String> {
        let key = format!("sender:{sender}");
        match self.call("RATELIMIT.CHECK", cmd("RATELIMIT.CHECK").arg(key).arg(&self.limit)).await? {
            Value::Array(fields) if matches!(fields.first(), Some(Value::Int(_))) => {
                Ok(fields[0] != Value::Int(0))
            }
            other => Err(format!("RATELIMIT.CHECK answered {other:?}")),
        }
    }

    /// Whether the job is new.
    async fn push(&mut self, id: &str, payload: &[u8]) -> Result<bool, String> {
        let mut push = cmd("JOBQ.PUSH");
        push.arg(QUEUE).arg(payload).arg("ID").arg(id);
        // Short, so that a newcomer need not wait; the default is exp:2s.
        push.arg("RETRIES").arg(RETRIES).arg("BACKOFF").arg("exp:200ms");
        let answer = self.call("JOBQ.PUSH", &push).await?;
        match reply::array(&answer).and_then(|fields| reply::text(fields.get(1)?)) {
            Some("NEW") => Ok(true),
            Some("DUP") => Ok(false),
            _ => Err(format!("JOBQ.PUSH answered {answer:?}")),
        }
    }

    async fn call(&self, name: &str, command: &redis::Cmd) -> Result<Value, String> {
        command.query_async(&mut self.connection.clone()).await.map_err(|error| format!("{name}: {error}"))
    }
}

/// What a claim came to.
enum Claim {
    /// The work is ours, under this token.
    Ours(i64),
    Answered(Outcome),
}
