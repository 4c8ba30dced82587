import * as Clock from "effect/Clock"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import { newSecret } from "./BrowserSecret.ts"
import { type BrowserCookies, cookieName } from "./LoginCookie.ts"
import type { LoginLink, RequestedLogin } from "./LoginLink.ts"
import { personPaths, personUrl } from "./PersonPaths.ts"
import { makeSharedLinks } from "./SharedLinks.ts"

/** A redirect that does not count, because it comes from a browser that did not begin its login. */
export class CallbackRefused extends Schema.TaggedError<CallbackRefused>()("CallbackRefused", {
  status: Schema.Literals([400, 403]),
  problem: Schema.String
}) {
  override get message(): string {
    return this.problem
  }
}

/** So many logins to a server wait for people that no further one begins. */
export class TooManyLogins extends Schema.TaggedError<TooManyLogins>()("TooManyLogins", {
  serverName: Schema.String,
  limit: Schema.Int,
  retryAfterSeconds: Schema.Finite
}) {
  /** The HTTP status for the client, and the reason in its answer. */
  readonly status = 429
  readonly reason = "TooManyRequests"
  override get message(): string {
    return (
      `${this.limit} logins to "${this.serverName}" wait for people, and more are not allowed ` +
      "(`limits.waiting_logins`). Try again later: each of them ends after ten minutes at the latest"
    )
  }
}

/** How long a link, and the login behind it, can be used. */
export const linkLifetime = Duration.minutes(10)
/** In all. The oldest is evicted. */
const capacity = 1000
/** For one person and server: nobody evicts the links of others. */
const capacityForPerson = 10

/** Somebody may complete a login at any time. */
const longestRetrySeconds = 30

interface Entry {
  readonly link: LoginLink
  readonly stateDigest: string
  /** The digest of the cookie of the browser that has confirmed the page. */
  browser?: string
  /** The login has been completed or denied. */
  ended?: true
  /** Other processes know of it. */
  isShared?: boolean
}

/**
 * The links of logins that wait for a browser. A login counts only in the browser that has confirmed the page of its
 * link: otherwise an authorization URL that is sent to somebody else would take that person's grant (RFC 9700 §4.7).
 * Processes that share `LoginRecords` know each other's links, as they know each other's logins.
 *
 * @param waitingLogins how many may wait for one server
 */
export const makeLoginLinks = Effect.fnUntraced(function* (waitingLogins: (serverName: string) => number) {
  const random = yield* SecureRandom.SecureRandom
  const shared = yield* makeSharedLinks(linkLifetime)
  // Maps keep the order of insertion: the oldest is the first. Only digests of what is secret are compared.
  const entries = new Map<string, Entry>()

  const dropExpired = Effect.map(Clock.currentTimeMillis, (now) => {
    for (const [key, { link }] of entries) {
      if (now - link.begunAt < Duration.toMillis(linkLifetime)) break
      entries.delete(key)
    }
    return now
  })

  /** Takes in what another process has written of a link. */
  const refresh = (key: string): Effect.Effect<void> =>
    Effect.map(shared.read(key), (reading) => {
      const entry = entries.get(key)
      if (reading._tag === "Gone" && entry?.isShared === true) entry.ended = true
      if (reading._tag !== "Found") return
      const { browser, link, stateDigest } = reading.shared
      const known: Entry = entry ?? { link, stateDigest, isShared: true }
      if (browser !== undefined) known.browser = browser
      if (entry === undefined) entries.set(key, known)
    })

  /** Those of the login that a `state` belongs to, as far as any process knows them. */
  const entriesOf = Effect.fnUntraced(function* (state: string | null) {
    const stateDigest = digest(state ?? "")
    for (const key of yield* shared.keysOf(stateDigest)) yield* refresh(key)
    yield* dropExpired
    return [...entries.values()].filter((entry) => entry.stateDigest === stateDigest)
  })

  const evict = ({ serverName, subject }: RequestedLogin) => {
    const ofPerson = [...entries].filter(
      ([, { link }]) => link.serverName === serverName && link.subject === subject
    )
    const [[key] = []] =
      ofPerson.length >= capacityForPerson ? ofPerson : entries.size >= capacity ? entries : []
    if (key !== undefined) entries.delete(key)
  }

  return {
    /** Fails if no login of one more person may begin for a server. Whoever has a link already may have another one. */
    checkRoom: Effect.fnUntraced(function* ({
      serverName,
      subject
    }: {
      readonly serverName: string
      readonly subject?: string | undefined
    }) {
      const now = yield* dropExpired
      const waiting = [...entries.values()].filter(
        ({ ended, link }) => link.serverName === serverName && ended === undefined
      )
      const limit = waitingLogins(serverName)
      if (waiting.length < limit || waiting.some(({ link }) => link.subject === subject)) return
      const oldest = waiting[0]?.link.begunAt ?? now
      const untilRoom = oldest + Duration.toMillis(linkLifetime) - now
      const retryAfterSeconds = Math.min(Math.ceil(untilRoom / 1000), longestRetrySeconds)
      return yield* new TooManyLogins({ serverName, limit, retryAfterSeconds })
    }),

    /**
     * The URL of a link for a login. While no browser has confirmed it, the same login has the same link; afterwards it
     * has another one, because a link is good for one browser.
     */
    add: Effect.fnUntraced(function* (login: RequestedLogin) {
      const begunAt = yield* dropExpired
      const stateDigest = digest(new URL(login.authorizationUrl).searchParams.get("state") ?? "")
      for (const [key, entry] of entries) {
        if (entry.stateDigest !== stateDigest) continue
        // A configured `state` belongs to the newest login, so what others confirm must not count for it.
        if (!isSame(entry.link, login)) entries.delete(key)
        else if (entry.browser === undefined && entry.ended === undefined) return urlOf(entry.link)
      }
      evict(login)
      const id = yield* newSecret(random)
      const isHttps = (login.base ?? login.redirectUri).startsWith("https:")
      const link = { ...login, id, isHttps, begunAt }
      const entry: Entry = { link, stateDigest }
      entries.set(digest(id), entry)
      entry.isShared = yield* shared.add(digest(id), entry)
      return urlOf(link)
    }),

    /** Undefined for one that has ended, has expired or never was. */
    find: (id: string): Effect.Effect<LoginLink | undefined> =>
      Effect.map(Effect.andThen(refresh(digest(id)), dropExpired), () => {
        const entry = entries.get(digest(id))
        return entry?.ended === true ? undefined : entry?.link
      }),

    /** The logins that one person has not completed, the newest first: those that this process knows of. */
    waitingOf: (person: string): Effect.Effect<ReadonlyArray<LoginLink>> =>
      Effect.map(dropExpired, () =>
        [...entries.values()]
          .filter(({ ended, link }) => ended === undefined && link.subject === person)
          .map(({ link }) => link)
          .toReversed()
      ),

    /** Whether this browser may use the link: no other one has confirmed it. */
    isFor: ({ id }: LoginLink, secret: string | undefined): boolean => {
      const browser = entries.get(digest(id))?.browser
      return browser === undefined || (secret !== undefined && browser === digest(secret))
    },

    /** Binds a link that is for this browser to it. */
    confirm: ({ id }: LoginLink, secret: string): Effect.Effect<void> =>
      Effect.suspend(() => {
        const entry = entries.get(digest(id))
        if (entry === undefined) return Effect.void
        entry.browser = digest(secret)
        return entry.isShared === true ? shared.update(digest(id), entry) : Effect.void
      }),

    /** Names of the cookies that logins under way need: of those that a browser has confirmed. */
    neededCookies: (): ReadonlySet<string> =>
      new Set(
        [...entries.values()].flatMap(({ browser, ended, link }) =>
          browser === undefined || ended === true ? [] : [cookieName(link)]
        )
      ),

    /**
     * Refuses a redirect from a browser that has not confirmed the page of the login that the `state` belongs to. Gives the public
     * URL of the pages that look at it again (`admitPerson`), if the login ends at such.
     */
    admit: Effect.fnUntraced(function* (
      state: string | null,
      cookies: BrowserCookies
    ): Effect.fn.Return<string | undefined, CallbackRefused> {
      const ofLogin = yield* entriesOf(state)
      const [entry] = ofLogin
      if (entry === undefined) return yield* belongsToNoLogin
      if (entry.link.base !== undefined) return entry.link.base
      const isOwn = ({ browser, link }: Entry) => {
        const secret = cookies[cookieName(link)]
        return browser !== undefined && secret !== undefined && browser === digest(secret)
      }
      if (ofLogin.some(isOwn)) return undefined
      yield* Effect.logWarning(
        `A login to "${entry.link.serverName}" came back in a browser that has not confirmed it`
      )
      return yield* fromAnotherBrowser
    }),

    /** Refuses a redirect to a browser at which another person is logged in than the one who asked for the login. */
    admitPerson: Effect.fnUntraced(function* (state: string | null, person: string) {
      const ofLogin = yield* entriesOf(state)
      const [entry] = ofLogin
      if (entry === undefined) return yield* belongsToNoLogin
      if (ofLogin.some(({ link }) => link.base !== undefined && link.subject === person)) return
      yield* Effect.logWarning(
        `A login to "${entry.link.serverName}" came back to the browser of another person than the one who asked for it`
      )
      return yield* ofAnotherPerson
    }),

    /** Takes note that a login has been completed or denied: its links lead nowhere any more. */
    end: (state: string | null): Effect.Effect<void> =>
      Effect.suspend(() => {
        const stateDigest = digest(state ?? "")
        for (const entry of entries.values()) if (entry.stateDigest === stateDigest) entry.ended = true
        return shared.end(stateDigest)
      })
  }
})

export type LoginLinks = Effect.Success<ReturnType<typeof makeLoginLinks>>

const belongsToNoLogin = Effect.fail(
  new CallbackRefused({
    status: 400,
    problem:
      "This address belongs to no login that waits, or to one that has ended. Ask your MCP client for the login again"
  })
)

const fromAnotherBrowser = Effect.fail(
  new CallbackRefused({
    status: 403,
    problem:
      "This browser did not begin this login, so it does not count. If you asked for it yourself, open the link of the " +
      "gateway again, in the browser in which you log in, with cookies allowed. If somebody sent you an address, close this window"
  })
)

const ofAnotherPerson = Effect.fail(
  new CallbackRefused({
    status: 403,
    problem:
      "Another person asked for this login than the one who is logged in here, so it does not count. If somebody sent you " +
      "an address, close this window"
  })
)

const isSame = (a: RequestedLogin, b: RequestedLogin): boolean =>
  a.authorizationUrl === b.authorizationUrl && a.serverName === b.serverName && a.subject === b.subject

/** At the origin of the redirect URI, because the cookie has to come back there; or at the pages of the person. */
export const urlOf = ({ base, id, redirectUri }: LoginLink): string =>
  base === undefined
    ? `${new URL(redirectUri).origin}${loginPath}${id}`
    : personUrl(base, personPaths.link + id)

/** Where the pages of links are. */
export const loginPath = "/login/"

/** Comparing digests takes no longer for a guess that is nearly right. */
const digest = (text: string): string => createHash("sha256").update(text).digest("base64url")
