//! Writes a row for each limit, for DETAIL, PEEK, REFUND and SETTLE.

use crate::domain::ratelimit::{CheckVerdict, LimitRow};
use crate::module_api::reply::Reply;

use super::kept_reply::ReplySink;

/// `[name, allowed, limit, remaining, retry_after_ms, reset_after_ms, used, period_ms, spec]` each.
pub fn reply_rows(verdict: &CheckVerdict<'_>, mut reply: Reply<'_>) {
    rows_to(verdict, &mut reply);
}

/// Like [`reply_rows`], but to any sink.
pub fn rows_to(verdict: &CheckVerdict<'_>, sink: &mut impl ReplySink) {
    sink.array(verdict.rows().len());
    for row in verdict.rows() {
        reply_row(row, sink);
    }
}

fn reply_row(row: &LimitRow<'_>, reply: &mut impl ReplySink) {
    reply.array(9);
    reply.bulk(&row.name());
    reply.int(i64::from(row.allowed));
    reply.uint(row.capacity);
    reply.uint(row.remaining);
    reply.int(row.retry_after_ms);
    reply.uint(row.reset_after_ms);
    reply.uint(row.used);
    reply.uint(row.period_ms);
    reply.bulk(row.spec().as_bytes());
}
