import type { StoreUnavailable } from "@secure-mcp/oauth-core"
import type { Caller as InboundCaller } from "@secure-mcp/inbound-auth"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { createHash, timingSafeEqual } from "node:crypto"
import { type Caller, personOf } from "../callers/Person.ts"
import { isSecret, newSecret } from "../login/BrowserSecret.ts"
import type { BrowserCookies } from "../login/LoginCookie.ts"
import { personCookie } from "./PersonCookie.ts"
import { makePersonRecords } from "./PersonRecords.ts"

/** A browser at which a person has logged in. */
export interface BrowserSession {
  readonly caller: Caller & { readonly issuer: string; readonly subject: string }
  /** What stands for the person in the keys of tokens. */
  readonly person: string
  /** Whether the login asked for the scopes of operators. */
  readonly isAskedAsOperator: boolean
  /** Stands in every form of the pages, and is of no use without the cookie. */
  readonly formToken: string
}

/** Who is a person, as far as they have opened the pages. */
export interface KnownPerson {
  readonly issuer: string
  readonly subject: string
}

/** After this time the browser asks the company again, which takes no click while the person is logged in there. */
export const sessionLifetime = Duration.hours(1)

/** How long the name of a person is known, for operators, after they were here last. */
const nameLifetime = Duration.days(400)

const Name = Schema.Struct({ issuer: Schema.String, subject: Schema.String })
const decodeName = Schema.decodeUnknownOption(Schema.fromJsonString(Name))

const Session = Schema.Struct({
  ...Name.fields,
  groups: Schema.Array(Schema.String),
  scopes: Schema.Array(Schema.String),
  isAskedAsOperator: Schema.Boolean
})
const decodeSession = Schema.decodeUnknownOption(Schema.fromJsonString(Session))

/**
 * The sessions of browsers at which people have logged in. A cookie has a secret, and a record under its digest says who it is: a
 * cookie that was taken from a browser leads to nobody once the person has logged out.
 */
export const makeBrowserSessions = Effect.fnUntraced(function* (publicUrl: string) {
  const random = yield* SecureRandom.SecureRandom
  const records = yield* makePersonRecords
  const names = yield* makePersonRecords
  const cookie = personCookie("secure_mcp_session", publicUrl)

  const sessionOf = (secret: string, record: Redacted.Redacted | undefined): BrowserSession | undefined => {
    const decoded = record && Option.getOrUndefined(decodeSession(Redacted.value(record)))
    if (decoded === undefined) return undefined
    const { isAskedAsOperator, ...caller } = decoded
    const person = personOf(caller)
    return person === undefined
      ? undefined
      : { caller: { ...caller, person }, person, isAskedAsOperator, formToken: digest(`form ${secret}`) }
  }

  return {
    find: (cookies: BrowserCookies): Effect.Effect<BrowserSession | undefined, StoreUnavailable> => {
      const secret = cookie.read(cookies)
      return secret === undefined || !isSecret(secret)
        ? Effect.undefined
        : Effect.map(records.get(idOf(secret)), (record) => sessionOf(secret, record))
    },

    /** Gives the cookie of a new session. Nobody can have known it before the login. */
    begin: Effect.fnUntraced(function* (
      { groups = [], issuer = "", scopes = [], subject = "" }: InboundCaller,
      isAskedAsOperator: boolean
    ) {
      const secret = yield* newSecret(random)
      const name = { issuer, subject }
      yield* records.put(
        idOf(secret),
        Redacted.make(JSON.stringify({ ...name, groups, scopes, isAskedAsOperator })),
        sessionLifetime
      )
      const person = personOf(name)
      if (person !== undefined)
        yield* names.put(nameId(person), Redacted.make(JSON.stringify(name)), nameLifetime)
      return cookie.write(secret, sessionLifetime)
    }),

    /** Ends a session; gives the cookie that takes its secret out of the browser. */
    end: (cookies: BrowserCookies): Effect.Effect<string, StoreUnavailable> => {
      const secret = cookie.read(cookies)
      const ended = secret === undefined || !isSecret(secret) ? Effect.undefined : records.take(idOf(secret))
      return Effect.as(ended, cookie.remove())
    },

    /** Who is meant by what stands for a person in the keys of tokens; undefined for one who was never here. */
    nameOf: (person: string): Effect.Effect<KnownPerson | undefined, StoreUnavailable> =>
      Effect.map(
        names.get(nameId(person)),
        (record) => record && Option.getOrUndefined(decodeName(Redacted.value(record)))
      )
  }
})

export type BrowserSessions = Effect.Success<ReturnType<typeof makeBrowserSessions>>

/** Whether a form comes from a page of this session. */
export const isFormToken = ({ formToken }: BrowserSession, sent: string | undefined): boolean =>
  sent !== undefined && timingSafeEqual(Buffer.from(digest(sent)), Buffer.from(digest(formToken)))

const idOf = (secret: string): string => `session-${digest(secret)}`

const nameId = (person: string): string => `name-${digest(person)}`

const digest = (text: string): string => createHash("sha256").update(text).digest("base64url")
