import { assert, describe, it } from "@effect/vitest"
import { decodeGatewayConfig } from "@secure-mcp/gateway-server"
import { formatPath } from "@secure-mcp/oauth-core"
import * as Result from "effect/Result"

const jwt = [{ issuer: "https://login.example.com" }]
const publicUrl = "https://gw.example.com"

const problemsOf = (gateway: object, entry: object = {}): ReadonlyArray<string> => {
  const decoded = decodeGatewayConfig({
    gateway,
    servers: [{ server_name: "a", config: { url: "https://mcp.example.com/mcp" }, ...entry }]
  })
  return Result.isSuccess(decoded)
    ? []
    : decoded.failure.problems.map(({ message, path }) => `${formatPath(path)}: ${message}`)
}

describe("the callers of a configuration", () => {
  it.each([
    [{ public_url: publicUrl, callers: { jwt } }],
    [{ public_url: `${publicUrl}/prefix/`, callers: { jwt, remembered_tokens: 1 } }],
    [{ public_url: "http://127.0.0.1:8787", callers: { jwt: [{ issuer: "http://localhost:9000/realm" }] } }],
    [
      {
        public_url: publicUrl,
        callers: { introspection: [{ issuer: "https://x.example", client_id: "a", client_secret: "b" }] }
      }
    ],
    [{ public_url: publicUrl, callers: { jwt }, allow: { a: { groups: ["staff"] } } }],
    [
      { public_url: publicUrl, callers: { jwt, admin: { groups: ["operators"], scopes: ["gateway.admin"] } } }
    ],
    [{ public_url: publicUrl, callers: { jwt: [{ ...jwt[0], login: false }] } }],
    [
      {
        public_url: publicUrl,
        callers: {
          jwt: [
            {
              ...jwt[0],
              ca_bundle_path: "/etc/ssl/company.pem",
              login: { client_id: "gateway", client_secret: "secret", subject_claim: "uid", scope: "openid" }
            }
          ]
        }
      }
    ],
    [{ api_keys: ["a-key-of-sixteen-characters"], allow: { a: {} } }]
  ])("the callers %j are accepted", (gateway) => {
    assert.deepStrictEqual(problemsOf(gateway), [])
  })

  it.each([
    [{ callers: { jwt } }, "gateway.public_url: required with `callers`"],
    [
      { public_url: "http://gw.example.com", callers: { jwt } },
      "gateway.public_url: must be https, or http on a loopback host"
    ],
    [{ public_url: "gw.example.com" }, "gateway.public_url: must be an absolute"],
    [{ public_url: `${publicUrl}?a=b` }, "gateway.public_url: must not contain a query"],
    [{ public_url: publicUrl, callers: { jwt: [{}] } }, "gateway.callers.jwt[0].issuer: required"],
    [
      { public_url: publicUrl, callers: { jwt: [{ issuer: "http://login.example.com" }] } },
      "gateway.callers.jwt[0].issuer: must be https, or http on a loopback host"
    ],
    [
      { public_url: publicUrl, callers: { jwt: [{ ...jwt[0], scope: "x" }] } },
      "gateway.callers.jwt[0].scope: "
    ],
    [
      { public_url: publicUrl, callers: { jwt: [...jwt, ...jwt] } },
      "gateway.callers.jwt[1].issuer: stands in this list already"
    ],
    [{ public_url: publicUrl, callers: { jwts: [] } }, "gateway.callers.jwts: "],
    [
      {
        public_url: publicUrl,
        callers: { introspection: [{ issuer: "https://x.example", client_id: "a" }] }
      },
      "gateway.callers.introspection[0].client_secret: required"
    ],
    [
      { public_url: publicUrl, callers: { jwt, client_certificates: true } },
      "gateway.callers.client_certificates: has no effect"
    ],
    [
      { public_url: publicUrl, callers: { jwt, remembered_tokens: 0 } },
      "gateway.callers.remembered_tokens: must be at least 1"
    ],
    [
      { public_url: publicUrl, callers: { jwt }, allow: { b: {} } },
      "gateway.allow.b: no server has this name"
    ],
    [{ public_url: publicUrl, callers: { jwt }, allow: { a: { users: [] } } }, "gateway.allow.a.users: "],
    [{ allow: { a: {} } }, "gateway.allow: has no effect"],
    [{ public_url: publicUrl, callers: { jwt, admin: { users: [] } } }, "gateway.callers.admin.users: "],
    [
      { public_url: publicUrl, callers: { jwt: [{ ...jwt[0], login: true }] } },
      "gateway.callers.jwt[0].login: must be an object, or false"
    ],
    [
      { public_url: publicUrl, callers: { jwt: [{ ...jwt[0], login: { client: "gateway" } }] } },
      "gateway.callers.jwt[0].login.client: "
    ],
    [
      { public_url: publicUrl, callers: { jwt: [{ ...jwt[0], login: { redirect_uri: publicUrl } }] } },
      "gateway.callers.jwt[0].login.redirect_uri: is not for this login"
    ],
    [
      { public_url: publicUrl, callers: { jwt: [{ ...jwt[0], login: { subject_claim: 7 } }] } },
      "gateway.callers.jwt[0].login.subject_claim: must be the name of a claim"
    ]
  ])("the callers %j have the problem %s", (gateway, expected) => {
    const problems = problemsOf(gateway)
    assert.lengthOf(problems, 1, problems.join("\n"))
    assert.isTrue(problems[0]?.startsWith(expected), problems[0])
  })

  it.each([
    [{ allow: ["a"], deny: ["b*"] }, []],
    [{ allow: [] }, []],
    [{ alow: [] }, ["servers[0].tools.alow: "]],
    [{ allow: "a" }, ["servers[0].tools.allow: "]],
    [{ deny: [""] }, ["servers[0].tools.deny[0]: "]],
    [["a"], ["servers[0].tools: "]]
  ])("the tools %j of an entry are accepted, or have the problems %j", (tools, expected) => {
    const problems = problemsOf({}, { tools })
    assert.lengthOf(problems, expected.length, problems.join("\n"))
    expected.forEach((start, index) => assert.isTrue(problems[index]?.startsWith(start), problems[index]))
  })
})
