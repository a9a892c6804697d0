//! Charts of the last hour as SVG, a point for each minute. No text is drawn: what is shown in
//! numbers stands beside them, and a minute's numbers are its tooltip.

use super::shown;

const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 120.0;

/// One line of a chart. None where there is nothing to show for a minute.
#[derive(Debug, Clone)]
pub struct Line {
    pub name: &'static str,
    /// Of the style: `a` or `b`.
    pub class: &'static str,
    pub values: Vec<Option<f64>>,
}

#[derive(Debug, Clone)]
pub struct Chart {
    pub title: &'static str,
    /// What the newest values are.
    pub now: String,
    pub top: String,
    pub from: String,
    pub svg: Svg,
    pub lines: Vec<Line>,
}

/// Paths in a box of [`WIDTH`] by [`HEIGHT`].
#[derive(Debug, Clone, Default)]
pub struct Svg {
    pub areas: Vec<(&'static str, String)>,
    pub strokes: Vec<(&'static str, String)>,
    /// x, width and words of each minute.
    pub minutes: Vec<(String, String, String)>,
}

/// `end_ms` is the beginning of the last minute; `write` writes a value for people.
pub fn chart(
    title: &'static str,
    lines: Vec<Line>,
    end_ms: u64,
    is_filled: bool,
    write: impl Fn(f64) -> String,
) -> Chart {
    let most =
        lines.iter().flat_map(|line| &line.values).flatten().fold(0.0_f64, |most, value| most.max(*value));
    let scale = if most > 0.0 { most } else { 1.0 };
    let length = lines.iter().map(|line| line.values.len()).max().unwrap_or(0).max(2);
    let step = WIDTH / (length - 1) as f64;
    let place =
        |minute: usize, value: f64| (minute as f64 * step, HEIGHT - 4.0 - value / scale * (HEIGHT - 12.0));
    let mut svg = Svg::default();
    for line in &lines {
        let mut stroke = String::new();
        let mut is_drawn = false;
        for (minute, value) in line.values.iter().enumerate() {
            let Some(value) = value else {
                is_drawn = false;
                continue;
            };
            let (x, y) = place(minute, *value);
            let word = if is_drawn { 'L' } else { 'M' };
            stroke.push_str(&format!("{word}{x:.1} {y:.1}"));
            // A point by itself is drawn by its round ends.
            if !is_drawn {
                stroke.push_str(&format!("L{x:.1} {y:.1}"));
            }
            is_drawn = true;
        }
        if is_filled && line.values.iter().all(Option::is_some) && !line.values.is_empty() {
            svg.areas.push((line.class, format!("{stroke}L{WIDTH} {HEIGHT}L0 {HEIGHT}Z")));
        }
        svg.strokes.push((line.class, stroke));
    }
    for minute in 0..length {
        let begin = end_ms.saturating_sub(60_000 * (length - 1 - minute) as u64);
        let values = lines.iter().map(|line| {
            let value = line.values.get(minute).copied().flatten();
            format!("{} {}", line.name, value.map_or("–".into(), &write))
        });
        let words = format!("{}: {}", &shown::utc(begin)[11..16], values.collect::<Vec<_>>().join(", "));
        let x = (minute as f64 - 0.5) * step;
        svg.minutes.push((format!("{x:.1}"), format!("{step:.1}"), words));
    }
    let newest =
        |line: &Line| line.values.iter().rev().flatten().next().map_or("–".into(), |value| write(*value));
    let now =
        lines.iter().map(|line| format!("{} {}", newest(line), line.name)).collect::<Vec<_>>().join(" · ");
    let from = shown::utc(end_ms.saturating_sub(60_000 * (length as u64 - 1)));
    let from = from.get(11..16).unwrap_or_default().to_owned();
    Chart { title, now, top: write(most), from, svg, lines }
}

/// A small line without anything around it: its path in a box of 120 by 28.
pub fn sparkline(values: &[u64]) -> String {
    let most = values.iter().copied().max().unwrap_or(0).max(1) as f64;
    let step = 120.0 / (values.len().max(2) - 1) as f64;
    let mut path = String::new();
    for (place, value) in values.iter().enumerate() {
        let (x, y) = (place as f64 * step, 26.0 - *value as f64 / most * 24.0);
        path.push_str(&format!("{}{x:.1} {y:.1}", if place == 0 { 'M' } else { 'L' }));
    }
    path
}

/// Rows of SERIES, `[minute, n …]`, as whole columns of `length` minutes up to `end_ms`.
pub fn columns<const N: usize>(rows: &[(u64, [u64; N])], length: usize, end_ms: u64) -> [Vec<u64>; N] {
    let mut columns: [Vec<u64>; N] = std::array::from_fn(|_| vec![0; length]);
    for (minute, counts) in rows {
        let ago = end_ms.saturating_sub(*minute) / 60_000;
        let Some(place) = (length as u64).checked_sub(1 + ago) else { continue };
        for (column, count) in columns.iter_mut().zip(counts) {
            column[place as usize] += count;
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    #[test]
    fn a_minute_without_a_row_is_empty() {
        let rows = [(7 * MINUTE, [1, 2]), (9 * MINUTE, [3, 4]), (2 * MINUTE, [9, 9])];
        assert_eq!(columns(&rows, 3, 9 * MINUTE), [vec![1, 0, 3], vec![2, 0, 4]]);
    }

    #[test]
    fn gaps_are_not_drawn_and_the_highest_value_is_the_top() {
        let line = Line { name: "x", class: "a", values: vec![Some(1.0), None, Some(2.0), Some(4.0)] };
        let chart = chart("t", vec![line], 60 * MINUTE, true, |value| format!("{value}"));
        assert_eq!((chart.top.as_str(), chart.now.as_str(), chart.from.as_str()), ("4", "4 x", "00:57"));
        assert_eq!(chart.svg.strokes[0].1.matches('M').count(), 2);
        assert!(chart.svg.areas.is_empty());
        assert_eq!(chart.svg.minutes[1].2, "00:58: x –");
    }

    #[test]
    fn nothing_at_all_is_drawn_as_a_line_at_the_bottom() {
        let line = Line { name: "x", class: "a", values: vec![Some(0.0); 60] };
        let chart = chart("t", vec![line], 60 * MINUTE, true, |value| format!("{value}"));
        assert!(chart.svg.strokes[0].1.starts_with("M0.0 116.0"), "{}", chart.svg.strokes[0].1);
        assert_eq!(sparkline(&[]), "");
        assert_eq!(sparkline(&[0, 5]), "M0.0 26.0L120.0 2.0");
    }
}
