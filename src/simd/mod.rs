//! Vector registers, generic over precision and instruction set.
//!
//! [`Real`] is f32 or f64; with a `pulp` token `S` it names the register type and its operations.
//! Kernels are written once over `<S: Simd, R: Real>`; [`pulp::Arch`] picks `S` at run time.
//! This module knows numbers only: no networks, no equations.

use pulp::Simd;

/// f32 or f64, with the register operations the kernels need.
///
/// `add`, `mul` and friends work lane by lane.
/// Every operation is a single instruction on AVX-512 except where the documentation says otherwise.
pub trait Real: Copy + Send + Sync + PartialOrd + core::fmt::Debug + Default + 'static {
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
    /// The smaller of each lane.
    fn min<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// The greater of each lane.
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
    /// The nearest integer (ties to even) `n` of `x`, and `2ⁿ`; `|n|` must lie within the normal exponents.
    fn round_and_exp2<S: Simd>(simd: S, x: Self::Vector<S>) -> (Self::Vector<S>, Self::Vector<S>);
    /// The sum of all lanes, in an order that depends on `S` alone.
    fn sum<S: Simd>(simd: S, a: Self::Vector<S>) -> Self;

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
    ($real:ident, $bits:ident, $vector:ident, $mask:ident, $lanes:ident, $magic:expr, $mantissa:expr, $bias:expr,
     $splat:ident, $splat_bits:ident, $add:ident, $sub:ident, $mul:ident, $div:ident, $fma:ident,
     $abs:ident, $sqrt:ident, $min:ident, $max:ident, $less:ident, $select:ident, $and:ident, $or:ident, $not:ident,
     $neg:ident, $sum:ident, $to_bits:ident, $from_bits:ident, $sub_bits:ident, $mul_bits:ident) => {
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
                simd.$fma(simd.$neg(a), b, c)
            }
            #[inline(always)]
            fn neg<S: Simd>(simd: S, a: S::$vector) -> S::$vector {
                simd.$neg(a)
            }
            #[inline(always)]
            fn abs<S: Simd>(simd: S, a: S::$vector) -> S::$vector {
                simd.$abs(a)
            }
            #[inline(always)]
            fn sqrt<S: Simd>(simd: S, a: S::$vector) -> S::$vector {
                simd.$sqrt(a)
            }
            #[inline(always)]
            fn min<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$min(a, b)
            }
            #[inline(always)]
            fn max<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$max(a, b)
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
                simd.$or(simd.$and(bit, sign), simd.$and(simd.$not(bit), magnitude))
            }
            #[inline(always)]
            fn round_and_exp2<S: Simd>(simd: S, x: S::$vector) -> (S::$vector, S::$vector) {
                // Adding 1.5·2^mantissa leaves the rounded integer in the low bits.
                let magic = simd.$splat($magic);
                let shifted = simd.$add(x, magic);
                let integer = simd.$sub(shifted, magic);
                let offset = (($magic as $real).to_bits()).wrapping_sub($bias);
                let biased = simd.$sub_bits(simd.$to_bits(shifted), simd.$splat_bits(offset));
                // The product with 2^mantissa shifts the biased exponent into its place.
                let bits = simd.$mul_bits(biased, simd.$splat_bits(1 << $mantissa));
                (integer, simd.$from_bits(bits))
            }
            #[inline(always)]
            fn sum<S: Simd>(simd: S, a: S::$vector) -> Self {
                simd.$sum(a)
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
    12_582_912.0,
    23,
    127,
    splat_f32s,
    splat_u32s,
    add_f32s,
    sub_f32s,
    mul_f32s,
    div_f32s,
    mul_add_e_f32s,
    abs_f32s,
    sqrt_f32s,
    min_f32s,
    max_f32s,
    less_than_f32s,
    select_f32s,
    and_f32s,
    or_f32s,
    not_f32s,
    neg_f32s,
    reduce_sum_f32s,
    transmute_u32s_f32s,
    transmute_f32s_u32s,
    sub_u32s,
    mul_u32s
);
real!(
    f64,
    u64,
    f64s,
    m64s,
    F64_LANES,
    6_755_399_441_055_744.0,
    52,
    1023,
    splat_f64s,
    splat_u64s,
    add_f64s,
    sub_f64s,
    mul_f64s,
    div_f64s,
    mul_add_e_f64s,
    abs_f64s,
    sqrt_f64s,
    min_f64s,
    max_f64s,
    less_than_f64s,
    select_f64s,
    and_f64s,
    or_f64s,
    not_f64s,
    neg_f64s,
    reduce_sum_f64s,
    transmute_u64s_f64s,
    transmute_f64s_u64s,
    sub_u64s,
    mul_u64s
);
