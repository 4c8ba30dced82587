import * as fc from "fast-check"

/** The least that is a valid `oauth` object. */
export const clientCredentials = {
  token_url: "https://auth.example/token",
  client_id: "gateway",
  client_secret: "secret"
} as const

const text = fc.string({ unit: "grapheme", minLength: 1 })
const url = fc.webUrl({ validSchemes: ["https"], withQueryParameters: true })
const token = fc.stringMatching(/^[\x21\x23-\x5B\x5D-\x7E]{1,12}$/)
const headerName = fc.stringMatching(/^X-[A-Za-z0-9-]{1,12}$/)
const headerValue = fc.stringMatching(/^[\x20-\x7E]{0,20}$/)
const variable = fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,10}$/)
const tokenVariable = fc.oneof(
  variable,
  fc.record(
    { name: variable, format: fc.constantFrom("{token}", "Bearer {token}") },
    { requiredKeys: ["name"] }
  )
)
const parameterName = fc.string({ unit: "grapheme" }).map((name) => `x_${name}`)
const parameter = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
  fc.boolean()
)

/** Valid `oauth` objects as they stand in a file. */
export const wireConfigs = fc.record(
  {
    token_url: url,
    client_id: text,
    client_secret: text,
    enabled: fc.boolean(),
    version: fc.constantFrom("2.0", "2.1"),
    audience: text,
    organization: text,
    scope: fc.array(token, { minLength: 1, maxLength: 5 }).map((tokens) => tokens.join(" ")),
    resource: url,
    use_pkce: fc.boolean(),
    authorization_url: url,
    redirect_uri: fc.oneof(
      url,
      fc.nat(65_535).map((port) => `http://127.0.0.1:${port}/callback`)
    ),
    token_expiry_buffer: fc.double({ min: 0, max: 1e9, noNaN: true }),
    default_expires_in: fc.integer({ min: 1 }),
    use_basic_auth: fc.boolean(),
    enforce_https: fc.boolean(),
    token_env: fc.oneof(
      tokenVariable,
      fc.uniqueArray(tokenVariable, {
        minLength: 1,
        maxLength: 3,
        selector: (one) => (typeof one === "string" ? one : one.name)
      })
    ),
    ca_bundle_path: text,
    revocation_url: url,
    validate_scopes: fc.boolean(),
    additional_params: fc.dictionary(parameterName, parameter),
    custom_headers: fc.dictionary(headerName, headerValue)
  },
  { requiredKeys: ["token_url", "client_id", "client_secret"] }
)
