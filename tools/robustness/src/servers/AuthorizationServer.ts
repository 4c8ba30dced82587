import * as Effect from "effect/Effect"
import type { ServerResponse } from "node:http"
import { answerJson, bodyOf, listen } from "./LoopbackServer.ts"

/** What is wrong with the token endpoint now. */
export type Trouble =
  /** It answers 503. */
  | "unavailable"
  /** It reads each request and closes the connection. */
  | "breaks"
  /** It carries out each request and closes the connection instead of answering: a rotation is lost. */
  | "loses answers"

export interface AuthorizationServerOptions {
  /** Seconds that a token lives. */
  readonly lifetime: number
  /**
   * Milliseconds in which a refresh token that was replaced is still accepted; a later use ends its grant (RFC 9700
   * §4.14.2).
   */
  readonly grace: number
}

interface Grant {
  current: number
  readonly replacedAt: Map<number, number>
  ended: boolean
}

/**
 * An authorization server whose person always agrees: `/authorize` and `/token`, with refresh tokens that are replaced at
 * each use.
 */
export const startAuthorizationServer = Effect.fnUntraced(function* (options: AuthorizationServerOptions) {
  const state = {
    trouble: undefined as Trouble | undefined,
    issued: 0,
    requests: 0,
    lostGrants: 0,
    afterEnd: 0
  }
  const grants = new Map<string, Grant>()
  const tokens = new Map<string, number>()

  const give = (refreshToken?: string) => {
    state.issued += 1
    const accessToken = `access-${state.issued}`
    tokens.set(accessToken, performance.now() + options.lifetime * 1000)
    return {
      status: 200,
      body: {
        access_token: accessToken,
        token_type: "Bearer",
        expires_in: options.lifetime,
        ...(refreshToken === undefined ? {} : { refresh_token: refreshToken })
      }
    }
  }

  const refresh = (refreshToken: string) => {
    const [, name = "", number = "0"] = /^refresh-(\d+)-(\d+)$/.exec(refreshToken) ?? []
    const grant = grants.get(name)
    if (grant === undefined || grant.ended) {
      state.afterEnd += 1
      return { status: 400, body: { error: "invalid_grant" } }
    }
    const replacedAt = grant.replacedAt.get(Number(number))
    if (replacedAt !== undefined && performance.now() - replacedAt > options.grace) {
      grant.ended = true
      state.lostGrants += 1
      return { status: 400, body: { error: "invalid_grant", error_description: "used before" } }
    }
    if (replacedAt === undefined) {
      grant.replacedAt.set(grant.current, performance.now())
      grant.replacedAt.delete(grant.current - 10)
      grant.current += 1
    }
    return give(`refresh-${name}-${grant.current}`)
  }

  const answerTo = (form: URLSearchParams) => {
    switch (form.get("grant_type")) {
      case "refresh_token":
        return refresh(form.get("refresh_token") ?? "")
      case "authorization_code": {
        const name = String(grants.size + 1)
        grants.set(name, { current: 1, replacedAt: new Map(), ended: false })
        return give(`refresh-${name}-1`)
      }
      default:
        return give()
    }
  }

  const token = (form: URLSearchParams, response: ServerResponse) => {
    state.requests += 1
    if (state.trouble === "unavailable")
      return answerJson(response, 503, { error: "temporarily_unavailable" })
    if (state.trouble === "breaks") return response.destroy()
    const { body, status } = answerTo(form)
    return state.trouble === "loses answers" ? response.destroy() : answerJson(response, status, body)
  }

  const server = yield* listen((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://loopback.invalid")
    if (pathname === "/token")
      return void bodyOf(request).then(
        (body) => token(new URLSearchParams(body), response),
        () => response.destroy()
      )
    const back = URL.parse(searchParams.get("redirect_uri") ?? "")
    if (pathname !== "/authorize" || back === null) return answerJson(response, 404, { error: "not_found" })
    back.searchParams.set("code", "a-code")
    back.searchParams.set("state", searchParams.get("state") ?? "")
    return response.writeHead(302, { location: back.href }).end()
  })

  return {
    ...server,
    state,
    isValid: (accessToken: string): boolean => (tokens.get(accessToken) ?? 0) > performance.now(),
    /** Forgets tokens that have expired; a soak would collect them without end. */
    forgetExpired: (): void => {
      for (const [token, end] of tokens) if (end < performance.now() - 60_000) tokens.delete(token)
    }
  }
})

export type AuthorizationServer = Effect.Success<ReturnType<typeof startAuthorizationServer>>
