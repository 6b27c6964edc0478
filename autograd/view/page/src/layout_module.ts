/** What `built/layout.js` exports: the layout alone, for tests. */

export { layout } from "./layout";
export { checked } from "./picture";
