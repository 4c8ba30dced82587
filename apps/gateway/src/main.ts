#!/usr/bin/env node
import { readFileSync } from "node:fs"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Layer from "effect/Layer"
import * as MutableRef from "effect/MutableRef"
import { cli } from "./cli/Cli.ts"
import { usageOutputLayer } from "./cli/process/StandardError.ts"
import { DefaultUserAgent, userAgentOf } from "./config/UserAgent.ts"
import { EndsOnSignal, makeTeardown } from "./cli/process/StopSignal.ts"

const { version }: { version: string } = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8")
)

const endsOnSignal = MutableRef.make(false)

Command.run(cli, { version }).pipe(
  Effect.provide(
    Layer.mergeAll(
      NodeServices.layer,
      usageOutputLayer,
      Layer.succeed(EndsOnSignal, endsOnSignal),
      Layer.succeed(DefaultUserAgent, userAgentOf(version))
    )
  ),
  NodeRuntime.runMain({ teardown: makeTeardown(endsOnSignal) })
)
