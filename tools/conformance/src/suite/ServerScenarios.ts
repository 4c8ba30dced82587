import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { globSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { startGateway } from "../process/GatewayProcess.ts"
import { startServing } from "../process/ServingProcess.ts"
import { startIssuer, startWithToken } from "./Caller.ts"
import { requiredServerScenarios } from "./Catalogue.ts"
import { Checks, problemsIn } from "./Checks.ts"
import type { ScenarioResult } from "./ScenarioResult.ts"
import { runSuite, scenarioTimeout } from "./SuiteProcess.ts"

const upstream = fileURLToPath(new URL("../upstream/main.ts", import.meta.url))

/** The revisions with a list of what they require of servers. */
const revisions: ReadonlyArray<string> = ["2025-11-25", "2026-07-28"]

/** What the gateway that knows its callers is called from outside. */
const publicUrl = "https://gateway.example.com"

/** The test server behind a gateway by every way there is, until the scope closes. Gives each way's name and URL. */
export const startServersBehindGateway = Effect.gen(function* () {
  const origin = yield* startServing(upstream, ["http"], process.env)
  const gateway = yield* startGateway({
    servers: [
      { server_name: "http", config: { url: `${origin}/mcp` } },
      {
        server_name: "token",
        config: { url: `${origin}/protected/mcp` },
        oauth: {
          enabled: true,
          version: "2.1",
          enforce_https: false,
          token_url: `${origin}/token`,
          client_id: "conformance",
          client_secret: "conformance-secret"
        }
      },
      { server_name: "bridge", config: { command: process.execPath, args: [upstream, "stdio"] } }
    ]
  })
  const url = (name: string) => `${gateway}/servers/${name}/mcp`
  const { issuer, tokenFor } = yield* startIssuer
  const forCallers = yield* startGateway({
    gateway: { public_url: publicUrl, callers: { jwt: [{ issuer }] } },
    servers: [{ server_name: "http", config: { url: `${origin}/mcp` } }]
  })
  const path = "/servers/http/mcp"
  const withToken = yield* startWithToken(forCallers + path, tokenFor(publicUrl + path))
  return [
    { way: "HTTP", url: url("http") },
    { way: "HTTP with token", url: url("token") },
    { way: "HTTP with a caller's token", url: withToken },
    { way: "stdio bridge", url: url("bridge") }
  ].flatMap(({ url, way }) => revisions.map((revision) => ({ way, url, revision })))
})

/** Runs the scenarios that a revision requires of servers, against one way through the gateway. */
export const runServerScenarios = Effect.fnUntraced(function* (
  { revision, url, way }: { readonly way: string; readonly url: string; readonly revision: string },
  directory: string
) {
  const required = requiredServerScenarios((yield* runSuite(["list", "--requirements", revision])).output)
  const results = join(directory, `${way}-${revision}`)
  const { output } = yield* runSuite([
    "server",
    "--url",
    url,
    "--requirements",
    revision,
    "--timeout",
    String(scenarioTimeout),
    "--output-dir",
    results
  ])
  return yield* Effect.forEach(required, (scenario) =>
    Effect.map(problemsOf(results, scenario), (problems): ScenarioResult => {
      const shown = problems ?? [`The suite has no result; it said: ${output.slice(-2000)}`]
      return {
        side: "server",
        way,
        scenario,
        revision,
        passed: shown.length === 0,
        summary: shown.join("\n")
      }
    })
  )
})

const problemsOf = (results: string, scenario: string) => {
  const [file] = globSync(join(results, `server-${scenario}-2*`, "checks.json"))
  if (file === undefined) return Effect.undefined
  return Effect.promise(() => readFile(file, "utf8")).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(Checks)),
    Effect.map(problemsIn)
  )
}
