import { type OAuthEvent, OAuthEventListeners } from "@secure-mcp/oauth-core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/**
 * What happened to the token of the client, by the name of the event. Durations are in milliseconds. `subject` is the one of the
 * options, for a token that a person granted.
 */
export interface OAuthClientEvents {
  /** A caller got the token that was held. */
  readonly CacheHit: OAuthClientEvent<"CacheHit">
  /** No token could be given at once. */
  readonly CacheMiss: OAuthClientEvent<"CacheMiss">
  /** A token was obtained; with `refresh`, it replaced another one. */
  readonly TokenAcquired: OAuthClientEvent<"TokenAcquired">
  /** No token could be obtained; `reason` as in `OAuthClientError`. */
  readonly AcquisitionFailed: OAuthClientEvent<"AcquisitionFailed">
  /** The token was removed on request. */
  readonly TokenInvalidated: OAuthClientEvent<"TokenInvalidated">
  /** The token expired. */
  readonly TokenExpired: OAuthClientEvent<"TokenExpired">
  /** The authorization server was told to revoke the token. */
  readonly TokenRevoked: OAuthClientEvent<"TokenRevoked">
  /** Connections present this client certificate from now on; `expiresAt` in milliseconds since the epoch. */
  readonly CertificateInUse: OAuthClientEvent<"CertificateInUse">
}

/** One event: its name as `type`, and what else is known. Contains no token. */
export type OAuthClientEvent<Name extends OAuthEvent["_tag"]> = { readonly type: Name } & Spelled<
  Extract<OAuthEvent, { readonly _tag: Name }>
>

type Spelled<Event> = {
  readonly [
    Key in keyof Event as Key extends "_tag" ? never : Key extends "duration" ? "durationMs" : Key
  ]: Key extends "duration" ? number : Event[Key]
}

/** Called with each event of one name. */
export type OAuthClientListener<Name extends keyof OAuthClientEvents> = (
  event: OAuthClientEvents[Name]
) => void

type Listener = (event: Readonly<Record<string, unknown>>) => unknown

/** The listeners of a client. */
export class ClientEvents {
  readonly #listeners = new Map<string, ReadonlySet<Listener>>()

  /** Calls the listener with each event of a name until the returned function is called. */
  on<Name extends keyof OAuthClientEvents>(name: Name, listener: OAuthClientListener<Name>): () => void {
    // A wrapper of its own for each call, so that the same function can listen twice.
    const listen: Listener = (event) => Reflect.apply(listener, undefined, [event])
    this.#listeners.set(name, new Set([...(this.#listeners.get(name) ?? []), listen]))
    return () => {
      this.#listeners.set(
        name,
        new Set([...(this.#listeners.get(name) ?? [])].filter((one) => one !== listen))
      )
    }
  }

  /** Calls the listeners one after the other. One that fails hurts neither the others nor the caller. */
  emit(event: OAuthEvent): void {
    const listeners = this.#listeners.get(event._tag)
    if (listeners === undefined || listeners.size === 0) return
    const spelled = Object.fromEntries(Object.entries(event).map(spell))
    for (const listener of listeners) {
      try {
        const returned = listener(spelled)
        if (returned instanceof Promise) returned.catch(() => undefined)
      } catch {
        // An event is news, not a question: nobody waits for the listener's answer.
      }
    }
  }

  /** Hands the events of the services on. */
  readonly layer = OAuthEventListeners.listen({
    name: "the listeners of the client",
    receive: (event) => Effect.sync(() => this.emit(event)),
    countHit: (serverName, hits) => {
      if (!this.#listeners.has("CacheHit")) return
      for (let hit = 0; hit < hits; hit += 1) this.emit({ _tag: "CacheHit", serverName })
    }
  })
}

const spell = ([key, value]: readonly [string, unknown]): readonly [string, unknown] => {
  if (key === "_tag") return ["type", value]
  return Duration.isDuration(value) ? ["durationMs", Duration.toMillis(value)] : [key, value]
}
