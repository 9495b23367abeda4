//! Meshes from files.
/// A mesh.
pub struct Mesh;
/// STL.
pub fn stl() {}
/// OBJ.
pub fn obj() {}
