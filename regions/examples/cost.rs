//! What sampling costs: 10⁶ points inside a region of ten shapes, and its walls. Prints seconds on one core.

use std::sync::Arc;
use std::time::Instant;

use rand::{RngExt, SeedableRng};
use regions::{Keep, Region, Select, Shape, Shapes};

fn main() -> Result<(), regions::Error> {
    let mut shapes = Shapes::default();
    shapes.insert("plate", Shape::build("rectangle", &[("from", &[0.0, 0.0]), ("to", &[3.0, 1.0])])?);
    let mut formula = "plate".to_owned();
    for k in 0..9 {
        let center = [0.3 + 0.3 * f64::from(k), 0.5];
        let hole = match k % 3 {
            0 => Shape::build("disk", &[("center", &center), ("radius", &[0.1])])?,
            1 => Shape::build("ellipse", &[("center", &center), ("radii", &[0.1, 0.2]), ("angle", &[0.5])])?,
            _ => {
                let [x, y] = center;
                let points = [x - 0.1, y - 0.1, x + 0.1, y - 0.1, x, y, x + 0.1, y + 0.1, x - 0.1, y + 0.1];
                Shape::build("polygon", &[("points", &points)])?
            }
        };
        shapes.insert(&format!("hole{k}"), hole);
        formula += &format!(" - hole{k}");
    }
    let region = Region::parse(&formula, &Arc::new(shapes))?;
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    let clock = Instant::now();
    let inside =
        region.interior(1_000_000, Keep::First, |n| (0..2 * n).map(|_| random.random()).collect())?;
    println!(
        "{} points inside, {:.0} % of the box: {:.3} s",
        inside.points.len() / 2,
        100.0 * inside.acceptance,
        clock.elapsed().as_secs_f64()
    );
    let clock = Instant::now();
    let wall = region.wall(&Select::default())?;
    println!("the wall, {} pieces: {:.6} s", wall.pieces().len(), clock.elapsed().as_secs_f64());
    let clock = Instant::now();
    let spots = wall.sample(100_000, &mut random);
    println!("{} points on it: {:.3} s", spots.len(), clock.elapsed().as_secs_f64());
    println!("area {:?}", region.measure()?);
    let mut shapes = Shapes::default();
    shapes.insert("ball", Shape::build("ball", &[("center", &[0.0; 3]), ("radius", &[1.0])])?);
    let bore = [("from", &[0.1, 0.0, -2.0][..]), ("to", &[0.0, 0.3, 2.0]), ("radius", &[0.5])];
    shapes.insert("bore", Shape::build("cylinder", &bore)?);
    let bead = Region::parse("ball - bore", &Arc::new(shapes))?;
    let clock = Instant::now();
    let wall = bead.wall(&Select::default())?;
    println!("the wall of a bored ball, {:?}: {:.3} s", wall.measure(), clock.elapsed().as_secs_f64());
    let clock = Instant::now();
    let spots = wall.sample(10_000, &mut random);
    println!("{} points on it: {:.3} s", spots.len(), clock.elapsed().as_secs_f64());
    let clock = Instant::now();
    println!("volume {:?}: {:.3} s", bead.measure()?, clock.elapsed().as_secs_f64());
    Ok(())
}
