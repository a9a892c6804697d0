//! A temporary folder that goes with its guard.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

#[derive(Debug)]
pub struct TempDir {
    path: PathBuf,
}

impl TempDir {
    /// A new folder for this process.
    pub fn new() -> Result<Self, String> {
        let mut number = 0;
        loop {
            let path = env::temp_dir().join(format!("workgate-demo-{}-{number}", process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(TempDir { path }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(format!("{}: {error}", path.display())),
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("{} stays: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_folders_do_not_meet_and_both_go() {
        let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        fs::write(one.file("a"), "x").unwrap();
        assert!(!other.file("a").exists());
        let path = one.path().to_owned();
        drop(one);
        assert!(!path.exists() && other.path().exists());
    }
}
