//! Vector registers, generic over precision and instruction set.
//!
//! [`Real`] is f32 or f64; with a `pulp` token `S` it names the register type and its operations.
//! Kernels are written once over `<S: Simd, R: Real>`; [`pulp::Arch`] picks `S` at run time.
//! This module knows numbers only: no networks, no equations.

#![expect(unsafe_code, reason = "a kernel: registers are loaded and stored by pointer")]

pub mod maths;

use std::mem::transmute_copy;

use pulp::{Simd, c64};

/// f32 or f64, with the register operations the kernels need.
///
/// `add`, `mul` and friends work lane by lane.
/// Every operation is a single instruction on AVX-512 except where the documentation says otherwise.
pub trait Real:
    Copy + Send + Sync + PartialOrd + core::fmt::Debug + Default + maths::Constants + 'static
{
    /// A register of this precision.
    type Vector<S: Simd>: Copy + Send + Sync + core::fmt::Debug + 'static;
    /// A lane mask of this precision.
    type Mask<S: Simd>: Copy;
    /// `"f32"` or `"f64"`.
    const NAME: &'static str;
    /// Unit roundoff times two: the spacing of numbers at 1.
    const EPSILON: Self;

    /// Rounds from f64.
    fn from_f64(x: f64) -> Self;
    /// Widens to f64.
    fn to_f64(self) -> f64;
    /// Is neither infinite nor NaN.
    fn is_finite(self) -> bool;

    /// Lanes of one register.
    fn lanes<S: Simd>() -> usize;
    /// All lanes equal `x`.
    fn splat<S: Simd>(simd: S, x: Self) -> Self::Vector<S>;
    /// `a + b`
    fn add<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// `a − b`
    fn sub<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// `a·b`
    fn mul<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// `a/b`
    fn div<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// `a·b + c`, fused where the machine has it.
    fn mul_add<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;
    /// `c − a·b`, fused where the machine has it.
    fn neg_mul_add<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;
    /// `−a`
    fn neg<S: Simd>(simd: S, a: Self::Vector<S>) -> Self::Vector<S>;
    /// `|a|`
    fn abs<S: Simd>(simd: S, a: Self::Vector<S>) -> Self::Vector<S>;
    /// `√a`
    fn sqrt<S: Simd>(simd: S, a: Self::Vector<S>) -> Self::Vector<S>;
    /// The smaller of each lane; a NaN in `b` survives.
    fn min<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// The greater of each lane; a NaN in `b` survives.
    fn max<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// Lanes where `a < b`.
    fn less<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Mask<S>;
    /// `mask ? a : b`
    fn select<S: Simd>(
        simd: S,
        mask: Self::Mask<S>,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
    ) -> Self::Vector<S>;
    /// `|magnitude|` with the sign bit of `sign`.
    fn copysign<S: Simd>(simd: S, magnitude: Self::Vector<S>, sign: Self::Vector<S>) -> Self::Vector<S>;
    /// The nearest integer `n` of `x·scale` (either one of a tie), and `2ⁿ`, which must be a normal number.
    fn round_and_exp2<S: Simd>(
        simd: S,
        x: Self::Vector<S>,
        scale: Self,
    ) -> (Self::Vector<S>, Self::Vector<S>);
    /// The sum of all lanes, in an order that depends on `S` alone.
    fn sum<S: Simd>(simd: S, a: Self::Vector<S>) -> Self;
    /// Lane `i + G·j` is the sum of lanes `G·j..G·(j + 1)` of register `i`; a group of `G` numbers has at most 16 bytes.
    ///
    /// A few shuffles and additions; registers have at least 16 bytes.
    fn sum_groups<S: Simd, const G: usize>(simd: S, registers: [Self::Vector<S>; G]) -> Self::Vector<S>;
    /// `G` numbers, over and over; they have 8 or 16 bytes, and registers at least as many.
    ///
    /// # Safety
    /// `pointer` must be valid for reading `G` numbers; no alignment is asked for.
    unsafe fn splat_group<S: Simd, const G: usize>(simd: S, pointer: *const Self) -> Self::Vector<S>;

    /// Reads `lanes` numbers.
    ///
    /// # Safety
    /// `pointer` must be valid for reading `Self::lanes::<S>()` numbers; no alignment is asked for.
    #[inline(always)]
    unsafe fn load<S: Simd>(_simd: S, pointer: *const Self) -> Self::Vector<S> {
        // SAFETY: the caller promises that `lanes` numbers, the size of a vector, can be read.
        unsafe { pointer.cast::<Self::Vector<S>>().read_unaligned() }
    }

    /// Writes `lanes` numbers.
    ///
    /// # Safety
    /// `pointer` must be valid for writing `Self::lanes::<S>()` numbers; no alignment is asked for.
    #[inline(always)]
    unsafe fn store<S: Simd>(_simd: S, pointer: *mut Self, value: Self::Vector<S>) {
        // SAFETY: the caller promises that `lanes` numbers, the size of a vector, can be written.
        unsafe { pointer.cast::<Self::Vector<S>>().write_unaligned(value) }
    }
}

macro_rules! real {
    ($real:ident, $bits:ident, $vector:ident, $mask:ident, $lanes:ident, $magic:expr, $mantissa:expr,
     $splat:ident, $splat_bits:ident, $add:ident, $sub:ident, $mul:ident, $div:ident, $fma:ident,
     $sqrt:ident, $min:ident, $max:ident, $less:ident, $select:ident, $and:ident, $or:ident,
     $sum:ident, $to_bits:ident, $from_bits:ident, $mul_bits:ident, $unzip:ident) => {
        impl Real for $real {
            type Vector<S: Simd> = S::$vector;
            type Mask<S: Simd> = S::$mask;
            const NAME: &'static str = stringify!($real);
            const EPSILON: Self = $real::EPSILON;

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $real
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                $real::is_finite(self)
            }
            #[inline(always)]
            fn lanes<S: Simd>() -> usize {
                S::$lanes
            }
            #[inline(always)]
            fn splat<S: Simd>(simd: S, x: Self) -> S::$vector {
                simd.$splat(x)
            }
            #[inline(always)]
            fn add<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$add(a, b)
            }
            #[inline(always)]
            fn sub<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$sub(a, b)
            }
            #[inline(always)]
            fn mul<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$mul(a, b)
            }
            #[inline(always)]
            fn div<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$div(a, b)
            }
            #[inline(always)]
            fn mul_add<S: Simd>(simd: S, a: S::$vector, b: S::$vector, c: S::$vector) -> S::$vector {
                simd.$fma(a, b, c)
            }
            #[inline(always)]
            fn neg_mul_add<S: Simd>(simd: S, a: S::$vector, b: S::$vector, c: S::$vector) -> S::$vector {
                simd.$fma(<Self as Real>::neg(simd, a), b, c)
            }
            #[inline(always)]
            fn neg<S: Simd>(simd: S, a: S::$vector) -> S::$vector {
                // The instruction sets' own negation and complement are calls where the linker does not inline.
                simd.$sub(simd.$splat(-0.0), a)
            }
            #[inline(always)]
            fn abs<S: Simd>(simd: S, a: S::$vector) -> S::$vector {
                simd.$and(simd.$splat($real::from_bits($bits::MAX >> 1)), a)
            }
            #[inline(always)]
            fn sqrt<S: Simd>(simd: S, a: S::$vector) -> S::$vector {
                simd.$sqrt(a)
            }
            #[inline(always)]
            fn min<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                // The scalar token's own operation drops a NaN where the machines' instructions return `b`.
                if S::IS_SCALAR { simd.$select(simd.$less(a, b), a, b) } else { simd.$min(a, b) }
            }
            #[inline(always)]
            fn max<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                // The scalar token's own operation drops a NaN where the machines' instructions return `b`.
                if S::IS_SCALAR { simd.$select(simd.$less(b, a), a, b) } else { simd.$max(a, b) }
            }
            #[inline(always)]
            fn less<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$mask {
                simd.$less(a, b)
            }
            #[inline(always)]
            fn select<S: Simd>(simd: S, mask: S::$mask, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$select(mask, a, b)
            }
            #[inline(always)]
            fn copysign<S: Simd>(simd: S, magnitude: S::$vector, sign: S::$vector) -> S::$vector {
                let bit = simd.$splat(-0.0);
                simd.$or(simd.$and(bit, sign), <Self as Real>::abs(simd, magnitude))
            }
            #[inline(always)]
            fn round_and_exp2<S: Simd>(simd: S, x: S::$vector, scale: Self) -> (S::$vector, S::$vector) {
                // Adding 1.5·2^mantissa + bias leaves n + bias, the biased exponent of 2ⁿ, in the low bits;
                // the product with 2^mantissa shifts it into its place and all else out.
                let magic = simd.$splat($magic);
                let shifted = simd.$fma(x, simd.$splat(scale), magic);
                let integer = simd.$sub(shifted, magic);
                let bits = simd.$mul_bits(simd.$to_bits(shifted), simd.$splat_bits(1 << $mantissa));
                (integer, simd.$from_bits(bits))
            }
            #[inline(always)]
            fn sum<S: Simd>(simd: S, a: S::$vector) -> Self {
                simd.$sum(a)
            }
            #[inline(always)]
            fn sum_groups<S: Simd, const G: usize>(simd: S, registers: [S::$vector; G]) -> S::$vector {
                let neighbours = |a: S::$vector, b: S::$vector| {
                    let [even, odd] = simd.$unzip([a, b]);
                    simd.$add(even, odd)
                };
                // Two numbers at a time, each kept beside its neighbour.
                let pairs = |a: S::$vector, b: S::$vector| {
                    // SAFETY: registers of either precision are the same bytes.
                    let halves: [S::f64s; 2] = unsafe { transmute_copy(&[a, b]) };
                    let halves = simd.deinterleave_shfl_f64s(halves);
                    // SAFETY: as above.
                    let [even, odd]: [S::$vector; 2] = unsafe { transmute_copy(&halves) };
                    simd.$add(even, odd)
                };
                match (&registers[..], size_of::<[Self; G]>()) {
                    (&[a, b], 8 | 16) => neighbours(a, b),
                    (&[a, b, c, d], 16) => pairs(neighbours(a, b), neighbours(c, d)),
                    _ => unreachable!("no group has {G} numbers"),
                }
            }
            #[inline(always)]
            unsafe fn splat_group<S: Simd, const G: usize>(simd: S, pointer: *const Self) -> S::$vector {
                // SAFETY: the caller promises that `G` numbers can be read; registers of all kinds are the same bytes.
                unsafe {
                    match size_of::<[Self; G]>() {
                        8 => transmute_copy(&simd.splat_f64s(pointer.cast::<f64>().read_unaligned())),
                        16 => transmute_copy(&simd.splat_c64s(pointer.cast::<c64>().read_unaligned())),
                        _ => unreachable!("no group has {G} numbers"),
                    }
                }
            }
        }
    };
}

real!(
    f32,
    u32,
    f32s,
    m32s,
    F32_LANES,
    12_582_912.0 + 127.0,
    23,
    splat_f32s,
    splat_u32s,
    add_f32s,
    sub_f32s,
    mul_f32s,
    div_f32s,
    mul_add_e_f32s,
    sqrt_f32s,
    min_f32s,
    max_f32s,
    less_than_f32s,
    select_f32s,
    and_f32s,
    or_f32s,
    reduce_sum_f32s,
    transmute_u32s_f32s,
    transmute_f32s_u32s,
    mul_u32s,
    deinterleave_shfl_f32s
);
real!(
    f64,
    u64,
    f64s,
    m64s,
    F64_LANES,
    6_755_399_441_055_744.0 + 1023.0,
    52,
    splat_f64s,
    splat_u64s,
    add_f64s,
    sub_f64s,
    mul_f64s,
    div_f64s,
    mul_add_e_f64s,
    sqrt_f64s,
    min_f64s,
    max_f64s,
    less_than_f64s,
    select_f64s,
    and_f64s,
    or_f64s,
    reduce_sum_f64s,
    transmute_u64s_f64s,
    transmute_f64s_u64s,
    mul_u64s,
    deinterleave_shfl_f64s
);

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use pulp::{Arch, WithSimd};

    /// The instruction sets of this machine, the portable one first.
    pub(crate) fn levels() -> Vec<Arch> {
        #[cfg(target_arch = "x86_64")]
        let further = [pulp::x86::V3::try_new().map(Arch::V3), pulp::x86::V4::try_new().map(Arch::V4)];
        #[cfg(not(target_arch = "x86_64"))]
        let further = [Some(Arch::new())];
        core::iter::once(Arch::Scalar).chain(further.into_iter().flatten()).collect()
    }

    /// A function of registers.
    pub(crate) trait Lanewise<R: Real>: Copy {
        fn apply<S: Simd>(self, simd: S, x: R::Vector<S>) -> R::Vector<S>;
    }

    /// `function` of every number, computed in registers of `arch`.
    pub(crate) fn map<R: Real>(arch: Arch, function: impl Lanewise<R>, x: &[R]) -> Vec<R> {
        struct Map<'a, R, F>(F, &'a [R]);
        impl<R: Real, F: Lanewise<R>> WithSimd for Map<'_, R, F> {
            type Output = Vec<R>;
            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) -> Vec<R> {
                let lanes = R::lanes::<S>();
                let mut padded = self.1.to_vec();
                padded.resize(self.1.len().next_multiple_of(lanes), R::default());
                for chunk in padded.chunks_exact_mut(lanes) {
                    // SAFETY: the chunk holds as many numbers as the register.
                    unsafe {
                        let y = self.0.apply(simd, R::load(simd, chunk.as_ptr()));
                        R::store(simd, chunk.as_mut_ptr(), y);
                    }
                }
                padded.truncate(self.1.len());
                padded
            }
        }
        arch.dispatch(Map(function, x))
    }

    #[derive(Clone, Copy)]
    struct Exp2;
    impl<R: Real> Lanewise<R> for Exp2 {
        #[inline(always)]
        fn apply<S: Simd>(self, simd: S, x: R::Vector<S>) -> R::Vector<S> {
            R::round_and_exp2(simd, x, R::from_f64(0.5)).1
        }
    }

    #[derive(Clone, Copy)]
    struct Round;
    impl<R: Real> Lanewise<R> for Round {
        #[inline(always)]
        fn apply<S: Simd>(self, simd: S, x: R::Vector<S>) -> R::Vector<S> {
            R::round_and_exp2(simd, x, R::from_f64(0.5)).0
        }
    }

    #[derive(Clone, Copy)]
    struct Limit;
    impl<R: Real> Lanewise<R> for Limit {
        #[inline(always)]
        fn apply<S: Simd>(self, simd: S, x: R::Vector<S>) -> R::Vector<S> {
            let limit = |x: f64| R::splat(simd, R::from_f64(x));
            R::max(simd, limit(-1.0), R::min(simd, limit(1.0), x))
        }
    }

    /// 2ⁿ and n over all normal exponents, on every level.
    fn check_exp2<R: Real>(exponents: core::ops::RangeInclusive<i32>) {
        for arch in levels() {
            for n in exponents.clone() {
                // Arguments up to a quarter off the integer round to it.
                for offset in [-0.25, 0.0, 0.25] {
                    let x = [R::from_f64(2.0 * (f64::from(n) + offset))];
                    assert_eq!(map(arch, Round, &x)[0].to_f64(), f64::from(n), "{arch:?}");
                    assert_eq!(map(arch, Exp2, &x)[0].to_f64(), 2_f64.powi(n), "{arch:?}");
                }
            }
        }
    }

    #[test]
    fn powers_of_two_are_exact() {
        check_exp2::<f32>(-126..=127);
        check_exp2::<f64>(-1022..=1023);
    }

    #[test]
    fn limits_keep_nan_in_the_second_place() {
        for arch in levels() {
            assert_eq!(map(arch, Limit, &[-3.0, 0.5, 3.0_f32]), [-1.0, 0.5, 1.0]);
            assert_eq!(map(arch, Limit, &[-3.0, 0.5, 3.0_f64]), [-1.0, 0.5, 1.0]);
            assert!(map(arch, Limit, &[f32::NAN])[0].is_nan() && map(arch, Limit, &[f64::NAN])[0].is_nan());
        }
    }
}
