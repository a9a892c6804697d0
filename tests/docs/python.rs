//! Python that the guides offer, run where a Python with redis-py can be had.

use std::path::Path;
use std::process::Command;

use crate::support::server;

/// PYTHONPATH with redis-py and the folders; `None`, with a line that says why, where there is no
/// redis-py.
fn python_path(folders: &[&Path]) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fetched = Command::new(root.join("scripts/python-clients")).output().expect("a script of ours");
    if !fetched.status.success() {
        println!("SKIPPED: {}", String::from_utf8_lossy(&fetched.stderr));
        return None;
    }
    let clients = String::from_utf8(fetched.stdout).expect("a path").trim().to_owned();
    let folders = folders.iter().map(|folder| root.join(folder).display().to_string());
    Some(std::iter::once(clients).chain(folders).collect::<Vec<_>>().join(":"))
}

#[test]
fn the_helper_of_the_guides_does_what_it_says() {
    let Some(path) = python_path(&[Path::new("docs/guides")]) else { return };
    let server = server!();
    let output = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/python/test_workgate.py"))
        .env("PYTHONPATH", path)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("REDIS_URL", server.url())
        .output()
        .expect("python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The `python` blocks of the page, one after the other.
#[test]
fn the_page_about_python_runs_as_it_stands() {
    let Some(path) = python_path(&[Path::new("docs/guides")]) else { return };
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guides/python.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let blocks = page.split("```python\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    let program = blocks.collect::<Vec<_>>().join("\n");
    let server = server!();
    let output = Command::new("python3")
        .args(["-c", &program.replace("6379", &server.port().to_string())])
        .env("PYTHONPATH", path)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("python3");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    let twice = "b'{\"ok\":true}'\nb'{\"ok\":true}'\n";
    let job = "b'evt_1' b'{\"to\":\"ada@example.com\"}' attempt 1\n";
    assert_eq!(printed, format!("{twice}b'{{\"name\":\"Ada\"}}'\n{job}"));
}

/// The loader of the caching guide: the load's own error is told, also where its lease has gone.
#[test]
fn the_loader_of_the_caching_guide_does_what_the_guide_says() {
    let Some(path) = python_path(&[]) else { return };
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guides/caching.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let loader =
        page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the loader");
    let server = server!();
    let loader = loader.replace("redis.Redis(", &format!("redis.Redis(port={}, ", server.port()));
    let program = format!(
        "{loader}
loads = []
assert cached('k', lambda: loads.append(1) or 'v') == 'v'
assert cached('k', lambda: loads.append(1) or 'w') == 'v' and len(loads) == 1
assert cached('none', lambda: None) is None
def failing():
    r.delete('gone')
    raise KeyError('of the load')
for key in 'gone', 'there':
    try:
        cached(key, failing)
    except KeyError:
        continue
    raise SystemExit('the error of the load was lost: ' + key)
r.execute_command('CACHE.SET', 'old', 'stale', 'TTL', '1ms', 'GRACE', '1h')
time.sleep(0.01)
assert cached('old', failing) == 'stale'
print('all of it')
"
    );
    let output =
        Command::new("python3").args(["-c", &program]).env("PYTHONPATH", path).output().expect("python3");
    let (printed, faults) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(printed, "all of it\n", "{faults}");
}
