//! Where an answer is asked for: listed points, grids, and points from files, a chunk at a time.
//!
//! A kind of file is a file of this folder and a line of [`READERS`].
//! What is here knows names and numbers; it knows no problem and no engine.

mod csv;
mod grid;
mod mesh;
mod npy;
mod vtk;
mod vtu;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::expr::{closest, listed};
use crate::limits::{MAX_ASKED, MAX_MESH_BYTES};
use crate::output::{Layout, Mesh};

/// Points of a chunk: enough to keep all threads busy, and few enough to stay in memory whatever is asked for.
const CHUNK: usize = 1 << 16;

/// Why points could not be had.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct PointsError {
    /// Where they come from.
    pub name: String,
    /// What is wrong, and what to do about it.
    pub reason: String,
}

/// What a point consists of.
#[derive(Clone, PartialEq, Debug)]
pub struct Wanted {
    /// The coordinates' names.
    pub coordinates: Vec<String>,
    /// Which of them is time, if one is; meshes do not have it.
    pub time: Option<usize>,
    /// For every coordinate its value where the points leave it out.
    pub fixed: Vec<Option<f64>>,
    /// Names of further columns that go with the points.
    pub columns: Vec<String>,
}

/// Points with their data.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct Chunk {
    /// Rows of coordinates.
    pub points: Vec<f64>,
    /// The further columns.
    pub data: Vec<Vec<f64>>,
}

/// Where points come from.
trait Source {
    /// The next points; `None` at the end.
    fn next(&mut self, wanted: &Wanted) -> Result<Option<Chunk>, String>;
}

/// Points, one chunk after the other.
pub struct Points {
    /// Where they come from, for messages.
    name: String,
    wanted: Wanted,
    layout: Layout,
    count: Option<usize>,
    source: Box<dyn Source>,
}

/// A kind of file.
struct Reader {
    /// How its name ends, without the dot.
    ending: &'static str,
    open: fn(&Path, &Wanted) -> Result<Opened, String>,
}

/// A file that was opened.
struct Opened {
    layout: Layout,
    count: Option<usize>,
    source: Box<dyn Source>,
}

/// All kinds of files that hold points.
const READERS: &[Reader] = &[
    Reader { ending: "csv", open: csv::open },
    Reader { ending: "npy", open: npy::open },
    Reader {
        ending: "vtu",
        open: |path, wanted| mesh::open(vtu::read(&whole(path)?, &names(wanted))?, wanted),
    },
    Reader { ending: "vtk", open: |path, wanted| mesh::open(vtk::read(&whole(path)?)?, wanted) },
];

impl Points {
    /// The points in `rows`, a number for each coordinate.
    pub fn listed(coordinates: Vec<String>, rows: Vec<f64>) -> Self {
        let count = rows.len() / coordinates.len();
        let wanted =
            Wanted { fixed: vec![None; coordinates.len()], coordinates, time: None, columns: vec![] };
        let source = Box::new(grid::Listed(Some(rows)));
        Self { name: "the points".into(), wanted, layout: Layout::Points, count: Some(count), source }
    }

    /// All combinations of these values, a list for each coordinate, the last coordinate changing fastest.
    ///
    /// # Errors
    ///
    /// If there are more than can be counted.
    pub fn grid(coordinates: Vec<String>, axes: Vec<Vec<f64>>) -> Result<Self, PointsError> {
        let name = "the grid".to_owned();
        let count = axes.iter().try_fold(1_usize, |count, axis| count.checked_mul(axis.len()));
        let Some(count) = count.filter(|&count| count <= MAX_ASKED) else {
            let reason = format!("it has more than {MAX_ASKED} points; take fewer along each coordinate");
            return Err(PointsError { name, reason });
        };
        let wanted =
            Wanted { fixed: vec![None; coordinates.len()], coordinates, time: None, columns: vec![] };
        let source = Box::new(grid::Grid { axes: axes.clone(), next: 0, count });
        Ok(Self { name, wanted, layout: Layout::Grid(axes), count: Some(count), source })
    }

    /// The points of a file; its ending says what it is.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or does not have what is wanted.
    pub fn open(path: &Path, wanted: Wanted) -> Result<Self, PointsError> {
        let name = path.display().to_string();
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let failed = |reason: String| PointsError { name: name.clone(), reason };
        let Some(reader) = READERS.iter().find(|reader| reader.ending == ending) else {
            let endings: Vec<_> = READERS.iter().map(|reader| format!(".{}", reader.ending)).collect();
            return Err(failed(format!("points are read from files that end in {}", listed(&endings))));
        };
        let Opened { layout, count, source } = (reader.open)(path, &wanted).map_err(failed)?;
        Ok(Self { name, wanted, layout, count, source })
    }

    /// Points as CSV from `reader`, which is called `name` in messages.
    ///
    /// # Errors
    ///
    /// If its header does not name what is wanted.
    pub fn from_csv(name: &str, reader: impl Read + 'static, wanted: Wanted) -> Result<Self, PointsError> {
        let failed = |reason: String| PointsError { name: name.to_owned(), reason };
        let Opened { layout, count, source } = csv::start(Box::new(reader), &wanted).map_err(failed)?;
        Ok(Self { name: name.to_owned(), wanted, layout, count, source })
    }

    /// How they lie.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// How many there are, if that is known.
    pub fn count(&self) -> Option<usize> {
        self.count
    }

    /// The next of them, in order; `None` at the end.
    ///
    /// # Errors
    ///
    /// If they do not read as finite numbers.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, PointsError> {
        let failed = |reason: String| PointsError { name: self.name.clone(), reason };
        self.source.next(&self.wanted).map_err(failed)
    }
}

/// The points and cells of a vtu file.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn cells(bytes: &[u8]) -> Result<Mesh, String> {
    vtu::read(bytes, &[]).map(|read| read.mesh)
}

/// Names of everything that is wanted.
fn names(wanted: &Wanted) -> Vec<String> {
    [&wanted.coordinates[..], &wanted.columns].concat()
}

/// Where in `header` the coordinates and the further columns are; `None` for a coordinate that is fixed.
fn places(header: &[String], wanted: &Wanted) -> Result<(Vec<Option<usize>>, Vec<usize>), String> {
    let place = |name: &String| -> Result<Option<usize>, String> {
        let mut found = header.iter().enumerate().filter(|(_, known)| *known == name).map(|(i, _)| i);
        match (found.next(), found.next()) {
            (_, Some(_)) => Err(format!("there are two columns `{name}`")),
            (place, None) => Ok(place),
        }
    };
    let mut coordinates = vec![];
    for (name, fixed) in wanted.coordinates.iter().zip(&wanted.fixed) {
        coordinates.push(match (place(name)?, fixed) {
            (Some(_), Some(_)) => {
                return Err(format!(
                    "`{name}` is a column, and --at fixes it as well: leave one of the two out"
                ));
            }
            (None, None) => {
                let has = listed(header);
                let hint = match closest(name, header.iter().map(String::as_str)) {
                    Some(near) => format!("is `{near}` meant?"),
                    None => format!("add it, or fix it for all points: --at {name}=0.5"),
                };
                return Err(format!("there is no column for the coordinate `{name}` among {has}; {hint}"));
            }
            (place, _) => place,
        });
    }
    let mut columns = vec![];
    for name in &wanted.columns {
        let has = || format!("there is no column `{name}`, which a residual needs, among {}", listed(header));
        columns.push(place(name)?.ok_or_else(has)?);
    }
    Ok((coordinates, columns))
}

/// All bytes of a file that is kept in memory.
fn whole(path: &Path) -> Result<Vec<u8>, String> {
    let file = file(path)?;
    let mut bytes = vec![];
    file.take(MAX_MESH_BYTES + 1).read_to_end(&mut bytes).map_err(why)?;
    if bytes.len() as u64 > MAX_MESH_BYTES {
        return Err(format!("it has more than {MAX_MESH_BYTES} bytes"));
    }
    Ok(bytes)
}

fn file(path: &Path) -> Result<File, String> {
    if path.is_dir() {
        return Err("it is a folder".into());
    }
    File::open(path).map_err(why)
}

fn why(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::PermissionDenied => "it may not be read".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) use super::vtu::tests::vtk_numbers;

    /// Points x, t and a column `u_obs` where `columns` asks for it; t is fixed where `t` gives it.
    pub(super) fn wanted(t: Option<f64>, columns: &[&str]) -> Wanted {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Wanted {
            coordinates: owned(&["x", "t"]),
            time: Some(1),
            fixed: vec![None, t],
            columns: owned(columns),
        }
    }

    /// Points x, y, t.
    pub(super) fn plane(t: Option<f64>, columns: &[&str]) -> Wanted {
        let Wanted { mut coordinates, columns, .. } = wanted(t, columns);
        coordinates.insert(1, "y".to_owned());
        Wanted { coordinates, time: Some(2), fixed: vec![None, None, t], columns }
    }

    /// All points of a file with this name and content, or the message.
    pub(super) fn read(name: &str, content: &[u8], wanted: Wanted) -> Result<Chunk, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        let dimensions = wanted.coordinates.len();
        let mut points = Points::open(&path, wanted).map_err(|error| error.reason)?;
        let mut all = Chunk::default();
        while let Some(chunk) = points.next_chunk().map_err(|error| error.reason)? {
            all.points.extend(chunk.points);
            all.data.resize(chunk.data.len(), vec![]);
            all.data.iter_mut().zip(chunk.data).for_each(|(all, column)| all.extend(column));
        }
        if let Some(count) = points.count() {
            assert_eq!(count, all.points.len() / dimensions);
        }
        Ok(all)
    }

    /// A file is refused in words that hold `wrong`.
    #[track_caller]
    pub(super) fn refused(name: &str, content: &[u8], wanted: Wanted, wrong: &str) {
        let error = read(name, content, wanted).expect_err(wrong);
        assert!(error.contains(wrong), "{error}");
    }

    #[test]
    fn a_grid_goes_through_all_combinations_in_chunks() {
        let axes = vec![vec![1.0, 2.0], (0..40_000).map(f64::from).collect()];
        let mut points = Points::grid(vec!["x".into(), "t".into()], axes).expect("a grid");
        assert_eq!(points.count(), Some(80_000));
        let mut rows = vec![];
        let mut chunks = 0;
        while let Some(chunk) = points.next_chunk().expect("numbers") {
            rows.extend(chunk.points);
            chunks += 1;
        }
        assert_eq!((rows.len(), chunks), (160_000, 2));
        assert_eq!((&rows[..4], &rows[80_000..80_002]), (&[1.0, 0.0, 1.0, 1.0][..], &[2.0, 0.0][..]));
        let endless = vec![vec![0.0; 1 << 24]; 3];
        let names = ["x", "y", "z"].map(String::from).to_vec();
        assert!(Points::grid(names, endless).is_err());
    }

    #[test]
    fn other_endings_and_missing_files_are_refused() {
        let error = Points::open(Path::new("points.xlsx"), wanted(None, &[])).err().expect("no format");
        assert!(error.to_string().contains("`.csv`, `.npy`, `.vtu` and `.vtk`"), "{error}");
        let error = Points::open(Path::new("nowhere.csv"), wanted(None, &[])).err().expect("no file");
        assert_eq!(error.to_string(), "nowhere.csv: there is no such file");
    }
}
