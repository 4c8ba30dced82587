import { assert, describe, it } from "@effect/vitest"
import type { RequestRefused } from "@secure-mcp/oauth-core"
import { Answer, assertNoCanary, canary, StubAuthorizationServer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as Result from "effect/Result"
import { describeRefusal } from "../../src/endpoint/ErrorResponse.ts"
import { makeSecretMask } from "../../src/mask/SecretMask.ts"
import { correlationId, makeGrants, reasonOf, requestFor } from "../TestGrants.ts"

const failureOf = Effect.fnUntraced(function* (
  answer: Answer,
  oauth: Readonly<Record<string, unknown>> = {}
) {
  const server = yield* StubAuthorizationServer.make()
  yield* server.always("/token", answer)
  const grants = yield* makeGrants()
  const url = server.endpoint("/token")
  const error = yield* Effect.flip(
    grants.acquire(requestFor({ token_url: `${url}?q=1`, ...oauth }), undefined)
  )
  return { error, url, requests: yield* server.requests }
})

const refusals: ReadonlyArray<
  readonly [name: string, answer: Answer, expected: Readonly<Record<string, unknown>>]
> = [
  [
    "JSON",
    Answer.json({ error: "invalid_client", error_description: "Unknown client" }, { status: 401 }),
    { status: 401, error: "invalid_client", description: "Unknown client" }
  ],
  [
    "a form",
    Answer.form({ error: "invalid_scope", error_description: "No such scope" }, { status: 400 }),
    { status: 400, error: "invalid_scope", description: "No such scope" }
  ],
  [
    "no description",
    Answer.json({ error: "invalid_grant" }, { status: 400 }),
    { status: 400, error: "invalid_grant" }
  ],
  ["an HTML page", Answer.text("<h1>Not found</h1>", { status: 404 }), { status: 404 }],
  ["nothing", Answer.text("", { status: 403 }), { status: 403 }],
  ["a giant body", Answer.text("x".repeat(2 * 1024 * 1024), { status: 400 }), { status: 400 }],
  ["a timeout of its own", Answer.status(408), { status: 408, error: "temporarily_unavailable" }],
  [
    "fields of other types",
    Answer.json({ error: { code: 1 }, error_description: ["a"] }, { status: 422 }),
    { status: 422 }
  ],
  [
    "an error that is no code",
    Answer.json({ error: "go to https://evil.example", error_description: "x" }, { status: 400 }),
    { status: 400, description: "x" }
  ],
  [
    "control characters, line breaks and other alphabets",
    Answer.json(
      { error: "invalid_request", error_description: "\u001B[31mno\u0007 \r\n\tway\u202E é\u0000" },
      { status: 400 }
    ),
    { status: 400, error: "invalid_request", description: "[31mno way" }
  ],
  [
    "a long description",
    Answer.json({ error: "invalid_request", error_description: "x".repeat(500) }, { status: 400 }),
    { status: 400, error: "invalid_request", description: "x".repeat(200) }
  ]
]

describe("a refusal (RFC 6749 §5.2)", () => {
  it.effect.each(refusals)("a refusal by %s is final on the first answer", ([, answer, expected]) =>
    Effect.gen(function* () {
      const { error, requests, url } = yield* failureOf(answer)
      assert.strictEqual(reasonOf(error)["_tag"], "RequestRefused")
      assert.deepStrictEqual(reasonOf(error), {
        _tag: "RequestRefused",
        endpoint: `the token endpoint ${url}`,
        authenticationMethod: "client_secret_basic",
        ...expected
      })
      assert.isFalse(error.retryable)
      assert.lengthOf(requests, 1)
    })
  )

  it.effect("an error says what failed, for which server, why, what to do, and the correlation id", () =>
    Effect.gen(function* () {
      const { error, url } = yield* failureOf(
        Answer.json({ error: "invalid_client", error_description: "Unknown client" }, { status: 401 })
      )
      assert.strictEqual(
        error.message,
        `Could not get an access token for server "remote": the token endpoint ${url} refused the request with ` +
          "HTTP 401 (invalid_client: Unknown client). Check `client_id`, `client_secret` and `use_basic_auth` " +
          `[correlation id ${correlationId}]`
      )
    })
  )

  it.effect("a refusal that echoes the request shows no secret", () =>
    Effect.gen(function* () {
      const echo = Answer.respondWith(({ body, headers }) =>
        Effect.succeed(
          Answer.json(
            {
              error: "s3cr3t-value",
              error_description: `${headers.authorization}|${body}|${headers["x-api-key"]}|S3CR3T-VALUE|s3c\u0000r3t-value`
            },
            { status: 400 }
          )
        )
      )
      const { error } = yield* failureOf(echo, {
        client_secret: "s3cr3t-value",
        additional_params: { login: "p ssw%rd" },
        custom_headers: { "X-Api-Key": "key-value" }
      })
      assert.deepInclude(reasonOf(error), {
        description: "[secret]|login=[secret]&grant_type=client_credentials|[secret]|[secret]|[secret]"
      })
      assert.notProperty(error.reason, "error")
    })
  )
})

const secretInThePage = canary("page")
const page = (title: string) =>
  `<html><head><title>${title}</title></head><body>${secretInThePage}</body></html>`

const byProxy: ReadonlyArray<
  readonly [
    name: string,
    status: number,
    body: string,
    useMtls: boolean,
    clientCertificate: RequestRefused["clientCertificate"]
  ]
> = [
  ["nginx, which got none", 400, page("400 No required SSL certificate was sent"), false, "missing"],
  ["nginx, which got a bad one", 400, page("400 The SSL certificate error"), true, "refused"],
  ["nginx's own status for none", 496, "", true, "missing"],
  ["nginx's own status for a bad one", 495, "", true, "refused"],
  ["a page of another server", 400, page("Bad Request"), true, "doubtful"],
  ["nothing", 403, "", true, "doubtful"],
  ["a page when none was presented", 403, page("Forbidden"), false, undefined],
  ["a page that is about something else", 404, page("Not Found"), true, undefined],
  ["the server itself", 400, '{"error":"invalid_request"}', true, undefined],
  ["JSON without an error", 403, "{}", true, undefined]
]

describe("a refusal that may be about the client certificate", () => {
  it.each(byProxy)(
    "a refusal by %s (%d) says whether the client certificate caused it",
    (_, status, body, useMtls, clientCertificate) => {
      const refuse = describeRefusal("the token endpoint", makeSecretMask([]), { useMtls })
      const refused = refuse.fromAnswer({ status, headers: Headers.empty, body: Result.succeed(body) })
      assert.strictEqual(refused.clientCertificate, clientCertificate)
      assertNoCanary([refused, refused.message], secretInThePage)
    }
  )
})
