//! VTK's vtu files: XML around arrays that are text, base64 or raw bytes, compressed by zlib or not.
//!
//! <https://docs.vtk.org/en/latest/vtk_file_formats/vtkxml_file_format.html>

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::ZlibDecoder;
use roxmltree::{Document, Node, ParsingOptions};

use super::mesh::Read;
use crate::limits::MAX_MESH_NUMBERS;
use crate::output::Mesh;

/// Elements of a file; one has a few dozen.
const MOST_ELEMENTS: u32 = 100_000;

/// Reads points and cells, and the arrays of `names` that there are at the points.
pub(super) fn read(bytes: &[u8], names: &[String]) -> Result<Read, String> {
    let (xml, appended) = split(bytes)?;
    let options =
        ParsingOptions { allow_dtd: false, nodes_limit: MOST_ELEMENTS, ..ParsingOptions::default() };
    let document =
        Document::parse_with_options(&xml, options).map_err(|error| format!("it is no XML: {error}"))?;
    let root = document.root_element();
    if root.tag_name().name() != "VTKFile" || root.attribute("type") != Some("UnstructuredGrid") {
        return Err("it is no VTKFile of type UnstructuredGrid".into());
    }
    let context = Context::new(root, appended)?;
    let mut mesh = Mesh::default();
    let mut arrays: Vec<(String, Vec<f64>)> = vec![];
    let pieces = root.descendants().filter(|node| node.has_tag_name("Piece"));
    for (i, piece) in pieces.enumerate() {
        let points = size(piece, "NumberOfPoints")?;
        let cells = size(piece, "NumberOfCells")?;
        let before = (mesh.points.len() / 3) as i64;
        let array =
            part(piece, "Points").and_then(|part| children(part).next()).ok_or("a piece has no points")?;
        mesh.points.extend(context.numbers::<f64>(array, 3 * points)?);
        if cells > 0 {
            let part = part(piece, "Cells").ok_or("a piece has no cells, but says how many")?;
            let array = |name: &str| {
                let found = children(part).find(|array| array.attribute("Name") == Some(name));
                found.ok_or_else(|| format!("its cells have no array `{name}`"))
            };
            let offsets = context.numbers::<i64>(array("offsets")?, cells)?;
            let last = usize::try_from(offsets.last().copied().unwrap_or(0)).ok();
            let last =
                last.filter(|&last| last <= MAX_MESH_NUMBERS).ok_or("the offsets of its cells are wrong")?;
            let connectivity = context.numbers::<i64>(array("connectivity")?, last)?;
            let types = context.numbers::<i64>(array("types")?, cells)?;
            let start = mesh.connectivity.len() as i64;
            mesh.connectivity.extend(connectivity.into_iter().map(|point| point.saturating_add(before)));
            mesh.offsets.extend(offsets.into_iter().map(|offset| offset.saturating_add(start)));
            let kind = |x: i64| u8::try_from(x).map_err(|_| format!("{x} is no kind of cell"));
            mesh.types.extend(types.into_iter().map(kind).collect::<Result<Vec<_>, _>>()?);
        }
        for array in part(piece, "PointData").iter().flat_map(|part| children(*part)) {
            let Some(name) = array.attribute("Name").filter(|name| names.iter().any(|known| known == name))
            else {
                continue;
            };
            let values = context.numbers::<f64>(array, points)?;
            match arrays.iter_mut().find(|(known, _)| known == name) {
                Some((_, all)) => all.extend(values),
                None if i == 0 => arrays.push((name.to_owned(), values)),
                None => {}
            }
        }
    }
    let count = mesh.points.len() / 3;
    // An array that only some of the pieces have is none.
    arrays.retain(|(_, values)| values.len() == count);
    if count == 0 {
        return Err("it has no points".into());
    }
    Ok(Read { mesh, arrays })
}

fn part<'a, 'i>(piece: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    piece.children().find(|node| node.has_tag_name(name))
}

fn children<'a, 'i>(part: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    part.children().filter(|node| node.has_tag_name("DataArray"))
}

fn size(piece: Node, name: &str) -> Result<usize, String> {
    let text = piece.attribute(name).unwrap_or("0").trim();
    let size = text.parse().ok().filter(|&size: &usize| size <= MAX_MESH_NUMBERS / 3);
    size.ok_or_else(|| format!("{name} is no whole number up to {}", MAX_MESH_NUMBERS / 3))
}

/// The XML without what is appended to it, and that: raw bytes may be anything, and are no XML.
fn split(bytes: &[u8]) -> Result<(String, Option<Encoded<'_>>), String> {
    const TAG: &[u8] = b"<AppendedData";
    let text = |bytes: &[u8]| match core::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err("it is no text where it should be XML".to_owned()),
    };
    let Some(at) = bytes.windows(TAG.len()).position(|window| window == TAG) else {
        return Ok((text(bytes)?, None));
    };
    let cut_off = || "its appended data are cut off".to_owned();
    let rest = &bytes[at + TAG.len()..];
    let end = rest.iter().position(|&byte| byte == b'>').ok_or_else(cut_off)?;
    let (attributes, rest) = rest.split_at(end);
    // The data begin behind an underscore.
    let start = rest.iter().position(|&byte| byte == b'_').ok_or_else(cut_off)?;
    let data = &rest[start + 1..];
    let raw = attributes.windows(3).any(|window| window == b"raw");
    let appended = if raw {
        Encoded::Raw(data)
    } else {
        Encoded::base64(data.split(|&b| b == b'<').next().unwrap_or(data))
    };
    Ok((text(&bytes[..at])? + "</VTKFile>", Some(appended)))
}

/// Bytes as they stand in the file.
enum Encoded<'a> {
    Raw(&'a [u8]),
    /// Without blanks.
    Base64(Vec<u8>),
}

impl Encoded<'_> {
    fn base64(text: &[u8]) -> Self {
        Self::Base64(text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect())
    }

    /// `length` bytes that were encoded by themselves from `at` on, and where the next ones begin.
    fn segment(&self, at: usize, length: usize) -> Result<(Vec<u8>, usize), String> {
        let cut_off = || "an array is cut off".to_owned();
        let taken = match self {
            Self::Raw(_) => length,
            Self::Base64(_) => length.div_ceil(3).checked_mul(4).ok_or_else(cut_off)?,
        };
        let end = at.checked_add(taken).ok_or_else(cut_off)?;
        match self {
            Self::Raw(bytes) => Ok((bytes.get(at..end).ok_or_else(cut_off)?.to_vec(), end)),
            Self::Base64(text) => {
                let text = text.get(at..end).ok_or_else(cut_off)?;
                let mut bytes =
                    STANDARD.decode(text).map_err(|error| format!("an array is no base64: {error}"))?;
                if bytes.len() < length {
                    return Err(cut_off());
                }
                bytes.truncate(length);
                Ok((bytes, end))
            }
        }
    }

    /// Was what is `length` bytes long encoded by itself from `at` on, and ends in padding?
    fn is_padded(&self, at: usize, length: usize) -> bool {
        match self {
            Self::Raw(_) => false,
            Self::Base64(text) => at
                .checked_add(length.div_ceil(3) * 4)
                .and_then(|end| text.get(end - 1))
                .is_some_and(|&byte| byte == b'='),
        }
    }
}

/// What holds for all arrays of a file.
struct Context<'a> {
    appended: Option<Encoded<'a>>,
    compressed: bool,
    big_endian: bool,
    /// Bytes of a number that says how long something is.
    length_bytes: usize,
}

impl<'a> Context<'a> {
    fn new(root: Node, appended: Option<Encoded<'a>>) -> Result<Self, String> {
        let compressed = match root.attribute("compressor") {
            None | Some("") => false,
            Some("vtkZLibDataCompressor") => true,
            Some(other) => {
                return Err(format!(
                    "it is compressed by {other}; save it compressed by ZLib, or not at all"
                ));
            }
        };
        let length_bytes = match root.attribute("header_type") {
            None | Some("UInt32") => 4,
            Some("UInt64") => 8,
            Some(other) => return Err(format!("its header_type is {other}, not UInt32 or UInt64")),
        };
        let big_endian = root.attribute("byte_order") == Some("BigEndian");
        Ok(Self { appended, compressed, big_endian, length_bytes })
    }

    /// The `count` numbers of an array.
    fn numbers<T: Number>(&self, array: Node, count: usize) -> Result<Vec<T>, String> {
        if count > MAX_MESH_NUMBERS {
            return Err(format!("an array of {count} numbers is longer than {MAX_MESH_NUMBERS}"));
        }
        let name = array.attribute("Name").unwrap_or("Points");
        let read = || {
            if array.attribute("format").unwrap_or("ascii") == "ascii" {
                let words = array.text().unwrap_or("").split_ascii_whitespace();
                let number = |word: &str| {
                    T::parse(word).ok_or_else(|| format!("`{}` is not a number", word.escape_debug()))
                };
                return words.take(count + 1).map(number).collect::<Result<Vec<T>, _>>();
            }
            let (size, convert) = kind::<T>(array.attribute("type").unwrap_or(""))?;
            let bytes = match array.attribute("offset") {
                Some(offset) => {
                    let data =
                        self.appended.as_ref().ok_or("it lies in appended data, and there are none")?;
                    let offset = offset.parse().map_err(|_| "its offset is no number")?;
                    self.bytes(data, offset, count * size)?.0
                }
                None => {
                    let text: Vec<u8> =
                        array.text().unwrap_or("").bytes().filter(|b| !b.is_ascii_whitespace()).collect();
                    let length = text.len();
                    let (bytes, end) = self.bytes(&Encoded::Base64(text), 0, count * size)?;
                    // Lengths of four bytes may pass for those of eight; what is left over tells.
                    if end != length {
                        return Err("it has more bytes than it says".into());
                    }
                    bytes
                }
            };
            let number = |bytes: &[u8]| {
                let mut whole = [0; 8];
                // Little-endian, whatever it was.
                whole[..size].copy_from_slice(bytes);
                if self.big_endian {
                    whole[..size].reverse();
                }
                convert(whole)
            };
            Ok(bytes.chunks_exact(size).map(number).collect())
        };
        let numbers: Vec<T> = read().map_err(|reason: String| format!("the array `{name}`: {reason}"))?;
        if numbers.len() == count {
            return Ok(numbers);
        }
        Err(format!("the array `{name}` does not have the {count} numbers that it should"))
    }

    /// The bytes of an array that begins at `at`, of which there should be `expected`, and where it ends.
    fn bytes(&self, data: &Encoded, at: usize, expected: usize) -> Result<(Vec<u8>, usize), String> {
        let size = self.length_bytes;
        let lengths = |bytes: &[u8]| -> Vec<u64> {
            let length = |bytes: &[u8]| {
                let fold = |all: u64, byte: &u8| all << 8 | u64::from(*byte);
                if self.big_endian { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) }
            };
            bytes.chunks_exact(size).map(length).collect()
        };
        let wrong = || format!("it is not {expected} bytes long");
        let (head, next) = data.segment(at, size)?;
        let first = usize::try_from(lengths(&head)[0]).map_err(|_| wrong())?;
        if !self.compressed {
            if first != expected {
                return Err(wrong());
            }
            // Mostly the length and the numbers are encoded in one piece, but some programs do it in two.
            if data.is_padded(at, size) {
                return data.segment(next, expected);
            }
            let (mut bytes, end) = data.segment(at, size + expected)?;
            return Ok((bytes.split_off(size), end));
        }
        // Number of blocks, their length, that of the last one if it is shorter, and their lengths when compressed.
        let words = first.checked_add(3).and_then(|words| words.checked_mul(size)).ok_or_else(wrong)?;
        let (head, next) = data.segment(at, words)?;
        let blocks: Vec<usize> =
            lengths(&head)[3..].iter().map(|&length| usize::try_from(length).unwrap_or(usize::MAX)).collect();
        let total =
            blocks.iter().try_fold(0_usize, |total, length| total.checked_add(*length)).ok_or_else(wrong)?;
        let (mut rest, end) = data.segment(next, total)?;
        let mut bytes = vec![];
        for length in blocks {
            let after = rest.split_off(length);
            // One byte more than there should be, so that what swells beyond it is noticed.
            let most = (expected + 1 - bytes.len()) as u64;
            let read = ZlibDecoder::new(&rest[..]).take(most).read_to_end(&mut bytes);
            read.map_err(|error| format!("it does not unpack: {error}"))?;
            if bytes.len() > expected {
                return Err(wrong());
            }
            rest = after;
        }
        if bytes.len() == expected { Ok((bytes, end)) } else { Err(wrong()) }
    }
}

/// A number as it is wanted.
trait Number: Sized {
    fn parse(word: &str) -> Option<Self>;
    fn from_float(x: f64) -> Self;
    fn from_integer(i: i64) -> Self;
}

impl Number for f64 {
    fn parse(word: &str) -> Option<Self> {
        word.parse().ok()
    }
    fn from_float(x: f64) -> Self {
        x
    }
    fn from_integer(i: i64) -> Self {
        i as Self
    }
}

impl Number for i64 {
    fn parse(word: &str) -> Option<Self> {
        word.parse().ok()
    }
    fn from_float(x: f64) -> Self {
        x as Self
    }
    fn from_integer(i: i64) -> Self {
        i
    }
}

/// How many bytes a number has, and how they become one; they come in the lowest places.
type Kind<T> = (usize, fn([u8; 8]) -> T);

/// The kind of VTK's type `name`.
fn kind<T: Number>(name: &str) -> Result<Kind<T>, String> {
    let found: Kind<T> = match name {
        "Float64" => (8, |b| T::from_float(f64::from_le_bytes(b))),
        "Float32" => (4, |b| T::from_float(f64::from(f32::from_bits(u64::from_le_bytes(b) as u32)))),
        "Int64" | "UInt64" => (8, |b| T::from_integer(i64::from_le_bytes(b))),
        "Int32" => (4, |b| T::from_integer(i64::from(u64::from_le_bytes(b) as i32))),
        "UInt32" | "UInt16" | "UInt8" => {
            let size = match name {
                "UInt32" => 4,
                "UInt16" => 2,
                _ => 1,
            };
            (size, |b| T::from_integer(i64::from_le_bytes(b)))
        }
        "Int16" => (2, |b| T::from_integer(i64::from(u64::from_le_bytes(b) as i16))),
        "Int8" => (1, |b| T::from_integer(i64::from(b[0] as i8))),
        other => return Err(format!("numbers of type `{}` are not read", other.escape_debug())),
    };
    Ok(found)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;

    use super::super::tests::{plane, read as points, refused};
    use super::*;

    /// The numbers of an array in a file that we wrote.
    pub(crate) fn vtk_numbers(text: &str, name: &str) -> Vec<f64> {
        let document = Document::parse(text).expect("XML");
        let is_it = |node: &Node| node.has_tag_name("DataArray") && node.attribute("Name") == Some(name);
        let array = document.descendants().find(is_it).expect("the array");
        let text = STANDARD.decode(array.text().expect("base64")).expect("base64");
        let length = u64::from_le_bytes(text[..8].try_into().expect("eight"));
        assert_eq!(length as usize, text.len() - 8);
        text[8..].chunks(8).map(|bytes| f64::from_le_bytes(bytes.try_into().expect("eight"))).collect()
    }

    const POINTS: [f64; 12] = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0];

    /// A square of two triangles with times 0 to 3; `array` writes arrays, `appended` what they leave for the end.
    fn square(attributes: &str, array: &mut dyn FnMut(&str, &[u8]) -> String, appended: &[u8]) -> Vec<u8> {
        let ints = |numbers: &[i64]| numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
        let floats = |numbers: &[f64]| numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
        let text = format!(
            "<?xml version=\"1.0\"?><VTKFile type=\"UnstructuredGrid\" {attributes}><UnstructuredGrid>\
             <Piece NumberOfPoints=\"4\" NumberOfCells=\"2\"><PointData>{}</PointData><Points>{}</Points>\
             <Cells>{}{}{}</Cells></Piece></UnstructuredGrid>",
            array("type=\"Float64\" Name=\"t\"", &floats(&[0.0, 1.0, 2.0, 3.0])),
            array("type=\"Float64\" Name=\"Points\" NumberOfComponents=\"3\"", &floats(&POINTS)),
            array("type=\"Int64\" Name=\"connectivity\"", &ints(&[0, 1, 2, 0, 2, 3])),
            array("type=\"Int64\" Name=\"offsets\"", &ints(&[3, 6])),
            array("type=\"UInt8\" Name=\"types\"", &[5, 5]),
        );
        [text.as_bytes(), appended, b"</VTKFile>"].concat()
    }

    fn inline(text: &str, name: &str) -> String {
        format!("<DataArray {name} format=\"binary\">\n  {text}\n</DataArray>")
    }

    /// Length and bytes in one piece.
    fn plain(name: &str, bytes: &[u8]) -> String {
        let whole = [&(bytes.len() as u64).to_le_bytes(), bytes].concat();
        inline(&STANDARD.encode(whole), name)
    }

    fn compress(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(vec![], flate2::Compression::default());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    /// In two blocks, with lengths of four bytes.
    fn compressed(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let half = bytes.len() / 2 + 1;
        let blocks: Vec<Vec<u8>> = bytes.chunks(half).map(compress).collect();
        let mut head = vec![blocks.len() as u32, half as u32, (bytes.len() % half) as u32];
        head.extend(blocks.iter().map(|block| block.len() as u32));
        (head.iter().flat_map(|x| x.to_le_bytes()).collect(), blocks.concat())
    }

    fn packed(name: &str, bytes: &[u8]) -> String {
        let (head, body) = compressed(bytes);
        inline(&(STANDARD.encode(head) + &STANDARD.encode(body)), name)
    }

    const ZLIB: &str = "byte_order=\"LittleEndian\" compressor=\"vtkZLibDataCompressor\"";
    const WIDE: &str = "byte_order=\"LittleEndian\" header_type=\"UInt64\"";

    #[track_caller]
    fn check_square(file: &[u8]) {
        let Read { mesh, arrays } = read(file, &["t".into()]).expect("a mesh");
        assert_eq!(mesh.points, POINTS);
        assert_eq!((mesh.connectivity, mesh.offsets), (vec![0, 1, 2, 0, 2, 3], vec![3, 6]));
        assert_eq!(mesh.types, [5, 5]);
        assert_eq!(arrays, [("t".to_owned(), vec![0.0, 1.0, 2.0, 3.0])]);
    }

    #[test]
    fn every_encoding_gives_the_same_mesh() {
        check_square(&square(WIDE, &mut plain, b""));
        check_square(&square(ZLIB, &mut packed, b""));
        // Length and numbers in two pieces.
        let apart = |name: &str, bytes: &[u8]| {
            inline(&(STANDARD.encode((bytes.len() as u64).to_le_bytes()) + &STANDARD.encode(bytes)), name)
        };
        check_square(&square(WIDE, &mut { apart }, b""));
        for raw in [true, false] {
            let mut data = vec![];
            let mut array = |name: &str, bytes: &[u8]| {
                let text = format!("<DataArray {name} format=\"appended\" offset=\"{}\"/>", data.len());
                let (head, body) = compressed(bytes);
                if raw {
                    data.extend([head, body].concat());
                } else {
                    data.extend((STANDARD.encode(head) + &STANDARD.encode(body)).into_bytes());
                }
                text
            };
            let body = square(ZLIB, &mut array, b"");
            let encoding = if raw { "raw" } else { "base64" };
            let begin = format!("<AppendedData encoding=\"{encoding}\">\n  _");
            let (xml, end) = body.split_at(body.len() - b"</VTKFile>".len());
            check_square(&[xml, begin.as_bytes(), &data, b"\n</AppendedData>", end].concat());
        }
    }

    #[test]
    fn text_and_other_byte_orders_are_read() {
        let text = "<VTKFile type=\"UnstructuredGrid\" byte_order=\"BigEndian\"><UnstructuredGrid>\
            <Piece NumberOfPoints=\"2\" NumberOfCells=\"0\"><PointData/><Points>\
            <DataArray type=\"Float32\" NumberOfComponents=\"3\" format=\"ascii\">0 0 0\n 0.5 2 0</DataArray></Points>\
            </Piece><Piece NumberOfPoints=\"1\" NumberOfCells=\"0\"><Points>\
            <DataArray type=\"Float32\" format=\"binary\">BYTES</DataArray></Points></Piece></UnstructuredGrid></VTKFile>";
        let numbers = [0.25_f32, 1.0, 0.0].iter().flat_map(|x| x.to_be_bytes());
        let bytes: Vec<u8> = 12_u32.to_be_bytes().into_iter().chain(numbers).collect();
        let file = text.replace("BYTES", &STANDARD.encode(bytes));
        let chunk = points("m.vtu", file.as_bytes(), plane(Some(1.0), &[])).expect("points");
        assert_eq!(chunk.points, [0.0, 0.0, 1.0, 0.5, 2.0, 1.0, 0.25, 1.0, 1.0]);
    }

    #[test]
    fn time_is_an_array_or_fixed() {
        let file = square(WIDE, &mut plain, b"");
        let chunk = points("m.vtu", &file, plane(None, &[])).expect("points");
        assert_eq!(chunk.points, [0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 2.0, 0.0, 1.0, 3.0]);
        refused("m.vtu", &file, plane(Some(1.0), &[]), "--at fixes it as well");
        refused("m.vtu", &file, plane(None, &["u_obs"]), "no array `u_obs`");
    }

    #[test]
    fn hostile_files_are_refused() {
        let file = String::from_utf8(square(WIDE, &mut plain, b"")).expect("text");
        let check = |file: &str, wrong: &str| refused("m.vtu", file.as_bytes(), plane(None, &[]), wrong);
        check("", "no XML");
        check("<a/>", "no VTKFile");
        check(&format!("<!DOCTYPE x [<!ENTITY a \"b\">]>{}", &file[21..]), "no XML");
        check(&file.replace("UnstructuredGrid\"", "ImageData\""), "type UnstructuredGrid");
        check(&file.replace("Points=\"4\"", "Points=\"99999999999999\""), "NumberOfPoints");
        check(&file.replace("Points=\"4\"", "Points=\"30000000\""), "bytes long");
        check(&file.replace("Cells=\"2\"", "Cells=\"3\""), "`offsets`");
        check(&file.replace("Float64", "String"), "type `String`");
        check(&file.replace("UInt64", "UInt128"), "header_type");
        check(&file.replace(WIDE, "compressor=\"vtkLZ4DataCompressor\""), "vtkLZ4DataCompressor");
        check(&file.replace("format=\"binary\"", "format=\"appended\" offset=\"0\""), "there are none");
        // A length that is not that of the numbers, and lengths that overflow.
        check(&file.replace(WIDE, ""), "more bytes than it says");
        check(&file.replace(WIDE, ZLIB), "`");
        let huge = |name: &str, _: &[u8]| inline(&STANDARD.encode([0xff; 8]), name);
        let text = String::from_utf8(square(WIDE, &mut { huge }, b"")).expect("text");
        check(&text, "bytes long");
        let text = text.replace("LittleEndian\"", "LittleEndian\" compressor=\"vtkZLibDataCompressor\"");
        check(&text, "`");
        // A block that unpacks to far more than it says.
        let bomb = |name: &str, bytes: &[u8]| {
            let (mut head, _) = compressed(bytes);
            let body = compress(&vec![0; 1 << 20]);
            head.truncate(12);
            head[0] = 1;
            head.extend((body.len() as u32).to_le_bytes());
            inline(&(STANDARD.encode(head) + &STANDARD.encode(body)), name)
        };
        let text = String::from_utf8(square(ZLIB, &mut { bomb }, b"")).expect("text");
        check(&text, "bytes long");
        for length in 0..file.len() {
            assert!(points("m.vtu", &file.as_bytes()[..length], plane(None, &[])).is_err());
        }
    }
}
