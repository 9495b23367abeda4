//! What VTK's XML files have in common: the frame, and arrays as base64.
//!
//! Arrays stand in the file where they belong and are not compressed, which every reader understands.
//! <https://docs.vtk.org/en/latest/vtk_file_formats/vtkxml_file_format.html>

use std::io::{self, Write};

use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderWriter;

use super::{Number, OutputError, Table};

/// Text as an attribute's value.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Refuses a grid over several times, whose points would lie upon each other in one file.
pub(super) fn one_time(table: &Table, axes: &[Vec<f64>], ending: &str) -> Result<(), OutputError> {
    let Some(t) = table.time.filter(|&t| axes[t].len() > 1) else { return Ok(()) };
    Err(OutputError::Unfit(format!(
        "a .{ending} file holds one time, and the grid has {} values of `{}`: a series goes into .pvd, which has a file for \
         each",
        axes[t].len(),
        table.names[t]
    )))
}

/// Numbers of one of VTK's types.
pub(super) trait Element: Copy {
    const NAME: &'static str;
    type Bytes: AsRef<[u8]>;
    fn bytes(self) -> Self::Bytes;
}

impl Element for f64 {
    const NAME: &'static str = "Float64";
    type Bytes = [u8; 8];
    fn bytes(self) -> [u8; 8] {
        self.to_le_bytes()
    }
}

impl Element for i64 {
    const NAME: &'static str = "Int64";
    type Bytes = [u8; 8];
    fn bytes(self) -> [u8; 8] {
        self.to_le_bytes()
    }
}

impl Element for u8 {
    const NAME: &'static str = "UInt8";
    type Bytes = [u8; 1];
    fn bytes(self) -> [u8; 1] {
        [self]
    }
}

/// The frame's beginning, for a data set of this type.
pub(super) fn begin(out: &mut dyn Write, kind: &str) -> io::Result<()> {
    writeln!(
        out,
        "<?xml version=\"1.0\"?>\n<VTKFile type=\"{kind}\" version=\"1.0\" byte_order=\"LittleEndian\" header_type=\"UInt64\">"
    )
}

/// Its end.
pub(super) fn end(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "</VTKFile>")
}

/// The time of the whole data set, as ParaView reads it.
pub(super) fn time(out: &mut dyn Write, time: f64) -> io::Result<()> {
    writeln!(
        out,
        "    <FieldData>\n      <DataArray type=\"Float64\" Name=\"TimeValue\" NumberOfTuples=\"1\" format=\"ascii\">{}\
         </DataArray>\n    </FieldData>",
        Number(time)
    )
}

/// An array of `count` numbers, `components` of which make up a tuple.
pub(super) fn array<T: Element>(
    out: &mut dyn Write,
    name: &str,
    components: usize,
    count: usize,
    numbers: impl IntoIterator<Item = T>,
) -> io::Result<()> {
    let (kind, name) = (T::NAME, escaped(name));
    write!(
        out,
        "        <DataArray type=\"{kind}\" Name=\"{name}\" NumberOfComponents=\"{components}\" format=\"binary\">"
    )?;
    let mut encoder = EncoderWriter::new(&mut *out, &STANDARD);
    let mut bytes = ((count * size_of::<T>()) as u64).to_le_bytes().to_vec();
    for x in numbers {
        bytes.extend_from_slice(x.bytes().as_ref());
        if bytes.len() >= 1 << 16 {
            encoder.write_all(&bytes)?;
            bytes.clear();
        }
    }
    encoder.write_all(&bytes)?;
    encoder.finish()?;
    drop(encoder);
    writeln!(out, "</DataArray>")
}

/// The coordinates that are directions in space, in the table's order: all but time.
pub(super) fn space(table: &Table) -> Vec<usize> {
    (0..table.coordinates).filter(|&i| Some(i) != table.time).collect()
}
