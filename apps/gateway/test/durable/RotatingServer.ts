import { Answer, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"

/** What the server knows of one grant. */
export interface Grant {
  /** How often the refresh token was replaced; only the last one is good. */
  generation: number
  /** A refresh token was used a second time, so the grant has ended (RFC 9700 §4.14.2). */
  revoked: boolean
}

/** What happens around a refresh; a process can be killed there. */
export interface RefreshWatch {
  readonly arrived: Effect.Effect<void>
  readonly handled: Effect.Effect<void>
}

const unwatched: RefreshWatch = { arrived: Effect.void, handled: Effect.void }

/**
 * An authorization server that replaces a refresh token each time it is used, and ends the grant when one is used
 * twice. A code is the name of the grant it is for; so is what stands before the generation in a refresh token.
 */
export const startRotatingServer = Effect.gen(function* () {
  const stub = yield* StubAuthorizationServer.make()
  const grants = new Map<string, Grant>()
  const watches = new Map<string, RefreshWatch>()
  let issued = 0

  const tokens = (name: string, { generation }: Grant) =>
    Answer.token({
      access_token: `access-${(issued += 1)}`,
      refresh_token: `${name}.${generation}`,
      expires_in: 3600
    })

  const begin = (name: string) => {
    const grant = { generation: 0, revoked: false }
    grants.set(name, grant)
    return tokens(name, grant)
  }

  const refresh = Effect.fnUntraced(function* (refreshToken: string) {
    const [name = "", generation] = refreshToken.split(".")
    const { arrived, handled } = watches.get(name) ?? unwatched
    watches.delete(name)
    yield* arrived
    const grant = grants.get(name)
    if (grant === undefined || grant.revoked || Number(generation) !== grant.generation) {
      if (grant !== undefined) grant.revoked = true
      return Answer.json({ error: "invalid_grant" }, { status: 400 })
    }
    grant.generation += 1
    yield* handled
    return tokens(name, grant)
  })

  yield* stub.always(
    "/token",
    Answer.respondWith(({ form }) =>
      form.get("grant_type") === "refresh_token"
        ? refresh(form.get("refresh_token") ?? "")
        : Effect.sync(() => begin(form.get("code") ?? ""))
    )
  )
  return {
    grantOf: (name: string): Grant => grants.get(name) ?? { generation: -1, revoked: true },
    /** Watches the next refresh of a grant. */
    watch: (name: string, watch: RefreshWatch) => Effect.sync(() => void watches.set(name, watch)),
    /** An entry whose tokens a person grants here. */
    entry: {
      server_name: "notes",
      config: { url: stub.endpoint("/mcp") },
      oauth: {
        enabled: true,
        version: "2.1",
        grant_type: "authorization_code",
        authorization_url: stub.endpoint("/authorize"),
        token_url: stub.endpoint("/token"),
        client_id: "gateway",
        enforce_https: false
      }
    }
  }
})
