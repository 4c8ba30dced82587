/**
 * A gateway with several workers, for the command of this family: may change in any release.
 *
 * @module
 */
export { serveWithWorkers } from "./Owner.ts"
export { runWorker } from "./WorkerMain.ts"
