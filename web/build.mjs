// Bundles the script of report.html and its style into a directory: node build.mjs DIR.
// The same sources give the same bytes.
import { execFileSync } from "node:child_process";
import { build } from "esbuild";

const to = process.argv[2] ?? "../page/assets";
const goroot = execFileSync("go", ["env", "GOROOT"], { encoding: "utf8" }).trim();

await build({
  entryPoints: { page: "src/main.ts" },
  outdir: to,
  bundle: true,
  minify: true,
  charset: "ascii",
  format: "iife",
  target: ["chrome111", "firefox113", "safari16.4"],
  legalComments: "none",
  banner: { js: "/* With uPlot (MIT, Leon Sorokin) and wasm_exec.js (BSD, The Go Authors). */" },
  alias: { "wasm-exec": `${goroot}/lib/wasm/wasm_exec.js` },
  logLevel: "warning",
});
await build({
  entryPoints: { page: "src/page.css" },
  outdir: to,
  bundle: true,
  minify: true,
  charset: "ascii",
  logLevel: "warning",
});
