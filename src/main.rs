//! The command `pinn-solve`.
fn main() {}
