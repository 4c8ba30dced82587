import { findCanaries } from "@secure-mcp/testing"
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import { type Attack, makeTally } from "../attack/Attack.ts"
import { call } from "../clients/McpCall.ts"
import { startGateway } from "../process/GatewayProcess.ts"
import { apiKeys, keyOf } from "../servers/Entries.ts"
import { answerJson, bodyOf, listen } from "../servers/LoopbackServer.ts"

/** Bytes of the assertion. */
const size = 28_000

/** How a server may send back what it was sent. */
const encodings: Readonly<Record<string, (text: string) => string>> = {
  plain: (text) => text,
  percent: encodeURIComponent,
  "every byte percent": (text) => everyByte(text, (byte) => `%${byte}`),
  "percent twice": (text) => everyByte(text, (byte) => `%25${byte}`),
  json: (text) => JSON.stringify(text),
  "unicode escapes": (text) => everyByte(text, (byte) => `\\u00${byte}`),
  base64: (text) => Buffer.from(text).toString("base64"),
  "base64 behind one byte": (text) => Buffer.from(`x${text}`).toString("base64"),
  "base64 behind two bytes": (text) => Buffer.from(`xy${text}`).toString("base64"),
  base64url: (text) => Buffer.from(text).toString("base64url"),
  hex: (text) => Buffer.from(text).toString("hex"),
  "hex in capitals": (text) => Buffer.from(text).toString("hex").toUpperCase(),
  "HTML entities": (text) => everyByte(text, (byte) => `&#x${byte};`),
  "decimal entities": (text) => [...Buffer.from(text)].map((byte) => `&#${byte};`).join(""),
  "UTF-16": (text) => [...text].join("\0"),
  capitals: (text) => text.toUpperCase(),
  "lines of 64": (text) => text.replaceAll(/.{64}/g, "$&\r\n"),
  "the first half": (text) => text.slice(0, size / 2),
  "its last 200": (text) => text.slice(-200)
}

const everyByte = (text: string, encode: (byte: string) => string) =>
  [...Buffer.from(text)].map((byte) => encode(byte.toString(16).padStart(2, "0"))).join("")

/** An assertion of many parts; each is searched for, so that no piece of it goes unseen. */
const makeAssertion = () => {
  const parts = Array.from({ length: 40 }, () => randomBytes(24).toString("base64url"))
  const filling = randomBytes(size).toString("base64url")
  const step = Math.floor(size / parts.length) - 32
  const payload = parts.map((part, index) => part + filling.slice(index * step, (index + 1) * step)).join("")
  const [header, signature] = [JSON.stringify({ alg: "RS256" }), "a signature"].map((text) =>
    Buffer.from(text).toString("base64url")
  )
  return { parts, text: `${header}.${payload}.${signature}` }
}

export const secretsInLogs: Attack = {
  name: "secrets-in-logs",
  tries: `an assertion of ${size} bytes that the token endpoint sends back in ${Object.keys(encodings).length} encodings; through: a piece of it stands in the log or in an answer`,
  run: ({ isShort }) =>
    Effect.gen(function* () {
      const tally = makeTally()
      const { parts, text } = makeAssertion()
      const names = Object.keys(encodings)
      const site = yield* listen((request, response) => {
        const [, number = "0"] = /token\/(\d+)$/.exec(request.url ?? "") ?? []
        void bodyOf(request).then(
          (body) => {
            const assertion = new URLSearchParams(body).get("assertion") ?? ""
            const encode = encodings[names[Number(number)] ?? "plain"]
            return answerJson(response, 400, {
              error: "invalid_grant",
              error_description: `This assertion is not valid: ${encode?.(assertion)}`
            })
          },
          () => response.destroy()
        )
      })
      const gateway = yield* startGateway(
        {
          gateway: { api_keys: apiKeys(["alice"]) },
          servers: names.map((_, index) => ({
            server_name: `server-${index}`,
            config: { url: `${site.url}/mcp` },
            oauth: {
              enabled: true,
              grant_type: "jwt_bearer",
              token_url: `${site.url}/token/${index}`,
              client_id: "gateway",
              client_secret: "the-secret-of-the-client",
              assertion: text,
              enforce_https: false
            }
          }))
        },
        "--log-level",
        "trace"
      )
      yield* Effect.promise(async () => {
        await gateway.beginMeasurement()
        for (const [index, name] of names.entries()) {
          const before = gateway.output().length
          const { body, status } = await call(`${gateway.url}/servers/server-${index}/mcp`, {
            key: keyOf("alice")
          })
          tally.expect(status === 502, `${name}: answered with ${status}`)
          const haystack = gateway.output().slice(before) + body
          const wanted = isShort ? parts.filter((_, part) => part % 4 === 0) : parts
          const lowered = haystack.toLowerCase()
          const seen = wanted.filter(
            (part) => lowered.includes(part.toLowerCase()) || findCanaries(haystack, part).length > 0
          )
          tally.expect(seen.length === 0, `${name}: ${seen.length} of ${wanted.length} pieces are seen`)
        }
        const { longestComputation } = await gateway.figures()
        tally.figure("longest computation", longestComputation, " ms")
      })
      return tally.outcome()
    })
}
