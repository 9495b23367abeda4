//! TEMP
use crate::simd::Real;
use pulp::Simd;
pub trait Kernel: Copy + Send + Sync {
    fn value<S: Simd, R: Real>(self, simd: S, x: R::Vector<S>) -> R::Vector<S>;
    fn slopes<S: Simd, R: Real, const N: usize>(self, simd: S, x: R::Vector<S>, y: R::Vector<S>) -> [R::Vector<S>; N];
}
pub trait Visitor { type Output; fn visit<K: Kernel + 'static>(self, kernel: K) -> Self::Output; }
#[derive(Clone, Debug)]
pub struct Activation;
impl Activation { pub fn expression(&self, g: &mut crate::expr::Graph, x: crate::expr::NodeId) -> crate::expr::NodeId { g.unary(crate::expr::Unary::Tanh, x) }  pub fn visit<V: Visitor>(&self, v: V) -> V::Output { v.visit(Tanh) } }
#[derive(Clone, Copy)]
struct Tanh;
impl Kernel for Tanh {
    #[inline(always)]
    fn value<S: Simd, R: Real>(self, simd: S, x: R::Vector<S>) -> R::Vector<S> {
        let s = |v: f64| R::splat(simd, R::from_f64(v));
        let a = R::min(simd, R::abs(simd, x), s(20.0));
        let t = R::mul(simd, a, s(-2.0));
        let (n, p) = R::round_and_exp2(simd, R::mul(simd, t, s(std::f64::consts::LOG2_E)));
        let r = R::neg_mul_add(simd, n, s(std::f64::consts::LN_2), t);
        let mut e = s(1.0 / 5040.0);
        for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] { e = R::mul_add(simd, e, r, s(c)); }
        let e = R::mul(simd, e, p);
        let y = R::div(simd, R::sub(simd, s(1.0), e), R::add(simd, s(1.0), e));
        R::copysign(simd, y, x)
    }
    #[inline(always)]
    fn slopes<S: Simd, R: Real, const N: usize>(self, simd: S, _x: R::Vector<S>, y: R::Vector<S>) -> [R::Vector<S>; N] {
        let mut f = [R::splat(simd, R::default()); N];
        let s = |v: f64| R::splat(simd, R::from_f64(v));
        f[0] = R::neg_mul_add(simd, y, y, s(1.0));
        for n in 1..N {
            // f^(n+1) = -sum C(n,k) f^(k) f^(n-k)
            let mut acc = s(0.0);
            let mut c = 1.0;
            for k in 0..=n {
                let a = if k == 0 { y } else { f[k - 1] };
                let b = if n == k { y } else { f[n - k - 1] };
                acc = R::neg_mul_add(simd, R::mul(simd, a, s(c)), b, acc);
                c = c * (n - k) as f64 / (k + 1) as f64;
            }
            f[n] = acc;
        }
        f
    }
}
