import { serveStdio } from "@modelcontextprotocol/server/stdio"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { makeMcpServer } from "./EchoTools.ts"

const AccessToken = Config.Redacted("ENKRYPT_ACCESS_TOKEN").pipe(Config.option)

/**
 * The echo server on standard input and output, until standard input ends. The token is read from
 * `ENKRYPT_ACCESS_TOKEN` once, at the start.
 */
export const runStdio: Effect.Effect<void, Config.ConfigError> = Effect.gen(function* () {
  const found = yield* AccessToken
  const token = Option.getOrUndefined(Option.filter(found, (token) => Redacted.value(token) !== ""))
  const runPromise = Effect.runPromiseWith(yield* Effect.context())
  const ended = standardInputEnd()
  yield* Effect.acquireRelease(
    Effect.sync(() => serveStdio(() => makeMcpServer(() => token, runPromise))),
    (connection) => Effect.promise(() => connection.close())
  )
  yield* Effect.promise(() => ended)
}).pipe(Effect.scoped)

const standardInputEnd = () =>
  new Promise<void>((resolve) => {
    process.stdin.once("end", () => resolve()).once("close", () => resolve())
  })
