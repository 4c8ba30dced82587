import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Answer, Certificates } from "@secure-mcp/testing"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as TestClock from "effect/testing/TestClock"
import { statusOf, thumbprintOf } from "./MutualTls.ts"
import { makePolledFiles } from "./PolledFiles.ts"

const provideFiles = Effect.provide(NodeServices.layer)

describe("certificate files that change", () => {
  it.effect("changed certificate files are used without a restart, and shown to the server", () =>
    Effect.gen(function* () {
      const { alice, bob, config, connection, isInUse, logs, pollUntil, putPair, server, tokenUrl } =
        yield* makePolledFiles
      const before = yield* connection(config)
      assert.strictEqual(yield* statusOf(before, tokenUrl), 200)
      yield* putPair(bob)
      yield* pollUntil(isInUse(bob))
      const after = yield* connection(config)
      assert.notStrictEqual(after, before)
      assert.strictEqual(yield* statusOf(after, tokenUrl), 200)
      // A caller that chose the connections before the change may still use them.
      assert.strictEqual(yield* statusOf(before, tokenUrl), 200)
      const shown = (yield* server.requests).map(({ peerFingerprint256 }) => thumbprintOf(peerFingerprint256))
      assert.deepStrictEqual(
        shown,
        [alice, bob, alice].map(({ thumbprintSha256 }) => thumbprintSha256)
      )
      const [line = "", ...others] = logs
      assert.isTrue(
        line.startsWith("Info: These certificate files have changed and are used from now on: "),
        line
      )
      assert.include(line, `${alice.certificatePath}, ${alice.privateKeyPath}, `)
      assert.isTrue(line.endsWith("The client certificate expires on 2049-01-01T00:00:00.000Z"), line)
      assert.deepStrictEqual(others, [])
    }).pipe(provideFiles)
  )

  it.effect("the loaded pair stays in use until both changed files belong together, with one warning", () =>
    Effect.gen(function* () {
      const {
        alice,
        bob,
        config,
        connection,
        isInUse,
        logs,
        pollUntil,
        pollUntilLogged,
        putCertificate,
        putKey,
        write
      } = yield* makePolledFiles
      const before = yield* connection(config)
      yield* putCertificate(bob)
      yield* pollUntilLogged("holds another key")
      yield* Effect.repeat(pollUntil(Effect.succeed(true)), { times: 5 })
      assert.lengthOf(logs, 1)
      assert.isTrue(
        logs[0]?.startsWith(
          "Warn: Certificate files have changed and what they held before stays in use: `client_key_path` holds another key"
        ),
        logs[0]
      )
      assert.strictEqual(yield* connection(config), before)

      yield* write(alice.privateKeyPath, "no key")
      yield* pollUntilLogged("no PEM private key")
      assert.lengthOf(logs, 2)
      assert.strictEqual(yield* connection(config), before)

      yield* putKey(bob)
      yield* pollUntilLogged("used from now on")
      assert.isTrue(yield* isInUse(bob))
      assert.lengthOf(logs, 3)
    }).pipe(provideFiles)
  )

  it.effect("certificate files can be absent for a while", () =>
    Effect.gen(function* () {
      const files = yield* FileSystem.FileSystem
      const { alice, config, connection, logs, pollUntilLogged } = yield* makePolledFiles
      const before = yield* connection(config)
      yield* files.rename(alice.privateKeyPath, `${alice.privateKeyPath}.away`)
      yield* pollUntilLogged("names a file that does not exist")
      assert.strictEqual(yield* connection(config), before)
      yield* files.rename(`${alice.privateKeyPath}.away`, alice.privateKeyPath)
      yield* pollUntilLogged("can be used again")
      assert.strictEqual(yield* connection(config), before)
      assert.lengthOf(logs, 2)
    }).pipe(provideFiles)
  )

  it.effect("a certificate that is not valid never replaces a valid one", () =>
    Effect.gen(function* () {
      const { alice, authority, config, connection, isInUse, pollUntilLogged, putPair } =
        yield* makePolledFiles
      yield* connection(config)
      const early = yield* authority.issueClient("early", { notBefore: new Date(3_600_000) })
      yield* putPair(early)
      yield* pollUntilLogged("is not valid before 1970-01-01T01:00:00.000Z")
      assert.isTrue(yield* isInUse(alice))
      yield* TestClock.adjust("1 hour")
      yield* pollUntilLogged("used from now on")
      assert.isTrue(yield* isInUse(early))
    }).pipe(provideFiles)
  )

  it.effect("certificate files are read again when only the authorities changed", () =>
    Effect.gen(function* () {
      const { caBundlePath, config, connection, logs, pollUntilLogged, tokenUrl, write } =
        yield* makePolledFiles
      const other = yield* Certificates.makeAuthority("Other CA")
      yield* write(caBundlePath, other.certificatePem)
      // Not in use yet: the files are read at the first request.
      yield* TestClock.adjust("1 minute")
      const untrusting = yield* connection(config)
      assert.include(String(yield* Effect.exit(statusOf(untrusting, tokenUrl))), "certificate")
      assert.deepStrictEqual(logs, [])
      yield* write(caBundlePath, "")
      yield* pollUntilLogged("`ca_bundle_path` holds no PEM certificate")
      assert.strictEqual(yield* connection(config), untrusting)
    }).pipe(provideFiles)
  )

  it.effect("requests on old connections finish, and then these connections close", () =>
    Effect.gen(function* () {
      const { bob, config, connection, isInUse, pollUntil, putPair, server, tokenUrl } =
        yield* makePolledFiles
      const gate = yield* Deferred.make<void>()
      yield* server.always("/slow", Answer.held(gate, Answer.json({})))
      const before = yield* connection(config)
      const slow = yield* Effect.forkChild(statusOf(before, server.endpoint("/slow")))
      yield* server.received(1)

      yield* putPair(bob)
      yield* pollUntil(isInUse(bob))
      // Fifty seconds more.
      yield* Effect.repeat(pollUntil(Effect.succeed(true)), { times: 4 })
      assert.strictEqual(yield* statusOf(before, tokenUrl), 200)
      yield* pollUntil(Effect.succeed(true))
      assert.isTrue(yield* refuses(before, tokenUrl))

      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(slow), 200)
      assert.strictEqual(yield* statusOf(yield* connection(config), tokenUrl), 200)
    }).pipe(provideFiles)
  )

  it.effect("restored certificate files use the earlier connections if these are still open", () =>
    Effect.gen(function* () {
      const { alice, bob, config, connection, isInUse, pollUntil, putPair, tokenUrl } = yield* makePolledFiles
      const before = yield* connection(config)
      for (const one of [bob, alice]) {
        yield* putPair(one)
        yield* pollUntil(isInUse(one))
      }
      assert.strictEqual(yield* connection(config), before)
      yield* Effect.repeat(pollUntil(Effect.succeed(true)), { times: 20 })
      assert.strictEqual(yield* statusOf(before, tokenUrl), 200)
    }).pipe(provideFiles)
  )
})

const refuses = (connection: Parameters<typeof statusOf>[0], url: string) =>
  Effect.map(Effect.exit(statusOf(connection, url)), (exit) => String(exit).includes("ClientClosedError"))
