import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { CallerRefused } from "./CallerRefused.ts"
import { type CallerMethod, Callers } from "./Callers.ts"

const method: CallerMethod = {
  identify: ({ authorization, certificate }) =>
    authorization !== undefined || certificate === undefined
      ? undefined
      : Result.succeed({
          issuer: certificate.issuer,
          subject: certificate.subject,
          expiresAt: certificate.expiresAt
        }),
  refuse: () => CallerRefused.required("This gateway wants a client certificate")
}

/**
 * Callers with a client certificate that an authority of ours has signed: they are who the certificate names. A request that
 * carries a token or an API key as well is judged by that.
 *
 * @example
 * ```ts
 * import { CertificateCallers } from "@secure-mcp/inbound-auth"
 *
 * export const CallersLive = CertificateCallers.layer
 * ```
 */
export const CertificateCallers: { readonly method: CallerMethod; readonly layer: Layer.Layer<Callers> } = {
  method,
  layer: Callers.layerOf([Effect.succeed(method)])
}
