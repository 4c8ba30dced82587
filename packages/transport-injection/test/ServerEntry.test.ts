import { assert, describe, it } from "@effect/vitest"
import { formatPath } from "@secure-mcp/oauth-core"
import {
  decodeServerEntry,
  defaultLimits,
  type HttpServerEntry,
  type StdioServerEntry
} from "@secure-mcp/transport-injection"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { wireOAuth } from "./ScriptedOAuthService.ts"

const url = "https://api.example.com/mcp"

/** Every problem as `path: message`. */
const problemsOf = (input: unknown): ReadonlyArray<string> => {
  const result = decodeServerEntry(input)
  return Result.isSuccess(result)
    ? []
    : result.failure.problems.map(({ path, message }) => `${formatPath(path)}: ${message}`)
}

const decodeHttp = (input: unknown): HttpServerEntry => {
  const entry = Result.getOrThrow(decodeServerEntry(input))
  assert(Predicate.isTagged(entry, "Http"))
  return entry
}

const decodeStdio = (input: unknown): StdioServerEntry => {
  const entry = Result.getOrThrow(decodeServerEntry(input))
  assert(Predicate.isTagged(entry, "Stdio"))
  return entry
}

const reveal = (record: Readonly<Record<string, Redacted.Redacted>>) =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, Redacted.value(value)]))

describe("decodeServerEntry", () => {
  it("the proxy of an entry is redacted, and false stands for none", () => {
    const entry = (proxy?: unknown) => ({
      server_name: "remote",
      config: { url },
      ...(proxy === undefined ? {} : { proxy })
    })
    const { proxies } = decodeHttp(entry("http://user:secret@proxy.example:3128"))
    assert.notInclude(JSON.stringify(proxies?.https?.toString()), "secret")
    assert.strictEqual(
      proxies?.https && Redacted.value(proxies.https),
      "http://user:secret@proxy.example:3128"
    )
    assert.strictEqual(proxies?.http, proxies?.https)
    assert.deepStrictEqual(decodeHttp(entry(false)).proxies, {})
    assert.isUndefined(decodeHttp(entry()).proxies)
    assert.match(
      problemsOf(entry("proxy.example:3128")).join(),
      /^proxy: must be the http\(s\) URL of a proxy/
    )
    assert.match(problemsOf(entry(true)).join(), /^proxy: /)
  })

  it("accepts the documented entry unchanged", () => {
    const entry = decodeHttp({
      server_name: "remote_mcp_server",
      config: { url, transport: "http" },
      oauth: {
        enabled: true,
        version: "2.1",
        grant_type: "client_credentials",
        token_url: "https://auth.example.com/oauth/token",
        client_id: "your_client_id",
        client_secret: "your_client_secret",
        audience: "https://api.example.com",
        scope: "mcp:read mcp:write",
        enforce_https: true
      }
    })
    assert.strictEqual(entry.serverName, "remote_mcp_server")
    assert.strictEqual(entry.url, url)
    assert.deepStrictEqual(entry.headers, {})
    assert.strictEqual(entry.oauth?.audience, "https://api.example.com")
  })

  it("recognises the transport by the url", () => {
    const entry = decodeHttp({ server_name: "a", config: { url, headers: { "X-Key": "canary" } } })
    assert.deepStrictEqual(reveal(entry.headers), { "X-Key": "canary" })
    assert.notInclude(JSON.stringify(entry), "canary")
    assert.isUndefined(entry.oauth)
  })

  it("accepts an entry with a command", () => {
    const config = { command: "node", args: ["server.js"], env: { API_KEY: "canary" }, cwd: "/srv" }
    const entry = decodeStdio({ server_name: "local", config, oauth: wireOAuth })
    assert.deepStrictEqual([entry.command, entry.args, entry.cwd], ["node", ["server.js"], "/srv"])
    assert.deepStrictEqual(reveal(entry.env), { API_KEY: "canary" })
    assert.notInclude(JSON.stringify(entry), "canary")
    assert.strictEqual(entry.oauth?.tokenEnv, "ENKRYPT_ACCESS_TOKEN")
  })

  it("a server with a command has no URL where the token endpoint of client_credentials could be looked for", () => {
    const { token_url: _, ...oauth } = wireOAuth
    const problems = (config: object, more: object = {}) =>
      problemsOf({ server_name: "a", config, oauth: { ...oauth, ...more } })
    assert.deepStrictEqual(problems({ command: "node" }), [
      "oauth.token_url: required for a server with a `command`, unless `issuer` leads to it"
    ])
    assert.deepStrictEqual(problems({ command: "node" }, { issuer: "https://auth.example" }), [])
    assert.deepStrictEqual(problems({ command: "node" }, { grant_type: "authorization_code" }), [])
    assert.deepStrictEqual(problems({ url }), [])
  })

  it("fills in what an entry with a command leaves out", () => {
    const entry = decodeStdio({ server_name: "local", config: { command: "node", transport: "stdio" } })
    assert.deepStrictEqual([entry.args, entry.env, entry.cwd, entry.oauth], [[], {}, undefined, undefined])
  })

  it("reports all problems of the entry at once, without a value", () => {
    const input = {
      server_name: "no spaces please",
      configuration: {},
      config: {
        url: "http://user:canary@api.example.com/mcp",
        header: { "X-Key": "canary" },
        headers: { authorization: "canary", "X Y": "canary", "X-Line": "canary\n" }
      },
      oauth: {
        enabled: true,
        token_url: "http://auth.example.com/token",
        client_id: 7,
        client_sekret: "canary"
      }
    }
    const problems = problemsOf(input)
    assert.deepStrictEqual(problems, [
      "configuration: unknown key",
      "server_name: must be letters, digits, `.`, `_` and `-`",
      "config.header: unknown key: did you mean `headers`?",
      'config.headers["X Y"]: is not a header name',
      "config.headers.X-Line: has characters that cannot stand in a header",
      "config.url: must not contain a user name or password",
      "config.headers.authorization: is set by `oauth`: take it out, or set `oauth.enabled` to false",
      "oauth.client_sekret: unknown key: did you mean `client_secret`?",
      "oauth.client_id: Expected string",
      "oauth.client_secret: required for client_credentials, unless `use_mtls` or `private_key` authenticates the client",
      "oauth.token_url: must be https (`enforce_https`)"
    ])
    assert.notInclude(problems.join("\n"), "canary")
  })

  it("the user agent of an entry is a header value", () => {
    const entry = (user_agent: string) => ({ server_name: "a", config: { url }, user_agent })
    assert.strictEqual(decodeHttp(entry("agent/1.0")).userAgent, "agent/1.0")
    assert.match(problemsOf(entry("agent\n1.0")).join(), /^user_agent: must be printable ASCII/)
  })

  it("says what is wrong with something that is not an entry", () => {
    assert.deepStrictEqual(problemsOf("remote"), ["(root): must be a JSON object"])
    assert.deepStrictEqual(problemsOf([]), ["(root): must be a JSON object"])
    assert.deepStrictEqual(problemsOf({}), [
      "server_name: required",
      "config: required: a `url` or a `command`"
    ])
    assert.deepStrictEqual(problemsOf({ server_name: "a", config: url, oauth: true }), [
      "config: must be a JSON object",
      "oauth: must be a JSON object"
    ])
  })
})

describe("server_name", () => {
  it("server_name is letters, digits, dots, underscores and dashes", () => {
    for (const server_name of ["a", "A.b_c-9", "...", "0"]) {
      assert.deepStrictEqual(problemsOf({ server_name, config: { url } }), [])
    }
    for (const server_name of ["", "a b", "a/b", "ä", "a\n", ".", ".."]) {
      assert.lengthOf(problemsOf({ server_name, config: { url } }), 1, JSON.stringify(server_name))
    }
    assert.deepStrictEqual(problemsOf({ server_name: "..", config: { url } }), [
      "server_name: must not be `.` or `..`, which no URL path can name"
    ])
  })
})

describe("config", () => {
  const rule = (config: unknown) => problemsOf({ server_name: "a", config })

  it("an entry has exactly one way to reach a server", () => {
    assert.deepStrictEqual(rule({}), ["config: needs a `url` or a `command`"])
    assert.deepStrictEqual(rule({ url, command: "node" }), [
      "config.command: cannot stand next to `url`: a server is reached over HTTP or started"
    ])
    assert.deepStrictEqual(rule({ transport: "http" }), ['config.url: required with transport "http"'])
    assert.deepStrictEqual(rule({ transport: "sse" }), ['config.url: required with transport "sse"'])
    assert.deepStrictEqual(rule({ transport: "stdio" }), ['config.command: required with transport "stdio"'])
    assert.deepStrictEqual(rule({ transport: "http", command: "node" }), [
      "config.transport: `http` needs a `url`, not a `command`"
    ])
    assert.deepStrictEqual(rule({ transport: "stdio", url }), [
      "config.transport: `stdio` needs a `command`, not a `url`"
    ])
    assert.deepStrictEqual(rule({ transport: "websocket", url }), [
      'config.transport: must be "http" (Streamable HTTP), "sse" (HTTP+SSE of MCP 2024-11-05) or "stdio"'
    ])
  })

  it("a key without an effect is refused", () => {
    const child = { args: [], env: {}, cwd: "/srv", token_renewal: "file", token_file_env: "TOKEN_FILE" }
    assert.deepStrictEqual(
      rule({ url, ...child }),
      Object.keys(child).map((key) => `config.${key}: has no effect next to \`url\``)
    )
    assert.deepStrictEqual(rule({ command: "node", headers: {} }), [
      "config.headers: has no effect next to `command`"
    ])
  })

  it("a child process has a time to start in and a way to get a new token", () => {
    const [plain, file] = [
      { command: "node" },
      {
        command: "node",
        start_timeout_seconds: 5,
        token_renewal: "file",
        token_file_env: "TOKEN_FILE"
      }
    ].map((config) => decodeStdio({ server_name: "a", config }))
    assert.deepInclude(plain, { startTimeoutSeconds: 60, tokenRenewal: { _tag: "Restart" } })
    assert.deepInclude(file, {
      startTimeoutSeconds: 5,
      tokenRenewal: { _tag: "File", variable: "TOKEN_FILE" }
    })
    assert.deepStrictEqual(rule({ command: "node", token_renewal: "restart" }), [])
    assert.deepStrictEqual(rule({ url, start_timeout_seconds: 5 }), [
      "config.start_timeout_seconds: has no effect next to `url`"
    ])
    assert.deepStrictEqual(rule({ command: "node", start_timeout_seconds: 0 }), [
      "config.start_timeout_seconds: must be more than 0 seconds"
    ])
    assert.deepStrictEqual(rule({ command: "node", token_renewal: "file" }), [
      'config.token_file_env: required with `token_renewal` "file"'
    ])
    assert.deepStrictEqual(rule({ command: "node", token_file_env: "TOKEN_FILE" }), [
      'config.token_file_env: has no effect without `token_renewal` "file"'
    ])
    assert.deepStrictEqual(rule({ command: "node", token_renewal: "file", token_file_env: "A=B" }), [
      "config.token_file_env: is not the name of a variable"
    ])
    assert.lengthOf(rule({ command: "node", token_renewal: "never" }), 1)
  })

  it("limits are numbers within reason, and unknown ones are problems", () => {
    const limits = { sessions: 3, session_idle_seconds: 0.5 }
    assert.deepStrictEqual(decodeHttp({ server_name: "a", config: { url }, limits }).limits, {
      sessions: 3,
      sessionIdleSeconds: 0.5
    })
    assert.deepStrictEqual(
      problemsOf({
        server_name: "a",
        config: { url },
        limits: {
          sessions: 0,
          session_idle_seconds: 0,
          message_bytes: 10,
          session: 1,
          unread_messages: 1.5,
          unread_bytes: 1023,
          queued_messages: -1,
          concurrent_requests: 0,
          sockets: 0,
          requests_per_person: 0,
          waiting_logins: 0,
          remembered_sessions: 0
        }
      }),
      [
        "limits.session: unknown key: did you mean `sessions`?",
        "limits.unread_messages: Expected an integer",
        "limits.concurrent_requests: must be at least 1",
        "limits.sockets: must be at least 1",
        "limits.requests_per_person: must be at least 1",
        "limits.waiting_logins: must be at least 1",
        "limits.sessions: must be at least 1",
        "limits.session_idle_seconds: must be more than 0 seconds",
        "limits.remembered_sessions: must be at least 1",
        "limits.message_bytes: must be at least 1024",
        "limits.unread_bytes: must be at least 1024",
        "limits.queued_messages: must be at least 0"
      ]
    )
  })

  it("a limit may be as low as its least value", () => {
    const limits = {
      sessions: 1,
      message_bytes: 1024,
      unread_messages: 1,
      unread_bytes: 1024,
      queued_messages: 0,
      concurrent_requests: 1,
      sockets: 1,
      requests_per_person: 1,
      waiting_logins: 1,
      remembered_sessions: 1
    }
    assert.deepStrictEqual(decodeHttp({ server_name: "a", config: { url }, limits }).limits, {
      sessions: 1,
      messageBytes: 1024,
      unreadMessages: 1,
      unreadBytes: 1024,
      queuedMessages: 0,
      concurrentRequests: 1,
      sockets: 1,
      requestsPerPerson: 1,
      waitingLogins: 1,
      rememberedSessions: 1
    })
  })

  it("a server whose configuration names no limit has the documented ones", () => {
    assert.deepStrictEqual(defaultLimits, {
      concurrentRequests: 5000,
      sockets: 10_000,
      requestsPerPerson: 2500,
      waitingLogins: 500,
      sessions: 1000,
      sessionIdleSeconds: 1800,
      rememberedSessions: 100_000,
      messageBytes: 67_108_864,
      unreadMessages: 1024,
      unreadBytes: 8_388_608,
      queuedMessages: 256
    })
  })

  it("a server may speak HTTP+SSE", () => {
    const sse = decodeHttp({
      server_name: "a",
      config: { url, transport: "sse", start_timeout_seconds: 5 }
    })
    assert.deepInclude(sse, { transport: "sse", startTimeoutSeconds: 5 })
    assert.strictEqual(decodeHttp({ server_name: "a", config: { url } }).transport, "http")
    assert.deepStrictEqual(rule({ transport: "sse", command: "node" }), [
      "config.transport: `sse` needs a `url`, not a `command`"
    ])
  })

  it("a command and its environment must be valid for a process", () => {
    assert.deepStrictEqual(rule({ command: "", cwd: "", env: { "A=B": "1", C: "\0" } }), [
      "config.command: must not be empty",
      "config.cwd: must not be empty; leave the key out instead",
      'config.env["A=B"]: is not the name of a variable',
      "config.env.C: must not contain NUL"
    ])
    assert.deepStrictEqual(rule({ command: "node", args: ["a", 1], env: { A: 1 } }), [
      "config.args[1]: Expected string",
      "config.env.A: Expected string"
    ])
  })

  it("an http server is accepted when no token goes there", () => {
    assert.deepStrictEqual(rule({ url: "http://api.example.com/mcp" }), [])
    assert.deepStrictEqual(rule({ url: "ftp://api.example.com/mcp" }), [
      "config.url: must be an absolute http(s) URL"
    ])
    assert.deepStrictEqual(rule({ url: "/mcp" }), ["config.url: must be an absolute http(s) URL"])
    assert.deepStrictEqual(rule({ url: "https://user:canary@api.example.com" }), [
      "config.url: must not contain a user name or password"
    ])
  })

  it("a server that receives a token must use https, as the endpoints must", () => {
    const withToken = (serverUrl: string, oauth: object) =>
      problemsOf({ server_name: "a", config: { url: serverUrl }, oauth: { ...wireOAuth, ...oauth } })
    assert.deepStrictEqual(withToken("http://api.example.com/mcp", {}), [
      "config.url: must be https (`oauth.enforce_https`)"
    ])
    assert.deepStrictEqual(withToken("http://localhost:1/mcp", {}), [
      "config.url: must be https; for a server on this machine set `oauth.enforce_https` to false"
    ])
    assert.deepStrictEqual(withToken("http://api.example.com/mcp", { enforce_https: false }), [])
    assert.deepStrictEqual(withToken("http://localhost:1/mcp", { enforce_https: false, version: "2.1" }), [])
    assert.deepStrictEqual(
      withToken("http://api.example.com/mcp", { enforce_https: false, version: "2.1" }),
      ["config.url: must be https: version 2.1 allows http for loopback hosts only"]
    )
    const mtls = { use_mtls: true, client_cert_path: "/cert.pem", client_key_path: "/key.pem" }
    assert.deepStrictEqual(withToken("http://localhost:1/mcp", { enforce_https: false, ...mtls }), [
      "config.url: must be https: `use_mtls` has no certificate to present over http"
    ])
  })
})

describe("oauth", () => {
  const entry = (oauth: unknown, headers: Readonly<Record<string, string>> = {}) => ({
    server_name: "a",
    config: { url, headers },
    oauth
  })

  it("a disabled oauth is not checked", () => {
    const off = { enabled: false, token_url: 7, nonsense: true }
    assert.isUndefined(decodeHttp(entry(off, { Authorization: "Basic own" })).oauth)
    const config = { url: "http://api.example.com/mcp" }
    assert.deepStrictEqual(problemsOf({ server_name: "a", config, oauth: off }), [])
  })

  it("oauth without `enabled` is disabled, but a misspelt `enabled` is found", () => {
    assert.isUndefined(
      decodeHttp(entry({ token_url: "http://not-checked" }, { Authorization: "Basic own" })).oauth
    )
    assert.deepStrictEqual(problemsOf(entry({ ...wireOAuth, enabled: undefined, enabeld: true })), [
      "oauth.enabeld: unknown key: did you mean `enabled`?"
    ])
  })

  it("an `enabled` of another type is an error", () => {
    assert.deepStrictEqual(problemsOf(entry({ ...wireOAuth, enabled: "false" })), [
      "oauth.enabled: Expected boolean"
    ])
  })

  it("oauth sets the Authorization header, and an entry that has it in any spelling is refused", () => {
    for (const name of ["Authorization", "authorization", "AUTHORIZATION"]) {
      assert.deepStrictEqual(problemsOf(entry(wireOAuth, { [name]: "Basic own" })), [
        `config.headers.${name}: is set by \`oauth\`: take it out, or set \`oauth.enabled\` to false`
      ])
    }
  })
})
