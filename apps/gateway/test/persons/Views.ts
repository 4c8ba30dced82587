import type { EveryoneView, PersonView, ServerView } from "@secure-mcp/gateway-server/internal"

export const now = Date.parse("2026-03-04T09:30:00Z")
const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

/** A server at which a person has nothing yet; `fields` say what is different. */
export const serverView = (fields: Partial<ServerView> = {}): ServerView => ({
  serverName: "files",
  isPersonal: true,
  activity: {},
  waiting: [],
  ...fields
})

/** A person at a company; `fields` say what is different. */
export const personView = (fields: Partial<PersonView> = {}): PersonView => ({
  name: "Alice Example",
  issuer: "https://login.example.com",
  now,
  isOperator: false,
  formToken: "a-form-token",
  servers: [serverView()],
  ...fields
})

const connected = serverView({
  serverName: "github",
  grant: {
    scopes: ["read:user", "repo", "workflow"],
    issuedAt: now - 3 * hour,
    renewsAt: now + 5 * hour,
    expiresAt: now + 6 * hour
  },
  activity: { lastUseAt: now - 12 * minute, askedBy: "Claude Desktop" }
})

const failing = serverView({
  serverName: "calendar",
  grant: { scopes: undefined, issuedAt: now - 2 * day, renewsAt: now - hour, expiresAt: now - 30 * minute },
  activity: {
    lastUseAt: now - 20 * minute,
    lastError: { reason: "EndpointUnavailable", at: "2026-03-04T09:10:00.000Z" }
  }
})

const ended = serverView({
  serverName: "tickets",
  grant: { scopes: [], issuedAt: now - 40 * day, expiresAt: now - 10 * day }
})

const waiting = serverView({
  serverName: "documents",
  waiting: [
    { client: "Visual Studio Code", begunAt: now - 90_000, path: "/me/links/second" },
    { client: undefined, begunAt: now - 4 * minute, path: "/me/links/first" }
  ]
})

const unknown = serverView({
  serverName: "mail",
  problem: "The token store cannot be reached. Try again in a few minutes."
})

const shared = serverView({ serverName: "search", isPersonal: false, activity: { lastUseAt: now - minute } })

/** One server in every state. */
export const everyState: ReadonlyArray<ServerView> = [connected, failing, ended, waiting, unknown, shared]

/** An operator who has a server in every state. */
export const fullView = personView({ isOperator: true, servers: everyState })

/** Tries to write markup, to turn the line around, to fill the page, and to draw over it. */
export const hostile = `"><script>alert(1)</script><img src=x onerror='alert(2)'>&amp;\u202Egnp\u0007\u001b[31m`

export const hostileView = personView({
  name: hostile,
  issuer: `https://login.example/${hostile}`,
  formToken: hostile,
  servers: [
    serverView({
      serverName: hostile,
      problem: hostile,
      grant: { scopes: [hostile], issuedAt: now, expiresAt: Number.MAX_VALUE },
      activity: { askedBy: hostile, lastError: { reason: hostile, at: hostile } },
      waiting: [{ client: hostile, begunAt: Number.NaN, path: `/me/links/${hostile}` }]
    }),
    serverView({ serverName: "W".repeat(5000), activity: { askedBy: "\u0301".repeat(500) } }),
    serverView({ serverName: "مرحبا", grant: { scopes: ["x".repeat(900)], issuedAt: now } })
  ]
})

export const everyoneView: EveryoneView = {
  now,
  isCut: true,
  persons: [
    {
      name: "Alice Example",
      issuer: "https://login.example.com",
      person: `person-${"a".repeat(43)}`,
      servers: everyState.filter(({ isPersonal }) => isPersonal)
    },
    { name: undefined, issuer: undefined, person: "ci-runner", servers: [connected] },
    { name: hostile, issuer: hostile, person: hostile, servers: hostileView.servers },
    { name: "Bob", issuer: undefined, person: `person-${"b".repeat(43)}`, servers: [] }
  ]
}
