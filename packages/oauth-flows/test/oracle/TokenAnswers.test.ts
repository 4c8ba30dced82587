import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { json, noContent, text } from "./Answers.ts"
import * as Oracle from "./Oracle.ts"
import type { MakeResponse } from "./Oracle.ts"
import * as OurFlows from "./OurFlows.ts"
import { accepted, expectedOf, refused, type Row } from "./Verdict.ts"

const complete = { access_token: "the-token", token_type: "Bearer", expires_in: 3600 }
const whole = JSON.stringify(complete)
const token = (fields: Readonly<Record<string, unknown>>, status = 200, headers = {}) =>
  json({ ...complete, ...fields }, status, headers)
const theToken = accepted({ accessToken: "the-token", lifetime: 3600 })
/** Without a lifetime a client's own token is used once. */
const usedOnce = accepted({ accessToken: "the-token" })

const rows: ReadonlyArray<Row<MakeResponse>> = [
  ["a plain answer", token({}), theToken],
  [
    "an answer with scope and a refresh token",
    token({ scope: "a b", refresh_token: "r" }),
    accepted({ accessToken: "the-token", lifetime: 3600, scope: "a b", refreshToken: "r" })
  ],
  ["an answer called text/plain", text(whole, "text/plain"), theToken],
  ["an answer called text/html", text(whole, "text/html"), theToken],
  ["JSON with a charset", text(whole, "application/json; charset=utf-8"), theToken],
  ["a content type in capitals", text(whole, "Application/JSON"), theToken],
  [
    "a form",
    text("access_token=the-token&token_type=bearer&expires_in=3600", "application/x-www-form-urlencoded"),
    {
      ours: theToken,
      oracle: refused,
      because: "Some servers answer the token request with a form (GitHub does by default)"
    }
  ],
  ["a byte order mark", text("\uFEFF" + whole), theToken],
  ["no body", text(""), refused],
  ["an HTML page", text("<html>down</html>", "text/html"), refused],
  ["an HTML page called JSON", text("<html>down</html>"), refused],
  ["a JSON list", text(`[${whole}]`), refused],
  ["JSON null", text("null"), refused],
  ["a JSON text", text('"the-token"'), refused],
  ["JSON that is cut off", text(whole.slice(0, -4)), refused],
  ["two JSON objects", text(whole + whole), refused],
  [
    "access_token twice",
    text('{"access_token":"first","token_type":"Bearer","expires_in":3600,"access_token":"second"}'),
    accepted({ accessToken: "second", lifetime: 3600 })
  ],
  ["the member __proto__", text('{"__proto__":{"access_token":"the-token"},"token_type":"Bearer"}'), refused],
  ["no access_token", token({ access_token: undefined }), refused],
  ["access_token null", token({ access_token: null }), refused],
  ["an empty access_token", token({ access_token: "" }), refused],
  ["access_token as a number", token({ access_token: 1 }), refused],
  ["access_token as an object", token({ access_token: { value: "the-token" } }), refused],
  [
    "an access_token with a line break",
    token({ access_token: "a\r\nx-evil: 1" }),
    {
      ours: refused,
      oracle: accepted({ accessToken: "a\r\nx-evil: 1", lifetime: 3600 }),
      because: "It could add a header to every request that carries the token"
    }
  ],
  [
    "an access_token with a space",
    token({ access_token: "a b" }),
    {
      ours: refused,
      oracle: accepted({ accessToken: "a b", lifetime: 3600 }),
      because: "It cannot stand in an Authorization header (RFC 6750 §2.1)"
    }
  ],
  [
    "an access_token beyond ASCII",
    token({ access_token: "tök" }),
    {
      ours: refused,
      oracle: accepted({ accessToken: "t\u00f6k", lifetime: 3600 }),
      because: "It cannot stand in an Authorization header (RFC 6750 §2.1)"
    }
  ],
  [
    "no token_type",
    token({ token_type: undefined }),
    {
      ours: theToken,
      oracle: refused,
      because: "Real servers leave it out, and a Bearer token is all that was asked for"
    }
  ],
  [
    "token_type null",
    token({ token_type: null }),
    { ours: theToken, oracle: refused, because: "Null counts as left out" }
  ],
  ["token_type in capitals", token({ token_type: "BEARER" }), theToken],
  ["token_type mac", token({ token_type: "mac" }), refused],
  [
    "token_type DPoP without a proof",
    token({ token_type: "DPoP" }),
    {
      ours: refused,
      oracle: theToken,
      because: "No DPoP proof was sent, so the token could not be used as it demands (RFC 6749 §7.1)"
    }
  ],
  ["token_type N_A", token({ token_type: "N_A" }), refused],
  ["an empty token_type", token({ token_type: "" }), refused],
  ["token_type as a number", token({ token_type: 1 }), refused],
  ["token_type as a list", token({ token_type: ["Bearer"] }), refused],
  ["no expires_in", token({ expires_in: undefined }), usedOnce],
  [
    "expires_in null",
    token({ expires_in: null }),
    { ours: usedOnce, oracle: refused, because: "Null counts as left out: the token is used once" }
  ],
  ["expires_in as text", token({ expires_in: "3600" }), theToken],
  [
    "expires_in as text that is no number",
    token({ expires_in: "soon" }),
    { ours: usedOnce, oracle: refused, because: "It says nothing of the lifetime: the token is used once" }
  ],
  [
    "an empty expires_in",
    token({ expires_in: "" }),
    { ours: usedOnce, oracle: refused, because: "It says nothing of the lifetime: the token is used once" }
  ],
  ["expires_in zero", token({ expires_in: 0 }), accepted({ accessToken: "the-token", lifetime: 0 })],
  [
    "expires_in below zero",
    token({ expires_in: -1 }),
    {
      ours: accepted({ accessToken: "the-token", lifetime: 0 }),
      oracle: refused,
      because: "The token counts as expired: it is used once and never kept"
    }
  ],
  [
    "expires_in with a fraction",
    token({ expires_in: 1.5 }),
    accepted({ accessToken: "the-token", lifetime: 1.5 })
  ],
  [
    "expires_in of 1e300",
    token({ expires_in: 1e300 }),
    {
      ours: accepted({ accessToken: "the-token", lifetime: 315360000 }),
      oracle: accepted({ accessToken: "the-token", lifetime: 1e300 }),
      because: "A lifetime is cut to ten years, which stays within the range of dates"
    }
  ],
  [
    "expires_in that overflows",
    text('{"access_token":"the-token","token_type":"Bearer","expires_in":1e999}'),
    {
      ours: accepted({ accessToken: "the-token", lifetime: 315360000 }),
      oracle: refused,
      because: "A lifetime is cut to ten years, which stays within the range of dates"
    }
  ],
  [
    "expires_in true",
    token({ expires_in: true }),
    { ours: usedOnce, oracle: refused, because: "It says nothing of the lifetime: the token is used once" }
  ],
  [
    "expires_in as a list",
    token({ expires_in: [3600] }),
    {
      ours: usedOnce,
      oracle: theToken,
      because: "Only a number or its digits are a lifetime; a list says nothing: the token is used once"
    }
  ],
  [
    "scope as a list",
    token({ scope: ["a", "b"] }),
    {
      ours: accepted({ accessToken: "the-token", lifetime: 3600, scope: "a b" }),
      oracle: refused,
      because: "Some servers send a list"
    }
  ],
  ["scope as a number", token({ scope: 1 }), refused],
  [
    "scope null",
    token({ scope: null }),
    { ours: theToken, oracle: refused, because: "Null counts as left out" }
  ],
  ["an empty scope", token({ scope: "" }), accepted({ accessToken: "the-token", lifetime: 3600, scope: "" })],
  [
    "scope with a quotation mark",
    token({ scope: 'a "b' }),
    {
      ours: accepted({ accessToken: "the-token", lifetime: 3600, scope: "a" }),
      oracle: accepted({ accessToken: "the-token", lifetime: 3600, scope: 'a "b' }),
      because: "What is no scope name (RFC 6749 §3.3) is left out, so that it gets into no later request"
    }
  ],
  [
    "refresh_token as a number",
    token({ refresh_token: 1 }),
    {
      ours: theToken,
      oracle: refused,
      because: "The access token is good; there is no refresh token to send"
    }
  ],
  [
    "refresh_token null",
    token({ refresh_token: null }),
    { ours: theToken, oracle: refused, because: "Null counts as left out" }
  ],
  [
    "an empty refresh_token",
    token({ refresh_token: "" }),
    { ours: theToken, oracle: refused, because: "An empty text counts as left out" }
  ],
  [
    "id_token as a number",
    token({ id_token: 1 }),
    {
      ours: theToken,
      oracle: refused,
      because: "An ID token is not read: who the person is comes from elsewhere"
    }
  ],
  [
    "id_token that is no JWT",
    token({ id_token: "x" }),
    {
      ours: theToken,
      oracle: refused,
      because: "An ID token is not read: who the person is comes from elsewhere"
    }
  ],
  ["an error with status 200", text('{"error":"invalid_grant"}'), refused],
  [
    "an error next to a token",
    token({ error: "invalid_grant" }),
    { ours: refused, oracle: theToken, because: "An answer that says both is not trusted" }
  ],
  ["ok false", text('{"ok":false,"error":"bad_code"}'), refused],
  [
    "status 201",
    token({}, 201),
    {
      ours: theToken,
      oracle: refused,
      because:
        "Any 2xx counts: the body says whether it is a token, and real servers and proxies answer 201 and 203"
    }
  ],
  [
    "status 203",
    token({}, 203),
    {
      ours: theToken,
      oracle: refused,
      because:
        "Any 2xx counts: the body says whether it is a token, and real servers and proxies answer 201 and 203"
    }
  ],
  ["status 204", noContent, refused],
  [
    "status 206",
    token({}, 206),
    {
      ours: theToken,
      oracle: refused,
      because: "Any 2xx counts, and a body that lacks its end is no JSON object"
    }
  ],
  ["status 302 with a token in it", token({}, 302, { location: "https://evil.example.com/" }), refused],
  ["status 400 with a token in it", token({}, 400), refused],
  ["status 400 with an error", text('{"error":"invalid_grant"}', "application/json", 400), refused],
  ["status 400 with an HTML page", text("<html>", "text/html", 400), refused],
  [
    "status 401 with a challenge",
    text('{"error":"invalid_client"}', "application/json", 401, { "www-authenticate": "Basic realm=x" }),
    refused
  ],
  [
    "status 200 with a challenge",
    token({}, 200, { "www-authenticate": 'Bearer error="invalid_token"' }),
    theToken
  ],
  ["status 500 with a token in it", token({}, 500), refused]
]

describe("token answers, as oauth4webapi reads them", () => {
  it.effect.each(rows)(
    "a token answer is judged as oauth4webapi does, or differs for a reason: %s",
    ([, input, expected]) =>
      Effect.gen(function* () {
        const ours = yield* OurFlows.judgeToken(input)
        const oracle = yield* Oracle.judgeToken(input)
        assert.deepStrictEqual({ ours, oracle }, expectedOf(expected))
      })
  )
})
