import { type FuzzTarget, fuzzTarget } from "./run/Round.ts"
import { callbackUrls } from "./targets/CallbackUrls.ts"
import { challenges } from "./targets/Challenges.ts"
import { configurationFiles } from "./targets/ConfigurationFiles.ts"
import { events } from "./targets/Events.ts"
import { httpRequests } from "./targets/HttpRequests.ts"
import { jsonRpcLines } from "./targets/JsonRpcLines.ts"
import { mcpAnswers } from "./targets/McpAnswers.ts"
import { metadata } from "./targets/Metadata.ts"
import { storeFiles } from "./targets/StoreFiles.ts"
import { tokenAnswers } from "./targets/TokenAnswers.ts"

/** All that is fuzzed. */
export const targets: ReadonlyArray<FuzzTarget> = [
  fuzzTarget(tokenAnswers),
  fuzzTarget(metadata),
  fuzzTarget(challenges),
  fuzzTarget(events),
  fuzzTarget(jsonRpcLines),
  fuzzTarget(configurationFiles),
  fuzzTarget(storeFiles),
  fuzzTarget(httpRequests),
  fuzzTarget(mcpAnswers),
  fuzzTarget(callbackUrls)
]
