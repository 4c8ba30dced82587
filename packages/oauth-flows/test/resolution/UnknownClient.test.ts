import { assert, describe, it } from "@effect/vitest"
import { meansUnknownClient } from "../../src/resolution/UnknownClient.ts"

describe("a refusal of the client", () => {
  it.each([
    [{ error: "invalid_client" }, true],
    [{ error: "INVALID_CLIENT" }, true],
    [{ error: "unknown_client_id" }, true],
    [{ error: "client_not_found" }, true],
    [{ error: "invalid_client", description: "Try again" }, true],
    [{ error: "not_an_invalid_client" }, false],
    [{ error: "invalid_request" }, false],
    [{ error: "invalid_request", description: "Unknown client" }, true],
    [{ error: "invalid_request", description: "The client_id is not registered here" }, true],
    [{ error: "invalid_request", description: "The redirect URI is unknown" }, false],
    [{ error: "invalid_grant", description: "Unknown client" }, false],
    [{ description: "No such client" }, true],
    [{ description: "Bad gateway" }, false],
    [{}, false]
  ])("%j means an unknown client: %s", (refusal, expected) => {
    assert.strictEqual(meansUnknownClient(refusal), expected)
  })
})
