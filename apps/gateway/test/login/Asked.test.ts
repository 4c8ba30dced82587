import { assert, describe, it } from "@effect/vitest"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import * as Effect from "effect/Effect"
import { startGateway } from "../http/RunningGateway.ts"
import { post, ping } from "../cli/mcpMessages.ts"
import { logIn } from "./Person.ts"
import { personalEntry, startProtectedServer } from "./ProtectedServer.ts"

describe("a request that needs a login", () => {
  it.effect("smoke", () =>
    Effect.gen(function* () {
      const server = yield* startProtectedServer()
      const gateway = yield* startGateway({ servers: [personalEntry(server.url)], ...{store: {type: "memory"}} })
      const answer = yield* post(gateway.url, "echo", ping)
      console.log(answer, gateway.logs)
      const url = JSON.parse(answer.text).error.data.authorization_url
      console.log(yield* logIn(url, "alice"))
      console.log(yield* post(gateway.url, "echo", ping))
      console.log(yield* server.callers)
    })
  )
})
