//! CUDA's driver and its run-time compiler as a [`Machine`]; both libraries are looked for when they are first asked for.
//!
//! It knows addresses, kernels and streams; it knows no networks and no equations.

#![expect(unsafe_code, reason = "the driver is a C library: memory is copied and kernels started by address")]

use std::ffi::{CString, c_void};
use std::sync::Arc;

use cudarc::driver::sys::{CUdevice_attribute, CUfunction_attribute};
use cudarc::driver::{CudaContext, CudaEvent, CudaFunction, CudaStream, DriverError, result};
use cudarc::nvrtc::{self, Ptx};

use super::{Grid, Machine};

/// Bytes of page-locked memory through which copies go; longer ones go in parts.
const STAGING: usize = 1 << 24;

/// One CUDA device.
pub struct Cuda {
    context: Arc<CudaContext>,
    /// What [`Machine::launch`] calls lanes; the first one is lane 0.
    lanes: Vec<Arc<CudaStream>>,
    /// Ends of kernels that lane 0 does not wait for yet.
    open: Vec<CudaEvent>,
    /// The last thing that lane 0 was asked for, if it did something since the other lanes last waited for it.
    last: Option<Arc<CudaEvent>>,
    /// For every lane: does it wait for `last`?
    waits: Vec<bool>,
    kernels: Vec<CudaFunction>,
    /// For every kernel the shared memory that its blocks may have.
    room: Vec<usize>,
    staging: Staging,
    architecture: String,
    processors: usize,
    shared: usize,
}

/// Page-locked memory of the host.
struct Staging(*mut u8);

// SAFETY: nobody else has the pointer.
unsafe impl Send for Staging {}

/// How many CUDA devices there are, as far as the driver is there.
pub fn count() -> usize {
    // SAFETY: loading the driver runs its initializers, as any program does that is linked with it.
    let present = unsafe { cudarc::driver::sys::is_culib_present() };
    if !present {
        return 0;
    }
    CudaContext::device_count().ok().and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
}

/// The device with this index, as a user sees it.
pub fn name(index: usize) -> Option<String> {
    if index < count() { CudaContext::new(index).ok()?.name().ok() } else { None }
}

impl Cuda {
    /// The device with this index.
    ///
    /// # Errors
    ///
    /// If the driver or NVRTC is missing, or the driver refuses.
    pub fn new(index: usize) -> Result<Self, String> {
        // SAFETY: as in [`count`].
        if !unsafe { nvrtc::sys::is_culib_present() } {
            return Err("CUDA's compiler libnvrtc is not found; `pip install nvidia-cuda-nvrtc` has it, and its folder \
                        belongs into LD_LIBRARY_PATH (see docs/engines.md)"
                .to_owned());
        }
        let context = CudaContext::new(index).map_err(|wrong| said("opening the device", wrong))?;
        let attribute = |which| {
            let value = context.attribute(which).map_err(|wrong| said("asking the device", wrong))?;
            Ok::<usize, String>(usize::try_from(value).unwrap_or(0))
        };
        let (major, minor) =
            context.compute_capability().map_err(|wrong| said("asking the device", wrong))?;
        let processors = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        let shared = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?;
        let stream = context.new_stream().map_err(|wrong| said("making a stream", wrong))?;
        // SAFETY: the context is current on this thread.
        let staging = unsafe { result::malloc_host(STAGING, 0) };
        let staging = staging.map_err(|wrong| said("taking page-locked memory", wrong))?;
        Ok(Self {
            context,
            lanes: vec![stream],
            open: vec![],
            last: None,
            waits: vec![true],
            kernels: vec![],
            room: vec![],
            staging: Staging(staging.cast()),
            architecture: format!("sm_{major}{minor}"),
            processors,
            shared,
        })
    }

    /// Lane 0 waits for all others.
    fn join(&mut self) -> Result<(), DriverError> {
        for event in self.open.drain(..) {
            self.lanes[0].wait(&event)?;
        }
        self.last = None;
        self.waits.fill(false);
        Ok(())
    }

    fn copy_in(&mut self, address: u64, bytes: &[u8]) -> Result<(), DriverError> {
        self.context.bind_to_thread()?;
        self.join()?;
        for (k, part) in bytes.chunks(STAGING).enumerate() {
            self.lanes[0].synchronize()?;
            // SAFETY: the staging memory is that long, nothing on its way reads it any more, and it outlives the copy,
            // which the next use of it waits for; the destination is memory of the device, as long as `bytes`.
            unsafe {
                std::ptr::copy_nonoverlapping(part.as_ptr(), self.staging.0, part.len());
                let staged = std::slice::from_raw_parts(self.staging.0, part.len());
                let to = address + (k * STAGING) as u64;
                result::memcpy_htod_async(to, staged, self.lanes[0].cu_stream())?;
            }
        }
        Ok(())
    }

    fn copy_out(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), DriverError> {
        self.context.bind_to_thread()?;
        self.join()?;
        for (k, part) in bytes.chunks_mut(STAGING).enumerate() {
            // SAFETY: as above, and the copy has ended before it is read.
            unsafe {
                let staged = std::slice::from_raw_parts_mut(self.staging.0, part.len());
                let from = address + (k * STAGING) as u64;
                result::memcpy_dtoh_async(staged, from, self.lanes[0].cu_stream())?;
                self.lanes[0].synchronize()?;
                std::ptr::copy_nonoverlapping(self.staging.0.cast_const(), part.as_mut_ptr(), part.len());
            }
        }
        Ok(())
    }

    fn start(
        &mut self,
        lane: usize,
        kernel: usize,
        grid: Grid,
        arguments: &[u64],
    ) -> Result<(), DriverError> {
        self.context.bind_to_thread()?;
        while self.lanes.len() <= lane {
            self.lanes.push(self.context.new_stream()?);
            self.waits.push(false);
        }
        if lane == 0 {
            self.join()?;
        } else if !self.waits[lane] {
            let last = match &self.last {
                Some(last) => Arc::clone(last),
                None => Arc::new(self.lanes[0].record_event(None)?),
            };
            self.lanes[lane].wait(&last)?;
            self.last = Some(last);
            self.waits[lane] = true;
        }
        let function = &self.kernels[kernel];
        self.allow(kernel, grid.shared)?;
        let number = |x: usize| u32::try_from(x).unwrap_or(u32::MAX);
        let mut parameters = [arguments.as_ptr().cast::<c_void>().cast_mut()];
        // SAFETY: the kernel's one parameter is a structure of as many 8-byte numbers as `arguments` has, whose addresses
        // are those of memory that the engine keeps; they are copied before the call returns.
        unsafe {
            result::launch_kernel(
                function.cu_function(),
                (number(grid.blocks), 1, 1),
                (number(grid.threads), 1, 1),
                number(grid.shared),
                self.lanes[lane].cu_stream(),
                &mut parameters,
            )?;
        }
        if lane > 0 {
            self.open.push(self.lanes[lane].record_event(None)?);
        }
        Ok(())
    }

    /// Lets blocks of a kernel have so much shared memory.
    fn allow(&self, kernel: usize, shared: usize) -> Result<(), DriverError> {
        if shared <= self.room[kernel] {
            return Ok(());
        }
        let bytes = i32::try_from(shared).unwrap_or(i32::MAX);
        let most = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        self.kernels[kernel].set_attribute(most, bytes)
    }
}

impl Machine for Cuda {
    fn processors(&self) -> usize {
        self.processors
    }

    fn shared(&self) -> usize {
        self.shared
    }

    fn compile(&mut self, texts: &[(String, &'static str)]) -> Result<Vec<usize>, String> {
        let architecture = &*self.architecture;
        // A text takes seconds, and NVRTC compiles several at once.
        let images: Vec<_> = std::thread::scope(|scope| {
            let all = texts.iter().map(|(text, _)| scope.spawn(move || compile(text, architecture)));
            let all: Vec<_> = all.collect();
            let panicked = || Err("NVRTC's thread ended too early".to_owned());
            all.into_iter().map(|one| one.join().unwrap_or_else(|_| panicked())).collect()
        });
        let mut kernels = vec![];
        for (image, (_, kernel)) in images.into_iter().zip(texts) {
            let module = self.context.load_module(Ptx::from_binary(image?));
            let function = module.and_then(|module| module.load_function(kernel));
            kernels.push(self.kernels.len());
            self.kernels.push(function.map_err(|wrong| said("loading a kernel", wrong))?);
            // What blocks may have without asking.
            self.room.push(48 << 10);
        }
        Ok(kernels)
    }

    fn blocks(&mut self, kernel: usize, threads: usize, shared: usize) -> Result<usize, String> {
        let wrong = |wrong| said("asking how many blocks fit", wrong);
        self.context.bind_to_thread().map_err(wrong)?;
        self.allow(kernel, shared).map_err(wrong)?;
        let function = &self.kernels[kernel];
        let threads = u32::try_from(threads).unwrap_or(u32::MAX);
        let blocks = function.occupancy_max_active_blocks_per_multiprocessor(threads, shared, None);
        Ok(blocks.map_err(wrong)? as usize)
    }

    fn allocate(&mut self, bytes: usize) -> Result<u64, String> {
        let allocate = || {
            self.context.bind_to_thread()?;
            // SAFETY: the memory is cleared before anybody has its address.
            unsafe {
                let address = result::malloc_sync(bytes)?;
                result::memset_d8_sync(address, 0, bytes)?;
                Ok(address)
            }
        };
        // The memory is cleared in another stream than those of the kernels.
        let cleared = |address| self.context.synchronize().map(|()| address);
        allocate().and_then(cleared).map_err(|wrong: DriverError| {
            format!(
                "{} (for {bytes} bytes of the device's memory); take fewer points or a smaller network",
                said("allocation", wrong)
            )
        })
    }

    fn free(&mut self, address: u64) {
        // Who frees has nothing to say to a device that is gone.
        let _ = self.context.bind_to_thread().and_then(|()| self.context.synchronize());
        // SAFETY: the address is one that was allocated, no kernel runs, and its owner forgets it.
        let _ = unsafe { result::free_sync(address) };
    }

    fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), String> {
        self.copy_in(address, bytes).map_err(|wrong| said("a copy to the device", wrong))
    }

    fn read(&mut self, address: u64, bytes: &mut [u8]) -> Result<(), String> {
        self.copy_out(address, bytes).map_err(|wrong| said("a computation or a copy from the device", wrong))
    }

    fn write_numbers(&mut self, address: u64, numbers: &[f64]) -> Result<(), String> {
        // SAFETY: numbers are bytes, too.
        let bytes = unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) };
        self.write(address, bytes)
    }

    fn read_numbers(&mut self, address: u64, numbers: &mut [f64]) -> Result<(), String> {
        // SAFETY: any eight bytes are a number.
        let bytes =
            unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), size_of_val(numbers)) };
        self.read(address, bytes)
    }

    fn launch(&mut self, lane: usize, kernel: usize, grid: Grid, arguments: &[u64]) -> Result<(), String> {
        self.start(lane, kernel, grid, arguments).map_err(|wrong| said("starting a kernel", wrong))
    }
}

impl Drop for Cuda {
    fn drop(&mut self) {
        let _ = self.context.bind_to_thread().and_then(|()| self.context.synchronize());
        // SAFETY: nothing is on its way, and the memory is this device's.
        let _ = unsafe { result::free_host(self.staging.0.cast()) };
    }
}

fn said(what: &str, wrong: DriverError) -> String {
    let name = wrong.error_string().map(|text| text.to_string_lossy().into_owned());
    format!("{what} failed: {}", name.unwrap_or_else(|_| format!("{wrong:?}")))
}

/// Machine code for an architecture such as `sm_90`, by NVRTC.
///
/// # Errors
///
/// With the compiler's messages.
pub fn compile(text: &str, architecture: &str) -> Result<Vec<u8>, String> {
    let text = CString::new(text).map_err(|_| "a text with a zero byte".to_owned())?;
    let program = nvrtc::result::create_program(&text, Some(c"pinn-solve.cu"));
    let program = program.map_err(|wrong| format!("NVRTC failed: {wrong:?}"))?;
    let options = [format!("--gpu-architecture={architecture}"), "--std=c++17".to_owned()];
    // SAFETY: the program was just created and is destroyed once, below; the image is as long as NVRTC says.
    unsafe {
        let compiled = nvrtc::result::compile_program(program, &options);
        let image = compiled.and_then(|()| {
            let mut bytes = 0;
            nvrtc::sys::nvrtcGetCUBINSize(program, &raw mut bytes).result()?;
            let mut image = vec![0_u8; bytes];
            nvrtc::sys::nvrtcGetCUBIN(program, image.as_mut_ptr().cast()).result()?;
            Ok(image)
        });
        let log = nvrtc::result::get_program_log(program).unwrap_or_default();
        let log: Vec<u8> = log.into_iter().map(|c| c as u8).take_while(|&c| c != 0).collect();
        let destroyed = nvrtc::result::destroy_program(program);
        let image = image.and_then(|image| destroyed.map(|()| image));
        image.map_err(|wrong| {
            format!("NVRTC cannot compile for {architecture} ({wrong:?}):\n{}", String::from_utf8_lossy(&log))
        })
    }
}
