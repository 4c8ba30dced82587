import { assert, describe, it } from "@effect/vitest"
import { type JsonRpcMessage, parseJsonRpc } from "../../src/jsonrpc/JsonRpc.ts"
import { answerWithLogin, takeLoginAnswer } from "../../src/login/LoginPrompt.ts"

const prompt = { serverName: "files", loginUrl: "https://gateway.example/login/1", promptId: "prompt-1" }
const invitation = 'Log in so that the gateway may use "files" for you, then repeat the request'

const messageOf = (json: object): JsonRpcMessage => {
  const message = parseJsonRpc(JSON.stringify({ jsonrpc: "2.0", ...json }))?.messages[0]
  if (message === undefined) throw new Error("no message")
  return message
}

const answerTo = (json: object, version?: string): unknown => {
  const answer = answerWithLogin(messageOf(json), version, prompt)
  return answer === undefined ? undefined : JSON.parse(answer)
}

/** A request of 2026-07-28, which says in itself what the client can do. */
const selfDescribing = (method: string, elicitation: object | undefined) => ({
  id: 7,
  method,
  params: {
    _meta: {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": { elicitation }
    }
  }
})

const inputRequired = {
  jsonrpc: "2.0",
  id: 7,
  result: {
    resultType: "input_required",
    inputRequests: {
      secure_mcp_gateway_login: {
        method: "elicitation/create",
        params: { mode: "url", url: prompt.loginUrl, message: invitation }
      }
    }
  }
}

const elicitationRequired = {
  jsonrpc: "2.0",
  id: "a",
  error: {
    code: -32042,
    message: invitation,
    data: {
      elicitations: [{ mode: "url", elicitationId: "prompt-1", url: prompt.loginUrl, message: invitation }]
    }
  }
}

describe("a request that needs a login", () => {
  it.each(["tools/call", "prompts/get", "resources/read"])(
    "%s of 2026-07-28 is answered with an input request, if the client opens URLs",
    (method) => {
      assert.deepStrictEqual(answerTo(selfDescribing(method, { url: {} })), inputRequired)
      assert.isUndefined(answerTo(selfDescribing(method, { form: {} })))
      assert.isUndefined(answerTo(selfDescribing(method, undefined)))
    }
  )

  it.each(["ping", "tools/list", ""])("%j of 2026-07-28 has no answer for that", (method) => {
    assert.isUndefined(answerTo(selfDescribing(method, { url: {} }), "2025-11-25"))
  })

  it("a request of 2025-11-25 is answered with an error that has the link", () => {
    assert.deepStrictEqual(answerTo({ id: "a", method: "ping" }, "2025-11-25"), elicitationRequired)
    for (const version of ["2025-06-18", "2026-07-28", "", undefined])
      assert.isUndefined(answerTo({ id: "a", method: "ping" }, version))
  })

  it("an initialize request says its version itself", () => {
    const initialize = (protocolVersion: unknown) => ({
      id: "a",
      method: "initialize",
      params: { protocolVersion }
    })
    assert.deepStrictEqual(answerTo(initialize("2025-11-25")), elicitationRequired)
    assert.isUndefined(answerTo(initialize("2025-06-18"), "2025-11-25"))
  })

  it.each([
    ["a notification", { method: "ping" }],
    ["a response", { id: "a", result: {} }],
    ["a request without a usable id", { id: null, method: "ping" }]
  ])("%s has no answer", (_, json) => {
    assert.isUndefined(answerTo(json, "2025-11-25"))
  })
})

describe("a repeated request with the person's answer", () => {
  const repeated = (inputResponses: object) =>
    messageOf({ id: 1, method: "tools/call", params: { name: "t", inputResponses } })
  const take = (inputResponses: object) => {
    const taken = takeLoginAnswer(repeated(inputResponses))
    return taken && { accepted: taken.accepted, json: JSON.parse(taken.text) }
  }
  const own = (action: unknown) => ({ secure_mcp_gateway_login: action })
  const without = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "t" } }

  it.each([
    [{ action: "accept" }, true],
    [{ action: "decline" }, false],
    [{ action: "cancel" }, false],
    [{}, false],
    ["accept", false],
    [null, false]
  ] as const)(
    "the answer %j to our prompt is taken out of the request (accepted: %s)",
    (answer, accepted) => {
      assert.deepStrictEqual(take(own(answer)), { accepted, json: without })
    }
  )

  it("the answers to the MCP server's own prompts stay", () => {
    const theirs = { theirs: { action: "accept" } }
    assert.deepStrictEqual(take({ ...own({ action: "accept" }), ...theirs }), {
      accepted: true,
      json: { ...without, params: { name: "t", inputResponses: theirs } }
    })
    assert.isUndefined(take(theirs))
    assert.isUndefined(takeLoginAnswer(messageOf({ id: 1, method: "ping" })))
  })
})
