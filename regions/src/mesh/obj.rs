//! OBJ: points, and faces of three or more of them; groups become labels.

use std::sync::Arc;

use super::{fan, name, surface};
use crate::vector::{Vector, vector};
use crate::{Error, Shape};

/// The body inside a surface from an OBJ file; `g` and `o` lines name the parts of its wall.
///
/// # Errors
/// [`Error::File`] for what is no OBJ, [`Error::Open`] and [`Error::Disoriented`] with the place.
pub fn obj(bytes: &[u8]) -> Result<Shape, Error> {
    let text =
        core::str::from_utf8(bytes).map_err(|_| Error::File("it is no OBJ file: it is no text".into()))?;
    let (mut points, mut triangles, mut labels): (Vec<Vector>, Vec<_>, Vec<_>) = (vec![], vec![], vec![]);
    let mut label: Option<Arc<str>> = None;
    for (line, text) in text.lines().enumerate() {
        let wrong = |message: &str| Error::File(format!("line {}: {message}", line + 1));
        let (word, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
        match word {
            "v" => {
                let numbers: Vec<f64> =
                    rest.split_ascii_whitespace().map_while(|word| word.parse().ok()).collect();
                let numbers = numbers.get(..3).ok_or_else(|| wrong("a point has three numbers"))?;
                points.push(vector(numbers));
            }
            "f" => {
                // A number from 1, or back from the last one if negative; slashes add textures and normals.
                let corner = |word: &str| {
                    let number: i64 = word.split('/').next()?.parse().ok()?;
                    let index = if number < 0 { points.len() as i64 + number } else { number - 1 };
                    usize::try_from(index).ok().filter(|&index| index < points.len())
                };
                let corners: Option<Vec<usize>> = rest.split_ascii_whitespace().map(corner).collect();
                let corners = corners.ok_or_else(|| wrong("a face has points that are not there"))?;
                if corners.len() < 3 {
                    return Err(wrong("a face has three points or more"));
                }
                for triangle in fan(&corners) {
                    triangles.push(triangle);
                    labels.push(label.clone());
                }
            }
            "g" | "o" if !rest.trim().is_empty() => label = Some(Arc::from(name(rest))),
            _ => {}
        }
    }
    surface(points, triangles, labels)
}
