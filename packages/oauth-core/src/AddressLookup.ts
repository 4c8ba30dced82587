import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import { lookup } from "node:dns/promises"

/**
 * Port: looks up the IP addresses of a host name. By default the system's resolver.
 *
 * @example
 * ```ts
 * import { AddressLookup } from "@secure-mcp/oauth-core"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * const Fixed = Layer.succeed(AddressLookup, {
 *   lookup: (hostname) =>
 *     hostname === "auth.example.com" ? Effect.succeed(["192.0.2.1"]) : Effect.fail({ code: "ENOTFOUND" })
 * })
 * ```
 */
export const AddressLookup = Context.Reference<{
  /** Fails with an error code of the resolver (`ENOTFOUND`, `EAI_AGAIN`, …). */
  readonly lookup: (hostname: string) => Effect.Effect<ReadonlyArray<string>, { readonly code: string }>
}>("@secure-mcp/oauth-core/AddressLookup", {
  defaultValue: () => ({
    lookup: (hostname) =>
      Effect.tryPromise({
        try: () => lookup(hostname, { all: true }),
        catch: (error) => ({ code: resolverCode(error) })
      }).pipe(Effect.map((found) => found.map(({ address }) => address)))
  })
})

const resolverCode = (error: unknown): string =>
  Predicate.hasProperty(error, "code") && Predicate.isString(error.code) ? error.code : "EAI_FAIL"

/** The addresses that a connection may lead to. */
export interface AddressRule {
  /** The same for the same rule, so that connections can be shared. */
  readonly id: string
  /** @param address an IP address */
  readonly allows: (address: string) => boolean
}

/** The error code of a connection to an address that a rule does not allow. Nothing was sent. */
export const addressNotAllowed = "ADDRESS_NOT_ALLOWED"
