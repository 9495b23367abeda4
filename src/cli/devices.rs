//! `pinn-solve devices`: where this build can compute on this machine.

use pinn::internals::engine::cpu::Isa;
use pinn::internals::engine::device::DEVICES;

use super::{Exit, Failure, print};

pub(crate) fn run() -> Result<Exit, Failure> {
    let width = DEVICES.iter().map(|device| device.name.len()).max().unwrap_or(0);
    let lines = DEVICES.iter().map(|device| {
        let state = match (device.is_built(), device.count()) {
            (false, _) => format!("not in this build: {}", device.how()),
            (true, 0) => "none on this machine".into(),
            (true, 1) if device.name == "cpu" => format!("ready ({})", Isa::best().name()),
            (true, 1) => "ready".into(),
            (true, count) => format!("{count} ready"),
        };
        format!("{:width$}  {state} - {}\n", device.name, device.about)
    });
    print(&lines.collect::<String>())?;
    Ok(Exit::Done)
}
