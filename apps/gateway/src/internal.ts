/**
 * For the tools of this repository only: not part of what is published.
 *
 * @module
 */
export { importFiles } from "./import/Import.ts"
