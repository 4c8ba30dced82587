import { assert, describe, it } from "@effect/vitest"
import { OAuthHttp } from "@secure-mcp/oauth-core"
import { oauthHttpContract } from "@secure-mcp/oauth-core/testing"
import * as Effect from "effect/Effect"
import type * as Cookies from "effect/http/Cookies"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import type { HttpClientError } from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"

type Client = HttpClient.HttpClient

const overFetch = OAuthHttp.layer.pipe(Layer.provide(FetchHttpClient.layer))

describe("OAuthHttp.layer over fetch", () => {
  it.effect.each([...oauthHttpContract])("fetch $name", ({ effect }) =>
    Effect.map(Effect.provide(effect, overFetch), (outcome) => assert.isUndefined(outcome))
  )
})

const withoutRedirects = HttpClient.transformResponse(
  Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" })
)

/** A transport over fetch that does one thing wrong. */
const wrong = (change: (client: Client) => Client) =>
  Layer.effect(
    OAuthHttp,
    Effect.map(HttpClient.HttpClient, (client) => {
      const changed = change(client)
      return { connection: () => Effect.succeed({ client: changed }) }
    })
  ).pipe(Layer.provide(FetchHttpClient.layer))

type Exchange = Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError>

const failWithDefect = (exchange: Exchange): Exchange => Effect.orDie(exchange)

/** Reads each body to its end before it gives the answer. */
const buffer = (exchange: Exchange, request: HttpClientRequest.HttpClientRequest): Exchange =>
  Effect.gen(function* () {
    const response = yield* exchange
    const { headers, status } = response
    const body = yield* response.arrayBuffer
    return HttpClientResponse.fromWeb(request, new Response(body, { status, headers: { ...headers } }))
  })

const cookies = Ref.makeUnsafe<ReadonlyArray<Cookies.Cookie>>([])

const wrongTransports: ReadonlyArray<readonly [string, string, (client: Client) => Client]> = [
  ["follows redirects", "does not follow a 307, which would send credentials elsewhere", (client) => client],
  [
    "sends a request again after a failure",
    "sends a request once, even if its connection breaks",
    (client) => HttpClient.retry(withoutRedirects(client), { times: 1 })
  ],
  [
    "fails with a defect",
    "sends a request once, even if its connection breaks",
    (client) => HttpClient.transform(withoutRedirects(client), failWithDefect)
  ],
  [
    "keeps cookies",
    "sends no cookie that a server has set",
    (client) => HttpClient.withCookiesRef(withoutRedirects(client), cookies)
  ],
  [
    "adds credentials",
    "sends a request as it is, and gives back the answer as it is",
    (client) =>
      HttpClient.mapRequest(withoutRedirects(client), HttpClientRequest.basicAuth("user", "password"))
  ],
  [
    "reads bodies to their end",
    "gives a body piece by piece, as it arrives",
    (client) => HttpClient.transform(withoutRedirects(client), buffer)
  ],
  [
    "goes on with a request that is interrupted",
    "closes the connection of a request that is interrupted",
    (client) => HttpClient.transformResponse(withoutRedirects(client), Effect.uninterruptible)
  ],
  [
    "takes an error for a failure",
    "gives back an answer of any status",
    (client) => HttpClient.filterStatusOk(withoutRedirects(client))
  ],
  [
    "leaves out a client certificate",
    "fails rather than to leave out a client certificate that the configuration asks for",
    (client) => withoutRedirects(client)
  ]
]

describe("the contract of transports", () => {
  it.effect.each(wrongTransports)("a transport that %s is found", ([, name, change]) =>
    Effect.gen(function* () {
      const point = oauthHttpContract.find((candidate) => candidate.name === name)
      assert.isDefined(point)
      if (point === undefined) return
      const violation = yield* Effect.flip(Effect.provide(point.effect, wrong(change)))
      assert.strictEqual(violation._tag, "ContractViolation")
    })
  )
})
