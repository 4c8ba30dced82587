import { assert, describe, it } from "@effect/vitest"
import { createOAuthClient, OAuthClientError, type OAuthClientOptions } from "@secure-mcp/oauth-client"

const good: OAuthClientOptions = {
  serverUrl: "https://mcp.example.com/mcp",
  token_url: "https://auth.example.com/token",
  client_id: "agent",
  client_secret: "the-client-secret"
}

/** The error for options that cannot be used. They may be of any type, as in JavaScript. */
const refusalOf = (options: unknown): OAuthClientError => {
  try {
    Reflect.apply(createOAuthClient, undefined, [options])
  } catch (error) {
    assert.instanceOf(error, OAuthClientError)
    assert.strictEqual(error.reason, "Misconfigured")
    assert.isFalse(error.retryable)
    return error
  }
  throw new Error("the options were accepted")
}

describe("the options of a client", () => {
  it.each<readonly [string, OAuthClientOptions]>([
    ["a URL object", { ...good, serverUrl: new URL("https://mcp.example.com/mcp") }],
    ["enabled: true", { ...good, enabled: true }],
    ["keys that are undefined", { ...good, scope: undefined, store: undefined, logger: undefined }],
    ["http with enforce_https: false", { ...good, serverUrl: "http://127.0.0.1/mcp", enforce_https: false }],
    ["a logger", { ...good, logger: console }],
    ["the gateway's memory store", { ...good, store: { type: "memory" } }]
  ])("options with %s are accepted", (_, options) => {
    assert.isFunction(createOAuthClient(options).getAccessToken)
  })

  it.each<readonly [string, unknown, string]>([
    ["no options", undefined, "serverUrl"],
    ["no server", { ...good, serverUrl: undefined }, "  serverUrl: required"],
    [
      "a server that is no URL",
      { ...good, serverUrl: "mcp.example.com" },
      "  serverUrl: must be an absolute"
    ],
    ["a server over http", { ...good, serverUrl: "http://mcp.example.com/" }, "  serverUrl: must be https"],
    ["a server of a wrong type", { ...good, serverUrl: 1 }, "  serverUrl: must be a string or a URL"],
    ["a token endpoint over http", { ...good, token_url: "http://a.example/" }, "  token_url: must be https"],
    ["no client", { ...good, client_id: undefined, client_secret: undefined }, "client_id"],
    ["a wrong type", { ...good, scope: 1 }, "  scope: "],
    [
      "a misspelt key of oauth",
      { ...good, clientSecret: "x" },
      "clientSecret: unknown key: did you mean `client_secret`?"
    ],
    [
      "a misspelt key of ours",
      { ...good, server_url: "x" },
      "server_url: unknown key: did you mean `serverUrl`?"
    ],
    [
      "a nested oauth object",
      { serverUrl: good.serverUrl, oauth: good },
      "  oauth: unknown key: its keys stand directly"
    ],
    ["enabled: false", { ...good, enabled: false }, "  enabled: must be true or left out"],
    ["a logger without methods", { ...good, logger: {} }, "  logger: must have"],
    [
      "a reference to a variable",
      { ...good, client_secret: "${env:CLIENT_SECRET}" },
      "  client_secret: is a reference"
    ],
    ["a reference to a file", { ...good, client_id: "${file:/id}" }, "  client_id: is a reference"],
    ["an empty subject", { ...good, subject: "" }, "  subject: "],
    ["an unknown store", { ...good, store: "redis" }, '  store: must be "memory", "file"'],
    ["an unknown type of store", { ...good, store: { type: "redis" } }, "  store.type: must be"],
    [
      "a weak key",
      { ...good, store: { type: "file", encryption_key: "short" } },
      "  store.encryption_key: is too short"
    ],
    [
      "an unknown key of a store",
      { ...good, store: { type: "file", folder: "x" } },
      "  store.folder: unknown key"
    ],
    ["a certificate without key", { ...good, certificate: { cert: "x" } }, "  certificate.key: required"],
    [
      "a certificate beside files",
      { ...good, certificate: { cert: "x", key: "y" }, ca_bundle_path: "/ca" },
      "  ca_bundle_path: cannot stand next to `certificate`"
    ],
    [
      "a certificate that is not to be used",
      { ...good, certificate: { cert: "x", key: "y" }, use_mtls: false },
      "  use_mtls: must not be false"
    ]
  ])("%s is an error that names the key", (_, options, said) => {
    const error = refusalOf(options)
    assert.include(error.message, said)
    assert.notInclude(error.message, "the-client-secret")
  })

  it("every problem is reported at once", () => {
    const { message } = refusalOf({ serverUrl: "x", store: "y", token_url: "z", client_id: 1, logger: 2 })
    for (const key of ["serverUrl", "store", "token_url", "client_id", "logger"])
      assert.include(message, `  ${key}: `)
  })
})
