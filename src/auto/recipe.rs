//! How the network is made and trained where the file does not say: its size, its initialization, its points, the stages.
//!
//! It knows the problem's equations and what an evaluation of them costs; it does not know how any of this is carried out.
//! What each default was measured against is in docs/results/autopilot.md.

use super::layers::layers;
use super::units::smallest_width;
use super::windows::longest_window;
use super::{Decision, edges, frequency, thinness};
use crate::expr::Digits;
use crate::problem::{Body, Condition, Document, Hole, Problem, key};
use crate::settings::{Architecture, Effort, Init};

/// Hidden layers, and neurons in each, where the file states neither.
const DEPTH: usize = 3;
const WIDTH: usize = 24;
/// Layers below which the rule for any depth is the better start, whatever the width.
const DEEP: usize = 10;

/// The same of the network of a window of a single coordinate, in which little happens, and points in it.
const WINDOW_DEPTH: usize = 2;
const WINDOW_WIDTH: usize = 16;
const WINDOW_POINTS: usize = 200;

/// The same of a network of a single coordinate in a problem of several.
const LINE_DEPTH: usize = 2;
const LINE_WIDTH: usize = 12;

/// The size of the networks and their initialization, where they are not stated.
pub(super) fn network(document: &Document, plain: &Problem, problem: &Problem) -> Vec<Decision> {
    let mut decisions = vec![];
    let mut depth = problem.network.depth;
    let windows = problem.training.windows.count() > 1 && problem.coordinates.len() == 1;
    let size = if windows { [WINDOW_DEPTH, WINDOW_WIDTH] } else { [DEPTH, WIDTH] };
    for (key, value, set) in [("depth", size[0], Some(&mut depth)), ("width", size[1], None)] {
        if !document.states(&["network", key]) && !document.states(&["network", "widths"]) {
            decisions.push(Decision::new(
                format!("network.{key}"),
                value,
                "small networks take more steps in the same time",
            ));
            if let Some(set) = set {
                *set = value;
            }
        }
    }
    for group in &problem.networks {
        let stated = |key: &str| {
            document.states(&["networks", &group.name, key]) || document.states(&["network", key])
        };
        let alone = problem.unknowns[group.unknowns[0]].coordinates(problem.coordinates.len()).len() == 1;
        if !alone || ["depth", "width", "widths"].into_iter().any(stated) {
            continue;
        }
        for (name, value) in [("depth", LINE_DEPTH), ("width", LINE_WIDTH)] {
            let key = format!("networks.{}.{name}", key(&group.name));
            decisions.push(Decision::new(key, value, "functions of one coordinate need a small network"));
        }
    }
    for condition in problem.conditions.iter().filter(|c| windows && c.place.is_interior()) {
        if !document.states(&["conditions", &condition.name, "points"]) {
            let name = format!("conditions.{}.points", key(&condition.name));
            decisions.push(Decision::new(name, WINDOW_POINTS, "in every window, of one coordinate"));
        }
    }
    let waves = frequency::frequencies(plain);
    let open = !document.states(&["network", "features"]);
    if open {
        decisions.extend(features(plain, problem, &waves));
    }
    let mut init = problem.network.init;
    if !document.states(&["network", "init"]) {
        let (rule, why) = if problem.activation.outside().is_some() {
            (Init::Xavier, "the others are made for odd-sigmoid functions")
        } else if problem.network.architecture != Architecture::Plain {
            (Init::Xavier, "the others are made for plain chains of layers")
        } else if depth >= DEEP {
            (Init::Proposed, "keeps derivatives alive through many layers")
        } else if plain.coordinates.len() == 1 {
            (Init::Xavier, "ahead of the others in shallow networks of one coordinate")
        } else {
            (
                Init::ContinuousDepth,
                "derivatives of order one, and a scale that can be fitted to the solution",
            )
        };
        decisions.push(Decision::new("network.init", format!("\"{}\"", rule.name()), why));
        init = rule;
    }
    if !document.states(&["network", "scale"]) && depth < DEEP {
        // What oscillates along a coordinate has features of its own.
        let width = smallest_width(plain, |c| !(open && waves[c] >= FAST));
        let why = "in proportion to the smallest width of what is known, on a domain mapped to [-1, 1]";
        decisions.extend(
            scale(init, width).map(|scale| Decision::new("network.scale", Digits::rounded(scale, 2), why)),
        );
    }
    decisions
}

/// The scale a of a·f that an initialization wants in a shallow network whose solution's smallest width is `width`; `None` of a
/// rule that does not know the activation's slope.
///
/// Fitted to fronts, peaks and waves of widths from 0.03 to 0.5 (docs/results/depth.md).
fn scale(init: Init, width: f64) -> Option<f64> {
    match init {
        Init::ContinuousDepth => Some(width.max(0.1)),
        Init::Proposed => Some((4.0 * width).clamp(0.5, 2.0)),
        _ => None,
    }
}

/// What the network sees besides the coordinates: sine and cosine of a coordinate along which the answer is likely to go
/// through more than a period or two, what goes through a thin domain, potentials around holes, what is not smooth at corners
/// and edges.
///
/// Waves need not hit the frequency: a wave of 0.7 times the right one brought 0.0007 % where plain inputs had 0.002 %,
/// at five periods, and 0.02 % against 0.3 %, at ten.
fn features(plain: &Problem, problem: &Problem, waves: &[f64]) -> Option<Decision> {
    let given = problem.main_features();
    let mut features = given.clone();
    let window = longest_window(problem);
    let across = across(problem);
    for (i, (coordinate, &wave)) in problem.coordinates.iter().zip(waves).enumerate() {
        // A network sees no more than its window.
        let part = window.filter(|(cut, _)| *cut == i).map_or(1.0, |(_, part)| part);
        // Through a sheet that it knows its way across it has no waves to go along.
        let part = if across.is_some() { part * thinness(problem, i) } else { part };
        // A coordinate along which the answer is periodic has waves of its own.
        let mapped = coordinate.centred();
        if wave * part < FAST || !given.contains(&mapped) {
            continue;
        }
        // Two digits say what there is to say.
        let wave = Digits::rounded(wave, 2).min(FASTEST / part);
        features.extend(["sin", "cos"].map(|f| format!("{f}({}*({mapped}))", Digits(wave))));
    }
    let mut why = vec![];
    if features.len() > given.len() {
        why.push("the equations or their data oscillate this fast; the network need not learn to");
    }
    let steep = steep(plain);
    if !steep.is_empty() {
        features.extend(steep);
        why.push("in layers at ends of the domain the solution changes as fast as this");
    }
    let around = if across.is_some() { vec![] } else { around_holes(problem) };
    if !around.is_empty() {
        why.push(
            "what changes around a hole does so by the logarithm of the distance, in space by its inverse",
        );
    }
    let at_edges = match seen_as_it_is(problem) {
        // Whoever writes an ansatz may have such functions in it, with a parameter to be found.
        _ if plain.unknowns.iter().any(|unknown| unknown.ansatz.is_some()) => vec![],
        Some((domain, axes)) if across.is_none() => edges::at_edges(plain, problem, domain, &axes),
        None if problem.geometry.is_none() => edges::of_box(plain, problem),
        _ => vec![],
    };
    if !at_edges.is_empty() {
        why.push("what is given at corners or edges asks for derivatives there that have no bound");
    }
    if across.is_some() {
        why = vec!["the domain is thin: the last tells one side from the other"];
    }
    if why.is_empty() {
        return None;
    }
    features.extend(across.into_iter().chain(around).chain(at_edges));
    let list: Vec<_> = features.iter().map(|feature| format!("{feature:?}")).collect();
    Some(Decision::new("network.features", format!("[{}]", list.join(", ")), why.join("; ")))
}

/// For every boundary layer, 1 at the end where it lies and −1 away from it.
fn steep(plain: &Problem) -> Vec<String> {
    let mut formulas: Vec<String> = vec![];
    for layer in layers(plain) {
        let formula = format!("2*{} - 1", layer.formula(plain));
        if !formulas.contains(&formula) {
            formulas.push(formula);
        }
    }
    formulas
}

/// Holes that have features of their own, the largest ones.
const HOLES: usize = 16;

/// For every hole of the domain the potential of a charge in its middle, from −1 to 1.
///
/// A harmonic function around holes is one that goes through them and multiples of these (Axler 1986); other equations have
/// something like it close to small holes, where all that they have to say is in their highest derivatives.
/// With them the drag of a cylinder in a channel was off by 0.05 % instead of 0.5 %, the error around four circles went from
/// 5.9e-4 to 8.6e-5, and that of a hollow sphere from 4.6e-6 to 3.6e-8.
fn around_holes(problem: &Problem) -> Vec<String> {
    let Some((domain, axes)) = seen_as_it_is(problem) else { return vec![] };
    let mut holes = domain.holes();
    holes.sort_by(|a, b| b.radius.total_cmp(&a.radius));
    holes.truncate(HOLES);
    let potential = |hole: &Hole| {
        let along = |(&i, &x): (&usize, &f64)| {
            let coordinate = &problem.coordinates[i];
            let reach = (x - coordinate.lower).abs().max((coordinate.upper - x).abs());
            (format!("{}^2", coordinate.beyond(Digits::four(x))), reach * reach)
        };
        let (squares, far): (Vec<String>, Vec<f64>) = axes.iter().zip(&hole.center).map(along).unzip();
        let squares = squares.join(" + ");
        let far = far.into_iter().sum::<f64>().sqrt();
        // From the wall of the hole to the farthest corner.
        let (near, far, plane) = match axes.len() {
            2 => (2.0 * hole.radius.ln(), 2.0 * far.ln(), true),
            _ => (hole.radius.recip(), far.recip(), false),
        };
        let slope = Digits::four(2.0 / (far - near));
        let shift = Digits::four(-slope * 0.5 * (near + far));
        let sign = if shift < 0.0 { "-" } else { "+" };
        let (slope, shift) = (Digits(slope), Digits(shift.abs()));
        if plane {
            format!("{slope}*ln({squares}) {sign} {shift}")
        } else {
            format!("{slope}/sqrt({squares}) {sign} {shift}")
        }
    };
    holes.iter().map(potential).collect()
}

/// What tells one side of a thin domain from the other.
fn across(problem: &Problem) -> Option<String> {
    let (domain, axes) = seen_as_it_is(problem)?;
    if axes.iter().all(|&i| thinness(problem, i) == 1.0) {
        return None;
    }
    let names: Vec<&str> = axes.iter().map(|&i| &problem.coordinates[i].name[..]).collect();
    domain.across(&names)
}

/// The domain that is made of shapes and its coordinates, if the network sees all of them as they are.
///
/// Waves have taken the place of those that repeat, along which no place is far from another.
fn seen_as_it_is(problem: &Problem) -> Option<(&Body, Vec<usize>)> {
    let domain = &problem.geometry.as_ref()?.domain;
    let axes: Vec<usize> = domain.bounds().map(|(i, _)| i).collect();
    let features = problem.main_features();
    let given = |i: &usize| features.contains(&problem.coordinates[*i].centred());
    axes.iter().all(given).then_some((domain, axes))
}

/// From this angular frequency on, in coordinates mapped to [−1, 1], the network is given waves: a period and a half.
const FAST: f64 = 1.5 * std::f64::consts::PI;
/// The fastest wave it is given; beyond it, points cannot follow.
const FASTEST: f64 = 100.0;

/// The recipe, where no stages are stated: a file that states them has written its own.
pub(super) fn training(document: &Document, problem: &Problem) -> Vec<Decision> {
    if document.states(&["training", "stages"]) {
        return vec![];
    }
    let steps = steps(problem);
    let stages = format!("[{{ adam = {{ steps = {ADAM} }} }}, {{ ssbroyden = {{ steps = {steps} }} }}]");
    let effort = match problem.training.effort {
        Effort::Quick => "quick",
        Effort::Normal => "normal",
        Effort::Thorough => "thorough",
    };
    let why = format!("a short descent, then curvature; as many steps as the effort {effort} allows");
    let mut decisions = vec![Decision::new("training.stages", stages, why)];
    let mut default = |key: &str, value: &str, why: &str| {
        if !document.states(&["training", key]) {
            decisions.push(Decision::new(format!("training.{key}"), value, why));
        }
    };
    let stops = "ends a stage that no longer gains";
    default("patience", &PATIENCE.to_string(), stops);
    // Windows add up their errors, and a parameter may have next to no part in the residuals.
    let matters = problem.coordinates.len() == 1 && problem.training.windows.count() > 1;
    let goal = match problem.training.effort {
        _ if matters || !problem.trainable.is_empty() => -18,
        Effort::Quick => -12,
        Effort::Normal => -14,
        Effort::Thorough => -16,
    };
    // What goes along a thin domain turns as slowly as that is long, and its terms are smaller by the square of the ratio.
    let thinnest = (0..problem.coordinates.len()).map(|c| thinness(problem, c)).fold(1.0, f64::min);
    let goal = format!("1e{}", goal + (4.0 * thinnest.log10()).floor() as i32);
    default("goal", &goal, "residuals so small beside their terms leave little to gain");
    default("resample", "500", "points drawn anew leave nothing between them unseen");
    default(
        "adaptive",
        "{ keep = 0.5 }",
        "half of the points stay, the others go where the residual is large",
    );
    if problem.conditions.iter().filter(|condition| condition.weight > 0.0 && !condition.is_exact()).count()
        > 1
    {
        let measured = problem.conditions.iter().any(Condition::uses_data);
        let (data, noise) = if measured {
            (
                format!(", data = {LEAST_TRUST:e}"),
                "; noise is left to the data, not shared with the equations",
            )
        } else {
            (String::new(), "")
        };
        default(
            "balance",
            &format!("{{ every = 250, measure = \"root\"{data} }}"),
            &format!(
                "several terms of the loss count alike, and one that is small already no more than others{noise}"
            ),
        );
    }
    decisions
}

/// Steps of Adam before the curvature is used.
const ADAM: usize = 300;
/// The least part of their weight that measured data keep: noise of 5 % then bends the answer by less than 1e-6.
const LEAST_TRUST: f64 = 1e-6;
/// Steps in which the loss at fresh points has to halve.
const PATIENCE: usize = 2000;
/// Fewest and most steps with curvature.
const STEPS: (usize, usize) = (500, 40_000);

/// How many steps with curvature the effort allows.
fn steps(problem: &Problem) -> usize {
    let seconds = match problem.training.effort {
        Effort::Quick => 10.0,
        Effort::Normal => 60.0,
        Effort::Thorough => 600.0,
    };
    // Every window goes through all stages.
    let seconds = seconds / problem.training.windows.count() as f64;
    let steps = (seconds / seconds_a_step(problem)) as usize;
    // Round numbers read better, and say that they are no more than an estimate.
    let round = 10_usize.pow(steps.max(1).ilog10().saturating_sub(1));
    (steps / round * round).clamp(STEPS.0, STEPS.1)
}

/// What a step takes on two cores, from operations alone, so that it is the same on every machine.
fn seconds_a_step(problem: &Problem) -> f64 {
    /// Operations a second of the network's products, and entries a second of the inverse Hessian.
    const PRODUCTS: f64 = 3e10;
    const CURVATURE: f64 = 1e9;
    /// Of the smallest networks.
    const LEAST_STEP: f64 = 2e-4;
    let layers = problem.layers();
    let parameters = layers.parameters() as f64;
    let of = |condition: &Condition| {
        let rows = condition.points * condition.points_of_a_site() * condition.jets.channels();
        let jets = condition.residuals.graph.jets(&condition.residuals.roots);
        let read = layers.parts_with(jets.into_iter().map(|(unknown, _)| unknown));
        let weights = layers.dense().filter(|layer| read[layer.part]);
        rows * weights.map(|layer| (layer.inputs + 1) * layer.outputs).sum::<usize>()
    };
    let products: usize = problem.conditions.iter().map(of).sum();
    LEAST_STEP + 6.0 * products as f64 / PRODUCTS + parameters * parameters / CURVATURE
}
