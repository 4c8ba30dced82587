import { type AccessTokenRequest, type OAuthError, OAuthService } from "@secure-mcp/oauth-core"
import { type Limits, type StdioServerEntry, tokenVariables } from "@secure-mcp/transport-injection"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Record from "effect/Record"
import * as Redacted from "effect/Redacted"
import type { ChildCommand } from "../child/ChildCommand.ts"
import { ChildProcesses } from "../child/ChildProcesses.ts"
import { startChildServer } from "../child/ChildServer.ts"
import * as StdioBridge from "../bridge/StdioBridge.ts"
import { type Upstream, UpstreamFailure } from "./Upstream.ts"

/** Makes the upstream of an entry with a `command`: a child process, offered over Streamable HTTP. */
export const makeStdioUpstream = Effect.fnUntraced(function* (
  entry: StdioServerEntry,
  tokenRequest: Upstream["tokenRequest"],
  limits: Limits
) {
  const childCommand = yield* makeChildCommand(entry, (owner: string | undefined) =>
    tokenRequest({ subject: owner })
  )
  const processes = yield* ChildProcesses
  const { serverName } = entry
  const bridge = yield* StdioBridge.make({
    serverName,
    limits,
    startTimeout: Duration.seconds(entry.startTimeoutSeconds),
    connect: (owner) => (onMessage) =>
      childCommand(owner).pipe(
        Effect.flatMap((command) => startChildServer(serverName, command, onMessage, limits)),
        Effect.provideService(ChildProcesses, processes)
      )
  })
  return {
    tokenRequest,
    handle: ({ body, caller, request, response }) =>
      body.rest === undefined
        ? bridge.handle(request, response, body.head, caller.subject)
        : Effect.fail(
            new UpstreamFailure({
              serverName: entry.serverName,
              reason: "RequestTooLarge",
              problem: "a stdio server takes messages of up to 4 MiB"
            })
          )
  } satisfies Upstream
})

/** Makes the command of a child, with a token in its environment. Fails if there is no token: then no child is started. */
export const makeChildCommand = (
  entry: StdioServerEntry,
  tokenRequest: (owner: string | undefined) => AccessTokenRequest | undefined
) =>
  Effect.map(
    OAuthService,
    (oauth) =>
      (owner: string | undefined): Effect.Effect<ChildCommand, OAuthError> => {
        const { args, command, cwd, env } = entry
        const request = tokenRequest(owner)
        if (request === undefined) return Effect.succeed({ command, args, cwd, env })
        return Effect.map(oauth.getAccessToken(request), ({ token }) => ({
          command,
          args,
          cwd,
          env: { ...env, ...redacted(tokenVariables(request.config.tokenEnv, token.accessToken)) },
          token: token.accessToken,
          expiresAt: token.expiresAt
        }))
      }
  )

const redacted = (variables: Readonly<Record<string, string>>) =>
  Record.map(variables, (value) => Redacted.make(value))
