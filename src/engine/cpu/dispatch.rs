//! Instruction sets, chosen at run time.

use pulp::Simd;

use crate::simd::Real;

/// An instruction set that kernels are compiled for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Isa {
    /// 512-bit registers (x86-64-v4).
    Avx512,
    /// 256-bit registers with fused multiply–add (x86-64-v3).
    Avx2,
    /// 128-bit registers of 64-bit Arm.
    Neon,
    /// Plain code for any machine.
    Portable,
}

/// Something to run with registers of an instruction set and a precision.
pub(super) trait WithReal {
    type Output<R: Real>;
    fn call<S: Simd, R: Real>(self, simd: S) -> Self::Output<R>;
}

impl Isa {
    /// Every instruction set this machine can run, best first.
    pub fn available() -> Vec<Self> {
        [Self::Avx512, Self::Avx2, Self::Neon, Self::Portable]
            .into_iter()
            .filter(|isa| isa.is_available())
            .collect()
    }

    /// The best instruction set of this machine.
    pub fn best() -> Self {
        Self::available()[0]
    }

    /// As written in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Neon => "neon",
            Self::Portable => "portable",
        }
    }

    fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => pulp::x86::V4::try_new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => pulp::x86::V3::try_new().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => pulp::aarch64::Neon::try_new().is_some(),
            Self::Portable => true,
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => false,
            #[cfg(not(target_arch = "aarch64"))]
            Self::Neon => false,
        }
    }

    /// Runs `task` with this instruction set, or with portable code where the machine lacks it.
    pub(super) fn run<R: Real, T: WithReal>(self, task: T) -> T::Output<R> {
        #[cfg(target_arch = "x86_64")]
        {
            if self == Self::Avx512
                && let Some(simd) = pulp::x86::V4::try_new()
            {
                return task.call::<_, R>(simd);
            }
            if self == Self::Avx2
                && let Some(simd) = pulp::x86::V3::try_new()
            {
                return task.call::<_, R>(simd);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if self == Self::Neon
            && let Some(simd) = pulp::aarch64::Neon::try_new()
        {
            return task.call::<_, R>(simd);
        }
        task.call::<_, R>(pulp::Scalar::new())
    }
}
