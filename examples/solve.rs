//! A problem is solved and asked: `cargo run --release -p pinn-solve --example solve`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let problem = pinn::Problem::read("heat")?;
    let mut trained = pinn::solve(&problem)?;
    let points = [0.25, 0.1, 0.5, 0.1, 0.75, 0.1];
    let u = trained.predict(&points)?;
    let u_xx = trained.evaluate(&trained.quantity("u_xx")?, &points, &[])?;
    for ((point, u), u_xx) in points.chunks(2).zip(u).zip(u_xx) {
        println!("x = {}, t = {}: u = {u:.8}, u_xx = {u_xx:.6}", point[0], point[1]);
    }
    let score = trained.evaluation().scores[0].expect("heat has an exact solution");
    println!("relative L2 error {:.1e}, greatest error {:.1e}", score.error(), score.max_error);
    Ok(())
}
