//! The ids that the queue has given: `#`, the number of the push in base 36, `-` and its time.
//! Those of one MPUSH have the same time.

/// The number of the first push of each MPUSH, and what its ids end in.
#[derive(Default)]
pub struct JobIds(Vec<(usize, String)>);

impl JobIds {
    /// Notes an MPUSH by its first id.
    pub fn note(&mut self, first: &str) -> Result<(), String> {
        let parts = first.strip_prefix('#').and_then(|id| id.split_once('-'));
        let (number, time) = parts.ok_or_else(|| format!("the id '{first}' has another form"))?;
        let number =
            usize::from_str_radix(number, 36).map_err(|error| format!("the id '{first}': {error}"))?;
        self.0.push((number, time.to_owned()));
        Ok(())
    }

    /// Adds those of later pushes.
    pub fn extend(&mut self, later: JobIds) {
        self.0.extend(later.0);
    }

    /// The id of a push.
    pub fn of(&self, number: usize) -> String {
        let batch = self.0.partition_point(|(first, _)| *first <= number) - 1;
        let mut digits = Vec::new();
        let mut rest = number;
        loop {
            digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[rest % 36]);
            rest /= 36;
            if rest == 0 {
                break;
            }
        }
        digits.reverse();
        format!("#{}-{}", String::from_utf8_lossy(&digits), self.0[batch].1)
    }
}
