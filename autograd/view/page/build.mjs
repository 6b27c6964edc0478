// Bundles src/ into built/: the page's script and style, which the Python package ships, and the
// layout as a module, which the tests compare with the layout in Python.
import { build } from "esbuild";
import { stat } from "node:fs/promises";

const LIMIT = 147_000; // bytes of script and style together

const options = {
  outdir: "built",
  bundle: true,
  minify: true,
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
};
await build({ ...options, entryPoints: { explorer: "src/main.ts" }, format: "iife" });
await build({ ...options, entryPoints: { layout: "src/layout_module.ts" }, format: "esm" });

const sizes = await Promise.all(["js", "css"].map((kind) => stat(`built/explorer.${kind}`)));
const total = sizes.reduce((sum, { size }) => sum + size, 0);
console.log(`built/explorer.js and .css: ${(total / 1000).toFixed(1)} kB`);
if (total > LIMIT) throw new Error(`the bundle is over its limit of ${LIMIT / 1000} kB`);
