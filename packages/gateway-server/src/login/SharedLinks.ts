import { LoginRecords } from "@secure-mcp/oauth-core"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { LoginLink } from "./LoginLink.ts"

/** A link, and which browser has confirmed it: what every process that may see that browser has to know. */
export interface SharedLink {
  readonly link: LoginLink
  readonly stateDigest: string
  /** The digest of the cookie of the browser that has confirmed the page. */
  readonly browser?: string | undefined
}

const Shared = Schema.fromJsonString(
  Schema.Struct({
    link: Schema.Struct({
      id: Schema.String,
      isHttps: Schema.Boolean,
      serverName: Schema.String,
      subject: Schema.UndefinedOr(Schema.String).pipe(Schema.optionalKey),
      subjectName: Schema.optionalKey(Schema.String),
      base: Schema.optionalKey(Schema.String),
      client: Schema.optionalKey(Schema.String),
      authorizationUrl: Schema.String,
      redirectUri: Schema.String,
      begunAt: Schema.Finite
    }),
    stateDigest: Schema.String,
    browser: Schema.optionalKey(Schema.String)
  })
)
const Keys = Schema.fromJsonString(Schema.Array(Schema.String))

const decodeLink = Schema.decodeUnknownOption(Shared)
const decodeKeys = Schema.decodeUnknownOption(Keys)

/** What another process has written of a link. */
export type Reading =
  | { readonly _tag: "Found"; readonly shared: SharedLink }
  /** No process has it: its login has ended, or it never was one. */
  | { readonly _tag: "Gone" }
  /** Links are not shared, or the store cannot be asked. */
  | { readonly _tag: "Unknown" }

/** The links of all processes that share `LoginRecords`, by the digests of their ids. */
export const makeSharedLinks = Effect.fnUntraced(function* (linkLifetime: Duration.Duration) {
  const records = yield* LoginRecords
  const linkId = (key: string) => `link-${key}`
  const keysId = (stateDigest: string) => `links-${stateDigest}`

  const warned = <A>(
    effect: Effect.Effect<A, { readonly message: string }>,
    otherwise: A
  ): Effect.Effect<A> =>
    Effect.catch(effect, ({ message }) =>
      Effect.as(Effect.logWarning(`The link of a login is known to this process only: ${message}`), otherwise)
    )

  const put = (key: string, { browser, link, stateDigest }: SharedLink) =>
    records === undefined
      ? Effect.void
      : records.put(
          linkId(key),
          Redacted.make(JSON.stringify({ link, stateDigest, ...(browser === undefined ? {} : { browser }) })),
          linkLifetime
        )

  const keysOf = (stateDigest: string): Effect.Effect<ReadonlyArray<string>> =>
    records === undefined
      ? Effect.succeed([])
      : warned(
          Effect.map(records.get(keysId(stateDigest)), (text) =>
            text === undefined ? [] : Option.getOrElse(decodeKeys(Redacted.value(text)), () => [])
          ),
          []
        )

  return {
    /** Gives whether others know the link now. */
    add: (key: string, shared: SharedLink): Effect.Effect<boolean> =>
      records === undefined
        ? Effect.succeed(false)
        : warned(
            Effect.gen(function* () {
              yield* put(key, shared)
              const keys = [...(yield* keysOf(shared.stateDigest)), key]
              yield* records.put(
                keysId(shared.stateDigest),
                Redacted.make(JSON.stringify(keys)),
                linkLifetime
              )
              return true
            }),
            false
          ),

    update: (key: string, shared: SharedLink): Effect.Effect<void> => warned(put(key, shared), undefined),

    read: (key: string): Effect.Effect<Reading> =>
      records === undefined
        ? Effect.succeed({ _tag: "Unknown" })
        : warned<Reading>(
            Effect.map(records.get(linkId(key)), (text): Reading => {
              const shared = text && Option.getOrUndefined(decodeLink(Redacted.value(text)))
              return shared === undefined
                ? { _tag: "Gone" }
                : {
                    _tag: "Found",
                    shared: { ...shared, link: { ...shared.link, subject: shared.link.subject } }
                  }
            }),
            { _tag: "Unknown" }
          ),

    /** The digests of the ids of all links to a login. */
    keysOf,

    /** A login has ended: its links lead nowhere, in any process. */
    end: (stateDigest: string): Effect.Effect<void> =>
      records === undefined
        ? Effect.void
        : warned(
            Effect.gen(function* () {
              const keys = yield* keysOf(stateDigest)
              for (const id of [keysId(stateDigest), ...keys.map(linkId)]) yield* records.take(id)
            }),
            undefined
          )
  }
})
