//! The map in ARCHITECTURE.md, held against the `use` lines of the library.
//!
//! Knows modules and what they import; not what is in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module as in `use` lines, without `crate`.
type Module = Vec<String>;

/// Every module of the library and its text, tests left out.
struct Library(BTreeMap<Module, String>);

/// What a `use` line names: a path, and whether it is handed on to others.
struct Import {
    path: Vec<String>,
    public: bool,
}

impl Library {
    fn read() -> Self {
        let mut modules = BTreeMap::new();
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
        read_folder(Path::new(root), &[], &mut modules);
        Self(modules)
    }

    /// The modules that the `use` lines of `module` lead to, through what others hand on.
    fn imports(&self, module: &Module) -> BTreeSet<Module> {
        let lines = uses(&self.0[module]);
        let targets = lines.iter().filter(|import| !import.public).filter_map(|import| {
            let path = self.absolute(module, &import.path)?;
            self.home(&path)
        });
        targets.filter(|target| target != module).collect()
    }

    /// `path` as seen from `module`, from the library's root; `None` outside the library.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Vec<String>> {
        let ups = path.iter().take_while(|part| *part == "super").count();
        let child = || [&module[..], &path[..1]].concat();
        match path.first()?.as_str() {
            "crate" => Some(path[1..].to_vec()),
            "self" => Some([&module[..], &path[1..]].concat()),
            "super" => Some([&module[..module.len() - ups], &path[ups..]].concat()),
            _ if self.0.contains_key(&child()) => Some([&module[..], path].concat()),
            _ => None,
        }
    }

    /// The module in which what `path` names is defined.
    fn home(&self, path: &[String]) -> Option<Module> {
        let length = (0..=path.len()).rev().find(|&length| self.0.contains_key(&path[..length]))?;
        let (module, rest) = (path[..length].to_vec(), &path[length..]);
        let Some(name) = rest.first() else { return Some(module) };
        for import in uses(&self.0[&module]).iter().filter(|import| import.public) {
            let Some(handed_on) = self.absolute(&module, &import.path) else { continue };
            match handed_on.split_last() {
                Some((last, _)) if last == name => return self.home(&handed_on),
                Some((last, folder)) if last == "*" && self.defines(folder, name) => {
                    return Some(folder.to_vec());
                }
                _ => {}
            }
        }
        Some(module)
    }

    fn defines(&self, module: &[String], name: &str) -> bool {
        let kinds = ["struct", "enum", "trait", "fn", "type", "const", "static"];
        let text = self.0.get(module).map_or("", String::as_str);
        kinds.iter().any(|kind| {
            let definition = format!("{kind} {name}");
            text.match_indices(&definition).any(|(at, _)| {
                !text[at + definition.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
            })
        })
    }
}

/// Which modules each one imports.
type Arrows = BTreeMap<Module, BTreeSet<Module>>;

/// The modules on a way from `module` back to itself, if there is one.
///
/// A folder's own module has what its files share, and calls them; that is no circle.
fn circle(module: &Module, arrows: &Arrows) -> Option<Vec<Module>> {
    let inside = |folder: &Module, file: &Module| file.len() > folder.len() && file.starts_with(folder);
    let (mut ways, mut seen) = (vec![vec![module.clone()]], BTreeSet::new());
    while let Some(way) = ways.pop() {
        let last = &way[way.len() - 1];
        for next in arrows[last].iter().filter(|next| !inside(next, last) && !inside(last, next)) {
            if next == module {
                return Some(way);
            }
            if seen.insert(next.clone()) {
                ways.push([&way[..], std::slice::from_ref(next)].concat());
            }
        }
    }
    None
}

fn read_folder(folder: &Path, module: &[String], modules: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let inside = [module, std::slice::from_ref(&stem)].concat();
        if path.is_dir() {
            if stem != "cli" {
                read_folder(&path, &inside, modules);
            }
            continue;
        }
        let name = match stem.as_str() {
            "main" | "tests" => continue,
            "mod" | "lib" => module.to_vec(),
            _ => inside,
        };
        let text = fs::read_to_string(&path).expect("text");
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        modules.insert(name, code.to_owned());
    }
}

/// Every path that a text's `use` lines name.
fn uses(text: &str) -> Vec<Import> {
    let mut imports = vec![];
    let mut rest = text;
    while let Some(at) = rest.find("use ") {
        let (before, line) = (&rest[..at], &rest[at + 4..]);
        let begin = before.rsplit('\n').next().unwrap_or_default();
        rest = line;
        if !(begin.is_empty() || begin.starts_with("pub")) {
            continue;
        }
        let tree: String = line.split(';').next().unwrap_or_default().split_whitespace().collect();
        let public = begin.starts_with("pub");
        imports.extend(branches(&tree).into_iter().map(|path| Import { path, public }));
    }
    imports
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`.
fn branches(tree: &str) -> Vec<Vec<String>> {
    let split = |path: &str| path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let Some((stem, inner)) = tree.split_once('{') else { return vec![split(tree)] };
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    let (mut depth, mut start, mut parts) = (0, 0, vec![]);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    let stem: Vec<String> = split(stem);
    parts.flat_map(branches).map(|branch| [&stem[..], &branch].concat()).collect()
}

/// Which modules of the library import which others.
fn arrows() -> Arrows {
    let library = Library::read();
    library.0.keys().map(|module| (module.clone(), library.imports(module))).collect()
}

#[test]
fn files_import_one_another_in_no_circle() {
    let arrows = arrows();
    for module in arrows.keys() {
        assert_eq!(circle(module, &arrows), None, "{module:?} leads back to itself");
    }
    // The walk sees arrows that are there.
    let module = |path: &str| path.split("::").map(str::to_owned).collect::<Vec<_>>();
    let imports = &arrows[&module("sweep::outputs")];
    for expected in ["sweep::collect", "sweep::figures", "report"] {
        assert!(imports.contains(&module(expected)), "{expected} is missing in {imports:?}");
    }
    let imports = &arrows[&module("problem::build::conditions")];
    assert!(imports.contains(&module("expr::graph")), "{imports:?}");
}

#[test]
fn nobody_knows_what_the_map_forbids() {
    let forbidden = [
        ("expr", "problem network engine"),
        ("problem", "engine optim train run solve sweep"),
        ("activation", "network problem"),
        ("init", "train engine"),
        ("signal", "problem report run"),
        ("engine", "optim train run solve"),
        ("optim", "network engine problem train"),
        ("export", "engine train run solve report"),
        ("page", "engine optim solve sweep"),
        ("score", "train optim"),
        ("verify", "train score optim"),
        ("adapt", "optim"),
        ("breakdown", "optim train"),
        ("train", "run solve report"),
        ("report", "engine problem train"),
        ("solve", "sweep"),
        ("sweep", "engine optim train"),
    ];
    for (module, imports) in &arrows() {
        let Some((_, others)) =
            forbidden.iter().find(|(name, _)| module.first().is_some_and(|top| top == name))
        else {
            continue;
        };
        let taken = imports.iter().filter_map(|import| import.first());
        let wrong: Vec<_> = taken.filter(|top| others.split(' ').any(|other| other == *top)).collect();
        assert!(wrong.is_empty(), "{module:?} imports {wrong:?}");
    }
}

#[test]
fn property_tests_draw_from_a_fixed_stream() {
    let own = ["src/properties.rs", "tests/it/structure.rs"];
    let mut folders =
        ["src", "tests", "examples"].map(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).to_vec();
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs")
                && !own.iter().any(|own| path.ends_with(own))
            {
                let text = fs::read_to_string(&path).expect("text");
                assert!(
                    !["proptest!", "TestRunner"].iter().any(|word| text.contains(word)),
                    "{}: write `properties!` (src/properties.rs) instead, whose cases are the same at every run",
                    path.display()
                );
                seen += usize::from(text.contains("properties! {"));
            }
        }
    }
    assert!(seen > 3, "{seen} files with property tests");
}
