import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { json, text } from "./Answers.ts"
import * as Oracle from "./Oracle.ts"
import type { MakeResponse } from "./Oracle.ts"
import * as OurFlows from "./OurFlows.ts"
import { accepted, expectedOf, refused, type Row } from "./Verdict.ts"

const complete = {
  device_code: "the-device-code",
  user_code: "WDJB-MJHT",
  verification_uri: "https://as.example.com/device",
  expires_in: 600
}
const device = (fields: Readonly<Record<string, unknown>>, status = 200) =>
  json({ ...complete, ...fields }, status)
const theCode = accepted({
  userCode: "WDJB-MJHT",
  verificationUri: "https://as.example.com/device",
  expiresIn: 600
})

const rows: ReadonlyArray<Row<MakeResponse>> = [
  ["a plain answer", device({}), theCode],
  ["no device_code", device({ device_code: undefined }), refused],
  ["an empty device_code", device({ device_code: "" }), refused],
  ["device_code as a number", device({ device_code: 1 }), refused],
  ["no user_code", device({ user_code: undefined }), refused],
  [
    "user_code with a control character",
    device({ user_code: "\u001b]8;;x\u0007" }),
    {
      ours: refused,
      oracle: accepted({
        userCode: "\u001b]8;;x\u0007",
        verificationUri: "https://as.example.com/device",
        expiresIn: 600
      }),
      because: "The code is shown in a terminal, which would obey it"
    }
  ],
  [
    "user_code of a thousand characters",
    device({ user_code: "A".repeat(1000) }),
    {
      ours: refused,
      oracle: accepted({
        userCode: "A".repeat(1000),
        verificationUri: "https://as.example.com/device",
        expiresIn: 600
      }),
      because: "Nobody can type it, and it would fill the screen of the person"
    }
  ],
  ["no verification_uri", device({ verification_uri: undefined }), refused],
  [
    "verification_url of a draft",
    device({ verification_uri: undefined, verification_url: "https://as.example.com/device" }),
    { ours: theCode, oracle: refused, because: "Some servers still use the name of a draft" }
  ],
  [
    "a verification_uri with javascript:",
    device({ verification_uri: "javascript:alert(1)" }),
    {
      ours: refused,
      oracle: accepted({ userCode: "WDJB-MJHT", verificationUri: "javascript:alert(1)", expiresIn: 600 }),
      because: "The address is shown as a link and may be opened: only http and https"
    }
  ],
  [
    "a verification_uri that is no URL",
    device({ verification_uri: "go there" }),
    {
      ours: refused,
      oracle: accepted({ userCode: "WDJB-MJHT", verificationUri: "go there", expiresIn: 600 }),
      because: "The person could not open it"
    }
  ],
  ["no expires_in", device({ expires_in: undefined }), refused],
  ["expires_in as text", device({ expires_in: "600" }), theCode],
  [
    "expires_in zero",
    device({ expires_in: 0 }),
    {
      ours: refused,
      oracle: accepted({
        userCode: "WDJB-MJHT",
        verificationUri: "https://as.example.com/device",
        expiresIn: 0
      }),
      because: "Nobody could use a code that has ended"
    }
  ],
  ["expires_in below zero", device({ expires_in: -5 }), refused],
  [
    "expires_in as a list",
    device({ expires_in: [600] }),
    { ours: refused, oracle: theCode, because: "Only a number or its digits are a lifetime" }
  ],
  ["expires_in true", device({ expires_in: true }), refused],
  [
    "expires_in of a year",
    device({ expires_in: 31536000 }),
    {
      ours: accepted({
        userCode: "WDJB-MJHT",
        verificationUri: "https://as.example.com/device",
        expiresIn: 3600
      }),
      oracle: accepted({
        userCode: "WDJB-MJHT",
        verificationUri: "https://as.example.com/device",
        expiresIn: 31536000
      }),
      because: "Polling ends after one hour"
    }
  ],
  [
    "interval as text",
    device({ interval: "5" }),
    { ours: theCode, oracle: refused, because: "Digits as text are a number, as in a token answer" }
  ],
  [
    "interval below zero",
    device({ interval: -1 }),
    { ours: theCode, oracle: refused, because: "The default of five seconds is used (RFC 8628 §3.2)" }
  ],
  [
    "interval that overflows",
    text(
      '{"device_code":"d","user_code":"U","verification_uri":"https://as.example.com/","expires_in":600,"interval":1e999}'
    ),
    {
      ours: accepted({ userCode: "U", verificationUri: "https://as.example.com/", expiresIn: 600 }),
      oracle: refused,
      because: "The default of five seconds is used (RFC 8628 §3.2)"
    }
  ],
  [
    "verification_uri_complete as a number",
    device({ verification_uri_complete: 1 }),
    { ours: theCode, oracle: refused, because: "It is optional, and the person can type the code" }
  ],
  ["an error with status 200", text('{"error":"invalid_client"}'), refused],
  ["an HTML page", text("<html>", "text/html"), refused],
  ["status 400 with a code in it", device({}, 400), refused],
  ["an answer called text/plain", text(JSON.stringify(complete), "text/plain"), theCode]
]

describe("device authorization answers, as oauth4webapi reads them", () => {
  it.effect.each(rows)(
    "a device authorization answer is judged as oauth4webapi does, or differs for a reason: %s",
    ([, input, expected]) =>
      Effect.gen(function* () {
        const ours = yield* OurFlows.judgeDevice(input)
        const oracle = yield* Oracle.judgeDevice(input)
        assert.deepStrictEqual({ ours, oracle }, expectedOf(expected))
      })
  )
})
