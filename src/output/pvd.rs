//! ParaView's pvd: which file of a series belongs to which time.
//!
//! <https://www.paraview.org/Wiki/ParaView/Data_formats#PVD_File_Format>

use std::fmt::Write as _;

use super::Number;
use super::vtk::escaped;

pub(super) fn series(files: &[(f64, String)]) -> Vec<u8> {
    let mut text =
        "<?xml version=\"1.0\"?>\n<VTKFile type=\"Collection\" version=\"0.1\">\n  <Collection>\n".to_owned();
    for (time, file) in files {
        let _ = writeln!(text, "    <DataSet timestep=\"{}\" file=\"{}\"/>", Number(*time), escaped(file));
    }
    text += "  </Collection>\n</VTKFile>\n";
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_and_files_are_listed() {
        let text = super::series(&[(0.0, "a/a_0.vti".into()), (1e-9, "a&b.vti".into())]);
        let text = String::from_utf8(text).expect("text");
        assert!(
            text.contains("timestep=\"0\" file=\"a/a_0.vti\"")
                && text.contains("\"1e-9\" file=\"a&amp;b.vti\"")
        );
    }
}
