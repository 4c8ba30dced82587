import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, layer } from "@effect/vitest"
import { EndpointUnavailable, OAuthError, OAuthService, OAuthToken } from "@secure-mcp/oauth-core"
import { decodeServerEntry } from "@secure-mcp/transport-injection"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { makeRedactor } from "../../../../packages/gateway-server/src/child/ChildCommand.ts"
import { makeChildCommand } from "../../../../packages/gateway-server/src/upstream/ChildToken.ts"
import { accessTokenRequest } from "../../../../packages/gateway-server/src/upstream/Servers.ts"
import { until } from "../bridge/bridgeServer.ts"

const entryOf = (config: object = {}) => {
  const entry = Result.getOrThrow(
    decodeServerEntry({
      server_name: "child",
      config: { command: "node", ...config },
      oauth: {
        enabled: true,
        token_url: "https://auth.example.com/token",
        client_id: "client",
        client_secret: "secret"
      }
    })
  )
  return entry._tag === "Stdio" ? entry : assert.fail("not a stdio server")
}

const inFile = { token_renewal: "file", token_file_env: "TOKEN_FILE" }

/** A token that is valid for an hour from now. */
const hourToken = (text: string) =>
  Effect.map(
    Clock.currentTimeMillis,
    (now) =>
      new OAuthToken({
        accessToken: Redacted.make(text),
        tokenType: "Bearer",
        issuedAt: now,
        expiresAt: now + 3_600_000,
        reusable: true
      })
  )

/** A child's command, its tokens from `answer`, and what was logged meanwhile. */
const start = Effect.fnUntraced(function* (
  config: object,
  first: Effect.Effect<OAuthToken> = hourToken("first-token")
) {
  const answer = yield* Ref.make<Effect.Effect<OAuthToken, OAuthError>>(yield* Effect.cached(first))
  const asked = yield* Ref.make(0)
  const logs: Array<string> = []
  const oauth = Layer.mock(OAuthService, {
    peek: () => undefined,
    getAccessToken: () =>
      Ref.update(asked, (count) => count + 1).pipe(
        Effect.andThen(Ref.get(answer)),
        Effect.flatten,
        Effect.map((token) => ({ token, source: "cache" as const }))
      )
  })
  const entry = entryOf(config)
  const childCommand = yield* makeChildCommand(entry, () =>
    accessTokenRequest(entry, { configId: "config", projectId: "project" }, undefined)
  ).pipe(Effect.provide(oauth))
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
  const command = yield* childCommand(undefined).pipe(
    Scope.provide(scope),
    Effect.provide(Logger.layer([Logger.make(({ message }) => logs.push(JSON.stringify(message)))]))
  )
  const variable = command.env["TOKEN_FILE"]
  return {
    command,
    path: variable === undefined ? "" : Redacted.value(variable),
    answer,
    asked,
    logs,
    close: Scope.close(scope, Exit.void)
  }
})

const contentOf = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : undefined)

const modeOf = (path: string) => statSync(path).mode & 0o777

describe("the token of a child", () => {
  layer(NodeServices.layer)((it) => {
    it.effect(
      "a token that is not renewed in a file has its expiry, so that the child can be restarted",
      () =>
        Effect.gen(function* () {
          const { command, path } = yield* start({})
          assert.strictEqual(command.expiresAt, 3_600_000)
          assert.strictEqual(path, "")
          assert.deepStrictEqual(command.env["ENKRYPT_ACCESS_TOKEN"], Redacted.make("first-token"))
        })
    )

    it.effect(
      "a token file can be read by this user alone, holds the token alone, and is gone in the end",
      () =>
        Effect.gen(function* () {
          const { close, command, path } = yield* start(inFile)
          assert.isUndefined(command.expiresAt)
          assert.strictEqual(readFileSync(path, "utf8"), "first-token")
          assert.strictEqual(modeOf(path), 0o600)
          assert.strictEqual(modeOf(dirname(path)), 0o700)
          yield* close
          assert.isFalse(existsSync(dirname(path)))
        })
    )

    it.effect("each child has a token file of its own, at a place that nobody can guess", () =>
      Effect.gen(function* () {
        const [one, other] = [yield* start(inFile), yield* start(inFile)]
        assert.notStrictEqual(one.path, other.path)
      })
    )

    it.effect("a token file gets the next token before the one in it expires, in one step", () =>
      Effect.gen(function* () {
        const { answer, asked, command, path } = yield* start(inFile)
        const inode = statSync(path).ino
        yield* TestClock.adjust("50 minutes")
        assert.strictEqual(yield* Ref.get(asked), 1)
        const second = yield* Effect.cached(hourToken("second-token"))
        // The cache serves the old token while it renews it: the file waits for the new one.
        yield* TestClock.adjust("6 minutes")
        assert.isAbove(yield* Ref.get(asked), 1)
        assert.strictEqual(readFileSync(path, "utf8"), "first-token")
        yield* Ref.set(answer, second)
        yield* TestClock.adjust("1 minute")
        yield* until(() => contentOf(path) === "second-token")
        assert.notStrictEqual(statSync(path).ino, inode)
        assert.strictEqual(modeOf(path), 0o600)
        assert.deepStrictEqual(readdirSync(dirname(path)), ["token"])
        assert.strictEqual(makeRedactor(command)("first-token second-token"), "<redacted> <redacted>")
        // And so on.
        yield* Ref.set(answer, yield* Effect.cached(hourToken("third-token")))
        yield* TestClock.adjust("58 minutes")
        yield* until(() => contentOf(path) === "third-token")
      })
    )

    it.effect(
      "a token that cannot be renewed is tried again, the log says so, and the child keeps its file",
      () =>
        Effect.gen(function* () {
          const { answer, logs, path } = yield* start(inFile)
          yield* Ref.set(
            answer,
            OAuthError.fail({
              operation: "get an access token",
              serverName: "child",
              reason: new EndpointUnavailable({ endpoint: "the token endpoint", status: 503 })
            })
          )
          yield* TestClock.adjust("2 hours")
          yield* until(() => logs.some((line) => line.includes("tried again")))
          assert.strictEqual(readFileSync(path, "utf8"), "first-token")
          yield* Ref.set(answer, yield* Effect.cached(hourToken("late-token")))
          yield* TestClock.adjust("1 minute")
          yield* until(() => contentOf(path) === "late-token")
          assert.notInclude(logs.join("\n"), "first-token")
        })
    )

    it.effect("after a day without success the renewal is given up, and the log says so", () =>
      Effect.gen(function* () {
        const { logs } = yield* start(inFile)
        yield* TestClock.adjust("1 hour")
        yield* TestClock.adjust("25 hours")
        yield* until(() => logs.some((line) => line.includes("not tried again")))
      })
    )

    it.effect("a server that gives the same token with a later expiry is not asked again before that", () =>
      Effect.gen(function* () {
        const { answer, asked, path } = yield* start(inFile)
        yield* TestClock.adjust("54 minutes")
        yield* Ref.set(answer, yield* Effect.cached(hourToken("first-token")))
        yield* TestClock.adjust("3 minutes")
        const before = yield* Ref.get(asked)
        yield* TestClock.adjust("50 minutes")
        assert.strictEqual(yield* Ref.get(asked), before)
        yield* Ref.set(answer, yield* Effect.cached(hourToken("second-token")))
        yield* TestClock.adjust("5 minutes")
        yield* until(() => contentOf(path) === "second-token")
      })
    )

    it.effect("a token without expiry is written once", () =>
      Effect.gen(function* () {
        const endless = Effect.map(
          hourToken("first-token"),
          ({ accessToken, issuedAt, reusable, tokenType }) => {
            return new OAuthToken({ accessToken, issuedAt, reusable, tokenType })
          }
        )
        const { asked } = yield* start(inFile, endless)
        yield* TestClock.adjust("30 days")
        assert.strictEqual(yield* Ref.get(asked), 1)
      })
    )
  })
})
