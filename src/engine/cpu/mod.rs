//! The fused CPU engine.
mod dispatch;
mod gemm;
pub use dispatch::Isa;
