import type { RequestRefused } from "@secure-mcp/oauth-core"

/** What a server said when it refused. */
export type Refusal = Pick<RequestRefused, "error" | "description">

const codes =
  /^(?:(?:invalid|unknown|unregistered|inactive|deleted)_client(?:_?id)?|client_(?:not_found|unknown|not_registered|does_not_exist))$/i

const words =
  /(?:unknown|invalid|unregistered|unrecognized|no such|nonexistent) (?:oauth )?client|client(?:[ _]?id)?\b[^.,;:]{0,60}(?:not (?:found|registered|recognized|exist|known)|unknown|unregistered|does ?n[o']t exist|no longer|is invalid)/i

/** Whether a server says that it does not know the client: `invalid_client` (RFC 6749 §5.2), or its own words. */
export const meansUnknownClient = ({ description, error }: Refusal): boolean =>
  error !== undefined && codes.test(error)
    ? true
    : error !== "invalid_grant" && description !== undefined && words.test(description)
