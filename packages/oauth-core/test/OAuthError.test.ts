import { assert, describe, it } from "@effect/vitest"
import * as Core from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"

const endpoint = "https://auth.example/token"

/** Every reason: what it says, what it advises, whether the same call may work later. */
const reasons: ReadonlyArray<
  readonly [Core.OAuthErrorReason, says: string, advises: string, retryable: boolean]
> = [
  [new Core.Misconfigured({ problem: "no flow for this" }), "no flow for this", "", false],
  [
    new Core.CertificateUnusable({ key: "client_key_path", problem: "names a file that does not exist" }),
    "`client_key_path` names a file that does not exist",
    "",
    false
  ],
  [
    new Core.ConnectionFailed({ endpoint, problem: "ECONNREFUSED" }),
    `${endpoint} could not be reached (ECONNREFUSED)`,
    "Check the address",
    true
  ],
  [
    new Core.RequestTimeout({ endpoint, seconds: 10 }),
    "did not answer within 10 s",
    "auth_timeout_seconds",
    true
  ],
  [new Core.EndpointUnavailable({ endpoint, status: 503 }), "answered HTTP 503", "Try again later", true],
  [
    new Core.EndpointUnavailable({ endpoint, status: 429, retryAfterSeconds: 41.2 }),
    "answered HTTP 429",
    "Try again in 42 s",
    true
  ],
  [
    new Core.RequestRefused({
      endpoint,
      status: 401,
      error: "invalid_client",
      description: "no such client"
    }),
    "refused the request with HTTP 401 (invalid_client: no such client)",
    "Check `client_id`, `client_secret` and `use_basic_auth`",
    false
  ],
  [
    new Core.RequestRefused({ endpoint, status: 400, error: "invalid_scope" }),
    "refused the request with HTTP 400 (invalid_scope)",
    "Check `scope`",
    false
  ],
  [
    new Core.ConnectionFailed({ endpoint, problem: "its certificate has expired", advice: "Tell them" }),
    `${endpoint} could not be reached (its certificate has expired)`,
    "Tell them",
    true
  ],
  [
    new Core.RequestRefused({ endpoint, status: 496, clientCertificate: "missing" }),
    "refused the request with HTTP 496",
    "It asks for a client certificate. See `use_mtls`",
    false
  ],
  [
    new Core.RequestRefused({ endpoint, status: 400, clientCertificate: "refused" }),
    "refused the request with HTTP 400",
    "It does not accept the client certificate. Check",
    false
  ],
  [
    new Core.RequestRefused({ endpoint, status: 403, clientCertificate: "doubtful" }),
    "refused the request with HTTP 403",
    "may have refused the client certificate. Check",
    false
  ],
  [new Core.RequestRefused({ endpoint, status: 404 }), "refused the request with HTTP 404", "", false],
  [
    new Core.RedirectRefused({ endpoint, status: 302 }),
    "answered with a redirect (HTTP 302), which is not followed",
    "Configure the final URL",
    false
  ],
  [
    new Core.InvalidResponse({ endpoint, problem: "it is not JSON" }),
    "gave an answer that cannot be used: it is not JSON",
    "",
    false
  ],
  [
    new Core.CertificateBindingMismatch({
      endpoint,
      certificateThumbprint: "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"
    }),
    `${endpoint} gave a token that is bound to another certificate than the one presented (` +
      "x5t#S256 bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2)",
    "Check that no TLS proxy",
    false
  ],
  [
    new Core.InsufficientScope({ missing: ["a", "b"] }),
    "lacks the scope a b",
    "take it out of `scope`",
    false
  ],
  [
    new Core.CircuitOpen({ endpoint, retryAfterSeconds: 12.3 }),
    "failed repeatedly and is left alone",
    "Next try in 13 s",
    true
  ],
  [
    new Core.UpstreamUnauthorized({ status: 401 }),
    "the MCP server refused a fresh token with HTTP 401",
    "Check `audience`, `resource` and `scope`",
    false
  ]
]

const errorFor = (reason: Core.OAuthErrorReason) =>
  new Core.OAuthError({
    operation: "get an access token",
    serverName: "remote_mcp_server",
    correlationId: "a-correlation-id",
    reason
  })

describe("OAuthError", () => {
  it.each(reasons)(
    "an error with the reason %s says what failed and what to do",
    (reason, says, advises, retryable) => {
      const error = errorFor(reason)
      assert.isTrue(
        error.message.startsWith('Could not get an access token for server "remote_mcp_server": '),
        error.message
      )
      assert.include(error.message, says)
      assert.include(error.message, advises)
      assert.isTrue(error.message.endsWith(" [correlation id a-correlation-id]"), error.message)
      assert.strictEqual(error.retryable, retryable)
    }
  )

  it.each([
    "invalid_client",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_target",
    "invalid_grant"
  ])("the message for %s says what to do", (code) => {
    const refused = new Core.RequestRefused({ endpoint, status: 400, error: code })
    assert.match(refused.message, new RegExp(`\\(${code}\\)\\. [A-Z]`))
  })

  it.each([
    ["client_secret_basic", "`client_secret` and `use_basic_auth`"],
    ["client_secret_post", "`client_secret` and `use_basic_auth`"],
    ["private_key_jwt", "`private_key` and `private_key_id`"],
    ["tls_client_auth", "the client certificate"],
    ["self_signed_tls_client_auth", "the client certificate"],
    ["none", "without authentication"]
  ] as const)("the message for invalid_client says what to do for %s", (authenticationMethod, advice) => {
    const refused = new Core.RequestRefused({
      endpoint,
      status: 401,
      error: "invalid_client",
      authenticationMethod
    })
    assert.include(refused.message, "(invalid_client). Check `client_id`")
    assert.include(refused.message, advice)
  })

  it("the message names server, reason and correlation id, whatever they are", () => {
    const text = fc.string({ unit: "grapheme" })
    fc.assert(
      fc.property(text, text, text, text, (operation, serverName, correlationId, problem) => {
        const reason = new Core.InvalidResponse({ endpoint, problem })
        const { message } = new Core.OAuthError({ operation, serverName, correlationId, reason })
        for (const part of [operation, serverName, correlationId, reason.message]) {
          assert.include(message, part)
        }
      })
    )
  })

  it.effect("an OAuthError can be caught by its reason", () =>
    Effect.gen(function* () {
      const fail: Effect.Effect<string, Core.OAuthError> = Effect.fail(
        errorFor(new Core.CircuitOpen({ endpoint, retryAfterSeconds: 5 }))
      )
      const seconds = yield* fail.pipe(
        Effect.catchReason("OAuthError", "CircuitOpen", (reason) => Effect.succeed(reason.retryAfterSeconds))
      )
      assert.strictEqual(seconds, 5)
    })
  )
})
