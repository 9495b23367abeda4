//! STL: triangles, in text or bytes.

use super::{MAX_PARTS, surface};
use crate::shape::facets::Facet;
use crate::vector::{Vector, vector};
use crate::{Error, Shape};

/// The body inside a surface from an STL file, ASCII or binary.
///
/// # Errors
/// [`Error::File`] for what is no STL, [`Error::Open`] and [`Error::Disoriented`] with the place.
pub fn stl(bytes: &[u8]) -> Result<Shape, Error> {
    let points = match binary(bytes) {
        Some(points) => points,
        None => text(bytes)?,
    };
    let triangles: Vec<Facet> = (0..points.len() / 3).map(|k| [3 * k, 3 * k + 1, 3 * k + 2]).collect();
    let labels = vec![None; triangles.len()];
    surface(points, triangles, labels)
}

/// 80 bytes of anything, the number of triangles, and 50 bytes for each: the length tells it from text.
fn binary(bytes: &[u8]) -> Option<Vec<Vector>> {
    let count = u32::from_le_bytes(bytes.get(80..84)?.try_into().ok()?) as usize;
    if bytes.len() != 84 + count.checked_mul(50)? || count > MAX_PARTS {
        return None;
    }
    let number = |four: &[u8; 4]| f64::from(f32::from_le_bytes(*four));
    let triangle = |record: &[u8; 50]| {
        let numbers: Vec<f64> = record[12..48].as_chunks().0.iter().map(number).collect();
        [0, 3, 6].map(|from| vector(&numbers[from..from + 3]))
    };
    Some(bytes[84..].as_chunks().0.iter().flat_map(triangle).collect())
}

fn text(bytes: &[u8]) -> Result<Vec<Vector>, Error> {
    let none = || {
        Error::File(
            "it is no STL file: neither text that begins with `solid`, nor bytes of the right length".into(),
        )
    };
    let text = core::str::from_utf8(bytes).map_err(|_| none())?;
    if !text.trim_start().get(..5).is_some_and(|word| word.eq_ignore_ascii_case("solid")) {
        return Err(none());
    }
    let mut points = vec![];
    for (line, words) in text.lines().enumerate().map(|(i, line)| (i + 1, line.split_ascii_whitespace())) {
        let mut words = words;
        match words.next() {
            Some(word) if word.eq_ignore_ascii_case("vertex") => {
                let numbers: Vec<f64> = words.map_while(|word| word.parse().ok()).collect();
                if numbers.len() != 3 {
                    return Err(Error::File(format!("line {line}: a vertex has three numbers")));
                }
                points.push(vector(&numbers));
            }
            Some(word) if word.eq_ignore_ascii_case("endfacet") && points.len() % 3 != 0 => {
                return Err(Error::File(format!("line {line}: the facet is no triangle")));
            }
            _ => {}
        }
    }
    if points.len() % 3 == 0 { Ok(points) } else { Err(Error::File("the last facet is no triangle".into())) }
}
