import { readFileSync } from "node:fs"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Layer from "effect/Layer"
import { cli } from "./cli/Cli.ts"
import { usageOutputLayer, withVisibleOutput } from "./cli/process/StandardError.ts"
import { DefaultUserAgent, userAgentOf } from "@secure-mcp/gateway-server/internal"
import { makeStopSignal, runMain, StopSignal } from "./cli/process/StopSignal.ts"

const { version }: { version: string } = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8")
)

const stopSignal = makeStopSignal()

Command.run(cli, { version }).pipe(
  Effect.provide(
    Layer.mergeAll(
      NodeServices.layer,
      usageOutputLayer,
      Layer.succeed(StopSignal, stopSignal),
      Layer.succeed(DefaultUserAgent, userAgentOf(version))
    )
  ),
  withVisibleOutput,
  runMain(stopSignal)
)
