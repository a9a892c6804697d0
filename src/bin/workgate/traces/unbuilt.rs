//! A program that is built without the feature `otlp` has no spans.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

use crate::Failure;
use crate::handler::verdict::Verdict;
use crate::job::Job;

/// There are none.
#[derive(Debug, Clone)]
pub enum Spans {}

#[derive(Debug)]
pub enum RunSpan {}

#[derive(Debug)]
pub enum PushSpan {}

impl Spans {
    pub fn open(otlp: Option<&str>, _: Counter) -> Result<Option<Self>, Failure> {
        match otlp {
            None => Ok(None),
            Some(_) => Err(Failure::usage(
                "--otlp: this workgate is built without it; build it with --features otlp",
            )),
        }
    }

    pub fn run(&self, _: &Job, _: &str) -> RunSpan {
        match *self {}
    }

    pub fn push(&self, _: &str, _: usize) -> PushSpan {
        match *self {}
    }

    pub async fn close(&self) {
        match *self {}
    }
}

impl RunSpan {
    pub fn traceparent(&self) -> &str {
        match *self {}
    }

    pub fn end(&self, _: Duration, _: &'static str, _: &Verdict) {
        match *self {}
    }
}

impl PushSpan {
    pub fn traceparent(&self) -> &str {
        match *self {}
    }

    pub fn end(self, _: Result<u64, &Failure>) {
        match self {}
    }
}
