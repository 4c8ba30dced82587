import * as Effect from "effect/Effect"
import { Flow } from "./Flow.ts"

/** The client credentials grant (RFC 6749 §4.4). */
export const clientCredentials: Flow = Flow.tokenRequest({
  grantType: "client_credentials",
  keys: {},
  parameters: ({ request: { config }, target: { resource } }) =>
    Effect.succeed({
      grant_type: "client_credentials",
      audience: config.audience,
      organization: config.organization,
      resource
    })
})
