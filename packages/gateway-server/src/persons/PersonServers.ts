import {
  isPersonalGrant,
  type OAuthToken,
  OAuthService,
  TokenCache,
  tokenKeyString
} from "@secure-mcp/oauth-core"
import type {
  AccessTokenRequest,
  OAuthError,
  StoreUnavailable,
  TokenCacheEntry
} from "@secure-mcp/oauth-core"
import { renewalTime, TokenStore } from "@secure-mcp/token-cache"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { mayUse } from "../callers/AllowedServers.ts"
import type { GatewaySettings } from "../config/GatewaySettings.ts"
import { McpServers } from "../http/McpServers.ts"
import type { LoginLink } from "../login/LoginLink.ts"
import { Logins } from "../login/Logins.ts"
import { personPaths } from "../login/PersonPaths.ts"
import { type Activity, PersonActivity } from "../status/PersonActivity.ts"
import type { BrowserSession, BrowserSessions } from "./BrowserSessions.ts"
import type { EveryoneView, GrantView, OtherPersonView, PersonView, ServerView } from "./pages/PersonView.ts"

/** Persons on the page of an operator. */
const mostPersons = 1000

/** What people have granted, for the pages on which they and operators see it. */
export const makePersonServers = Effect.fnUntraced(function* (
  { allow, callers }: GatewaySettings,
  sessions: BrowserSessions
) {
  const servers = yield* McpServers
  const oauth = yield* OAuthService
  const cache = yield* TokenCache
  const store = yield* TokenStore
  const logins = yield* Logins
  const activities = yield* PersonActivity

  const requestOf = (serverName: string, { caller }: BrowserSession): AccessTokenRequest | undefined => {
    const request = servers.get(serverName)?.upstream.tokenRequest(caller)
    return request !== undefined && isPersonalGrant(request.config.grantType) ? request : undefined
  }

  const viewOf = Effect.fnUntraced(function* (
    serverName: string,
    session: BrowserSession,
    waiting: ReadonlyArray<LoginLink>
  ) {
    const request = requestOf(serverName, session)
    const found = yield* Effect.result(request === undefined ? Effect.undefined : oauth.find(request))
    const token = found._tag === "Success" ? found.success : undefined
    const view: ServerView = {
      serverName,
      isPersonal: request?.config.grantType === "authorization_code",
      ...(token === undefined || request === undefined ? {} : { grant: grantOf(token, request) }),
      ...(found._tag === "Failure" ? { problem: found.failure.reason.message } : {}),
      activity: shown(activities.get(serverName, session.person), token !== undefined),
      waiting: waiting
        .filter((link) => link.serverName === serverName)
        .map(({ begunAt, client, id }) => ({ client, begunAt, path: personPaths.link + id }))
    }
    return view
  })

  const isShown = (session: BrowserSession, { grant, serverName }: ServerView): boolean =>
    grant !== undefined || mayUse(allow.get(serverName), session.caller)

  const isOperator = ({ caller }: BrowserSession): boolean =>
    callers !== undefined && mayUse(callers.admin, caller)

  const allGrants = Effect.gen(function* () {
    const byKey = new Map<string, TokenCacheEntry>()
    for (const entry of [...(yield* store.list), ...(yield* cache.list)])
      if (entry.key.personal && servers.has(entry.key.serverName)) byKey.set(tokenKeyString(entry.key), entry)
    return [...byKey.values()]
  })

  return {
    requestOf,
    isOperator,

    /** As `requestOf`, if this person may use the server: nobody connects what they cannot use. */
    requestToConnect: (serverName: string, session: BrowserSession): AccessTokenRequest | undefined =>
      mayUse(allow.get(serverName), session.caller) ? requestOf(serverName, session) : undefined,

    /** What one person sees. */
    of: Effect.fnUntraced(function* (session: BrowserSession): Effect.fn.Return<PersonView> {
      const waiting = yield* logins.waitingOf(session.person)
      const views = yield* Effect.forEach([...servers.keys()], (name) => viewOf(name, session, waiting), {
        concurrency: 8
      })
      return {
        name: session.caller.subject,
        issuer: session.caller.issuer,
        now: yield* Clock.currentTimeMillis,
        isOperator: isOperator(session),
        formToken: session.formToken,
        servers: views.filter((view) => isShown(session, view))
      }
    }),

    /** What an operator sees: whatever any person has granted. */
    ofEveryone: Effect.gen(function* (): Effect.fn.Return<EveryoneView, OAuthError | StoreUnavailable> {
      const byPerson = Map.groupBy(yield* allGrants, ({ key }) => key.subject)
      const known = [...byPerson].flatMap(([person, entries]) =>
        person === undefined ? [] : [{ person, entries }]
      )
      const persons = yield* Effect.forEach(
        known.slice(0, mostPersons),
        ({ entries, person }) =>
          Effect.map(sessions.nameOf(person), (name): OtherPersonView => ({
            person,
            name: name?.subject,
            issuer: name?.issuer,
            servers: entries.map(({ key: { serverName }, token }) => ({
              serverName,
              grant: grantOf(token),
              activity: activities.get(serverName, person)
            }))
          })),
        { concurrency: 16 }
      )
      return { now: yield* Clock.currentTimeMillis, persons, isCut: known.length > mostPersons }
    })
  }
})

/** That a person has to log in is no error where they have not logged in. */
const shown = (activity: Activity, hasGrant: boolean): Activity =>
  activity.lastError?.reason === "AuthorizationRequired" && !hasGrant
    ? { ...activity, lastError: undefined }
    : activity

export type PersonServers = Effect.Success<ReturnType<typeof makePersonServers>>

/** @param request absent where it is not known when the token is renewed */
const grantOf = (token: OAuthToken, request?: AccessTokenRequest): GrantView => {
  const renewsAt =
    request === undefined || token.refreshToken === undefined
      ? undefined
      : renewalTime(token, Duration.seconds(request.config.tokenExpiryBuffer))
  return {
    scopes: token.scope,
    issuedAt: token.issuedAt,
    ...(token.expiresAt === undefined ? {} : { expiresAt: token.expiresAt }),
    ...(renewsAt === undefined ? {} : { renewsAt })
  }
}
