import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { ClientCertificates, MtlsOAuthHttp } from "@secure-mcp/mtls"
import { OAuthEvents, OAuthHttp, type OAuthEvent } from "@secure-mcp/oauth-core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"
import { configOf } from "./MutualTls.ts"
import { makePolledFiles } from "./PolledFiles.ts"

/** Days on the clock of the test, which starts in 1970. */
const day = (days: number) => new Date(days * 86_400_000)

/** What is logged for the operator. */
const warningsOf = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const warnings: Array<string> = []
  const recorder = Logger.make(({ message }) => {
    warnings.push(String(message))
  })
  yield* effect.pipe(Effect.provide(Logger.layer([recorder])))
  return warnings
})

const provideFiles = Effect.provide(NodeServices.layer)

describe("the time of a client certificate", () => {
  it.effect("the expiry is published for each server when a certificate is loaded or replaced", () =>
    Effect.gen(function* () {
      const { authority, config, connection, isInUse, pollUntil, putPair, subscribe } = yield* makePolledFiles
      yield* putPair(yield* authority.issueClient("client", { notAfter: day(100) }))
      const events: Array<OAuthEvent> = []
      yield* Effect.gen(function* () {
        const context = yield* Layer.build(
          MtlsOAuthHttp.layer.pipe(
            Layer.provide([
              Layer.succeed(ClientCertificates, { connection, current: () => undefined, subscribe }),
              Layer.succeed(OAuthEvents, { publish: (event) => Effect.sync(() => void events.push(event)) })
            ])
          )
        )
        const http = Context.get(context, OAuthHttp)
        yield* http.connection(config)
        assert.deepStrictEqual(events, [])
        for (const serverName of ["a", "b", "a"]) yield* http.connection(config, { serverName })
        const renewed = yield* authority.issueClient("renewed", { notAfter: day(200) })
        yield* putPair(renewed)
        yield* pollUntil(isInUse(renewed))
        yield* pollUntil(Effect.succeed(true))
      }).pipe(Effect.scoped)
      assert.deepStrictEqual(
        events,
        [100, 200].flatMap((days) =>
          ["a", "b"].map((serverName) => ({
            _tag: "CertificateInUse" as const,
            serverName,
            expiresAt: day(days).getTime()
          }))
        )
      )

      yield* putPair(yield* authority.issueClient("later", { notAfter: day(300) }))
      yield* pollUntil(Effect.succeed(true))
      yield* pollUntil(Effect.succeed(true))
      assert.lengthOf(events, 4)
    }).pipe(provideFiles)
  )

  it.effect("an expired certificate fails the connection until a new certificate is there", () =>
    Effect.gen(function* () {
      const { alice, authority, config, connection, isInUse, pollUntil, putPair } = yield* makePolledFiles
      const short = yield* authority.issueClient("short", { notAfter: day(1) })
      yield* putPair(short)
      yield* TestClock.setTime(day(1).getTime())
      yield* connection(config)
      yield* TestClock.adjust("1 second")
      const error = yield* Effect.flip(connection(config))
      assert.strictEqual(error.key, "client_cert_path")
      assert.strictEqual(
        error.problem,
        `holds a certificate that expired on 1970-01-02T00:00:00.000Z: ${alice.certificatePath}. Put a new one there; it is used without a restart`
      )
      yield* putPair(alice)
      yield* pollUntil(Effect.orElseSucceed(Effect.as(connection(config), true), () => false))
      assert.isTrue(yield* isInUse(alice))
    }).pipe(provideFiles)
  )

  it.effect("a certificate that is not valid yet fails the connection until it is", () =>
    Effect.gen(function* () {
      const { alice, authority, config, connection, putPair } = yield* makePolledFiles
      yield* putPair(yield* authority.issueClient("early", { notBefore: day(1) }))
      const error = yield* Effect.flip(connection(config))
      assert.strictEqual(error.key, "client_cert_path")
      assert.strictEqual(
        error.problem,
        `holds a certificate that is not valid before 1970-01-02T00:00:00.000Z: ${alice.certificatePath}. Check the clock of this machine, or put one there that is valid now`
      )
      yield* TestClock.setTime(day(1).getTime())
      yield* connection(config)
    }).pipe(provideFiles)
  )

  it.effect("an expiring certificate logs one warning a day, from 14 days before its end", () =>
    Effect.gen(function* () {
      const { alice, authority, config, connection, logs, pollUntil, pollUntilLogged, putPair } =
        yield* makePolledFiles
      yield* putPair(yield* authority.issueClient("client", { notAfter: day(20) }))
      yield* connection(config)
      yield* TestClock.setTime(day(5.9).getTime())
      yield* pollUntil(Effect.succeed(true))
      assert.deepStrictEqual(logs, [])

      const warned: Array<string> = []
      for (const [at, says] of [
        [6, "expires on 1970-01-21T00:00:00.000Z, in 13 days"],
        [7.1, "expires on 1970-01-21T00:00:00.000Z, in 12 days"],
        [18.5, "expires on 1970-01-21T00:00:00.000Z, in 1 day"],
        [19.6, "expires on 1970-01-21T00:00:00.000Z, in less than a day"],
        [21, "expired on 1970-01-21T00:00:00.000Z and is not used"]
      ] as const) {
        yield* TestClock.setTime(day(at).getTime())
        yield* pollUntilLogged(says)
        warned.push(
          `Warn: The client certificate in ${alice.certificatePath} (\`client_cert_path\`) ${says}. Put a new one there; it is used without a restart`
        )
      }
      assert.deepStrictEqual(logs, warned)
    }).pipe(provideFiles)
  )

  it.effect("each file with an expiring certificate gets its own warning", () =>
    Effect.gen(function* () {
      const { authority, caBundlePath, connection, directory } = yield* makePolledFiles
      const short = yield* authority.issueClient("short", { notAfter: day(3) })
      const first = yield* short.writeTo(directory, "first")
      const second = yield* short.writeTo(directory, "second")
      const warnings = yield* warningsOf(
        Effect.forEach([first, second, first], (files) => connection(configOf(files, caBundlePath)))
      )
      assert.deepStrictEqual(
        warnings.map((line) => /in (\S+)-cert\.pem /.exec(line)?.[1]),
        [`${directory}/first`, `${directory}/second`]
      )
    }).pipe(provideFiles)
  )

  it.effect("a certificate that expires soon logs a warning when it is loaded", () =>
    Effect.gen(function* () {
      const { authority, config, connection, putPair } = yield* makePolledFiles
      yield* putPair(yield* authority.issueClient("client", { notAfter: day(3) }))
      const warnings = yield* warningsOf(connection(config))
      assert.lengthOf(warnings, 1)
      assert.include(warnings[0], "in 3 days")
    }).pipe(provideFiles)
  )
})
