import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { request } from "node:http"
import { TestLayer } from "../config/configFile.ts"
import { startGateway } from "../http/RunningGateway.ts"

const jwt = [{ issuer: "https://login.example.com", login: { client_id: "the-gateway" } }]
const apiKeys = [{ key: "a-key-of-the-ci-runner", subject: "ci-runner" }]

/** What a request without a token comes to. The path is sent as it is. */
const answerTo = (url: string, path: string) =>
  Effect.promise(
    () =>
      new Promise<string>((resolve, reject) => {
        const { hostname, port } = new URL(url)
        request({ hostname, port, path, agent: false }, ({ headers, statusCode }) =>
          resolve(`${statusCode} ${headers.location ?? ""}`.trim())
        )
          .on("error", reject)
          .end()
      })
  )

const login = (publicUrl: string) => `303 ${publicUrl}/me/login?prompt=none`

describe("which paths are pages that need no token", () => {
  layer(TestLayer)((it) => {
    it.effect.each<readonly [string, object, Readonly<Record<string, string>>]>([
      [
        "a public URL without a path",
        { public_url: "https://gw.example.com", callers: { jwt } },
        {
          "/me": login("https://gw.example.com"),
          "/me?to=everyone": login("https://gw.example.com"),
          "/me/": "404",
          "/me/x": "404",
          "/me/../metrics": "404",
          "/me/..%2fmetrics": "404",
          "/me%2flogin": "401",
          "/ME": "401",
          "//me": "401",
          "/mex": "401",
          "/./me": "401",
          "/x/me": "401",
          "/servers/me": "401",
          "/metrics": "401",
          "/metrics?/me/": "401",
          "http://gw.example.com/me": "401"
        }
      ],
      [
        "a public URL with a path, which a proxy takes away or leaves",
        { public_url: "https://gw.example.com/team/gw/", callers: { jwt } },
        {
          "/me": login("https://gw.example.com/team/gw"),
          "/team/gw/me": login("https://gw.example.com/team/gw"),
          "/team/gw/me/x": "404",
          "/team/gw/team/gw/me": "401",
          "/team/gwx/me": "401",
          "/team/me": "401",
          "/team/gw/metrics": "401",
          "/team/gw/../../me": "401"
        }
      ],
      [
        "callers whose tokens their issuer is asked about",
        {
          public_url: "https://gw.example.com",
          callers: {
            introspection: [{ issuer: "https://login.example.com", client_id: "gw", client_secret: "secret" }]
          }
        },
        { "/me": login("https://gw.example.com"), "/me/x": "404", "/metrics": "401" }
      ],
      [
        "callers with API keys only",
        { public_url: "https://gw.example.com", api_keys: apiKeys },
        { "/me": "401", "/me/login": "401" }
      ],
      ["nobody is known", {}, { "/me": "404", "/me/login": "404" }],
      [
        "an issuer at which nobody logs in",
        {
          public_url: "https://gw.example.com",
          callers: { jwt: [{ issuer: "https://login.example.com", login: false }] }
        },
        {
          "/me": login("https://gw.example.com"),
          "/me/login": "404",
          "/me/login/callback?code=a&state=b": "403"
        }
      ]
    ])("%s", ([, gateway, answers]) =>
      Effect.gen(function* () {
        const { url } = yield* startGateway({
          store: { type: "memory" },
          gateway: { allowed_hosts: ["gw.example.com"], ...gateway },
          servers: [{ server_name: "wiki", config: { url: "http://127.0.0.1:9/mcp" } }]
        })
        const found = yield* Effect.forEach(Object.keys(answers), (path) =>
          Effect.map(answerTo(url, path), (answer) => [path, answer] as const)
        )
        assert.deepStrictEqual(Object.fromEntries(found), answers)
      })
    )
  })
})
