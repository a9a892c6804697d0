//! Which file imports which: `use` and full paths, followed through `pub use` to the file that
//! defines the name.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Import, Source};

type Module = Vec<String>;

/// The files of one crate by their paths below its root folder, and the imports among them.
pub struct Crate {
    sources: BTreeMap<Module, (String, Source)>,
}

impl Crate {
    /// `files` are (path below the root folder, text); the root itself is `lib.rs` or `main.rs`.
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let sources = files.into_iter().filter(|(path, _)| !path.split('/').any(|part| part == "tests"));
        let sources =
            sources.map(|(path, text)| (module_of(path), (path.to_owned(), Source::parse(path, text))));
        Crate { sources: sources.collect() }
    }

    /// For each file those that it imports, itself excepted.
    pub fn imports(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let of = |(module, (path, source)): (&Module, &(String, Source))| {
            let mut found: BTreeSet<&str> =
                self.named_by(module, source).filter_map(|path| self.resolve(path, 0)).collect();
            found.remove(path.as_str());
            found
        };
        self.sources.iter().map(|entry| (entry.1.0.as_str(), of(entry))).collect()
    }

    /// The absolute paths that a file names. A `pub use` that its own code does not need only
    /// passes a name on.
    fn named_by<'a>(&'a self, module: &'a Module, source: &'a Source) -> impl Iterator<Item = Module> + 'a {
        let needs = |name: &str| source.paths.iter().any(|path| path[0] == name);
        let imports = source.imports.iter().filter(move |import| !import.is_public || needs(&import.name));
        let imports = imports.filter_map(|import| self.absolute(module, &import.path));
        let paths = source.paths.iter().filter_map(|path| {
            let import = source.imports.iter().find(|import| import.name == path[0]);
            match import {
                Some(Import { path: before, .. }) => {
                    let mut whole = self.absolute(module, before)?;
                    whole.extend_from_slice(&path[1..]);
                    Some(whole)
                }
                None => self.absolute(module, path),
            }
        });
        imports.chain(paths)
    }

    /// A path from the root of the crate; `None` when it leads out of the crate or names something
    /// local.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Module> {
        let (mut base, mut rest) = match path.first().map(String::as_str)? {
            // The word of `pub(crate)` or a receiver.
            "crate" | "self" | "super" if path.len() == 1 => return None,
            "crate" => (Vec::new(), &path[1..]),
            "self" => (module.clone(), &path[1..]),
            "super" => (module.clone(), path),
            name => {
                // A field may be called as a child module is.
                let is_child = path.len() > 1 && self.sources.contains_key(&joined(module, name));
                return is_child.then(|| module.iter().chain(path).cloned().collect());
            }
        };
        while rest.first().is_some_and(|word| word == "super") {
            base.pop();
            rest = &rest[1..];
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    /// The file that defines what a path names.
    fn resolve(&self, path: Module, depth: usize) -> Option<&str> {
        let mut module = Module::new();
        for (at, word) in path.iter().enumerate() {
            let child = joined(&module, word);
            if self.sources.contains_key(&child) {
                module = child;
                continue;
            }
            let (file, source) = self.sources.get(&module)?;
            let passed_on = source.imports.iter().find(|import| import.name == *word);
            let origin = passed_on.and_then(|import| self.absolute(&module, &import.path));
            return match origin {
                Some(mut origin) if depth < 8 => {
                    origin.extend_from_slice(&path[at + 1..]);
                    self.resolve(origin, depth + 1)
                }
                _ => Some(file),
            };
        }
        self.sources.get(&module).map(|(file, _)| file.as_str())
    }
}

fn joined(module: &Module, name: &str) -> Module {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

/// `runtime/commit.rs` is `runtime::commit`; `lib.rs`, `main.rs` and `mod.rs` mean their folder.
fn module_of(path: &str) -> Module {
    let parts = path.trim_end_matches(".rs").split('/');
    parts.filter(|part| !matches!(*part, "mod" | "lib" | "main")).map(str::to_owned).collect()
}

/// The shortest circle through each file that is in one, each told once.
pub fn circles(imports: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<Vec<String>> {
    let mut found = BTreeSet::new();
    for start in imports.keys() {
        if let Some(circle) = circle_through(start, imports) {
            let least = (0..circle.len()).min_by_key(|at| circle[*at]).unwrap_or(0);
            let turned = circle[least..].iter().chain(&circle[..least]).map(|file| (*file).to_owned());
            found.insert(turned.collect::<Vec<_>>());
        }
    }
    found.into_iter().collect()
}

fn circle_through<'a>(
    start: &'a str,
    imports: &BTreeMap<&'a str, BTreeSet<&'a str>>,
) -> Option<Vec<&'a str>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut next = std::collections::VecDeque::from([start]);
    while let Some(file) = next.pop_front() {
        for &to in imports.get(file).into_iter().flatten() {
            if to == start {
                let mut circle = vec![file];
                while *circle.last()? != start {
                    circle.push(came_from.get(circle.last()?)?);
                }
                circle.reverse();
                return Some(circle);
            }
            if !came_from.contains_key(to) {
                came_from.insert(to, file);
                next.push_back(to);
            }
        }
    }
    None
}
