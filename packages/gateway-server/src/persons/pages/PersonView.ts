import type { Activity } from "../../status/PersonActivity.ts"

/** What `/me` shows to one person. All times are milliseconds since the epoch. */
export interface PersonView {
  /** As the issuer calls them. */
  readonly name: string
  readonly issuer: string
  readonly now: number
  /** May see all persons. */
  readonly isOperator: boolean
  /** Stands in every form, so that no page of others can send one. */
  readonly formToken: string
  readonly servers: ReadonlyArray<ServerView>
}

/** One server, as one person sees it. */
export interface ServerView {
  readonly serverName: string
  /** Whether people log in there. Else the gateway has a token of its own, or needs none, or exchanges the person's. */
  readonly isPersonal: boolean
  /** What the person has granted. */
  readonly grant?: GrantView | undefined
  /** Why the grant is not known now: the store is away, or the configuration cannot be used. */
  readonly problem?: string | undefined
  /** Since the gateway was started. */
  readonly activity: Activity
  /** Logins that MCP clients have asked for, and that no browser has completed; the newest first. */
  readonly waiting: ReadonlyArray<WaitingLogin>
}

/** A grant, without its token. */
export interface GrantView {
  /** Undefined where nobody said. */
  readonly scopes: ReadonlyArray<string> | undefined
  /** When the access token was obtained, by the login or by a renewal. */
  readonly issuedAt: number
  /** Undefined for a token that does not end by itself. */
  readonly expiresAt?: number | undefined
  /** When it is renewed; undefined if it is not. */
  readonly renewsAt?: number | undefined
}

/** A login that an MCP client has asked for. */
export interface WaitingLogin {
  /** What the client calls itself. Anybody can call a client so. */
  readonly client: string | undefined
  readonly begunAt: number
  /** The path of its page, below the public URL. */
  readonly path: string
}

/** What an operator sees: all persons, and no token. */
export interface EveryoneView {
  readonly now: number
  readonly persons: ReadonlyArray<OtherPersonView>
  /** There are more persons than are shown. */
  readonly isCut: boolean
}

/** One person, as an operator sees them. */
export interface OtherPersonView {
  /** Undefined for one who has not opened `/me` here; then only the key stands for them. */
  readonly name: string | undefined
  readonly issuer: string | undefined
  /** What stands for the person in the keys of tokens. */
  readonly person: string
  readonly servers: ReadonlyArray<Omit<ServerView, "waiting" | "isPersonal">>
}
