/**
 * For the tools of this repository only: may change in any release.
 *
 * @module
 */
export { readEvents } from "./fetch/AnswerBody.ts"
export type { Fetch, FetchResponse } from "./fetch/Fetch.ts"
export { importFiles } from "./import/Import.ts"
export { isMessage, type JsonRpcMessage, parseJsonRpc, requestIdOf } from "./jsonrpc/JsonRpc.ts"
export { elementsOf, removeAt, replaceAt, sourceAt } from "./jsonrpc/JsonText.ts"
export { makeLineReader } from "./jsonrpc/Lines.ts"
export { LongMessageReader } from "./jsonrpc/LongMessage.ts"
export { readMessageLine } from "./jsonrpc/MessageLine.ts"
export { connectSse } from "./sse/SseConnection.ts"
