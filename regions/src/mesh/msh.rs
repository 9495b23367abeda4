//! Gmsh's format, versions 2.2 and 4.1, in text and in bytes.
//!
//! Sections that are not needed are passed over.
//! Bytes are those of the machines that write them today: little-endian, counts of eight bytes.

use std::collections::HashMap;

use super::{Kind, MAX_PARTS, Mesh, name};
use crate::Error;
use crate::vector::vector;

pub(super) fn read(bytes: &[u8]) -> Result<Mesh, Error> {
    let mut reader = Reader { bytes, at: 0, binary: false };
    let mut mesh = Mesh::default();
    // The points' places by their numbers; the groups of entities by dimension and number.
    let (mut places, mut groups) = (HashMap::new(), HashMap::new());
    let mut newer = None;
    while let Some(section) = reader.section() {
        if newer.is_none() && section != "MeshFormat" {
            break;
        }
        let newer_format = newer == Some(true);
        match &section[..] {
            "MeshFormat" => newer = Some(reader.format()?),
            "PhysicalNames" => reader.names(&mut mesh)?,
            "Entities" if newer_format => reader.entities(&mut groups)?,
            "Nodes" if newer_format => reader.nodes_4(&mut mesh, &mut places)?,
            "Nodes" => reader.nodes_2(&mut mesh, &mut places)?,
            "Elements" if newer_format => reader.elements_4(&mut mesh, &places, &groups)?,
            "Elements" => reader.elements_2(&mut mesh, &places)?,
            _ => {}
        }
        reader.end(&section)?;
    }
    match newer {
        Some(_) => Ok(mesh),
        None => Err(Error::File("it is no Gmsh file: it does not begin with `$MeshFormat`".into())),
    }
}

/// The kind of an element by Gmsh's number, and how many points it has; `None` for a kind that gives no cell.
fn element(number: i64) -> Option<(Option<Kind>, usize)> {
    Some(match number {
        1 => (Some(Kind::Line), 2),
        2 => (Some(Kind::Triangle), 3),
        3 => (Some(Kind::Quad), 4),
        4 => (Some(Kind::Tetrahedron), 4),
        5 => (Some(Kind::Hexahedron), 8),
        6 => (Some(Kind::Prism), 6),
        7 => (Some(Kind::Pyramid), 5),
        8 => (Some(Kind::Line), 3),
        9 => (Some(Kind::Triangle), 6),
        10 => (Some(Kind::Quad), 9),
        11 => (Some(Kind::Tetrahedron), 10),
        12 => (Some(Kind::Hexahedron), 27),
        13 => (Some(Kind::Prism), 18),
        14 => (Some(Kind::Pyramid), 14),
        15 => (None, 1),
        16 => (Some(Kind::Quad), 8),
        17 => (Some(Kind::Hexahedron), 20),
        18 => (Some(Kind::Prism), 15),
        19 => (Some(Kind::Pyramid), 13),
        21 => (Some(Kind::Triangle), 10),
        26 => (Some(Kind::Line), 4),
        29 => (Some(Kind::Tetrahedron), 20),
        _ => return None,
    })
}

/// Numbers of points and what they are among all.
type Places = HashMap<i64, usize>;
/// The physical group of each entity, by dimension and number.
type Groups = HashMap<(i64, i64), i64>;

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    binary: bool,
}

impl Reader<'_> {
    fn wrong(&self, message: &str) -> Error {
        Error::File(format!("byte {}: {message}", self.at))
    }

    /// The name of the next section.
    fn section(&mut self) -> Option<String> {
        loop {
            let line = self.line()?;
            if let Some(name) = line.trim().strip_prefix('$').filter(|name| !name.starts_with("End")) {
                return Some(name.to_owned());
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let length = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        self.at += (length + 1).min(rest.len());
        Some(String::from_utf8_lossy(&rest[..length]).into_owned())
    }

    /// Goes on behind the section's end.
    fn end(&mut self, section: &str) -> Result<(), Error> {
        let tag = format!("$End{section}");
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        let found = rest.windows(tag.len()).position(|window| window == tag.as_bytes());
        let found = found.ok_or_else(|| self.wrong(&format!("the section `{section}` does not end")))?;
        self.at += found + tag.len();
        Ok(())
    }

    fn word(&mut self) -> Result<&str, Error> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let start = rest.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(rest.len());
        let length = rest[start..].iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len() - start);
        self.at += start + length;
        match core::str::from_utf8(&rest[start..start + length]) {
            Ok(word) if !word.is_empty() => Ok(word),
            _ => Err(self.wrong("the file ends where a number should be, or has none")),
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let chunk =
            self.bytes.get(self.at..self.at.saturating_add(N)).and_then(|chunk| chunk.try_into().ok());
        let chunk = chunk.ok_or_else(|| self.wrong("the file is cut off"))?;
        self.at += N;
        Ok(chunk)
    }

    /// A whole number of four bytes.
    fn int(&mut self) -> Result<i64, Error> {
        if self.binary { Ok(i64::from(i32::from_le_bytes(self.take()?))) } else { self.whole() }
    }

    /// A whole number of eight bytes.
    fn long(&mut self) -> Result<i64, Error> {
        if self.binary { Ok(i64::from_le_bytes(self.take()?)) } else { self.whole() }
    }

    fn whole(&mut self) -> Result<i64, Error> {
        let parsed = self.word()?.parse().ok();
        parsed.ok_or_else(|| self.wrong("a whole number is expected before"))
    }

    fn real(&mut self) -> Result<f64, Error> {
        if self.binary {
            return Ok(f64::from_le_bytes(self.take()?));
        }
        let parsed = self.word()?.parse().ok();
        parsed.ok_or_else(|| self.wrong("a number is expected before"))
    }

    /// A count, no more than bytes are left.
    fn count(&self, number: i64) -> Result<usize, Error> {
        let count = usize::try_from(number).ok();
        let count = count
            .filter(|&count| count <= MAX_PARTS && count <= self.bytes.len() - self.at.min(self.bytes.len()));
        count.ok_or_else(|| self.wrong("a count is too large"))
    }

    /// Whether the format is 4.1 rather than 2.2; what follows is read as it says.
    fn format(&mut self) -> Result<bool, Error> {
        let line = self.line().unwrap_or_default();
        let mut words = line.split_ascii_whitespace();
        let newer = match words.next() {
            Some("4.1") => true,
            Some("2.2" | "2.1" | "2") => false,
            _ => return Err(self.wrong("versions 2.2 and 4.1 can be read")),
        };
        self.binary = words.next() == Some("1");
        if self.binary && (words.next() != Some("8") || i32::from_le_bytes(self.take()?) != 1) {
            return Err(self.wrong("numbers are not of eight bytes, the lowest first"));
        }
        Ok(newer)
    }

    /// Names of groups: always text.
    fn names(&mut self, mesh: &mut Mesh) -> Result<(), Error> {
        let line = self.line().unwrap_or_default();
        let count = line.trim().parse().ok().map(|count| self.count(count));
        for _ in 0..count.ok_or_else(|| self.wrong("the number of names is expected before"))?? {
            let line = self.line().unwrap_or_default();
            let mut parts = line.trim().splitn(3, char::is_whitespace);
            let dimension = parts.next().and_then(|word| word.parse().ok());
            let number = parts.next().and_then(|word| word.parse().ok());
            let name = parts.next().map(|written| name(written.trim().trim_matches('"')));
            let (Some(dimension), Some(number), Some(name)) = (dimension, number, name) else {
                return Err(self.wrong("a name of a group is expected before: dimension, number, name"));
            };
            mesh.names.insert((dimension, number), name);
        }
        Ok(())
    }

    /// Of points, curves, surfaces and volumes only their groups are of interest.
    fn entities(&mut self, groups: &mut Groups) -> Result<(), Error> {
        let mut counts = [0; 4];
        for count in &mut counts {
            let number = self.long()?;
            *count = self.count(number)?;
        }
        for (dimension, count) in counts.into_iter().enumerate() {
            for _ in 0..count {
                let tag = self.int()?;
                for _ in 0..if dimension == 0 { 3 } else { 6 } {
                    self.real()?;
                }
                let physical = self.long()?;
                for k in 0..self.count(physical)? {
                    let group = self.int()?;
                    if k == 0 {
                        groups.insert((dimension as i64, tag), group);
                    }
                }
                if dimension > 0 {
                    let bounding = self.long()?;
                    for _ in 0..self.count(bounding)? {
                        self.int()?;
                    }
                }
            }
        }
        Ok(())
    }

    fn point(&mut self, mesh: &mut Mesh, places: &mut Places, number: i64) -> Result<(), Error> {
        let x = [self.real()?, self.real()?, self.real()?];
        places.insert(number, mesh.points.len());
        mesh.points.push(vector(&x));
        Ok(())
    }

    fn nodes_2(&mut self, mesh: &mut Mesh, places: &mut Places) -> Result<(), Error> {
        // Counts are text in this version, and what follows begins on a line of its own.
        let line = self.line().unwrap_or_default();
        let count = line.trim().parse().map_err(|_| self.wrong("the number of points is expected before"))?;
        for _ in 0..self.count(count)? {
            let number = self.int()?;
            self.point(mesh, places, number)?;
        }
        Ok(())
    }

    fn nodes_4(&mut self, mesh: &mut Mesh, places: &mut Places) -> Result<(), Error> {
        let blocks = self.long()?;
        for _ in 0..3 {
            self.long()?;
        }
        for _ in 0..self.count(blocks)? {
            let dimension = self.int()?;
            self.int()?;
            let parametric = self.int()? != 0;
            let count = self.long()?;
            let numbers = (0..self.count(count)?).map(|_| self.long()).collect::<Result<Vec<_>, _>>()?;
            for number in numbers {
                self.point(mesh, places, number)?;
                for _ in 0..if parametric { dimension.clamp(0, 3) } else { 0 } {
                    self.real()?;
                }
            }
        }
        Ok(())
    }

    fn cell(
        &mut self,
        mesh: &mut Mesh,
        places: &Places,
        (kind, count): (Option<Kind>, usize),
        group: i64,
        number: fn(&mut Self) -> Result<i64, Error>,
    ) -> Result<(), Error> {
        let numbers = (0..count).map(|_| number(self)).collect::<Result<Vec<_>, _>>()?;
        let Some(kind) = kind else { return Ok(()) };
        let corners: Option<Vec<usize>> =
            numbers.iter().take(kind.corners()).map(|number| places.get(number).copied()).collect();
        let corners = corners.ok_or_else(|| self.wrong("a cell has points that are not there"))?;
        mesh.cells.push((kind, corners, group));
        Ok(())
    }

    fn elements_2(&mut self, mesh: &mut Mesh, places: &Places) -> Result<(), Error> {
        let line = self.line().unwrap_or_default();
        let count = line.trim().parse().map_err(|_| self.wrong("the number of cells is expected before"))?;
        let count = self.count(count)?;
        let mut done = 0;
        while done < count {
            // In text each cell says its number, kind and tags; in bytes kind, how many follow, and how many tags.
            let (kind, follow, tags) = if self.binary {
                (self.int()?, self.int()?, self.int()?)
            } else {
                self.int()?;
                (self.int()?, 1, self.int()?)
            };
            let kind =
                element(kind).ok_or_else(|| self.wrong(&format!("cells of kind {kind} are unknown")))?;
            let tags = self.count(tags)?;
            for _ in 0..self.count(follow)?.max(1) {
                if self.binary {
                    self.int()?;
                }
                let tags = (0..tags).map(|_| self.int()).collect::<Result<Vec<_>, _>>()?;
                self.cell(mesh, places, kind, tags.first().copied().unwrap_or(0), Self::int)?;
                done += 1;
            }
        }
        Ok(())
    }

    fn elements_4(&mut self, mesh: &mut Mesh, places: &Places, groups: &Groups) -> Result<(), Error> {
        let blocks = self.long()?;
        for _ in 0..3 {
            self.long()?;
        }
        for _ in 0..self.count(blocks)? {
            let (dimension, tag, kind) = (self.int()?, self.int()?, self.int()?);
            let kind =
                element(kind).ok_or_else(|| self.wrong(&format!("cells of kind {kind} are unknown")))?;
            let group = groups.get(&(dimension, tag)).copied().unwrap_or(0);
            let count = self.long()?;
            for _ in 0..self.count(count)? {
                self.long()?;
                self.cell(mesh, places, kind, group, Self::long)?;
            }
        }
        Ok(())
    }
}
