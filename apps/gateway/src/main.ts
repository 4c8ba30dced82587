#!/usr/bin/env node
import { readFileSync } from "node:fs"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import * as Command from "effect/cli/Command"
import * as Layer from "effect/Layer"
import * as MutableRef from "effect/MutableRef"
import { cli } from "./cli/Cli.ts"
import { runsUntilStopped } from "./cli/RunsUntilStopped.ts"
import { usageOutputLayer } from "./cli/UsageOutput.ts"

const { version }: { version: string } = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8")
)

/** Being told to stop is how a server ends well, and how any other command is cut short. */
const teardown: Runtime.Teardown = (exit, onExit) =>
  Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause) && MutableRef.get(runsUntilStopped)
    ? onExit(0)
    : Runtime.defaultTeardown(exit, onExit)

Command.run(cli, { version }).pipe(
  Effect.provide(Layer.merge(NodeServices.layer, usageOutputLayer)),
  NodeRuntime.runMain({ teardown })
)
