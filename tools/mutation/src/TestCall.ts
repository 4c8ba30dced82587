import { type OnTestFinishedHandler, type RunnerTestCase, TestRunner } from "vitest"

/**
 * Calls the function of a test once more, and says whether it was green. A test that takes much longer than it should
 * is not, nor is one during which something fails that nobody waits for.
 */
export const runTest = async (
  runner: TestRunner,
  test: RunnerTestCase,
  normalMs: number
): Promise<boolean> => {
  const controller = new AbortController()
  const handlers: Array<OnTestFinishedHandler> = []
  Object.assign(test.context, {
    signal: controller.signal,
    onTestFinished: (handler: OnTestFinishedHandler) => {
      handlers.push(handler)
    }
  })
  let isGreen = true
  const fail = () => {
    isGreen = false
  }
  const stopClock = afterTurns(1000 + 5 * normalMs, () => {
    fail()
    controller.abort(new Error("The test takes too long"))
  })
  process.on("unhandledRejection", fail)
  process.on("uncaughtException", fail)
  try {
    runner.onBeforeTryTask(test, { retry: 0, repeats: 0 })
    await TestRunner.getTestFn(test)?.()
    runner.onAfterTryTask(test)
  } catch (error) {
    if (!isSkip(error)) fail()
  }
  stopClock()
  await finish(test, handlers)
  process.off("unhandledRejection", fail)
  process.off("uncaughtException", fail)
  return isGreen
}

const isSkip = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "VITEST_PENDING"

/** What a test wants to be done after it. It may wait for what the test has left behind, but not for ever. */
const finish = async (test: RunnerTestCase, handlers: ReadonlyArray<OnTestFinishedHandler>) => {
  const all = (async () => {
    for (const handler of handlers.toReversed()) await handler(test.context)
  })().catch(() => {})
  let stopClock = () => {}
  await Promise.race([all, new Promise<void>((resolve) => (stopClock = afterTurns(2000, resolve)))])
  stopClock()
  // A rejection that nobody handles is told after the turn in which it happens.
  await new Promise((resolve) => setImmediate(resolve))
}

const turnMs = 50

/** Counts turns of this process and not the time, so that a busy machine does not make a test late. */
const afterTurns = (ms: number, act: () => void): (() => void) => {
  let left = Math.ceil(ms / turnMs)
  const timer = setInterval(() => {
    left -= 1
    if (left > 0) return
    clearInterval(timer)
    act()
  }, turnMs)
  return () => clearInterval(timer)
}
