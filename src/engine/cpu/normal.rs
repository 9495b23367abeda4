//! The least-squares side of the fused engine: normal equations, and Jacobian products without the Jacobian.
//!
//! The loss is rᵀr with r = √(λ·w/points)·residual, row by row, w the point's weight.
//! The Jacobian's rows come from one reverse sweep a residual, block by block (`rows.rs`), and are handed out some at a time, or
//! added to JᵀJ slab by slab (`gram.rs`), so the whole J never exists here; r goes along as one more column, whose products
//! are Jᵀr.
//! Which blocks are computed together is planned once for both, when points have changed.
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
/// Slabs that are filled before they are added or handed out: enough work for every thread between two waits.
const SLABS: usize = 8;

/// Which blocks' rows are computed together.
pub(super) struct RowPlan {
    /// Rows that a slab has room for.
    capacity: usize,
    /// Blocks of every slab, in the order of the groups.
    slabs: Vec<Vec<(usize, Range<usize>)>>,
    /// Sums of every block, in the order of the slabs, and those of all conditions.
    sums: Vec<Vec<Sums>>,
    totals: Vec<Sums>,
}

/// Buffers of the normal equations.
pub(super) struct Normal {
    slabs: Vec<Slab>,
    gram: Gram,
}

impl<R: Real> CpuEngine<R> {
    fn block_rows(&self, which: usize) -> usize {
        self.terms[which].block_sites() * self.terms[which].tape.roots().len()
    }

    /// Rows of some blocks that have any in a Jacobian with these weights.
    fn count_rows(&self, weights: &[f64], blocks: &[(usize, Range<usize>)]) -> usize {
        let of_blocks = |(which, blocks): &(usize, Range<usize>)| {
            let term = &self.terms[*which];
            blocks.clone().map(|block| term.filled(block)).sum::<usize>() * term.tape.roots().len()
        };
        blocks.iter().filter(|(which, _)| weights[*which] != 0.0).map(of_blocks).sum()
    }

    /// Shares the blocks out to slabs, one after the other as they fit, and makes room in the workspaces.
    fn plan_rows(&self) -> RowPlan {
        let used = self.groups.iter().flatten().map(|&(which, _)| self.block_rows(which));
        let capacity = used.max().unwrap_or(0).max(SLAB_ROWS);
        let mut slabs: Vec<Vec<(usize, Range<usize>)>> = vec![];
        let mut room = 0;
        for (which, blocks) in self.groups.iter().flatten() {
            for block in blocks.clone() {
                let rows = self.block_rows(*which);
                if rows > room {
                    slabs.push(vec![]);
                    room = capacity;
                }
                room -= rows;
                let slab = slabs.last_mut().expect("one has just been made");
                match slab.last_mut() {
                    Some((last, range)) if last == which && range.end == block => range.end = block + 1,
                    _ => slab.push((*which, block..block + 1)),
                }
            }
        }
        for space in &self.spaces {
            let mut space = lock(space);
            self.terms.iter().for_each(|term| space.reserve_rows(&self.net, term));
        }
        let sums = |slab: &Vec<(usize, Range<usize>)>| {
            vec![Sums::default(); slab.iter().map(|(_, blocks)| blocks.len()).sum()]
        };
        let totals = vec![Sums::default(); self.terms.len()];
        RowPlan { capacity, sums: slabs.iter().map(sums).collect(), slabs, totals }
    }

    /// Buffers for the normal equations, slab by slab.
    fn room_for_normal(&self, plan: &RowPlan) -> Normal {
        let columns = self.net.parameters() + 1;
        let slab = || Slab::new(plan.capacity, columns, self.products.panel());
        Normal {
            slabs: std::iter::repeat_with(slab).take(SLABS.min(plan.slabs.len())).collect(),
            gram: Gram::new(columns),
        }
    }

    /// Hands out the rows of some blocks with their residuals, and notes the sums of each.
    fn visit_slab(
        &self,
        thread: usize,
        weights: &[f64],
        slab: &[(usize, Range<usize>)],
        sums: &mut [Sums],
        mut take: impl FnMut(&[R], f64),
    ) {
        let blocks = slab.iter().flat_map(|(which, blocks)| blocks.clone().map(|block| (*which, block)));
        for ((which, block), sums) in blocks.zip(sums) {
            *sums = self.visit_rows(thread, weights[which], which, block, &mut take);
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
    fn total_of_blocks(&self, plan: &mut RowPlan, weights: &[f64], terms: &mut [f64]) -> f64 {
        let RowPlan { sums, totals, .. } = plan;
        totals.fill(Sums::default());
        let mut blocks = sums.iter().flatten();
        for (which, range) in self.groups.iter().flatten() {
            // A group has the blocks of a condition in one piece.
            let mut of_group = Sums::default();
            blocks.by_ref().take(range.len()).for_each(|block| of_group += *block);
            totals[*which] += of_group;
        }
        self.total(totals, weights, terms)
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
        let mut plan = self.row_plan.take().unwrap_or_else(|| self.plan_rows());
        let mut buffer = std::mem::take(&mut self.rows);
        let width = self.net.parameters() + 1;
        let numbers = |slab: &Vec<_>| self.count_rows(weights, slab) * width;
        for (slabs, sums) in plan.slabs.chunks(SLABS).zip(plan.sums.chunks_mut(SLABS)) {
            let together = slabs.iter().map(numbers).sum();
            if buffer.len() < together {
                buffer.resize(together, 0.0);
            }
            let mut rest = &mut buffer[..together];
            let work = slabs.iter().zip(sums).map(|(slab, sums)| {
                let (own, others) = std::mem::take(&mut rest).split_at_mut(numbers(slab));
                rest = others;
                (slab, own, sums)
            });
            self.team.share(work, |thread, (slab, own, sums)| {
                let mut own = own.chunks_exact_mut(width);
                self.visit_slab(thread, weights, slab, sums, |row, residual| {
                    let to = own.next().expect("room for every row");
                    to.iter_mut().zip(row).for_each(|(to, x)| *to = x.to_f64());
                    to[width - 1] = residual;
                });
            });
            take(&buffer[..together]);
        }
        self.rows = buffer;
        let loss = self.total_of_blocks(&mut plan, weights, terms);
        self.row_plan = Some(plan);
        loss
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
        let mut plan = self.row_plan.take().unwrap_or_else(|| self.plan_rows());
        let mut normal = self.normal.take().unwrap_or_else(|| self.room_for_normal(&plan));
        let Normal { slabs, gram } = &mut normal;
        gram.clear();
        for (plan, sums) in plan.slabs.chunks(SLABS).zip(plan.sums.chunks_mut(SLABS)) {
            let slabs = &mut slabs[..plan.len()];
            let work = slabs.iter_mut().zip(plan).zip(sums);
            self.team.share(work, |thread, ((slab, plan), sums)| {
                slab.rows = 0;
                self.visit_slab(thread, weights, plan, sums, |row, residual| slab.push(row, residual));
            });
            gram.add(&self.team, &*self.products, slabs);
        }
        gram.gather(self.team.ranks());
        gram.write_symmetric(vector.len(), matrix);
        gram.write_last_row(vector);
        let loss = self.total_of_blocks(&mut plan, weights, terms);
        (self.row_plan, self.normal) = (Some(plan), Some(normal));
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
