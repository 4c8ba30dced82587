import { assert, describe, it } from "@effect/vitest"
import { Answer } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/testing/TestClock"
import { acquireFrom, now } from "../TestGrants.ts"

const jwt = (claims: unknown) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln`
const inAnHour = { expiresAt: now + 3_600_000, reusable: true }
const body = `{"access_token":"stub-access-token","expires_in":3600}`

const understood: ReadonlyArray<
  readonly [
    name: string,
    answer: Answer,
    expected: Readonly<Record<string, unknown>>,
    oauth?: Readonly<Record<string, unknown>>
  ]
> = [
  ["a plain answer", Answer.token(), inAnHour],
  ["201", Answer.token({}, { status: 201 }), inAnHour],
  ["203", Answer.token({}, { status: 203 }), inAnHour],
  ["expires_in as text", Answer.token({ expires_in: "3600" }), inAnHour],
  ["expires_in as text with blanks", Answer.token({ expires_in: " 3600 " }), inAnHour],
  [
    "expires_in with a fraction",
    Answer.token({ expires_in: 3600.9995 }),
    { expiresAt: now + 3_600_999, reusable: true }
  ],
  ["no token_type", Answer.token({ token_type: undefined }), { tokenType: "Bearer" }],
  ["token_type null", Answer.token({ token_type: null }), { tokenType: "Bearer" }],
  ["token_type in lower case", Answer.token({ token_type: "bearer" }), { tokenType: "Bearer" }],
  ["token_type in any case", Answer.token({ token_type: "bEaReR" }), { tokenType: "Bearer" }],
  [
    "a form",
    Answer.form({ access_token: "stub-access-token", expires_in: "3600", token_type: "bearer" }),
    inAnHour
  ],
  ["a form that says it is text", Answer.text("access_token=stub-access-token&expires_in=3600"), inAnHour],
  ["JSON that says it is text", Answer.text(body), inAnHour],
  ["JSON that says it is HTML", Answer.text(body, { contentType: "text/html" }), inAnHour],
  ["a byte order mark", Answer.text(`\uFEFF${body}`, { contentType: "application/json" }), inAnHour],
  ["blank lines around", Answer.text(`\r\n ${body}\n\n`), inAnHour],
  ["unknown fields", Answer.token({ ext: { deep: [1] }, id_token: "x" }), inAnHour],
  ["an empty error", Answer.token({ error: "" }), inAnHour],
  ["error null", Answer.token({ error: null }), inAnHour],
  ["zero seconds", Answer.token({ expires_in: 0 }), { expiresAt: now, reusable: false }],
  ["a negative lifetime", Answer.token({ expires_in: -5 }), { expiresAt: now, reusable: false }],
  [
    "1e308 seconds: ten years",
    Answer.token({ expires_in: 1e308 }),
    { expiresAt: now + 315_360_000_000, reusable: true }
  ],
  [
    "infinitely many seconds: ten years",
    Answer.text(`{"access_token":"stub-access-token","expires_in":1e999}`),
    { expiresAt: now + 315_360_000_000, reusable: true }
  ],
  [
    "no lifetime at all: used once",
    Answer.token({ expires_in: undefined }),
    { expiresAt: undefined, reusable: false }
  ],
  [
    "NaN as lifetime: none said",
    Answer.token({ expires_in: "NaN" }),
    { expiresAt: undefined, reusable: false }
  ],
  [
    "empty text as lifetime: none said",
    Answer.token({ expires_in: "" }),
    { expiresAt: undefined, reusable: false }
  ],
  [
    "true as lifetime: none said",
    Answer.token({ expires_in: true }),
    { expiresAt: undefined, reusable: false }
  ],
  [
    "no lifetime, but default_expires_in",
    Answer.token({ expires_in: undefined, access_token: jwt({ exp: now / 1000 + 5 }) }),
    { expiresAt: now + 60_000, reusable: true },
    { default_expires_in: 60 }
  ],
  ["expires_in before default_expires_in", Answer.token(), inAnHour, { default_expires_in: 60 }],
  [
    "no lifetime, but a JWT with exp",
    Answer.token({ expires_in: undefined, access_token: jwt({ exp: now / 1000 + 90 }) }),
    { expiresAt: now + 90_000, reusable: true }
  ],
  [
    "a JWT that has ended",
    Answer.token({ expires_in: undefined, access_token: jwt({ exp: now / 1000 - 1 }) }),
    { expiresAt: now, reusable: false }
  ],
  [
    "a JWT without exp",
    Answer.token({ expires_in: undefined, access_token: jwt({ sub: "a" }) }),
    { expiresAt: undefined, reusable: false }
  ],
  [
    "a token that only looks like a JWT",
    Answer.token({ expires_in: undefined, access_token: "a.b.c" }),
    { expiresAt: undefined, reusable: false }
  ],
  ["no scope: as requested", Answer.token(), { scope: ["a", "b"] }, { scope: "a b" }],
  ["scope null: as requested", Answer.token({ scope: null }), { scope: ["a", "b"] }, { scope: "a b" }],
  ["no scope, none requested", Answer.token(), { scope: undefined }],
  [
    "more scope than requested",
    Answer.token({ scope: "c b a" }),
    { scope: ["c", "b", "a"] },
    { scope: "a b" }
  ],
  ["scope as a list", Answer.token({ scope: ["a", "b"] }), { scope: ["a", "b"] }, { scope: "a b" }],
  [
    "more scope than requested, with a secret that was sent",
    Answer.token({ scope: "c a a-secret-for-the-scope-test b" }),
    { scope: ["a", "b"] },
    { scope: "a b", client_secret: "a-secret-for-the-scope-test" }
  ],
  [
    "a requested scope that stands in a secret",
    Answer.token({ scope: "a-secret b" }),
    { scope: ["a-secret", "b"] },
    { scope: "a-secret b", client_secret: "a-secret-for-the-scope-test" }
  ],
  [
    "more scope than anybody has",
    Answer.token({ scope: `a b ${"c".repeat(20_000)}` }),
    { scope: ["a", "b"] },
    { scope: "a b" }
  ],
  ["scope twice", Answer.token({ scope: "a b  a" }), { scope: ["a", "b"] }, { scope: "a b" }],
  [
    "less scope, unchecked",
    Answer.token({ scope: "a" }),
    { scope: ["a"] },
    { scope: "a b", validate_scopes: false }
  ],
  ["an odd refresh token", Answer.token({ refresh_token: 7 }), { refreshToken: undefined }]
]

describe("answers that are understood", () => {
  it.effect.each(understood)("a token answer is understood: %s", ([, answer, expected, oauth]) =>
    Effect.gen(function* () {
      const { outcome } = yield* acquireFrom(answer, oauth)
      const token = yield* outcome
      for (const [field, value] of Object.entries(expected)) {
        assert.deepStrictEqual(token[field as keyof typeof token], value, field)
      }
      assert.match(Redacted.value(token.accessToken), /^(?:stub-access-token|e30\..*|a\.b\.c)$/)
      assert.strictEqual(token.issuedAt, now)
    })
  )

  it.effect("a refresh token in a client credentials answer is kept", () =>
    Effect.gen(function* () {
      const { outcome } = yield* acquireFrom(Answer.token({ refresh_token: "stub-refresh-token" }))
      const { refreshToken } = yield* outcome
      assert.strictEqual(refreshToken && Redacted.value(refreshToken), "stub-refresh-token")
    })
  )

  it.effect("the lifetime of a token counts from when it was requested", () =>
    Effect.gen(function* () {
      const { outcome } = yield* acquireFrom(
        Answer.respondWith(() => Effect.as(TestClock.adjust("3 seconds"), Answer.token()))
      )
      const token = yield* outcome
      assert.deepInclude(token, { issuedAt: now, ...inAnHour })
    })
  )
})
