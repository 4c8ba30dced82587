import { ClientCertificates } from "@secure-mcp/mtls"
import type { IssuedCertificate } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"
import { setImmediate } from "node:timers/promises"
import { configOf, makeMutualTls } from "./MutualTls.ts"

/** A configuration whose files are there to be replaced, and what is logged meanwhile. */
export const makePolledFiles = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const mutualTls = yield* makeMutualTls
  const { alice, caBundlePath } = mutualTls
  const logs: Array<string> = []
  const recorder = Logger.make(({ logLevel, message }) => {
    logs.push(`${logLevel}: ${String(message)}`)
  })
  const { connection } = yield* Layer.build(
    ClientCertificates.layer.pipe(Layer.provide(Logger.layer([recorder])))
  ).pipe(Effect.flatMap((context) => Effect.provide(ClientCertificates, context)))
  const config = configOf(alice, caBundlePath)
  const write = (path: string, text: string) => files.writeFileString(path, text)
  const putCertificate = ({ certificatePem }: IssuedCertificate) =>
    write(alice.certificatePath, certificatePem)
  const putKey = ({ privateKeyPem }: IssuedCertificate) => write(alice.privateKeyPath, privateKeyPem)

  return {
    ...mutualTls,
    logs,
    config,
    connection,
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

/** Lets the interval pass, and the files be read, until this is so. */
export const pollUntil = <R>(isSo: Effect.Effect<boolean, never, R>) =>
  TestClock.adjust("10 seconds").pipe(
    Effect.andThen(Effect.promise(() => setImmediate())),
    Effect.andThen(isSo),
    Effect.repeat({ until: (so) => so })
  )

export const pollUntilLogged = (logs: ReadonlyArray<string>, text: string) =>
  pollUntil(Effect.sync(() => logs.some((line) => line.includes(text))))
