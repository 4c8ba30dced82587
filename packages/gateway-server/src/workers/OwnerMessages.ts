import { OAuthError, OAuthToken } from "@secure-mcp/oauth-core"
import * as Schema from "effect/Schema"

/** What a worker asks the owner. */
export const Question = Schema.Union([
  /** The token of a server, for a person or for the client itself. */
  Schema.TaggedStruct("Token", {
    serverName: Schema.String,
    subject: Schema.optionalKey(Schema.String)
  }),
  /** `SessionOwners.find` */
  Schema.TaggedStruct("FindSession", { session: Schema.String }),
  /** `SessionOwners.bind` */
  Schema.TaggedStruct("BindSession", { session: Schema.String, owner: Schema.String }),
  /** `SessionOwners.remove` */
  Schema.TaggedStruct("RemoveSession", { session: Schema.String })
])

export type Question = typeof Question.Type

/** What the owner answers to a question. */
export const Answer = Schema.Union([
  Schema.TaggedStruct("Token", { token: OAuthToken }),
  Schema.TaggedStruct("NoToken", { error: OAuthError }),
  Schema.TaggedStruct("SessionFound", { owner: Schema.optionalKey(Schema.String) }),
  Schema.TaggedStruct("SessionBound", { isOwn: Schema.Boolean }),
  Schema.TaggedStruct("SessionRemoved", {}),
  /** The question could not be answered. */
  Schema.TaggedStruct("Failed", { problem: Schema.String })
])

export type Answer = typeof Answer.Type

/** What a worker begins with. */
export const Start = Schema.TaggedStruct("Start", {
  /** The configuration with its references resolved, secrets included: all workers have the same one as the owner. */
  document: Schema.Unknown,
  host: Schema.String,
  port: Schema.Int,
  /** Processes that share what is configured for the gateway as a whole. */
  processes: Schema.Int,
  /** Where the owner answers what a worker does not answer itself: the path of a local socket. */
  ownerSocket: Schema.String,
  /** `SessionOwners.digestKey`, in base64. */
  sessionKey: Schema.String
})

export type Start = typeof Start.Type

/** What the owner sends to a worker. */
export const ToWorker = Schema.Union([
  Start,
  Schema.TaggedStruct("Answered", { id: Schema.Int, answer: Answer }),
  /** Asks for the cache hits since the last time. */
  Schema.TaggedStruct("CountHits", { id: Schema.Int }),
  /** Accept no more connections, finish the requests under way, and end. */
  Schema.TaggedStruct("Stop", {})
])

export type ToWorker = typeof ToWorker.Type

/** What a worker sends to the owner. */
export const ToOwner = Schema.Union([
  /** Hears what the owner sends from now on. */
  Schema.TaggedStruct("Ready", {}),
  Schema.TaggedStruct("Listening", {}),
  Schema.TaggedStruct("CannotStart", { problem: Schema.String }),
  Schema.TaggedStruct("Asked", { id: Schema.Int, question: Question }),
  /** The answer to `CountHits`, by server. */
  Schema.TaggedStruct("HitsCounted", { id: Schema.Int, hits: Schema.Record(Schema.String, Schema.Int) })
])

export type ToOwner = typeof ToOwner.Type
