//! `pinn-solve devices`: where this build can compute on this machine.

use pinn::internals::engine::device::DEVICES;

use super::{Exit, Failure, print};

pub(crate) fn run() -> Result<Exit, Failure> {
    let width = DEVICES.iter().map(|device| device.name.len()).max().unwrap_or(0);
    let lines = DEVICES.iter().map(|device| {
        let state = match (device.is_built(), device.count()) {
            (false, _) => format!("not in this build: {}", device.how()),
            (true, 0) => "none on this machine".into(),
            (true, count) => {
                let details: Vec<_> = (0..count).map(|index| device.detail(index)).collect();
                let many = if count > 1 { format!("{count} ") } else { String::new() };
                format!("{many}ready ({})", details.join("; "))
            }
        };
        format!("{:width$}  {state} - {}\n", device.name, device.about)
    });
    print(&lines.collect::<String>())?;
    Ok(Exit::Done)
}
