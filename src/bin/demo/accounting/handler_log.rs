//! The files that handlers append to: one line for every run, one for every load of a customer.

use std::collections::{HashMap, HashSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// One run of the handler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEntry {
    pub id: String,
    pub attempt: u32,
    /// Of the id and the payload as the handler read it.
    pub fingerprint: String,
    pub customer: String,
    pub exit: u8,
}

/// Appends one line in one write, so that lines of handlers running at once do not mix.
pub fn append(file: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    file.write_all(format!("{line}\n").as_bytes())
}

/// The runs file, counted.
#[derive(Debug, Default)]
pub struct Runs {
    pub entries: Vec<RunEntry>,
}

impl Runs {
    pub fn read(file: &Path) -> Result<Self, String> {
        let entries = lines(file)?
            .iter()
            .map(|line| {
                serde_json::from_str(line).map_err(|error| format!("{}: {error}: {line}", file.display()))
            })
            .collect::<Result<_, _>>()?;
        Ok(Runs { entries })
    }

    pub fn count(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Runs of different (job, attempt) pairs: as many as runs, when no attempt ran twice.
    pub fn distinct(&self) -> u64 {
        self.entries.iter().map(|run| (&run.id, run.attempt)).collect::<HashSet<_>>().len() as u64
    }

    /// Runs whose payload arrived as it was delivered.
    pub fn intact(&self, sent: &HashSet<String>) -> u64 {
        self.entries.iter().filter(|run| sent.contains(&run.fingerprint)).count() as u64
    }
}

/// How often each customer was loaded.
pub fn loads(file: &Path) -> Result<HashMap<String, u64>, String> {
    let mut loads = HashMap::new();
    for customer in lines(file)? {
        *loads.entry(customer).or_default() += 1;
    }
    Ok(loads)
}

/// A file without appended lines is empty.
fn lines(file: &Path) -> Result<Vec<String>, String> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(format!("{}: {error}", file.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str, attempt: u32) -> RunEntry {
        RunEntry { id: id.into(), attempt, fingerprint: format!("f-{id}"), customer: "c".into(), exit: 0 }
    }

    #[test]
    fn what_is_appended_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("runs");
        assert_eq!(Runs::read(&file).unwrap().count(), 0);
        for entry in [run("a\n\"", 1), run("b", 1), run("b", 2), run("b", 2)] {
            append(&file, &serde_json::to_string(&entry).unwrap()).unwrap();
        }
        let runs = Runs::read(&file).unwrap();
        assert_eq!(runs.entries[0], run("a\n\"", 1));
        assert_eq!((runs.count(), runs.distinct()), (4, 3));
        assert_eq!(runs.intact(&HashSet::from(["f-b".to_owned()])), 3);
    }

    #[test]
    fn a_second_load_of_a_customer_shows() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("loads");
        for customer in ["a", "b", "a"] {
            append(&file, customer).unwrap();
        }
        assert_eq!(loads(&file).unwrap(), HashMap::from([("a".into(), 2), ("b".into(), 1)]));
    }
}
