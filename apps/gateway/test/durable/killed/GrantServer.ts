import { Answer, ProviderBehaviour, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"

/**
 * An authorization server with an MCP server. It replaces a refresh token each time it is used, ends the grant when one
 * is used twice, and revokes what it is told to.
 */
export const startGrantServer = Effect.gen(function* () {
  const stub = yield* StubAuthorizationServer.make()
  const mcp = yield* StubAuthorizationServer.make()
  const counts = { grants: 0, tokens: 0 }
  /** The number of the refresh token of each grant that is good; undefined when the grant has ended. */
  const grants = new Map<string, number | undefined>()
  const revoked: Array<string> = []

  const issue = (grant: string) => {
    counts.tokens += 1
    return Answer.token({
      access_token: `${secretOf("access")}.${counts.tokens}`,
      ...(grant === "" ? {} : { refresh_token: `${secretOf("refresh")}.${grant}.${grants.get(grant)}` })
    })
  }
  const begin = () => {
    counts.grants += 1
    const grant = `grant${counts.grants}`
    grants.set(grant, 0)
    return issue(grant)
  }
  const renew = (refreshToken: string) => {
    const [, grant = "", number] = refreshToken.split(".")
    const current = grants.get(grant)
    if (current === undefined || String(current) !== number) {
      grants.set(grant, undefined)
      return Answer.json({ error: "invalid_grant" }, { status: 400 })
    }
    grants.set(grant, current + 1)
    return issue(grant)
  }
  yield* stub.always(
    "/token",
    Answer.respondWith(({ form }) =>
      Effect.sync(() => {
        const grantType = form.get("grant_type")
        if (grantType === "refresh_token") return renew(form.get("refresh_token") ?? "")
        return grantType === "client_credentials" ? issue("") : begin()
      })
    )
  )
  yield* stub.always(
    "/device",
    Answer.json({
      device_code: `${secretOf("device")}.code`,
      user_code: "WDJB-MJHT",
      verification_uri: stub.endpoint("/verify"),
      expires_in: 600,
      interval: 1
    })
  )
  yield* stub.always(
    "/revoke",
    Answer.respondWith(({ form }) =>
      Effect.sync(() => {
        const token = form.get("token") ?? ""
        revoked.push(token)
        const [, grant] = token.split(".")
        if (grant !== undefined && grants.has(grant)) grants.set(grant, undefined)
        return Answer.text("")
      })
    )
  )
  yield* stub.always("/authorize", ProviderBehaviour.authorizes())
  yield* mcp.always("/mcp", ProviderBehaviour.protectsResource())

  return {
    port: Number(new URL(stub.url).port),
    /** How many tokens it issued. */
    issued: () => counts.tokens,
    /** How many refresh tokens came after the first one of the first grant; undefined when the grant has ended. */
    generation: () => grants.get("grant1"),
    revoked: (): ReadonlyArray<string> => revoked,
    entry: (oauth: object) => ({
      server_name: "notes",
      config: { url: mcp.endpoint("/mcp") },
      oauth: {
        enabled: true,
        token_url: stub.endpoint("/token"),
        client_id: "gateway",
        enforce_https: false,
        ...oauth
      }
    }),
    endpoint: stub.endpoint
  }
})

export type GrantServer = Effect.Success<typeof startGrantServer>

/** What every token of a kind begins with, to be looked for where it must not be. */
export const secretOf = (kind: "access" | "device" | "refresh"): string => `${kind}-token-of-the-person`
