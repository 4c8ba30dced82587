import { RequestRefused } from "@secure-mcp/oauth-core"
import type { ClientAuthenticationMethod } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import { readBody } from "./ResponseBody.ts"
import { parseFields, type ResponseFields } from "./ResponseFields.ts"
import type { SecretMask } from "./SecretMask.ts"

/** Understands error answers of one request (RFC 6749 §5.2). */
export interface Refuse {
  readonly fromBody: (response: HttpClientResponse) => Effect.Effect<RequestRefused>
  readonly fromFields: (status: number, fields: ResponseFields) => RequestRefused
}

/**
 * @param endpoint the name of the endpoint for errors
 * @param authenticationMethod how the client authenticated, if it did
 */
export const describeRefusal = (
  endpoint: string,
  mask: SecretMask,
  authenticationMethod?: ClientAuthenticationMethod
): Refuse => {
  const fromFields = (status: number, fields: ResponseFields) => {
    const error = errorCode(fields["error"], mask)
    const description = errorDescription(fields["error_description"], mask)
    return new RequestRefused({
      endpoint,
      status,
      ...(error === undefined ? {} : { error }),
      ...(description === undefined ? {} : { description }),
      ...(authenticationMethod === undefined ? {} : { authenticationMethod })
    })
  }
  return {
    fromFields,
    // The status alone says no; a body that cannot be read only takes the explanation away.
    fromBody: (response) =>
      readBody(response).pipe(
        Effect.map((body) => Result.getOrElse(parseFields(body), () => ({}))),
        Effect.orElseSucceed(() => ({})),
        Effect.map((fields) => fromFields(response.status, fields))
      )
  }
}

const errorCode = (value: unknown, mask: SecretMask): string | undefined =>
  Predicate.isString(value) && /^[\w.-]{1,64}$/.test(value) && mask(value) === value ? value : undefined

const errorDescription = (value: unknown, mask: SecretMask): string | undefined => {
  if (!Predicate.isString(value)) return undefined
  const description = mask(value).trim().slice(0, 200)
  return description === "" ? undefined : description
}
