import type { Figures } from "../measurement/Measurement.ts"

/** What a worker is told at start. */
export interface WorkerOptions {
  /** The token endpoint. */
  readonly tokenUrl: string
  /** Keys of the cache. */
  readonly keys: number
  /** Processor time of each figure, in milliseconds. */
  readonly milliseconds: number
  /** The share of the full work. */
  readonly share: number
}

/** The program of a worker: it is set up once, and measures one round whenever it is asked to. */
export const serveRounds = (setUp: (options: WorkerOptions) => Promise<() => Promise<Figures>>): void => {
  const options: WorkerOptions = JSON.parse(process.argv[2] ?? "{}")
  const ready = setUp(options)
  process.on("message", () => {
    void ready.then((take) => take()).then((figures) => process.send?.(figures))
  })
  process.on("SIGTERM", () => process.exit(0))
  process.on("disconnect", () => process.exit(0))
}
