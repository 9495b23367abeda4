//! Devices by name: what `--device` means.
//!
//! A device is a line of [`DEVICES`].

use super::cpu::{CpuEngine, Isa};
use super::{Differentiable, EngineError};
use crate::expr::closest;
use crate::problem::Problem;
use crate::ranks::Ranks;
use crate::settings::Precision;

/// What an engine is made for.
pub struct Request<'a> {
    /// The problem, its network included.
    pub problem: &'a Problem,
    /// Threads of the fused engine; other devices have settings of their own.
    pub threads: usize,
    /// Points that go through a Burn device at once; `None` for the device's own choice.
    pub chunk: Option<usize>,
    /// The processes that compute together, on the fused engine.
    pub ranks: &'a Ranks,
}

/// A kind of device.
pub struct Device {
    /// As written after `--device`.
    pub name: &'static str,
    /// In words.
    pub about: &'static str,
    /// Makes an engine on the device with this index; `None` if this build cannot.
    make: Option<Make>,
    /// How to get it where this build cannot.
    how: &'static str,
    /// How many there are on this machine.
    count: fn() -> usize,
    /// What the device with this index is.
    detail: fn(usize) -> String,
}

type Make = fn(&Request, usize) -> Result<Box<dyn Differentiable>, EngineError>;

/// All devices, the default first.
pub const DEVICES: &[Device] = &[
    Device {
        name: "cpu",
        about: "fused engine",
        make: Some(cpu),
        how: "",
        count: || 1,
        detail: |_| Isa::best().name().into(),
    },
    Device {
        name: "cuda",
        about: "fused engine, CUDA; `cuda:1` is the second one",
        make: cuda(),
        how: "build with `cargo build --release --features cuda`, which needs no CUDA itself",
        count: cuda_cards,
        detail: |_| "fused engine, CUDA".into(),
    },
    Device {
        name: "flex",
        about: "Burn's own CPU backend",
        make: flex(),
        how: "build with `cargo build --release --features flex`",
        count: || 1,
        detail: |_| "Burn".into(),
    },
    Device {
        name: "libtorch",
        about: "Burn on LibTorch, CPU",
        make: libtorch(),
        how: "build with `cargo build --release --features libtorch` (the README says how to get libtorch)",
        count: || 1,
        detail: |_| "Burn".into(),
    },
    Device {
        name: "libtorch-cuda",
        about: "Burn on LibTorch, CUDA; `libtorch-cuda:1` is the second one",
        make: libtorch_cuda(),
        how: "build with `cargo build --release --features libtorch` against a libtorch with CUDA",
        count: cuda_devices,
        detail: |_| "Burn".into(),
    },
    Device {
        name: "vulkan",
        about: "Burn on Vulkan, single precision; `vulkan:1` is the second one",
        make: vulkan(),
        how: "build with `cargo build --release --features vulkan`; running needs a driver for Vulkan",
        count: vulkan_adapters,
        detail: vulkan_adapter,
    },
];

impl Device {
    /// Is it part of this build?
    pub fn is_built(&self) -> bool {
        self.make.is_some()
    }

    /// How many there are, for this build on this machine.
    pub fn count(&self) -> usize {
        if self.is_built() { (self.count)() } else { 0 }
    }

    /// How to get it where it is missing.
    pub fn how(&self) -> &'static str {
        self.how
    }

    /// What the one with this index is, in words.
    pub fn detail(&self, index: usize) -> String {
        (self.detail)(index)
    }
}

/// The device that `name` names, such as `cpu` or `libtorch-cuda:1`, and its index, if that is one.
fn named(name: &str) -> (Option<&'static Device>, &str, Option<usize>) {
    let (kind, index) = match name.split_once(':') {
        Some((kind, index)) => (kind, index.parse().ok()),
        None => (name, Some(0)),
    };
    (DEVICES.iter().find(|device| device.name == kind), kind, index)
}

/// What the device that `name` names is, in words; nothing of one that is none.
pub fn detail(name: &str) -> String {
    let (device, _, index) = named(name);
    device.zip(index).map_or(String::new(), |(device, index)| device.detail(index))
}

/// The engine on the device that `name` names, such as `cpu` or `libtorch-cuda:1`.
pub fn engine(name: &str, request: &Request) -> Result<Box<dyn Differentiable>, EngineError> {
    let (device, kind, index) = named(name);
    let unknown = |hint: String| EngineError::Device(name.to_owned(), hint);
    let Some(device) = device else {
        let names = DEVICES.iter().map(|device| device.name);
        let close = closest(kind, names.clone()).map(|close| format!("did you mean `{close}`?"));
        let list = || format!("devices are {}", names.collect::<Vec<_>>().join(", "));
        return Err(unknown(close.unwrap_or_else(list)));
    };
    let Some(make) = device.make else {
        return Err(unknown(format!("this build has no {kind}; {}", device.how)));
    };
    if kind != DEVICES[0].name && request.ranks.are_several() {
        return Err(unknown(format!(
            "several processes share a run on the device {} alone",
            DEVICES[0].name
        )));
    }
    let count = (device.count)();
    match index {
        Some(index) if index < count => make(request, index),
        _ if count == 0 => Err(unknown(format!("this machine has no {kind}, or its driver is missing"))),
        _ => Err(unknown(format!("{kind} devices here are numbered 0 to {}", count - 1))),
    }
}

fn cpu(request: &Request, _: usize) -> Result<Box<dyn Differentiable>, EngineError> {
    let Request { problem, threads, ranks, .. } = *request;
    let (isa, ranks) = (Isa::best(), ranks.clone());
    Ok(match problem.training.precision {
        Precision::F32 => Box::new(CpuEngine::<f32>::among(problem, threads, isa, ranks)?),
        Precision::F64 => Box::new(CpuEngine::<f64>::among(problem, threads, isa, ranks)?),
    })
}

const fn cuda() -> Option<Make> {
    #[cfg(feature = "cuda")]
    return Some(|request, index| {
        use super::cuda::{CudaEngine, driver::Cuda};
        let refused = |wrong| EngineError::Device(format!("cuda:{index}"), wrong);
        let machine = Box::new(Cuda::new(index).map_err(refused)?);
        Ok(Box::new(CudaEngine::new(request.problem, machine, request.threads)?))
    });
    #[cfg(not(feature = "cuda"))]
    None
}

fn cuda_cards() -> usize {
    #[cfg(feature = "cuda")]
    {
        super::cuda::driver::count()
    }
    #[cfg(not(feature = "cuda"))]
    0
}

#[cfg(feature = "burn")]
fn on_burn(
    request: &Request,
    device: burn::tensor::Device,
    chunk: usize,
) -> Result<Box<dyn Differentiable>, EngineError> {
    let chunk = request.chunk.unwrap_or(chunk);
    Ok(Box::new(super::burn::BurnEngine::new(request.problem, device, chunk)?))
}

const fn flex() -> Option<Make> {
    #[cfg(feature = "flex")]
    return Some(|request, _| on_burn(request, burn::tensor::Device::flex(), 256));
    #[cfg(not(feature = "flex"))]
    None
}

const fn libtorch() -> Option<Make> {
    #[cfg(feature = "libtorch")]
    {
        #[expect(deprecated, reason = "LibTorch is asked for, and Burn still has it")]
        return Some(|request, _| on_burn(request, burn::tensor::Device::libtorch(), 2048));
    }
    #[cfg(not(feature = "libtorch"))]
    None
}

const fn libtorch_cuda() -> Option<Make> {
    #[cfg(feature = "libtorch")]
    {
        #[expect(deprecated, reason = "LibTorch is asked for, and Burn still has it")]
        return Some(|request, index| on_burn(request, burn::tensor::Device::libtorch_cuda(index), 65_536));
    }
    #[cfg(not(feature = "libtorch"))]
    None
}

fn cuda_devices() -> usize {
    #[cfg(feature = "libtorch")]
    {
        usize::try_from(tch::Cuda::device_count()).unwrap_or(0)
    }
    #[cfg(not(feature = "libtorch"))]
    0
}

const fn vulkan() -> Option<Make> {
    #[cfg(feature = "vulkan")]
    return Some(|request, index| {
        if request.problem.training.precision == Precision::F64 {
            let why = "it computes tanh and exp in 32 bits where 64 are asked for; add --precision f32";
            return Err(EngineError::Device(format!("vulkan:{index}"), why.into()));
        }
        let mut devices = vulkan_devices();
        on_burn(request, devices.swap_remove(index), vulkan_chunk(request.problem))
    });
    #[cfg(not(feature = "vulkan"))]
    None
}

/// As many points as half of the least buffer that every adapter has, 128 MiB, holds of the widest array with the most
/// derivatives; a larger buffer is refused with a panic.
#[cfg(feature = "vulkan")]
fn vulkan_chunk(problem: &Problem) -> usize {
    const NUMBERS: usize = (64 << 20) / size_of::<f32>();
    let widest = problem.layers().arrays.into_iter().max().unwrap_or(1);
    let channels = problem.conditions.iter().map(|condition| condition.jets.channels()).max().unwrap_or(1);
    (NUMBERS / (widest * channels).max(1)).clamp(1, 16_384)
}

#[cfg(feature = "vulkan")]
fn vulkan_devices() -> Vec<burn::tensor::Device> {
    burn::tensor::Device::enumerate(burn::tensor::DeviceType::Wgpu).into_vec()
}

fn vulkan_adapters() -> usize {
    #[cfg(feature = "vulkan")]
    {
        vulkan_devices().len()
    }
    #[cfg(not(feature = "vulkan"))]
    0
}

fn vulkan_adapter(index: usize) -> String {
    #[cfg(feature = "vulkan")]
    {
        let identity = vulkan_devices().get(index).and_then(burn::tensor::Device::identity);
        identity.map_or("Burn".into(), |identity| format!("Burn, {}", identity.name))
    }
    #[cfg(not(feature = "vulkan"))]
    {
        let _ = index;
        "Burn".into()
    }
}
