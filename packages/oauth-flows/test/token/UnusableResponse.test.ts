import { assert, describe, it } from "@effect/vitest"
import { Answer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { acquireFrom, makeGrantsAnsweredBy, reasonOf, requestFor } from "../TestGrants.ts"

const refused: ReadonlyArray<
  readonly [
    name: string,
    answer: Answer,
    tag: string,
    message: string,
    oauth?: Readonly<Record<string, unknown>>
  ]
> = [
  [
    "an HTML page",
    Answer.text("<!doctype html><p>canary"),
    "InvalidResponse",
    "it is an HTML or XML page, not JSON"
  ],
  [
    "JSON of more values than any real answer has",
    Answer.text(`{"access_token":"canary","list":[${"0,".repeat(10_000)}0]}`),
    "InvalidResponse",
    "its JSON has over 5000 values"
  ],
  ["truncated JSON", Answer.truncatedJson, "InvalidResponse", "its JSON is incomplete or malformed"],
  [
    "JSON that is a list",
    Answer.json(["canary"]),
    "InvalidResponse",
    "it is neither a JSON object nor a form"
  ],
  ["JSON that is text", Answer.json("canary"), "InvalidResponse", "it is neither a JSON object nor a form"],
  ["JSON null", Answer.json(null), "InvalidResponse", "it is neither a JSON object nor a form"],
  [
    "plain words",
    Answer.text("canary says hello"),
    "InvalidResponse",
    "it is neither a JSON object nor a form"
  ],
  ["nothing", Answer.text("", { status: 204 }), "InvalidResponse", "its body is empty"],
  ["blanks", Answer.text(" \n"), "InvalidResponse", "its body is empty"],
  [
    "no access_token",
    Answer.token({ access_token: undefined }),
    "InvalidResponse",
    "it has no `access_token`"
  ],
  [
    "an empty access_token",
    Answer.token({ access_token: "" }),
    "InvalidResponse",
    "its `access_token` is empty"
  ],
  [
    "a numeric access_token",
    Answer.token({ access_token: 7 }),
    "InvalidResponse",
    "its `access_token` is not text"
  ],
  [
    "access_token null",
    Answer.token({ access_token: null }),
    "InvalidResponse",
    "its `access_token` is not text"
  ],
  ...["can\nary", "can\u0000ary", "canärry", "can ary", "canary\r\nX: y"].map(
    (accessToken) =>
      [
        `the access_token ${JSON.stringify(accessToken)}`,
        Answer.token({ access_token: accessToken }),
        "InvalidResponse",
        "its `access_token` has characters that cannot stand in a header"
      ] as const
  ),
  [
    "another type",
    Answer.token({ token_type: "canary" }),
    "InvalidResponse",
    "its `token_type` is not Bearer"
  ],
  ["an empty type", Answer.token({ token_type: "" }), "InvalidResponse", "its `token_type` is not Bearer"],
  ["a numeric type", Answer.token({ token_type: 1 }), "InvalidResponse", "its `token_type` is not Bearer"],
  [
    "a numeric scope",
    Answer.token({ scope: 5 }),
    "InvalidResponse",
    "its `scope` is neither text nor a list of texts"
  ],
  [
    "a form with a parameter twice",
    Answer.text("access_token=canary&access_token=other"),
    "InvalidResponse",
    "its form has a parameter twice"
  ],
  ["a giant body", Answer.giantBody(64 * 1024 * 1024), "InvalidResponse", "its body is over 1 MiB"],
  [
    "an error in a 200",
    Answer.json({ error: "invalid_client", error_description: "no such client" }),
    "RequestRefused",
    "refused the request with HTTP 200 (invalid_client: no such client)"
  ],
  [
    "an error in a form in a 200",
    Answer.form({ error: "bad_verification_code", access_token: "canary" }),
    "RequestRefused",
    "refused the request with HTTP 200 (bad_verification_code)"
  ],
  [
    "less scope than requested",
    Answer.token({ scope: "b" }),
    "InsufficientScope",
    "the token lacks the scope a c",
    { scope: "a b c" }
  ],
  [
    "no scope at all",
    Answer.token({ scope: "" }),
    "InsufficientScope",
    "the token lacks the scope a",
    { scope: "a" }
  ]
]

describe("answers that are refused, with a reason that never quotes them", () => {
  it.effect.each(refused)("a token answer is refused: %s", ([, answer, tag, message, oauth]) =>
    Effect.gen(function* () {
      const { outcome, server } = yield* acquireFrom(answer, oauth)
      const error = yield* Effect.flip(outcome)
      assert.strictEqual(reasonOf(error)["_tag"], tag)
      assert.include(error.message, message)
      assert.notMatch(JSON.stringify(error) + error.message, /canary|can\\?n?ary|stub-acc/)
      assert.isFalse(error.retryable)
      assert.lengthOf(yield* server.requests, 1, "is not asked again")
    })
  )

  it.effect("an answer with invalid UTF-8 is refused", () =>
    Effect.gen(function* () {
      const { grants } = yield* makeGrantsAnsweredBy(() =>
        Effect.succeed(new Response(new Uint8Array([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x7d])))
      )
      const error = yield* Effect.flip(
        grants.acquire(requestFor({ token_url: "https://as.example.com/token" }), undefined)
      )
      assert.include(error.message, "its body is not UTF-8 text")
    })
  )

  it.effect("a giant body is not read to its end, and its connection is closed", () =>
    Effect.gen(function* () {
      const { outcome, server } = yield* acquireFrom(Answer.giantBody(64 * 1024 * 1024))
      yield* Effect.flip(outcome)
      yield* server.aborted(1)
    })
  )

  const unread = [
    ["an outage", { status: 503, headers: { "retry-after": "31" } }, "EndpointUnavailable"],
    ["a redirect", { status: 302 }, "RedirectRefused"]
  ] as const

  it.effect.each(unread)("the connection is released when the body of %s is not read", ([, head, tag]) =>
    Effect.gen(function* () {
      const endless = Stream.concat(Stream.make("a"), Stream.never)
      const { outcome, server } = yield* acquireFrom(Answer.streamed(endless, head))
      assert.strictEqual(reasonOf(yield* Effect.flip(outcome))["_tag"], tag)
      yield* server.aborted(1)
    })
  )

  it.effect("a body of exactly 1 MiB is read, and one byte more is refused", () =>
    Effect.gen(function* () {
      const paddedTo = (bytes: number) => `{"access_token":"stub-access-token"}`.padEnd(bytes, " ")
      const fits = yield* acquireFrom(Answer.text(paddedTo(1024 * 1024)))
      yield* fits.outcome
      const over = yield* acquireFrom(Answer.text(paddedTo(1024 * 1024 + 1)))
      assert.strictEqual(reasonOf(yield* Effect.flip(over.outcome))["_tag"], "InvalidResponse")
    })
  )
})
