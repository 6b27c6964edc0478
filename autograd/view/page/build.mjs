// Bundles src/ into built/explorer.js and built/explorer.css, which the Python package ships.
import { build } from "esbuild";
import { stat } from "node:fs/promises";

const LIMIT = 100_000; // bytes of script and style together

await build({
  entryPoints: { explorer: "src/main.ts" },
  outdir: "built",
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
});

const sizes = await Promise.all(["js", "css"].map((kind) => stat(`built/explorer.${kind}`)));
const total = sizes.reduce((sum, { size }) => sum + size, 0);
console.log(`built/explorer.js and .css: ${(total / 1000).toFixed(1)} kB`);
if (total > LIMIT) throw new Error(`the bundle is over its limit of ${LIMIT / 1000} kB`);
