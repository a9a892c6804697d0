//! How far it is: two bars on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Between lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(2);

pub enum Progress {
    Bars { deliveries: ProgressBar, jobs: ProgressBar },
    Lines { last: Option<Instant>, deliveries: u64 },
}

impl Progress {
    pub fn new(deliveries: u64) -> Self {
        if !std::io::stderr().is_terminal() {
            return Progress::Lines { last: None, deliveries };
        }
        let bars = MultiProgress::new();
        let style = |template| {
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
        };
        let acknowledged = bars.add(ProgressBar::new(deliveries));
        acknowledged
            .set_style(style("  deliveries acknowledged  {bar:36.cyan/black} {human_pos} of {human_len}"));
        let jobs = bars.add(ProgressBar::new(0));
        jobs.set_style(style(
            "  jobs done or dead        {bar:36.green/black} {human_pos} of {human_len}  {elapsed}",
        ));
        Progress::Bars { deliveries: acknowledged, jobs }
    }

    pub fn show(&mut self, acknowledged: u64, accepted: u64, finished: u64) {
        match self {
            Progress::Bars { deliveries, jobs } => {
                deliveries.set_position(acknowledged);
                jobs.set_length(accepted);
                jobs.set_position(finished);
            }
            Progress::Lines { last, deliveries } => {
                if last.is_none_or(|last| last.elapsed() >= LINE_EVERY) {
                    *last = Some(Instant::now());
                    eprintln!(
                        "  {acknowledged} of {deliveries} deliveries acknowledged, {finished} of {accepted} jobs done or dead"
                    );
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Progress::Bars { deliveries, jobs } = self {
            deliveries.finish_and_clear();
            jobs.finish_and_clear();
        }
    }
}
