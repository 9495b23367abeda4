//! What the groups of blocks have come to, added in their order: on one process at once, on several by passing the sums on from
//! rank to rank, each of which has its own groups.

use std::ops::Range;

use super::CpuEngine;
use super::block::{self, Partial, Sums};
use super::schedule::Schedule;
use crate::simd::Real;
use crate::team::Team;

/// Numbers that are passed on in one message, at least: while one is on its way, the next is added up.
const PIECE: usize = 8192;

impl<R: Real> CpuEngine<R> {
    /// The groups that this rank computes; `partials` are as many.
    pub(super) fn own_groups(&self) -> Range<usize> {
        self.team.ranks().share(self.groups.len())
    }

    /// Every term's sums go to `sums`; where it is asked for, the groups' gradient to `gradient`.
    ///
    /// `partials` are those of this rank's groups.
    pub(super) fn add_up(&self, partials: &[Partial<R>], gradient: Option<&mut [f64]>, sums: &mut Vec<Sums>) {
        sums.clear();
        sums.resize(self.terms.len(), Sums::default());
        let add = |sums: &mut [Sums]| {
            for partial in partials {
                sums.iter_mut().zip(&partial.sums).for_each(|(to, of)| *to += *of);
            }
        };
        let ranks = self.team.ranks();
        if !ranks.are_several() {
            add(sums);
            if let Some(gradient) = gradient {
                let (network, coefficients) = gradient.split_at_mut(self.net.weights());
                reduce(&self.team, partials, &self.schedule, network);
                coefficients.fill(0.0);
                block::add_coefficients(partials, coefficients);
            }
            return;
        }
        let schedule = &self.schedule;
        let runs = if gradient.is_some() { runs(schedule) } else { vec![] };
        let length = if gradient.is_some() { self.net.parameters() } else { 0 };
        let mut numbers = vec![0.0; length + 2 * sums.len()];
        let mut cuts = vec![0];
        for run in &runs {
            let numbers: usize = schedule.layers[run.clone()].iter().map(|layer| layer.parameters()).sum();
            cuts.push(cuts[cuts.len() - 1] + numbers);
        }
        cuts.push(numbers.len());
        ranks.pass_on(&mut numbers, &cuts, |k, mut piece| {
            if let Some(run) = runs.get(k) {
                for l in run.clone() {
                    let (part, others) = piece.split_at_mut(schedule.layers[l].parameters());
                    piece = others;
                    block::add_layer(partials, schedule, l, part);
                }
                return;
            }
            if length > 0 {
                let (factors, others) = piece.split_at_mut(self.net.weights() - schedule.numbers_at());
                block::add_factors(partials, schedule, factors);
                let (coefficients, others) = others.split_at_mut(length - self.net.weights());
                block::add_coefficients(partials, coefficients);
                piece = others;
            }
            let mut sums: Vec<Sums> = piece.chunks_exact(2).map(Sums::from_pair).collect();
            add(&mut sums);
            piece.chunks_exact_mut(2).zip(sums).for_each(|(to, sums)| to.copy_from_slice(&sums.pair()));
        });
        if let Some(gradient) = gradient {
            gradient.copy_from_slice(&numbers[..length]);
        }
        sums.clear();
        sums.extend(numbers[length..].chunks_exact(2).map(Sums::from_pair));
    }
}

/// Layers whose gradients are passed on together.
fn runs(schedule: &Schedule) -> Vec<Range<usize>> {
    let mut runs = vec![];
    let (mut begin, mut numbers) = (0, 0);
    for (l, layer) in schedule.layers.iter().enumerate() {
        numbers += layer.parameters();
        if numbers >= PIECE || l + 1 == schedule.layers.len() {
            runs.push(begin..l + 1);
            (begin, numbers) = (l + 1, 0);
        }
    }
    runs
}

/// The groups' gradients but for the coefficients, by all threads.
fn reduce<R: Real>(team: &Team, partials: &[Partial<R>], schedule: &Schedule, gradient: &mut [f64]) {
    let (mut rest, numbers) = gradient.split_at_mut(schedule.numbers_at());
    let parts = schedule.layers.iter().enumerate().map(|(l, layer)| {
        let (part, others) = std::mem::take(&mut rest).split_at_mut(layer.parameters());
        rest = others;
        (l, part)
    });
    team.share(parts, |_, (l, part)| {
        part.fill(0.0);
        block::add_layer(partials, schedule, l, part);
    });
    numbers.fill(0.0);
    block::add_factors(partials, schedule, numbers);
}

#[cfg(test)]
mod tests {
    use crate::engine::cpu::{CpuEngine, Isa};
    use crate::engine::{Differentiable, Engine, Jacobian};
    use crate::init;
    use crate::problem::{Document, Problem};
    use crate::ranks::{Ranks, threads};
    use crate::sample;
    use crate::simd::Real;

    /// Several groups of blocks, a condition with few points, a trainable coefficient and trained scales.
    fn problem(width: usize) -> Problem {
        let text = format!(
            "[coordinates]\nx = [-1, 1]\nt = [0, 1]\n[parameters]\nk = {{ initial = 0.5, true = 1 }}\n\
                    [unknowns]\nu = {{}}\n[network]\ndepth = 3\nwidth = {width}\nscale = {{ trainable = \"layer\", initial = 1 }}\n\
                    [conditions.physics]\nplace = \"interior\"\nresidual = \"u_t - k*u_xx\"\npoints = 2500\n\
                    [conditions.initial]\nplace = \"t = 0\"\nresidual = \"u - sin(pi*x)\"\npoints = 30\n"
        );
        let (problem, _) =
            Document::parse("test", &text).and_then(|file| file.build(".".as_ref())).expect("valid");
        problem
    }

    /// Everything that an engine can be asked, on one of the ranks.
    fn answers<R: Real>(problem: &Problem, ranks: &Ranks) -> Vec<Vec<f64>> {
        let mut engine = CpuEngine::<R>::among(problem, 2, Isa::best(), ranks.clone()).expect("an engine");
        let mut points = vec![];
        for (i, condition) in problem.conditions.iter().enumerate() {
            let drawn = sample::points(problem, condition, 1, 0);
            engine.set_points(i, &drawn.rows, &drawn.data);
            points.push(drawn.rows);
        }
        let theta = problem.with_coefficients(init::parameters(problem).expect("parameters"));
        let theta = &theta[..engine.parameters()];
        let weights = [0.75, 3.0];
        let n = theta.len();
        let numbers = |length: usize| vec![f64::NAN; length];
        let (mut gradient, mut one, mut terms) = (numbers(n), numbers(n), numbers(2));
        let loss = engine.loss_and_gradient(theta, &weights, &mut terms, &mut gradient);
        let mut all = vec![vec![loss, engine.loss(theta, &weights, &mut terms)], terms.clone(), gradient];
        all.push(vec![engine.condition_gradient(theta, 1, &mut one)]);
        all.push(one);
        all.push(engine.predict(theta, &points[0]));
        // So few that each rank computes all.
        all.push(engine.predict(theta, &points[0][..6]));
        all.push(engine.residuals(theta, 0, &points[0], &[]));
        let (mut product, mut square) = (numbers(engine.residual_count()), numbers(n));
        engine.jacobian_product(theta, &weights, theta, &mut product);
        engine.gauss_newton_product(theta, &weights, theta, &mut square);
        all.extend([product, square]);
        if n < 1000 {
            let (mut matrix, mut vector) = (numbers(n * n), numbers(n));
            all.push(vec![engine.normal_equations(theta, &weights, &mut terms, &mut matrix, &mut vector)]);
            let mut rows = vec![];
            let mut take = |some: &[f64]| rows.extend_from_slice(some);
            all.push(vec![engine.residual_rows(theta, &weights, &mut terms, &mut take)]);
            all.extend([matrix, vector, rows]);
        }
        // After they have parted, each computes the same alone.
        ranks.part();
        let mut again = numbers(n);
        all.push(vec![engine.loss_and_gradient(theta, &weights, &mut terms, &mut again)]);
        all.push(again);
        all
    }

    #[test]
    fn bits_do_not_depend_on_the_number_of_ranks() {
        fn check<R: Real>(width: usize) {
            let problem = problem(width);
            let alone = answers::<R>(&problem, &Ranks::alone());
            assert!(alone.iter().flatten().all(|x| x.is_finite()));
            for size in 2..=4 {
                for (rank, found) in
                    threads::run(size, |ranks| answers::<R>(&problem, ranks)).iter().enumerate()
                {
                    for (k, (found, alone)) in found.iter().zip(&alone).enumerate() {
                        assert!(found == alone, "answer {k} of rank {rank} of {size}");
                    }
                }
            }
        }
        check::<f64>(16);
        check::<f32>(16);
        // So wide that sums are passed on in several pieces.
        check::<f64>(100);
    }
}
