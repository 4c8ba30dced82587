import * as Effect from "effect/Effect"
import type { Flow } from "./Flow.ts"
import { machineGrant } from "./MachineGrant.ts"

/** The client credentials grant (RFC 6749 §4.4). */
export const clientCredentials: Flow = machineGrant(({ config }, { resource }) =>
  Effect.succeed({
    grant_type: "client_credentials",
    audience: config.audience,
    organization: config.organization,
    resource
  })
)
