//! `workgate.tzdir`: the data of time zones from a directory, such as `/usr/share/zoneinfo`.
//!
//! A system's directory is updated when a country changes its clocks, without a new build of the
//! module. The file of a zone is read when the zone is first used. A zone without a file there, or
//! with a damaged one, has the data of the build.

use std::path::Path;

use crate::domain::calendar::time_zone::{is_zone_data, use_source};
use crate::module_api::context::{Ctx, Level, log_anywhere};

use super::settings::TZDIR;

/// A file of a zone holds a few KiB.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Takes the directory, if one is set.
pub fn begin(ctx: Ctx<'_>) {
    let directory = TZDIR.get();
    if directory.is_empty() {
        return;
    }
    if !Path::new(&directory).is_dir() {
        let path = Path::new(&directory).display();
        let text = format!("workgate: tzdir {path} is no directory; the build's time zones are used");
        return ctx.log(Level::Warning, &text);
    }
    use_source(read);
}

/// `zone` is a name of the build's database, so it leads to no other place than one below the
/// directory.
fn read(zone: &str) -> Option<Vec<u8>> {
    let path = Path::new(&TZDIR.get()).join(zone);
    let fault = match std::fs::metadata(&path) {
        Ok(file) if file.is_file() && file.len() <= MAX_FILE_BYTES => match std::fs::read(&path) {
            Ok(data) if is_zone_data(zone, &data) => return Some(data),
            Ok(_) => "holds no time zone".to_owned(),
            Err(error) => error.to_string(),
        },
        Ok(_) => "holds no time zone".to_owned(),
        Err(error) => error.to_string(),
    };
    let text = format!("workgate: {}: {fault}; the build's data of this time zone is used", path.display());
    log_anywhere(Level::Warning, &text);
    None
}
