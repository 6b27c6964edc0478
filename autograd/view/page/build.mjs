/** Bundle the page's scripts into `built/`, which is committed. */

import { build } from "esbuild";

const common = { bundle: true, target: "es2022", minify: true, charset: "utf8" };

/** The worker's script as text, to go into the bundles that start it (see `src/worker.ts`). */
async function workerText() {
  const options = { ...common, entryPoints: ["src/layout_worker.ts"], format: "iife", write: false };
  const { outputFiles } = await build(options);
  return outputFiles[0].text;
}

await build({
  ...common,
  entryPoints: { layout: "src/layout_module.ts" },
  outdir: "built",
  format: "esm",
  define: { LAYOUT_WORKER: JSON.stringify(await workerText()) },
});
