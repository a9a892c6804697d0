//! A chart for each server and setting: the server's CPU time of every operation.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

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

/// Where the axis ends: bars that are much longer than all of ours are cut, or nothing could be
/// told of the others.
fn end(measured: &[Measured]) -> f64 {
    let longest = |ours: bool| {
        let costs = measured.iter().filter(|one| !ours || one.ours).map(|one| one.micros);
        costs.fold(0.0, f64::max)
    };
    longest(false).min(longest(true).max(1.0) * 2.5) * 1.08
}

fn bars(path: &Path, title: &str, measured: &[Measured]) -> Result<(), Box<dyn std::error::Error>> {
    let count = measured.len();
    let end = end(measured);
    let area = SVGBackend::new(path, (960, 26 * count as u32 + 90)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(340)
        .build_cartesian_2d(0.0..end, (0..count).into_segmented())?;
    // The first row is at the top.
    let row = |place: usize| &measured[count - 1 - place];
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(TRANSPARENT)
        .disable_y_axis()
        .x_desc("microseconds of server CPU for one operation, 32 in flight; blue is ours")
        .draw()?;
    chart.draw_series((0..count).map(|place| {
        let color = if row(place).ours { OURS } else { OTHERS };
        let corners =
            [(0.0, SegmentValue::Exact(place)), (row(place).micros.min(end), SegmentValue::Exact(place + 1))];
        let mut bar = Rectangle::new(corners, color.filled());
        bar.set_margin(4, 4, 0, 0);
        bar
    }))?;
    // The cost is printed right of its bar, or inside a bar that is cut.
    chart.draw_series((0..count).map(|place| {
        let micros = row(place).micros;
        let (side, colour, at) = if micros < end * 0.94 {
            (HPos::Left, &BLACK, micros + end * 0.006)
        } else {
            (HPos::Right, &WHITE, micros.min(end * 0.994))
        };
        let style = TextStyle::from(("sans-serif", 12).into_font()).color(colour);
        let text = format!("{micros:.2}");
        Text::new(text, (at, SegmentValue::CenterOf(place)), style.pos(Pos::new(side, VPos::Center)))
    }))?;
    for place in 0..count {
        let (x, y) = chart.backend_coord(&(0.0, SegmentValue::CenterOf(place)));
        let style = TextStyle::from(("sans-serif", 12).into_font()).pos(Pos::new(HPos::Right, VPos::Center));
        area.draw(&Text::new(row(place).name, (x - 8, y), style))?;
    }
    area.present()?;
    Ok(())
}
