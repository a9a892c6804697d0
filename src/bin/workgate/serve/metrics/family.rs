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
}

/// Rows of one name.
#[derive(Debug)]
pub struct Family {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    rows: Vec<(Labels, f64)>,
}

impl Family {
    pub fn counter(name: &'static str, help: &'static str) -> Self {
        Family { name, help, kind: Kind::Counter, rows: Vec::new() }
    }

    pub fn gauge(name: &'static str, help: &'static str) -> Self {
        Family { name, help, kind: Kind::Gauge, rows: Vec::new() }
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
        for family in self.0.iter().filter(|family| !family.rows.is_empty()) {
            let kind = match family.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
            };
            let mut metric = encoder.encode_descriptor(family.name, family.help, None, kind)?;
            for (labels, value) in &family.rows {
                match (family.kind, labels.is_empty()) {
                    (Kind::Counter, true) => metric.encode_counter::<NoLabelSet, _, f64>(value, None)?,
                    (Kind::Counter, false) => {
                        metric.encode_family(labels)?.encode_counter::<NoLabelSet, _, f64>(value, None)?;
                    }
                    (Kind::Gauge, true) => metric.encode_gauge(value)?,
                    (Kind::Gauge, false) => metric.encode_family(labels)?.encode_gauge(value)?,
                }
            }
        }
        Ok(())
    }
}
