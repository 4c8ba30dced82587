import type { GrantRequest, RequestRefused } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/**
 * Remembers that a server refused to give a token for the token of a caller, by server, person and hash of that token, so that a client
 * that asks again and again does not ask the authorization server as often.
 */
export class RefusedExchanges extends Context.Service<
  RefusedExchanges,
  {
    readonly remember: (request: GrantRequest, refusal: RequestRefused) => Effect.Effect<void>
    /** Forgets what a person was refused at a server, because they have consented since. */
    readonly consented: (request: GrantRequest) => Effect.Effect<void>
    /** The refusal that still counts; undefined if there is none, and for a request without the token of a caller. */
    readonly find: (request: GrantRequest) => Effect.Effect<RequestRefused | undefined>
  }
>()("@secure-mcp/oauth-flows/RefusedExchanges") {
  static readonly layer: Layer.Layer<RefusedExchanges> = Layer.sync(RefusedExchanges, () => {
    const refused = new Map<string, Remembered>()
    return {
      remember: (request, refusal) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          const key = keyOf(request)
          if (key === undefined) return
          refused.delete(key)
          refused.set(key, { refusal, until: now + counts, ofPerson: personOf(request) })
          const [oldest] = refused.keys()
          if (refused.size > capacity && oldest !== undefined) refused.delete(oldest)
        }),
      consented: (request) =>
        Effect.sync(() => {
          const person = personOf(request)
          for (const [key, { ofPerson }] of refused) if (ofPerson === person) refused.delete(key)
        }),
      find: (request) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          const key = keyOf(request)
          const found = key === undefined ? undefined : refused.get(key)
          return found !== undefined && now < found.until ? found.refusal : undefined
        })
    }
  })
}

interface Remembered {
  readonly refusal: RequestRefused
  readonly until: number
  readonly ofPerson: string
}

/** Milliseconds. */
const counts = Duration.toMillis("30 seconds")

/** The oldest is forgotten first: it is asked about once more. */
const capacity = 10_000

const keyOf = (request: GrantRequest): string | undefined =>
  request.callerToken && `${personOf(request)} ${request.callerToken.hash}`

const personOf = ({ configId, projectId, serverName, subject }: GrantRequest): string =>
  JSON.stringify([projectId, configId, serverName, subject])
