import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestLayer } from "../config/configFile.ts"
import { importingOne, loggingIn, without } from "./importing.ts"

const url = "https://remote.example.com/mcp"

describe("mcp-remote", () => {
  layer(TestLayer)((it) => {
    it.effect.each([
      { command: "npx", args: ["-y", "mcp-remote", url] },
      { command: "npx.cmd", args: ["mcp-remote@latest", url] },
      { command: "/opt/node/bin/npx", args: ["-y", "-p", "mcp-remote@0.1.2", "mcp-remote", url] },
      { command: "cmd", args: ["/c", "npx", "-y", "mcp-remote@0.1", url] },
      { command: "C:\\Windows\\System32\\cmd.exe", args: ["/d", "/s", "/c", `npx -y mcp-remote ${url}`] },
      { command: "sh", args: ["-c", `exec npx -y mcp-remote "${url}"`] },
      { command: ["bunx", "mcp-remote", url] },
      { command: "pnpm", args: ["dlx", "mcp-remote", url] },
      { command: "npm", args: ["exec", "-y", "--", "mcp-remote", url] },
      { command: "wsl", args: ["npx", "mcp-remote", url] },
      { command: "node", args: ["/usr/lib/node_modules/mcp-remote/dist/proxy.js", url] },
      { command: "mcp-remote", args: [url] },
      { command: `npx -y mcp-remote ${url}` }
    ])("mcp-remote is recognised as %j", (entry) =>
      Effect.gen(function* () {
        const { remarks, server } = yield* importingOne(entry)
        assert.deepStrictEqual(server, loggingIn(url))
        assert.deepStrictEqual(remarks, [])
      })
    )

    it.effect.each([
      { command: "npx", args: ["-y", "@acme/mcp-remote-tools", url] },
      { command: "npx", args: ["-y", "mcp-remote-other", url] }
    ])("a command that only resembles mcp-remote is not recognised: %j", (entry) =>
      Effect.gen(function* () {
        const { server } = yield* importingOne(entry)
        assert.deepStrictEqual(server, without(entry))
      })
    )

    it.effect("header values are taken from mcp-remote's own environment", () =>
      Effect.gen(function* () {
        const { everything, remarks, server } = yield* importingOne({
          command: "npx",
          args: [
            "mcp-remote",
            url,
            "--header",
            "Authorization:${AUTH}",
            "--header",
            "X-Team: ${TEAM}",
            "--header",
            "X-Other: ${ELSEWHERE}",
            "--header",
            "no header canary"
          ],
          env: { AUTH: "Bearer canary", TEAM: "north", HTTPS_PROXY: "http://u:canary@proxy" }
        })
        assert.deepStrictEqual(
          server,
          without({
            url,
            headers: {
              Authorization: "Bearer ${env:NOTES_TOKEN}",
              "X-Team": "north",
              "X-Other": "${env:ELSEWHERE}"
            }
          })
        )
        assert.notInclude(everything, "canary")
        assert.isTrue(remarks.some((remark) => remark.includes("`env.HTTPS_PROXY`")))
        assert.isTrue(remarks.some((remark) => remark.includes("`--header`")))
      })
    )

    it.effect("client, callback and resource of mcp-remote are imported", () =>
      Effect.gen(function* () {
        const { everything, server } = yield* importingOne({
          command: "npx",
          args: [
            "mcp-remote",
            url,
            "9696",
            "--host",
            "127.0.0.1",
            "--resource",
            "https://tenant.example.com/",
            "--static-oauth-client-info",
            '{"client_id":"c","client_secret":"canary"}',
            "--static-oauth-client-metadata",
            '{"scope":"a b"}'
          ]
        })
        assert.deepStrictEqual(
          server,
          loggingIn(url, {
            scope: "a b",
            client_id: "c",
            client_secret: "${env:NOTES_CLIENT_SECRET}",
            redirect_uri: "http://127.0.0.1:9696/oauth/callback",
            resource: "https://tenant.example.com/"
          })
        )
        assert.notInclude(everything, "canary")
      })
    )

    it.effect("a client file next to the importing file is found, or its absence is reported", () =>
      Effect.gen(function* () {
        const args = ["mcp-remote", url, "--static-oauth-client-info", "@client.json"]
        const found = yield* importingOne({ command: "npx", args }, { "client.json": '{"client_id":"c"}' })
        assert.deepStrictEqual(found.server, loggingIn(url, { client_id: "c" }))
        const missing = yield* importingOne({ command: "npx", args })
        assert.deepStrictEqual(missing.server, loggingIn(url))
        assert.isTrue(missing.remarks.some((remark) => remark.includes("client.json")))
      })
    )

    it.effect("every other flag of mcp-remote is named", () =>
      Effect.gen(function* () {
        const { remarks, server } = yield* importingOne({
          command: "npx",
          args: [
            "mcp-remote",
            "http://intranet.example.com/mcp",
            "--allow-http",
            "--debug",
            "--silent",
            "--enable-proxy",

            "--auth-timeout",
            "60",
            "--ignore-tool",
            "delete*",
            "--transport",
            "sse-only",
            "--disable-resource-parameter"
          ],
          cwd: "/somewhere"
        })
        assert.include(Object(server).config, { url: "http://intranet.example.com/mcp" })
        assert.include(Object(server).oauth, { enabled: true, enforce_https: false })
        for (const word of [
          "--debug",
          "--silent",
          "--enable-proxy",
          "--auth-timeout",
          "--ignore-tool",
          "sse-only",
          "cwd"
        ]) {
          assert.isTrue(
            remarks.some((remark) => remark.includes(word)),
            word
          )
        }
        assert.isTrue(
          Object(server).oauth.resource === false ||
            remarks.some((remark) => remark.includes("--disable-resource-parameter"))
        )
      })
    )
  })
})
