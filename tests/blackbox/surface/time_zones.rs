//! `workgate.tzdir`: the data of time zones from a directory.

use std::path::Path;

use tempfile::TempDir;

use crate::support::{Server, cmd, eventually, server};

/// A file of a zone whose clocks are always so many hours ahead of UTC.
fn zone_file(hours: u8) -> Vec<u8> {
    let mut file = Vec::new();
    for version in 0..2 {
        file.extend(b"TZif2");
        file.extend([0; 15]);
        // No leap seconds, no changes; one kind of time, whose name has four bytes with its end.
        for count in [0_u32, 0, 0, 0, 1, 4] {
            file.extend(count.to_be_bytes());
        }
        file.extend((i32::from(hours) * 3_600).to_be_bytes());
        file.extend([0, 0]);
        file.extend(b"XXX\0");
        if version == 1 {
            file.extend(format!("\nXXX-{hours}\n").bytes());
        }
    }
    file
}

/// The hour of the day, in UTC, at which a day of the zone ends; halves are cut off.
#[track_caller]
fn day_ends_at(s: &Server, zone: &str) -> i64 {
    let day = s.ok(format!("RATELIMIT.CHECK {zone} 5/day@{zone}"));
    let end = s.now() + day.at(4).int();
    // The reply was made a moment before the clock was asked.
    (end % 86_400_000) / 3_600_000
}

fn with_tzdir(directory: &Path) -> Server {
    server!(format!("workgate.tzdir {}", directory.display()).as_str())
}

#[test]
fn a_zone_has_the_data_of_the_directory_and_without_a_file_that_of_the_build() {
    let directory = TempDir::new().expect("a temporary directory");
    for folder in ["Asia", "Europe"] {
        std::fs::create_dir(directory.path().join(folder)).expect("a folder");
    }
    std::fs::write(directory.path().join("Europe/Berlin"), zone_file(5)).expect("a file");
    std::fs::write(directory.path().join("Asia/Tokyo"), b"TZif2 and then nothing").expect("a file");
    std::fs::create_dir(directory.path().join("Asia/Kolkata")).expect("a folder");
    let s = with_tzdir(directory.path());
    assert_eq!(day_ends_at(&s, "Europe/Berlin"), 19);
    // Damaged, no file, and missing.
    assert_eq!(day_ends_at(&s, "Asia/Tokyo"), 15);
    assert_eq!(day_ends_at(&s, "Asia/Kolkata"), 18);
    assert_eq!(day_ends_at(&s, "Asia/Dubai"), 20);
    eventually("the log names what it did not use", || {
        ["Asia/Tokyo", "Asia/Kolkata", "Asia/Dubai"].iter().all(|zone| s.log_tail().contains(zone))
    });
    // Schedules go by the same data.
    s.ok(cmd!["JOBQ.CRON", "SET", "q", "daily", "0 0 * * *", "p", "TZ", "Europe/Berlin"]);
    let next = s.ok("JOBQ.CRON LIST q").at(0).field("next_ms").int();
    assert_eq!(next % 86_400_000, 19 * 3_600_000);
}

#[test]
fn a_directory_that_is_not_there_leaves_the_data_of_the_build() {
    let directory = TempDir::new().expect("a temporary directory");
    let s = with_tzdir(&directory.path().join("missing"));
    assert_eq!(day_ends_at(&s, "Asia/Tokyo"), 15);
    eventually("the log says so", || s.log_tail().contains("is no directory"));
    assert!(s.call("CONFIG SET workgate.tzdir /").is_error(), "it is read once, at the start");
}
