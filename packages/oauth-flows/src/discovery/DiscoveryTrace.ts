import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** Which metadata a document is of. */
export type DocumentKind = "protected resource" | "authorization server"

/** One step of the search for a document. Its `url` is as it was asked for, and may hold a secret in its query. */
export type DiscoveryEvent = { readonly kind: DocumentKind; readonly url: string } & (
  | {
      readonly _tag: "Answered"
      /** HTTP */
      readonly status: number
    }
  | {
      readonly _tag: "Judged"
      /** Why the document is not used; undefined if it is. */
      readonly problem: string | undefined
    }
)

/** Hears of every place where discovery looks for a document, and what came of it. By default nobody does. */
export const DiscoveryTrace = Context.Reference<{
  readonly note: (event: DiscoveryEvent) => Effect.Effect<void>
}>("@secure-mcp/oauth-flows/DiscoveryTrace", { defaultValue: () => ({ note: () => Effect.void }) })
