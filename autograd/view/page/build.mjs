// Bundles src/ into built/: script and style of the explorer and of the playground, which the Python
// package ships, and the layout as a module, which the tests compare with the layout in Python.
import { build } from "esbuild";
import { stat } from "node:fs/promises";

const LIMITS = { explorer: 147_000, playground: 60_000 }; // bytes of script and style together

const options = {
  outdir: "built",
  bundle: true,
  minify: true,
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
};
const pages = { explorer: "src/main.ts", playground: "src/playground/main.ts" };
await build({ ...options, entryPoints: pages, format: "iife" });
await build({ ...options, entryPoints: { layout: "src/layout_module.ts" }, format: "esm" });

for (const [page, limit] of Object.entries(LIMITS)) {
  const sizes = await Promise.all(["js", "css"].map((kind) => stat(`built/${page}.${kind}`)));
  const total = sizes.reduce((sum, { size }) => sum + size, 0);
  console.log(`built/${page}.js and .css: ${(total / 1000).toFixed(1)} kB`);
  if (total > limit) throw new Error(`the bundle is over its limit of ${limit / 1000} kB`);
}
