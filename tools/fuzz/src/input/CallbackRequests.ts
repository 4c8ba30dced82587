import * as fc from "fast-check"
import { bytesOf, damaged, hostileText } from "./Texts.ts"

/** What stands in a request for something that only a login under way knows. */
export const placeholders = {
  state: "LOGIN_STATE",
  linkId: "LOGIN_ID",
  confirmation: "LOGIN_CONFIRMATION",
  cookie: "LOGIN_COOKIE"
} as const

const value = fc.oneof(
  { weight: 3, arbitrary: hostileText().map((text) => encodeURIComponent(text.toWellFormed())) },
  { weight: 1, arbitrary: hostileText().map((text) => text.replaceAll(/[\s\0]/g, "").slice(0, 8000)) }
)

const parameter = (code: string): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 8, arbitrary: fc.constant(`state=${placeholders.state}`) },
    { weight: 6, arbitrary: fc.constant(`code=${code}`) },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        "error=access_denied",
        "error=server_error",
        "iss=https%3A%2F%2Fauth.example",
        "iss=",
        "state",
        "&",
        "=",
        `confirm=${placeholders.confirmation}`
      )
    },
    {
      weight: 4,
      arbitrary: fc
        .tuple(
          fc.constantFrom("error", "error_description", "error_uri", "state", "code", "iss", "scope"),
          value
        )
        .map(([name, text]) => `${name}=${text}`)
    }
  )

const target = (code: string): fc.Arbitrary<string> =>
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .array(parameter(code), { maxLength: 6 })
        .map((parameters) => `/oauth/callback?${parameters.join("&")}`)
    },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        `/oauth/callback?state=${placeholders.state}&code=${code}`,
        `/oauth/callback/?state=${placeholders.state}&code=${code}`,
        `/oauth/%63allback?state=${placeholders.state}&code=${code}`,
        `//oauth/callback?state=${placeholders.state}&code=${code}`,
        `http://127.0.0.1/oauth/callback?state=${placeholders.state}&code=${code}`,
        `/oauth/callback#state=${placeholders.state}&code=${code}`
      )
    },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        `/login/${placeholders.linkId}`,
        `/login/${placeholders.linkId}?confirm=${placeholders.confirmation}`,
        `/login/${placeholders.linkId}/`,
        `/login/../login/${placeholders.linkId}`,
        "/login/",
        "/login/%00",
        "/",
        "*"
      )
    },
    { weight: 1, arbitrary: value.map((text) => `/login/${text}`) },
    { weight: 1, arbitrary: value }
  )

const header: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    "Cookie: a=b",
    "Cookie: =; ;;=",
    "Sec-Fetch-Site: cross-site",
    "Sec-Fetch-Site: same-origin",
    "Content-Length: 0",
    "Content-Length: 3\r\n\r\na=b",
    "Transfer-Encoding: x",
    "Origin: https://evil.example",
    "Referer: https://evil.example",
    "Connection: keep-alive",
    "Expect: x"
  ),
  fc
    .tuple(fc.constantFrom("Cookie", "User-Agent", "Host"), hostileText())
    .map(([name, text]) => `${name}: ${text.slice(0, 20_000)}`)
)

/** What browsers send to the callback listener, as bytes. @param code of the authorization response */
export const callbackRequestBytes = (code: string): fc.Arbitrary<string> => {
  const request = fc
    .record({
      method: fc.constantFrom("GET", "GET", "GET", "GET", "POST", "POST", "HEAD", "PUT", "CONNECT"),
      path: target(code),
      cookie: fc.constantFrom(`Cookie: ${placeholders.cookie}\r\n`, `Cookie: ${placeholders.cookie}\r\n`, ""),
      headers: fc.array(header, { maxLength: 3 })
    })
    .map(({ cookie, headers, method, path }) =>
      bytesOf(
        `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n${cookie}` +
          `${headers.map((line) => `${line}\r\n`).join("")}\r\n`
      )
    )
  return fc.oneof(
    { weight: 5, arbitrary: request },
    { weight: 1, arbitrary: damaged(request, hostileText().map(bytesOf)) }
  )
}
