// Go's own wasm_exec.js, of the toolchain that builds the simulator: it defines Go.
declare module "wasm-exec";
