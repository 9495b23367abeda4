//! The CUDA engine against the fused one: its kernels' text compiled as C++, and on the CUDA devices of this machine.
//!
//! The C++ compiler runs the same text with a shim for the few names that CUDA has: with one thread in a block, whose
//! loops then do all that threads do together, and with several that meet at barriers.

use std::ffi::{CString, c_char, c_int, c_void};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use pinn::internals::engine::cuda::{CudaEngine, Grid, Machine, driver};
use pinn::internals::engine::device::{self, Request};
use pinn::internals::engine::{Differentiable, EngineError};
use pinn::internals::ranks::Ranks;
use pinn::internals::sample;
use pinn::problem::{Problem, embedded};
use pinn::settings::Precision;

use super::agreement::{KINDS, activated, few, spread, with_network};
use super::engine::{NETWORKS, integral, over_places, parameters, set_points, set_weights};
use super::networks::{SEVERAL, several};
use super::{difference, embedded_problem};

/// Where the text runs.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Place {
    /// As C++, with so many threads in a block.
    Compiled(usize),
    /// On the first CUDA device.
    Device,
}

/// All places that this machine has.
fn places() -> Vec<Place> {
    let mut places = vec![];
    if Command::new(COMPILER).arg("--version").output().is_ok() {
        places.push(Place::Compiled(1));
    } else {
        eprintln!("no C++ compiler {COMPILER}: the text of the CUDA kernels is not run here");
    }
    if driver::count() > 0 {
        places.push(Place::Device);
    }
    places
}

const COMPILER: &str = "c++";

fn engine(place: Place, problem: &Problem) -> CudaEngine {
    let machine: Box<dyn Machine> = match place {
        Place::Compiled(threads) => Box::new(Compiled::new(threads)),
        Place::Device => Box::new(driver::Cuda::new(0).unwrap_or_else(|wrong| panic!("{wrong}"))),
    };
    CudaEngine::new(problem, machine, 1).unwrap_or_else(|wrong| panic!("{}: {wrong}", problem.name))
}

/// Loss terms, gradient, residuals and predictions of both engines agree to `tolerance`.
fn check(problem: &Problem, place: Place, tolerance: f64) {
    let theta = parameters(problem);
    let mut ours = engine(place, problem);
    let mut theirs =
        device::engine("cpu", &Request { problem, threads: 1, chunk: None, ranks: &Ranks::alone() })
            .expect("an engine");
    let found = answers(problem, &mut ours, &theta);
    let fused = answers(problem, &mut *theirs, &theta);
    assert_eq!(found, answers(problem, &mut ours, &theta), "{}: the same bits again", problem.name);
    for ((name, found), (_, fused)) in found.iter().zip(&fused) {
        let difference = difference(found, fused);
        assert!(
            difference <= tolerance,
            "{}, {:?}, {place:?}: {name} differ by {difference:e}",
            problem.name,
            problem.training.precision
        );
    }
}

/// Everything that an engine gives.
fn answers(
    problem: &Problem,
    engine: &mut dyn Differentiable,
    theta: &[f64],
) -> Vec<(&'static str, Vec<f64>)> {
    set_points(problem, engine);
    let count = problem.conditions.len();
    let (mut terms, mut gradient) = (vec![0.0; count], vec![f64::NAN; theta.len()]);
    let weights = problem.weights();
    let loss = engine.loss_and_gradient(theta, &weights, &mut terms, &mut gradient);
    assert_eq!(loss, engine.loss(theta, &weights, &mut terms), "the loss alone is the same");
    let mut all = vec![("losses", vec![loss]), ("terms", terms), ("gradients", gradient)];
    let (mut losses, mut gradients, mut residuals) = (vec![], vec![], vec![]);
    for (which, condition) in problem.conditions.iter().enumerate() {
        let mut alone = vec![f64::NAN; theta.len()];
        losses.push(engine.condition_gradient(theta, which, &mut alone));
        gradients.extend(alone);
        let sample::Points { rows, data } = sample::points(problem, condition, 1, 0);
        residuals.extend(engine.residuals(theta, which, &rows, &data));
    }
    all.push(("conditions' losses", losses));
    all.push(("conditions' gradients", gradients));
    all.push(("residuals", residuals));
    all.push(("predictions", engine.predict(theta, &spread(problem))));
    let weights = set_weights(problem, engine);
    let (mut terms, mut gradient) = (vec![0.0; count], vec![f64::NAN; theta.len()]);
    let loss = engine.loss_and_gradient(theta, &weights, &mut terms, &mut gradient);
    all.extend([("weighted losses", vec![loss]), ("weighted gradients", gradient)]);
    all
}

fn single(mut problem: Problem) -> Problem {
    problem.training.precision = Precision::F32;
    problem
}

#[test]
fn every_problem_agrees_with_the_fused_engine() {
    for place in places() {
        for (name, _) in embedded() {
            let small = [("network.depth", "3"), ("network.width", "10")];
            check(&few(embedded_problem(name, &small), 30), place, 1e-12);
            if place == Place::Device {
                check(&few(single(embedded_problem(name, &small)), 30), place, 1e-4);
            }
        }
    }
}

#[test]
fn single_precision_agrees_with_the_fused_engine() {
    for place in places() {
        for name in ["burgers", "black-scholes-soft", "burgers-inverse"] {
            let small = [("network.depth", "3"), ("network.width", "10")];
            check(&few(single(embedded_problem(name, &small)), 30), place, 1e-4);
        }
    }
}

#[test]
fn every_activation_agrees_with_the_fused_engine() {
    for place in places() {
        for activation in KINDS {
            let problem = with_network(&activated(activation), "u_xxxx + u_xxyy*sin(u) - u_xyy^2");
            check(&problem, place, 1e-12);
        }
    }
}

#[test]
fn every_network_agrees_with_the_fused_engine() {
    for place in places() {
        for network in NETWORKS {
            for residual in ["u_y + u*u_x - u_xx", "u_xxxx + u_xxyy*sin(u) - u_xyy^2"] {
                check(&with_network(network, residual), place, 1e-12);
            }
        }
    }
}

#[test]
fn integrals_and_several_networks_agree_with_the_fused_engine() {
    for place in places() {
        for network in ["depth = 2\nwidth = 5", "architecture = \"modified-mlp\"\ndepth = 1\nwidth = 4"] {
            check(&integral(network), place, 1e-12);
            check(&over_places(network), place, 1e-12);
        }
        for networks in SEVERAL {
            check(&several(networks), place, 1e-12);
        }
    }
}

/// Wide layers and many points: several passes, parts of matrices, and more chunks than blocks.
#[test]
fn sizes_that_do_not_fit_agree_with_the_fused_engine() {
    for place in places() {
        for (depth, width, points) in [("2", "150", 700), ("1", "300", 40), ("5", "64", 900)] {
            let sizes = [("network.depth", depth), ("network.width", width)];
            check(&few(embedded_problem("burgers-soft", &sizes), points), place, 1e-12);
            check(&few(single(embedded_problem("burgers-soft", &sizes)), points), place, 1e-4);
        }
    }
}

#[test]
fn threads_that_meet_at_barriers_agree_with_the_fused_engine() {
    if !places().contains(&Place::Compiled(1)) {
        return;
    }
    let several = Place::Compiled(6);
    let small = [("network.depth", "2"), ("network.width", "9")];
    for name in ["burgers-soft", "burgers-inverse"] {
        check(&few(embedded_problem(name, &small), 40), several, 1e-12);
    }
    for network in [
        "architecture = \"piratenet\"\ndepth = 1\nwidth = 5",
        "depth = 2\nwidth = 5\nscale = { trainable = \"all\" }",
    ] {
        check(&integral(network), several, 1e-12);
    }
}

/// A CUDA machine whose threads are the processor's.
struct Compiled {
    threads: usize,
    folder: tempfile::TempDir,
    kernels: Vec<Start>,
    memory: Vec<(u64, Vec<u128>)>,
}

/// Runs a kernel with arguments, blocks and threads.
type Start = unsafe extern "C" fn(*const u64, u64, u64);

unsafe extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// What CUDA's names mean to a C++ compiler.
const SHIM: &str = "
#include <cmath>
using std::fabs; using std::tanh; using std::exp; using std::log; using std::sqrt; using std::sin; using std::cos;
using std::tan; using std::asin; using std::acos; using std::atan; using std::sinh; using std::cosh; using std::erf;
using std::erfc; using std::pow; using std::expm1; using std::log1p; using std::copysign;
#define __global__
#define __device__ static
#define __forceinline__ inline
#define __launch_bounds__(threads)
#define __shared__
#define __align__(bytes)
struct Place { unsigned x; };
alignas(16) unsigned char memory[1 << 20];
static Place blockDim, gridDim, blockIdx;
";

/// One thread, whose loops do all that the threads of a block do together.
const ALONE: &str = "
static const Place threadIdx = {0};
#define __syncthreads()
static void block(void (*kernel)()) { kernel(); }
";

/// Threads that meet at barriers.
const TEAM: &str = "
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>
static thread_local Place threadIdx;
static std::mutex mutex;
static std::condition_variable all_here;
static unsigned here, round_of;
static void __syncthreads() {
    std::unique_lock<std::mutex> lock(mutex);
    const unsigned now = round_of;
    if (++here == blockDim.x) {
        here = 0;
        round_of++;
        all_here.notify_all();
    } else {
        all_here.wait(lock, [&] { return round_of != now; });
    }
}
static void block(void (*kernel)()) {
    std::vector<std::thread> team;
    for (unsigned thread = 0; thread < blockDim.x; thread++)
        team.emplace_back([=] { threadIdx.x = thread; kernel(); });
    for (std::thread& thread : team) thread.join();
}
";

impl Compiled {
    fn new(threads: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { threads, folder, kernels: vec![], memory: vec![] }
    }

    /// A library of the text's kernels.
    fn build(&self, text: &str) -> Result<std::path::PathBuf, String> {
        let mut code = format!("{SHIM}{}{text}", if self.threads == 1 { ALONE } else { TEAM });
        for (kernel, arguments) in [("run", "Args"), ("pack", "Packing"), ("reduce", "Reduction")] {
            if text.contains(&format!(" {kernel}(const {arguments} args)")) {
                write!(
                    code,
                    "
static const {arguments}* {kernel}_arguments;
extern \"C\" void start_{kernel}(const {arguments}* arguments, unsigned long long blocks, unsigned long long threads) {{
    {kernel}_arguments = arguments;
    gridDim.x = unsigned(blocks);
    blockDim.x = unsigned(threads);
    for (blockIdx.x = 0; blockIdx.x < blocks; blockIdx.x++) block([] {{ {kernel}(*{kernel}_arguments); }});
}}
"
                )
                .expect("a string");
            }
        }
        let source = self.folder.path().join(format!("kernel{}.cpp", self.kernels.len()));
        let library = source.with_extension("so");
        std::fs::write(&source, code).map_err(|wrong| wrong.to_string())?;
        let flags = ["-std=c++17", "-O0", "-w", "-shared", "-fPIC", "-pthread", "-fno-strict-aliasing", "-o"];
        let output = Command::new(COMPILER).args(flags).args([&library, &source]).output();
        let output = output.map_err(|wrong| wrong.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).chars().take(4000).collect());
        }
        Ok(library)
    }

    fn place(&mut self, address: u64) -> *mut u8 {
        address as *mut u8
    }
}

impl Machine for Compiled {
    fn processors(&self) -> usize {
        3
    }

    fn shared(&self) -> usize {
        // Little, so that large networks do not fit.
        100_000
    }

    fn compile(&mut self, texts: &[(String, &'static str)]) -> Result<Vec<usize>, String> {
        let first = self.kernels.len();
        let mut last: Option<(&str, std::path::PathBuf)> = None;
        for (text, kernel) in texts {
            let library = match last {
                Some((known, library)) if known == text => library,
                _ => self.build(text)?,
            };
            self.kernels.push(load(&library, kernel)?);
            last = Some((text, library));
        }
        Ok((first..self.kernels.len()).collect())
    }

    fn blocks(&mut self, _: usize, _: usize, _: usize) -> Result<usize, String> {
        Ok(2)
    }

    fn allocate(&mut self, bytes: usize) -> Result<u64, String> {
        let memory = vec![0_u128; bytes.div_ceil(16)];
        let address = memory.as_ptr() as u64;
        self.memory.push((address, memory));
        Ok(address)
    }

    fn free(&mut self, address: u64) {
        self.memory.retain(|(at, _)| *at != address);
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), String> {
        // SAFETY: the engine writes within what it has allocated.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.place(address), bytes.len()) };
        Ok(())
    }

    fn read(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), String> {
        // SAFETY: the engine reads within what it has allocated.
        unsafe { std::ptr::copy_nonoverlapping(self.place(address), bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    fn launch(&mut self, _: usize, kernel: usize, grid: Grid, arguments: &[u64]) -> Result<(), String> {
        assert!(grid.shared <= self.shared(), "a block has {} bytes of shared memory", self.shared());
        let threads = self.threads.min(grid.threads);
        // SAFETY: the kernel reads a structure of these numbers, whose addresses are those of this machine's memory.
        unsafe { self.kernels[kernel](arguments.as_ptr(), grid.blocks as u64, threads as u64) };
        Ok(())
    }
}

fn load(library: &Path, kernel: &str) -> Result<Start, String> {
    let path = CString::new(library.to_string_lossy().as_bytes()).expect("a path");
    let name = CString::new(format!("start_{kernel}")).expect("a name");
    // SAFETY: the library is the one that was just compiled, and what starts kernels in it is of this type.
    unsafe {
        let library = dlopen(path.as_ptr(), 2);
        let start = if library.is_null() { library } else { dlsym(library, name.as_ptr()) };
        if start.is_null() {
            return Err("the compiled text cannot be loaded".to_owned());
        }
        Ok(std::mem::transmute::<*mut c_void, Start>(start))
    }
}

/// A machine that compiles by NVRTC and does nothing else.
struct Compiler(&'static str);

impl Machine for Compiler {
    fn processors(&self) -> usize {
        132
    }

    fn shared(&self) -> usize {
        227 << 10
    }

    fn compile(&mut self, texts: &[(String, &'static str)]) -> Result<Vec<usize>, String> {
        let images = std::thread::scope(|scope| {
            let all: Vec<_> =
                texts.iter().map(|(text, _)| scope.spawn(|| driver::compile(text, self.0))).collect();
            all.into_iter().map(|one| one.join().expect("no panic")).collect::<Result<Vec<_>, _>>()
        })?;
        assert!(images.iter().all(|image| image.starts_with(b"\x7fELF")), "machine code");
        Ok(vec![0; texts.len()])
    }

    fn blocks(&mut self, _: usize, _: usize, _: usize) -> Result<usize, String> {
        Ok(1)
    }

    fn allocate(&mut self, _: usize) -> Result<u64, String> {
        Ok(16)
    }

    fn free(&mut self, _: u64) {}

    fn write(&mut self, _: u64, _: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn read(&mut self, _: u64, _: &mut [u8]) -> Result<(), String> {
        Err("there is no memory".to_owned())
    }

    fn launch(&mut self, _: usize, _: usize, _: Grid, _: &[u64]) -> Result<(), String> {
        Err("there is no device".to_owned())
    }
}

#[test]
#[ignore = "needs NVRTC, which .ci/run takes from PyPI"]
fn texts_are_compiled_by_nvrtc() {
    // Formulas, activations and linked points of every sort; the compiler takes seconds for each.
    let names = ["burgers", "black-scholes-soft", "kovasznay", "beam", "poisson-5d", "burgers-inverse"];
    for (k, name) in names.into_iter().enumerate() {
        let mut problem = embedded_problem(name, &[]);
        problem.training.precision = if k % 2 == 0 { Precision::F32 } else { Precision::F64 };
        let machine = Box::new(Compiler(if k / 2 % 2 == 0 { "sm_90" } else { "sm_80" }));
        CudaEngine::new(&problem, machine, 1).unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
    }
    let others = [several(SEVERAL[0]), integral("depth = 2\nwidth = 5")];
    for problem in others {
        CudaEngine::new(&problem, Box::new(Compiler("sm_90")), 1).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
}

/// What a build with CUDA says on a machine without.
#[test]
fn a_machine_without_cuda_is_told_so() {
    if driver::count() > 0 {
        return;
    }
    let problem = embedded_problem("heat", &[]);
    let Err(EngineError::Device(name, wrong)) = device::engine(
        "cuda",
        &Request { problem: &problem, threads: 1, chunk: None, ranks: &Ranks::alone() },
    ) else {
        panic!("there is no such device");
    };
    assert_eq!(name, "cuda");
    assert!(wrong.contains("this machine has no cuda, or its driver is missing"), "{wrong}");
}
