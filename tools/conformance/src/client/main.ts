import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { startGateway } from "../process/GatewayProcess.ts"
import { exchange } from "./McpExchange.ts"
import { oauthOf, ScenarioContext } from "./ScenarioServer.ts"
import { judge, Verdict } from "./Verdict.ts"

/**
 * The client that the suite starts for a scenario of its client side: an MCP client behind the gateway. The suite
 * gives the URL of its server as the last argument and everything else in variables.
 */
const program = Effect.gen(function* () {
  const scenario = process.env["MCP_CONFORMANCE_SCENARIO"] ?? ""
  const revision = process.env["MCP_CONFORMANCE_PROTOCOL_VERSION"] ?? ""
  const context = yield* Schema.decodeEffect(Schema.fromJsonString(ScenarioContext))(
    process.env["MCP_CONFORMANCE_CONTEXT"] ?? "{}"
  )
  const url = process.argv.at(-1)
  const gateway = yield* startGateway({
    servers: [{ server_name: "suite", config: { url }, oauth: oauthOf(scenario, context) }]
  })
  const verdict = judge(scenario, yield* exchange(`${gateway}/servers/suite/mcp`, revision))
  yield* Console.log(yield* Schema.encodeEffect(Schema.fromJsonString(Verdict))(verdict))
  process.exitCode = verdict.asExpected ? 0 : 1
})

Effect.runPromise(Effect.scoped(program)).catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`)
  process.exitCode = 1
})
