import {
  isPersonalGrant,
  RegisteredClients,
  type AccessTokenRequest,
  type GrantRequest
} from "@secure-mcp/oauth-core"
import { GrantInspection, type Inspection } from "@secure-mcp/oauth-flows/internal"
import { MtlsOAuthHttp } from "@secure-mcp/mtls"
import { StoredRegisteredClients, TokenStore } from "@secure-mcp/token-cache"
import type { ServerEntry } from "@secure-mcp/transport-injection"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { accessTokenRequest, callbackAddress, type GatewayConfig } from "@secure-mcp/gateway-server"
import { needsChallenge } from "@secure-mcp/gateway-server/internal"
import { addressStep } from "./AddressStep.ts"
import { certificateStep } from "./CertificateStep.ts"
import { type Challenged, challengeSteps } from "./ChallengeSteps.ts"
import { clientSteps } from "./ClientSteps.ts"
import { commandSteps } from "./CommandSteps.ts"
import { maskedReport, type Report } from "./Report.ts"
import { metadataSteps } from "./MetadataSteps.ts"
import { failedFor, ok, type Step, warning } from "./Step.ts"
import { openStore, storeSteps } from "./StoreSteps.ts"

/**
 * Walks the way to a token of a server, in the steps of a login and by the same rules, without logging in and without
 * registering a client. Steps that are not reached are left out.
 *
 * @param subject the person whose login it would be
 */
export const diagnose = Effect.fn("Diagnosis.diagnose")(function* (
  config: GatewayConfig,
  entry: ServerEntry,
  subject: string | undefined
) {
  const request = accessTokenRequest(entry, config, subject)
  const reached: ReadonlyArray<Step> =
    entry._tag === "Stdio" ? yield* commandSteps(entry) : [yield* addressStep(entry.url, entry.proxies)]
  const certificate = yield* certificateStep(entry.oauth)
  const challenged: Challenged =
    entry._tag === "Stdio" || certificate?.status === "failed"
      ? { steps: [], challenge: undefined }
      : yield* challengeSteps(entry)
  const before = [...reached, ...(certificate === undefined ? [] : [certificate]), ...challenged.steps]
  if (request === undefined) return maskedReport(config, entry, { subject, steps: before, token: undefined })
  const store = yield* openStore(config)
  const granted =
    certificate?.status === "failed" ? [] : yield* grantSteps(config, request, challenged.challenge, store)
  const stored = yield* storeSteps(config, request, store)
  const steps = [...before, ...granted, ...stored.steps]
  return maskedReport(config, entry, { subject, steps, token: stored.token }) satisfies Report
}, Effect.scoped)

const grantSteps = (
  config: GatewayConfig,
  request: AccessTokenRequest,
  challenge: Challenged["challenge"],
  store: Effect.Success<ReturnType<typeof openStore>>
) =>
  Effect.gen(function* () {
    const inspection = yield* GrantInspection
    const correlationId = SecureRandom.uuidV4Unsafe()
    const grantRequest: GrantRequest = {
      ...request,
      correlationId,
      challenge: needsChallenge(request) ? challenge : undefined
    }
    const seen = yield* inspection.inspect(grantRequest, {
      redirectUri: isPersonalGrant(request.config.grantType) ? redirectUri(config, request) : undefined,
      device: request.config.grantType === "device_code"
    })
    return [
      ...metadataSteps(request, seen),
      ...clientSteps(request, seen),
      ...(yield* tokenEndpointSteps(grantRequest, seen))
    ]
  }).pipe(
    Effect.provide(
      GrantInspection.layer(`${config.gateway.authTimeoutSeconds} seconds`).pipe(
        Layer.provide(MtlsOAuthHttp.layer),
        Layer.provide(Result.isSuccess(store) ? storedClients(store.success) : RegisteredClients.layerMemory)
      )
    )
  )

/** A client that an earlier login registered is used again. */
const storedClients = (store: TokenStore["Service"]) =>
  StoredRegisteredClients.layer.pipe(Layer.provide(Layer.succeed(TokenStore, store)))

/** The port of a login is any free one, if the configuration names none. */
const redirectUri = ({ gateway }: GatewayConfig, { config }: AccessTokenRequest): string => {
  const { host, path, port } = callbackAddress(config.redirectUri, gateway.callbackPort)
  return config.redirectUri ?? `http://${host}${port === 0 ? "" : `:${port}`}${path}`
}

const tokenEndpointSteps = Effect.fnUntraced(function* (
  request: GrantRequest,
  { target }: Inspection
): Effect.fn.Return<ReadonlyArray<Step>, never, GrantInspection> {
  if (Result.isFailure(target)) return []
  const { tokenEndpoint } = target.success
  const { reach } = yield* GrantInspection
  const status = yield* Effect.result(reach(tokenEndpoint, request))
  if (Result.isFailure(status))
    return [failedFor("token_endpoint", status.failure, "Check the address of the token endpoint")]
  const message = `${tokenEndpoint.name} answers (HTTP ${status.success} to a request without a grant)`
  const facts = { http_status: status.success }
  return [
    status.success < 500
      ? ok("token_endpoint", message, facts)
      : warning("token_endpoint", message, "Try again later, or ask the operator of the server", facts)
  ]
})
