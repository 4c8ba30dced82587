import { type AccessTokenRequest, OAuthError, OAuthService, type OAuthToken } from "@secure-mcp/oauth-core"
import { type StdioServerEntry, tokenVariables } from "@secure-mcp/transport-injection"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as MutableRef from "effect/MutableRef"
import * as Path from "effect/Path"
import * as Record from "effect/Record"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { ChildCommand } from "../child/ChildCommand.ts"
import { makeTokenFile, type TokenFile } from "../child/TokenFile.ts"
import { ConnectionFailed } from "../jsonrpc/MessageConnection.ts"

/**
 * Makes the command of a child, with a token in its environment. Fails if there is no token: then no child is started.
 *
 * With `token_renewal` "file" the token stands in a file as well, in which it is replaced until the scope closes.
 */
export const makeChildCommand = Effect.fnUntraced(function* (
  entry: StdioServerEntry,
  tokenRequest: (owner: string | undefined) => AccessTokenRequest | undefined
) {
  const oauth = yield* OAuthService
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const { args, command, cwd, env, tokenRenewal } = entry

  return Effect.fnUntraced(
    function* (
      owner: string | undefined
    ): Effect.fn.Return<
      ChildCommand,
      OAuthError | ConnectionFailed,
      Scope.Scope | FileSystem.FileSystem | Path.Path
    > {
      const request = tokenRequest(owner)
      if (request === undefined) return { command, args, cwd, env }
      const { token } = yield* oauth.getAccessToken(request)
      const tokens = MutableRef.make<ReadonlyArray<Redacted.Redacted>>([token.accessToken])
      const withToken = {
        command,
        args,
        cwd,
        env: { ...env, ...redacted(tokenVariables(request.config.tokenEnv, token.accessToken)) },
        tokens: () => MutableRef.get(tokens)
      }
      if (tokenRenewal._tag === "Restart") return { ...withToken, expiresAt: token.expiresAt }
      const file = yield* makeTokenFile(token.accessToken).pipe(
        Effect.mapError(
          ({ reason }) =>
            new ConnectionFailed({
              serverName: entry.serverName,
              problem: `The token file of MCP server "${entry.serverName}" could not be written: ${reason._tag}`
            })
        )
      )
      const replace = (next: Redacted.Redacted) => {
        // Before it can be read: the child may log it.
        MutableRef.update(tokens, (known) => [...known, next].slice(-knownTokens))
        return file.replace(next)
      }
      yield* Effect.forkScoped(
        Effect.annotateLogs(keepRenewed(oauth, request, token, replace), { server_name: entry.serverName })
      )
      return {
        ...withToken,
        env: { ...withToken.env, [tokenRenewal.variable]: Redacted.make(file.path) }
      }
    },
    Effect.provideService(FileSystem.FileSystem, files),
    Effect.provideService(Path.Path, path)
  )
})

/** How many tokens are taken out of the log of a child: the one it has, and those it may still use. */
const knownTokens = 3

/** Writes each token that replaces the one before it. Completes for a token without expiry, and when it has to give up. */
const keepRenewed = (
  oauth: OAuthService["Service"],
  request: AccessTokenRequest,
  first: OAuthToken,
  replace: TokenFile["replace"]
) => {
  const renew = (current: OAuthToken) =>
    Effect.gen(function* () {
      const { token } = yield* oauth.getAccessToken(request)
      if (!token.isAccessToken(current.accessToken)) yield* replace(token.accessToken)
      // A server may give the same token once more, with another expiry.
      else if (token.expiresAt === current.expiresAt) return yield* new NotRenewedYet()
      return token
    }).pipe(
      Effect.tapError((error) =>
        error instanceof NotRenewedYet
          ? Effect.void
          : Effect.logWarning("The token file was not renewed, which is tried again:", error.message)
      ),
      Effect.retry(retries)
    )
  const keep = (current: OAuthToken): Effect.Effect<void, Effect.Error<ReturnType<typeof renew>>> =>
    Effect.gen(function* () {
      if (!(yield* untilRenewal(current, request))) return
      yield* keep(yield* renew(current))
    })
  return Effect.catch(keep(first), () =>
    Effect.logError(
      "The token file was not renewed, which is not tried again: the child keeps the token it has"
    )
  )
}

/** The cache still serves the token: it renews it in the background. */
class NotRenewedYet extends Data.TaggedError("NotRenewedYet") {}

/** For a day: a minute without the authorization server must not be the end of a child that works. */
const retries = Schedule.exponential("100 millis").pipe(
  Schedule.modifyDelay(({ duration }) => Effect.succeed(Duration.min(duration, Duration.minutes(1)))),
  Schedule.upTo({ times: 24 * 60 })
)

/** Waits until the cache renews a token; false at once if it never does. */
const untilRenewal = Effect.fnUntraced(function* (token: OAuthToken, { config }: AccessTokenRequest) {
  if (token.expiresAt === undefined) return false
  const buffer = Math.min(config.tokenExpiryBuffer * 1000, Duration.toMillis(token.lifetime) / 2)
  const now = yield* Clock.currentTimeMillis
  // A token whose time is over at once must not be asked for without a pause.
  yield* sleepUntil(Math.max(token.expiresAt - buffer, now + 1000))
  return true
})

/** A timer is good for 24 days. */
const sleepUntil = (time: number): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    now >= time
      ? Effect.void
      : Effect.andThen(Effect.sleep(Math.min(time - now, 24 * 60 * 60 * 1000)), sleepUntil(time))
  )

const redacted = (variables: Readonly<Record<string, string>>) =>
  Record.map(variables, (value) => Redacted.make(value))
