//! Points that are listed, and points on a grid.

use super::{CHUNK, Chunk, Source, Wanted};

/// Points as they were given.
pub(super) struct Listed(pub(super) Option<Vec<f64>>);

impl Source for Listed {
    fn next(&mut self, _: &Wanted) -> Result<Option<Chunk>, String> {
        let rows = self.0.take().filter(|rows| !rows.is_empty());
        Ok(rows.map(|points| Chunk { points, data: vec![] }))
    }
}

/// All combinations of the axes' values.
pub(super) struct Grid {
    pub(super) axes: Vec<Vec<f64>>,
    /// The number of the next point.
    pub(super) next: usize,
    pub(super) count: usize,
}

impl Source for Grid {
    fn next(&mut self, _: &Wanted) -> Result<Option<Chunk>, String> {
        let end = (self.next + CHUNK).min(self.count);
        if self.next == end {
            return Ok(None);
        }
        let dimensions = self.axes.len();
        let mut points = vec![0.0; (end - self.next) * dimensions];
        for (row, index) in points.chunks_exact_mut(dimensions).zip(self.next..end) {
            let mut rest = index;
            for (x, axis) in row.iter_mut().zip(&self.axes).rev() {
                *x = axis[rest % axis.len()];
                rest /= axis.len();
            }
        }
        self.next = end;
        Ok(Some(Chunk { points, data: vec![] }))
    }
}
