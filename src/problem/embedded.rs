//! The problems that come with the program.

/// Every problem that comes with the program: its name and the text of its file.
pub fn embedded() -> &'static [(&'static str, &'static str)] {
    &EMBEDDED
}

/// `("name", text of problems/name.toml)` for each name.
macro_rules! problems {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("../../problems/", $name, ".toml")))),*]
    };
}

/// Every data file that comes with the program: its name, as problem files write it, and its text.
pub(crate) static DATA: [(&str, &str); 2] = [
    ("built-in:burgers-samples.csv", include_str!("../../problems/data/burgers-samples.csv")),
    ("built-in:option-prices.csv", include_str!("../../problems/data/option-prices.csv")),
];

static EMBEDDED: [(&str, &str); 18] = problems! {
    "burgers"
    "burgers-soft"
    "burgers-inverse"
    "black-scholes"
    "black-scholes-soft"
    "black-scholes-inverse"
    "black-scholes-literal"
    "heat"
    "wave"
    "poisson-2d"
    "poisson-2d-soft"
    "poisson-5d"
    "allen-cahn"
    "allen-cahn-soft"
    "kdv"
    "beam"
    "lid-driven-cavity"
    "kovasznay"
};

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::expr::{Graph, Node};
    use crate::problem::{Condition, Document, Formula, Problem, Solution};
    use rand::RngExt;

    fn problem(document: &Document) -> Problem {
        let built = document.build(Path::new("problems"));
        let (problem, warnings) = built.unwrap_or_else(|wrong| panic!("{wrong}"));
        assert!(warnings.is_empty(), "{warnings}");
        problem
    }

    fn document(name: &str, text: &str) -> Document {
        let document = Document::parse(&format!("problems/{name}.toml"), text);
        document.unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    #[test]
    fn every_problem_builds_without_a_warning() {
        for (name, text) in embedded() {
            let document = document(name, text);
            let problem = problem(&document);
            assert_eq!(problem.name, *name);
            let doubts = document.doubts(&problem);
            assert!(doubts.is_empty(), "{doubts}");
        }
    }

    #[test]
    fn every_problem_written_out_is_the_same_problem() {
        for (name, text) in embedded() {
            let original = problem(&document(name, text));
            let written = original.to_toml();
            let again = problem(&document(name, &written));
            assert_eq!(original, again, "{written}");
            assert_eq!(written, again.to_toml());
        }
    }

    /// Puts the reference solution in place of the unknowns: every residual must vanish.
    #[test]
    fn every_exact_solution_solves_its_problem() {
        let mut checked = Vec::new();
        for (name, text) in embedded() {
            let mut document = document(name, text);
            // The unknowns themselves are put in, so an ansatz must not come between.
            for unknown in problem(&document).unknowns {
                document.set(&format!("unknowns.{}", unknown.name), "{ ansatz = \"net\" }").unwrap();
            }
            // Conditions that the ansatz fulfilled are missing now, and that is told.
            let (problem, _) = document.build(Path::new("problems")).unwrap();
            let Some(exact) = exact(&problem) else {
                continue;
            };
            for condition in &problem.conditions {
                // Data are noisy, and a condition may say itself that it is not exact.
                if !condition.place.is_drawn() || condition.name.starts_with("nearly") {
                    continue;
                }
                let worst = worst_residual(&problem, condition, &exact);
                assert!(worst < 1e-10, "{name}: {} leaves {worst:e}", condition.name);
            }
            checked.push(*name);
        }
        let all = [
            "black-scholes",
            "black-scholes-soft",
            "black-scholes-inverse",
            "heat",
            "wave",
            "poisson-2d",
            "poisson-2d-soft",
            "poisson-5d",
            "kdv",
            "beam",
            "kovasznay",
        ];
        assert_eq!(checked, all);
    }

    fn exact(problem: &Problem) -> Option<Vec<Formula>> {
        let solutions = &problem.reference.as_ref()?.solutions;
        let formulas = solutions.iter().map(|solution| match solution {
            Some(Solution::Exact(formula)) => Some(formula.clone()),
            _ => None,
        });
        formulas.collect()
    }

    fn worst_residual(problem: &Problem, condition: &Condition, exact: &[Formula]) -> f64 {
        let mut graph = Graph::default();
        let residuals = &condition.residuals;
        let roots = residuals.graph.transplant(&residuals.roots, &mut graph, |graph, leaf| {
            let (output, index) = match leaf {
                Node::Jet { output, index, .. } => (output, index),
                Node::Coefficient(k) => {
                    let trainable = &problem.trainable[k];
                    return graph.constant(trainable.entry(trainable.truth.unwrap()));
                }
                leaf => return graph.insert(leaf),
            };
            let copies = exact[output].graph.transplant(&exact[output].roots, graph, Graph::insert);
            index.coordinates().fold(copies[0], |node, along| graph.derivative(node, along))
        });
        let formula = Formula { graph, roots };
        let mut random = crate::rng::stream(7, &condition.name);
        let points: Vec<f64> = (0..200)
            .flat_map(|_| {
                let coordinates = problem.coordinates.iter().enumerate();
                coordinates
                    .map(|(i, c)| {
                        let [face] = condition.place.faces() else {
                            return c.lower + (c.upper - c.lower) * random.random::<f64>();
                        };
                        match face.iter().find(|(j, _)| *j == i) {
                            Some((_, value)) => *value,
                            None => c.lower + (c.upper - c.lower) * random.random::<f64>(),
                        }
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
        let values = formula.evaluate(&points, problem.coordinates.len());
        assert!(values.iter().all(|x| x.is_finite()));
        values.iter().fold(0.0, |worst, x| worst.max(x.abs()))
    }

    #[test]
    fn black_scholes_has_its_known_prices() {
        let (name, text) = *embedded().iter().find(|(name, _)| *name == "black-scholes").unwrap();
        let problem = problem(&document(name, text));
        let price = exact(&problem).unwrap().remove(0);
        for (s, t, known) in [
            (0.5, 1.0, 0.052252917861),
            (1.0, 1.0, 0.524388621172),
            (0.6, 0.25, 0.106740944239),
            (0.4, 0.5, 0.002280773953),
            (0.0, 0.5, 0.0),
            (0.7, 0.0, 0.2),
            (0.5, 0.0, 0.0),
        ] {
            let value = price.evaluate(&[s, t], 2)[0];
            assert!((value - known).abs() < 1e-12, "V({s}, {t}) = {value}");
        }
    }
}
