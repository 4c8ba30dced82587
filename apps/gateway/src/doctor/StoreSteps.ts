import { ClientCertificates } from "@secure-mcp/mtls"
import {
  type AccessTokenRequest,
  isPersonalGrant,
  type Misconfigured,
  type OAuthToken,
  type StoreUnavailable
} from "@secure-mcp/oauth-core"
import { tokenFingerprint, tokenKeyOf } from "@secure-mcp/oauth-core/internal"
import { tokenOfEntry, TokenStore } from "@secure-mcp/token-cache"
import * as Context from "effect/Context"
import * as Digest from "effect/crypto/Digest"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { type GatewayConfig, gatewayStore } from "@secure-mcp/gateway-server"
import { failed, ok, type Step, warning } from "./Step.ts"

/** The store of a configuration, or why it cannot be used. */
export const openStore = Effect.fnUntraced(function* (config: GatewayConfig) {
  const built = yield* Effect.result(Layer.build(gatewayStore(config)))
  return Result.map(built, Context.get(TokenStore))
})

/** Whether the store can be used, and the lease of this token be taken; and what it has stored. */
export const storeSteps = (
  config: GatewayConfig,
  request: AccessTokenRequest,
  opened: Result.Result<TokenStore["Service"], Misconfigured | StoreUnavailable>
) =>
  Effect.gen(function* () {
    const store = yield* Effect.fromResult(opened)
    yield* store.checkWritable
    const { isShared, kind } = describe(config, request)
    const steps: Array<Step> = [
      ok("store", `${kind} can be written`, { type: config.store.type ?? "default" })
    ]
    const key = yield* keyOf(request)
    if (key === undefined) return { steps, token: undefined }
    if (isShared) steps.push(yield* leaseStep(store, key))
    const entry = yield* store.get(key)
    const token = tokenOfEntry(entry)
    if (isPersonalGrant(request.config.grantType)) steps.push(grantStep(token, request))
    return { steps, token }
  }).pipe(
    Effect.catchTag(["StoreUnavailable", "Misconfigured"], ({ message }) =>
      Effect.succeed<Stored>({
        steps: [failed("store", message, "Check `store`, and who may write there")],
        token: undefined
      })
    )
  )

/** What is known of the store. */
export interface Stored {
  readonly steps: ReadonlyArray<Step>
  readonly token: OAuthToken | undefined
}

const describe = ({ store }: GatewayConfig, { config }: AccessTokenRequest) => {
  if (store.type === "redis") return { kind: "Redis answers and", isShared: true }
  if (store.type === "postgres") return { kind: "PostgreSQL answers and", isShared: true }
  if (store.type === "sqlite") return { kind: "the SQLite file", isShared: true }
  return store.type === "file" || (store.type === undefined && isPersonalGrant(config.grantType))
    ? { kind: "the folder of encrypted files", isShared: true }
    : { kind: "tokens of this server stay in memory, which", isShared: false }
}

/** Undefined without a certificate that can be used, of which another step tells. */
const keyOf = Effect.fnUntraced(
  function* (request: AccessTokenRequest) {
    const { certificateThumbprint } = yield* (yield* ClientCertificates).connection(
      request.config,
      request.proxies
    )
    const fingerprint = yield* tokenFingerprint(request.config, certificateThumbprint, request.resourceUrl)
    return tokenKeyOf(request, fingerprint)
  },
  Effect.provide(Digest.layerWebCrypto),
  Effect.orElseSucceed(() => undefined)
)

const leaseStep = Effect.fnUntraced(function* (
  store: TokenStore["Service"],
  key: ReturnType<typeof tokenKeyOf>
) {
  const lease = yield* store.lease(key, Duration.seconds(10))
  if (lease === undefined) {
    return warning(
      "lease",
      "another process has the lease of this token now",
      "Nothing has to be done if a gateway is just renewing the token: ask again in a minute"
    )
  }
  yield* lease.release
  return ok("lease", "taken and released")
})

const grantStep = (token: OAuthToken | undefined, { serverName, subject }: AccessTokenRequest): Step => {
  const whose = subject === undefined ? "" : ` of ${subject}`
  if (token === undefined) {
    return ok("grant", `none${whose} is stored: \`secure-mcp-gateway login ${serverName}\` gets one`, {
      stored: false
    })
  }
  const expiresAt =
    token.expiresAt === undefined ? null : DateTime.formatIso(DateTime.makeUnsafe(token.expiresAt))
  const isRenewable = token.refreshToken !== undefined
  return ok(
    "grant",
    `one${whose} is stored, its token expires ${expiresAt === null ? "at an unknown time" : expiresAt}` +
      (isRenewable ? " and can be renewed" : ""),
    { stored: true, expires_at: expiresAt, renewable: isRenewable }
  )
}
