import { ClientCertificates } from "@secure-mcp/mtls"
import type { IssuedCertificate } from "@secure-mcp/testing"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"
import { setImmediate } from "node:timers/promises"
import { configOf, makeMutualTls } from "./MutualTls.ts"

/** A configuration whose files can be replaced, and what is logged meanwhile. */
export const makePolledFiles = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const mutualTls = yield* makeMutualTls
  const { alice, caBundlePath } = mutualTls
  const logs: Array<string> = []
  const recorder = Logger.make(({ logLevel, message }) => {
    // On a busy machine the test clock complains that a fiber sleeps.
    if (!String(message).startsWith("A test is using time")) logs.push(`${logLevel}: ${String(message)}`)
  })
  const clock = yield* makeWatchedClock
  const { connection, subscribe } = yield* Layer.build(
    ClientCertificates.layer.pipe(Layer.provide(Logger.layer([recorder])))
  ).pipe(
    Effect.flatMap((context) => Effect.provide(ClientCertificates, context)),
    Effect.provideService(Clock.Clock, clock.watched)
  )
  const config = configOf(alice, caBundlePath)
  const write = (path: string, text: string) => files.writeFileString(path, text)
  const putCertificate = ({ certificatePem }: IssuedCertificate) =>
    write(alice.certificatePath, certificatePem)
  const putKey = ({ privateKeyPem }: IssuedCertificate) => write(alice.privateKeyPath, privateKeyPem)

  /** Lets the interval pass, so that the files are read again, until this is true; at least once. */
  const pollUntil = <R>(isSo: Effect.Effect<boolean, never, R>) =>
    Effect.repeat(Effect.andThen(clock.untilAsleepAgain("10 seconds"), isSo), { until: (so) => so })

  return {
    ...mutualTls,
    logs,
    pollUntil,
    pollUntilLogged: (text: string) => pollUntil(Effect.sync(() => logs.some((line) => line.includes(text)))),
    config,
    connection,
    subscribe,
    write,
    putCertificate,
    putKey,
    putPair: (issued: IssuedCertificate) => Effect.andThen(putCertificate(issued), putKey(issued)),
    isInUse: ({ thumbprintSha256 }: IssuedCertificate) =>
      Effect.map(
        Effect.orDie(connection(config)),
        ({ certificateThumbprint }) => certificateThumbprint === thumbprintSha256
      )
  }
})

/**
 * The clock of the test for one fiber that sleeps, works and sleeps again. Its work takes real time, in which the clock
 * must stand still.
 */
const makeWatchedClock = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  let sleeps = 0
  const untilSleeps = (count: number) =>
    Effect.repeat(
      Effect.promise(() => setImmediate()),
      { until: () => sleeps >= count }
    )
  return {
    watched: {
      ...clock,
      sleep: (duration: Duration.Duration) =>
        Effect.suspend(() => {
          sleeps += 1
          return clock.sleep(duration)
        })
    },
    untilAsleepAgain: (duration: Duration.Input) =>
      Effect.suspend(() => {
        const next = Math.max(sleeps, 1) + 1
        return untilSleeps(next - 1).pipe(
          Effect.andThen(TestClock.adjust(duration)),
          Effect.andThen(untilSleeps(next))
        )
      })
  }
})
