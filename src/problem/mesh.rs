//! Meshes from files as shapes.
//!
//! A format is a line of [`FORMATS`].
//! It knows formats and the package of regions; it does not know where in a problem file a mesh is named.

use std::path::Path;

use regions::{Error, Mesh, Shape, obj, stl};

use super::table;
use crate::expr::listed;
use crate::limits::MAX_MESH_BYTES;
use crate::points;
use crate::rows::Fault;

/// A mesh as shapes: all of it, and its parts by name.
pub(super) struct Meshed {
    pub(super) whole: Shape,
    pub(super) parts: Vec<(String, Shape)>,
}

struct Format {
    /// How a file's name ends, without the dot.
    ending: &'static str,
    read: fn(&[u8]) -> Result<Meshed, Error>,
}

const FORMATS: &[Format] = &[
    Format { ending: "stl", read: |bytes| surface(stl(bytes)?) },
    Format { ending: "obj", read: |bytes| surface(obj(bytes)?) },
    Format { ending: "msh", read: |bytes| cells(&Mesh::msh(bytes)?) },
    Format { ending: "vtu", read: |bytes| cells(&vtu(bytes)?) },
];

/// The shapes of the mesh in the file `path`; its ending says what it is.
///
/// # Errors
///
/// Why there are none.
pub(super) fn read(path: &Path) -> Result<Meshed, Fault> {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let Some(format) = FORMATS.iter().find(|format| format.ending == ending) else {
        let endings: Vec<_> = FORMATS.iter().map(|format| format!(".{}", format.ending)).collect();
        return Err(format!("meshes are read from files that end in {}", listed(&endings)).into());
    };
    let bytes = table::bytes(path, MAX_MESH_BYTES)?;
    (format.read)(&bytes).map_err(|error| {
        let fault = Fault::from(error.to_string());
        match error {
            Error::Open { .. } => fault.hint(
                "what is inside is known of closed surfaces only: close it in the program that made it",
            ),
            Error::Disoriented { .. } => {
                fault.hint("let all faces have their normals outside, in the program that made it")
            }
            Error::Empty => Fault::from("it encloses nothing"),
            _ => fault,
        }
    })
}

fn surface(whole: Shape) -> Result<Meshed, Error> {
    Ok(Meshed { whole, parts: vec![] })
}

fn cells(mesh: &Mesh) -> Result<Meshed, Error> {
    let mut parts = vec![];
    for name in mesh.regions() {
        match mesh.shape(Some(name)) {
            Ok(shape) => parts.push((name.to_owned(), shape)),
            // A name that no cell has.
            Err(Error::Empty) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Meshed { whole: mesh.shape(None)?, parts })
}

fn vtu(bytes: &[u8]) -> Result<Mesh, Error> {
    let mesh = points::cells(bytes).map_err(Error::File)?;
    Mesh::from_cells(&mesh.points, &mesh.connectivity, &mesh.offsets, &mesh.types)
}
