//! The least-squares side of the fused engine: normal equations, and Jacobian products without the Jacobian.
//!
//! The loss is rᵀr with r = √(λ·w/points)·residual, row by row, w the point's weight.
//! The Jacobian's rows come from one reverse sweep a residual, block by block (`rows.rs`), and are handed out some at a time, or
//! added to JᵀJ slab by slab (`gram.rs`), so the whole J never exists here; r goes along as one more column, whose products
//! are Jᵀr.
//!
//! A product J·v needs no rows and no forward sweep of its own: the direction adds V·a + v_b to the preactivations of
//! every layer *at fixed inputs a*, and the adjoints of a residual say what that is worth to it.
//! Jᵀ(Jv) is then the gradient's own reverse sweep, seeded with Jv.
//!
//! Ranks share the tiles of JᵀJ, and each computes all rows: a number of a row is computed in less time than a network takes
//! to bring it, and there are far fewer of them than products.

use std::ops::Range;

use super::block::{Packed, Sums, Workspace};
use super::gram::{Gram, Slab};
use super::{CpuEngine, pack};
use crate::engine::Jacobian;
use crate::simd::Real;
use crate::team::lock;

/// Rows of a slab: enough that a tile of JᵀJ is summed in registers most of the time.
const SLAB_ROWS: usize = 128;
/// Slabs that are filled before they are added, and rows before they are handed out: enough work for every thread between two
/// waits.
const SLABS: usize = 8;
const ROWS: usize = SLABS * SLAB_ROWS;

/// Buffers of the normal equations.
pub(super) struct Normal {
    slabs: Vec<Slab>,
    gram: Gram,
    /// Blocks of every slab, in the order of the groups.
    plan: Vec<Vec<(usize, Range<usize>)>>,
    /// Sums of every block, in the order of the plan.
    sums: Vec<Vec<Sums>>,
}

impl<R: Real> CpuEngine<R> {
    fn block_rows(&self, which: usize) -> usize {
        self.terms[which].block_sites() * self.terms[which].tape.roots().len()
    }

    /// Shares the blocks out to slabs, one after the other as they fit.
    fn plan_normal(&self) -> Normal {
        let used = self.groups.iter().flatten().map(|&(which, _)| self.block_rows(which));
        let capacity = used.max().unwrap_or(0).max(SLAB_ROWS);
        let mut plan: Vec<Vec<(usize, Range<usize>)>> = vec![];
        let mut room = 0;
        for (which, blocks) in self.groups.iter().flatten() {
            for block in blocks.clone() {
                let rows = self.block_rows(*which);
                if rows > room {
                    plan.push(vec![]);
                    room = capacity;
                }
                room -= rows;
                let slab = plan.last_mut().expect("one has just been made");
                match slab.last_mut() {
                    Some((last, range)) if last == which && range.end == block => range.end = block + 1,
                    _ => slab.push((*which, block..block + 1)),
                }
            }
        }
        let columns = self.net.parameters() + 1;
        let panel = self.products.panel();
        let sums = |slab: &Vec<(usize, Range<usize>)>| {
            vec![Sums::default(); slab.iter().map(|(_, blocks)| blocks.len()).sum()]
        };
        Normal {
            slabs: (0..SLABS.min(plan.len())).map(|_| Slab::new(capacity, columns, panel)).collect(),
            gram: Gram::new(columns),
            sums: plan.iter().map(sums).collect(),
            plan,
        }
    }

    /// Computes the rows of some blocks, and the sums of each.
    fn fill(
        &self,
        thread: usize,
        weights: &[f64],
        plan: &[(usize, Range<usize>)],
        slab: &mut Slab,
        sums: &mut [Sums],
    ) {
        let mut sums = sums.iter_mut();
        slab.rows = 0;
        for (which, blocks) in plan {
            for block in blocks.clone() {
                let sums = sums.next().expect("sums for every block");
                *sums = self.visit_rows(thread, weights[*which], *which, block, |row, r| slab.push(row, r));
            }
        }
    }

    /// Hands out the rows of a block with their residuals, if it has weight; the sums of its residuals.
    fn visit_rows(
        &self,
        thread: usize,
        weight: f64,
        which: usize,
        block: usize,
        mut take: impl FnMut(&[R], f64),
    ) -> Sums {
        let mut space = lock(&self.spaces[thread]);
        let term = &self.terms[which];
        self.kernels.forward(&self.net, term, which, block, &mut space);
        let sums = space.sums(term, block);
        if weight == 0.0 {
            return sums;
        }
        for root in 0..term.tape.roots().len() {
            space.clear_adjoints(term);
            space.add_adjoints(term, root, term.row_scales(weight, block));
            self.kernels.jacobian(&self.net, term, block, &mut space);
            let residuals = space.root(term, root).iter().zip(term.row_scales(weight, block));
            for (row, (residual, scale)) in space.jacobian_rows(&self.net).zip(residuals) {
                take(row, scale * residual.to_f64());
            }
        }
        sums
    }

    /// Adds up the sums of all blocks, which are in the order of the groups, as every other evaluation does, so that losses can
    /// be compared to the last bit.
    fn total_of_blocks(&self, sums: impl Iterator<Item = Sums>, weights: &[f64], terms: &mut [f64]) -> f64 {
        let mut blocks = sums;
        let mut sums = vec![Sums::default(); self.terms.len()];
        for group in &self.groups {
            let mut of_group = vec![Sums::default(); sums.len()];
            for (which, range) in group {
                blocks.by_ref().take(range.len()).for_each(|block| of_group[*which] += block);
            }
            sums.iter_mut().zip(of_group).for_each(|(to, of_group)| *to += of_group);
        }
        self.total(&sums, weights, terms)
    }

    /// Room for the rows of the Jacobian in every thread's workspace.
    fn reserve_rows(&self) {
        for space in &self.spaces {
            let mut space = lock(space);
            self.terms.iter().for_each(|term| space.reserve_rows(&self.net, term));
        }
    }

    /// J·S for one condition at its points, and its residuals: for every site (and, within it, every residual) a row of
    /// `columns` numbers.
    ///
    /// S is as sparse as can be: parameter p goes to the column `buckets[p].0`, times `buckets[p].1`.
    /// Neither λ nor the number of points enters.
    ///
    /// # Panics
    /// If there is not a bucket for every parameter, or one is beyond the columns.
    pub fn jacobian_in_buckets(
        &mut self,
        theta: &[f64],
        condition: usize,
        buckets: &[(usize, f64)],
        columns: usize,
    ) -> (Vec<f64>, Vec<f64>) {
        assert_eq!(buckets.len(), self.net.parameters(), "a bucket for every parameter");
        self.pack(theta);
        let term = &self.terms[condition];
        let (roots, sites) = (term.tape.roots().len(), term.block_sites());
        for space in &self.spaces {
            let mut space = lock(space);
            space.reserve(&self.net, term);
            space.reserve_rows(&self.net, term);
        }
        let mut rows = vec![0.0; term.sites * roots * columns];
        let mut residuals = vec![0.0; term.sites * roots];
        let blocks = rows.chunks_mut(sites * roots * columns).zip(residuals.chunks_mut(sites * roots));
        self.team.share(blocks.enumerate(), |thread, (block, (rows, residuals))| {
            let mut space = lock(&self.spaces[thread]);
            self.kernels.forward(&self.net, term, condition, block, &mut space);
            for root in 0..roots {
                for (site, x) in space.root(term, root)[..term.filled(block)].iter().enumerate() {
                    residuals[site * roots + root] = x.to_f64();
                }
                space.clear_adjoints(term);
                space.add_adjoints(term, root, std::iter::repeat_n(1.0, term.filled(block)));
                self.kernels.jacobian(&self.net, term, block, &mut space);
                for (site, row) in space.jacobian_rows(&self.net).take(term.filled(block)).enumerate() {
                    let to = &mut rows[(site * roots + root) * columns..][..columns];
                    for (x, &(bucket, factor)) in row.iter().zip(buckets) {
                        to[bucket] += factor * x.to_f64();
                    }
                }
            }
        });
        (rows, residuals)
    }

    /// J·v on one block, left in the workspace, root by root; its activations stay there, too.
    fn along(&self, tangent: &Packed<R>, weight: f64, which: usize, block: usize, space: &mut Workspace<R>) {
        let term = &self.terms[which];
        let filled = term.filled(block);
        self.kernels.forward(&self.net, term, which, block, space);
        self.kernels.push(&self.net, tangent, term, block, space);
        let mut along = std::mem::take(&mut space.along);
        for (root, along) in along.chunks_mut(term.block_sites()).take(term.tape.roots().len()).enumerate() {
            space.clear_adjoints(term);
            space.add_adjoints(term, root, term.row_scales(weight, block));
            self.kernels.derivative(&self.net, tangent, term, space, &mut along[..filled]);
        }
        space.along = along;
    }

    /// Lays θ and a direction out for the kernels.
    fn prepare(&mut self, theta: &[f64], direction: &[f64]) -> Packed<R> {
        let tangent = self.tangent.take();
        let mut tangent = tangent.unwrap_or_else(|| Packed::new(&self.schedule, self.net.coefficients()));
        self.regroup_if_needed();
        self.pack(theta);
        pack(&self.team, &*self.kernels, direction, &mut tangent);
        for space in &self.spaces {
            let mut space = lock(space);
            for term in &self.terms {
                space.reserve_pushed(&self.net, term);
            }
        }
        tangent
    }
}

impl<R: Real> Jacobian for CpuEngine<R> {
    fn residual_count(&self) -> usize {
        self.terms.iter().map(|term| term.sites * term.tape.roots().len()).sum()
    }

    fn residual_rows(
        &mut self,
        theta: &[f64],
        weights: &[f64],
        terms: &mut [f64],
        take: &mut dyn FnMut(&[f64]),
    ) -> f64 {
        self.regroup_if_needed();
        self.pack(theta);
        self.reserve_rows();
        let width = self.net.parameters() + 1;
        let blocks: Vec<(usize, usize)> = self
            .groups
            .iter()
            .flatten()
            .flat_map(|(which, blocks)| blocks.clone().map(|block| (*which, block)))
            .collect();
        let rows = |&(which, block): &(usize, usize)| {
            let term = &self.terms[which];
            if weights[which] == 0.0 { 0 } else { term.filled(block) * term.tape.roots().len() }
        };
        let mut sums = vec![Sums::default(); blocks.len()];
        let mut buffer = std::mem::take(&mut self.rows);
        let (mut left, mut to) = (&blocks[..], &mut sums[..]);
        while !left.is_empty() {
            // As many blocks as have rows enough.
            let mut count = 0;
            let mut numbers = 0;
            while count < left.len() && numbers < ROWS * width {
                numbers += rows(&left[count]) * width;
                count += 1;
            }
            let (now, later) = left.split_at(count);
            let (sums, others) = to.split_at_mut(count);
            (left, to) = (later, others);
            if buffer.len() < numbers {
                buffer.resize(numbers, 0.0);
            }
            let mut rest = &mut buffer[..numbers];
            let parts = now.iter().map(|block| {
                let (own, others) = std::mem::take(&mut rest).split_at_mut(rows(block) * width);
                rest = others;
                own
            });
            let work: Vec<_> = now.iter().zip(parts).zip(sums).collect();
            self.team.share(work.into_iter(), |thread, ((&(which, block), own), sums)| {
                let mut own = own.chunks_exact_mut(width);
                *sums = self.visit_rows(thread, weights[which], which, block, |row, residual| {
                    let to = own.next().expect("room for every row");
                    to.iter_mut().zip(row).for_each(|(to, x)| *to = x.to_f64());
                    to[width - 1] = residual;
                });
            });
            take(&buffer[..numbers]);
        }
        self.rows = buffer;
        self.total_of_blocks(sums.into_iter(), weights, terms)
    }

    fn normal_equations(
        &mut self,
        theta: &[f64],
        weights: &[f64],
        terms: &mut [f64],
        matrix: &mut [f64],
        vector: &mut [f64],
    ) -> f64 {
        self.regroup_if_needed();
        self.pack(theta);
        let mut normal = self.normal.take().unwrap_or_else(|| {
            self.reserve_rows();
            self.plan_normal()
        });
        let Normal { slabs, gram, plan, sums } = &mut normal;
        gram.clear();
        for (plan, sums) in plan.chunks(SLABS).zip(sums.chunks_mut(SLABS)) {
            let slabs = &mut slabs[..plan.len()];
            let work = slabs.iter_mut().zip(plan).zip(sums);
            self.team
                .share(work, |thread, ((slab, plan), sums)| self.fill(thread, weights, plan, slab, sums));
            gram.add(&self.team, &*self.products, slabs);
        }
        gram.gather(self.team.ranks());
        gram.write_symmetric(vector.len(), matrix);
        gram.write_last_row(vector);
        let loss = self.total_of_blocks(sums.iter().flatten().copied(), weights, terms);
        self.normal = Some(normal);
        loss
    }

    fn jacobian_product(&mut self, theta: &[f64], weights: &[f64], direction: &[f64], product: &mut [f64]) {
        let tangent = self.prepare(theta, direction);
        let mut rest = product;
        for (which, term) in self.terms.iter().enumerate() {
            let (roots, sites) = (term.tape.roots().len(), term.block_sites());
            let (here, others) = rest.split_at_mut(term.sites * roots);
            rest = others;
            if weights[which] == 0.0 {
                here.fill(0.0);
                continue;
            }
            let (length, own) = ((sites * roots).max(1), self.team.ranks().share(term.blocks()));
            let own_numbers = &mut here[(own.start * length)..(own.end * length).min(term.sites * roots)];
            let blocks = own.zip(own_numbers.chunks_mut(length));
            self.team.share(blocks, |thread, (block, to)| {
                let mut space = lock(&self.spaces[thread]);
                self.along(&tangent, weights[which], which, block, &mut space);
                for (site, to) in to.chunks_exact_mut(roots).enumerate() {
                    for (root, to) in to.iter_mut().enumerate() {
                        *to = space.along[root * sites + site];
                    }
                }
            });
            self.team.ranks().gather(here, length);
        }
        self.tangent = Some(tangent);
    }

    fn gauss_newton_product(
        &mut self,
        theta: &[f64],
        weights: &[f64],
        direction: &[f64],
        product: &mut [f64],
    ) {
        let tangent = self.prepare(theta, direction);
        let mut partials = std::mem::take(&mut self.partials);
        let own = &self.groups[self.own_groups()];
        self.team.share(partials.iter_mut().zip(own), |thread, (partial, group)| {
            let mut space = lock(&self.spaces[thread]);
            partial.reset();
            for (which, blocks) in group.iter().filter(|(which, _)| weights[*which] != 0.0) {
                let (term, weight) = (&self.terms[*which], weights[*which]);
                for block in blocks.clone() {
                    self.along(&tangent, weight, *which, block, &mut space);
                    space.clear_adjoints(term);
                    let along = std::mem::take(&mut space.along);
                    let filled = term.filled(block);
                    for root in 0..term.tape.roots().len() {
                        let here = &along[root * term.block_sites()..][..filled];
                        let scaled =
                            here.iter().zip(term.row_scales(weight, block)).map(|(x, scale)| scale * x);
                        space.add_adjoints(term, root, scaled);
                    }
                    space.along = along;
                    self.kernels.backward(&self.net, term, block, &mut space, partial);
                }
            }
        });
        let mut sums = std::mem::take(&mut self.sums);
        self.add_up(&partials, Some(product), &mut sums);
        self.sums = sums;
        self.partials = partials;
        self.tangent = Some(tangent);
    }
}
