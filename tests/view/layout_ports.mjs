/** Lay out the pictures in a file, and write the layouts as JSON: layout_ports.mjs BUNDLE PICTURES */

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [bundle, file] = process.argv.slice(2);
const { layout } = await import(pathToFileURL(bundle).href);
const layouts = JSON.parse(readFileSync(file, "utf8")).map(({ picture, wrap }) => {
  const { boxes, layers, clusters, ...rest } = layout(picture, wrap === "inf" ? Infinity : wrap);
  return { ...rest, boxes: [...boxes], layers: [...layers], clusters: [...clusters] };
});
process.stdout.write(JSON.stringify(layouts));
