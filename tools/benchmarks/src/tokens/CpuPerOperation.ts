/** Does so many operations one after the other. */
export type Operations = (count: number) => Promise<void>

/** What one operation costs this process, in microseconds: all of its threads, so that garbage is paid for. */
export const cpuPerOperation = async (
  operations: Operations,
  options: {
    /** Operations between two looks at the clock. */
    readonly batch: number
    /** Processor time after which it ends, in milliseconds. */
    readonly milliseconds: number
  }
): Promise<{ readonly cpu: number; readonly rate: number }> => {
  const begin = process.cpuUsage()
  const start = performance.now()
  for (let done = options.batch; ; done += options.batch) {
    await operations(options.batch)
    const { system, user } = process.cpuUsage(begin)
    if (user + system >= options.milliseconds * 1000)
      return { cpu: (user + system) / done, rate: done / ((performance.now() - start) / 1000) }
  }
}
