//! A chart for each kind of queue: the cost of every verb over the number of jobs.

use std::path::Path;

use plotters::prelude::*;

use crate::job_kinds::Kind;
use crate::queue::Queue;

/// The file of a chart, in the folder of the page.
pub fn name(kind: Kind) -> String {
    format!("scaling-{}.svg", kind.word())
}

/// Colours that readers with colour blindness can tell apart.
const COLOURS: [RGBColor; 10] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x44, 0x44, 0x44),
    RGBColor(0x8c, 0x56, 0x4b),
    RGBColor(0xb8, 0xb0, 0x00),
    RGBColor(0x6a, 0x3d, 0x9a),
];

pub fn draw(folder: &Path, kind: Kind, queues: &[&Queue]) -> Result<(), String> {
    let path = folder.join(name(kind));
    lines(&path, kind.title(), queues).map_err(|error| format!("{}: {error}", path.display()))
}

fn lines(path: &Path, title: &str, queues: &[&Queue]) -> Result<(), Box<dyn std::error::Error>> {
    let (Some(first), Some(last)) = (queues.first(), queues.last()) else { return Ok(()) };
    let costs = queues.iter().flat_map(|queue| &queue.verbs).map(|(_, cost)| *cost);
    let most = costs.fold(0.0, f64::max);
    let area = SVGBackend::new(path, (960, 460)).into_drawing_area();
    area.fill(&WHITE)?;
    // The names are right of the lines, where nothing hides them.
    let (left, right) = area.split_horizontally(730);
    let mut chart = ChartBuilder::on(&left)
        .caption(title, ("sans-serif", 18))
        .margin(14)
        .margin_right(40)
        .x_label_area_size(42)
        .y_label_area_size(50)
        .build_cartesian_2d((first.jobs as f64..last.jobs as f64).log_scale(), 0.0..most * 1.1)?;
    chart
        .configure_mesh()
        .x_labels(5)
        .light_line_style(TRANSPARENT)
        .x_label_formatter(&|jobs| grouped(*jobs as usize))
        .y_label_formatter(&|micros| format!("{micros:.1}"))
        .x_desc("jobs in the queue")
        .y_desc("µs of server CPU a call")
        .draw()?;
    for (at, (verb, _)) in first.verbs.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let points = || queues.iter().map(|queue| (queue.jobs as f64, queue.verbs[at].1));
        chart.draw_series(LineSeries::new(points(), colour.stroke_width(2)))?;
        chart.draw_series(points().map(|point| Circle::new(point, 3, colour.filled())))?;
        let y = 60 + 24 * at as i32;
        right.draw(&Rectangle::new([(0, y), (18, y + 4)], colour.filled()))?;
        right.draw(&Text::new((*verb).to_owned(), (26, y - 5), ("sans-serif", 14)))?;
    }
    area.present()?;
    Ok(())
}

/// With commas between thousands.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
