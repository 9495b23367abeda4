//! Damped linear least squares by orthogonal transformations: no normal equations, whose condition is the square of J's.
//!
//! min |Jδ + r|² + μ·δᵀDδ is solved for many μ at the price of one factorization (Eldén 1977; Björck 1996, section 5.3.4):
//! J = QR by Householder's reflections, R·D^(−½) = U·B·Vᵀ with B an upper band, and for each μ the problem
//! min |Bz + Uᵀc|² + μ|z|² with c the head of Qᵀr, which takes n·b² operations for a band of b; δ = D^(−½)·V·z.
//! A bidiagonal B would take 2n rotations for each μ, but half of the work to find it goes through the whole matrix for a
//! column or row at a time; a band is found by products alone (the first stage of Großer and Lang 1999).
//! A slope that is not Jᵀr, but d off, adds dᵀδ to half of what is minimized: with TᵀT = BᵀB + μ, z has T⁻¹T⁻ᵀVᵀD^(−½)d more.
//! What rounding leaves of directions along which J is σ times its norm is ε/σ of them, where JᵀJ, formed, leaves ε/σ².
//!
//! Columns are taken in fixed strips, as in `cholesky.rs`: a strip's reflections are found by one thread and applied to the others
//! by all, so that bits do not depend on the number of threads.
//! As many threads would wait for that one, a tall J goes in two blocks of rows, each with reflections and an R of its own; then the
//! one R takes up the other, of which only a triangle has to be gone through (Demmel, Grigori, Hoemmen and Langou 2012).

use std::ops::Range;
use std::slice::ChunksMut;

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::householder::{
    apply_block_householder_on_the_left_in_place_scratch as apply_scratch,
    apply_block_householder_on_the_left_in_place_with_conj as apply,
    apply_block_householder_on_the_right_in_place_with_conj as apply_right,
    apply_block_householder_transpose_on_the_left_in_place_with_conj as apply_transpose,
    upgrade_householder_factor as join,
};
use faer::linalg::matmul::matmul;
use faer::prelude::{Reborrow, ReborrowMut};
use faer::{Accum, Conj, MatMut, MatRef, Par};

use super::{dot, norm};
use crate::team::Team;

/// From so many rows on for each unknown, they go in two blocks.
const TALL: usize = 4;
/// Columns of a strip, and of the pieces in which one thread finds its reflections.
const STRIP: usize = 64;
const THIN: usize = 8;
/// The width of the band, and rows and columns of its blocks.
const BAND: usize = 16;

/// Rows of J that are held at a time, as multiples of its columns, and the numbers that they may have if that is more: a quarter
/// of a gibibyte.
const HELD: usize = 5;
const NUMBERS: usize = 1 << 25;

/// A least-squares problem in n unknowns, and its factors.
pub(super) struct Orthogonal {
    n: usize,
    /// J and r, n + 1 columns of `height` numbers, of which the first `filled` are there.
    columns: Vec<f64>,
    height: usize,
    filled: usize,
    /// What joins the reflections of every strip, and room beside what is no strip.
    joints: Vec<f64>,
    rooms: Vec<MemBuffer>,
    /// Unknowns of the band: n and as many as make its blocks whole, which nothing depends on.
    padded: usize,
    /// R·D^(−½), then the blocks of B on the diagonal with the reflections of U below; c, then Uᵀc beside it.
    /// Columns are `stride` numbers long, as in `across`.
    square: Vec<f64>,
    stride: usize,
    /// The other blocks of B, transposed, with the reflections of V below.
    across: Vec<f64>,
    /// What joins the reflections of V, block by block.
    across_joints: Vec<f64>,
    /// The root of D, if it is not the identity.
    roots: Vec<f64>,
    /// VᵀD^(−½) of what the slope Jᵀr is off, and a solution with it.
    tilt: Vec<f64>,
    tilted: Vec<f64>,
    /// B with √μ taken up, block by block, and the right-hand sides.
    damped: Vec<f64>,
    /// Rows that are being taken up.
    rest: [Vec<f64>; 2],
    /// z, then Vz.
    solution: Vec<f64>,
}

impl Orthogonal {
    /// For `n` unknowns, at least one.
    pub(super) fn new(n: usize) -> Self {
        Self::holding(n, (HELD * n).max(NUMBERS / (n + 1)))
    }

    /// The same, with room for no fewer than so many rows, more than n.
    pub(super) fn holding(n: usize, rows: usize) -> Self {
        let padded = n.next_multiple_of(BAND);
        // Columns an odd number of cache lines apart do not fall on one another's place in the cache.
        let (height, stride) = (rows.next_multiple_of(16) + 8, padded.next_multiple_of(16) + 8);
        let strips = (padded + 1).div_ceil(STRIP);
        let room = apply_scratch::<f64>(height, STRIP, STRIP);
        Self {
            n,
            columns: vec![0.0; height * (n + 1)],
            height,
            filled: 0,
            joints: vec![0.0; 2 * (strips + 1) * STRIP * STRIP],
            rooms: (0..2 * strips).map(|_| MemBuffer::new(room)).collect(),
            padded,
            square: vec![0.0; stride * (padded + 1)],
            stride,
            across: vec![0.0; stride * (padded - BAND)],
            across_joints: vec![0.0; (padded - BAND) * BAND],
            roots: Vec::with_capacity(n),
            tilt: vec![0.0; padded],
            tilted: vec![0.0; padded],
            damped: vec![0.0; padded * WIDE],
            rest: std::array::from_fn(|_| vec![0.0; BAND * (BAND + 1)]),
            solution: vec![0.0; padded],
        }
    }

    /// Forgets all rows.
    pub(super) fn clear(&mut self) {
        self.filled = 0;
    }

    /// Takes up rows of n derivatives and a residual each.
    pub(super) fn push(&mut self, team: &Team, mut rows: &[f64]) {
        let width = self.n + 1;
        while !rows.is_empty() {
            if self.filled == self.height {
                self.triangularize(team);
            }
            let (now, later) = rows.split_at(((self.height - self.filled) * width).min(rows.len()));
            let (height, filled) = (self.height, self.filled);
            team.share(self.columns.chunks_mut(STRIP * height).enumerate(), |_, (strip, columns)| {
                // As many rows at a time as numbers of a column that lie in one line of the cache.
                for (part, rows) in now.chunks(8 * width).enumerate() {
                    let first = filled + 8 * part;
                    for (j, column) in columns.chunks_exact_mut(height).enumerate() {
                        let numbers = rows[strip * STRIP + j..].iter().step_by(width);
                        column[first..].iter_mut().zip(numbers).for_each(|(to, x)| *to = *x);
                    }
                }
            });
            self.filled += now.len() / width;
            rows = later;
        }
    }

    /// Replaces all rows by the n of R, with c beside them.
    fn triangularize(&mut self, team: &Team) {
        let (n, height) = (self.n, self.height);
        // No fewer rows than unknowns: zeros change nothing.
        let m = self.filled.max(n);
        for column in self.columns.chunks_exact_mut(height) {
            column[self.filled..m].fill(0.0);
        }
        if m >= TALL * n && n > STRIP {
            self.eliminate(team, [0..m / 2, m / 2..m]);
            self.take_up(team, m / 2);
        } else {
            self.eliminate(team, [Range { start: 0, end: m }]);
        }
        for (j, column) in self.columns.chunks_exact_mut(height).enumerate() {
            column[(j + 1).min(n)..n].fill(0.0);
        }
        self.filled = n;
    }

    /// Leaves an R at the top of every block of rows, which follow each other, with its c beside it; what is below is of no
    /// meaning.
    fn eliminate<const BLOCKS: usize>(&mut self, team: &Team, blocks: [Range<usize>; BLOCKS]) {
        let (n, height) = (self.n, self.height);
        let next = |first: usize, rows: &mut MatMut<'_, f64>, joint: &mut [f64], room: &mut MemBuffer| {
            let width = STRIP.min(n - first);
            let strip = rows.rb_mut().subcols_mut(0, width);
            find_reflections(strip, square(joint, width), MemStack::new(room));
        };
        let strip = &mut self.columns[..STRIP.min(n) * height];
        let work = Blocks::new(strip, height, &blocks, 0).zip(self.joints.chunks_mut(STRIP * STRIP));
        team.share(work.zip(&mut self.rooms), |_, ((mut rows, joint), room)| next(0, &mut rows, joint, room));
        for first in (0..n).step_by(STRIP) {
            let width = STRIP.min(n - first);
            let (strip, right) = self.columns[first * height..].split_at_mut(width * height);
            let (joints, others) = self.joints[BLOCKS * first * STRIP..].split_at_mut(BLOCKS * STRIP * STRIP);
            let reflections: [_; BLOCKS] = std::array::from_fn(|block| {
                let rows = &blocks[block];
                let strip = MatRef::from_column_major_slice(strip, height, width);
                let joint = MatRef::from_column_major_slice(
                    &joints[block * STRIP * STRIP..][..width * width],
                    width,
                    width,
                );
                (strip.subrows(rows.start + first, rows.len() - first), joint)
            });
            let work = Blocks::new(right, height, &blocks, first).zip(others.chunks_mut(STRIP * STRIP));
            team.share(work.zip(&mut self.rooms).enumerate(), |_, (i, ((mut rows, joint), room))| {
                let (strip, its_joint) = reflections[i % BLOCKS];
                apply_transpose(strip, its_joint, Conj::No, rows.rb_mut(), Par::Seq, MemStack::new(room));
                // Whoever has the next strip finds its reflections while others apply these.
                if i < BLOCKS && first + width < n {
                    let count = rows.nrows() - width;
                    next(first + width, &mut rows.subrows_mut(width, count), joint, room);
                }
            });
        }
    }

    /// The R on top takes up the one that begins in row `lower`.
    fn take_up(&mut self, team: &Team, lower: usize) {
        let (n, height) = (self.n, self.height);
        // The upper R's rows that are at work are copied right above the lower one, where nothing of meaning is left.
        let reflect = |first: usize, strip: &mut [f64], joint: &mut [f64], room: &mut MemBuffer| {
            let width = STRIP.min(n - first);
            let strip = &mut strip[..width * height];
            for (j, column) in strip.chunks_exact_mut(height).enumerate() {
                column.copy_within(first..first + j + 1, lower - width);
                column[lower - width + j + 1..lower].fill(0.0);
                column[lower + first + j + 1..lower + first + width].fill(0.0);
            }
            let strip = part(strip, height, lower - width..lower + first + width);
            find_reflections(strip, square(joint, width), MemStack::new(room));
        };
        reflect(0, &mut self.columns, &mut self.joints, &mut self.rooms[0]);
        for first in (0..n).step_by(STRIP) {
            let width = STRIP.min(n - first);
            let (strip, right) = self.columns[first * height..].split_at_mut(width * height);
            for (j, column) in strip.chunks_exact_mut(height).enumerate() {
                column.copy_within(lower - width..lower - width + j + 1, first);
            }
            let rows = lower - width..lower + first + width;
            let (joint, joints) = self.joints[first * STRIP..].split_at_mut(STRIP * STRIP);
            let (strip, joint) = (part(strip, height, rows.clone()), square(joint, width));
            let (strip, joint) = (strip.rb(), joint.rb());
            let work =
                right.chunks_mut(STRIP * height).zip(joints.chunks_mut(STRIP * STRIP)).zip(&mut self.rooms);
            team.share(work.enumerate(), |_, (i, ((columns, its_joint), room))| {
                for column in columns.chunks_exact_mut(height) {
                    column.copy_within(first..first + width, rows.start);
                }
                let target = part(columns, height, rows.clone());
                apply_transpose(strip, joint, Conj::No, target, Par::Seq, MemStack::new(room));
                for column in columns.chunks_exact_mut(height) {
                    column.copy_within(rows.start..lower, first);
                }
                if i == 0 && first + width < n {
                    reflect(first + width, columns, its_joint, room);
                }
            });
        }
    }

    /// J = QR; Jᵀr goes to `slope`. Numbers that are not finite stay so.
    pub(super) fn factorize(&mut self, team: &Team, slope: &mut [f64]) {
        self.triangularize(team);
        let (n, height) = (self.n, self.height);
        let (columns, head) = self.columns.split_at(n * height);
        for (slope, column) in slope.iter_mut().zip(columns.chunks_exact(height)) {
            *slope = dot(&column[..n], &head[..n]);
        }
    }

    /// The norms of J's columns.
    pub(super) fn column_norms(&self) -> impl Iterator<Item = f64> {
        self.columns.chunks_exact(self.height).take(self.n).map(|column| norm(&column[..self.n]))
    }

    /// R·D^(−½) = U·B·Vᵀ, with D the identity where `scales` are none.
    pub(super) fn reduce(&mut self, team: &Team, scales: &[f64]) {
        self.roots.clear();
        self.roots.extend(scales.iter().map(|scale| scale.sqrt()));
        let Self { n, padded, stride, .. } = *self;
        self.square.fill(0.0);
        self.tilt.fill(0.0);
        let (unknowns, head) = self.square.split_at_mut(padded * stride);
        let columns = unknowns.chunks_exact_mut(stride).zip(self.columns.chunks_exact(self.height));
        for (j, (to, from)) in columns.take(n).enumerate() {
            let factor = self.roots.get(j).map_or(1.0, |root| root.recip());
            to.iter_mut().zip(&from[..n]).for_each(|(to, from)| *to = factor * from);
        }
        head[..n].copy_from_slice(&self.columns[n * self.height..][..n]);
        for first in (0..padded).step_by(BAND) {
            let (block, right) = self.square[first * stride..].split_at_mut(BAND * stride);
            let mut block = part(block, stride, first..padded);
            let mut joint = square(&mut self.joints, BAND);
            find_reflections(block.rb_mut(), joint.rb_mut(), MemStack::new(&mut self.rooms[0]));
            let (block, joint) = (block.rb(), joint.rb());
            team.share(right.chunks_mut(STRIP * stride).zip(&mut self.rooms), |_, (columns, room)| {
                let columns = part(columns, stride, first..padded);
                apply_transpose(block, joint, Conj::No, columns, Par::Seq, MemStack::new(room));
            });
            let next = first + BAND;
            if next == padded {
                break;
            }
            let right = &mut right[..(padded - next) * stride];
            let across = &mut self.across[first * stride..][..BAND * stride];
            for (i, to) in across.chunks_exact_mut(stride).enumerate() {
                let row = right.iter().skip(first + i).step_by(stride);
                to[next..].iter_mut().zip(row).for_each(|(to, x)| *to = *x);
            }
            let mut block = part(across, stride, next..padded);
            let mut joint = square(&mut self.across_joints[first * BAND..], BAND);
            find_reflections(block.rb_mut(), joint.rb_mut(), MemStack::new(&mut self.rooms[0]));
            let (block, joint) = (block.rb(), joint.rb());
            let rows = Strips(Some(part(right, stride, next..padded)));
            team.share(rows.zip(&mut self.rooms), |_, (rows, room)| {
                apply_right(block, joint, Conj::No, rows, Par::Seq, MemStack::new(room));
            });
        }
    }

    /// From now on, and until the next reduction, the slope at δ = 0 is Jᵀr + `off`: of another r, which J has no image for.
    pub(super) fn tilt(&mut self, off: &[f64]) {
        let Self { padded, stride, .. } = *self;
        for (j, (to, x)) in self.tilt.iter_mut().zip(off).enumerate() {
            *to = self.roots.get(j).map_or(*x, |root| x / root);
        }
        let blocks =
            self.across.chunks_exact(BAND * stride).zip(self.across_joints.chunks_exact(BAND * BAND));
        for (i, (block, joint)) in blocks.enumerate() {
            let (first, rows) = ((i + 1) * BAND, padded - (i + 1) * BAND);
            let block = MatRef::from_column_major_slice(block, stride, BAND).subrows(first, rows);
            let joint = MatRef::from_column_major_slice(joint, BAND, BAND);
            let z = MatMut::from_column_major_slice_mut(&mut self.tilt[first..], rows, 1);
            apply_transpose(block, joint, Conj::No, z, Par::Seq, MemStack::new(&mut self.rooms[0]));
        }
    }

    /// B and Uᵀc with √μ taken up, block by block: an upper band again.
    fn damp(&mut self, mu: f64) {
        let Self { padded, stride, .. } = *self;
        let (root, blocks) = (mu.sqrt(), padded / BAND);
        let head = &self.square[padded * stride..];
        let [rest, next] = &mut self.rest;
        diagonal(rest, root);
        for (i, damped) in self.damped.chunks_exact_mut(BAND * WIDE).enumerate() {
            let first = i * BAND;
            damped.fill(0.0);
            for j in 0..BAND {
                let (from, to) = (&self.square[(first + j) * stride + first..], &mut damped[j * BAND..]);
                to[..=j].copy_from_slice(&from[..=j]);
                if i + 1 < blocks {
                    let row = &self.across[(first + j) * stride + first + BAND..][..=j];
                    row.iter().enumerate().for_each(|(k, x)| damped[(BAND + k) * BAND + j] = *x);
                }
            }
            damped[2 * BAND * BAND..].copy_from_slice(&head[first..][..BAND]);
            // Rows of √μ that have been rotated, an upper triangle, are taken up; what they leave is right of this block.
            next.fill(0.0);
            next[BAND * BAND..].copy_from_slice(&rest[BAND * BAND..]);
            for j in 0..BAND {
                let (left, right) = rest[..BAND * BAND].split_at_mut((j + 1) * BAND);
                let tail = &mut left[j * BAND..][..=j];
                let (before, after) = damped.split_at_mut((j + 1) * BAND);
                let reflection = Reflection::new(&mut before[j * BAND + j], tail);
                let (own, others) = after.split_at_mut((BAND - j - 1) * BAND);
                for (column, below) in own.chunks_exact_mut(BAND).zip(right.chunks_exact_mut(BAND)) {
                    reflection.apply(&mut column[j], &mut below[..=j]);
                }
                let (triangle, side) = others.split_at_mut(BAND * BAND);
                let (next, next_side) = next.split_at_mut(BAND * BAND);
                for (column, below) in
                    triangle.chunks_exact_mut(BAND).zip(next.chunks_exact_mut(BAND)).take(j + 1)
                {
                    reflection.apply(&mut column[j], &mut below[..=j]);
                }
                reflection.apply(&mut side[j], &mut next_side[..=j]);
            }
            // √μ of the next block takes up what is left.
            diagonal(rest, root);
            for j in 0..BAND {
                let (left, right) = next.split_at_mut((j + 1) * BAND);
                let tail = &mut left[j * BAND..];
                let (before, after) = rest.split_at_mut((j + 1) * BAND);
                let reflection = Reflection::new(&mut before[j * BAND + j], tail);
                for (column, below) in after.chunks_exact_mut(BAND).zip(right.chunks_exact_mut(BAND)) {
                    reflection.apply(&mut column[j], below);
                }
            }
        }
    }

    /// The δ of the damping `mu`, and by how much it lowers |Jδ + r|².
    pub(super) fn solve(&mut self, mu: f64, step: &mut [f64]) -> f64 {
        self.damp(mu);
        let Self { padded, stride, .. } = *self;
        let head = &self.square[padded * stride..];
        let z = &mut self.solution;
        // T being the band, TᵀTz = BᵀUᵀc + d: Tᵀ first.
        let tilted = &mut self.tilted;
        tilted.copy_from_slice(&self.tilt);
        for (i, damped) in self.damped.chunks_exact(BAND * WIDE).enumerate() {
            let (now, later) = tilted[i * BAND..].split_at_mut(BAND);
            for j in 0..BAND {
                let row = |k: usize| damped[k * BAND + j];
                now[j] = if row(j) == 0.0 { 0.0 } else { now[j] / row(j) };
                let x = now[j];
                (j + 1..BAND).for_each(|k| now[k] -= row(k) * x);
                later.iter_mut().take(j + 1).enumerate().for_each(|(k, z)| *z -= row(BAND + k) * x);
            }
        }
        for (i, damped) in self.damped.chunks_exact(BAND * WIDE).enumerate().rev() {
            let (now, later) = z[i * BAND..].split_at_mut(BAND);
            for j in (0..BAND).rev() {
                let row = |k: usize| damped[k * BAND + j];
                let mut x = row(2 * BAND) + tilted[i * BAND + j];
                (j + 1..BAND).for_each(|k| x -= row(k) * now[k]);
                later.iter().take(j + 1).enumerate().for_each(|(k, z)| x -= row(BAND + k) * z);
                now[j] = if row(j) == 0.0 { 0.0 } else { x / row(j) };
            }
        }
        // |Uᵀc|² − |Uᵀc − Bz|², of the z that is about to become −δ.
        let mut lowered = 0.0;
        for i in 0..padded {
            let end = (i / BAND + 1) * BAND;
            let own: f64 = (i..end).map(|k| self.square[k * stride + i] * z[k]).sum();
            let row = if end < padded { &self.across[i * stride + end..][..=i % BAND] } else { &[] };
            let other: f64 = row.iter().zip(&z[end..]).map(|(x, z)| x * z).sum();
            let image = own + other;
            lowered += (2.0 * head[i] - image) * image + 2.0 * self.tilt[i] * z[i];
        }
        let blocks =
            self.across.chunks_exact(BAND * stride).zip(self.across_joints.chunks_exact(BAND * BAND));
        for (i, (block, joint)) in blocks.enumerate().rev() {
            let (first, rows) = ((i + 1) * BAND, padded - (i + 1) * BAND);
            let block = MatRef::from_column_major_slice(block, stride, BAND).subrows(first, rows);
            let joint = MatRef::from_column_major_slice(joint, BAND, BAND);
            let z = MatMut::from_column_major_slice_mut(&mut z[first..], rows, 1);
            apply(block, joint, Conj::No, z, Par::Seq, MemStack::new(&mut self.rooms[0]));
        }
        step.iter_mut().zip(&*z).for_each(|(step, z)| *step = -z);
        step.iter_mut().zip(&self.roots).for_each(|(x, root)| *x /= root);
        lowered
    }
}

/// Columns of a block row of the damped band: its own, those of the next block, and the right-hand side.
const WIDE: usize = 2 * BAND + 1;

/// `root` times the identity, with zeros beside it.
fn diagonal(to: &mut [f64], root: f64) {
    to.fill(0.0);
    to.iter_mut().step_by(BAND + 1).take(BAND).for_each(|x| *x = root);
}

/// A reflection I − vvᵀ/τ of a number and some others below it, v being 1 and `tail`.
struct Reflection<'a> {
    tail: &'a [f64],
    /// Its first row is `own` and `others` times the tail.
    own: f64,
    others: f64,
}

impl<'a> Reflection<'a> {
    /// The one that leaves nothing of `tail`; `head` becomes what it leaves.
    fn new(head: &mut f64, tail: &'a mut [f64]) -> Self {
        let before = *head;
        let (scale, factor) = reflection(head, dot(tail, tail));
        tail.iter_mut().for_each(|x| *x *= scale);
        if factor == 0.0 {
            return Self { tail, own: 1.0, others: 0.0 };
        }
        Self { tail, own: before / *head, others: (before - *head) / *head }
    }

    /// A small number above large ones is not the difference of large ones, as it would be by v and τ.
    fn apply(&self, head: &mut f64, below: &mut [f64]) {
        let now = self.own * *head + self.others * dot(self.tail, below);
        let along = *head - now;
        *head = now;
        below.iter_mut().zip(self.tail).for_each(|(x, v)| *x -= along * v);
    }
}

/// Of the reflection that leaves nothing below `head`, where the sum of squares is `below`: by what numbers there are multiplied to
/// be v's, and 1/τ.
fn reflection(head: &mut f64, below: f64) -> (f64, f64) {
    if below == 0.0 {
        return (0.0, 0.0);
    }
    let length = (*head * *head + below).sqrt();
    let left = if *head > 0.0 { -length } else { length };
    let scale = (*head - left).recip();
    *head = left;
    (scale, 2.0 / (1.0 + below * scale * scale))
}

/// Householder's reflections that leave an upper triangle of `a`, which has no fewer rows than columns.
///
/// Below the triangle goes V, and to the upper triangle of `joint` what joins them to I − V·joint⁻ᵀ·Vᵀ.
fn find_reflections(mut a: MatMut<'_, f64>, mut joint: MatMut<'_, f64>, stack: &mut MemStack) {
    let width = a.ncols();
    for first in (0..width).step_by(THIN) {
        let count = THIN.min(width - first);
        let (mut thin, right) = a.rb_mut().get_mut(first.., first..).split_at_col_mut(count);
        let mut joint = joint.rb_mut().get_mut(first..first + count, first..first + count);
        for j in 0..count {
            let (mut head, mut below) = thin.rb_mut().get_mut(j.., j..).split_at_row_mut(1);
            // The column's products with itself and those after it; there is none below the last row.
            let mut along = [0.0; THIN];
            let along = &mut along[..count - j];
            if below.nrows() > 0 {
                let products = MatMut::from_column_major_slice_mut(along, count - j, 1);
                let below = below.rb();
                matmul(products, Accum::Replace, below.transpose(), below.subcols(0, 1), 1.0, Par::Seq);
            }
            let (scale, factor) = reflection(&mut head[(0, 0)], along[0]);
            joint[(j, j)] = factor.recip();
            let (mut v, others) = below.rb_mut().split_at_col_mut(1);
            v.rb_mut().col_mut(0).iter_mut().for_each(|x| *x *= scale);
            for (k, along) in along.iter_mut().enumerate().skip(1) {
                *along = factor * (head[(0, k)] + scale * *along);
                head[(0, k)] -= *along;
            }
            let along = MatRef::from_row_major_slice(&along[1..], 1, count - j - 1);
            matmul(others, Accum::Add, v.rb(), along, -1.0, Par::Seq);
        }
        join(joint.rb_mut(), thin.rb(), count, 1, Par::Seq);
        apply_transpose(thin.rb(), joint.rb(), Conj::No, right, Par::Seq, stack);
    }
    join(joint, a.rb(), width.next_multiple_of(THIN), THIN, Par::Seq);
}

/// Strips of columns, of each the blocks of rows, less the first rows of every block.
struct Blocks<'a, const BLOCKS: usize> {
    strips: ChunksMut<'a, f64>,
    /// Of the strip at work the rows of the blocks that are still to come.
    rest: Option<MatMut<'a, f64>>,
    block: usize,
    height: usize,
    blocks: &'a [Range<usize>; BLOCKS],
    skipped: usize,
}

impl<'a, const BLOCKS: usize> Blocks<'a, BLOCKS> {
    fn new(
        columns: &'a mut [f64],
        height: usize,
        blocks: &'a [Range<usize>; BLOCKS],
        skipped: usize,
    ) -> Self {
        Self { strips: columns.chunks_mut(STRIP * height), rest: None, block: 0, height, blocks, skipped }
    }
}

impl<'a, const BLOCKS: usize> Iterator for Blocks<'a, BLOCKS> {
    type Item = MatMut<'a, f64>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = match self.rest.take() {
            Some(rest) => rest,
            None => {
                let strip = self.strips.next()?;
                let width = strip.len() / self.height;
                MatMut::from_column_major_slice_mut(strip, self.height, width)
            }
        };
        let (rows, rest) = rest.split_at_row_mut(self.blocks[self.block].len());
        self.block = (self.block + 1) % BLOCKS;
        self.rest = (self.block > 0).then_some(rest);
        Some(rows.split_at_row_mut(self.skipped).1)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = if self.block > 0 { BLOCKS - self.block } else { 0 };
        let count = left + BLOCKS * self.strips.len();
        (count, Some(count))
    }
}

impl<const BLOCKS: usize> ExactSizeIterator for Blocks<'_, BLOCKS> {}

/// Rows of a matrix, some at a time.
struct Strips<'a>(Option<MatMut<'a, f64>>);

impl<'a> Iterator for Strips<'a> {
    type Item = MatMut<'a, f64>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows = self.0.take()?;
        if rows.nrows() <= STRIP {
            return Some(rows);
        }
        let (now, later) = rows.split_at_row_mut(STRIP);
        self.0 = Some(later);
        Some(now)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = self.0.as_ref().map_or(0, |rows| rows.nrows().div_ceil(STRIP));
        (count, Some(count))
    }
}

impl ExactSizeIterator for Strips<'_> {}

/// Some rows of whole columns.
fn part(columns: &mut [f64], height: usize, rows: Range<usize>) -> MatMut<'_, f64> {
    let columns = MatMut::from_column_major_slice_mut(columns, height, columns.len() / height);
    columns.subrows_mut(rows.start, rows.len())
}

/// The first numbers as a square.
fn square(numbers: &mut [f64], width: usize) -> MatMut<'_, f64> {
    MatMut::from_column_major_slice_mut(&mut numbers[..width * width], width, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of J and r with columns that shrink fast, so that JᵀJ has nothing left of the last ones.
    fn rows(m: usize, n: usize) -> Vec<f64> {
        let x = |i: usize, j: usize| ((i * 37 + j * j * 11 + i * j * 5 + 3) as f64 * 0.7).sin();
        let row = |i| (0..=n).map(move |j| x(i, j) * 10.0_f64.powf(-12.0 * (j % n) as f64 / n as f64));
        (0..m).flat_map(row).collect()
    }

    /// Jᵀ(Jδ + r) + μDδ, row by row, over its terms' size.
    fn mismatch(rows: &[f64], n: usize, mu: f64, scales: &[f64], step: &[f64]) -> f64 {
        let mut sums = vec![0.0; n];
        let mut sizes = vec![0.0; n];
        for row in rows.chunks_exact(n + 1) {
            let along = dot(&row[..n], step) + row[n];
            let size: f64 = row[..n].iter().zip(step).map(|(x, d)| (x * d).abs()).sum::<f64>() + row[n].abs();
            for j in 0..n {
                sums[j] += row[j] * along;
                sizes[j] += row[j].abs() * size;
            }
        }
        (0..n)
            .map(|j| {
                let damped = mu * scales.get(j).unwrap_or(&1.0) * step[j];
                (sums[j] + damped).abs() / (sizes[j] + damped.abs())
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn solutions_are_stationary_for_every_damping_with_the_same_bits_on_any_number_of_threads() {
        for (m, n) in [(1, 1), (7, 2), (90, 33), (300, 64), (300, 65), (400, 130), (900, 130), (40, 70)] {
            let rows = rows(m, n);
            let scales: Vec<f64> = (0..n).map(|j| 10.0_f64.powi(-(j as i32 % 5))).collect();
            for scales in [&[][..], &scales] {
                let mut alone: Option<Vec<f64>> = None;
                for threads in 1..=3 {
                    let team = Team::new(threads).expect("threads");
                    // Few rows at a time, or many, which go in two blocks.
                    let mut system = Orthogonal::holding(n, m.saturating_sub(100).max(n + 1));
                    rows.chunks(3 * (n + 1)).for_each(|rows| system.push(&team, rows));
                    let mut slope = vec![0.0; n];
                    system.factorize(&team, &mut slope);
                    for (j, slope) in slope.iter().enumerate() {
                        let direct: f64 = rows.chunks_exact(n + 1).map(|row| row[j] * row[n]).sum();
                        let size: f64 = rows.chunks_exact(n + 1).map(|row| (row[j] * row[n]).abs()).sum();
                        assert!((slope - direct).abs() <= 1e-13 * size, "{m} {n}: {slope} against {direct}");
                    }
                    system.reduce(&team, scales);
                    let mut all = vec![];
                    for mu in [1.0, 1e-6, 1e-14, 1e-20] {
                        let mut step = vec![0.0; n];
                        let lowered = system.solve(mu, &mut step);
                        let off = mismatch(&rows, n, mu, scales, &step);
                        assert!(off < 1e-12, "{m} {n} {mu}: {off}");
                        let before: f64 = rows.chunks_exact(n + 1).map(|row| row[n] * row[n]).sum();
                        let after: f64 = rows
                            .chunks_exact(n + 1)
                            .map(|row| (dot(&row[..n], &step) + row[n]).powi(2))
                            .sum();
                        assert!((before - after - lowered).abs() < 1e-11 * before, "{m} {n} {mu}");
                        all.extend(step);
                    }
                    assert_eq!(*alone.get_or_insert_with(|| all.clone()), all, "{m} {n}, {threads} threads");
                }
            }
        }
    }
}
