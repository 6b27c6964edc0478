// Bundles src/ into built/: script and style of the explorer, what a page of a training adds, and the
// playground, which the Python package ships, and the layout as a module, which the tests compare
// with Python's.
import { build } from "esbuild";
import { stat } from "node:fs/promises";

const LIMITS = { explorer: 140_000, replay: 60_000, playground: 60_000 }; // bytes, script and style

const options = {
  outdir: "built",
  bundle: true,
  minify: true,
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
};
const entryPoints = {
  explorer: "src/main.ts",
  replay: "src/replay/main.ts",
  playground: "src/playground/main.ts",
};
await build({ ...options, entryPoints, format: "iife" });
await build({ ...options, entryPoints: { layout: "src/layout_module.ts" }, format: "esm" });

for (const [name, limit] of Object.entries(LIMITS)) {
  const sizes = await Promise.all(["js", "css"].map((kind) => stat(`built/${name}.${kind}`)));
  const total = sizes.reduce((sum, { size }) => sum + size, 0);
  console.log(`built/${name}.js and .css: ${(total / 1000).toFixed(1)} kB`);
  if (total > limit) throw new Error(`${name} is over its limit of ${limit / 1000} kB`);
}
