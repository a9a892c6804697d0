//! Metrics that are read from the server anew for each answer.

use std::fmt::Error;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

pub type Labels = Vec<(&'static str, String)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Its name is written with `_total`.
    Counter,
    Gauge,
    Histogram,
}

/// How often something took how long.
#[derive(Debug)]
pub struct Histogram {
    /// Upper bounds in seconds, each with its own count; the last bound is [`f64::INFINITY`].
    pub buckets: Vec<(f64, u64)>,
    pub sum: f64,
}

/// Rows of one name.
#[derive(Debug)]
pub struct Family {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    rows: Vec<(Labels, f64)>,
    histograms: Vec<(Labels, Histogram)>,
}

impl Family {
    fn new(name: &'static str, help: &'static str, kind: Kind) -> Self {
        Family { name, help, kind, rows: Vec::new(), histograms: Vec::new() }
    }

    pub fn counter(name: &'static str, help: &'static str) -> Self {
        Family::new(name, help, Kind::Counter)
    }

    pub fn gauge(name: &'static str, help: &'static str) -> Self {
        Family::new(name, help, Kind::Gauge)
    }

    pub fn histogram(name: &'static str, help: &'static str) -> Self {
        Family::new(name, help, Kind::Histogram)
    }

    pub fn push_histogram(&mut self, labels: Labels, histogram: Histogram) {
        self.histograms.push((labels, histogram));
    }

    pub fn push(&mut self, labels: Labels, value: f64) {
        self.rows.push((labels, value));
    }
}

/// All families of one answer; those without rows are left out.
#[derive(Debug, Default)]
pub struct Families(pub Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        for family in self.0.iter().filter(|family| !(family.rows.is_empty() && family.histograms.is_empty()))
        {
            let kind = match family.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            let mut metric = encoder.encode_descriptor(family.name, family.help, None, kind)?;
            for (labels, Histogram { buckets, sum }) in &family.histograms {
                let count = buckets.iter().map(|(_, count)| count).sum();
                let mut row = metric.encode_family(labels)?;
                row.encode_histogram::<NoLabelSet>(*sum, count, buckets, None)?;
            }
            for (labels, value) in &family.rows {
                match (family.kind, labels.is_empty()) {
                    (Kind::Counter, true) => metric.encode_counter::<NoLabelSet, _, f64>(value, None)?,
                    (Kind::Counter, false) => {
                        metric.encode_family(labels)?.encode_counter::<NoLabelSet, _, f64>(value, None)?;
                    }
                    (Kind::Histogram, _) => {}
                    (Kind::Gauge, true) => metric.encode_gauge(value)?,
                    (Kind::Gauge, false) => metric.encode_family(labels)?.encode_gauge(value)?,
                }
            }
        }
        Ok(())
    }
}
