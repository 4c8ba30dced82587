import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { text } from "node:stream/consumers"
import { ping, send, serveRaw } from "../http/RawHttp.ts"
import { startGateway } from "../http/RunningGateway.ts"
import { bearer, startCompany } from "./Company.ts"

const persons = 10_000

describe("ten thousand persons", () => {
  it.effect("each of ten thousand persons acts as themselves, with one exchange each", () =>
    Effect.gen(function* () {
      const company = yield* startCompany
      let exchanges = 0
      const { url: tokenUrl } = yield* serveRaw((request, response) => {
        const exchange = async () => {
          const form = await text(request)
          exchanges += 1
          const [, claims = ""] = (new URLSearchParams(form).get("subject_token") ?? "").split(".")
          const { sub } = JSON.parse(Buffer.from(claims, "base64url").toString()) as { sub: string }
          response
            .writeHead(200, { "content-type": "application/json" })
            .end(JSON.stringify({ access_token: `for-${sub}`, token_type: "Bearer", expires_in: 3600 }))
        }
        void exchange()
      })
      const { url } = yield* serveRaw((request, response) => {
        request.resume()
        response
          .writeHead(200, { "content-type": "application/json" })
          .end(JSON.stringify({ token: request.headers.authorization }))
      })
      const gateway = yield* startGateway({
        gateway: company.gateway(),
        servers: [
          {
            server_name: "a",
            config: { url },
            oauth: {
              enabled: true,
              grant_type: "token_exchange",
              token_url: tokenUrl,
              client_id: "gateway",
              client_secret: "the-secret-of-the-gateway",
              subject_token: "${caller:token}",
              subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
              enforce_https: false
            }
          }
        ]
      })
      const subjects = Array.from({ length: persons }, (_, index) => `person-${index}`)
      const tokens = yield* Effect.forEach(subjects, (subject) => company.token(subject), {
        concurrency: 8
      })
      const asked = (subject: string, token = "") =>
        Effect.map(
          send(gateway.mcp("a"), { ...ping, headers: { ...ping.headers, ...bearer(token) } }),
          ({ body }) => body.toString().includes(`"Bearer for-${subject}"`)
        )
      const all = Effect.forEach(subjects, (subject, index) => asked(subject, tokens[index]), {
        concurrency: 32
      })
      assert.strictEqual((yield* all).filter((own) => own).length, persons)
      assert.strictEqual(exchanges, persons)
      // All tokens have room in memory, and nobody's drove another one's out.
      assert.strictEqual((yield* all).filter((own) => own).length, persons)
      assert.strictEqual(exchanges, persons)
      assert.lengthOf(yield* gateway.tokens, persons)
    })
  )
})
