import { makeToolCheck, type ToolRules } from "@secure-mcp/transport-injection"
import * as Effect from "effect/Effect"
import { errorMessages, isJsonObject, type JsonRpcMessage, requestIdOf } from "../jsonrpc/JsonRpc.ts"
import type { Deliver, ServerSession } from "../relay/session/ServerSession.ts"
import { withoutHiddenTools } from "./ListedTools.ts"
import { refusalOfCall, type ToolCheck } from "./ToolCalls.ts"

/** Makes sessions in which a client sees and calls only some tools. */
export const restrictedSession =
  <E, R>(
    rules: ToolRules | undefined,
    connect: (deliver: Deliver) => Effect.Effect<ServerSession, E, R>
  ): ((deliver: Deliver) => Effect.Effect<ServerSession, E, R>) =>
  (deliver) => {
    if (rules === undefined) return connect(deliver)
    const mayUse = makeToolCheck(rules)
    return Effect.map(
      connect((message) => deliver(filtered(message, mayUse))),
      (session) => restrict(session, mayUse, deliver)
    )
  }

const restrict = (session: ServerSession, mayUse: ToolCheck, deliver: Deliver): ServerSession => {
  const { postNow } = session
  return {
    ...session,
    post: (message) => {
      const refusal = refusalOfCall(message, mayUse)
      if (refusal === undefined) return session.post(message)
      const id = requestIdOf(message)
      return id === undefined
        ? Effect.logWarning(`A notification is not sent. ${refusal.problem}`)
        : Effect.forEach(errorMessages(id, refusal.code, refusal.problem), deliver, { discard: true })
    },
    ...(postNow === undefined
      ? {}
      : {
          postNow: (request, id, onEnd) =>
            refusalOfCall(request, mayUse) === undefined
              ? postNow(request, id, (end) => onEnd(Effect.isEffect(end) ? end : filtered(end, mayUse)))
              : undefined
        })
  }
}

const filtered = (message: JsonRpcMessage, mayUse: ToolCheck): JsonRpcMessage => {
  const text = withoutHiddenTools(message.text, mayUse)
  if (text === message.text) return message
  const json: unknown = JSON.parse(text)
  return { json: isJsonObject(json) ? json : message.json, text }
}
