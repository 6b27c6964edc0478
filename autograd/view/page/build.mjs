/** Bundle the page's scripts into `built/`, which is committed. */

import { build } from "esbuild";

await build({
  entryPoints: { layout: "src/layout_module.ts" },
  outdir: "built",
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
});
