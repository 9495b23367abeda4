//! The files that a problem names, kept in the folder of its run: data, references, meshes, polygons.
//!
//! They may move or change while the run is still to be resumed or asked.
//! The name of a copy says what was in it, so that one that was changed is known.
//! This file knows paths and bytes; it does not know what the files say.

use std::fs;
use std::path::{Path, PathBuf};

use super::{RunError, make_folder, write_whole};
use crate::limits::MAX_KEPT;
use crate::rng;

const FOLDER: &str = "inputs";

/// Copies `files` into the folder of a run; the text that names them, with the copies' names.
///
/// A file that is larger than [`MAX_KEPT`], or cannot be read, stays where it is.
///
/// # Errors
///
/// If a copy cannot be written.
pub fn keep(folder: &Path, text: &str, files: &[PathBuf]) -> Result<String, RunError> {
    let kept = copies(files);
    let own = folder.join(FOLDER);
    if !kept.is_empty() && !own.is_dir() {
        make_folder(&own)?;
    }
    for (_, name, bytes) in &kept {
        write_whole(&folder.join(name), bytes)?;
    }
    Ok(renamed(text, &kept))
}

/// The text that names `files` with the names that copies of them have, wherever they lie: two texts are one where they say
/// the same of files with the same content.
pub fn named(text: &str, files: &[PathBuf]) -> String {
    renamed(text, &copies(files))
}

/// The copies in the folder of a run, by their names in it, in order.
pub fn list(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join(FOLDER)).into_iter().flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.map(|name| format!("{FOLDER}/{name}")).collect();
    names.sort();
    names
}

/// Are the copies in the folder of a run what their names say?
///
/// # Errors
///
/// If one was changed.
pub fn check(folder: &Path) -> Result<(), RunError> {
    let Ok(entries) = fs::read_dir(folder.join(FOLDER)) else { return Ok(()) };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let Ok(bytes) = fs::read(&path) else { continue };
        let said = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.rsplit_once('-'));
        if said.is_some_and(|(_, said)| said.len() == DIGITS && said != digest(&bytes)) {
            let reason = "it is not the file that the run began with".to_owned();
            return Err(RunError::Damaged { path, reason });
        }
    }
    Ok(())
}

/// Digits of a digest.
const DIGITS: usize = 16;

fn digest(bytes: &[u8]) -> String {
    format!("{:0DIGITS$x}", rng::hash(bytes))
}

/// Of every file that is to be kept its path, the name of its copy, and what is in it.
fn copies(files: &[PathBuf]) -> Vec<(&Path, String, Vec<u8>)> {
    fn copy(path: &PathBuf) -> Option<(&Path, String, Vec<u8>)> {
        if fs::metadata(path).ok()?.len() > MAX_KEPT {
            return None;
        }
        let bytes = fs::read(path).ok()?;
        let digest = digest(&bytes);
        let stem = path.file_stem()?.to_str()?;
        // A copy that is copied keeps its name.
        let stem = stem.strip_suffix(&digest).and_then(|stem| stem.strip_suffix('-')).unwrap_or(stem);
        let ending = path.extension().and_then(|ending| ending.to_str());
        let ending = ending.map_or_else(String::new, |ending| format!(".{ending}"));
        Some((path.as_path(), format!("{FOLDER}/{stem}-{digest}{ending}"), bytes))
    }
    files.iter().filter_map(copy).collect()
}

fn renamed(text: &str, copies: &[(&Path, String, Vec<u8>)]) -> String {
    let quoted = |name: &str| toml::Value::from(name).to_string();
    copies.iter().fold(text.to_owned(), |text, (path, name, _)| {
        text.replace(&quoted(&path.display().to_string()), &quoted(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_known_by_their_content() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("part.stl");
        fs::write(&path, "solid").expect("written");
        let text = format!("part = {{ mesh = \"{}\" }}", path.display());
        let run = folder.path().join("run");
        fs::create_dir(&run).expect("made");
        let kept = keep(&run, &text, std::slice::from_ref(&path)).expect("copied");
        let name = kept.split('"').nth(1).expect("a name").to_owned();
        assert!(name.starts_with("inputs/part-") && name.ends_with(".stl"), "{kept}");
        assert_eq!(fs::read_to_string(run.join(&name)).expect("the copy"), "solid");
        // The same content under another path is the same input, and a copy of a copy too.
        let again = format!("part = {{ mesh = \"{}\" }}", run.join(&name).display());
        assert_eq!(named(&again, &[run.join(&name)]), kept);
        check(&run).expect("as it was");
        fs::write(run.join(&name), "liquid").expect("changed");
        let wrong = check(&run).expect_err("changed").to_string();
        assert!(wrong.contains("is not the file that the run began with"), "{wrong}");
    }
}
