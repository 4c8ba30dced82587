import { assert } from "@effect/vitest"
import { OAuthService } from "@secure-mcp/oauth-core"
import { TokenStore } from "@secure-mcp/token-cache"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { asProcess } from "./AsProcess.ts"
import { baseEnvironment } from "../cli/gatewayProcess.ts"
import type { RefreshWatch, startRotatingServer } from "./RotatingServer.ts"

type Server = Effect.Success<typeof startRotatingServer>

/** What there is to know of a process that was killed while it renewed a grant, and of the one after it. */
interface Aftermath {
  /** Whether the server had replaced the refresh token. */
  readonly rotated: boolean
  /** Whether the store had the new one. */
  readonly stored: boolean
  /** What the next process made of it. */
  readonly next: "token" | "login needed"
}

/** The person gives the grant of this name. */
export const grant = (document: object, name: string) =>
  asProcess(document, (request) =>
    Effect.gen(function* () {
      const oauth = yield* OAuthService
      const { authorizationUrl } = yield* oauth.authorize(request, {
        redirectUri: "http://127.0.0.1/callback"
      })
      const state = new URL(authorizationUrl).searchParams.get("state") ?? ""
      yield* oauth.completeAuthorization({ code: name, state })
    })
  )

const storedRefreshToken = (document: object) =>
  asProcess(document, () =>
    Effect.gen(function* () {
      const [entry] = yield* (yield* TokenStore).list
      return entry?.token.refreshToken && Redacted.value(entry.token.refreshToken)
    })
  )

/** Waits until the lease of the dead process has ended, and renews the grant. */
const renewAgain = (document: object) =>
  asProcess(document, (request) =>
    Effect.flatMap(OAuthService, (oauth) => oauth.refresh(request)).pipe(
      Effect.as("token" as const),
      Effect.catchReason("OAuthError", "AuthorizationRequired", () => Effect.succeed("login needed" as const))
    )
  )

/** Looks at what a killed process has left, and goes on with it. */
const examine = Effect.fnUntraced(function* (server: Server, document: object, name: string) {
  const rotated = server.grantOf(name).generation === 1
  const stored = yield* storedRefreshToken(document)
  assert.include([`${name}.0`, `${name}.1`], stored)
  return {
    rotated,
    stored: stored === `${name}.1`,
    next: yield* renewAgain(document)
  } satisfies Aftermath
})

/**
 * The next process goes on wherever the protocol allows it, and only where it does not a person is needed. Among the
 * killed processes are some of each kind: before the server had replaced the token, after that, and after it was stored.
 */
export const assertTheNextGoesOn = Effect.fnUntraced(function* (
  server: Server,
  killed: ReadonlyArray<{ readonly document: object; readonly name: string }>
) {
  const aftermaths = yield* Effect.forEach(killed, ({ document, name }) => examine(server, document, name), {
    concurrency: "unbounded"
  })
  for (const { next, rotated, stored } of aftermaths) {
    assert.isFalse(stored && !rotated)
    assert.strictEqual(next, rotated && !stored ? "login needed" : "token")
  }
  const kinds = aftermaths.map(({ rotated, stored }) => (stored ? "stored" : rotated ? "lost" : "untouched"))
  assert.deepStrictEqual(new Set(kinds), new Set(["untouched", "lost", "stored"]))
})

/** Kills the process when its refresh has arrived at the server, or when it was handled. */
export const killAt = (moment: keyof RefreshWatch, kill: () => void): RefreshWatch => ({
  arrived: Effect.void,
  handled: Effect.void,
  [moment]: Effect.andThen(Effect.sync(kill), Effect.never)
})

export const runToItsEnd = Effect.fnUntraced(function* (
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>,
  started: (kill: () => void) => Effect.Effect<void>
) {
  const child = spawn(process.execPath, args, { env: { ...baseEnvironment, ...env } })
  let [said, problems] = ["", ""]
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (problems += text))
  const ended = once(child, "close")
  yield* started(() => child.kill("SIGKILL"))
  yield* Effect.promise(() => ended)
  if (child.signalCode === null && child.exitCode !== 0) return yield* Effect.die(new Error(problems))
  return { said, killed: child.signalCode === "SIGKILL" }
})
