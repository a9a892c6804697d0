//! A chart for each server and setting: the server's CPU time of every operation.

use std::path::Path;

use plotters::prelude::*;

use crate::report::{Measured, Setting};

const OURS: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const OTHERS: RGBColor = RGBColor(0x9a, 0x9a, 0x9a);

/// The file of the chart with this number, in the folder of the report.
pub fn name(number: usize) -> String {
    format!("performance-{}.svg", number + 1)
}

pub fn draw(folder: &Path, number: usize, setting: &Setting) -> Result<(), String> {
    let path = folder.join(name(number));
    bars(&path, &setting.title(), &setting.measured).map_err(|error| format!("{}: {error}", path.display()))
}

fn bars(path: &Path, title: &str, measured: &[Measured]) -> Result<(), Box<dyn std::error::Error>> {
    let count = measured.len();
    let longest = measured.iter().map(|one| one.micros).fold(0.0, f64::max);
    let area = SVGBackend::new(path, (960, 26 * count as u32 + 90)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(340)
        .build_cartesian_2d(0.0..longest * 1.05, (0..count).into_segmented())?;
    // The first row stands at the top.
    let row = |place: usize| &measured[count - 1 - place];
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(count)
        .y_label_formatter(&|place| match place {
            SegmentValue::CenterOf(place) if *place < count => row(*place).name.to_owned(),
            _ => String::new(),
        })
        .x_desc("microseconds of server CPU for one operation, 32 in flight")
        .draw()?;
    chart.draw_series((0..count).map(|place| {
        let color = if row(place).is_ours() { OURS } else { OTHERS };
        let corners =
            [(0.0, SegmentValue::Exact(place)), (row(place).micros, SegmentValue::Exact(place + 1))];
        let mut bar = Rectangle::new(corners, color.filled());
        bar.set_margin(4, 4, 0, 0);
        bar
    }))?;
    area.present()?;
    Ok(())
}
