import { StoreUnavailable } from "@secure-mcp/oauth-core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { SessionOwners } from "../sessions/SessionOwners.ts"
import { OwnerChannel } from "./OwnerChannel.ts"
import type { Answer, Question } from "./OwnerMessages.ts"

/** Whose the sessions are, as the owner of the tokens knows it: a session that began at one worker goes on at every other. */
export const workerSessions: Layer.Layer<never, never, OwnerChannel> = Layer.effect(
  SessionOwners,
  Effect.gen(function* () {
    const owner = yield* OwnerChannel
    const { sessionKey } = yield* owner.start

    const ask = <Tag extends Answer["_tag"]>(question: Question, tag: Tag) =>
      owner.ask(question).pipe(
        Effect.mapError(({ problem }) => new StoreUnavailable({ problem })),
        Effect.filterOrFail((answer) => isOf(answer, tag), refusalOf)
      )

    return {
      digestKey: Redacted.make(Buffer.from(sessionKey, "base64")),
      find: (session: string) =>
        Effect.map(ask({ _tag: "FindSession", session }, "SessionFound"), ({ owner }) => owner),
      bind: (session: string, owner: string) =>
        Effect.map(ask({ _tag: "BindSession", session, owner }, "SessionBound"), ({ isOwn }) => isOwn),
      remove: (session: string) => Effect.asVoid(ask({ _tag: "RemoveSession", session }, "SessionRemoved"))
    }
  })
)

const isOf = <Tag extends Answer["_tag"]>(
  answer: Answer,
  tag: Tag
): answer is Extract<Answer, { _tag: Tag }> => answer._tag === tag

const refusalOf = (answer: Answer) =>
  new StoreUnavailable({
    problem: answer._tag === "Failed" ? answer.problem : "Another question was answered"
  })
