import { Misconfigured } from "@secure-mcp/oauth-core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { SignJWT } from "jose"
import { randomUUID } from "node:crypto"
import type { Client } from "./Client.ts"
import type { PrivateKey } from "./PrivateKey.ts"

/** Seconds: long enough for a slow request, too short to be useful to a thief. */
const lifetime = 60

/**
 * Makes a JWT that proves possession of the client's key (RFC 7523 §3). It is for one request: its `jti` is used once.
 */
export const clientAssertion = Effect.fn("ClientAssertion.clientAssertion")(function* (
  { audience, clientId }: Client,
  { algorithm, key, keyId }: PrivateKey
) {
  const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
  const assertion = yield* Effect.tryPromise({
    try: () =>
      new SignJWT()
        .setProtectedHeader({ alg: algorithm, typ: "JWT", ...(keyId === undefined ? {} : { kid: keyId }) })
        .setIssuer(clientId)
        .setSubject(clientId)
        .setAudience(audience)
        .setJti(randomUUID())
        .setIssuedAt(now)
        .setExpirationTime(now + lifetime)
        .sign(key),
    catch: () => new Misconfigured({ problem: "`private_key` cannot sign" })
  })
  return Redacted.make(assertion)
})
