//! `pinn-solve`: a PDE in a TOML file in; a trained network, its measured error and pictures out.

#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run().into()
}
