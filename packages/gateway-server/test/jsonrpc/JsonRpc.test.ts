import { assert, describe, it } from "@effect/vitest"
import {
  errorResponse,
  idText,
  idTextAt,
  isMessage,
  parseJson,
  isJsonObject,
  parseJsonRpc
} from "../../src/jsonrpc/JsonRpc.ts"
import { matchingId } from "../../src/jsonrpc/MatchingIds.ts"

const idIn = (text: string) => {
  const message = parseJsonRpc(text)?.messages[0]
  return message === undefined ? undefined : idTextAt(message)
}

describe("JsonRpc", () => {
  it("each message of a batch keeps its text", () => {
    const parsed = parseJsonRpc('[{"id":9007199254740993,\n"x":1.0}, {"id":"b","y":1e400}]\n')
    assert.deepStrictEqual(
      parsed?.messages.map((message) => message.text),
      ['{"id":9007199254740993, "x":1.0}', '{"id":"b","y":1e400}']
    )
  })

  it("ids are told apart by their text, and strings by what they mean", () => {
    assert.strictEqual(idIn('{"id":9007199254740993}'), "9007199254740993")
    assert.strictEqual(idIn('{"id":1.0}'), "1.0")
    assert.strictEqual(idIn(String.raw`{"id":"\u0061"}`), '"a"')
    assert.strictEqual(idIn('{"id":"1"}'), '"1"')
    assert.isUndefined(idIn('{"id":null}'))
    assert.isUndefined(idIn('{"id":{"a":1}}'))
  })

  it("an id that a peer has rounded belongs to the only request that it can mean", () => {
    const ids = ['{"id":9007199254740993}', '{"id":1.0}', '{"id":"1"}'].flatMap((text) => idIn(text) ?? [])
    assert.strictEqual(matchingId(ids, idText(9007199254740992)), "9007199254740993")
    assert.strictEqual(matchingId(ids, idText(1)), "1.0")
    assert.strictEqual(matchingId(ids, idText("1")), '"1"')
    assert.isUndefined(matchingId(ids, idText(2)))
    const alike = ["9007199254740993", "9007199254740992.0"].flatMap((id) => idIn(`{"id":${id}}`) ?? [])
    assert.isUndefined(matchingId(alike, idText(9007199254740992)))
  })

  it("an error response carries the id as it was sent", () => {
    assert.strictEqual(
      errorResponse(idIn('{"id":9007199254740993}'), 1, "x"),
      '{"jsonrpc":"2.0","id":9007199254740993,"error":{"code":1,"message":"x"}}'
    )
    assert.include(errorResponse(undefined, 1, "x"), '"id":null')
  })

  it.each([
    ['{"jsonrpc":"2.0","id":1,"method":"m"}', true],
    ['{"jsonrpc":"2.0","method":"m","params":[]}', true],
    ['{"jsonrpc":"2.0","id":1,"result":null}', true],
    ['{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m"}}', true],
    ['{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"m"}}', true],
    ['{"id":1,"method":"m"}', false],
    ['{"jsonrpc":"1.0","id":1,"method":"m"}', false],
    ['{"jsonrpc":"2.0","id":null,"method":"m"}', false],
    ['{"jsonrpc":"2.0","id":1,"method":7}', false],
    ['{"jsonrpc":"2.0","id":1,"method":null,"result":{}}', false],
    ['{"jsonrpc":"2.0","id":1,"method":"m","result":{}}', false],
    ['{"jsonrpc":"2.0","result":{}}', false],
    ['{"jsonrpc":"2.0","id":1,"error":"the cache is cold"}', false],
    ['{"jsonrpc":"2.0","id":1,"error":{"message":"no code"}}', false],
    ['{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"m"}}', false],
    ['{"level":"error","id":1,"error":"a log line"}', false]
  ])("%s is a JSON-RPC 2.0 message: %s", (text, expected) => {
    const json = parseJson(text)
    assert.strictEqual(isJsonObject(json) && isMessage(json), expected)
  })
})
