/** What `built/layout.js` exports: the layout alone, for tests and for other pages. */

export { layout } from "./layout";
export { checked } from "./picture";
