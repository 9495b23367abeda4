//! STL: triangles, in text or bytes.

use std::sync::Arc;

use super::{MAX_PARTS, name, surface};
use crate::shape::facets::Facet;
use crate::vector::{Vector, vector};
use crate::{Error, Shape};

/// The body inside a surface from an STL file, ASCII or binary; in text `solid` lines name the parts of its wall.
///
/// # Errors
/// [`Error::File`] for what is no STL, [`Error::Open`] and [`Error::Disoriented`] with the place.
pub fn stl(bytes: &[u8]) -> Result<Shape, Error> {
    let (points, labels) = match binary(bytes) {
        Some(points) => (points, vec![]),
        None => text(bytes)?,
    };
    let triangles: Vec<Facet> = (0..points.len() / 3).map(|k| [3 * k, 3 * k + 1, 3 * k + 2]).collect();
    let labels = if labels.is_empty() { vec![None; triangles.len()] } else { labels };
    surface(points, triangles, labels)
}

/// 80 bytes of anything, the number of triangles, and 50 bytes for each: the length tells it from text.
fn binary(bytes: &[u8]) -> Option<Vec<Vector>> {
    let count = u32::from_le_bytes(bytes.get(80..84)?.try_into().ok()?) as usize;
    if bytes.len() != 84 + count.checked_mul(50)? || count > MAX_PARTS {
        return None;
    }
    // What was 0.1 before it was written is 0.1 again: the shortest number that rounds to these bits.
    let number = |four: &[u8; 4]| {
        let x = f32::from_le_bytes(*four);
        x.to_string().parse().unwrap_or(f64::from(x))
    };
    let triangle = |record: &[u8; 50]| {
        let numbers: Vec<f64> = record[12..48].as_chunks().0.iter().map(number).collect();
        [0, 3, 6].map(|from| vector(&numbers[from..from + 3]))
    };
    Some(bytes[84..].as_chunks().0.iter().flat_map(triangle).collect())
}

/// Points, three for each triangle, and the name of each triangle's solid.
#[expect(clippy::type_complexity, reason = "what `surface` takes")]
fn text(bytes: &[u8]) -> Result<(Vec<Vector>, Vec<Option<Arc<str>>>), Error> {
    let none = || {
        Error::File(
            "it is no STL file: neither text that begins with `solid`, nor bytes of the right length".into(),
        )
    };
    let text = core::str::from_utf8(bytes).map_err(|_| none())?;
    if !text.trim_start().get(..5).is_some_and(|word| word.eq_ignore_ascii_case("solid")) {
        return Err(none());
    }
    let (mut points, mut labels) = (vec![], vec![]);
    let mut label: Option<Arc<str>> = None;
    for (line, words) in text.lines().enumerate().map(|(i, line)| (i + 1, line.split_ascii_whitespace())) {
        let mut words = words;
        match words.next() {
            Some(word) if word.eq_ignore_ascii_case("vertex") => {
                let numbers: Vec<f64> = words.map_while(|word| word.parse().ok()).collect();
                if numbers.len() != 3 {
                    return Err(Error::File(format!("line {line}: a vertex has three numbers")));
                }
                points.push(vector(&numbers));
                if points.len() % 3 == 0 {
                    labels.push(label.clone());
                }
            }
            Some(word) if word.eq_ignore_ascii_case("solid") => {
                label = words.next().map(|first| Arc::from(name(first)));
            }
            Some(word) if word.eq_ignore_ascii_case("endfacet") && points.len() % 3 != 0 => {
                return Err(Error::File(format!("line {line}: the facet is no triangle")));
            }
            _ => {}
        }
    }
    if points.len() % 3 == 0 {
        Ok((points, labels))
    } else {
        Err(Error::File("the last facet is no triangle".into()))
    }
}
